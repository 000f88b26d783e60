"""How far a told visit can be trusted: for declared mixes of made-up flights, which share of those told was real."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
    """Give the share of real visits among those told."""
    of = [each for each in told if each.grade]
    return Share(sum(each.label == "visit" for each in of), len(of))


def by_confidence(unknown: Sequence[Told], known: Sequence[Told]) -> Iterator[str]:
    """Write a table, a row for each mix with and without a history, and the hard mix again for each radius."""
    yield (
        "| visits / other airport / circled / flew past | history | dark radius | "
        + " | ".join(GRADES)
        + " |"
    )
    yield "|---|---|---|" + "---|" * len(GRADES)
    for mix in MIXES:
        for words, told in (("none", unknown), ("known", known)):
            yield _row(mix, words, "all", mixed(told, mix))
    for km in FAR_KM:
        for words, told in (("none", unknown), ("known", known)):
            yield _row(HARD, words, f"{km:g} km", [each for each in mixed(told, HARD) if each.dark_km == km])


def by_probability(unknown: Sequence[Told], known: Sequence[Told]) -> Iterator[str]:
    """Write a table, a row for each tenth of the probability that the told place has, in the hard mix."""
    yield "| probability of the place told | without a history | with one |"
    yield "|---|---|---|"
    for tenth in range(_DECILES):
        shares = [
            real(each for each in mixed(told, HARD) if _tenth(each) == tenth) for told in (unknown, known)
        ]
        if any(share.of for share in shares):
            yield f"| {tenth / _DECILES:.1f} to {(tenth + 1) / _DECILES:.1f} | {shares[0]} | {shares[1]} |"


def _tenth(told: Told) -> int:
    return min(_DECILES - 1, int(told.probability * _DECILES))


def _row(mix: Mix, history: str, radius: str, told: Sequence[Told]) -> str:
    shares = [real(each for each in told if each.grade == grade) for grade in GRADES]
    name = " / ".join(str(mix[label]) for label in ("visit", "elsewhere", "patrol", "through"))
    return f"| {name} | {history} | {radius} | " + " | ".join(map(str, shares)) + " |"
