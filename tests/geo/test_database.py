import contextlib
import gc
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.geo import GeoDatabase, GeoDatabaseError, GeoResult, GeoStatus, inspection, loading, memory
from extproc.geo.address import is_locatable

WriteDatabase = Callable[..., Path]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def opened(city: Path) -> Iterator[GeoDatabase]:
    database = GeoDatabase.load(city)
    yield database
    database.close()


def refusal(path: Path, **options: object) -> GeoDatabaseError:
    # In this process, which is quicker; test_apart.py shows that the other one says the same.
    with pytest.raises(GeoDatabaseError) as refused:
        GeoDatabase.load(path, apart=False, **options)  # type: ignore[arg-type]
    assert refused.value.path == path
    assert str(refused.value) == f"{path}: {refused.value.what}; {refused.value.mend}"
    return refused.value


def descriptors() -> set[str]:
    """Return the open ones by number and target, without the one that lists them."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(f"{link.name} {link.readlink()}")
    return found


def mappings() -> int:
    return Path("/proc/self/maps").read_text().count("memfd:situs-geo")


LOCATED = [
    ("81.2.69.142:0", GeoResult(status=GeoStatus.LOCATED, country="GB")),
    ("[::ffff:81.2.69.142]:443", GeoResult(status=GeoStatus.LOCATED, country="GB")),
    ("[64:ff9b::81.2.69.142]:443", GeoResult(status=GeoStatus.LOCATED, country="GB")),
    (
        "24.48.0.1:0",
        GeoResult(status=GeoStatus.LOCATED, country="CA", subdivision="CA-QC", registered_country="US"),
    ),
    ("214.1.1.1:9", GeoResult(status=GeoStatus.LOCATED, country="DE", represented_country="US")),
    ("[2001:218::1]:443", GeoResult(status=GeoStatus.LOCATED, country="JP")),
]


@pytest.mark.parametrize(("address", "result"), LOCATED)
def test_located(opened: GeoDatabase, address: str, result: GeoResult) -> None:
    assert opened.locate(address) == result
    assert opened.locate(address) is opened.locate(address)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("9.9.9.9:0", GeoStatus.NOT_FOUND),
        ("[2a00::1]:0", GeoStatus.NOT_FOUND),
        ("10.0.0.1:0", GeoStatus.NOT_LOCATABLE),
        ("[::1]:0", GeoStatus.NOT_LOCATABLE),
        # A database aliases these three to the IPv4 network; they still have no place.
        ("[2002:5102:458e::1]:0", GeoStatus.NOT_LOCATABLE),
        ("[2001:0:5102:458e::1]:0", GeoStatus.NOT_LOCATABLE),
        ("[::81.2.69.142]:0", GeoStatus.NOT_LOCATABLE),
        ("", GeoStatus.UNPARSABLE),
        ("fe80::1%eth0", GeoStatus.UNPARSABLE),
        ("/run/envoy.sock", GeoStatus.UNPARSABLE),
        ("46.16.1.1:0", GeoStatus.NOT_A_COUNTRY),
    ],
)
def test_not_located(opened: GeoDatabase, address: str, status: GeoStatus) -> None:
    assert opened.locate(address) == GeoResult(status=status)


def test_a_continent_is_no_country(opened: GeoDatabase) -> None:
    expected = GeoResult(status=GeoStatus.NO_COUNTRY, registered_country="FR")
    assert opened.locate("[2a02:d000::1]:0") == expected


@given(st.text())
def test_no_text_raises(opened: GeoDatabase, text: str) -> None:
    assert isinstance(opened.locate(text), GeoResult)


@pytest.mark.slow
@given(st.ip_addresses() | st.integers(0x51024500, 0x510245FF).map(IPv4Address))
def test_agrees_with_a_slow_reference(opened: GeoDatabase, city: Path, address: object) -> None:
    result = opened.locate(str(address))
    with maxminddb.open_database(city, maxminddb.MODE_MMAP_EXT) as reader:
        record = reader.get(str(address))
    located = ip_address(str(address))
    if not is_locatable(located.packed):
        # An IPv4-mapped or NAT64 address is asked for by the address in it.
        assert result.status is GeoStatus.NOT_LOCATABLE or located.version == 6
    elif record is None:
        assert result.status is GeoStatus.NOT_FOUND
    else:
        assert isinstance(record, dict)
        assert record["country"] == {"iso_code": result.country} or result.country == "GB"


@pytest.mark.parametrize(
    ("database_type", "record"),
    [
        ("DBIP-Country-Lite", {"country": {"iso_code": "CA"}}),
        ("ipinfo bundle_location_lite.mmdb", {"country": "Canada", "country_code": "CA"}),
        ("ipinfo generic_country_free.mmdb", {"country": "CA", "country_name": "Canada"}),
    ],
)
@pytest.mark.parametrize("ip_version", [4, 6])
def test_vendors(write_database: WriteDatabase, database_type: str, record: object, ip_version: int) -> None:
    path = write_database({"24.48.0.0/16": record}, database_type=database_type, ip_version=ip_version)
    database = GeoDatabase.load(path, canaries={"24.48.0.1": "CA"}, apart=False)
    assert database.identity.database_type == database_type
    assert database.locate("[2001:218::1]:443").status is GeoStatus.NOT_FOUND
    database.close()


def test_a_database_of_ipv6_alone(write_database: WriteDatabase) -> None:
    database = GeoDatabase.load(write_database({"2001:218::/32": {"country": {"iso_code": "JP"}}}), apart=False)
    assert database.locate("[2001:218::1]:1").country == "JP"
    assert database.locate("81.2.69.142:1").status is GeoStatus.NOT_FOUND
    database.close()


@pytest.mark.parametrize("record", ["CA", ["CA"], 5, True, {}, {"country": "CA"}, {"country": {"iso_code": 5}}])
def test_records_of_another_shape_have_no_country(write_database: WriteDatabase, record: object) -> None:
    networks = {"24.48.0.0/16": record, "81.2.69.0/24": {"country": {"iso_code": "GB"}}}
    database = GeoDatabase.load(write_database(networks), apart=False)
    assert database.locate("24.48.0.1:0") == GeoResult(status=GeoStatus.NO_COUNTRY)
    assert database.unreadable == 0
    database.close()


def test_identity_is_of_the_bytes(write_database: WriteDatabase) -> None:
    path = write_database(build_epoch=1_700_000_000)
    database = GeoDatabase.load(path, apart=False)
    assert database.identity.sha256 == sha256(path.read_bytes()).hexdigest()
    assert database.identity.build_epoch == 1_700_000_000
    assert database.identity.database_type == "GeoLite2-City"
    assert database.identity.node_count > 0
    database.close()


def test_results_kept_are_bounded(write_database: WriteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "CACHE_ENTRIES", 64)
    database = GeoDatabase.load(write_database(), apart=False)
    for last in range(100):
        assert database.locate(f"81.2.69.{last}:0").country == "GB"
    infos = [shard.cache_info() for shard in database._lookup._shards]
    assert sum(info.maxsize or 0 for info in infos) == 64
    assert 32 < sum(info.currsize for info in infos) <= 64
    database.locate("81.2.69.99:77")
    assert sum(shard.cache_info().hits for shard in database._lookup._shards) == 1
    database.close()
    assert not any(shard.cache_info().currsize for shard in database._lookup._shards)


# What may be wrong with a file, and that each refusal says so.


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"not a database", "no metadata"),
        (b"\xab\xcd\xefMaxMind.com", "ends inside"),
        (b"\xab\xcd\xefMaxMind.com\xe0", "is damaged"),
    ],
)
def test_not_a_database(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "x.mmdb"
    path.write_bytes(content)
    assert what in refusal(path).what


def test_missing(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "x.mmdb").what


def test_a_directory(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(tmp_path).what


def test_a_name_with_a_null_byte() -> None:
    assert "cannot be opened" in refusal(Path("a\0b")).what


def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert "not a regular file" in refusal(path).what


@pytest.mark.parametrize("module", [loading, inspection])
@pytest.mark.parametrize("error", [MemoryError, OSError])
def test_want_of_memory_is_not_blamed_on_the_file(
    city: Path, monkeypatch: pytest.MonkeyPatch, module: object, error: type[Exception]
) -> None:
    def wanting(_: int) -> object:
        raise error("Cannot allocate memory")

    gc.collect()
    before = descriptors(), mappings()
    monkeypatch.setattr(module, "open_copy", wanting)
    refused = refusal(city)
    assert "cannot be opened" in refused.what
    assert "damaged" not in refused.what
    assert "check memory limits" in refused.mend
    monkeypatch.undo()
    del refused
    gc.collect()
    assert (descriptors(), mappings()) == before


def test_no_permission(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom the mode of a file does not stop.
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert "Permission denied" in refusal(city).what


def test_a_read_error_closes_everything(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    before = descriptors()
    monkeypatch.setattr(os, "read", broken)
    assert "Input/output error" in refusal(city).what
    assert descriptors() == before


def test_too_large(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_FILE_BYTES", 100)
    assert "the limit is 100" in refusal(city).mend


@pytest.mark.parametrize("grown", [b"", b"more"])
def test_a_file_that_changes_while_it_is_read(
    write_database: WriteDatabase, monkeypatch: pytest.MonkeyPatch, grown: bytes
) -> None:
    path = write_database()
    read = os.read

    def read_and_change(source: int, size: int) -> bytes:
        chunk = read(source, size)
        with path.open("ab") as file:
            file.write(grown)
        os.utime(path, ns=(1, 1))
        return chunk

    monkeypatch.setattr(os, "read", read_and_change)
    monkeypatch.setattr(memory, "MAX_FILE_BYTES", path.stat().st_size)
    assert "changed while it was read" in refusal(path).what


def test_without_the_c_extension(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "maxminddb.extension", None)
    error = refusal(city)
    assert "C extension" in error.what
    assert "binary wheel" in error.mend


def test_the_c_extension_is_here() -> None:
    assert importlib.import_module("maxminddb.extension").__file__


def test_an_unsupported_type(write_database: WriteDatabase) -> None:
    error = refusal(write_database(database_type="GeoLite2-ASN"))
    assert "'GeoLite2-ASN'" in error.what
    assert "IPinfo Lite" in error.mend


@pytest.mark.parametrize(
    "networks",
    [
        {"81.2.69.0/24": {"land": {"iso_code": "GB"}}},
        {"2001:218::/32": {"continent": {"code": "AS"}}},
        {"81.2.69.0/24": {"country": {"iso_code": "XK"}}},
    ],
)
def test_no_country_in_the_first_networks(write_database: WriteDatabase, networks: object) -> None:
    assert "gives no country" in refusal(write_database(networks)).what


def test_an_unreadable_record_among_the_first(write_database: WriteDatabase) -> None:
    path = write_database({"81.2.69.0/24": {"country": {"iso_code": "GB"}}})
    path.write_bytes(path.read_bytes().replace(b"\x42GB", b"\x42\xff\xff"))
    assert "unreadable record at 81.2.69.0" in refusal(path).what


def test_not_older_than(write_database: WriteDatabase) -> None:
    path = write_database(build_epoch=1_700_000_000)
    GeoDatabase.load(path, not_older_than=1_700_000_000).close()
    assert "before 1700000001" in refusal(path, not_older_than=1_700_000_001).what


def test_age(write_database: WriteDatabase) -> None:
    database = GeoDatabase.load(write_database(build_epoch=1_700_000_000), apart=False)
    assert database.age_s(1_700_000_000.5) == 0.5
    assert database.age_s(1_800_000_000.0) == 100_000_000.0
    assert database.age_s(1_699_999_000.0) == 0.0
    database.close()


DAY_S = 86_400


def test_a_database_of_tomorrow_is_taken_and_one_of_the_day_after_is_not(write_database: WriteDatabase) -> None:
    path = write_database(build_epoch=1_700_000_000)
    GeoDatabase.load(path, now_s=1_700_000_000.0 - DAY_S, apart=False).close()
    error = refusal(path, now_s=1_700_000_000.0 - DAY_S - 1)
    assert "in the future (now is 1699913599)" in error.what
    assert "check the clock of this machine" in error.mend


@pytest.mark.parametrize("build_epoch", [2**63, 2**64 - 1])
def test_a_build_epoch_that_is_no_time_is_refused(write_database: WriteDatabase, build_epoch: int) -> None:
    assert "in the future" in refusal(write_database(build_epoch=build_epoch)).what


def test_without_a_time_the_clock_is_asked(write_database: WriteDatabase) -> None:
    path = write_database(build_epoch=int(time.time()) + 10 * DAY_S)
    assert "in the future" in refusal(path).what


def test_canaries(city: Path) -> None:
    canaries = {"81.2.69.142": "GB", "[2001:218::1]:443": "JP", "9.9.9.9": None, "10.0.0.1": None}
    GeoDatabase.load(city, canaries=canaries).close()


@pytest.mark.parametrize(
    ("address", "country", "what"),
    [
        ("81.2.69.142", "FR", "says GB for the canary 81.2.69.142, not FR"),
        ("81.2.69.142", None, "says GB for the canary 81.2.69.142, not unknown"),
        ("9.9.9.9", "US", "says not_found for the canary 9.9.9.9, not US"),
        ("nobody", None, "not an address"),
        ("9.9.9.9", "UK", "not a country"),
    ],
)
def test_canaries_that_do_not_hold(city: Path, address: str, country: str | None, what: str) -> None:
    assert what in refusal(city, canaries={address: country}).what


# The life of the bytes.


def test_close_releases_everything(city: Path) -> None:
    before_load = descriptors()
    database = GeoDatabase.load(city)
    assert descriptors() == before_load
    before = mappings()
    assert database.locate("81.2.69.142:0").country == "GB"
    database.close()
    database.close()
    assert mappings() == before - 1
    assert database.locate("81.2.69.142:0") == GeoResult(status=GeoStatus.NO_COUNTRY)
    assert database.unreadable == 1


def test_an_unclosed_database_is_released_without_the_collector(city: Path) -> None:
    before = mappings()
    gc.disable()
    try:
        database = GeoDatabase.load(city)
        assert mappings() == before + 1
        del database
        assert mappings() == before
    finally:
        gc.enable()


def test_a_refused_database_is_released(city: Path) -> None:
    gc.collect()
    before = mappings(), descriptors()
    refusal(city, canaries={"9.9.9.9": "US"})
    assert (mappings(), descriptors()) == before


# What could take the process with it runs in a process of its own.


def run(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


TRUNCATE = """
import sys
from pathlib import Path
import maxminddb
from extproc.geo import GeoDatabase
path = Path(sys.argv[1])
database = GeoDatabase.load(path)
mapped = maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT)
with path.open("r+b") as file:
    file.truncate(0)
