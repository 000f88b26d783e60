"""From a question to its answer in a real browser: typed, narrowed down, sorted, shared and taken along; by script and without."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from db.engine import open_engine, writing
from db.flights import record_visits
from db.migrate import migrate
from tests.kit.browser_rig import PHONE, Served, reader, serious, serving
from tests.kit.web_rig import rig, tell_story
from tests.web.test_asking import PRIVATE, stay

pytestmark = [pytest.mark.enable_socket, pytest.mark.long]
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("asking")
    engine = open_engine(f"sqlite:///{folder / 'page.db'}")
    migrate(engine)
    with rig(engine, folder) as made:
        tell_story(made.app)
        with writing(engine) as connection:
            record_visits(connection, [*(stay(number) for number in range(3)), stay(9, **PRIVATE)])
        with serving(made.page) as address:
            yield Served(made, address)
    engine.dispose()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_a_question_becomes_an_address_that_answers_it_again(
    served: Served, browser: Browser, scripts: bool
) -> None:
    with reader(served, browser, java_script_enabled=scripts) as page:
        page.goto(f"{served.address}/visits")
        page.get_by_label("Search").fill("Il-62M")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/visits?type=Il-62M")
        assert page.locator("tbody tr").count() == 4
        page.get_by_role("navigation", name="Narrow down").get_by_role("link", name="Donut Base").click()
        page.wait_for_url("**/visits?type=Il-62M&site=donut-base")
        page.get_by_role("link", name="Began").click()
        page.wait_for_url("**&sort=when")
        shared, told = page.url, page.locator("tbody tr").all_inner_texts()
        with page.expect_download() as taken:
            page.get_by_role("link", name="Excel", exact=True).click()
        assert taken.value.suggested_filename == "sitewatch-visits.xlsx"
    with reader(served, browser) as page:
        page.goto(shared)
        assert page.locator("tbody tr").all_inner_texts() == told
        assert len(told) == 3


@pytest.mark.parametrize("path", ["/visits", "/observations", "/observations?metric=containers&by=month"])
def test_everybody_can_read_it_also_on_a_phone(served: Served, browser: Browser, path: str) -> None:
    with reader(served, browser, bypass_csp=True) as page:
        page.goto(served.address + path)
        assert serious(page) == []
        page.set_viewport_size(PHONE)
        assert serious(page) == []
        assert page.evaluate(WIDTH) <= PHONE["width"]
