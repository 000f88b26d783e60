"""Sites as a table, for joins and maps: apart, because tables take more memory than all the rest of a service."""

from collections.abc import Iterable

import geopandas

from monitor.sites import Site


def sites_frame(sites: Iterable[Site]) -> geopandas.GeoDataFrame:
    """One row a site (id, name, kind, timezone, precision, outline in WGS 84)."""
    listed = list(sites)
    return geopandas.GeoDataFrame(
        {
            "id": [site.id for site in listed],
            "name": [site.name for site in listed],
            "kind": [site.kind for site in listed],
            "timezone": [site.timezone.key for site in listed],
            "precision": [site.precision for site in listed],
        },
        geometry=[site.geometry for site in listed],
        crs="EPSG:4326",
    )
