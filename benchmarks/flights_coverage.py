"""How well visits are found where coverage is missing: the whole of docs/accuracy.md, in some minutes on two cores.

Run: python -m benchmarks.flights_coverage > docs/accuracy.md
With `--keep far --earlier OLD` (a copy of the document) sections are taken over from it, and the document says so.
"""

from argparse import ArgumentParser
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.flights_accuracy import lines, measure
from benchmarks.flights_cadence import cadence_section
from benchmarks.flights_far import BEFORE, FAR_KM, FLIGHTS, LEARNT_FROM, WAYS, WORLDS, Told, every_far, table
from benchmarks.flights_masked import Cell, MaskedParis
from benchmarks.flights_paris import NAMES
from benchmarks.flights_real import MASK_KM, measure_real, samples
from benchmarks.flights_real import lines as real_lines
from benchmarks.flights_real import scores as real_scores
from benchmarks.flights_reliability import by_confidence, by_probability, look_alikes, through_told
from benchmarks.flights_synthetic import ASSUMED, LABELS, MEASURED
from monitor.flights.evaluation.calibration import ScoredOdds, calibrations
from monitor.flights.evaluation.masking import STUDY_TOLERANCE, MaskedResult
from monitor.flights.evaluation.scoring import Share
from monitor.reports.evaluation import diagram_lines, diagrams, score_rows, score_titles

PROCESSES = 2
SECTIONS = {
    "cadence": "At the cadence that is really polled",
    "masked": "The same recording with reports taken away",
    "real": "Real long flights",
    "far": "Far from all coverage",
}
"""What can be kept from an earlier document, each with how its title begins."""
_KEPT = "**This section was not made anew** when the others were: its figures are those of an earlier state of the code."

