"""One engine: a series through the live line has the same answers, to the last digit, as among others in a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from alerts.baselines.budget import FalseAlarmPromise, shares_of
from alerts.baselines.engine import RULE_QUESTIONS, Judgement, Remembered, SideInformation, judge_series
from alerts.baselines.model import Series, clean_looks
from alerts.baselines.special import FloatArray
from alerts.judging.judge import JudgingContext, judge_pending
from alerts.judging.verdicts import KnownHistory, context_of, verdicts_on
from alerts.rules.contract import Verdict
from alerts.watch import SiteWatch, merge_watch
from db.engine import open_engine, reading, writing
from db.migrate import migrate
from db.observations import record_observations
from db.records import Evaluation, Observation, SeriesKey, SeriesKind
from monitor.bootstrap import RULES
from tests.kit.reading import evaluations

START = datetime(2021, 1, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DEFAULTS = ("record", "tail", "first_ever", "first_since", "absence", "step")
EVERY = tuple(RULE_QUESTIONS)


@dataclass(frozen=True)
class Batch:
    """Random series of one kind, as a study lays them out: counts and exposure [series, time]."""

    counts: FloatArray
    exposure: FloatArray
    kind: SeriesKind
    step_days: int
    daily: bool = False

    @property
    def looks(self) -> int:
        return int(self.counts.shape[1])

    def series(self, upto: int) -> Series:
        """All series up to a column."""
        length = float(self.step_days) if self.kind == "flow" else MINUTE / timedelta(days=1)
        return Series(
            self.step_days * np.arange(1.0 - upto, 1.0),
            clean_looks(self.counts[:, :upto], self.exposure[:, :upto], kind=self.kind),
            daily=self.daily,
            period_days=length,
            today=(START + timedelta(days=self.step_days * (upto - 1))).date(),
        )

    def records(self, row: int) -> list[Observation]:
        """The looks of one series that counted anything, as sources report them."""
        metric = "arrivals" if self.kind == "flow" else "railcars"
        step = timedelta(days=self.step_days)
        length = step if self.kind == "flow" else MINUTE
        return [
            Observation(
                SeriesKey("site", "", metric, "", "detector:1"),
                self.kind,
                START + n * step,
                START + n * step + length,
                str(n),
                float(value),
                START + n * step + length,
                START + n * step + length,
                precision="day" if self.daily else "window",
                exposure=float(share),
            )
            for n, (value, share) in enumerate(zip(self.counts[row], self.exposure[row], strict=True))
            if not np.isnan(value)
        ]


def batch(kind: SeriesKind, looks: int, seed: int, series: int = 10, *, daily: bool = False) -> Batch:
    """Mixed levels, seasons and steps; exposures down to where a zero means nothing; hidden days of daily series."""
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(0.5, 1.5, (series, 1)))
    step_days = 1 if daily else 7
    year = 2 * np.pi * step_days * np.arange(looks) / 365.25
    shift = np.where(np.arange(looks) > looks - rng.integers(5, 60, (series, 1)), rng.choice([1.0, 3.0]), 1.0)
    exposure = rng.uniform(0.15, 1.0, (series, looks))
    mean = level * np.exp(0.5 * np.cos(year + rng.uniform(0, 6, (series, 1)))) * shift * exposure
    counts = rng.negative_binomial(mean, 0.5).astype(np.float64)
    counts[: series // 3, -3:] += 9.0
    if daily:
        hidden = rng.random(counts.shape) < 0.1
        hidden[:, [0, -2, -1]] = False
        counts[hidden], exposure[hidden] = np.nan, np.nan
    return Batch(counts, exposure, kind, step_days, daily=daily)


def watching(metric: str, rules: tuple[str, ...]) -> SiteWatch:
    watch = merge_watch({metric: {"rules": {name: {} for name in rules}}})
    return SiteWatch("site", "Site", "railhead", "UTC", metrics=watch)


def asked(rules: tuple[str, ...]) -> dict[str, Mapping[str, object]]:
    return {name: RULES[name].defaults for name in rules}


def agree(told: Verdict | Evaluation, study: Judgement, row: int) -> None:
    """Hold what the live line says of one look to the answer in the study."""
    rule, said, status = told.rule, told.details, told.status
    # A record or a first may be told because the tail is: the engine counts such a look once.
    exceeded = told.exceeded and not said.get("supported")
    ruling = study.rulings[rule]
    where = (rule, row, said)
    if rule.startswith("first") and not study.series.looks.today[row] > 0:
        # In words a first asks first whether anything was there at all.
        assert not exceeded
        assert not ruling.fires[row]
        return
    assert status == ruling.answers.say(row), where
    assert exceeded == bool(ruling.fires[row]), where
    needs = int(ruling.answers.needs[row])
    if status == "cannot_tell" and needs:
        assert said["missing"] == needs, where
    if status == "evaluated" and not rule.startswith("first"):
        # Where nothing changed, or something was there, the words say just that: p is 1.
        ordinary = rule in {"absence", "step"} and said["p"] == 1.0
        assert ordinary or said["p"] == ruling.answers.p[row], where
        assert said["alpha"] == study.spending.alpha(rule)[row], where
        assert said["looks_a_year"] == round(float(study.spending.looks_a_year[row]), 1), where


BATCHES = [
    pytest.param("stock", 175, False, id="weekly stock"),
    pytest.param("flow", 175, False, id="weekly flow"),
    pytest.param("stock", 18, False, id="young stock"),
    pytest.param("flow", 430, True, id="daily flow"),
    pytest.param("stock", 70, True, id="daily stock"),
]


@pytest.mark.parametrize("rules", [DEFAULTS, EVERY], ids=["default rules", "every rule"])
@pytest.mark.parametrize(("kind", "looks", "daily"), BATCHES)
def test_a_series_through_the_live_line_answers_as_among_others_in_a_study(
    kind: SeriesKind, looks: int, *, daily: bool, rules: tuple[str, ...]
) -> None:
    made = batch(kind, looks, seed=looks + len(rules), daily=daily)
    fired = 0
    for upto in (looks - 1, looks):
        study = judge_series(made.series(upto), FalseAlarmPromise(shares=shares_of(rules)), asked(rules))
        fired += int(study.fires.sum())
        for row in range(len(made.counts)):
            own = [each for each in made.records(row) if int(each.look_key) < upto]
            site = watching(own[0].series.metric, rules)
            known = KnownHistory(own[-1].result_time, own)
            verdicts = verdicts_on(own[-1], known, site, RULES, context_of(site, own[0].series.metric, known))
            assert {each.rule for each in verdicts} == set(rules)
            for each in verdicts:
                agree(each, study, row)
    assert fired or looks < 20, "series of which no rule tells would show little"


@pytest.mark.parametrize(("kind", "looks", "daily"), BATCHES[:2])
def test_looks_judged_as_they_are_stored_answer_as_the_study_does_week_by_week(
    kind: SeriesKind, looks: int, *, daily: bool, tmp_path: Path
) -> None:
    """Through SQL, with what `step` remembers from look to look."""
    made = batch(kind, looks, seed=7, series=3, daily=daily)
    engine = open_engine(f"sqlite:///{tmp_path / 'line.db'}")
    migrate(engine)
    row = 1
    own = made.records(row)
    metric = own[0].series.metric
    with writing(engine) as connection:
        record_observations(connection, own)
    site = watching(metric, DEFAULTS)
    judge_pending(
        engine, JudgingContext({"site": site}, RULES, (), too_old=timedelta(days=7)), own[-1].result_time
    )
    with reading(engine) as connection:
        stored = evaluations(connection, "site")
    engine.dispose()
    assert len({each.observation for each in stored}) == len(own)
    memory, studies = None, []
    for upto in range(1, looks + 1):
        study = judge_series(
            made.series(upto),
            FalseAlarmPromise(shares=shares_of(DEFAULTS)),
            asked(DEFAULTS),
            SideInformation(memory=memory),
        )
        memory = study.rulings["step"].of(Remembered).memory
        studies.append(study)
    for each in stored:
        agree(each, studies[int(each.observation.look_key)], row)
