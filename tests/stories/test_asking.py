"""The seven questions of docs/asking.md: command, address and page answer them alike, as the page of the docs says."""

import json
from collections.abc import Iterator

import pytest

from tests.kit.asked_questions import QUESTIONS, Question, address, answered, document, replayed
from tests.kit.program import ROOT
from tests.kit.web_rig import Browser

pytestmark = [pytest.mark.long, pytest.mark.untraced]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Browser]]:
    """The database of the demo, and its page."""
    url = f"sqlite:///{tmp_path_factory.mktemp('asked') / 'asked.db'}"
    with replayed(url) as browser:
        yield url, browser


@pytest.fixture
def browser(demo: tuple[str, Browser], monkeypatch: pytest.MonkeyPatch) -> Browser:
    url, page = demo
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SITEWATCH_DATABASE_URL", url)
    return page


@pytest.mark.usefixtures("browser")
def test_the_answers_in_the_docs_are_those_that_the_demo_gives() -> None:
    written = (ROOT / "docs" / "asking.md").read_text(encoding="utf-8")
    assert document() == written, "write it anew: python -m tests.kit.asked_questions > docs/asking.md"


def rows(html: str) -> int:
    return html[html.index("<tbody") : html.index("</tbody>")].count("<tr ")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.title)
def test_address_and_page_answer_what_the_command_does(browser: Browser, question: Question) -> None:
    answer = browser.get(f"{address(question, question.api)}{'&' if question.query else '?'}format=geojson")
    assert answer.status_code == 200
    items = answer.json()["features"]
    page = browser.get(address(question, question.page))
    assert page.status_code == 200
    assert rows(page.text) == min(len(items), 50) > 0
    command = answered(question)
    if "geojson" in question.command:
        looks = [each for each in json.loads(command)["features"] if each["properties"]["record"] == "look"]
        assert len(looks) == len(items)
    else:
        # Of each item there is something that the command says too.
        told = [_mark(each["properties"]) for each in items]
        assert all(mark in command for mark in told), [mark for mark in told if mark not in command]


def _mark(item: dict[str, str]) -> str:
    return item.get("registration") or item.get("period") or item.get("headline") or item["publisher"]