_INTRODUCTION = """# Accuracy

Written by `python -m benchmarks.flights_coverage > docs/accuracy.md`; nothing here is typed by hand. Intervals are 95 % (Wilson).
`sitewatch evaluate TRACKS --mask-km 100` measures the same on tracks that you have. Visits and inferred visits are read by the code that reads
the live feeds; of aircraft that are of no watched class the service judges no silence, here all are held to be.

## Where the feeds hear the ground

{reports} real reports of three hours around Paris (7 October 2021), within two minutes of the truth. Orly has labels; one is refuted
by the reports themselves. At the other fields the truth is alignment with a runway, computed from the runways' published ends
by code that shares nothing with what it checks.
"""
_REFUTED = """
The refuted label: {evidence} Each flip of the ground flag "finds" it, and nine more that did not happen. A rule that did
would have to believe that an aircraft which stands still has left, so the label stays missed, and its take-off seven minutes later
counts as false: both figures stand above.
"""
_MASKED = """
## The same recording with reports taken away

One field after the other is darkened: every report within so many kilometres of its middle is deleted, or every report below an
altitude. The truth is what all reports together show. An arrival counts as found within {minutes:.0f} minutes. "Heard coming" are the
arrivals of which any report is left in the half hour before: the recording reaches 55 km around Orly, so that much of
the traffic of the other two is first heard inside what is taken away, and nobody could find it. Few aircraft come back within the three hours, so
most of what is found is `presumed`. Two of the fields lie 10 km from each other: a mask around one darkens the other. An aircraft
that may as well have gone to the neighbour is told as lost near both and counted at neither: it costs recall, and keeps the counts true.
Airports that nobody watches are weighed too.

"Attainable" is what a judge finds who knows where all the other flights went: for each loss of signal it takes the field to which most of those
most like it led, and chooses afterwards how many it asks. The rule cannot know that; what such a judge cannot tell, what is left does not tell. Where
it finds far more than the rule, the routes into the field would have to be known or learnt: with flight lists the rule knows where and when
the others landed, half an hour later, with callsign and type, as a provider tells.
"""
_BESIDE_THE_JUDGE = """
Arrivals at all three fields together, beside what that judge finds:
"""
_HALVES = """
All masks and fields together. The constants of the rule were set on the first 90 minutes; the landing direction turned round between
the halves, which led to one change of the rule itself (a field counts as heard only on the side that others were heard on). The second half was looked at
since: that airports near by weigh in full, and know their runways, was found in its false visits, and its totals were read three times while the way to a
runway and the trades of aircraft were added, and once when the way to a runway was made to weigh more, all of whose numbers were set on the first. So no row of this table is of data that nobody looked at.
The third row knows what the service would have told of the first half under the same mask: visits, and losses that led past or elsewhere.
The last one knows, of all flights but the one that is judged, where and when they landed and took off, half an hour later, with callsign and type: as a provider's flight lists tell.
"""
_SCORES = """
### How far its odds can be trusted

Of every loss of signal that a mask makes in the second 90 minutes, told or not, and judged when it has lasted and when the aircraft is heard
again: how likely each field, the region around them (declared for this) and a landing at all are said to be, and what came true. Less is better of
both scores; the log score is the surprise in bits. Of “better than” more is better. The rivals are told more than the rule: what really became of every other aircraft
half an hour before. The *nearest field ahead* names the nearest airport within 90° of the course, and is as sure as it was right of the others;
the *base rate* says what became of all others; the *vote* is of the five losses most like this one by place, height, course, climb and
speed. None was tuned. Aircraft are drawn again for the 95 % intervals, as one aircraft is lost under many masks.
"""
_DIAGRAM = """
In each line what was told, where that lies (`│`), how often it came true (`●`, `◉` where both fall together) with its interval (`─`), and the cases:
"""
_REAL = """
## Real long flights

The flights that come with the `traffic` package {version} as samples: {aircraft} aircraft, recorded one by one at airports all over the world, thinned to a report every ten seconds. All
reports so near to the field are taken away, for every airport at which one of them lands or takes off. Many are no usual flights: calibrations that
circle a field for hours, surveys, maiden and farewell flights that draw pictures. Nothing is heard of others, and nothing is known of before. “Heard coming” are the arrivals of which any report is left in the half hour before: the others cannot be found.
"""
_NO_REAL = """
## Real long flights

**Not measured** in this run: the flights come with the package `traffic`, which was not installed (`python -m pip install --no-deps traffic`).
"""
_FAR = """
## Far from all coverage: made-up flights

No real flight to a dark airport was ever recorded with its truth. These tables are of **synthetic** flights, {flights} of each kind for each radius, in
{worlds} worlds with four airports each that nobody watches. They fly dog-legs: how far a leg strays from the direct way, how long it is, how
much longer a way in or out is and how steep is drawn from the flights of the first half of the recording around Paris ({measured}). Reports come every 60 to 70 s, a tenth is
missing, and a third of the flights have a hole of two to six minutes. The edge of what is heard is ragged and reaches farther out for
aircraft that are low. Four airlines have ways, numbers and destinations of their own. The ground within 0.8 of the radius is declared a region.

What these worlds share with the rule, or suppose without having measured it:

{assumed}

It shows what the rule does, not how often the world does it. Each cell says how the visits told are graded: `confirmed` with confidence 4 or 3, or `presumed` with 2, which
is never counted for certain; [visits.md](visits.md) says what each asks. “Only the region” is a visit to the region without a place.

With nothing known of earlier flights:
"""
_KNOWN = """
With {before} earlier visits of its kind known, flights on {ways} ways, each airline on its own, and {learnt} earlier visits on the same ways:
"""
_READING = """
Of {look_alikes.of:,} flights that landed elsewhere, circled or flew past, {look_alikes.hits} are told at the place with confidence 4: {look_alikes_rate} per 1,000.
Of {through.of:,} that flew past without landing, {through.hits} are told as a visit to the place or the region: {through_rate} per 1,000.

### How far a told visit can be trusted

Of the visits told, which share was real? That depends on how many flights of each kind there are, and nobody knows it of a dark place: so for three declared
mixes of the same made-up flights. {worlds} worlds for each radius. One bound, that of confidence 4, was chosen on flights of the same seeds in
earlier, straighter worlds; all else on other seeds. A visit to the place is real if it
landed there; one to the region if it landed at the place or at one of the other airports.
"""
_DECILES = """
The same for the mix 50 / 25 / 25 / 0 by the probability that is told. With a history a
probability says how likely the place is if what came before is a guide; confidence asks the flight's own evidence as well.
"""
_MEASURED_ON = """
## Measured on

{recording} reports of {aircraft} aircraft around Paris, 7 October 2021, 12:00 to 15:00 UTC, as answers of the v2 interface every 10 s (MIT-licensed samples of `traffic`); {real}; and
{flights} synthetic flights (seeds from 20270101). Settings are the defaults, the code is the one in this tree. `python -m benchmarks.flights_coverage` repeats all of it.
"""


