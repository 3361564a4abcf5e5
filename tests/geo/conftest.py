import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

WriteDatabase = Callable[..., Path]

NETWORKS: dict[str, object] = {
    "81.2.69.0/24": {"country": {"iso_code": "GB", "names": {"en": "United Kingdom"}}},
    "24.48.0.0/16": {
        "country": {"iso_code": "CA"},
        "registered_country": {"iso_code": "US"},
        "subdivisions": [{"iso_code": "QC"}, {"iso_code": "06"}],
    },
    "214.0.0.0/8": {"country": {"iso_code": "DE"}, "represented_country": {"iso_code": "US"}},
    "2001:218::/32": {"country": {"iso_code": "JP"}},
    "2a02:d000::/24": {"continent": {"code": "EU"}, "registered_country": {"iso_code": "FR"}},
    "46.16.0.0/16": {"country": {"iso_code": "XK"}},
}


@pytest.fixture(scope="session")
def write_database(tmp_path_factory: pytest.TempPathFactory) -> WriteDatabase:
    """Return a function that writes a database and returns its path."""
    folder = tmp_path_factory.mktemp("geo")
    numbers = itertools.count()

    def write(
        networks: Mapping[str, object] = NETWORKS,
        *,
        database_type: str = "GeoLite2-City",
        ip_version: int = 6,
        build_epoch: int | None = None,
    ) -> Path:
        writer = MMDBWriter(
            ip_version, database_type, languages=["en"], ipv4_compatible=ip_version == 6, description="made up"
        )
        for network, record in networks.items():
            writer.insert_network(IPSet([network]), record)
        if build_epoch is not None:
            metadata = writer._build_meta() | {"build_epoch": build_epoch}
            writer._build_meta = lambda: metadata
        path = folder / f"{next(numbers)}.mmdb"
        writer.to_db_file(str(path))
        return path

    return write


@pytest.fixture(scope="session")
def city(write_database: WriteDatabase) -> Path:
    return write_database()
