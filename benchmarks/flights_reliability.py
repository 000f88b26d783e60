"""How far a told visit can be trusted: for declared mixes of made-up flights, which share of those told was real."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from benchmarks.flights_far import FAR_KM, GRADES, Told
from benchmarks.flights_synthetic import Label
from monitor.flights.evaluation.scoring import Share

Mix = Mapping[Label, int]
MIXES: tuple[Mix, ...] = (
    {"visit": 90, "elsewhere": 5, "patrol": 5, "through": 0},
    {"visit": 50, "elsewhere": 25, "patrol": 25, "through": 0},
    {"visit": 10, "elsewhere": 10, "patrol": 10, "through": 70},
)
HARD = MIXES[1]
_DECILES = 10


def mixed(told: Sequence[Told], mix: Mix) -> list[Told]:
    """Take as many flights of each kind as a mix says, evenly from all worlds, and as many as there are in all."""
    numbers = {label: sum(each.label == label for each in told if each.dark_km == FAR_KM[0]) for label in mix}
    whole = min(numbers[label] / share for label, share in mix.items() if share)
    kept = {label: mix[label] * whole / numbers[label] for label in mix}
    return [
        each
        for each in told
        if int((each.number + 1) * kept[each.label]) > int(each.number * kept[each.label])
    ]


def real(told: Iterable[Told]) -> Share:
    """Give the share of real visits among those told at the place."""
    of = [each for each in told if each.grade]
    return Share(sum(each.label == "visit" for each in of), len(of))


def real_in_region(told: Iterable[Told]) -> Share:
    """Give the share that really landed in the region among those of which only the region is told."""
    of = [each for each in told if each.region_grade]
    return Share(sum(each.in_region for each in of), len(of))


def by_confidence(told: Sequence[Told]) -> Iterator[str]:
    """Write a table, a row for each mix with and without a history, and the hard mix again for each radius."""
    titles = [f"place, {grade}" for grade in GRADES] + [f"region, {grade}" for grade in GRADES]
    yield (
        "| visits / other airport / circled / flew past | history | dark radius | "
        + " | ".join(titles)
        + " |"
    )
    yield "|---|---|---|" + "---|" * len(titles)
    for mix in MIXES:
        for words, of in _histories(told):
            yield _row(mix, words, "all", mixed(of, mix))
    for km in FAR_KM:
        for words, of in _histories(told):
            yield _row(HARD, words, f"{km:g} km", [each for each in mixed(of, HARD) if each.dark_km == km])


def by_probability(told: Sequence[Told]) -> Iterator[str]:
    """Write a table, a row for each tenth of the probability that is told, in the hard mix."""
    columns: list[tuple[str, Sequence[Told], Callable[[Iterable[Told]], Share], Callable[[Told], float]]] = [
        (f"{what}, {words}", mixed(of, HARD), share, probability)
        for words, of in _histories(told)
        for what, share, probability in (
            ("place", real, lambda each: each.probability if each.grade else -1.0),
            ("region", real_in_region, lambda each: each.region_probability if each.region_grade else -1.0),
        )
    ]
    yield "| probability told | " + " | ".join(f"{title} history" for title, *_ in columns) + " |"
    yield "|---|" + "---|" * len(columns)
    for tenth in range(_DECILES):
        shares = [
            share(each for each in of if probability(each) >= 0 and _tenth(probability(each)) == tenth)
            for _, of, share, probability in columns
        ]
        if any(share.of for share in shares):
            yield (
                f"| {tenth / _DECILES:.1f} to {(tenth + 1) / _DECILES:.1f} | "
                + " | ".join(map(str, shares))
                + " |"
            )


def look_alikes(told: Sequence[Told]) -> Share:
    """Give how many of those that landed elsewhere, circled or flew past are told at the place with confidence 4."""
    of = [each for each in told if each.label != "visit"]
    return Share(sum(each.grade == GRADES[0] for each in of), len(of))


def through_told(told: Sequence[Told]) -> Share:
    """Give how many of those that flew past are told as a visit to the place, or to the region alone."""
    of = [each for each in told if each.label == "through"]
    return Share(sum(bool(each.grade or each.region_grade) for each in of), len(of))


def _histories(told: Sequence[Told]) -> Iterator[tuple[str, list[Told]]]:
    yield "without a", [each for each in told if not each.known]
    yield "with a", [each for each in told if each.known]


def _tenth(probability: float) -> int:
    return min(_DECILES - 1, int(probability * _DECILES))


def _row(mix: Mix, history: str, radius: str, told: Sequence[Told]) -> str:
    shares = [real(each for each in told if each.grade == grade) for grade in GRADES]
    shares += [real_in_region(each for each in told if each.region_grade == grade) for grade in GRADES]
    name = " / ".join(str(mix[label]) for label in ("visit", "elsewhere", "patrol", "through"))
    return f"| {name} | {history.removesuffix(' a')} | {radius} | " + " | ".join(map(str, shares)) + " |"