if sys.argv[2:]:
    mapped.get("81.2.69.142")
print([database.locate(f"81.2.69.{n}:0").country for n in range(3)], flush=True)
path.write_bytes(b"another")
print(database.locate("24.48.0.1:0").subdivision, flush=True)
path.unlink()
print(database.locate("[2001:218::1]:0").country, flush=True)
"""


@pytest.mark.slow
def test_truncating_replacing_and_removing_the_file_change_nothing(write_database: WriteDatabase) -> None:
    done = run(TRUNCATE, write_database())
    assert (done.returncode, done.stdout) == (0, "['GB', 'GB', 'GB']\nCA-QC\nJP\n"), done.stderr


@pytest.mark.slow
def test_the_same_truncation_kills_a_reader_of_the_mapped_file(write_database: WriteDatabase) -> None:
    """The reason for the copy. If this ever passes without a signal, the copy may go."""
    done = run(TRUNCATE, write_database(), Path("mapped"))
    assert done.returncode == -signal.SIGBUS, done.stderr


CRASHING_KEY = """
import sys
import maxminddb
maxminddb.open_database(sys.argv[1], maxminddb.MODE_MMAP_EXT).get("81.2.69.142")
"""


@pytest.fixture
def crashing(write_database: WriteDatabase) -> Path:
    """Return a database with a map key that is a double: its bits are the address that C code reads."""
    path = write_database({"81.2.69.0/24": {"longkey8": "GB", "country": {"iso_code": "GB"}}})
    content = path.read_bytes()
    assert content.count(b"\x48longkey8") == 1
    path.write_bytes(content.replace(b"\x48longkey8", b"\x68longkey8"))
    return path


def test_a_key_that_is_not_text_is_refused(crashing: Path) -> None:
    assert "map key that is not text" in refusal(crashing).what


@pytest.mark.slow
def test_the_same_key_kills_the_c_extension(crashing: Path) -> None:
    """The reason for the check of every record. If this ever passes without a signal, the check may go."""
    assert run(CRASHING_KEY, crashing).returncode == -signal.SIGSEGV


SURVIVE = """
import random, sys, tempfile
from pathlib import Path
from extproc.geo import GeoDatabase, GeoDatabaseError, GeoStatus
from extproc.core.iso3166 import is_country
good = Path(sys.argv[1]).read_bytes()
metadata = good.rindex(b"\\xab\\xcd\\xefMaxMind.com")
path = Path(sys.argv[1] + ".mutant")
ADDRESSES = ["81.2.69.142", "24.48.0.1", "214.1.1.1", "2001:218::1", "2a02:d000::1", "46.16.1.1", "9.9.9.9"]

