"""Files with orbit elements that a user supplies and renews: read when they are new, the last good ones kept otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from monitor.imagery.orbits import ElementsError, FlownPasses, Orbit, read_elements
from monitor.sites import Site

_LARGEST_BYTES = 16 * 1024 * 1024
_Stamp = tuple[int, int]


class OrbitFiles:
    """The satellites in these files. Raises ElementsError where one cannot be used at the start; later its last good elements stand."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._known: dict[Path, tuple[_Stamp, list[Orbit]]] = {}
        self._faults: dict[Path, str] = {}
        for path in paths:
            self._known[path] = _read(path)

    def passes_over(self, site: Site) -> list[FlownPasses]:
        """The passes over a site of every satellite whose elements are known, the newest of each."""
        for path in self._known:
            self._renew(path)
        newest: dict[str, tuple[Orbit, Path]] = {}
        for path, (_, orbits) in self._known.items():
            for each in orbits:
                if each.platform not in newest or each.epoch > newest[each.platform][0].epoch:
                    newest[each.platform] = each, path
        place = site.geometry.representative_point()
        return [
            replace(orbit.passes_over(place.x, place.y), fault=self._faults.get(path, ""))
            for orbit, path in newest.values()
        ]

    def _renew(self, path: Path) -> None:
        try:
            if _stamp(path) != self._known[path][0]:
                self._known[path] = _read(path)
            self._faults.pop(path, None)
        except ElementsError as error:
            self._faults[path] = f"{error} Those that were read before are gone by."


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        raise ElementsError(f"The orbit elements in {path} cannot be read: {error.strerror}.") from None
    if found.st_size > _LARGEST_BYTES:
        raise ElementsError(
            f"The orbit elements in {path} are larger than 16 MB; a file of a few satellites is enough."
        )
    return found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[_Stamp, list[Orbit]]:
    stamp = _stamp(path)
    try:
        return stamp, read_elements(path.read_text(encoding="utf-8"))
    except ElementsError as error:
        raise ElementsError(f"The orbit elements in {path} cannot be used: {error}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ElementsError(f"The orbit elements in {path} cannot be read: {error}.") from None
