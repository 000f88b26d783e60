"""Where raw settings come from (TOML, environment, *_FILE), and how faults in them are told without secrets."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

_SECRET_TABLES = ("headers", "credentials")


@dataclass
class RawSettings:
    """Values as written, where each came from, and the faults found on the way."""

    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_toml(path: Path, raw: RawSettings, secret_names: frozenset[str]) -> None:
    """Add what a TOML file sets; in it too `NAME_file` reads the secret NAME from a file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raw.faults.append(f"{path} is not valid TOML: {error}. Mend that line and start again.")
        return
    except OSError as error:
        raw.faults.append(f"{path} cannot be read: {error.strerror}.")
        return
    raw.values.update(_with_files(values, "", raw, secret_names))
    raw.origin.update(dict.fromkeys(raw.values, str(path)))


def _with_files(
    table: Mapping[str, Any], inside: str, raw: RawSettings, secret_names: frozenset[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.removesuffix("_file")
        if isinstance(value, Mapping):
            found[key] = _with_files(value, key, raw, secret_names)
        elif name != key and isinstance(value, str) and (name in secret_names or inside in _SECRET_TABLES):
            if name in table:
                raw.faults.append(f"{name} and {key} are both set. Keep one of them.")
            if (secret := _read_secret(key, value, raw)) is not None:
                found[name] = secret
        else:
            found[key] = value
    return found


def read_environment(
    environment: Mapping[str, str], prefix: str, known: frozenset[str], raw: RawSettings
) -> None:
    """Add what the environment sets over what is there; an empty variable counts as not set."""
    seen: set[str] = set()
    for variable, given in sorted(environment.items()):
        if not variable.startswith(prefix) or not given:
            continue
        key = variable.removeprefix(prefix).lower()
        from_file = key not in known and key.endswith("_file")
        key = key.removesuffix("_file") if from_file else key
        if key not in known:
            raw.faults.append(
                f"{variable} is not a setting. docs/settings.md lists them; providers, channels and watch "
                "belong in sitewatch.toml."
            )
            continue
        if key in seen:
            raw.faults.append(
                f"{prefix}{key.upper()} and {prefix}{key.upper()}_FILE are both set. Keep one of them."
            )
            continue
        seen.add(key)
        value = _read_secret(variable, given, raw) if from_file else given
        if value is not None:
            raw.values[key] = value
            raw.origin[key] = variable


def _read_secret(name: str, path: str, raw: RawSettings) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raw.faults.append(f"{name} names the file {path}, which cannot be read: {why}.")
        return None


def explain(errors: Sequence[ErrorDetails], origin: Mapping[str, str]) -> list[str]:
    """One sentence for each fault that validation found; a value is shown only where it cannot be a secret."""
    return [_explain(error, origin) for error in errors]


def _explain(error: ErrorDetails, origin: Mapping[str, str]) -> str:
    location = error["loc"]
    key = ".".join(str(part) for part in location)
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        what = "is not a setting"
    what = what[:1].lower() + what[1:]
    if not location:
        return f"{what}."
    shown = f" (got {error['input']!r})" if _may_show(error) else ""
    where = origin.get(str(location[0]), "the settings")
    return f"{key} in {where}: {what}{shown}."


_SECRET_WORDS = ("url", "token", "password", "headers", "credentials", "secret", "key", "options")
_LONGEST_SHOWN = 80


def _may_show(error: ErrorDetails) -> bool:
    value, location = error["input"], [str(part) for part in error["loc"]]
    if error["type"] in {"missing", "extra_forbidden"} or not isinstance(value, str | int | float):
        return False
    if location == ["public_url"]:
        return True
    # Two parts name a table like [channels.ops]: what stands there could be anything.
    whole_table = location[0] in {"providers", "channels"} and len(location) <= 2  # noqa: PLR2004
    secret = any(word in part for part in location for word in _SECRET_WORDS)
    return not whole_table and not secret and len(str(value)) <= _LONGEST_SHOWN
