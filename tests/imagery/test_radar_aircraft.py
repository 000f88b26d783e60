"""Aircraft by radar: chance alone seldom lifts a pixel beyond its limit, and what stands there for ever is not news."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import polygamma

from monitor.imagery.radar_aircraft import (
    LOOKS_OF_LEAST,
    RadarApronLook,
    apron_words,
    chance_limit_db,
    measured_aircraft,
    study_aircraft,
    with_aircraft,
)
from monitor.imagery.radar_pixels import laid_together

SHAPE = (40, 40)
APRON = np.zeros(SHAPE, bool)
APRON[10:22, 10:30] = True
RING = ~APRON
RING[8:24, 8:32] = False
ENL = 10.0


def speckled(count: int, seed: int = 1, enl: float = ENL) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    level = np.where(APRON, -18.0, -10.0)
    return [(level + 10 * np.log10(rng.gamma(enl, 1 / enl, SHAPE))).astype(np.float32) for _ in range(count)]


def said(levels: list[NDArray[np.float32]]) -> list[float | None]:
    looks = [RadarApronLook(str(place), each) for place, each in enumerate(levels)]
    return [each.value for _, each in measured_aircraft(looks, "apron", APRON, RING, "p")]


@pytest.mark.parametrize("enl", [4.4, 10.0, 30.0])
def test_an_empty_apron_is_empty_at_nearly_every_look(enl: float) -> None:
    values = [value for seed in range(4) for value in said(speckled(35, seed, enl))]
    assert len(values) == 80
    assert None not in values
    assert sum(1 for value in values if value) <= 6, values


def test_the_limit_of_chance_is_that_of_gamma_speckle() -> None:
    rng = np.random.default_rng(9)
    enl = 6.0
    spread = 10 / math.log(10) * math.sqrt(float(polygamma(1, enl)))
    before = rng.gamma(enl, 1 / enl, (15, 300_000)).min(axis=0)
    beyond = 10 * np.log10(rng.gamma(enl, 1 / enl, 300_000) / before) > chance_limit_db(spread, 15)
    assert 1e-5 < beyond.mean() < 6e-4


def test_an_aircraft_is_found_and_one_that_never_left_is_not_counted() -> None:
    rng = np.random.default_rng(3)
    quiet = speckled(17)
    came = [*quiet[:16], with_aircraft(quiet[16], 15, 20, 8_000.0, rng)]
    assert said(came)[-1] == 1
    # What does not move throws back the same at every look of one orbit.
    resident = [with_aircraft(each, 15, 20, 8_000.0, np.random.default_rng(5)) for each in quiet]
    assert said(resident)[-1] == 0
    once_away = [*resident[:5], quiet[5], *resident[6:]]
    assert said(once_away)[-1] == 1, "it was gone in one of fifteen looks"


def test_a_scene_that_is_darker_as_a_whole_or_half_unseen_is_not_counted() -> None:
    quiet = speckled(17)
    assert said([*quiet[:16], (quiet[16] - 5).astype(np.float32)])[-1] is None
    brighter = (quiet[16] + 1.0).astype(np.float32)
    assert said([*quiet[:16], brighter])[-1] == said(quiet)[-1], "another satellite"
    hidden = quiet[16].copy()
    hidden[:, :22] = np.nan
    assert said([*quiet[:16], hidden])[-1] is None


def test_fewer_than_fifteen_looks_say_nothing_and_the_study_says_what_would_be_found() -> None:
    assert said(speckled(LOOKS_OF_LEAST)) == []
    looks = [RadarApronLook(str(place), each) for place, each in enumerate(speckled(30))]
    told = [each for _, each in measured_aircraft(looks, "apron", APRON, RING, "p")]
    learned = study_aircraft(looks, ("apron", "Apron"), APRON, RING, told)
    assert learned.admitted
    assert learned.smallest in (20.0, 35.0)
    assert "would be found" in apron_words(learned, "T115")
    few = study_aircraft(looks[:18], ("apron", "Apron"), APRON, RING, told[:3])
    assert "of 18 looks 3 could be measured" in apron_words(few, "T115")


def test_each_pixel_of_all_passes_is_of_one_burst_and_missing_without_it() -> None:
    upper, lower = np.full((2, 4, 4), np.nan, np.float32), np.full((2, 4, 4), np.nan, np.float32)
    upper[:, :3], lower[:, 1:] = 1.0, 9.0
    both, alone = laid_together([{"a": upper, "b": lower}, {"b": lower}])
    assert (both[0, :3] == 1).all()
    assert (both[0, 3] == 9).all()
    assert np.isnan(alone[0, :3]).all(), "seen by the other burst, from another place"
    assert (alone[0, 3] == 9).all()
