"""Numbers of zones from the Statistical API: its documented answers, and every way in which it can fail to give one."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from shapely import box

from monitor.config.settings import SettingsError
from monitor.feeds import FeedError
from monitor.feeds.http import GuardedClient
from monitor.feeds.sentinel_hub import SentinelHubStatistics, ZoneQuestion, radar_units
from monitor.imagery.radar import BINS, LOW_DB, STEP_DB
from monitor.imagery.windows import projected
from tests.kit.cast import QUIET_FIELD
from tests.kit.fake_feeds import client
from tests.kit.radar import (
    CLIENT_ID,
    CLIENT_SECRET,
    DESCENDING,
    STATISTICS_PATH,
    TOKEN_PATH,
    RadarPass,
    RadarWorld,
    StatisticsService,
    interval,
    statistics_provider,
)

AT = datetime(2026, 3, 1, 21, 20, tzinfo=UTC)
NOW = AT + timedelta(hours=8)
WORLD = RadarWorld(QUIET_FIELD)
ZONE = projected(QUIET_FIELD.geometry, WORLD.epsg)
QUESTION = ZoneQuestion("quiet-field", ZONE, WORLD.epsg, AT - timedelta(hours=23), "descending")
Handler = Callable[[httpx.Request], httpx.Response]


def asking(handler: Handler, **changes: Any) -> SentinelHubStatistics:
    return SentinelHubStatistics(statistics_provider(**changes), _client(handler))


def _client(handler: Handler) -> GuardedClient:
    return client(handler, "copernicus", secrets=(CLIENT_SECRET,), headers={})


def answering(
    document: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> SentinelHubStatistics:
    """A service that gives every token, and this to every question."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == TOKEN_PATH:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 600})
        return httpx.Response(status, content=json.dumps(document).encode(), headers=headers)

    return asking(answer)


def good(**changes: Any) -> dict[str, Any]:
    """The answer to the question, with parts of its interval changed."""
    service = StatisticsService(WORLD, [RadarPass(AT)])
    document = service.document(_asked(service))
    document["data"][0] |= changes
    return document


def _asked(service: StatisticsService) -> Mapping[str, Any]:
    asking(service).radar(QUESTION, NOW)
    body: Mapping[str, Any] = service.asked[-1]
    return body


def test_a_question_is_put_in_metres_for_one_day_and_one_direction_corrected_for_terrain() -> None:
    service = StatisticsService(WORLD, [RadarPass(AT)])
    body = _asked(service)
    (data,) = body["input"]["data"]
    assert data["dataFilter"]["orbitDirection"] == "DESCENDING"
    assert (data["processing"]["backCoeff"], data["processing"]["orthorectify"]) == ("GAMMA0_TERRAIN", True)
    assert body["input"]["bounds"]["properties"]["crs"].endswith(f"/EPSG/0/{WORLD.epsg}")
    assert body["aggregation"]["aggregationInterval"] == {"of": "P1D"}
    assert body["aggregation"]["timeRange"] == {"from": "2026-02-28T22:20:00Z", "to": "2026-03-01T22:20:00Z"}
    assert body["aggregation"]["resx"] == 10
    assert "dataMask" in body["aggregation"]["evalscript"]


def test_the_numbers_of_a_zone_are_those_of_its_pixels() -> None:
    service = StatisticsService(WORLD, [RadarPass(AT)], units="1.25")
    numbers, priced = asking(service).radar(QUESTION, NOW)
    assert numbers is not None
    vv, vh = WORLD.powers(RadarPass(AT))
    mask = WORLD.covers(ZONE)
    assert numbers.pixels == pytest.approx(mask.sum(), abs=30), "a metre of an outline is left out"
    assert numbers.seen_share == pytest.approx(1, abs=0.01), "pixels around the zone count for nothing"
    assert numbers.vv == pytest.approx(vv[mask].mean(), rel=0.01)
    assert numbers.vh == pytest.approx(vh[mask].mean(), rel=0.01)
    assert numbers.angle_deg == pytest.approx(DESCENDING.angle_deg)
    assert (priced.units, priced.estimated) == (1.25, radar_units(QUESTION))


def test_without_a_word_about_the_price_the_estimate_counts() -> None:
    _, priced = answering(good()).radar(QUESTION, NOW)
    assert priced.units == priced.estimated > 0
    _, odd = answering(good(), headers={"X-ProcessingUnits-Spent": "nan"}).radar(QUESTION, NOW)
    assert odd.units == odd.estimated


