"""Every database of a vendor loads, or is refused with a mend; none takes the process with it and none hangs.

The same assertions run over two sets of files. The generated set, which needs nothing, is always there. MaxMind's
public test databases are there where SITUS_MAXMIND_TEST_DATA names a checkout of github.com/maxmind/MaxMind-DB (with
its folders test-data and bad-data):

    SITUS_MAXMIND_TEST_DATA=~/MaxMind-DB .venv/bin/pytest tests/geo/test_vendor_files.py
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from geo.lookalikes import (
    BUILT,
    LEAF,
    SOUND,
    damaged_like_public,
    damaged_of_a_type_that_we_read,
    database,
)
from mmdb_writer import MMDBWriter
from netaddr import IPSet

ROOT: Final = Path(__file__).parents[2]
REAL: Final = os.environ.get("SITUS_MAXMIND_TEST_DATA")

LOADS: Final = "loads"
NOT_PLACES: Final = "is not supported"
NOT_ANONYMITY: Final = "is not one of anonymous networks"
PLACES: Final = (LOADS, NOT_ANONYMITY)
ANONYMITY: Final = (NOT_PLACES, LOADS)
NEITHER: Final = (NOT_PLACES, NOT_ANONYMITY)


def damaged(what: str) -> tuple[str, str]:
    return (what, what)


# What becomes of each file as a database of places and as one of anonymous networks: it loads, or the refusal says so.
TABLE: Final = {
    "test-data/GeoIP2-City-Shield-Test.mmdb": PLACES,
    "test-data/GeoIP2-City-Test.mmdb": PLACES,
    "test-data/GeoIP2-Country-Shield-Test.mmdb": PLACES,
    "test-data/GeoIP2-Country-Test.mmdb": PLACES,
    "test-data/GeoIP2-Enterprise-Shield-Test.mmdb": PLACES,
    "test-data/GeoIP2-Enterprise-Test.mmdb": PLACES,
    "test-data/GeoIP2-Precision-Enterprise-Shield-Test.mmdb": PLACES,
    "test-data/GeoIP2-Precision-Enterprise-Test.mmdb": PLACES,
    "test-data/GeoLite2-City-Test.mmdb": PLACES,
    "test-data/GeoLite2-Country-Test.mmdb": PLACES,
    "test-data/GeoIP-Anonymous-Plus-Test.mmdb": ANONYMITY,
    "test-data/GeoIP-Residential-Proxy-Test.mmdb": ANONYMITY,
    "test-data/GeoIP2-Anonymous-IP-Test.mmdb": ANONYMITY,
    "test-data/GeoIP2-IP-Risk-Test.mmdb": ANONYMITY,
    "test-data/GeoIP2-Connection-Type-Test.mmdb": NEITHER,
    "test-data/GeoIP2-DensityIncome-Test.mmdb": NEITHER,
    "test-data/GeoIP2-Domain-Test.mmdb": NEITHER,
    "test-data/GeoIP2-ISP-Test.mmdb": NEITHER,
    "test-data/GeoIP2-Static-IP-Score-Test.mmdb": NEITHER,
    "test-data/GeoIP2-User-Count-Test.mmdb": NEITHER,
    "test-data/GeoLite2-ASN-Test.mmdb": NEITHER,
    "test-data/MaxMind-DB-no-ipv4-search-tree.mmdb": NEITHER,
    "test-data/MaxMind-DB-string-value-entries.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-decoder.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-ipv4-24.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-ipv4-28.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-ipv4-32.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-ipv6-24.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-ipv6-28.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-ipv6-32.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-metadata-pointers.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-mixed-24.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-mixed-28.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-mixed-32.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-nested.mmdb": NEITHER,
    "test-data/MaxMind-DB-test-pointer-decoder.mmdb": NEITHER,
    "test-data/GeoIP2-City-Test-Broken-Double-Format.mmdb": damaged("type 3 and size 2"),
    "test-data/GeoIP2-City-Test-Invalid-Node-Count.mmdb": damaged("is damaged"),
    "test-data/MaxMind-DB-test-broken-pointers-24.mmdb": damaged("ends inside the value"),
    # What is wrong with their trees shows in a lookup, as an error and no hang; so far only the type refuses these two.
    "test-data/MaxMind-DB-test-broken-search-tree-24.mmdb": NEITHER,
    "bad-data/libmaxminddb/libmaxminddb-corrupt-search-tree.mmdb": NEITHER,
    "test-data/maps-with-pointers.raw": damaged("has no metadata"),
    "bad-data/libmaxminddb/libmaxminddb-deep-array-nesting.mmdb": damaged("nests deeper"),
    "bad-data/libmaxminddb/libmaxminddb-deep-nesting.mmdb": damaged("nests deeper"),
    # Sound, though other readers stumbled over them.
    "bad-data/libmaxminddb/libmaxminddb-empty-array-last-in-metadata.mmdb": NEITHER,
    "bad-data/libmaxminddb/libmaxminddb-empty-map-last-in-metadata.mmdb": NEITHER,
    "bad-data/libmaxminddb/libmaxminddb-uint64-max-epoch.mmdb": NEITHER,
    "bad-data/libmaxminddb/libmaxminddb-metadata-marker-only.mmdb": damaged("ends inside"),
    "bad-data/libmaxminddb/libmaxminddb-offset-integer-overflow.mmdb": damaged("is damaged: ends "),
    "bad-data/libmaxminddb/libmaxminddb-oversized-array.mmdb": damaged("ends inside"),
    "bad-data/libmaxminddb/libmaxminddb-oversized-map.mmdb": damaged("ends inside"),
    "bad-data/libmaxminddb/libmaxminddb-separator-record-max-left.mmdb": damaged("into the separator"),
    "bad-data/libmaxminddb/libmaxminddb-separator-record-min-left.mmdb": damaged("into the separator"),
    "bad-data/libmaxminddb/libmaxminddb-separator-record-min-right.mmdb": damaged("into the separator"),
    "bad-data/maxminddb-golang/cyclic-data-structure.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-golang/invalid-bytes-length.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-golang/invalid-data-record-offset.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-golang/invalid-map-key-length.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-golang/invalid-string-length.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-golang/metadata-is-an-uint128.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-golang/unexpected-bytes.mmdb": damaged("is damaged"),
    "bad-data/maxminddb-python/bad-unicode-in-map-key.mmdb": damaged("is damaged"),
}

GB: Final = ["located", "GB", "US", None, None]
GB_OF_FR: Final = ["located", "GB", "FR", None, None]
BASE: Final = ["located", "PH", "PH", "US", None]
JP: Final = ["located", "JP", "JP", None, None]
ANYCAST: Final = ["no_country", None, None, None, "anycast"]
CONTINENT: Final = ["no_country", None, None, None, None]
COUNTRY: Final = {
    "81.2.69.160": GB,
    "2.125.160.216": GB_OF_FR,
    "202.196.224.1": BASE,
    "2001:218::1": JP,
    "2a02:d500::1": CONTINENT,
    "9.9.9.9": ["not_found", None, None, None, None],
    "10.0.0.1": ["not_locatable", None, None, None, None],
}
SHIELDED_COUNTRY: Final = COUNTRY | {"214.1.1.1": ANYCAST}
ENGLAND: Final = {
    "81.2.69.160": ["located", "GB-ENG", "US", None, None],
    "2.125.160.216": ["located", "GB-ENG", "FR", None, None],
}
CITY: Final = COUNTRY | ENGLAND
SHIELDED_CITY: Final = SHIELDED_COUNTRY | ENGLAND
ENTERPRISE: Final = ENGLAND | {
    "202.196.224.1": BASE,
    "214.1.1.1": ANYCAST,
    # The network is Romania's, the address nowhere.
    "5.83.124.1": ["no_country", None, "RO", None, None],
    # A company's own proxy hides nobody from it.
    "74.209.16.1": ["located", "US-NY", "US", None, None],
}
ANONYMOUS: Final = {
    "1.2.0.1": "vpn",
    "1.124.213.1": "tor",
    "71.160.223.1": "hosting",
    "186.30.236.1": "proxy",
    "6.1.0.4": "residential_proxy",
    "2001:480:3a::1": "proxy",
    "9.9.9.9": None,
}
# What each file that loads says of a few addresses: [status, place, registered, represented, network], or the mark.
ANSWERS: Final[dict[str, Mapping[str, object]]] = {
    "test-data/GeoIP2-City-Shield-Test.mmdb": SHIELDED_CITY,
    "test-data/GeoIP2-City-Test.mmdb": SHIELDED_CITY,
    "test-data/GeoIP2-Country-Shield-Test.mmdb": SHIELDED_COUNTRY,
    "test-data/GeoIP2-Country-Test.mmdb": SHIELDED_COUNTRY,
    "test-data/GeoIP2-Enterprise-Shield-Test.mmdb": ENTERPRISE,
    "test-data/GeoIP2-Enterprise-Test.mmdb": ENTERPRISE,
    "test-data/GeoIP2-Precision-Enterprise-Shield-Test.mmdb": ENTERPRISE | {"2001:218::1": JP},
    "test-data/GeoIP2-Precision-Enterprise-Test.mmdb": ENTERPRISE | {"2001:218::1": JP},
    "test-data/GeoLite2-City-Test.mmdb": CITY,
    "test-data/GeoLite2-Country-Test.mmdb": COUNTRY,
    "test-data/GeoIP-Anonymous-Plus-Test.mmdb": ANONYMOUS,
    "test-data/GeoIP2-Anonymous-IP-Test.mmdb": ANONYMOUS,
    "test-data/GeoIP-Residential-Proxy-Test.mmdb": {
        "1.2.0.4": "residential_proxy",
        "6.0.42.17": "residential_proxy",
        "9.9.9.9": None,
    },
    # A data centre of which the vendor is in part sure that a VPN is in it.
    "test-data/GeoIP2-IP-Risk-Test.mmdb": {
        "214.2.3.0": "vpn",
        "214.2.3.5": "tor",
        "214.2.3.6": None,
        "7.1.2.2": "vpn",
    },
}

GENERATED: Final = tuple(
    [f"test-data/{database_type}-Test.mmdb" for database_type in SOUND] + [name for name, _ in damaged_like_public()]
)
SETS: Final = ["generated", *(["real"] if REAL else [])]


def names_of(which: str) -> list[str]:
    if which == "generated":
        return sorted(GENERATED)
    assert REAL is not None
    found = (path for folder in ("test-data", "bad-data") for path in (Path(REAL) / folder).rglob("*"))
    return sorted(str(path.relative_to(REAL)) for path in found if path.suffix in {".mmdb", ".raw"})


FILES: Final = [(which, name) for which in SETS for name in names_of(which)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tmp_path_factory.mktemp("lookalikes")
    for name in GENERATED:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
    for database_type, networks in SOUND.items():
        writer = MMDBWriter(6, database_type, languages=["en"], ipv4_compatible=True, description="made up")
        for network, record in networks.items():
            writer.insert_network(IPSet([network]), record)
        metadata = writer._build_meta() | {"build_epoch": BUILT}
        writer._build_meta = lambda metadata=metadata: metadata
        writer.to_db_file(str(made / f"test-data/{database_type}-Test.mmdb"))
    for name, content in damaged_like_public():
        (made / name).write_bytes(content)
    return {"generated": made, "real": Path(REAL or "/")}


LOAD = """
import json, sys
from pathlib import Path
from extproc.geo import AnonymityDatabase, GeoDatabase, GeoDatabaseError

