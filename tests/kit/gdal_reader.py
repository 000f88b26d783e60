"""Reads collections of OGC API Features with GDAL, in a process of its own: GDAL waits without letting others run.

`python -m tests.kit.gdal_reader` takes a JSON list of questions and writes a JSON list of answers.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import geopandas
import pyogrio

Question = dict[str, Any]
"""`address` of the API, `collection`, and what `geopandas.read_file` takes: `bbox`, `where`."""


def read_with_gdal(questions: Sequence[Question], **configuration: str) -> list[dict[str, Any]]:
    """What GDAL makes of each: a FeatureCollection, whether every shape is valid, and how many GDAL says there are."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.kit.gdal_reader"],
        input=json.dumps([list(questions), configuration]),
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


def _read(question: Question) -> dict[str, Any]:
    source, layer = f"OAPIF:{question.pop('address')}", question.pop("collection")
    said = pyogrio.read_info(source, layer=layer, force_feature_count=True)
    if box := question.pop("bbox", None):
        question["bbox"] = tuple(box)
    frame: Any = geopandas.read_file(source, layer=layer, **question)
    shapes = frame.geometry.dropna()
    return {
        "collections": sorted(pyogrio.list_layers(source)[:, 0].tolist()),
        "crs": frame.crs.to_string(),
        "count": said["features"],
        "valid": bool(shapes.is_valid.all()),
        "kinds": sorted(set(shapes.geom_type)),
        "features": json.loads(frame.to_json(default=str))["features"],
    }


if __name__ == "__main__":
    asked, options = json.load(sys.stdin)
    pyogrio.set_gdal_config_options(options)
    json.dump([_read(each) for each in asked], sys.stdout)
