import sys
from pathlib import Path

import pytest

from benchmarks.baselines_agreement import HEAD, agreements

pytestmark = [pytest.mark.long, pytest.mark.untraced]


# About 20 s on an idle core; the limit is for crowded machines.
@pytest.mark.timeout(900)
@pytest.mark.shared
def test_farrington_and_ears_answer_as_r_does_on_all_420_series(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # C3 is left out on purpose: R's version ignores today's count, ours is CDC's formula.
    found = {agreement.method: agreement for agreement in agreements(shared_data)}
    with capsys.disabled():
        sys.stdout.write("\n".join(["", HEAD, *(agreement.line() for agreement in found.values()), ""]))
    assert found["FF_noufaily_005"].bound == 0
    assert found["FF_delta_01"].bound < 1e-9
    assert found["EARS_C1"].bound < 1e-9
    assert found["EARS_C2"].bound < 1e-9
    for agreement in found.values():
        assert agreement.points == 41_160
        assert agreement.alarms == 0
        assert agreement.p < 1e-7
