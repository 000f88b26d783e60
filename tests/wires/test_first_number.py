"""A new user's first day against servers that others wrote: a number from pixels of every located site, and its picture on the page.

The catalogue is stac-fastapi over pgstac, the files lie behind nginx with TLS and are asked for in parts; the program runs as a process of its own, with
default settings but for where its catalogue is. Pixels are real ones of three ports, put where the sites lie.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from shapely.geometry import mapping

from db.engine import open_engine, reading
from db.observations import looks
from tests.kit.authority import Authority
from tests.kit.feed_contract import stac_item
from tests.kit.program import PATIENCE_S, Program, running
from tests.kit.real_servers import HOST, Nginx, free_port, nginx, stac_api, wait_until
from tests.stories.test_first_clear_pass import PLACES, files_of, sites_file
from tests.wires.test_stac_server import collection

OLD_STAR = "Use `@` matmul:PendingDeprecationWarning"
pytestmark = [pytest.mark.shared, pytest.mark.long, pytest.mark.filterwarnings(f"ignore:{OLD_STAR}")]
TAKEN_AGO = timedelta(hours=6)


def item(name: str, address: str, at: datetime, files: dict[str, bytes], outline: Any) -> dict[str, Any]:
    stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    made = stac_item(datetime=stamp, created=stamp, updated=stamp, **{"eo:cloud_cover": 3.0})
    made["properties"].pop("grid:code", None)
    made["properties"]["s2:datatake_id"] = f"GS2B_{at:%Y%m%dT%H%M%S}_033417_N05.09"
    assets = {band: {"href": f"{address}/{name}/{band}.tif", "type": "image/tiff"} for band in files}
    placed = {"geometry": mapping(outline), "bbox": list(outline.bounds)}
    return {
        **made,
        **placed,
        "id": f"S2B_{name}",
        "collection": "sentinel-2-l2a",
        "links": [],
        "assets": assets,
    }


@contextmanager
def served(folder: Path, shared: Path, at: datetime) -> Iterator[tuple[str, Nginx, Path]]:
    """The catalogue's address, the server of the files, and the file of the authority that signed for it."""
    authority = Authority(folder)
    signed = authority.certificate()
    items = []
    with ExitStack() as stack:
        files_behind = stack.enter_context(nginx(folder, "", chain=signed.chain, key=signed.key))
        for name in PLACES:
            scratch = folder / "made"
            scratch.mkdir(exist_ok=True)
            files, outline = files_of(name, scratch, shared)
            (folder / "www" / name).mkdir()
            for band, body in files.items():
                (folder / "www" / name / f"{band}.tif").write_bytes(body)
            items.append(item(name, files_behind.url, at, files, outline))
        api = stack.enter_context(
            stac_api([collection("sentinel-2-l2a"), collection("sentinel-2-c1-l2a")], items)
        )
        yield api.url, files_behind, authority.file


def settings(folder: Path, catalogue: str, ca_file: Path, port: int) -> None:
    """What a new user has, but for where the catalogue is; nothing is asked for flights."""
    sites_file(folder)
    (folder / "sitewatch.toml").write_text(
        "\n".join(
            [
                'allowed_networks = ["127.0.0.0/8"]',
                f"port = {port}",
                '[providers."adsb.lol"]',
                "enabled = false",
                "[providers.earth-search]",
                f'base_url = "{catalogue}"',
                f'ca_file = "{ca_file}"',
                f'options = {{ picture_hosts = "{HOST}" }}',
            ]
        ),
        encoding="utf-8",
    )


def page(port: int, path: str) -> str:
    answer = httpx.get(f"http://{HOST}:{port}{path}", headers={"accept": "text/html"}, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return answer.text


def measured(folder: Path) -> dict[str, dict[str, Any]]:
    """What stands in the database of each site whose pixels were read."""
    if not (folder / "var" / "sitewatch.db").exists():
        return {}
    engine = open_engine(f"sqlite:///{folder / 'var' / 'sitewatch.db'}")
    try:
        with reading(engine) as connection:
            found = {name: looks(connection, site_id=name, metric="passes", area="") for name in PLACES}
    finally:
        engine.dispose()
    return {
        name: {
            **some[-1].exposure_parts,
            "exposure": some[-1].exposure,
            "late": some[-1].recorded_at - some[-1].period_start,
        }
        for name, some in found.items()
        if some and some[-1].exposure_parts.get("cloud_of") == "site"
    }


def test_every_located_site_has_a_number_from_pixels_on_the_page_of_the_running_service(
    tmp_path: Path, shared_data: Path
) -> None:
    at, port = datetime.now(UTC) - TAKEN_AGO, free_port()
    with served(tmp_path, shared_data, at) as (catalogue, files, ca_file):
        settings(tmp_path, catalogue, ca_file, port)
        with running(tmp_path, "run", PYTHONWARNINGS="error,ignore::PendingDeprecationWarning") as service:
            _wait(service, tmp_path, port)
            found = measured(tmp_path)
            for name in PLACES:
                assert found[name]["exposure"] > 0.95
                assert 0 < found[name]["water"] < 1, "a share that only pixels tell"
                assert found[name]["late"] < timedelta(days=1)
                shown = page(port, f"/sites/{name}?metric=passes")
                assert "Contains modified Copernicus Sentinel data" in shown
                assert "1 of 1 passes read were clear" in shown
                picture = re.search(rf'src="(/sites/{name}/picture\?[^"]+)"', shown)
                assert picture is not None
                png = httpx.get(f"http://{HOST}:{port}{picture[1]}", timeout=PATIENCE_S).content
                assert png.startswith(b"\x89PNG")
        asked = [line for line in files.asked if "/scl.tif" in line]
        assert asked, "the classes were read from the files"
        assert all(" 206 " in line for line in asked), "in parts"


def _wait(service: Program, folder: Path, port: int) -> None:
    def done() -> bool:
        if len(measured(folder)) < len(PLACES):
            return False
        return all("/picture?" in page(port, f"/sites/{name}") for name in PLACES)

    service.until("Page: ")
    wait_until(done, "all three sites are measured and shown", None)