@pytest.mark.parametrize("document", [{"data": [], "status": "OK"}, {"data": []}])
def test_an_interval_that_is_not_there_is_no_zero(document: Any) -> None:
    assert answering(document).radar(QUESTION, NOW)[0] is None


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    """Everything is no data, and its statistics are the text NaN."""
    for each in document["data"][0]["outputs"].values():
        stats = each["bands"]["B0"]["stats"]
        stats |= dict.fromkeys(("min", "max", "mean", "stDev"), "NaN")
        stats["noDataCount"] = stats["sampleCount"]
    return document


def test_a_zone_without_one_pixel_with_data_was_not_seen() -> None:
    assert answering(_masked(good())).radar(QUESTION, NOW)[0] is None


def test_half_a_zone_beyond_the_edge_of_the_picture_has_half_a_share() -> None:
    document = good()
    level = document["data"][0]["outputs"]["level"]["bands"]["B0"]
    for each in level["histogram"]["bins"]:
        each["count"] //= 2
    numbers, _ = answering(document).radar(QUESTION, NOW)
    assert numbers is not None
    assert numbers.seen_share == pytest.approx(0.5, abs=0.02)


def test_what_lies_beyond_the_histogram_is_counted_under_either_name() -> None:
    for names in (("overflowCount", "underflowCount"), ("overflow", "underflow")):
        document = good()
        histogram = document["data"][0]["outputs"]["level"]["bands"]["B0"]["histogram"]
        first, last = histogram["bins"][0], histogram["bins"][-1]
        for name in ("overflowCount", "underflowCount"):
            histogram.pop(name)
        taken = histogram["bins"][BINS // 2]["count"]
        histogram["bins"][BINS // 2]["count"] = 0
        histogram[names[0]], histogram[names[1]] = taken, 0
        numbers, _ = answering(document).radar(QUESTION, NOW)
        assert numbers is not None
        assert (numbers.counts[0], numbers.counts[-1]) == (first["count"], last["count"] + taken)


def _without(name: str) -> dict[str, Any]:
    document = good()
    del document["data"][0]["outputs"][name]
    return document


def _with_mean(value: Any) -> dict[str, Any]:
    document = good()
    document["data"][0]["outputs"]["vv"]["bands"]["B0"]["stats"]["mean"] = value
    return document


def _shifted() -> dict[str, Any]:
    return good(interval={"from": "2026-03-02T00:00:00Z", "to": "2026-03-03T00:00:00Z"})


def _fewer_bins() -> dict[str, Any]:
    document = good()
    document["data"][0]["outputs"]["level"]["bands"]["B0"]["histogram"]["bins"].pop()
    return document


def _more_than_seen() -> dict[str, Any]:
    document = good()
    document["data"][0]["outputs"]["level"]["bands"]["B0"]["histogram"]["bins"][0]["count"] = 10**8
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"status": "FAILED", "data": []}, "the service says FAILED"),
        (good(error={"type": "TIMEOUT"}), "could not reckon it (TIMEOUT). It is asked again later"),
        (good(error={"type": "EXECUTION_ERROR"}), "could not reckon it (EXECUTION_ERROR)"),
        (good(error={"type": "BAD_REQUEST"}), "(BAD_REQUEST). Draw the zone anew"),
        (good(error="odd"), "could not reckon it (odd)"),
        (_shifted(), "about another interval"),
        ({"data": [*good()["data"], *good()["data"]], "status": "PARTIAL"}, "about another interval"),
        (good(interval=None), "about another interval"),
        (good(outputs=None), "holds no outputs"),
        (_without("level"), "lacks the output level"),
        (_without("vv"), "lacks the output vv"),
        (_with_mean("NaN"), "their mean is no number"),
        (_with_mean(-3.0), "their mean is no number"),
        (_fewer_bins(), "is not the one that was asked for"),
        (_more_than_seen(), "more pixels stand in the histogram"),
        ({"error": {"message": "no such geometry"}}, "holds no list of intervals"),
        ([], "holds no list of intervals"),
    ],
)
def test_what_is_no_number_is_a_reason_and_never_a_value(document: Any, said: str) -> None:
    with pytest.raises(FeedError) as caught:
        answering(document).radar(QUESTION, NOW)
    assert said in caught.value.reason
    assert "quiet-field" in caught.value.reason
    assert not caught.value.ends_round, "another zone may be answered"


