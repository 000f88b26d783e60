"""Settings, read once and strictly: SITEWATCH_* over sitewatch.toml over defaults. The only reader of the environment."""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from alerts.baselines.budget import DEFAULT_BUDGET
from alerts.metrics import read_declarations
from monitor.config.channels import (
    AnyChannelSettings,
    ChannelSettings,
    EmailSettings,
    RouteSettings,
    StrictModel,
    is_loopback,
)
from monitor.config.secrets import secret_forms
from monitor.config.sources import RawSettings, explain, read_environment, read_toml
from monitor.config.values import http_url, is_database_url, severities, without_false
from monitor.errors import InputError

ENVIRONMENT_PREFIX = "SITEWATCH_"
CONFIG_VARIABLE = f"{ENVIRONMENT_PREFIX}CONFIG"
SETTING_TABLES = ("providers", "channels", "routes", "watch", "metrics")
"""What only sitewatch.toml can hold."""


class SettingsError(InputError):
    """The settings cannot be used; the text names every key at fault and its value, never a secret's."""


class ProviderSettings(StrictModel):
    """What `[providers.NAME]` may set; anything left out keeps the provider's own default."""

    kind: str | None = None
    enabled: bool | None = None
    base_url: str | None = None
    interval_s: int | None = Field(default=None, ge=1)
    licence: str | None = None
    attribution: str | None = None
    redistribute: bool | None = None
    ca_file: Path | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    credentials: dict[str, SecretStr] = Field(default_factory=dict)
    options: dict[str, str] = Field(default_factory=dict)

    @field_validator("base_url")
    @classmethod
    def _http_only(cls, value: str | None) -> str | None:
        http_url(value)
        return value


