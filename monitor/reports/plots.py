"""Plots of one series with what was expected: in the terminal (plotext) and as PNG or SVG (matplotlib)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from alerts.attribution import data_line
from alerts.backtest.summary import Episode
from alerts.judging.forecast import Expected
from alerts.rules.series import certain_count
from db.records import Observation
from db.records.provenance import made_words

_DAY_FORMAT = "Y-m-d"
_EDGE = timedelta(days=1)
_EPISODES = {
    True: ("#2e7d4f", "real episode"),
    False: ("#b3202c", "false episode"),
    None: ("#a35c00", "episode without a label"),
}
_LINE_LETTERS = 170
"""So many letters of small print fit across a picture."""


def terminal_plot(
    looks: Sequence[Observation], expected: Sequence[Expected], title: str, width: int, height: int
) -> str:
    """Counts as points, what was expected as a line, the 95 % interval as two more; plain text."""
    import plotext  # noqa: PLC0415 - it looks at the terminal when imported

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    plotext.date_form(_DAY_FORMAT)
    plotext.title(_titled(title, looks))
    if expected:
        days = [_day(each.look) for each in expected]
        plotext.plot(days, [each.high for each in expected], marker="dot", label="95 % high")
        plotext.plot(days, [each.expected for each in expected], marker="braille", label="expected")
        plotext.plot(days, [each.low for each in expected], marker="dot", label="95 % low")
    plotext.scatter(
        [_day(each) for each in looks], [certain_count(each) for each in looks], marker="x", label="counted"
    )
    drawn: str = plotext.uncolorize(plotext.build())
    return drawn.rstrip()


def _titled(title: str, looks: Sequence[Observation]) -> str:
    made = made_words(name for each in looks for name in each.data_from)
    return f"{title}\n{made}" if made else title


def _day(look: Observation) -> str:
    return f"{look.period_start:%Y-%m-%d}"


def picture_plot(
    path: Path,
    looks: Sequence[Observation],
    expected: Sequence[Expected],
    title: str,
    episodes: Sequence[Episode] = (),
    *,
    data: Sequence[str] = (),
) -> None:
    """Write a picture, PNG or SVG by its name: counts, what was expected with its 95 % interval, episodes, and whose data.

    Episodes are numbered as in the report, and coloured by what somebody said of them. `data` stands below the chart, and inside
    the file as its copyright, so that a copy carries it.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - heavy
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy

    figure = Figure(figsize=(9, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    if expected:
        times = _times([each.look.period_start for each in expected])
        low, high = ([getattr(each, name) for each in expected] for name in ("low", "high"))
        axes.fill_between(times, low, high, color="#c6d4e1", step="mid", label="95 % of looks")
        axes.plot(times, [each.expected for each in expected], color="#44749d", label="expected")
    axes.plot(
        _times([each.period_start for each in looks]),
        [certain_count(each) for each in looks],
        linestyle="none",
        marker=".",
        color="#23395b",
        label="counted",
    )
    _draw_episodes(axes, episodes)
    axes.set_title(_titled(title, looks), pad=18 if episodes else None)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False)
    line = data_line(data)
    figure.supxlabel("\n".join(wrap(line, _LINE_LETTERS)), fontsize=7, x=0.01, ha="left", parse_math=False)
    kind = path.suffix.lower()
    # Letters as letters, and the same bytes for the same numbers.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(
            path, metadata={".png": {"Copyright": line}, ".svg": {"Rights": line, "Date": None}}.get(kind)
        )


def _draw_episodes(axes: Any, episodes: Sequence[Episode]) -> None:
    told = set()
    for number, each in enumerate(episodes, start=1):
        color, label = _EPISODES[each.real]
        # A single look is a moment, and would be no wider than nothing.
        first, last = _times([each.start - _EDGE, each.end + _EDGE])
        axes.axvspan(
            first, last, color=color, alpha=0.25, linewidth=1.5, label="" if label in told else label
        )
        middle = _times([each.start + (each.end - each.start) / 2])[0]
        axes.annotate(
            str(number),
            (middle, 1.0),
            xycoords=("data", "axes fraction"),
            color=color,
            ha="center",
            va="bottom",
            fontweight="bold",
        )
        told.add(label)


def _times(at: Sequence[datetime]) -> Any:
    # matplotlib takes datetimes; its types name only numbers.
    return np.array([each.astimezone(UTC).replace(tzinfo=None) for each in at], dtype="datetime64[us]")
