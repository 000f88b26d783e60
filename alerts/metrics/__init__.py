"""The metrics: what is counted or measured, each described in a file of its own beside this one. Pure.

`sitewatch.toml` may declare more in the same words. Whoever asks for a metric asks here: nobody else keeps a list.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from alerts.metrics.declaration import NOTE_METRIC, Metric, MetricError, declared_metric, metric_of_file
from db.records import MetricMeaning

__all__ = [
    "METRICS",
    "NOTE_METRIC",
    "Metric",
    "MetricError",
    "declare_metrics",
    "meanings",
    "metric_named",
    "read_declarations",
    "recall_metrics",
]

_BUILT_IN: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (metric_of_file(path) for path in sorted(Path(__file__).parent.glob("*.toml")))
}


class _Known(Mapping[str, Metric]):
    """The metrics that are built in and those that the settings declare, by name."""

    def __init__(self) -> None:
        self._known = dict(_BUILT_IN)
        self.on_record: Mapping[str, Metric] = {}
        """What a database says of metrics that are no longer declared."""

    def __getitem__(self, name: str) -> Metric:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def replace_declared(self, declared: Iterable[Metric]) -> None:
        """Let these be the declared ones, in one step: others may be reading."""
        self._known = {**_BUILT_IN, **{metric.name: metric for metric in declared}}


_KNOWN = _Known()
METRICS: Mapping[str, Metric] = _KNOWN
"""Every metric by name; `passes` is imagery over a site that nobody has counted yet."""


def declare_metrics(declarations: Mapping[str, Mapping[str, object]]) -> None:
    """Let the settings' metrics be known beside the built-in ones, in the place of any declared before.

    Raises MetricError that names every fault, and then changes nothing.
    """
    _KNOWN.replace_declared(read_declarations(declarations))


def read_declarations(declarations: Mapping[str, Mapping[str, object]]) -> list[Metric]:
    """Read the declarations of `sitewatch.toml`; raises MetricError that names every fault of all of them."""
    found: list[Metric] = []
    faults: list[str] = []
    for name, given in declarations.items():
        try:
            found.append(declared_metric(name, given, _BUILT_IN))
        except MetricError as error:
            faults += error.faults
    if faults:
        raise MetricError(faults)
    return found


def recall_metrics(meanings: Iterable[MetricMeaning]) -> None:
    """Let what a database keeps of metrics whose declaration is gone be told in their own words."""
    _KNOWN.on_record = {
        each.name: Metric(
            each.name,
            each.kind,
            each.one,
            each.many,
            each.heading,
            measure=each.measure,
            unit=each.unit,
            most=float("inf"),
        )
        for each in meanings
    }


def meanings() -> list[MetricMeaning]:
    """What every known metric means, for a database to keep."""
    return [
        MetricMeaning(each.name, each.measure, each.kind, each.unit, each.one, each.many, each.heading)
        for each in METRICS.values()
    ]


def metric_named(name: str) -> Metric:
    """The metric of this name; one that is no longer declared is told as it was stored, or by its name alone."""
    known = METRICS.get(name) or _KNOWN.on_record.get(name)
    if known is not None:
        return known
    words = name.replace("_", " ")
    return Metric(name, "stock", words, words, words, measure="continuous", most=float("inf"))
