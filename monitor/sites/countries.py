"""Which country a site lies in, as far as what it declares says so: for public holidays."""

from functools import cache
from importlib.resources import files

from monitor.sites import Site

_COUNTRY_LETTERS = 2


def country_of(site: Site) -> str:
    """The country by the site's UN/LOCODE, else the one that the tz database names for its time zone; '' where neither does."""
    if code := site.codes.get("unlocode"):
        return code[:_COUNTRY_LETTERS]
    return _country_of_zone().get(site.timezone.key, "")


@cache
def _country_of_zone() -> dict[str, str]:
    """The tz database's `zone.tab`: each zone with the country for which it was made."""
    table = files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    return {row[2]: row[0] for row in rows}
