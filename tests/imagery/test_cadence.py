"""How passes go: nothing new yet, a cloudy one and one that is overdue are three things, as late as the catalogue ever is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.records import Observation, Scene
from monitor.imagery.cadence import UNLEARNT_DELAY, Cadence, cadence, listing_delay
from monitor.imagery.orbits import FlownPasses, OverPass
from tests.imagery.test_next_pass import scene
from tests.kit.builders import look

FIRST = datetime(2026, 9, 3, 2, 16, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATE = 3 * HOUR


def passes(*days: float, platform: str = "sentinel-2b", late: timedelta = LATE) -> list[Scene]:
    """Scenes so many days after the first, each listed some hours later."""
    return [
        scene(at, platform, published_at=at + late, sensor="msi")
        for at in (FIRST + day * DAY for day in days)
    ]


def looks_of(scenes: Sequence[Scene], *cloudy: float) -> list[Observation]:
    hidden = {FIRST + day * DAY for day in cloudy}
    return [_look(each, 0.1 if each.acquired_at in hidden else 0.9) for each in scenes]


def _look(of: Scene, clear: float) -> Observation:
    made = look("2026-09-03", None, "passes", assessable=clear >= 0.3)
    return replace(
        made, look_key=of.look_key, exposure=clear, exposure_parts={"clear": clear, "cloud_of": "site"}
    )


def told(scenes: Sequence[Scene], now: datetime, *cloudy: float, **said: Any) -> Cadence:
    values: dict[str, Any] = {"asked_at": now, "every": HOUR}
    return cadence(scenes, looks_of(scenes, *cloudy), now, **{**values, **said})


@pytest.mark.parametrize(
    ("hours", "state"),
    [(-1, "clear"), (1, "awaited"), (3.5, "awaited"), (4.5, "overdue"), (24 * 8, "overdue")],
)
def test_a_pass_is_overdue_only_when_it_is_later_than_others_were(hours: float, state: str) -> None:
    seen = passes(0, 10, 20, 30)
    assert told(seen, FIRST + 40 * DAY + hours * HOUR).state == state


def test_the_three_say_different_things() -> None:
    seen = passes(0, 10, 20, 30)
    due = FIRST + 40 * DAY
    assert told(seen, due + HOUR).words.startswith(
        "Nothing new yet: the pass of 2026-10-13 02:16 UTC by sentinel-2b, need not be listed before 2026-10-13 06:16 UTC."
    )
    assert told(seen, due + 5 * HOUR).words.startswith(
        "Overdue: the pass of 2026-10-13 02:16 UTC by sentinel-2b, should have been listed by 2026-10-13 06:16 UTC."
    )
    cloudy = told(seen, FIRST + 31 * DAY, 30)
    assert cloudy.state == "cloudy"
    assert cloudy.words.startswith(
        "The newest pass that is listed, 2026-10-03 02:16 UTC by sentinel-2b, showed 10% of the site clear: it was there, "
        "under cloud. Passes are listed 3 hours after they flew, 19 of 20 within 3 hours (of 4)."
    )
    assert cloudy.last_clear_at == FIRST + 20 * DAY
    assert cloudy.clear_share == 0.1


def test_a_catalogue_that_is_always_late_is_given_its_time() -> None:
    slow = passes(0, 10, 20, 30, late=40 * HOUR)
    due = FIRST + 40 * DAY
    assert told(slow, due + 30 * HOUR).state == "awaited"
    assert told(slow, due + 42 * HOUR).state == "overdue"


def test_what_nobody_asked_for_is_not_overdue() -> None:
    seen, now = passes(0, 10, 20, 30), FIRST + 45 * DAY
    assert told(seen, now, asked_at=FIRST + 40 * DAY - HOUR).state == "unasked"
    assert told(seen, now, asked_at=None).state == "unasked"
    # An answer from just after the pass says nothing of it, however long ago that was.
    early = told(seen, FIRST + 40 * DAY + 20 * HOUR, asked_at=FIRST + 40 * DAY + HOUR)
    assert early.state == "awaited"


def test_each_satellite_is_expected_on_its_own_track() -> None:
    both = [*passes(0, 10, 20, 30), *passes(5, 15, 25, platform="sentinel-2a")]
    found = told(both, FIRST + 35.5 * DAY)
    assert [(each.platform, each.at) for each in found.missing] == [("sentinel-2a", FIRST + 35 * DAY)]
    assert (found.state, found.expected, found.listed) == ("overdue", 8, 7)
    assert found.next_at == FIRST + 40 * DAY


def test_gaps_of_a_catalogue_are_counted_and_do_not_make_the_newest_overdue() -> None:
    found = told(passes(0, 10, 30, 50), FIRST + 51 * DAY)
    assert (found.state, found.expected, found.listed) == ("clear", 6, 4)
    assert "Of the 6 passes due in the last 60 days 4 are listed: a catalogue has gaps" in found.words


def test_a_satellite_that_ended_is_not_awaited_for_ever() -> None:
    ended = [*passes(0, platform="sentinel-2a"), *passes(*range(5, 56, 10))]
    found = told(ended, FIRST + 56 * DAY)
    assert found.missing == ()
    assert (found.expected, found.listed) == (7, 7)


def test_a_catalogue_that_stopped_is_overdue_however_long_it_lasts() -> None:
    stopped = [*passes(0, 10), *passes(5, 15, platform="sentinel-2a")]
    found = told(stopped, FIRST + 55.5 * DAY)
    assert found.state == "overdue"
    assert len(found.missing) == 8


def test_delays_are_those_of_the_catalogue_else_our_own() -> None:
    dated = listing_delay(passes(0, 10, 20))
    assert dated is not None
    assert (dated.usual, dated.longest, dated.n) == (LATE, LATE, 3)
    assert listing_delay(passes(0, 10)) is None
    # Made anew years later is no delay.
    assert listing_delay(passes(0, 10, late=400 * DAY)) is None
    # The first answer brings months of scenes: only its newest says how late a catalogue is.
    now = FIRST + 31 * DAY
    old = [replace(each, published_at=None, recorded_at=now) for each in passes(0, 10, 20, 30)]
    assert listing_delay(old) is None
    live = [
        replace(each, published_at=None, recorded_at=each.acquired_at + 6 * HOUR)
        for each in passes(40, 50, 60)
    ]
    learnt = listing_delay([*old, *live])
    assert learnt is not None
    assert (learnt.usual, learnt.longest, learnt.n) == (6 * HOUR, DAY, 4)


def test_where_no_delay_is_known_two_days_are_given() -> None:
    seen = [replace(each, published_at=None, recorded_at=FIRST + 21 * DAY) for each in passes(0, 10, 20)]
    assert told(seen, FIRST + 30 * DAY + UNLEARNT_DELAY).state == "awaited"
    assert told(seen, FIRST + 30 * DAY + UNLEARNT_DELAY + 2 * HOUR).state == "overdue"


def test_radar_is_no_picture_while_there_is_a_camera() -> None:
    radar = [replace(each, sensor="sar") for each in passes(3, 15, 27, 39, platform="sentinel-1a")]
    found = told([*passes(0, 10, 20, 30), *radar], FIRST + 39.5 * DAY)
    assert found.last_at == FIRST + 30 * DAY
    assert told(radar, FIRST + 39.5 * DAY).last_at == FIRST + 39 * DAY


def test_nothing_is_said_of_a_place_without_a_scene() -> None:
    found = told([], FIRST)
    assert found.state == "unknown"
    assert found.words == "Cannot tell how passes go here: no usable scene of the last 60 days is known."


def test_a_pass_whose_cloud_nobody_read_is_not_read() -> None:
    seen = passes(0, 10, 20)
    found = cadence(seen, [], FIRST + 21 * DAY, asked_at=FIRST + 21 * DAY, every=HOUR)
    assert found.state == "unread"
    assert "2026-09-23 02:16 UTC by sentinel-2b, was not read yet." in found.words


def test_a_tile_speaks_for_a_site_only_with_a_word() -> None:
    seen = passes(0, 10, 20)
    looks = [replace(each, exposure_parts={"cloud_of": "tile"}) for each in looks_of(seen)]
    found = cadence(seen, looks, FIRST + 21 * DAY, asked_at=FIRST + 21 * DAY, every=HOUR)
    assert "showed 90% of the site clear, by the cloud of its tile of 110 km." in found.words


def test_a_catalogue_that_lists_other_satellites_cannot_say_that_a_pass_is_missing() -> None:
    both = [*passes(0, 10, 20, 30), *passes(4, 20, 36, platform="landsat-8")]
    now = FIRST + 42 * DAY
    late = "Overdue: the pass of 2026-10-13 02:16 UTC by sentinel-2b"
    assert told(both, now).words.startswith(late)
    silent = told(both, now, asked_about={"sentinel-2b": FIRST + 35 * DAY, "landsat-8": now})
    assert silent.state == "clear"
    assert silent.missing == ()
    back = told(both, now, asked_about={"sentinel-2b": now, "landsat-8": FIRST + 37 * DAY})
    assert back.words.startswith(late)


def flown(
    *days: float, since: float = 0, until: float = 60, east_km: float = 20.0, sure: bool = True
) -> FlownPasses:
    """What elements say: passes so many days after the first, on one track."""
    seen = tuple(OverPass("sentinel-2b", FIRST + day * DAY, east_km, sure) for day in days)
    return FlownPasses(
        "sentinel-2b", FIRST + (until - 14) * DAY, FIRST + since * DAY, FIRST + until * DAY, seen
    )


def test_what_elements_say_did_not_fly_is_not_overdue() -> None:
    """The satellite was moved by three days: its repeat is no more."""
    seen, now = passes(0, 10, 20), FIRST + 31 * DAY
    assert told(seen, now).state == "overdue"
    found = told(seen, now, flown=[flown(0, 10, 20, 33, 43)])
    assert found.state == "clear"
    assert found.missing == ()
    assert found.next_at == FIRST + 33 * DAY
    assert "by the orbit elements of sentinel-2b of" in found.next_words


def test_what_flew_on_a_track_that_is_listed_here_is_overdue_like_any_other() -> None:
    seen, now = passes(0, 10, 20), FIRST + 34 * DAY
    found = told(seen, now, flown=[flown(0, 10, 20, 33, 43)])
    assert found.state == "overdue"
    assert "by sentinel-2b, as its orbit elements say, should have been listed by" in found.words
    assert [each.at for each in found.missing] == [FIRST + 33 * DAY]
    for others in (flown(0, 10, 20, 33, sure=False), flown(33), flown(0, 10, 20, 33, until=32)):
        assert told(seen, now, flown=[others]).missing != found.missing, (
            "an edge, a track never listed, too old"
        )


def test_a_satellite_that_missed_three_and_still_flies_is_overdue_only_by_its_elements() -> None:
    seen = [*passes(0, 10), *passes(*range(3, 50, 10), platform="sentinel-2a")]
    now = FIRST + 49 * DAY
    assert told(seen, now).state == "clear"
    found = told(seen, now, flown=[flown(0, 10, 20, 30, 40, until=54)])
    assert [each.at for each in found.missing] == [FIRST + day * DAY for day in (20, 30, 40)]


def test_elements_say_when_the_next_pass_is_due_where_nothing_was_ever_listed() -> None:
    found = told([], FIRST + 5 * DAY, flown=[flown(0, 10, 20)])
    assert (found.state, found.next_at) == ("unknown", FIRST + 10 * DAY)
    assert told([], FIRST + 5 * DAY).next_at is None


def test_elements_that_are_too_old_or_cannot_be_read_are_told() -> None:
    seen, now = passes(0, 10, 20), FIRST + 21 * DAY
    old = replace(flown(0, 10, until=19), fault="The orbit elements in x cannot be used: no.")
    found = told(seen, now, flown=[old])
    assert found.next_at == FIRST + 30 * DAY, "by its repeat"
    assert "too old to go by: renew them." in found.words
    assert "The orbit elements in x cannot be used: no." in found.words