@pytest.mark.parametrize(("said", "wait_s"), [("90000", 90.0), ("120", 60.0), (None, 60.0)])
def test_asked_too_often_it_is_left_alone_for_a_minute_at_least(said: str | None, wait_s: float) -> None:
    headers = {} if said is None else {"Retry-After": said}
    with pytest.raises(FeedError) as caught:
        answering({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, 429, headers).radar(QUESTION, NOW)
    assert (caught.value.status, caught.value.retry_after_s) == (429, wait_s)
    assert caught.value.ends_round


def test_a_spent_quota_ends_the_round() -> None:
    with pytest.raises(FeedError) as caught:
        answering({"error": {"message": "Monthly quota is spent"}}, 403).radar(QUESTION, NOW)
    assert caught.value.ends_round


def test_a_token_is_kept_renewed_before_its_end_and_once_where_it_is_refused_in_the_midst() -> None:
    service = StatisticsService(WORLD, [RadarPass(AT)], lasts_s=600)
    statistics = asking(service)
    statistics.radar(QUESTION, NOW)
    statistics.radar(QUESTION, NOW + timedelta(minutes=7))
    assert service.tokens == 1
    statistics.radar(QUESTION, NOW + timedelta(minutes=8, seconds=1))
    assert service.tokens == 2, "two minutes before it would have ended"
    service.tokens_last = 1
    statistics._tokens.forget()
    statistics.radar(QUESTION, NOW)
    statistics.radar(QUESTION, NOW)
    assert service.tokens == 4


def test_wrong_keys_are_said_once_and_no_secret_with_them() -> None:
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(
            401, json={"error": "invalid_client", "error_description": f"no {CLIENT_SECRET}"}
        )

    with pytest.raises(FeedError) as caught:
        asking(refuse).radar(QUESTION, NOW)
    assert asked == [TOKEN_PATH]
    assert "client_id and client_secret are refused (401)" in caught.value.reason
    assert CLIENT_SECRET not in caught.value.reason + repr(caught.value.body)
    assert caught.value.ends_round


def test_a_service_that_never_takes_its_own_token_is_not_asked_for_ever() -> None:
    asked: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path == TOKEN_PATH:
            return httpx.Response(200, json={"access_token": "sesame-0123456789"})
        return httpx.Response(401, json={"error": f"bad token {request.headers['authorization']}"})

    with pytest.raises(FeedError) as caught:
        asking(refuse).radar(QUESTION, NOW)
    assert asked == [TOKEN_PATH, STATISTICS_PATH] * 2
    assert "sesame" not in caught.value.reason


def test_classes_of_a_zone_are_counted_without_what_lies_around_it() -> None:
    service = StatisticsService(WORLD, classes={4: 0.6, 9: 0.3, 3: 0.1})
    counts, priced = asking(service).classes(QUESTION, NOW)
    assert counts is not None
    pixels = ZONE.area / 400
    assert counts[4] == pytest.approx(0.6 * pixels, abs=2)
    assert counts[9] == pytest.approx(0.3 * pixels, abs=2)
    assert sum(counts) == pytest.approx(pixels, abs=3)
    assert priced.units > 0
    nothing = interval(service.asked[0]["aggregation"]["timeRange"], {"scl": service._class_output(ZONE)})
    assert answering(_masked(nothing)).classes(QUESTION, NOW)[0] is None


def test_half_a_key_stops_the_start_and_a_zone_too_large_is_not_sent() -> None:
    with pytest.raises(SettingsError, match="client_id and client_secret, or neither"):
        asking(lambda _: httpx.Response(200), credentials={"client_id": CLIENT_ID})
    service = StatisticsService(WORLD, [RadarPass(AT)])
    huge = ZoneQuestion("everything", box(0, 0, 30_000, 30_000), WORLD.epsg, AT, "descending")
    with pytest.raises(FeedError, match="Draw it smaller"):
        asking(service).radar(huge, NOW)
    assert service.asked == []


def test_the_steps_of_the_histogram_are_those_of_the_numbers() -> None:
    service = StatisticsService(WORLD, [RadarPass(AT)])
    steps = _asked(service)["calculations"]["level"]["histograms"]["default"]
    assert (steps["highEdge"] - steps["lowEdge"]) / steps["nBins"] == STEP_DB
    assert steps["lowEdge"] == LOW_DB
