"""The API by which programs bring things in: who may, all or nothing, and sent twice is done once."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from db.alerts import alerts
from db.api_requests import begin_request
from db.engine import reading, sole_importer, writing
from db.observations import looks
from db.schema import api_request, token
from db.silences import silences
from db.tokens import TokenScope, issue_token, named_tokens, revoke_token
from monitor.web.security import FREE_ATTEMPTS
from tests.kit.web_rig import NOW, TOKEN, Rig, rig, tell_story
from tests.web.test_schema import CHECKS

ROW: dict[str, Any] = {"site_id": "busy-port", "start": "2023-09-07", "metric": "vehicles", "value": 3}
KML = b"""<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>New Yard</name><Polygon>
<outerBoundaryIs><LinearRing><coordinates>10,55 10.02,55 10.02,55.01 10,55</coordinates></LinearRing></outerBoundaryIs>
</Polygon></Placemark></Document></kml>"""


@pytest.fixture
def made(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as page:
        yield page


@pytest.fixture
def light(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as page:
        yield page


def issued(made: Rig, scope: TokenScope, name: str = "", days: float = 30) -> str:
    with writing(made.app.engine) as connection:
        return issue_token(connection, name or f"our-{scope}", scope, NOW, NOW + timedelta(days=days))


def send(made: Rig, method: str, path: str, bearer: str | None, **options: Any) -> httpx.Response:
    headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
    return made.client.request(method, f"/api/v1/{path}", headers=headers, **options)


def counts(made: Rig, metric: str = "vehicles") -> list[float | None]:
    with reading(made.app.engine) as connection:
        return [each.value for each in looks(connection, site_id="busy-port", metric=metric)]


# --- who may ----------------------------------------------------------------------------------------

WRITES = [
    ("POST", "observations", "write"),
    ("POST", "sites?airport=EKBI", "admin"),
    ("POST", "alerts/x/acknowledge", "write"),
    ("POST", "silences", "write"),
    ("DELETE", "silences?site=busy-port", "write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), WRITES)
def test_each_writing_route_needs_a_token_with_its_scope(
    light: Rig, method: str, path: str, scope: str
) -> None:
    without = send(light, method, path, None)
    assert without.status_code == 401
    assert f"sitewatch tokens add NAME --scope {scope}" in without.json()["error"]
    assert without.headers["www-authenticate"] == "Bearer"
    weaker: TokenScope = "read" if scope == "write" else "write"
    refused = send(light, method, path, issued(light, weaker))
    assert refused.status_code == 403
    assert f"this needs the scope {scope}" in refused.json()["error"]
    assert send(light, method, path, issued(light, "admin")).status_code not in {401, 403}


def test_the_token_of_the_settings_may_do_everything(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, token=TOKEN) as made:
        assert send(made, "POST", "observations", TOKEN, json={"observations": [ROW]}).status_code == 200
        assert send(made, "POST", "observations", None, json={"observations": [ROW]}).status_code == 401
        reader = issued(made, "read")
        assert send(made, "GET", "sites", reader).status_code == 200
        assert (
            made.client.request("GET", "/", headers={"Authorization": f"Bearer {reader}"}).status_code == 200
        )
        # A named token is for the API: the forms of the page are not its.
        form = {"features": "{}"}
        headers = {"Authorization": f"Bearer {issued(made, 'admin')}"}
        assert made.client.request("POST", "/add-site", headers=headers, data=form).status_code == 403


def test_a_named_token_cannot_use_the_forms_of_the_page_with_the_cookie_of_one(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    with rig(sqlite_engine, tmp_path, token=TOKEN) as made:
        for name in ("reader", "SITEWATCH_API_TOKEN"):
            headers = {"Authorization": f"Bearer {issued(made, 'read', name)}"}
            page = made.client.request("GET", "/add-site", headers=headers)
            form = re.search(r'name="form_token" value="([^"]+)"', page.text)
            assert page.status_code == 200
            assert form is not None
            data = {"features": "{}", "form_token": form[1]}
            refused = made.client.request("POST", "/add-site", headers=headers, data=data)
            assert refused.status_code == 403, name


@pytest.mark.parametrize("what", ["revoked", "over", "made up", "of another", "a session's", "cut short"])
def test_a_token_that_is_not_in_force_opens_nothing(sqlite_engine: Engine, tmp_path: Path, what: str) -> None:
    with rig(sqlite_engine, tmp_path, token=TOKEN) as made:
        text = issued(made, "admin", days=-1 if what == "over" else 30)
        other = issued(made, "admin", "other")
        with writing(made.app.engine) as connection:
            if what == "revoked":
                assert revoke_token(connection, "our-admin", NOW) == 1
            if what == "a session's":
                connection.execute(
                    token.insert().values(prefix="session:x", hash="", role="admin", created_at=NOW)
                )
        given_text = {
            "made up": f"{text[:12]}{'x' * 43}",
            "of another": text[:12] + other[12:],
            "a session's": "sw_session:x",
            "cut short": text[:-1],
        }.get(what, text)
        assert send(made, "GET", "sites", given_text).status_code == 401
        assert send(made, "POST", "observations", given_text, json={"observations": [ROW]}).status_code == 401
        assert counts(made) == []


def test_wrong_named_tokens_are_slowed_down_as_any(light: Rig) -> None:
    for _ in range(FREE_ATTEMPTS):
        assert send(light, "GET", "sites", "sw_aaaaaaaa_wrong").status_code == 401
    answer = send(light, "POST", "observations", issued(light, "admin"), json={"observations": [ROW]})
    assert answer.status_code == 429


def test_a_token_is_kept_as_a_hash_and_its_use_is_noted(light: Rig) -> None:
    text = issued(light, "write")
    with reading(light.app.engine) as connection:
        (row,) = connection.execute(token.select()).all()
        assert text not in str(row)
        assert text.split("_", 2)[2] not in str(row)
    send(light, "POST", "observations", text, json={"observations": [ROW]})
    with reading(light.app.engine) as connection:
        (known,) = named_tokens(connection)
    assert (known.name, known.scope, known.last_used_at) == ("our-write", "write", NOW)
    assert known.prefix in text


def test_a_page_elsewhere_cannot_write_through_a_browser(light: Rig) -> None:
    """Without a token nothing is written, whatever cookies and forms a browser sends along."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        sent = send(light, "POST", "observations", None, content=b"{}", headers={"Content-Type": kind})
        assert sent.status_code == 401


