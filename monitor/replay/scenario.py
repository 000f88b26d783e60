"""A scenario on disk: `scenario.toml`, recorded responses, observations that arrive when they were published."""

import base64
import binascii
import gzip
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from db.records.provenance import Provenance, provenance_of
from db.scenario_mark import ScenarioMark, ScenarioPart
from monitor.config.settings import ProviderSettings
from monitor.errors import InputError
from monitor.feeds.providers import DEFAULT_PROVIDERS

GZIP_SUFFIX = ".gz"


class ScenarioError(InputError):
    """The scenario cannot be run; the text says what is wrong, in which file and how to mend it."""


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """One recorded response, or a recorded failure to answer (`status` None)."""

    at: datetime
    provider: str
    purpose: str
    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioFile(_Strict):
    """A file of a scenario, with what its rows are and, in a sentence, where they come from."""

    file: Path
    provenance: Provenance
    origin: str = Field(min_length=10)


class Recording(ScenarioFile):
    """A file of responses: `lines` wraps each one, `bodies` has one bare readsb answer a line."""

    format: Literal["lines", "bodies"] = "lines"
    provider: str = ""
    purpose: Literal["data", "canary", "token", "page"] = "data"


class ScenarioSky(ScenarioFile):
    """Passes over one site, whose pixels are invented: `file` lists them, `seed` draws the ground, trains stand on the area `area`."""

    provider: str
    site: str
    area: str
    seed: int


class ScenarioProvider(ProviderSettings):
    """A provider of the scenario: polled in its active windows (without any: all the time), for some sites or all."""

    active: tuple[tuple[AwareDatetime, AwareDatetime], ...] = ()
    sites: tuple[str, ...] | None = None


class Scenario(_Strict):
    """What `scenario.toml` says."""

    title: str
    start: AwareDatetime
    end: AwareDatetime
    sites: Path
    observations: tuple[ScenarioFile, ...] = ()
    recordings: tuple[Recording, ...] = ()
    skies: tuple[ScenarioSky, ...] = ()
    channels: tuple[str, ...] = ("log",)
    providers: dict[str, ScenarioProvider] = Field(default_factory=dict)
    lapse_after_days: float = 90
    notes: str = ""

    @field_validator("observations", mode="before")
    @classmethod
    def _marked(cls, value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(each, str) for each in value):
            raise ValueError(f"a file must say what it is: {_HOW_TO_MARK}")
        return value

    @property
    def mark(self) -> ScenarioMark:
        """What the database of a replay says of itself."""
        files = [*self.observations, *self.recordings, *self.skies]
        return ScenarioMark(
            self.title, tuple(ScenarioPart(each.file.name, each.provenance, each.origin) for each in files)
        )


_HOW_TO_MARK = (
    'write [[observations]] or [[recordings]] with file, provenance ("recorded", "reconstructed" or "invented") and '
    "origin, a sentence that says where its rows come from"
)


def load_scenario(folder: Path) -> Scenario:
    """Read and check `scenario.toml`; paths in it become relative to the working directory."""
    path = folder / "scenario.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        scenario = Scenario.model_validate(raw)
    except FileNotFoundError:
        raise ScenarioError(f"{folder} is not a scenario: it has no scenario.toml.") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path} is not valid TOML: {error}.") from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise ScenarioError(f"{path} cannot be used: {faults}.") from None
    if scenario.end <= scenario.start:
        raise ScenarioError(f"{path}: end must be later than start.")
    found = scenario.model_copy(
        update={
            "sites": folder / scenario.sites,
            "observations": tuple(_inside(folder, each) for each in scenario.observations),
            "recordings": tuple(_inside(folder, each) for each in scenario.recordings),
            "skies": tuple(_inside(folder, each) for each in scenario.skies),
        }
    )
    _check_names(path, found)
    return found


_FileT = TypeVar("_FileT", bound=ScenarioFile)


def _inside(folder: Path, file: _FileT) -> _FileT:
    return file.model_copy(update={"file": folder / file.file})


