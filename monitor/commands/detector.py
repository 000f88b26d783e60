"""`sitewatch detector`: counts by a model of your own, and the blind trial that it must pass before they are judged."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.commands import JsonFlag, opened, print_json, say
from monitor.config.clock import utc_now
from monitor.errors import InputError, WorkFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.app import App
    from monitor.imagery.detector import ModelCard
    from monitor.imagery.detector_run import Detector

detector_app = typer.Typer(
    name="detector",
    no_args_is_help=True,
    help="Counts by a detector of your own (ONNX), and its blind trial.",
)
ModelArgument = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="The ONNX file; its card (TOML) lies beside it under the same name."
    ),
]


@detector_app.command("count", short_help="Count in one image of a site.")
def count_image(
    model: ModelArgument,
    image: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGE", help="A GeoTIFF that says where on Earth it lies, or a STAC item (JSON)."
        ),
    ],
    *,
    site: Annotated[str, typer.Option("--site", help="The site's id.")],
    taken: Annotated[
        str, typer.Option("--taken", help="When it was taken, with its zone; a STAC item says so itself.")
    ] = "",
    asset: Annotated[str, typer.Option("--asset", help="Which file of a STAC item.")] = "visual",
    as_json: JsonFlag = False,
) -> None:
    """Run a detector of your own over one image of a site and store what it finds.

    Its counts are judged once it has passed its blind trial against counts of people; until then they are stored and not shown.
    """
    from monitor.derive.detecting import SiteImage, count_picture
    from monitor.imagery.detector import DetectorError

    with opened() as app:
        found = app.known_site(site)
        try:
            detector = _loaded(model)
            with TemporaryDirectory() as folder:
                path, name, at = _picture(image, asset, taken, lambda url: _fetched(app, url, Path(folder)))
                with _open(path) as picture:
                    shown_image = SiteImage(picture, name, at)
                    counted = count_picture(app.engine, detector, found, shown_image, utc_now())
        except DetectorError as error:
            raise InputError(f"{image.name}, {model.name}: {error}.") from None
    if as_json:
        print_json(
            {
                "site": found.id,
                "judged": counted.judged,
                "counts": counted.shown,
                "seen_share": counted.seen_share,
                "tiles": counted.tiles,
            }
        )
        return
    say(f"{found.name}: {counted.tiles} tiles looked at, {counted.seen_share:.0%} of the site seen.")
    for metric, trial in counted.trials.items():
        if trial.passed:
            say(f"{metric}: {counted.counts[metric]} found; it is judged.")
        else:
            say(
                f"{metric}: stored, and neither shown nor judged until its blind trial is passed: {trial.words}."
            )


@detector_app.command("trial", short_help="Hold a detector's counts against those of people.")
def trial(model: ModelArgument, *, as_json: JsonFlag = False) -> None:
    """Hold every count of a detector against counts that people made of the same looks, neither knowing of the other.

    Twelve looks are needed, four of them with something there. It passes where the person's count lies in its interval eight times
    of ten and it is nearer than always saying the middle count; then all of its counts become looks and are judged.
    """
    from monitor.derive.detecting import hold_trial
    from monitor.imagery.detector import DetectorError, detector_procedure, model_digest

    with opened() as app:
        try:
            card = _card(model)
            procedure = detector_procedure(card, model_digest(_bytes(model)))
        except DetectorError as error:
            raise InputError(f"{model.name}: {error}.") from None
        held = {metric: hold_trial(app.engine, card, procedure, metric, utc_now()) for metric in card.metrics}
    if as_json:
        print_json({"procedure": procedure, "trials": held})
        return
    for metric, each in held.items():
        say(f"{metric}: {'passed' if each.passed else 'not passed'}: {each.words}.")


@detector_app.command("status", short_help="Say what your detectors have counted, and which are judged.")
def detector_status() -> None:
    """Say of each detector how many images it counted, and of which metrics its counts are judged."""
    from db.engine import reading
    from monitor.derive.detecting import detector_sentences

    with opened() as app, reading(app.engine) as connection:
        told = list(detector_sentences(connection))
    for line in told or ["No detector of your own has counted anything yet."]:
        say(line)


def _bytes(model: Path) -> bytes:
    try:
        return model.read_bytes()
    except OSError as error:
        raise InputError(f"{model} cannot be read: {error.strerror}.") from None


def _card(model: Path) -> "ModelCard":
    from monitor.imagery.detector import read_card

    path = model.with_suffix(".toml")
    try:
        return read_card(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"The card {path} cannot be read. It says name, recall, precision and [metrics]; docs/imagery.md shows one."
        ) from None


def _loaded(model: Path) -> "Detector":
    from monitor.imagery.detector_run import load_detector

    return load_detector(_bytes(model), _card(model))


def _picture(
    image: Path, asset: str, taken: str, fetched: "Callable[[str], Path]"
) -> "tuple[Path, str, datetime]":
    """The file of the picture, its name and when it was taken; of a STAC item the file of one asset, beside it or on the web."""
    import json

    from monitor.feeds.parsing import json_instant

    said: Any = taken
    path, name = image, image.stem
    if image.suffix.lower() in (".json", ".geojson"):
        try:
            item = json.loads(image.read_text(encoding="utf-8"))
            link = str(item["assets"][asset]["href"])
            said = taken or item["properties"]["datetime"]
            name = str(item.get("id") or name)
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{image} is no STAC item with a time and the asset {asset!r}. Choose another with --asset."
            ) from None
        path = fetched(link) if "://" in link else image.parent / link
    at = json_instant(said)
    if at is None:
        raise InputError("Say with --taken when the image was taken, with its zone, as 2026-11-30T02:15:00Z.")
    return path, name, at


def _fetched(app: "App", url: str, folder: Path) -> Path:
    """Fetch the file of an asset, at most a gigabyte, through the guarded client."""
    from monitor.bootstrap import build_downloader
    from monitor.feeds import FeedError

    path = folder / "asset.tif"
    client = build_downloader(app.settings)
    try:
        with path.open("wb") as into:
            client.download(url, into)
    except FeedError as error:
        raise WorkFailed(str(error)) from None
    finally:
        client.close()
    return path


def _open(path: Path) -> AbstractContextManager[Any]:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        opened_file: AbstractContextManager[Any] = rasterio.open(path, driver="GTiff")
    except RasterioError:
        raise InputError(f"{path} is no GeoTIFF that can be read.") from None
    return opened_file