# --- counts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "geojson", "csv"])
def test_counts_come_in_as_json_geojson_and_csv(made: Rig, kind: str) -> None:
    feature = {"type": "Feature", "geometry": None, "properties": ROW}
    bodies: dict[str, tuple[str, bytes]] = {
        "json": ("application/json", json.dumps({"observations": [ROW]}).encode()),
        "geojson": (
            "application/geo+json",
            json.dumps({"type": "FeatureCollection", "features": [feature]}).encode(),
        ),
        "csv": ("text/csv; charset=utf-8", b"site_id,start,metric,value\nbusy-port,2023-09-07,vehicles,3\n"),
    }
    name, body = bodies[kind]
    writer = issued(made, "write")
    answer = send(made, "POST", "observations", writer, content=body, headers={"Content-Type": name})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "stored": 1, "revised": 0, "unchanged": 0, "declared": 0, "notes": 0, "notices": [], "zones": {"Europe/Oslo": 1},
    }  # fmt: skip
    again = send(made, "POST", "observations", writer, content=body, headers={"Content-Type": name})
    assert again.json()["unchanged"] == 1
    with reading(made.app.engine) as connection:
        (stored,) = looks(connection, site_id="busy-port", metric="vehicles")
    assert [each.ref for each in stored.evidence if each.kind == "import"] == ["the API, our-write"]


def test_all_counts_or_none_and_every_fault(made: Rig) -> None:
    rows = [ROW, {**ROW, "value": "many"}, {**ROW, "site_id": "bussy-port"}, {"start": "2023-09-07"}, 7]
    answer = send(made, "POST", "observations", issued(made, "write"), json={"observations": rows})
    assert answer.status_code == 422
    told = answer.json()
    assert told["error"].startswith("Nothing was imported: there are ")
    assert [(each["where"], each["field"]) for each in told["faults"]] == [
        ("row 2", "value"), ("row 3", "site_id"), ("row 4", "site_id"), ("row 4", "metric"), ("row 4", "value"), ("row 5", ""),
    ]  # fmt: skip
    assert 'Did you mean "busy-port"?' in told["faults"][1]["mend"]
    assert counts(made) == []


@pytest.mark.parametrize(
    ("kind", "body", "status", "words"),
    [
        ("text/html", b"x", 415, "application/json"),
        ("", b"{}", 415, "application/json"),
        ("application/json", b"", 422, "fault"),
        ("application/json", b"nonsense", 422, "fault"),
        ("application/json", b"[]", 422, "observations"),
        ("application/json", b'{"observations": {}}', 422, "fault"),
        ("application/json", b'{"observations": [], "dry": 1}', 422, "observations"),
        ("application/json", b"[" * 100_000, 422, "fault"),
        ("application/json", b'{"observations": [{"value": NaN}]}', 422, "fault"),
        ("application/json", b"\xff\xfe", 422, "fault"),
        ("text/csv", b"\xff\xfe", 422, "UTF-8"),
        ("text/csv", b"a,b\n", 422, "fault"),
        ("application/geo+json", b"{}", 422, "fault"),
        (
            "application/json",
            b'{"observations": [' + b" " * 8_000_001 + b"]}",
            413,
            "more than sitewatch takes",
        ),
    ],
)
def test_a_body_that_cannot_be_used_is_told(
    light: Rig, kind: str, body: bytes, status: int, words: str
) -> None:
    answer = send(
        light, "POST", "observations", issued(light, "write"), content=body, headers={"Content-Type": kind}
    )
    assert answer.status_code == status
    assert words in answer.text