def _check_names(path: Path, scenario: Scenario) -> None:
    """Nothing that was made up may bear the name of who did not make it up; raises ScenarioError."""
    answered: dict[str, set[Provenance]] = {name: set() for name in scenario.providers}
    for recording in scenario.recordings:
        for name in {each.provider for each in _read(recording)}:
            answered.setdefault(name, set()).add(recording.provenance)
            if provenance_of(name) != recording.provenance:
                raise ScenarioError(
                    f"{path}: answers in {recording.file.name} are {recording.provenance}, and stand there under the "
                    f"provider {name}. {_named_for(recording.provenance)}"
                )
    for sky in scenario.skies:
        if sky.provenance != "invented" or sky.provider not in scenario.providers:
            raise ScenarioError(
                f"{path}: the pixels of {sky.file.name} are invented, and listed by one of its providers: say so, and name it "
                "invented-NAME under [providers]."
            )
        answered.setdefault(sky.provider, set()).add(sky.provenance)
        if provenance_of(sky.provider) != "invented":
            raise ScenarioError(f"{path}: {sky.provider} lists invented pixels. {_named_for('invented')}")
    for name, settings in scenario.providers.items():
        provenance = provenance_of(name)
        if provenance == "recorded" and not answered[name]:
            raise ScenarioError(
                f"{path}: no answer of {name} was recorded, so its silence would be made up. Name the provider for what "
                "it is, as in invented-flights."
            )
        if provenance != "recorded":
            _check_made(path, name, settings)


def _named_for(provenance: Provenance) -> str:
    if provenance == "recorded":
        return "A recording keeps the name of the provider that was asked."
    return f"What nobody recorded must not bear a provider's name: call it {provenance}-NAME, as in {provenance}-flights."


def _check_made(path: Path, name: str, settings: ScenarioProvider) -> None:
    real = next((each.name for each in DEFAULT_PROVIDERS if each.name in name), None)
    if real is not None:
        raise ScenarioError(
            f"{path}: {name} bears the name of {real}, who did not send this. Call it otherwise."
        )
    given = [
        each
        for each in ("base_url", "licence", "attribution", "redistribute")
        if getattr(settings, each) is not None
    ]
    if given or settings.kind is None:
        what = f"must not set {', '.join(given)}" if given else "must say its kind"
        raise ScenarioError(f"{path}: the provider {name} is made up: it {what}.")


def provenance_lines(scenario: Scenario) -> list[str]:
    """What each file of a scenario is, as the console says it."""
    return [f"  {each.file}: {each.provenance}. {each.origin}" for each in scenario.mark.parts]


def read_recordings(scenario: Scenario) -> list[RecordedResponse]:
    """Read every recorded response, in order of time."""
    found = [line for recording in scenario.recordings for line in _read(recording)]
    return sorted(found, key=lambda each: each.at)


def _read(recording: Recording) -> Iterator[RecordedResponse]:
    try:
        with _open(recording.file) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parse(recording, number, line)
    except OSError as error:
        raise ScenarioError(f"The recording {recording.file} cannot be read: {error.strerror}.") from None


def _open(path: Path) -> TextIO:
    if path.suffix == GZIP_SUFFIX:
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _parse(recording: Recording, number: int, line: str) -> RecordedResponse:
    where = f"{recording.file}, line {number}"
    try:
        raw = json.loads(line)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{where} is not JSON: {error}.") from None
    try:
        if recording.format == "bodies":
            at = datetime.fromtimestamp(raw["now"] / 1000, UTC)
            return RecordedResponse(at, recording.provider, recording.purpose, 200, line.encode())
        return RecordedResponse(
            at=datetime.fromisoformat(raw["at"]),
            provider=raw["provider"],
            purpose=raw["purpose"],
            status=raw["status"],
            body=_body(raw),
            headers=raw.get("headers", {}),
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ScenarioError(f"{where} is not a recorded response: {error!r}.") from None


def _body(raw: Mapping[str, Any]) -> bytes:
    if "body_base64" in raw:
        return base64.b64decode(raw["body_base64"], validate=True)
    body = raw.get("body", "")
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()
