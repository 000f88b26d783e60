"""Running a scenario: a discrete-event loop that steps to the next timer or arrival, through the real pipeline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from db.alerts import alerts
from db.engine import reading, writing
from db.migrate import migrate
from db.records import Observation
from db.records.provenance import marked_publisher, provenance_of
from db.scenario_mark import holds_data, mark_scenario, scenario_mark
from monitor import pipeline
from monitor.app import App
from monitor.bootstrap import build_app
from monitor.config.channels import LogSettings
from monitor.config.settings import ProviderSettings, Settings
from monitor.feeds.providers import DEFAULT_PROVIDERS
from monitor.imports import ImportClock, ImportedRecord, open_rows, parse_rows
from monitor.imports.load import store_records
from monitor.replay.scenario import (
    Scenario,
    ScenarioError,
    ScenarioFile,
    ScenarioSky,
    load_scenario,
    read_recordings,
)
from monitor.replay.sky import HOST, InventedSky, sky_passes
from monitor.replay.timeline import Wakes, lapse_moments, poll_timer, slot_of
from monitor.replay.transport import RecordedTransport
from monitor.sites import Site

REPLAY_OWNER = "replay"
_NOWHERE = f"https://{HOST}/"
ReplayProgress = Callable[[float], None]
"""Called with the share of the scenario's time that has passed, 0 to 1."""


@dataclass(slots=True)
class SteppedClock:
    """The scenario's clock: it moves only when the loop steps it."""

    now: datetime

    def __call__(self) -> datetime:
        """The moment that the loop is at."""
        return self.now


def run_scenario(
    folder: Path, database_url: str, progress: ReplayProgress | None = None, *, dated_only: bool = False
) -> App:
    """Run a whole scenario on an empty database; give the program as it stands at the end, still open.

    With `dated_only` nobody learns what has no known date of publication.
    """
    scenario = load_scenario(folder)
    clock = SteppedClock(scenario.start)
    app = _build(scenario, database_url, clock)
    try:
        migrate(app.engine)
        _mark(app, scenario)
        pipeline.note_sites(app, scenario.start)
        arrivals = _arrivals(scenario, app.sites, dated_only=dated_only)
        _Loop(app, scenario, clock, arrivals, progress or (lambda _share: None)).run()
    except BaseException:
        app.close()
        raise
    return app


def _mark(app: App, scenario: Scenario) -> None:
    """Say in the database itself what it holds, before it holds anything; raises ScenarioError where it does already."""
    with writing(app.engine) as connection:
        if holds_data(connection) or scenario_mark(connection) is not None:
            raise ScenarioError(
                f"The {app.database} holds something already. A replay needs an empty database: what was made up must "
                "not stand among what was watched."
            )
        mark_scenario(connection, scenario.mark, scenario.start)


def _build(scenario: Scenario, database_url: str, clock: SteppedClock) -> App:
    intervals: dict[str, int] = {}
    transport = RecordedTransport(
        read_recordings(scenario), lambda name, at: slot_of(at, intervals[name]), clock
    )
    app = build_app(scenario_settings(scenario, database_url), transport=transport)
    intervals.update({name: feed.provider.interval_s for name, feed in app.feeds.items()})
    transport.skies.update(_skies(scenario, app.sites))
    return app


def _skies(scenario: Scenario, sites: Mapping[str, Site]) -> dict[str, InventedSky]:
    """The invented passes by the provider that lists them; raises ScenarioError."""
    return {each.provider: _sky(each, sites) for each in scenario.skies}


def _sky(each: ScenarioSky, sites: Mapping[str, Site]) -> InventedSky:
    site = sites.get(each.site)
    if site is None or not any(area.id == each.area and area.geometry is not None for area in site.areas):
        raise ScenarioError(
            f"{each.file}: its passes are over the area {each.area} of {each.site}, which is not drawn there: draw it "
            "in the sites file of the scenario."
        )
    try:
        return InventedSky(site, each.area, each.seed, sky_passes(each.file))
    except OSError as error:
        raise ScenarioError(f"The passes {each.file} cannot be read: {error.strerror}.") from None
    except (KeyError, ValueError) as error:
        raise ScenarioError(f"{each.file} is no list of passes: {error!r}.") from None


def scenario_settings(scenario: Scenario, database_url: str) -> Settings:
    """The settings under which a scenario runs: its own providers and sites, and no channel but the log."""
    off = {provider.name: ProviderSettings(enabled=False) for provider in DEFAULT_PROVIDERS}
    on = {
        name: ProviderSettings.model_validate(
            {
                **each.model_dump(exclude={"active", "sites"}, exclude_unset=True),
                **_said_of(name, scenario),
                "enabled": True,
            }
        )
        for name, each in scenario.providers.items()
    }
    return Settings(
        database_url=SecretStr(database_url),
        sites_file=scenario.sites,
        log_channel=False,
        channels={name: LogSettings(kind="log") for name in scenario.channels},
        providers=off | on,
        lapse_after_days=scenario.lapse_after_days,
    )