def test_whose_days_they_are_can_be_said(light: Rig) -> None:
    writer = issued(light, "write")
    answer = send(light, "POST", "observations?zone=UTC", writer, json={"observations": [ROW]})
    assert answer.json()["zones"] == {"UTC": 1}
    wrong = send(light, "POST", "observations?zone=Mars", writer, json={"observations": [ROW]})
    assert wrong.status_code == 422
    assert "is not a time zone" in wrong.json()["error"]


def test_while_another_import_is_under_way_it_is_to_be_sent_again(made: Rig) -> None:
    writer = issued(made, "write")
    begun, over = threading.Event(), threading.Event()

    def importing() -> None:
        with sole_importer(made.app.engine, lambda: None):
            begun.set()
            over.wait(60)

    thread = threading.Thread(target=importing)
    thread.start()
    try:
        assert begun.wait(60)
        answer = send(made, "POST", "observations", writer, json={"observations": [ROW]})
    finally:
        over.set()
        thread.join()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert send(made, "POST", "observations", writer, json={"observations": [ROW]}).status_code == 200


# --- sent again -------------------------------------------------------------------------------------


def keyed(made: Rig, writer: str, key: str, value: float) -> httpx.Response:
    return send(
        made, "POST", "observations", writer, json={"observations": [{**ROW, "value": value}]},
        headers={"Idempotency-Key": key},
    )  # fmt: skip


def test_a_request_that_is_sent_again_is_answered_as_before(made: Rig) -> None:
    writer = issued(made, "write")
    first, again = keyed(made, writer, "a", 3), keyed(made, writer, "a", 3)
    assert first.json() == again.json()
    assert first.json()["stored"] == 1
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    other = keyed(made, writer, "a", 4)
    assert other.status_code == 422
    assert "came with another request before" in other.json()["error"]
    assert counts(made) == [3]
    # Another program has keys of its own.
    assert keyed(made, issued(made, "write", "second"), "a", 3).json()["unchanged"] == 1


def test_what_was_refused_may_come_again_under_the_same_key(made: Rig) -> None:
    writer = issued(made, "write")
    assert keyed(made, writer, "a", -1).status_code == 422
    assert keyed(made, writer, "a", 5).json()["stored"] == 1


def test_a_request_that_is_still_being_answered_is_not_begun_twice(made: Rig) -> None:
    writer = issued(made, "write")
    keyed(made, writer, "a", 3)
    with writing(made.app.engine) as connection:
        connection.execute(api_request.update().values(status=None, answer=None))
    waiting = keyed(made, writer, "a", 3)
    assert waiting.status_code == 409
    assert "retry-after" in waiting.headers
    # Whoever answered it was killed: after a while it may come again, and stores nothing twice.
    with writing(made.app.engine) as connection:
        connection.execute(api_request.update().values(created_at=NOW - timedelta(hours=1)))
    assert keyed(made, writer, "a", 3).json()["unchanged"] == 1


def test_answers_are_kept_for_a_week(made: Rig) -> None:
    keyed(made, issued(made, "write"), "a", 3)
    with writing(made.app.engine) as connection:
        assert begin_request(connection, "x", "b", "digest", NOW + timedelta(days=8)) is None
        assert connection.execute(api_request.select()).scalars("idempotency_key").all() == ["b"]


# --- sites ------------------------------------------------------------------------------------------


def test_sites_come_in_as_files_places_and_airports(light: Rig) -> None:
    admin = issued(light, "admin")
    answer = send(light, "POST", "sites?kind=railhead", admin, content=KML)
    assert (answer.status_code, answer.json()) == (201, {"added": ["new-yard"], "sites": 5, "notes": []})
    assert "new-yard" in light.app.sites
    placed = {"at": "55°30'N 10°30'E", "radius": "500", "name": "Pier", "kind": "port"}
    assert send(light, "POST", "sites", admin, params=placed).json()["added"] == ["pier"]
    assert send(light, "POST", "sites", admin, params={"airport": "EKBI"}).json()["added"] == ["dk-ekbi"]
    assert {each["id"] for each in send(light, "GET", "sites", admin).json()["items"]} >= {
        "new-yard",
        "pier",
        "dk-ekbi",
    }