def places(database, address):
    found = database.locate(address)
    place = found.subdivision or found.country
    return [found.status, place, found.registered_country, found.represented_country, found.network]

def outcome(kind, path, addresses):
    try:
        database = kind.load(path, apart=False)
    except GeoDatabaseError as error:
        return {"what": error.what, "mend": error.mend}
    say = places if kind is GeoDatabase else kind.marks
    said = {address: say(database, address) for address in addresses}
    assert database.unreadable == 0
    database.close()
    return said

for path, addresses in json.load(sys.stdin):
    outcomes = [outcome(kind, Path(path), addresses) for kind in (GeoDatabase, AnonymityDatabase)]
    print(json.dumps(outcomes), flush=True)
"""

Outcomes = list[dict[str, object]]


def load_all(jobs: Sequence[tuple[Path, Sequence[str]]]) -> list[Outcomes | str]:
    """Load files both ways in a process in which nothing protects it, and ask for addresses; say what came of each.

    A text says how a file ended the process; the files after it go on in another.
    """
    results: list[Outcomes | str] = []
    while len(results) < len(jobs):
        rest = [(str(path), list(addresses)) for path, addresses in jobs[len(results) :]]
        try:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", LOAD],
                cwd=ROOT,
                input=json.dumps(rest),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        except subprocess.TimeoutExpired as error:
            results += [json.loads(line) for line in (error.stdout or b"").splitlines()]
            results.append("hangs")
            continue
        results += [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode:
            results.append(f"ended the process with {done.returncode}: {done.stderr}")
    return results


@pytest.fixture(scope="module")
def outcomes(folders: dict[str, Path]) -> dict[tuple[str, str], Outcomes | str]:
    jobs = [(folders[which] / name, list(ANSWERS.get(name, ["9.9.9.9"]))) for which, name in FILES]
    return dict(zip(FILES, load_all(jobs), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("which", "name"), FILES)
def test_every_file_loads_or_is_refused(outcomes: dict[tuple[str, str], Outcomes | str], which: str, name: str) -> None:
    assert name in TABLE, "a file that the table does not know: say there what must become of it"
    found = outcomes[which, name]
    assert not isinstance(found, str), found
    for outcome, expected in zip(found, TABLE[name], strict=True):
        if expected == LOADS:
            assert outcome == ANSWERS[name]
        else:
            assert expected in str(outcome.get("what"))
            assert outcome["mend"]


def test_the_generated_set_has_every_kind_of_file_that_matters() -> None:
    assert set(GENERATED) <= set(TABLE)
    assert {name for name in TABLE if LOADS in TABLE[name]} <= set(GENERATED)
    assert {name for name in TABLE if name.startswith("bad-data/")} <= set(GENERATED)
    assert set(ANSWERS) == {name for name in TABLE if LOADS in TABLE[name]}


DAMAGED = {name: (content, what) for name, content, what in damaged_of_a_type_that_we_read()}


@pytest.fixture(scope="module")
def of_damaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcomes | str]:
    folder = tmp_path_factory.mktemp("damaged")
    for name, (content, _) in DAMAGED.items():
        (folder / name).write_bytes(content)
    return dict(zip(DAMAGED, load_all([(folder / name, ["9.9.9.9"]) for name in DAMAGED]), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_refused_whatever_the_type(of_damaged: dict[str, Outcomes | str], name: str) -> None:
    found = of_damaged[name]
    assert not isinstance(found, str), found
    assert DAMAGED[name][1] in str(found[0].get("what"))
    assert found[0]["mend"]


@pytest.mark.slow
def test_the_sound_form_of_the_damaged_ones_loads(tmp_path: Path) -> None:
    path = tmp_path / "sound.mmdb"
    path.write_bytes(database(LEAF))
    [found] = load_all([(path, ["9.9.9.9"])])
    assert isinstance(found, list)
    assert found[0] == {"9.9.9.9": GB}


@pytest.mark.slow
def test_a_file_that_ends_the_process_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys.modules[__name__],
        "LOAD",
        LOAD.replace("for path,", "import os, signal\nfor path,").replace(
            "    outcomes =", "    if path.endswith('bad'): os.kill(os.getpid(), signal.SIGSEGV)\n    outcomes ="
        ),
    )
    (tmp_path / "good").write_bytes(database(LEAF))
    first, second, third = load_all([(tmp_path / name, ["9.9.9.9"]) for name in ("good", "bad", "good")])
    assert first == third
    assert isinstance(second, str)
    assert "with -11" in second


LATE_LOOP = """
import sys
from pathlib import Path
from extproc.geo import GeoDatabase
database = GeoDatabase.load(Path(sys.argv[1]), apart=False)
print(*(database.locate(address).status.value for address in sys.argv[2:]), database.unreadable)
"""


@pytest.mark.slow
def test_a_loop_that_is_found_at_a_lookup_is_unknown_and_counted(tmp_path: Path) -> None:
    # The lower half is a tree with 2,048 networks, more than loading samples; the upper half never ends.
    inner = 2_047
    loop, data = inner + 1, inner + 2 + 16
    nodes = [(1, loop)]
    for index in range(inner):
        below = 2 * index + 1
        nodes.append((below + 1, below + 2) if below + 1 < inner else (data, data))
    path = tmp_path / "x.mmdb"
    path.write_bytes(database(LEAF, nodes=[*nodes, (loop, loop)]))
    done = subprocess.run(
        [sys.executable, "-c", LATE_LOOP, str(path), "9.9.9.9", "200.0.0.1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["located", "no_country", "1"]
