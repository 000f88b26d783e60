"""The metrics that can be counted, with the words messages use for them. Pure."""

from dataclasses import dataclass

from db.records import SeriesKind


@dataclass(frozen=True, slots=True)
class Metric:
    """An observed property: a flow grows with time watched, a stock is a snapshot."""

    name: str
    kind: SeriesKind
    one: str
    many: str
    event: bool = False
    """True where each count is something that happened once (an arrival), told as an alert of its own."""

    def noun(self, value: float) -> str:
        """What is counted, for so many of it: `railcar`, `railcars`."""
        return self.one if value == 1 else self.many


METRICS = {
    metric.name: metric
    for metric in (
        Metric("arrivals", "flow", "arrival", "arrivals", event=True),
        Metric("departures", "flow", "departure", "departures", event=True),
        Metric("aircraft_present", "stock", "aircraft present", "aircraft present"),
        Metric("stay_h", "stock", "hour on the ground", "hours on the ground", event=True),
        Metric("new_visitors", "flow", "new visitor", "new visitors", event=True),
        Metric("railcars", "stock", "railcar", "railcars"),
        Metric("locomotives", "stock", "locomotive", "locomotives"),
        Metric("containers", "stock", "container", "containers"),
        Metric("container_stack_length_m", "stock", "m of container stack", "m of container stack"),
        Metric("ships_present", "stock", "ship present", "ships present"),
        Metric("ship_calls", "flow", "ship call", "ship calls", event=True),
        Metric("vehicles", "stock", "vehicle", "vehicles"),
        Metric("passes", "stock", "satellite pass", "satellite passes"),
    )
}
"""Every metric by name; `passes` is imagery over a site that nobody has counted yet."""

NOTE_METRIC = "note"
