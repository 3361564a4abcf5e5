"""The demo's geography: which made-up address stands in which country, and the database that says so."""

from pathlib import Path
from typing import Final

NETWORKS: Final = {
    "DE": "31.0.0.0/16",
    "FR": "31.1.0.0/16",
    "US": "31.2.0.0/16",
    "AE": "31.3.0.0/16",
    "BR": "31.4.0.0/16",
}
"""Public address space, so that the address rules let it through. Who really holds it does not matter here."""

ADDRESSES: Final = {
    "DE": "31.0.0.7",
    "FR": "31.1.0.7",
    "US": "31.2.0.7",
    "AE": "31.3.0.7",
    "BR": "31.4.0.7",
    "unknown": "31.9.0.7",
}
"""One client in each country, and one that the database does not know."""


def write_geo_database(path: Path) -> None:
    """Write a database in MaxMind's format that knows :data:`NETWORKS`."""
    # Only the demo needs these two packages: the sidecar reads databases and never writes one.
    from mmdb_writer import MMDBWriter  # noqa: PLC0415
    from netaddr import IPSet  # noqa: PLC0415

    writer = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type="GeoIP2-Country", languages=["en"], description="Situs demo"
    )
    for country, network in NETWORKS.items():
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}})
    writer.to_db_file(str(path))