def report(processes: int = PROCESSES, kept: Mapping[str, Sequence[str]] | None = None) -> Iterator[str]:
    """Write docs/accuracy.md, line by line; of `kept` sections the lines of an earlier document stand in for measuring anew."""
    earlier = kept or {}
    with ProcessPoolExecutor(processes) as workers:
        # What takes longest is begun first.
        masked = None if "masked" in earlier else MaskedParis(workers)
        paris = measure()
        yield _INTRODUCTION.format(reports=f"{paris.reports:,}")
        yield ""
        yield from lines(paris)
        yield from (_REFUTED.format(evidence=told) for told in paris.evidence)
        yield from earlier["cadence"] if "cadence" in earlier else cadence_section(workers)
        yield from earlier["masked"] if masked is None else _masked_section(masked)
    yield from earlier["real"] if "real" in earlier else _real_section(processes)
    yield from earlier["far"] if "far" in earlier else _far_section(every_far(processes))
    yield _MEASURED_ON.format(
        recording=f"{paris.reports:,}",
        aircraft=paris.aircraft,
        real=_real_words(),
        flights=f"{2 * FLIGHTS * len(FAR_KM) * len(LABELS):,}",
    )


def kept_sections(document: str, names: Collection[str]) -> dict[str, list[str]]:
    """Take sections out of an earlier document, each with a sentence that says so; an unknown name is a KeyError."""
    texts = document.split("\n## ")[1:]
    found = {}
    for name in names:
        title, _, text = next(each for each in texts if each.startswith(SECTIONS[name])).partition("\n")
        body = text.replace(_KEPT, "").strip("\n")
        found[name] = [f"\n## {title}", "", _KEPT, "", *body.splitlines()]
    return found


def _masked_section(masked: MaskedParis) -> Iterator[str]:
    yield _MASKED.format(minutes=STUDY_TOLERANCE.total_seconds() / 60)
    yield ""
    yield "| taken away | field | heard coming | recall | precision | false visits of flights that passed | departures found | median error | recall with flight lists | attainable recall | attainable precision |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    cells = list(masked.cells())
    for cell in cells:
        found = cell.found
        error = f"{median(found.errors_s):+.0f} s" if found.errors_s else "–"
        best = " | ".join(map(str, cell.attainable))
        yield f"| {cell.of.name} | {NAMES[cell.of.place.id]} | {_figures(found)} | {error} | {cell.listed.arrivals} | {best} |"
    yield _BESIDE_THE_JUDGE
    yield ""
    yield "| taken away | found, nothing known | found, with flight lists | attainable |"
    yield "|---|---|---|---|"
    yield from (_beside_the_judge(name, cells) for name in dict.fromkeys(cell.of.name for cell in cells))
    yield _HALVES
    yield ""
    yield "| part | heard coming | recall | precision | false visits of flights that passed | departures found |"
    yield "|---|---|---|---|---|---|"
    yield from (f"| {name} | {_figures(found)} |" for name, found in masked.parts())
    yield _SCORES
    for words, known in (("Nothing known of before", False), ("The first half known", True)):
        found_scores = list(calibrations(masked.losses(known=known)))
        yield f"\n{words}:"
        yield ""
        yield from _table(score_titles(found_scores), score_rows(found_scores))
        if not known:
            yield from _drawn(found_scores)