def mutants():
    for end in range(0, len(good), 7):
        yield good[:end]
    for start in range(1, len(good), 97):
        yield good[start:]
    rng = random.Random(3166)
    for _ in range(40):
        yield rng.randbytes(rng.randrange(3000))
        yield rng.randbytes(500) + good[metadata:]
    for _ in range(1500):
        mutant = bytearray(good)
        first = metadata if rng.random() < 0.3 else 0
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(first, len(good))
            mutant[at] = rng.choice((mutant[at] ^ 1 << rng.randrange(8), rng.randrange(256)))
        yield bytes(mutant)
    for _ in range(300):
        mutant = bytearray(good)
        at = rng.randrange(len(good))
        mutant[at:at + rng.randrange(40)] = rng.randbytes(rng.randrange(40))
        yield bytes(mutant)

loaded = refused = 0
for mutant in mutants():
    path.write_bytes(mutant)
    try:
        database = GeoDatabase.load(path, apart=False)
    except GeoDatabaseError:
        refused += 1
        continue
    loaded += 1
    for address in ADDRESSES:
        result = database.locate(address)
        assert (result.country is None) != (result.status is GeoStatus.LOCATED)
        assert result.country is None or is_country(result.country)
    database.close()
print(loaded, refused)
"""


@pytest.mark.slow
def test_no_mutation_of_a_file_crashes(write_database: WriteDatabase) -> None:
    done = run(SURVIVE, write_database())
    assert done.returncode == 0, done.stderr
    loaded, refused = map(int, done.stdout.split())
    assert loaded > 20
    assert refused > 1000


@pytest.mark.slow
@given(st.integers(0), st.binary(min_size=1, max_size=8))
def test_flipped_metadata_is_refused_or_works(city: Path, place: int, flips: bytes) -> None:
    content = bytearray(city.read_bytes())
    start = content.rindex(b"\xab\xcd\xefMaxMind.com")
    for offset, flip in enumerate(flips):
        content[start + (place + offset) % (len(content) - start)] ^= flip
    path = city.with_suffix(".flipped")
    path.write_bytes(content)
    try:
        database = GeoDatabase.load(path, apart=False)
    except GeoDatabaseError:
        return
    assert isinstance(database.locate("81.2.69.142"), GeoResult)
    database.close()


@pytest.mark.slow
def test_a_record_found_damaged_at_a_lookup_is_counted_and_not_kept(write_database: WriteDatabase) -> None:
    # Text that is not UTF-8, beyond the sampled networks: the form is sound, so loading does not see it.
    networks: dict[str, object] = {
        f"1.{n >> 8}.{n & 255}.0/24": {"country": {"iso_code": "GB" if n % 2 else "FR"}} for n in range(1_500)
    }
    path = write_database(networks | {"81.2.69.0/24": {"country": {"iso_code": "CA"}}})
    path.write_bytes(path.read_bytes().replace(b"\x42CA", b"\x42\xff\xff"))
    database = GeoDatabase.load(path, apart=False)
    for lookups in (1, 2):
        assert database.locate("81.2.69.142:0") == GeoResult(status=GeoStatus.NO_COUNTRY)
        assert database.unreadable == lookups
    database.close()
