"""The pages as somebody without scripts reads them, on both databases."""

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.alerts import alerts, update_alert
from db.cutouts import store_cutout, store_cutout_failure
from db.engine import reading, writing
from db.observations import record_observations
from db.polls import PollKey, PollResult, record_poll, start_poll
from db.provider_states import note_credits
from db.records import Alert, CoverageHour, SceneFailure
from db.schema import coverage_hour
from monitor import pipeline
from monitor.web.views.overview import OverviewReader
from tests.kit.builders import at, look
from tests.kit.web_rig import NOW, Rig, picture, rig, tell_story

ROOT = Path(__file__).resolve().parents[2]
NOW_2024 = at("2024-11-25T12:00")


@pytest.fixture
def told(engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(engine, tmp_path) as made:
        tell_story(made.app)
        yield made


@pytest.fixture
def empty(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Rig]:
    with rig(sqlite_engine, tmp_path) as made:
        yield made


def read(made: Rig, path: str) -> str:
    response = made.client.get(path)
    assert response.status_code == 200, response.text
    return re.sub(r"\s+", " ", response.text)


def words(html: str) -> str:
    """The page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def alert_about(made: Rig, site_id: str) -> Alert:
    with reading(made.app.engine) as connection:
        (found,) = alerts(connection, site_id=site_id)
    return found


def test_a_site_says_which_counts_can_be_judged_and_how_many_looks_are_lacking(told: Rig) -> None:
    text = words(read(told, "/sites/busy-port"))
    assert "What can be judged" in text
    assert "cannot be judged yet: needs 8 more usable looks" in text
    assert "cannot be judged yet: nobody has counted; needs 12 usable looks" in text


def test_the_first_page_says_what_was_counted_against_what_and_by_whom(told: Rig) -> None:
    text = words(read(told, "/"))
    assert "About 73 containers at Busy Port" in text
    assert "Published baseline: at most 20 containers" in text
    assert "according to Institute of Yards" in text
    assert "number of looks not published" in text
    assert "Harbour Watch" in text


def test_the_first_look_at_a_fresh_installation(sqlite_engine: Engine, tmp_path: Path) -> None:
    """Three cards, what is known with its citation, and verdicts about the past that nobody was sent."""
    sites, history = ROOT / "sites.geojson", ROOT / "history" / "published.csv"
    with rig(sqlite_engine, tmp_path, sites_file=sites, history_file=history) as made:
        pipeline.start(made.app, NOW_2024)
        pipeline.judge(made.app, NOW_2024)
        html = read(made, "/")
    cards = {
        found[1]: words(found[0])
        for found in re.finditer(r'<article class="card" id="site-([^"]+)".*?</article>', html)
    }
    assert cards.keys() == {"kp-sunan", "kp-tumangang", "ru-knevichi"}
    rail = cards["kp-tumangang"]
    for count in ("3", "5", "8", "about 73", "about 258"):
        assert re.search(rf"20\d\d-\d\d-\d\d (?:\d\d:\d\d UTC )?{count} ", rail), count
    assert (
        "Published baseline: at most 20 railcars , 2018-10-06 to 2023-09-17, according to CSIS Beyond Parallel"
        in rail
    )
    assert (
        "About 258 railcars on 2024-06-17: more than was ever counted here before, where the highest was the about 73 of"
        in rail
    )
    for card in cards.values():
        assert "not sent" in card
        assert "No picture yet" in card
        assert "Cannot tell yet when the next pass is due" in card


def test_the_first_page_says_what_silence_means(told: Rig) -> None:
    text = words(read(told, "/"))
    assert (
        "143 aircraft heard near Donut Base when it was last asked there, none near Quiet Field. No receiver hears this "
        "place: no coverage, not no flights." in text
    )
    assert "blind since" in text


def test_a_busy_place_elsewhere_shows_that_the_feed_works(told: Rig) -> None:
    feed = told.app.feeds["adsb.lol"]
    (busy,) = {feed.canary(scope) for scope in feed.scopes(list(told.app.sites.values()))}
    assert busy is not None
    with writing(told.app.engine) as connection:
        key = PollKey("adsb.lol", busy.key, 1, "canary")
        asked = start_poll(connection, key, 0, NOW - timedelta(minutes=5))
        assert asked is not None
        record_poll(connection, asked, PollResult("ok", item_count=181), interval_s=60, now=NOW)
    assert "181 aircraft heard near Incheon International Airport when it was last asked there" in words(
        read(told, "/")
    )


def test_a_place_where_aircraft_are_heard_today_is_not_called_unusual_for_a_count_of_long_ago(
    told: Rig,
) -> None:
    later = NOW + timedelta(days=400)
    hour = CoverageHour("adsb.lol", "quiet-field", later - timedelta(hours=1), 3600, 3600, False, 7)
    with writing(told.app.engine) as connection:
        connection.execute(coverage_hour.insert(), [asdict(hour)])
    pipeline.judge(told.app, later)
    with reading(told.app.engine) as connection:
        state = OverviewReader(connection, told.app, later).card(told.app.sites["quiet-field"]).state
    assert (state.code, state.words, state.blind) == ("unusual-blind", "Unusual when last counted", False)


def test_the_first_page_says_what_is_wrong_with_the_sites_file_until_it_is_mended(empty: Rig) -> None:
    file = empty.app.sites_file
    good = file.path.read_text(encoding="utf-8")
    file.path.write_text(good.replace('"kind"', '"<b>kin"', 1), encoding="utf-8")
    pipeline.reload_sites(empty.app, NOW)
    html = read(empty, "/")
    assert "the sites from before go on" in words(html)
    assert "&lt;b&gt;kin" in html
    assert "<b>kin" not in html
    assert "4 places watched" in html
    file.path.write_text(good, encoding="utf-8")
    pipeline.reload_sites(empty.app, NOW)
    assert "go on" not in words(read(empty, "/"))


def test_the_first_page_says_which_feeds_fail(told: Rig) -> None:
    assert "1 of 2 feeds fails" in words(read(told, "/"))


def test_the_first_page_without_anything_counted_claims_nothing(empty: Rig) -> None:
    text = words(read(empty, "/"))
    assert "4 places watched. No open alert." in text
    assert "Nothing has been counted here yet" in text
    assert "not that nothing happened" in text
    assert "adsb.lol has not been asked about this place" in text


def test_a_card_shows_the_newest_picture_with_its_licence_and_when_the_next_pass_is_due(told: Rig) -> None:
    text = words(read(told, "/"))
    assert (
        "Sentinel-2B, 2023-10-05 12:00 UTC, 2 days ago. Contains modified Copernicus Sentinel data 2023."
        in text
    )
    assert "The next pass is due about 2023-10-15 12:00 UTC, 10 days after 2023-10-05 12:00 UTC by" in text
    assert "No picture yet: no catalogue has listed a scene of this place." in text
    assert "Cannot tell yet when the next pass is due" in text


def test_a_picture_is_sent_as_it_is_kept_and_may_stay_in_the_browser(told: Rig) -> None:
    (address,) = set(re.findall(r'<img src="(/sites/[^"]+)"', read(told, "/")))
    response = told.client.get(address.replace("&amp;", "&"))
    assert response.content == picture(NOW).png
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == 'inline; filename="quiet-field-2023-10-05.png"'
    assert "max-age" in response.headers["cache-control"]
    with writing(told.app.engine) as connection:
        store_cutout(connection, picture(NOW, acquired_at=NOW, item_id="S2A_NEXT"), keep=3)
    assert address not in read(told, "/")


@pytest.mark.parametrize("site_id", ["busy-port", "nowhere"])
def test_a_picture_that_is_not_there_is_a_sentence(told: Rig, site_id: str) -> None:
    response = told.client.get(f"/sites/{site_id}/picture")
    assert response.status_code == 404
    assert "There is no picture with this address." in response.text


def test_why_there_is_no_picture_is_said(told: Rig) -> None:
    reason = "pictures.example answered 503 Service Unavailable."
    failed = SceneFailure("busy-port", "earth-search", "sentinel-2-l2a", "S2A_TEST", NOW, reason, 1, NOW, NOW)
    with writing(told.app.engine) as connection:
        store_cutout_failure(connection, failed)
    said = f"No picture: the scene of 2023-10-07 could not be read. {reason[0].upper()}{reason[1:]}"
    assert said in words(read(told, "/sites/busy-port"))


def test_verdicts_that_nobody_was_sent_say_so_everywhere(told: Rig) -> None:
    past, sent = alert_about(told, "quiet-field"), alert_about(told, "busy-port")
    for path in ("/", "/alerts", "/sites/quiet-field"):
        marks = re.findall(rf'href="/alerts/{past.id}" dir="auto">.*?</a>(.{{0,400}})', read(told, path))
        assert marks
        assert all("not sent" in each for each in marks), path
    assert '<span class="chip">not sent</span>' in read(told, f"/alerts/{past.id}")
    assert "The message that would have gone out: new" in words(read(told, f"/alerts/{past.id}"))
    for path in ("/sites/busy-port", f"/alerts/{sent.id}"):
        assert "not sent" not in read(told, path), path


def test_without_any_channel_an_alert_is_not_sent_and_its_message_can_be_read(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    with rig(sqlite_engine, tmp_path, log_channel=False) as made:
        tell_story(made.app)
        text = words(read(made, f"/alerts/{alert_about(made, 'busy-port').id}"))
    assert "Not sent: no channel was set up when it was judged." in text
    assert "The message that would have gone out: new" in text
    assert "[sitewatch] About 73 containers at Busy Port" in text


def test_the_mail_in_its_frame_is_the_very_mail_and_can_do_nothing(told: Rig) -> None:
    alert = alert_about(told, "busy-port")
    page = read(told, f"/alerts/{alert.id}")
    (frame,) = re.findall(r"<iframe ([^>]*)>", page)
    assert " sandbox " in frame
    assert "sandbox=" not in frame
    address = frame.split('src="')[1].split('"')[0]
    response = told.client.get(address)
    assert alert.headline in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox;" in policy
    assert "frame-ancestors 'self'" in policy
    assert told.client.get("/alerts/al_none/email").status_code == 404


def test_the_chart_draws_every_count_the_baseline_and_the_looks_that_could_not_be_used(told: Rig) -> None:
    html = read(told, "/sites/busy-port")
    for count in ("3", "5", "8", "about 73"):
        assert f": {count}, Harbour Watch</title>" in html
    assert 'class="block unusable"' in html
    assert 'class="bounds"' in html
    assert 'class="block declared"' in html
    assert html.count('class="mark alert"') == 2  # one look and the legend
    legend = words(html.partition('<ul class="legend">')[2].partition("</ul>")[0])
    assert "not assessable" in legend
    assert "cloud" not in legend, "nobody said that it was cloud"


def test_days_without_radio_coverage_are_not_called_cloudy(told: Rig) -> None:
    blind = look(
        "2023-08-01", None, "arrivals", "class:vip_military",
        site_id="quiet-field", procedure="adsb:1", publisher="", assessable=False,
    )  # fmt: skip
    with writing(told.app.engine) as connection:
        record_observations(connection, [blind])
    html = read(told, "/sites/quiet-field")
    legend = words(html.partition('<ul class="legend">')[2].partition("</ul>")[0])
    assert "not assessable (too little radio coverage)" in legend


def test_a_site_tells_each_look_with_its_source_and_its_verdict(told: Rig) -> None:
    html = read(told, "/sites/busy-port")
    text = words(html)
    assert 'href="https://harbour.example/2023-10-05" rel="noopener noreferrer"' in html
    assert "unusual: record" in text
    assert "cannot tell yet, needs 10 more looks" in text
    assert "not assessable" in text
    assert "Covered by tarps." in text
    assert "Rising, no numbers published." in text
    assert "Not located yet: Pier 2." in text
    assert "format=csv" in html


def test_with_enough_history_the_chart_shows_what_was_usual(told: Rig) -> None:
    assert 'class="block usual"' not in read(told, "/sites/busy-port")
    counts = [
        look(f"2023-{week // 4 + 1:02}-{week % 4 * 7 + 1:02}", 3, "ships_present") for week in range(30)
    ]
    with writing(told.app.engine) as connection:
        record_observations(connection, counts)
    html = read(told, "/sites/busy-port?metric=ships_present&area=")
    assert 10 < html.count('class="block usual"') < 30
    assert "by the looks before it (95 %)" in html


def test_a_site_where_aircraft_come_tells_visits_with_confidence(told: Rig) -> None:
    text = words(read(told, "/sites/quiet-field"))
    assert "IL62, RA-86559" in text
    assert "presumed here" in text
    assert "2 of 4: heard again, and here is possible, but another place or circling nearly as well" in text
    assert "Last heard 40 NM away, descending." in text
    assert "Last seen before: 2019-06 to 2019-07" in text


def test_another_metric_is_a_link_away(told: Rig) -> None:
    with writing(told.app.engine) as connection:
        record_observations(connection, [look("2023-10-01", 2, "ships_present")])
    html = read(told, "/sites/busy-port")
    assert 'href="?metric=ships_present&amp;area="' in html
    assert '<h2 id="counts-title">Ships present</h2>' in read(
        told, "/sites/busy-port?metric=ships_present&area="
    )


def test_a_metric_that_nobody_counted_shows_the_usual_panel(told: Rig) -> None:
    assert "Containers" in read(told, "/sites/busy-port?metric=nonsense&area=x&subject=y")


def test_an_alert_tells_its_life_its_evidence_and_what_was_sent(told: Rig) -> None:
    alert = alert_about(told, "busy-port")
    text = words(read(told, f"/alerts/{alert.id}"))
    assert alert.headline in text
    assert "at most 20 from 2018-10-06 to 2023-09-17" in text
    assert "known since" in text.lower()
    assert "waits to be sent" in text
    assert "log" in text


def test_an_alert_names_the_others_of_its_incident(told: Rig) -> None:
    here, there = alert_about(told, "quiet-field"), alert_about(told, "donut-base")
    with writing(told.app.engine) as connection:
        update_alert(connection, replace(there, incident_id=here.incident_id))
    section = read(told, f"/alerts/{here.id}").split('id="incident-title"')[1].split("</section>")[0]
    assert f"/alerts/{there.id}" in section
    assert words(there.headline) in words(section)
    assert 'id="incident-title"' not in read(told, f"/alerts/{alert_about(told, 'busy-port').id}")


def test_an_alert_shows_the_very_messages(told: Rig) -> None:
    alert = alert_about(told, "busy-port")
    html = read(told, f"/alerts/{alert.id}")
    text = words(html)
    assert "[sitewatch] About 73 containers at Busy Port" in text
    assert "Contents not visible." in text
    assert f"http://watch.example/alerts/{alert.id}" in html


def test_what_was_too_old_to_send_says_so(told: Rig) -> None:
    alert = alert_about(told, "quiet-field")
    assert "not sent: too old" in words(read(told, f"/alerts/{alert.id}"))


def test_alerts_are_listed_newest_first_and_by_status(told: Rig) -> None:
    html = read(told, "/alerts")
    assert html.index("Busy Port") < html.index("2023-07-31")
    assert alert_about(told, "busy-port").id in read(told, "/alerts?status=open&site=busy-port")
    assert "No alerts of this kind" in words(read(told, "/alerts?status=withdrawn"))


def test_the_feeds_page_tells_what_is_left_of_a_budget(told: Rig) -> None:
    text = words(read(told, "/feeds"))
    assert "3 requests in the last 24 hours; the plan needs 4,320 a day " in text
    with writing(told.app.engine) as connection:
        note_credits(
            connection, "adsb.lol", {"since": "2023-10-07T00:00:00+00:00", "spent": 12.0, "left": 388.0}, NOW
        )
    text = words(read(told, "/feeds"))
    assert "the plan needs 4,320 a day; 12 credits spent since 2023-10-07, 388 left" in text


def test_the_feeds_page_tells_health_terms_and_limits(told: Rig) -> None:
    text = words(read(told, "/feeds"))
    assert "adsb.lol" in text
    assert "ODbL 1.0" in text
    assert "circles of at most 250 NM" in text
    assert "It answered HTTP 503." in text
    assert "Feeds that are switched off" in text
    assert "no receiver hears this place: no coverage, not no flights" in text


def test_a_feed_that_nobody_asks_any_more_is_not_said_to_work(engine: Engine, tmp_path: Path) -> None:
    later = NOW + timedelta(hours=2)
    with rig(engine, tmp_path, now=later) as made:
        tell_story(made.app)
        text = words(read(made, "/feeds"))
    assert "Not asked any more · last good answer 2 hours ago" in text
    assert "Works" not in text


def test_a_count_that_was_corrected_is_not_marked_as_unusual(told: Rig) -> None:
    alert = alert_about(told, "busy-port")
    assert 'class="alerted"' in read(told, "/sites/busy-port")
    corrected = look(
        "2023-10-05",
        7,
        "containers",
        known="2023-10-07T00:00",
        revision=2,
        qualifier="=",
        site_id="busy-port",
    )
    with writing(told.app.engine) as connection:
        record_observations(connection, [corrected])
    pipeline.judge(told.app, NOW)
    page = read(told, "/sites/busy-port")
    assert "withdrawn" in page
    assert 'class="alerted"' not in page
    assert "after the count of this alert was corrected" in read(told, f"/alerts/{alert.id}")


@pytest.mark.parametrize("path", ["/sites/nowhere", "/alerts/al_none", "/nothing"])
def test_an_unknown_address_is_a_sentence(empty: Rig, path: str) -> None:
    response = empty.client.get(path)
    assert response.status_code == 404
    assert "sitewatch" in response.text
    assert "first page" in response.text or "list of alerts" in response.text


def test_the_pages_stay_readable_without_built_scripts(sqlite_engine: Engine, tmp_path: Path) -> None:
    with rig(sqlite_engine, tmp_path, built=tmp_path / "nothing") as made:
        html = read(made, "/")
    assert '<script type="module"' not in html
    assert "were not built" in html
    assert "Quiet Field" in html
