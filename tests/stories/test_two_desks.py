"""A newsroom as it is told in the docs: railheads to one Slack channel, all else to a mail a day, from one settings file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kit.cast import write_cast
from tests.kit.fakes.slack_api import CHANNEL, TOKEN, SlackApi
from tests.kit.fakes.smtp import FakeSmtp
from tests.kit.program import run

pytestmark = [pytest.mark.long, pytest.mark.untraced]

SETTINGS = """
allowed_networks = ["127.0.0.0/8"]
log_channel = false
[providers."adsb.lol"]
enabled = false
[providers.earth-search]
enabled = false
[channels.rail]
kind = "slack_bot"
token = "{token}"
channel = "{channel}"
api_url = "{slack}"
[channels.morning]
kind = "email"
host = "127.0.0.1"
port = {smtp}
security = "none"
sender = "watch@example.org"
recipients = ["desk@example.org"]
timezone = "Europe/Berlin"
daily_at = "{daily_at}"
one_by_one = false
urgent_at_once = false
[[routes]]
name = "containers"
match = {{ metric = "containers" }}
channels = "rail"
[[routes]]
name = "the rest"
channels = "morning"
"""


def rows(today: datetime) -> str:
    """A year of quiet counts of two sorts, and yesterday's surge in both."""
    lines = ["site_id,start,metric,value,published,publisher"]
    for metric in ("containers", "ship_calls"):
        for number in range(40, -1, -1):
            day = today - timedelta(days=2 + 3 * number)
            known = day + timedelta(days=1)
            value = 3 + number % 3 if number else 73
            lines.append(f"busy-port,{day:%Y-%m-%d},{metric},{value},{known:%Y-%m-%d},Harbour Watch")
    return "\n".join(lines) + "\n"


def test_each_desk_gets_its_own_and_it_is_said_why(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    write_cast(tmp_path)
    (tmp_path / "counts.csv").write_text(rows(now), encoding="utf-8")
    api = SlackApi()
    with api.desk, FakeSmtp() as mail:
        values = {"token": TOKEN, "channel": CHANNEL, "slack": api.root, "smtp": mail.port}
        # Due in about twelve hours, whenever this runs.
        later = f"{(now + timedelta(hours=13)):%H}:00"
        (tmp_path / "sitewatch.toml").write_text(SETTINGS.format(**values, daily_at=later), encoding="utf-8")
        imported = run(tmp_path, "observations", "import", "counts.csv")
        assert imported.returncode == 0, imported.stdout + imported.stderr
        first = run(tmp_path, "run", "--once")
        assert first.returncode == 0, first.stdout + first.stderr
        assert len(api.top) == 1
        assert mail.accepted == []
        again = run(tmp_path, "run", "--once")
        assert again.returncode == 0
        assert len(api.messages) == 1
        listed = json.loads(run(tmp_path, "alerts", "list", "--json").stdout)["items"]
        told = {
            each["metric"]: {
                item["channel"]: item
                for item in json.loads(run(tmp_path, "alerts", "explain", each["id"], "--json").stdout)[
                    "items"
                ]
            }
            for each in listed
        }
    assert told["containers"]["rail"]["state"] == "sent"
    assert "comes after “containers”" in told["containers"]["morning"]["words"]
    assert told["ship_calls"]["morning"]["state"] == "gathered"
    assert "daily digest, due at" in told["ship_calls"]["morning"]["words"]
    assert "“containers” wants metric containers" in told["ship_calls"]["rail"]["words"]
