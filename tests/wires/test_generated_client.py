"""A client that openapi-python-client makes of our description, made anew each time, reads and writes by it.

It runs in an environment that has nothing of ours, as with whoever generates one.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from db.detections import insert_detections
from db.engine import reading, writing
from db.observations import looks
from db.records.detections import Detection
from tests.kit.browser_rig import serving
from tests.kit.builders import at
from tests.kit.real_servers import in_their_venv
from tests.kit.web_rig import NOW, TOKEN, rig, tell_story

SETTINGS = """
project_name_override: sitewatch-client
package_name_override: sitewatch_client
content_type_overrides:
  text/csv: application/octet-stream
post_hooks: []
"""
"""As docs/api.md has it."""
USER = """
import datetime, io, json, sys
from sitewatch_client import AuthenticatedClient, Client
from sitewatch_client.api.default import (
    acknowledge_alert, add_observations, add_silence, add_sites, alert_list, detections, lift_silences, observations,
    polls, silences, sites, status, totals, visits,
)
from sitewatch_client.models import (
    AcknowledgeWish, AddObservationsJsonCountsSent, AddObservationsJsonCountFeatures, SilenceWish, TotalsBy,
)
from sitewatch_client.types import File

address, token = sys.argv[1:]
client, stranger = AuthenticatedClient(address, token), Client(address)
found = {}
found["sites"] = [each.id for each in sites.sync(client=client).items]
pages, cursor = [], None
while True:
    page = observations.sync(client=client, site="busy-port", metric="containers", limit=2, cursor=cursor)
    pages.append([each.value for each in page.items])
    cursor = page.next_
    if cursor is None:
        break
found["pages"] = pages
(visit,) = visits.sync(client=client).items
found["visit"] = [visit.visit_id, visit.state.value, visit.arrived_at.isoformat(), visit.departed_at, visit.subjects]
alarms = alert_list.sync(client=client).items
found["alert"] = [alarms[0].id, alarms[0].status.value, alarms[0].headline]
found["peaks"] = [each.value for each in totals.sync(client=client, by=TotalsBy.YEAR, site="busy-port", metric="containers").items]
found["trucks"] = [each.amount for each in detections.sync(client=client).items]
found["parts"] = [each.part for each in status.sync(client=client).items]
found["polls"] = len(polls.sync(client=client, alert=alarms[0].id).items)

counts = {"observations": [{"site_id": "busy-port", "start": "2023-10-01", "metric": "containers", "value": 7, "note": "No address is known.", "publisher": "Desk"}]}
sent = add_observations.sync(client=client, body=AddObservationsJsonCountsSent.from_dict(counts), idempotency_key="a")
again = add_observations.sync(client=client, body=AddObservationsJsonCountsSent.from_dict(counts), idempotency_key="b")
found["sent"] = [sent.stored, again.stored, again.unchanged]
rows = b"site_id,start,metric,value,publisher,note\\nbusy-port,2023-10-02,containers,8,Desk,No address is known.\\n"
found["csv"] = add_observations.sync(client=client, body=File(io.BytesIO(rows))).stored
spot = {"type": "Point", "coordinates": [18.955, 69.648]}
shown = {"site_id": "busy-port", "start": "2023-10-03", "metric": "containers", "value": 9, "publisher": "Desk", "note": "No address is known."}
features = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": spot, "properties": shown}]}
found["features"] = add_observations.sync(client=client, body=AddObservationsJsonCountFeatures.from_dict(features)).stored
bad = add_observations.sync(client=client, body=AddObservationsJsonCountsSent.from_dict({"observations": [{**shown, "metric": "x y"}]}))
found["faults"] = [each.field for each in bad.faults]
found["site"] = add_sites.sync(client=client, at="59.65, 17.92", id="arlanda", name="Arlanda", kind="airport", radius=3000.0).added
found["seen"] = acknowledge_alert.sync(alarms[0].id, client=client, body=AcknowledgeWish(by="Reader")).acknowledged_by
quiet = add_silence.sync(client=client, body=SilenceWish(site="busy-port", hours=2.0))
found["quiet"] = [quiet.site_id, len(silences.sync(client=client).items), lift_silences.sync(client=client, site="busy-port").lifted]
refused = visits.sync_detailed(client=stranger)
found["refused"] = [int(refused.status_code), refused.parsed.error]
wrong = visits.sync_detailed(client=client, since="soon")
found["wrong"] = [int(wrong.status_code), wrong.parsed.error]
json.dump(found, sys.stdout)
"""


def generated(description: dict[str, Any], folder: Path) -> None:
    """Have the client made, and not a word of warning."""
    document, settings = folder / "openapi.json", folder / "settings.yml"
    document.write_text(json.dumps(description))
    settings.write_text(SETTINGS)
    made = subprocess.run(
        [
            *(in_their_venv("openapi-python-client"), "generate", "--path", document, "--config", settings),
            *("--meta", "none", "--output-path", folder / "sitewatch_client", "--fail-on-warning"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "arning" not in made.stdout


def used(folder: Path, address: str) -> dict[str, Any]:
    """What a program finds that knows nothing of us but the generated client."""
    (folder / "user.py").write_text(USER)
    ran = subprocess.run(
        [in_their_venv("python"), folder / "user.py", address, TOKEN],
        env={"NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_a_generated_client_reads_and_writes(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, token=TOKEN) as made:
        tell_story(made.app)
        seen = at("2023-10-05T10:00")
        truck = Detection(
            "desk", "busy-port", "vehicles", "a", "truck", seen, 69.65, 18.96, "p", seen, NOW, "minute", NOW, amount=4
        )  # fmt: skip
        with writing(sqlite_engine) as connection:
            insert_detections(connection, [truck])
        described = made.client.get("/api/v1/openapi.json", headers={"authorization": f"Bearer {TOKEN}"})
        generated(described.json(), tmp_path)
        with serving(made.page) as address:
            found = used(tmp_path, address)
        with reading(sqlite_engine) as connection:
            counted = [each.value for each in looks(connection, site_id="busy-port", metric="containers")]
    assert "quiet-field" in found["sites"]
    assert found["pages"] == [[3, 5], [8, 73], [None]]
    assert found["visit"] == [
        "quiet-field:15521f:1", "presumed", "2023-07-31T05:00:00+00:00", None, ["class:vip_military"],
    ]  # fmt: skip
    assert found["alert"][1] == "open"
    assert found["alert"][2]
    assert found["peaks"] == [8, 73]
    assert found["trucks"] == [4]
    assert {"program", "outbox"} <= set(found["parts"])
    assert found["polls"] == 0
    assert (found["sent"], found["csv"], found["features"]) == ([1, 0, 1], 1, 1)
    assert found["faults"] == ["metric"]
    assert found["site"] == ["arlanda"]
    assert found["seen"] == "Reader"
    assert found["quiet"] == ["busy-port", 1, 1]
    assert found["refused"][0] == 401
    assert "Bearer" in found["refused"][1]
    assert found["wrong"][0] == 422
    assert found["wrong"][1].startswith("since:")
    assert {7, 8, 9} <= set(counted)


def test_one_is_made_of_the_collections_too(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Their description is OpenAPI 3.0, for which more generators exist."""
    with rig(sqlite_engine, tmp_path) as made:
        described = made.client.get("/ogc/api").json()
    assert described["openapi"].startswith("3.0.")
    generated(described, tmp_path)
    assert (tmp_path / "sitewatch_client" / "api" / "default" / "visits_items.py").exists()
