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
from typing import Any, Literal, TextIO

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from monitor.config.settings import ProviderSettings
from monitor.errors import InputError

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


class Recording(_Strict):
    """A file of responses: `lines` wraps each one (DESIGN §7), `bodies` has one bare readsb answer a line."""

    file: Path
    format: Literal["lines", "bodies"] = "lines"
    provider: str = ""
    purpose: Literal["data", "canary", "token", "page"] = "data"


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
    observations: tuple[Path, ...] = ()
    recordings: tuple[Recording, ...] = ()
    channels: tuple[str, ...] = ("log",)
    providers: dict[str, ScenarioProvider] = Field(default_factory=dict)
    lapse_after_days: float = 90
    notes: str = ""


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
    return scenario.model_copy(
        update={
            "sites": folder / scenario.sites,
            "observations": tuple(folder / each for each in scenario.observations),
            "recordings": tuple(
                each.model_copy(update={"file": folder / each.file}) for each in scenario.recordings
            ),
        }
    )


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
