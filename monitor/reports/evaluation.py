"""A measurement on tracks as tables, lines and a picture: what was found, how far odds can be trusted, which version is better."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from alerts.attribution import data_line
from monitor.flights.evaluation.calibration import EVERY_PLACE, Estimate, ReliabilityBin, ScoredOdds
from monitor.flights.evaluation.comparing import Comparison
from monitor.flights.evaluation.outcomes import Outcomes, share_record
from monitor.flights.evaluation.scoring import Share

FOUND_TITLES = (
    "taken away",
    "arrivals found",
    "told arrivals that are true",
    "departures found",
    "false visits per 1,000 through-flights",
)
_WIDE = 40
_PLACES_SHOWN = 12
_LIKELY = 0.5
_LINE_LETTERS = 150
_INK, _TOLD, _GRID = "#23395b", "#44749d", "#c6ccd4"


def found_rows(outcomes: Outcomes) -> list[tuple[str, ...]]:
    """Tell what was found under each mask, and at each place of several."""
    rows = [_found_row(mask, shares) for mask, shares in outcomes.totals.items()]
    if 1 < len({event.place for event in outcomes.events}) <= _PLACES_SHOWN:
        rows += [
            _found_row(f"{mask}: {place}", shares)
            for (mask, place), shares in shares_by_place(outcomes).items()
        ]
    return rows


def shares_by_place(outcomes: Outcomes) -> dict[tuple[str, str], dict[str, Share]]:
    """Count the events found and told rightly, for each mask and place."""
    found: dict[tuple[str, str], dict[str, Share]] = {}
    for mask, place in dict.fromkeys((event.mask, event.place) for event in outcomes.events):
        here = [event for event in outcomes.events if (event.mask, event.place) == (mask, place)]
        found[mask, place] = {
            name: Share(sum(event.matched for event in of), len(of))
            for name, kind, side in _COUNTED
            for of in [[event for event in here if (event.kind, event.side) == (kind, side)]]
        }
    return found


_COUNTED = (
    ("arrivals", "arrival", "true"),
    ("precision", "arrival", "told"),
    ("departures", "departure", "true"),
)


def _found_row(name: str, shares: Mapping[str, Share]) -> tuple[str, ...]:
    told = [str(shares[key]) if key in shares else "–" for key in ("arrivals", "precision", "departures")]
    return (name, *told, per_thousand(shares["false_visits"]) if "false_visits" in shares else "–")


def per_thousand(share: Share) -> str:
    """Tell a share by the thousand, with its interval."""
    if share.value is None:
        return "no through-flight"
    low, high = (1000 * each for each in share.interval)
    return f"{share.hits}/{share.of} = {1000 * share.value:.0f} ({low:.0f}–{high:.0f})"


def score_titles(found: Sequence[ScoredOdds]) -> tuple[str, ...]:
    """Give the titles of the table of scores: one more for each rival."""
    return (
        "said of each loss",
        "n",
        "log score (bits)",
        "Brier score",
        *(f"better than {rival} by (bits)" for rival in _rivals(found)),
    )


def _score_row(each: ScoredOdds, rivals: Sequence[str]) -> tuple[str, ...]:
    """Tell how good one kind of statement is, and how much better than each rival."""
    ahead = (str(each.ahead_of(rival)) if rival in each.rivals else "–" for rival in rivals)
    return (each.name, str(len(each.statements)), str(each.log_score), str(each.brier), *ahead)


def score_rows(found: Sequence[ScoredOdds]) -> list[tuple[str, ...]]:
    """Give the table of scores; of many places not each has a row."""
    shown = found if sum(each.is_one_place for each in found) <= _PLACES_SHOWN else diagrams(found)
    return [_score_row(each, _rivals(found)) for each in shown]


def diagrams(found: Sequence[ScoredOdds]) -> list[ScoredOdds]:
    """Choose the diagrams worth drawing: all places together rather than each, every region, and whether it landed."""
    together = [each for each in found if each.statements and not each.is_one_place]
    return together if any(each.name == EVERY_PLACE for each in together) else list(found)


def diagram_lines(each: ScoredOdds) -> Iterator[str]:
    """Draw a reliability diagram in letters: `│` where it was told, `●` where it was true, `─` the 95 % interval."""
    yield f"{each.name}: told │, true ●"
    for found in each.bins:
        yield f"  {found.told:5.3f} {_drawn(found)} {found.true}"


def _drawn(found: ReliabilityBin) -> str:
    low, high = (round(end * _WIDE) for end in found.true.interval)
    letters = ["─" if low <= n <= high else "·" for n in range(_WIDE + 1)]
    letters[round((found.true.value or 0.0) * _WIDE)] = "●"
    told = round(found.told * _WIDE)
    letters[told] = "◉" if letters[told] == "●" else "│"
    return "".join(letters)


def comparison_lines(found: Comparison, this: str, other: str) -> Iterator[str]:
    """Tell which of two versions finds and knows more, flight by flight where both say it."""
    yield f"This is {this}, the other is {other}."
    if found.unpaired:
        yield (
            "The other run tells totals alone, as versions before case-by-case outcomes do: the intervals are of two separate "
            "samples, wider than those of the same flights compared with themselves."
        )
    for pair in (*found.unpaired, *found.told):
        low, high = pair.interval
        yield f"{pair.name}: {pair.this}, other {pair.other}; difference between {low:+.3f} and {high:+.3f}."
    for each in found.found:
        yield (
            f"{each.name}: both {each.both}, only this {each.only_this}, only the other {each.only_other}, neither {each.neither}; "
            f"difference {_signed(each.difference)}; by McNemar p = {each.chance:.3g}."
        )
    for score in found.scores:
        better = "this is better" if score.difference.high < 0 else "the other is better"
        undecided = score.difference.low <= 0 <= score.difference.high
        yield (
            f"log score, {score.name}: {score.this.value:.3f} against {score.other.value:.3f} bits (n = {score.this.number}); "
            f"difference {_signed(score.difference)}: {'not told apart' if undecided else better}."
        )
    if found.only_one:
        yield f"{found.only_one} events stand in one run alone and are left out: tracks, sites or the truth differ."


def scores_record(found: Sequence[ScoredOdds]) -> list[dict[str, Any]]:
    """Give scores and reliability for a JSON document."""
    return [
        {
            "said": each.name,
            "statements": len(each.statements),
            "log_score_bits": _record(each.log_score),
            "brier": _record(each.brier),
            "better_than_bits": {rival: _record(each.ahead_of(rival)) for rival in each.rivals},
            "reliability": [
                {
                    "from": bin_.low,
                    "to": bin_.high,
                    "told": round(bin_.told, 4),
                    **share_record(bin_.true),
                }
                for bin_ in each.bins
            ],
        }
        for each in found
    ]


def comparison_record(found: Comparison) -> dict[str, Any]:
    """Give a comparison for a JSON document."""
    return {
        "found": [
            {
                "name": each.name,
                "both": each.both,
                "only_this": each.only_this,
                "only_other": each.only_other,
                "neither": each.neither,
                "difference": _record(each.difference),
                "mcnemar_p": each.chance,
            }
            for each in found.found
        ],
        "told": [
            {
                "name": each.name,
                "this": share_record(each.this),
                "other": share_record(each.other),
                "interval": each.interval,
            }
            for each in (*found.told, *found.unpaired)
        ],
        "log_scores": [
            {
                "name": each.name,
                "this": _record(each.this),
                "other": _record(each.other),
                "difference": _record(each.difference),
            }
            for each in found.scores
        ],
        "paired": not found.unpaired,
        "only_in_one": found.only_one,
    }


def reliability_plot(path: Path, found: Sequence[ScoredOdds], *, data: Sequence[str]) -> None:
    """Write a picture: for each kind of statement how often it came true, by how likely it was told to be.

    `data` stands below the picture, and inside the file as its copyright, so that a copy carries it.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    wide = min(3, len(found))
    high = -(-len(found) // wide)
    figure = Figure(figsize=(4.2 * wide, 4.6 * high + 0.6), dpi=120, layout="constrained")
    panels = figure.subplots(high, wide, squeeze=False).ravel()
    for axes, each in zip(panels, found, strict=False):
        _panel(axes, each)
    for axes in panels[len(found) :]:
        axes.set_axis_off()
    line = data_line(data)
    figure.supxlabel("\n".join(wrap(line, _LINE_LETTERS)), fontsize=7, x=0.01, ha="left", parse_math=False)
    figure.savefig(path, metadata={"Copyright": line} if path.suffix.lower() == ".png" else None)


def _panel(axes: Any, each: ScoredOdds) -> None:
    """Draw one diagram: on the line what is told comes true as often as it is told; the area of a point is its number."""
    bins = each.bins
    most = max(found.true.of for found in bins)
    axes.plot([0, 1], [0, 1], color=_GRID, linewidth=1.5, zorder=1)
    axes.text(0.03, 0.97, "told too low", transform=axes.transAxes, va="top", fontsize=8, color="#7a828c")
    axes.text(0.97, 0.03, "told too high", transform=axes.transAxes, ha="right", fontsize=8, color="#7a828c")
    for found in bins:
        value, (low, high) = found.true.value or 0.0, found.true.interval
        axes.vlines(found.told, low, high, color=_TOLD, linewidth=1.5, zorder=2)
        axes.scatter(found.told, value, s=20 + 180 * found.true.of / most, color=_INK, zorder=3, linewidths=0)
        below = value > found.told
        axes.annotate(
            str(found.true.of),
            (found.told, low if below else high),
            xytext=(0, -3 if below else 3),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=7,
            color=_TOLD,
        )
    axes.set_title(_headline(each), fontsize=9, loc="left", parse_math=False)
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.08, 1.08)
    axes.set_aspect("equal")
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks], fontsize=8)
    axes.set_yticks(ticks, [f"{100 * tick:.0f} %" for tick in ticks], fontsize=8)
    axes.set_xlabel("told", fontsize=8)
    axes.set_ylabel("came true (95 %; figures: how many)", fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _headline(each: ScoredOdds) -> str:
    """Say in words what the diagram shows: what was told as likely, and how often it was so."""
    likely = [statement for statement in each.statements if statement.probability >= _LIKELY]
    if not likely:
        return f"{each.name}: nothing told as likely"
    told = sum(statement.probability for statement in likely) / len(likely)
    true = Share(sum(statement.true for statement in likely), len(likely))
    return (
        f"{each.name}\ntold likely at {100 * told:.0f} % on average, true {100 * (true.value or 0):.0f} % "
        f"({true.hits} of {true.of})"
    )


def _rivals(found: Sequence[ScoredOdds]) -> list[str]:
    return list(dict.fromkeys(rival for each in found for rival in each.rivals))


def _signed(estimate: Estimate) -> str:
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def _record(estimate: Estimate) -> Mapping[str, Any]:
    return {"value": estimate.value, "interval": [estimate.low, estimate.high], "of": estimate.number}