def _beside_the_judge(name: str, cells: Sequence[Cell]) -> str:
    of = [cell for cell in cells if cell.of.name == name]
    shares = [
        sum(each.hits for each in row) for row in zip(*(_found_three_ways(cell) for cell in of), strict=True)
    ]
    return f"| {name} | {' | '.join(map(str, shares))} |"


def _found_three_ways(cell: Cell) -> tuple[Share, Share, Share]:
    return cell.found.arrivals, cell.listed.arrivals, cell.attainable[0]


def _real_section(processes: int) -> Iterator[str]:
    folder = samples()
    if folder is None:
        yield _NO_REAL
        return
    real = measure_real(processes, folder)
    yield _REAL.format(version=version("traffic"), aircraft=real[0].aircraft)
    yield ""
    yield from real_lines(real)
    found = diagrams(real_scores(real))
    yield f"\nWhat was said of each loss, with {' and '.join(f'{km:g} km' for km in MASK_KM)} taken away:"
    yield ""
    yield from _table(score_titles(found), score_rows(found))
    yield from _drawn(found)


def _far_section(told: Sequence[Told]) -> Iterator[str]:
    cases = ", ".join(
        f"{name.removesuffix('_deg').removesuffix('_nm').replace('_', ' ')} n = {n}"
        for name, (n, _) in MEASURED.items()
    )
    yield _FAR.format(
        flights=FLIGHTS, worlds=WORLDS, measured=cases, assumed="\n".join(f"- {each};" for each in ASSUMED)
    )
    yield ""
    yield from table([each for each in told if not each.known])
    yield _KNOWN.format(before=BEFORE, ways=WAYS, learnt=LEARNT_FROM)
    yield ""
    yield from table([each for each in told if each.known])
    alike, past = look_alikes(told), through_told(told)
    yield _READING.format(
        worlds=WORLDS,
        look_alikes=alike,
        look_alikes_rate=_per_thousand(alike),
        through=past,
        through_rate=_per_thousand(past),
    )
    yield ""
    yield from by_confidence(told)
    yield _DECILES
    yield ""
    yield from by_probability(told)


def _per_thousand(share: Share) -> str:
    low, high = (1000 * each for each in share.interval)
    return f"{1000 * (share.value or 0):.1f} ({low:.1f}–{high:.1f})"


def _real_words() -> str:
    return f"the samples of `traffic` {version('traffic')} (MIT)" if samples() else "no long flights"


def _drawn(found: Sequence[ScoredOdds]) -> Iterator[str]:
    yield _DIAGRAM
    yield ""
    yield "```text"
    for each in diagrams(found):
        yield from diagram_lines(each)
        yield ""
    yield "```"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _figures(cell: MaskedResult) -> str:
    heard = f"{cell.audible.hits}/{cell.audible.of}"
    false = f"{cell.false_visits.hits}/{cell.false_visits.of}"
    left = f"{cell.departures.hits}/{cell.departures.of}"
    return f"{heard} | {cell.arrivals} | {cell.precision} | {false} | {left}"


def main() -> None:
    """Print the document."""
    asked = ArgumentParser(description=__doc__)
    asked.add_argument(
        "--keep", nargs="*", choices=sorted(SECTIONS), default=[], help="sections not to measure anew"
    )
    asked.add_argument("--earlier", type=Path, help="the document from which they are taken")
    options = asked.parse_args()
    if options.keep and options.earlier is None:
        asked.error("say with --earlier from which document the sections are taken")
    kept = kept_sections(options.earlier.read_text(encoding="utf-8"), options.keep) if options.keep else {}
    for line in report(kept=kept):
        print(line.rstrip("\n"), flush=True)


if __name__ == "__main__":
    main()
