"""Which passes a site should have had, which of them a catalogue lists, and what a missing picture means.

Three things look alike to who waits for a picture: nothing was due, or it is not out yet; a pass was there under cloud; or it
should be listed and is not. The first two are usual. How long a catalogue takes, and how many passes it never lists, is learnt
from the passes of the last 60 days, so that nothing is called overdue that is merely as late as ever.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from alerts.words import duration, utc
from db.records import Observation, Scene
from db.said import chained, percent, phrase, spaced
from monitor.imagery.looks import RADAR_SENSORS
from monitor.imagery.next_pass import SeenPass, next_pass_sentence, next_passes, seen_passes
from monitor.imagery.orbits import FlownPasses

PassState = Literal["unknown", "unasked", "overdue", "awaited", "cloudy", "clear", "unread"]
"""What the newest pass that can be told of says; `awaited`: one has flown and is not later than others were."""
UNLEARNT_DELAY = timedelta(days=2)
"""How long a pass may take to be listed where nobody has seen it happen."""
_LEAST_DELAYS = 3
_LONGEST_DELAY = timedelta(days=14)
"""What is dated later was made anew."""
_KEPT_TO = 0.95
_GONE_AFTER = 3
"""So many passes missing in a row, while others are listed: the satellite does not come this way any more."""
_NEAR = timedelta(minutes=45)
_SAME_TRACK_KM = 30.0
_BY_ELEMENTS = "as its orbit elements say"
_MISSED_ANSWERS, _A_DAY = 4, timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ListingDelay:
    """How long after its pass a scene is listed: in the middle, and what 19 of 20 keep to, out of `n`."""

    usual: timedelta
    longest: timedelta
    n: int


@dataclass(frozen=True, slots=True)
class MissingPass:
    """A pass that should have been, and of which no catalogue lists anything."""

    platform: str
    track: str
    at: datetime
    listed_by: datetime
    """Until then it is no later than others were."""
    answered_at: datetime
    """When a catalogue that lists this satellite last gave a good answer."""

    @property
    def words(self) -> str:
        """Whose pass it was, and when."""
        by = chained(", ", [self.platform, self.track]) if self.track else self.platform
        return phrase("{when} by {by}", when=utc(self.at), by=by)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How the passes over one site go; `words` says it in sentences.

    Of `expected` passes of the last 60 days, all of them late enough to be listed, `listed` were. `clear_share` is that of the
    newest pass, of the tile where the pixels over the site were not read.
    """

    state: PassState
    words: str
    last_at: datetime | None = None
    last_clear_at: datetime | None = None
    clear_share: float | None = None
    next_at: datetime | None = None
    next_words: str = ""
    """When the next pass is due, in a sentence."""
    expected: int = 0
    listed: int = 0
    missing: tuple[MissingPass, ...] = ()
    delay: ListingDelay | None = None


def told_scenes(scenes: Collection[Scene]) -> list[Scene]:
    """The scenes whose passes are told of: pictures, and those of radar only where there are no others."""
    return [each for each in scenes if each.sensor not in RADAR_SENSORS] or list(scenes)


def cadence(
    scenes: Collection[Scene],
    looks: Collection[Observation],
    now: datetime,
    *,
    asked_at: datetime | None,
    every: timedelta,
    asked_about: Mapping[str, datetime] | None = None,
    flown: Sequence[FlownPasses] = (),
) -> Cadence:
    """Tell how the passes of one site go.

    `scenes` are newest versions over it, `looks` those of the metric `passes` of the whole site. `asked_at` is when a catalogue
    last gave a good answer, and it is asked `every` so often: what is not in an answer that came too early is not missing.
    `asked_about` says by platform when one that lists it did, where one catalogue answers and another is silent. `flown` are
    the passes of satellites with orbit elements: while these hold, they say what was due on tracks that catalogues list here.
    """
    optical = told_scenes(scenes)
    seen, due = seen_passes(optical, now), next_passes(optical, now, flown)
    next_at, next_words = due[0].at if due else None, next_pass_sentence(due)
    if not seen:
        words = phrase("Cannot tell how passes go here: no usable scene of the last 60 days is known.")
        return Cadence("unknown", words, next_at=next_at, next_words=next_words)
    delay = listing_delay(optical)
    longest = (delay.longest if delay else UNLEARNT_DELAY) + every
    answers = {} if asked_at is None else {each.platform: asked_at for each in seen} | dict(asked_about or {})
    wanted = [
        (each, answers[each.platform])
        for each in _flown(_expected(seen, now), flown, now)
        if each.platform in answers and each.at <= answers[each.platform]
    ]
    told = [each for each, answered_at in wanted if each.at + longest <= answered_at]
    gaps = tuple(
        MissingPass(each.platform, each.track, each.at, each.at + longest, answered_at)
        for each, answered_at in wanted
        if not each.look_key
    )
    found = _Found(seen[-1], {each.look_key: each for each in looks}, gaps, told, delay, asked_at)
    state = found.state(now, every)
    newest = found.look_of(found.last)
    return Cadence(
        state,
        spaced([*found.sentences(state), *_too_old({each.platform for each in seen}, flown, now)]),
        last_at=found.last.at,
        last_clear_at=max((each.at for each in seen if found.is_clear(each)), default=None),
        clear_share=newest.exposure if newest else None,
        next_at=next_at,
        next_words=next_words,
        expected=len(told),
        listed=sum(bool(each.look_key) for each in told),
        missing=gaps,
        delay=delay,
    )


