"""What `[channels.NAME]` and `[[routes]]` may say: each kind of channel, when it is told, and which alerts go where."""

import ipaddress
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from alerts.routing import EVERY_DAY, ChannelPolicy, Matcher, Route
from alerts.speech import ENGLISH_NAME, language_names
from monitor.config.values import http_url

_SHORTEST_SECRET = 16
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class StrictModel(BaseModel):
    """Settings of one table: nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _secret_http_url(value: SecretStr) -> SecretStr:
    http_url(value.get_secret_value())
    return value


SecretUrl = Annotated[SecretStr, AfterValidator(_secret_http_url)]
"""A secret that is an http or https URL."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class TellingSettings(StrictModel):
    """What every channel may set: when it is told, and how much at once."""

    timezone: str = "UTC"
    quiet_hours: str | None = None
    working_days: tuple[str, ...] = DAYS
    urgent_at_once: bool = True
    at_most_an_hour: int | None = Field(default=None, ge=1)
    repeat_hours: float | None = Field(default=None, ge=0.25, le=24 * 30)
    daily_at: str | None = None
    one_by_one: bool = True
    notices: bool = True
    language: str = ENGLISH_NAME

    @field_validator("language")
    @classmethod
    def _spoken(cls, value: str) -> str:
        if value not in language_names():
            raise ValueError(f"must be one of {', '.join(language_names())}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone; write one such as Europe/Berlin") from None
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _two_times(cls, value: str | None) -> str | None:
        if value is not None:
            quiet_times(value)
        return value

    @field_validator("daily_at")
    @classmethod
    def _one_time(cls, value: str | None) -> str | None:
        if value is not None:
            time_of_day(value)
        return value

    @field_validator("working_days")
    @classmethod
    def _known_days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [each for each in value if each not in DAYS]
        if unknown or not value:
            raise ValueError(f"must name some of {', '.join(DAYS)}")
        return value

    @model_validator(mode="after")
    def _has_a_digest(self) -> Self:
        if not self.one_by_one and self.daily_at is None:
            raise ValueError(
                'one_by_one = false needs daily_at, such as "07:30": the time of the one message a day'
            )
        return self

    @property
    def policy(self) -> ChannelPolicy:
        """The same for the outbox."""
        return ChannelPolicy(
            zone=ZoneInfo(self.timezone),
            quiet=quiet_times(self.quiet_hours) if self.quiet_hours else None,
            working_days=EVERY_DAY & {DAYS.index(each) for each in self.working_days},
            urgent_at_once=self.urgent_at_once,
            at_most_an_hour=self.at_most_an_hour,
            repeat=timedelta(hours=self.repeat_hours) if self.repeat_hours else None,
            daily_at=time_of_day(self.daily_at) if self.daily_at else None,
            one_by_one=self.one_by_one,
            notices=self.notices,
            language=self.language,
        )


def time_of_day(text: str) -> time:
    """Read `HH:MM`; raises ValueError."""
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        raise ValueError("must be a time of day such as 07:30")
    try:
        return time(int(hours), int(minutes))
    except ValueError:
        raise ValueError("must be a time of day from 00:00 to 23:59") from None


def quiet_times(text: str) -> tuple[time, time]:
    """Read `HH:MM-HH:MM`; raises ValueError."""
    start, dash, end = text.replace("–", "-").partition("-")
    if not dash:
        raise ValueError("must be two times of day such as 22:00-07:00")
    times = time_of_day(start), time_of_day(end)
    if times[0] == times[1]:
        raise ValueError("must begin and end at different times; to be told nothing, leave the channel out")
    return times


class ServerSettings(TellingSettings):
    """What every channel may set that speaks to a server."""

    ca_file: Path | None = None


class SlackSettings(ServerSettings):
    """`[channels.NAME] kind = "slack"`: an incoming webhook."""

    kind: Literal["slack"]
    webhook_url: SecretUrl


class SlackBotSettings(ServerSettings):
    """`[channels.NAME] kind = "slack_bot"`: an app with a bot token, which can amend what it said."""

    kind: Literal["slack_bot"]
    token: SecretStr
    channel: str = Field(min_length=1)
    buttons: bool = True
    api_url: str = "https://slack.com/api"

    @field_validator("api_url")
    @classmethod
    def _http_only(cls, value: str) -> str:
        return http_url(value) or value


class WebhookSettings(ServerSettings):
    """`[channels.NAME] kind = "webhook"`: JSON to a server of yours, signed."""

    kind: Literal["webhook"]
    url: SecretUrl
    secret: SecretStr

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value) < _SHORTEST_SECRET:
            raise ValueError(f"must have at least {_SHORTEST_SECRET} characters")
        return value


class MattermostSettings(ServerSettings):
    """`[channels.NAME] kind = "mattermost"`: an incoming webhook of Mattermost or Rocket.Chat."""

    kind: Literal["mattermost"]
    webhook_url: SecretUrl


class NtfySettings(ServerSettings):
    """`[channels.NAME] kind = "ntfy"`: a topic at an ntfy server."""

    kind: Literal["ntfy"]
    topic_url: SecretUrl
    token: SecretStr | None = None


class AppriseSettings(TellingSettings):
    """`[channels.NAME] kind = "apprise"`: whatever Apprise can reach, as text alone."""

    kind: Literal["apprise"]
    url: SecretStr


class EmailSettings(ServerSettings):
    """`[channels.NAME] kind = "email"`: an SMTP server; TLS is required unless `security` is "none" on loopback."""

    kind: Literal["email"]
    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str
    recipients: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(f'security "none" is only for this machine, not for {self.host}; use "starttls"')
        if (self.username is None) != (self.password is None):
            raise ValueError("a user name and a password belong together; set both or neither")
        return self


class LogSettings(TellingSettings):
    """`[channels.NAME] kind = "log"`: one log line a message."""

    kind: Literal["log"]


AnyChannelSettings = (
    SlackSettings
    | SlackBotSettings
    | WebhookSettings
    | MattermostSettings
    | NtfySettings
    | AppriseSettings
    | EmailSettings
    | LogSettings
)
ChannelSettings = Annotated[AnyChannelSettings, Field(discriminator="kind")]

_Words = tuple[str, ...]


class MatchSettings(StrictModel):
    """`match` of a route: one word or several for each property that is asked about."""

    site: _Words = ()
    kind: _Words = ()
    region: _Words = ()
    metric: _Words = ()
    aircraft_class: _Words = Field(default=(), alias="class")
    severity: _Words = ()
    publisher: _Words = ()

    @field_validator("*", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        found = (value,) if isinstance(value, str) else value
        if isinstance(found, list | tuple) and not found:
            raise ValueError("is empty, so nothing would match; leave it out to match everything")
        return found


class RouteSettings(StrictModel):
    """One `[[routes]]`: what matches goes to these channels, and no further unless `continue`."""

    name: str = ""
    match: MatchSettings = Field(default_factory=MatchSettings)
    channels: tuple[str, ...] = Field(min_length=1)
    go_on: bool = Field(default=False, alias="continue")

    @field_validator("channels", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def route(self, number: int) -> Route:
        """The same for the outbox; one without a name is called by its place."""
        match = Matcher(**{name: getattr(self.match, name) for name in type(self.match).model_fields})
        return Route(self.name or f"route {number}", self.channels, match, self.go_on)
