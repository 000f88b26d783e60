"""The API against its own description: whatever is asked, the answer is one that the description promises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi import checks
from sqlalchemy import Engine

from tests.kit.web_rig import Rig, rig, tell_story

pytestmark = [pytest.mark.long, pytest.mark.untraced]

# Not among them: “accepts whatever the schema allows”. Which times, cursors and sites exist is more than JSON Schema
# can say, and those that do not are refused with a sentence.
CHECKS: list[CheckFunction] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    schemathesis.checks.not_a_server_error,
]


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        yield made


LISTS = ("sites", "observations", "visits", "alerts", "detections", "aircraft", "polls", "status", "totals")


def test_every_route_of_the_api_is_asked(told: Rig) -> None:
    written = {"/api/v1/alerts/{alert_id}/acknowledge", "/api/v1/silences"}  # in test_writing.py
    assert set(told.page.openapi()["paths"]) == {f"/api/v1/{name}" for name in LISTS} | written


@pytest.mark.parametrize("name", LISTS)
def test_every_answer_is_one_that_the_description_promises(told: Rig, name: str) -> None:
    schema = schemathesis.openapi.from_dict(told.page.openapi())
    operation = schema[f"/api/v1/{name}"]["GET"]

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: "schemathesis.Case[Any]") -> None:
        response = told.client.request("GET", case.formatted_path, params=case.query or {})
        case.validate_response(response, checks=CHECKS)

    ask()


@pytest.fixture
def collected(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as made:
        tell_story(made.app)
        yield made


def test_every_collection_answers_as_its_own_description_promises(collected: Rig) -> None:
    """That of `/ogc` is written by hand, in OpenAPI 3.0."""
    schema = schemathesis.openapi.from_dict(collected.client.get("/ogc/api").json())
    for name in ("sites", "observations", "visits", "alerts", "detections"):
        operation = schema[f"/collections/{name}/items"]["GET"]

        @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: "schemathesis.Case[Any]") -> None:
            response = collected.client.request("GET", f"/ogc{case.formatted_path}", params=case.query or {})
            case.validate_response(response, checks=CHECKS)

        ask()