def _said_of(name: str, scenario: Scenario) -> dict[str, Any]:
    """What a provider that nobody recorded says of itself wherever its data are shown."""
    provenance = provenance_of(name)
    if provenance == "recorded":
        return {}
    # Only those that answer have lines; whose answers are missing is made up by the scenario itself.
    said = [each.origin for each in scenario.recordings if each.provenance == provenance] or [scenario.title]
    return {
        "base_url": _NOWHERE,
        "licence": f"{provenance} for a scenario",
        "attribution": f"{provenance} for a scenario, not recorded: {' '.join(dict.fromkeys(said))}",
        "redistribute": False,
    }


class _Loop:
    def __init__(
        self,
        app: App,
        scenario: Scenario,
        clock: SteppedClock,
        arrivals: Mapping[datetime, list[ImportedRecord]],
        progress: ReplayProgress,
    ) -> None:
        self._app, self._scenario, self._clock, self._progress = app, scenario, clock, progress
        self._arrivals = arrivals
        self._due = Wakes(sorted(self._arrivals))
        whole = (scenario.start, scenario.end)
        recorded = read_recordings(scenario)
        self._timers = [
            poll_timer(name, scenario.providers[name], feed.provider.interval_s, whole, recorded)
            for name, feed in app.feeds.items()
        ]

    def run(self) -> None:
        """Step from moment to moment until the scenario ends."""
        self._load_what_was_known()
        while (moment := self._next()) is not None and moment <= self._scenario.end:
            self._clock.now = moment
            self._step(moment)
            whole = self._scenario.end - self._scenario.start
            self._progress((moment - self._scenario.start) / whole)
        self._clock.now = self._scenario.end
        self._finish()
        self._progress(1.0)

    def _load_what_was_known(self) -> None:
        start = self._scenario.start
        for moment in [each for each in self._due.moments if each < start]:
            self._take_in(moment, start)
        self._finish()

    def _next(self) -> datetime | None:
        now = self._clock.now
        with reading(self._app.engine) as connection:
            open_alerts = alerts(connection, status="open")
        lapses = lapse_moments((each.last_look_at for each in open_alerts), self._scenario.lapse_after_days)
        nexts = [self._due.next_after(now), lapses.next_after(now)]
        nexts += [timer.next_after(now) for timer in self._timers]
        return min((each for each in nexts if each is not None), default=None)

    def _step(self, moment: datetime) -> None:
        self._take_in(moment, moment)
        for timer in self._timers:
            # Ask the timer itself: another event may fall on the very moment of a poll.
            if timer.is_due(moment):
                for site in self._scenario.providers[timer.provider].sites or (None,):
                    pipeline.poll(self._app, moment, timer.provider, site)
        self._finish()

    def _finish(self) -> None:
        now = self._clock.now
        pipeline.derive(self._app, now)
        if self._scenario.skies:
            self._look(now)
        pipeline.judge(self._app, now, not_before=self._scenario.start)
        pipeline.deliver(self._app, self._clock, REPLAY_OWNER)

    def _look(self, now: datetime) -> None:
        """Read the passes that are due, and make their pictures, until nothing more is."""
        while any(report.read for report in pipeline.read_pixels(self._app, now)):
            pass
        while any(report.made for report in pipeline.make_pictures(self._app, now)):
            pass
        pipeline.tell_pictures(self._app, now)

    def _take_in(self, moment: datetime, recorded_at: datetime) -> None:
        records = [replace(each, recorded_at=recorded_at) for each in self._arrivals.get(moment, ())]
        if records:
            with writing(self._app.engine) as connection:
                store_records(connection, records, self._app.sites)


def _arrivals(
    scenario: Scenario, sites: Mapping[str, Site], *, dated_only: bool
) -> dict[datetime, list[ImportedRecord]]:
    read = (record for file in scenario.observations for record in _read(file, sites, scenario))
    records = [each for each in read if not (dated_only and each.undated)]
    records.sort(key=lambda each: each.result_time)
    return {moment: list(group) for moment, group in groupby(records, key=lambda each: each.result_time)}


def _read(file: ScenarioFile, sites: Mapping[str, Site], scenario: Scenario) -> Sequence[ImportedRecord]:
    records, faults = parse_rows(open_rows(file.file)(), sites, ImportClock(scenario.end))
    if faults:
        raise ScenarioError(f"{file.file}: {'; '.join(str(fault) for fault in faults)}")
    return [_marked(each, file) for each in records]


def _marked(record: ImportedRecord, file: ScenarioFile) -> ImportedRecord:
    publisher = marked_publisher(record.publisher, file.provenance)
    if isinstance(record, Observation):
        return replace(record, publisher=publisher, origin=publisher)
    return replace(record, publisher=publisher)