@pytest.mark.parametrize(
    ("params", "body", "words"),
    [
        ({}, b"", "Say one thing to add"),
        ({"airport": "EKBI"}, KML, "Say one thing to add"),
        ({"airport": "QQQQ"}, b"", "no airport in the packaged table"),
        ({"at": "nowhere", "radius": "5"}, b"", "no place that is known"),
        ({"at": "55, 10"}, b"", "Say how far the site reaches"),
        ({"at": "13.4, 52.5", "radius": "800", "name": "B", "kind": "port"}, b"", "swapped"),
        ({}, KML, "It is missing"),
        ({"kind": "railhead", "id": "busy-port"}, KML, "there is a site with this id already"),
        ({}, b"\x89PNG", "a PNG picture"),
        ({"radius": "0"}, KML, "radius"),
        ({"colour": "red"}, KML, "no such parameter"),
    ],
)
def test_a_site_that_cannot_be_added_is_told(
    light: Rig, params: dict[str, str], body: bytes, words: str
) -> None:
    before = light.app.sites_file.path.read_bytes()
    answer = send(light, "POST", "sites", issued(light, "admin"), params=params, content=body)
    assert answer.status_code == 422
    assert words.lower() in answer.text.lower()
    assert light.app.sites_file.path.read_bytes() == before


# --- alerts -----------------------------------------------------------------------------------------


def test_an_alert_is_acknowledged_and_its_site_silenced(made: Rig) -> None:
    tell_story(made.app)
    writer = issued(made, "write")
    alert = alerts_of(made)[0]
    seen = send(made, "POST", f"alerts/{alert.id}/acknowledge", writer)
    assert (seen.status_code, seen.json()["acknowledged_by"]) == (200, "our-write")
    named = send(made, "POST", f"alerts/{alerts_of(made)[-1].id}/acknowledge", writer, json={"by": "Kim"})
    assert named.json()["acknowledged_by"] in {"Kim", "our-write"}
    assert send(made, "POST", "alerts/none/acknowledge", writer).status_code == 404
    wish = {"site": alert.site_id, "metric": alert.metric, "hours": 8, "reason": "known"}
    silenced = send(made, "POST", "silences", writer, json=wish)
    assert (silenced.status_code, silenced.json()["created_by"]) == (201, "our-write")
    with reading(made.app.engine) as connection:
        assert [(each.site_id, each.ends_at) for each in silences(connection, NOW)] == [
            (alert.site_id, NOW + timedelta(hours=8))
        ]
    assert send(made, "GET", "silences", writer).json()["items"] == [silenced.json()]
    assert send(made, "DELETE", f"silences?site={alert.site_id}", writer).json() == {"lifted": 1}


def alerts_of(made: Rig) -> list[Any]:
    with reading(made.app.engine) as connection:
        return alerts(connection)


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"site": "nowhere", "hours": 1}, 404),
        ({"site": "busy-port", "hours": 0}, 422),
        ({"site": "busy-port", "hours": 1, "metric": "boats"}, 422),
        ({"site": "busy-port", "hours": 1, "for": "ever"}, 422),
        ({"hours": 1}, 422),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(light: Rig, wish: dict[str, Any], status: int) -> None:
    answer = send(light, "POST", "silences", issued(light, "write"), json=wish)
    assert (answer.status_code, set(answer.json()) >= {"error"}) == (status, True)


# --- the description --------------------------------------------------------------------------------

OPERATIONS = [
    ("/api/v1/observations", "POST"),
    ("/api/v1/sites", "POST"),
    ("/api/v1/alerts/{alert_id}/acknowledge", "POST"),
    ("/api/v1/silences", "POST"),
    ("/api/v1/silences", "GET"),
    ("/api/v1/silences", "DELETE"),
]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_sent_the_answer_is_one_that_the_description_promises(
    light: Rig, path: str, method: str
) -> None:
    schema = schemathesis.openapi.from_dict(light.page.openapi())
    operation = schema[path][method]
    admin = issued(light, "admin")

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: "schemathesis.Case[Any]") -> None:
        options: dict[str, Any] = {"params": case.query or {}}
        headers = {"Authorization": f"Bearer {admin}"}
        if case.media_type:
            headers["Content-Type"] = case.media_type
        if isinstance(case.body, bytes | str):
            options["content"] = case.body
        elif isinstance(case.body, dict | list):
            options["content"] = json.dumps(case.body)
        if key := dict(case.headers or {}).get("Idempotency-Key"):
            headers["Idempotency-Key"] = key if key.isascii() and key.isprintable() else "k"
        response = light.client.request(method, case.formatted_path, headers=headers, **options)
        case.validate_response(response, checks=CHECKS)

    ask()
