"""Several people's counts of one picture: side by side, with what is to be said of their agreement."""

from typing import Any

import pytest

from db.records import Evidence, Observation
from monitor.reports.agreement import pair_records, shared_counts
from tests.kit.builders import look


def count(by: str, value: float | None, scene: str = "S2A_1", **fields: Any) -> Observation:
    evidence = (Evidence("scene", scene, ""),) if scene else ()
    return look("2024-05-01", value, procedure="analyst", publisher=by, evidence=evidence, **fields)


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        (count("Ann", 70), count("Ben", 70), True),
        (count("Ann", 70), count("Ben", 73), False),
        (count("Ann", 70, low=60, high=80), count("Ben", 73), True),
        (count("Ann", 70, qualifier="~="), count("Ben", 73), True),
        (count("Ann", 70, qualifier=">="), count("Ben", 120), True),
        (count("Ann", 70, qualifier=">="), count("Ben", 40), False),
    ],
)
def test_two_agree_where_their_bounds_leave_room_for_both(
    one: Observation, other: Observation, *, agree: bool
) -> None:
    (shared,) = shared_counts([one, other])
    assert shared.agree is agree
    assert shared.words.endswith(
        "They agree within their bounds." if agree else "They contradict each other."
    )


def test_what_one_could_not_see_is_no_contradiction_and_no_agreement() -> None:
    (shared,) = shared_counts([count("Ann", 70), count("Ben", None, assessable=False)])
    assert not shared.agree
    assert shared.words == "Ann counts 70 and Ben could not count."


def test_one_person_alone_another_scene_or_another_metric_is_not_shared() -> None:
    alone = [count("Ann", 70), count("Ann", 71, scene="S2A_2"), count("Ben", 3, metric="locomotives")]
    assert shared_counts([*alone, count("Ben", 70, scene="S2A_3"), count("", 5)]) == []
    detector = look(
        "2024-05-01",
        40,
        procedure="cfar@S1",
        publisher="Detector",
        evidence=(Evidence("scene", "S2A_1", ""),),
    )
    assert shared_counts([count("Ann", 70), detector]) == []


def test_a_pair_is_reckoned_over_all_pictures_that_both_counted() -> None:
    both = [
        count(by, value, scene)
        for scene, ann, ben in (("a", 70, 70), ("b", 100, 90), ("c", 10, 5), ("d", 0, 0))
        for by, value in (("Ann", ann), ("Ben", ben))
    ]
    (record,) = pair_records([*both, count("Ann", 4, "e")])
    assert (record.names, record.pictures, record.agreeing) == (("Ann", "Ben"), 4, 2)
    assert record.words.endswith(
        "counted 4 pictures both and agree on 2; their counts lie 5% apart in the middle."
    )


def test_without_a_scene_the_same_period_is_the_same_picture() -> None:
    (shared,) = shared_counts([count("Ann", 7, ""), count("Ben", 9, "")])
    assert len(shared.counts) == 2