def listing_delay(scenes: Collection[Scene]) -> ListingDelay | None:
    """How long passes take to be listed: as the catalogue dates them, else as we came to know of the newest of each answer."""
    first: dict[str, timedelta] = {}
    newest: dict[datetime, Scene] = {}
    for scene in scenes:
        if scene.published_at is not None:
            late = scene.published_at - scene.acquired_at
            first[scene.look_key] = min(late, first.get(scene.look_key, late))
        elif scene.version == 1:
            other = newest.get(scene.recorded_at)
            newest[scene.recorded_at] = (
                scene if other is None or other.acquired_at < scene.acquired_at else other
            )
    found = [*first.values(), *(each.recorded_at - each.acquired_at for each in newest.values())]
    delays = sorted(each for each in found if timedelta(0) <= each <= _LONGEST_DELAY)
    if len(delays) < _LEAST_DELAYS:
        return None
    seconds = np.array([each.total_seconds() for each in delays])
    # Of twenty and fewer the latest itself: a share of so few is none.
    longest = float(np.quantile(seconds, _KEPT_TO, method="higher"))
    return ListingDelay(timedelta(seconds=float(np.median(seconds))), timedelta(seconds=longest), len(delays))


def _expected(seen: Sequence[SeenPass], now: datetime) -> list[SeenPass]:
    """Every pass that each track should have had since it was first seen, by time; `look_key` '' is one that nobody lists."""
    tracks: list[list[SeenPass]] = []
    for each in seen:
        track = next((some for some in tracks if some[-1].is_same_track(each)), None)
        if track is None:
            tracks.append([each])
        else:
            track.append(each)
    found = [each for track in tracks for each in _of_track(track, seen, now)]
    return sorted(found, key=lambda each: (each.at, each.platform))


def _of_track(track: Sequence[SeenPass], seen: Sequence[SeenPass], now: datetime) -> list[SeenPass]:
    newest, repeat = track[-1], track[-1].repeat
    at, found, left = track[0].at, [], list(track)
    while at <= now:
        here = next((each for each in left if abs(each.at - at) < _NEAR), None)
        if here is None:
            found.append(SeenPass(newest.platform, at, repeat, newest.track))
        else:
            left.remove(here)
            found.append(here)
            # Times wander by seconds from pass to pass: the next is reckoned from the newest.
            at = here.at
        at += repeat
    return [each for each in found if each.at <= newest.at] if _has_gone(newest, seen, now) else found


def _has_gone(newest: SeenPass, seen: Sequence[SeenPass], now: datetime) -> bool:
    missed = (now - newest.at) // newest.repeat
    return missed >= _GONE_AFTER and any(each.at > newest.at + 2 * newest.repeat for each in seen)


def _flown(expected: Sequence[SeenPass], flown: Sequence[FlownPasses], now: datetime) -> list[SeenPass]:
    """The expected passes where orbit elements hold: what did not fly is not due, what flew on a track that is listed here is."""
    found = list(expected)
    for each in flown:
        there = [one for one in each.passes if one.at <= min(now, each.until)]
        moved = [
            one
            for one in found
            if one.platform == each.platform
            and not one.look_key
            and each.since <= one.at <= each.until
            and not any(abs(one.at - other.at) < _NEAR for other in there)
        ]
        found = [one for one in found if one not in moved]
        ours = [one for one in found if one.platform == each.platform]
        tracks = [
            other.east_km
            for other in there
            if any(one.look_key and abs(one.at - other.at) < _NEAR for one in ours)
        ]
        found += [
            SeenPass(each.platform, other.at, ours[0].repeat, _BY_ELEMENTS)
            for other in there
            if other.sure
            and any(abs(other.east_km - track) < _SAME_TRACK_KM for track in tracks)
            and not any(abs(one.at - other.at) < _NEAR for one in ours)
        ]
    return sorted(found, key=lambda one: (one.at, one.platform))