class Settings(StrictModel):
    """Every setting with its default; docs/settings.md describes each."""

    database_url: SecretStr = SecretStr("sqlite:///var/sitewatch.db")
    sites_file: Path = Path("sites.geojson")
    history_file: Path = Path("history/published.csv")
    classes_file: Path | None = None
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    api_token: SecretStr | None = None
    public_page: bool = False
    public_delay_hours: float = Field(default=48, ge=0, le=24 * 366)
    contact: str = ""
    log_format: Literal["auto", "console", "json"] = "auto"
    allowed_networks: tuple[str, ...] = ()
    ca_file: Path | None = None
    lease_s: float = Field(default=15, ge=1, le=600)
    too_old_to_send_days: float = Field(default=7, gt=0)
    lapse_after_days: float = Field(default=90, gt=0)
    blind_after_hours: float = Field(default=6, ge=1)
    weekly_digest: bool = True
    deadman_url: SecretStr | None = None
    false_alarms_per_site_year: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: dict(DEFAULT_BUDGET)
    )
    keep_identities_hours: float = Field(default=48, gt=0)
    keep_payloads_days: float = Field(default=14, gt=0)
    keep_records_days: float = Field(default=400, ge=31)
    keep_verdicts_days: float = Field(default=1_100, ge=400)
    orbit_files: tuple[Path, ...] = ()
    imagery_mb_a_day: int = Field(default=2_000, ge=0)
    tell_clear_pictures: tuple[str, ...] = ()
    max_attempts: int = Field(default=12, ge=1)
    slack_webhook_url: SecretStr | None = None
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    email_from: str | None = None
    email_to: tuple[str, ...] = ()
    log_channel: bool = True
    providers: dict[str, ProviderSettings] = Field(default_factory=dict)
    channels: dict[str, ChannelSettings] = Field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()
    watch: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("public_url")
    @classmethod
    def _http_only(cls, value: str | None) -> str | None:
        return http_url(value)

    @field_validator("slack_webhook_url", "deadman_url")
    @classmethod
    def _secret_http_only(cls, value: SecretStr | None) -> SecretStr | None:
        http_url(value.get_secret_value() if value else None)
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        if not is_database_url(value.get_secret_value()):
            raise ValueError("must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME")
        return value

    @field_validator("false_alarms_per_site_year", mode="before")
    @classmethod
    def _every_severity(cls, value: Any) -> Any:
        return severities(value)

    @field_validator("watch", mode="before")
    @classmethod
    def _switched_off(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {kind: without_false(layer) for kind, layer in value.items()}

    @field_validator("metrics")
    @classmethod
    def _known_words(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        read_declarations(value)
        return value

    @field_validator("api_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value) < _SHORTEST_TOKEN:
            raise ValueError(f"must have at least {_SHORTEST_TOKEN} characters")
        return value

    @field_validator("email_to", "allowed_networks", "tell_clear_pictures", "orbit_files", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not is_loopback(self.host) and self.api_token is None:
            raise ValueError(
                f"host {self.host} can be reached from other machines, so the page needs a token. Set "
                "SITEWATCH_API_TOKEN (or SITEWATCH_API_TOKEN_FILE), or keep the host 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _whole_email(self) -> Self:
        parts = {"smtp_host": self.smtp_host, "email_from": self.email_from, "email_to": self.email_to}
        missing = [name for name, value in parts.items() if not value]
        if missing and len(missing) < len(parts):
            raise ValueError(
                f"email needs smtp_host, email_from and email_to; {' and '.join(missing)} must still be set"
            )
        if not missing:
            self.email_channel()
        return self

    def email_channel(self) -> EmailSettings | None:
        """The channel `email` from the smtp_* and email_* settings; None while they are not set."""
        if not self.smtp_host or not self.email_from:
            return None
        return EmailSettings(
            kind="email",
            host=self.smtp_host,
            port=self.smtp_port,
            security=self.smtp_security,
            username=self.smtp_username,
            password=self.smtp_password,
            sender=self.email_from,
            recipients=self.email_to,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret text in force and the forms in which it may turn up, longest first, for redaction."""
        return secret_forms(_secrets(self))


_SHORTEST_TOKEN = 16
_SECRET_NAMES = frozenset(
    name
    for model in (Settings, *get_args(AnyChannelSettings))
    for name, info in model.model_fields.items()
    if SecretStr in (info.annotation, *get_args(info.annotation))
)
_SCALARS = frozenset(Settings.model_fields) - set(SETTING_TABLES)


def load_settings(
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
    typed: Mapping[str, object] | None = None,
) -> Settings:
    """Read the settings or raise SettingsError that names every bad or unknown key at once.

    What was `typed` as options of a command, by the names of settings, stands over all else; None is not typed.
    """
    environment = os.environ if environment is None else environment  # noqa: TID251 - this is the one place
    raw = RawSettings()
    if path := _config_path(environment, config, raw):
        read_toml(path, raw, _SECRET_NAMES)
    named = {name: value for name, value in environment.items() if name != CONFIG_VARIABLE}
    read_environment(named, ENVIRONMENT_PREFIX, _SCALARS, raw)
    said = {name: value for name, value in (typed or {}).items() if value is not None}
    raw.values.update(said)
    raw.origin.update({name: f"--{name}" for name in said})
    settings = None
    try:
        settings = Settings.model_validate(raw.values)
    except ValidationError as error:
        raw.faults += explain(error.errors(include_url=False, include_context=False), raw.origin)
    if raw.faults or settings is None:
        faults = "\n  ".join(raw.faults)
        raise SettingsError(
            f"The settings cannot be used:\n  {faults}\ndocs/settings.md describes each setting."
        )
    return settings


def _config_path(environment: Mapping[str, str], config: Path | None, raw: RawSettings) -> Path | None:
    asked = str(config) if config else environment.get(CONFIG_VARIABLE)
    path = Path(asked or "sitewatch.toml")
    if path.exists():
        return path
    if asked:
        raw.faults.append(f"The settings file {path} does not exist. Make it, or unset {CONFIG_VARIABLE}.")
    return None


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)
