"""What was made fast says what it said: the level of the water by products of matrices is SciPy's own filter."""

import numpy as np
import pytest
from scipy import ndimage

from monitor.imagery.vessels_water import _gaussian, _spread


@pytest.mark.parametrize("shape", [(7, 31), (86, 100)])
@pytest.mark.parametrize("sigma", [0.8, 3.3, 53.0])
def test_the_gaussian_is_scipys(shape: tuple[int, int], sigma: float) -> None:
    cells = np.random.default_rng(1).random(shape).astype(np.float32)
    assert _gaussian(cells, sigma) == pytest.approx(ndimage.gaussian_filter(cells, sigma), rel=1e-4)


@pytest.mark.parametrize("step", [1, 3, 6])
def test_cells_are_spread_as_scipy_does(step: int) -> None:
    height, width = 50, 37
    cells = np.random.default_rng(2).random((-(-height // step), -(-width // step))).astype(np.float32)
    grid = np.meshgrid(*((np.arange(n) + 0.5) / step - 0.5 for n in (height, width)), indexing="ij")
    expected = ndimage.map_coordinates(cells, grid, order=1, mode="nearest")
    assert _spread(cells, (height, width), step) == pytest.approx(expected, abs=1e-5)
