"""Plans of many sites: what the plain way gives, without each being held against each, and made once for the same sites."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.feeds import Scope
from monitor.feeds.boxes import BoundingBox, merge_boxes
from monitor.feeds.circles import Circle, enclosing_circle, merge_near_circles
from monitor.feeds.planned import kept_plan
from monitor.sites import Site
from tests.kit.cast import CAST

Groups = list[tuple[BoundingBox, tuple[str, ...]]]


def joined_plainly(wanted: Sequence[tuple[str, BoundingBox]], largest_sqdeg: float) -> Groups:
    """Each pair is looked at after each joining."""
    ordered: Groups = sorted(
        ((box, (name,)) for name, box in wanted), key=lambda each: (each[1], each[0].south, each[0].west)
    )
    groups = dict(enumerate(ordered))
    number = len(groups)
    while True:
        pairs = [
            (one.joined(other).area_sqdeg - one.area_sqdeg - other.area_sqdeg, first, second)
            for first, (one, _) in groups.items()
            for second, (other, _) in groups.items()
            if first < second and one.joined(other).area_sqdeg <= largest_sqdeg
        ]
        if not pairs:
            return sorted(groups.values(), key=lambda each: (each[0].south, each[0].west))
        _, first, second = min(pairs)
        (one, names), (other, more) = groups.pop(first), groups.pop(second)
        groups[number] = (one.joined(other), tuple(sorted({*names, *more})))
        number += 1


def circles_plainly(
    circles: Sequence[tuple[str, Circle]], limit_nm: float
) -> list[tuple[Circle, tuple[str, ...]]]:
    """Each circle is held against every group."""
    groups: list[tuple[Circle, tuple[str, ...]]] = []
    for key, circle in sorted(
        circles, key=lambda each: (each[0], each[1].lat, each[1].lon, each[1].radius_nm)
    ):
        joined = [(enclosing_circle(group, circle), index) for index, (group, _) in enumerate(groups)]
        best = min(joined, key=lambda each: (each[0].radius_nm, each[1]), default=None)
        if best is not None and best[0].radius_nm <= limit_nm:
            groups[best[1]] = (best[0], (*groups[best[1]][1], key))
        else:
            groups.append((circle, (key,)))
    return groups


corners = st.builds(
    lambda south, west, height, width: BoundingBox(south, west, south + height, west + width),
    st.integers(-60, 60).map(lambda n: n / 2),
    st.integers(-170, 160).map(lambda n: n / 2),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    st.sampled_from([0.0, 0.5, 1.0, 2.0]),
)


@given(st.lists(corners, max_size=12), st.sampled_from([0.0, 1.0, 25.0, 400.0, 5_000.0]))
def test_boxes_are_joined_as_if_every_pair_were_looked_at(boxes: list[BoundingBox], largest: float) -> None:
    wanted = [(f"s{number:02}", box) for number, box in enumerate(boxes)]
    assert merge_boxes(wanted, largest) == joined_plainly(wanted, largest)


@given(
    st.lists(st.builds(Circle, st.floats(-89.9, 89.9), st.floats(-180, 180), st.floats(0, 120)), max_size=15),
    st.floats(1, 400),
)
def test_circles_are_joined_as_if_each_were_held_against_all(circles: list[Circle], limit_nm: float) -> None:
    wanted = [(f"s{number:02}", circle) for number, circle in enumerate(circles)]
    assert merge_near_circles(wanted, limit_nm) == circles_plainly(wanted, limit_nm)


@pytest.mark.parametrize("lat", [0.0, 51.9, 89.99, -89.99])
@pytest.mark.parametrize("lon", [0.0, 179.999, -179.999])
def test_circles_are_joined_across_180_degrees_and_around_poles(lat: float, lon: float) -> None:
    wanted = [("a", Circle(lat, lon, 10)), ("b", Circle(lat, -lon, 10)), ("c", Circle(-lat, lon / 2, 10))]
    assert merge_near_circles(wanted, 100) == circles_plainly(wanted, 100)


class Planning:
    """A feed that counts how often it plans."""

    def __init__(self) -> None:
        self.planned = 0

    @kept_plan
    def scopes(self, sites: Sequence[Site]) -> Sequence[Scope]:
        """Count."""
        self.planned += 1
        return [Scope(site.id, (site.id,)) for site in sites]


def test_the_same_sites_are_planned_once_and_others_anew() -> None:
    feed, sites = Planning(), list(CAST)
    first = feed.scopes(sites)
    assert feed.scopes(list(sites)) is first
    assert feed.planned == 1
    assert [each.key for each in feed.scopes(sites[:1])] == [sites[0].id]
    assert feed.planned == 2
    assert feed.scopes(sites) is first
    for count in range(2, 4):
        for _ in range(3):
            feed.scopes(sites[-count:])
    assert feed.planned == 4