def _too_old(seen: Collection[str], flown: Sequence[FlownPasses], now: datetime) -> Iterator[str]:
    yield from sorted({each.fault for each in flown if each.fault})
    for each in flown:
        if each.platform in seen and now > each.until:
            yield phrase(
                "The orbit elements of {satellite} are of {when}, too old to go by: renew them.",
                satellite=each.platform,
                when=utc(each.epoch),
            )


@dataclass(frozen=True, slots=True)
class _Found:
    """What a state and its sentences follow from: the newest pass, what was seen of each, and which are missing."""

    last: SeenPass
    looks: Mapping[str, Observation]
    gaps: Sequence[MissingPass]
    told: Sequence[SeenPass]
    """The expected passes that should be listed by now."""
    delay: ListingDelay | None
    asked_at: datetime | None

    @property
    def later(self) -> list[MissingPass]:
        """What is missing after the newest pass."""
        return [each for each in self.gaps if each.at > self.last.at]

    @property
    def late(self) -> list[MissingPass]:
        """What of it should be listed."""
        return [each for each in self.later if each.listed_by <= each.answered_at]

    def look_of(self, seen: SeenPass) -> Observation | None:
        return self.looks.get(seen.look_key)

    def is_clear(self, seen: SeenPass) -> bool:
        look = self.look_of(seen)
        return look is not None and look.assessable is True

    def state(self, now: datetime, every: timedelta) -> PassState:
        if self.asked_at is None or now - self.asked_at > max(_MISSED_ANSWERS * every, _A_DAY):
            return "unasked"
        if self.late:
            return "overdue"
        if self.later:
            return "awaited"
        look = self.look_of(self.last)
        if look is None or look.assessable is None:
            return "unread"
        return "clear" if look.assessable else "cloudy"

    def sentences(self, state: PassState) -> Iterator[str]:
        if state == "unasked":
            yield (
                phrase(
                    "No catalogue has answered since {when}, so nobody can tell whether a pass is missing.",
                    when=utc(self.asked_at),
                )
                if self.asked_at
                else phrase("No catalogue has answered yet, so nobody can tell whether a pass is missing.")
            )
        elif state == "overdue":
            first, others = self.late[0], len(self.late) - 1
            which = first.words
            if others:
                which = phrase("{first} and {n} more", first=which, n=others)
            yield phrase(
                "Overdue: the pass of {which}, should have been listed by {when}.",
                which=which,
                when=utc(first.listed_by),
            )
        elif state == "awaited":
            first = self.later[0]
            yield phrase(
                "Nothing new yet: the pass of {which}, need not be listed before {when}.",
                which=first.words,
                when=utc(first.listed_by),
            )
        yield self._newest()
        if self.delay is not None:
            yield phrase(
                "Passes are listed {usual} after they flew, 19 of 20 within {longest} (of {n}).",
                usual=duration(self.delay.usual),
                longest=duration(self.delay.longest),
                n=self.delay.n,
            )
        if missing := sum(not each.look_key for each in self.told):
            yield phrase(
                "Of the {due} passes due in the last 60 days {listed} are listed: a catalogue has gaps, and a pass that is not "
                "listed may have been there.",
                due=len(self.told),
                listed=len(self.told) - missing,
            )

    def _newest(self) -> str:
        look = self.look_of(self.last)
        parts = {"when": utc(self.last.at), "by": self.last.platform}
        if look is None or look.exposure is None:
            return phrase("The newest pass that is listed, {when} by {by}, was not read yet.", **parts)
        parts["share"] = percent(look.exposure)
        shown = (
            phrase(
                "The newest pass that is listed, {when} by {by}, showed {share} of the site clear", **parts
            )
            if look.exposure_parts.get("cloud_of") == "site"
            else phrase(
                "The newest pass that is listed, {when} by {by}, showed {share} of the site clear, by the cloud of its tile of 110 km",
                **parts,
            )
        )
        if look.assessable:
            return phrase("{said}.", said=shown)
        return phrase("{said}: it was there, under cloud.", said=shown)
