"""The tables: every kind of entry has its row, complete parts stay, and nothing is made of entries that do not hash."""

import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ledger.world import IDENTITY, NOW_S, open_log
from parquet.records import every_kind, many

from extproc.archive import open_archive
from extproc.engine import Engine, ProcessEngine
from extproc.extra import MissingExtraError, load_extra
from extproc.ledger.entries import close_to_entry, gap_to_entry
from extproc.ledger.merkle import leaf_hash
from extproc.ledger.tiles import decode_entries
from extproc.parquet import TABLES, Built, build
from extproc.parquet.part import DerivationError
from extproc.parquet.rows import ROWS


def _build(logs: Path, out: Path, engine: Engine | None = None, progress: Callable[[int], None] | None = None) -> Built:
    return build(open_archive(str(logs)), out, engine, progress)


def _rows(out: Path, table: str) -> list[dict[str, Any]]:
    """Read a table as a stranger would: by its files alone, with DuckDB. Times are left out but for `made_at`."""
    files = f"read_parquet('{out}/{table}/**/*.parquet', hive_partitioning = true)"
    connection = duckdb.connect()
    described = connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()  # noqa: S608 - a path
    # A time with its zone would need another library to become Python's.
    names = [name for name, kind, *_ in described if "WITH TIME ZONE" not in kind]
    columns = ", ".join(f'"{name}"' for name in names)
    cursor = connection.execute(f'SELECT {columns}, made_at::TIMESTAMP FROM {files} ORDER BY "index"')  # noqa: S608 - a path
    return [dict(zip([*names, "made_at"], row, strict=True)) for row in cursor.fetchall()]


@pytest.mark.slow
def test_every_kind_has_its_row(tmp_path: Path) -> None:
    log = every_kind(tmp_path / "logs")
    out = tmp_path / "tables"
    built = _build(tmp_path / "logs", out)
    size = sum(each.size for each in built.logs)
    assert sum(count for name, count in built.rows.items() if name != "transfers") == size
    assert set(built.rows) == set(TABLES)
    assert built.rows["malformed"] == 2
    assert {name for name, _ in ROWS.values()} | {"decisions", "transfers", "malformed"} == set(TABLES)
    bundle = decode_entries(next((log / "log/tile/entries").rglob("*.p/*")).read_bytes(), size)
    decisions = _rows(out, "decisions")
    assert [each["leaf"] for each in decisions] == [leaf_hash(bundle[each["index"]]).hex() for each in decisions]
    first, shadow, refused, denied, private = decisions
    at = datetime.fromtimestamp(NOW_S + 1, UTC).replace(tzinfo=None)
    expected = {
        "log": log.relative_to(tmp_path / "logs").as_posix(),
        "origin": f"{IDENTITY.signer}/{log.name}",
        "index": 3,
        "made_at": at,
        "date": date(2025, 11, 21),
        "decision": "00000000-0000-7000-0000-000000000001",
        "sequence": 1,
        "pseudonym": None,
        "sealed": False,
        "policy": "acme",
        "policy_version": 1,
        "program": "1",
        "ingress_region": "eu-fra",
        "tenant": "shop",
        "binding": "claim",
        "model": "digits",
        "jurisdictions": ["DE"],
        "assumed": False,
        "classes": ["personal", "special"],
        "regimes": ["gdpr"],
        "obligations": ["gdpr.dpia"],
        "ingress": True,
        "permitted": ["eu-fra", "eu-ams", "us-east"],
        "excluded": [{"region": "ap-sgp", "reason": "no_permit", "by": "gdpr"}],
        "permits": ["gdpr.home", "gdpr.dpf"],
        "signals": [{"source": "geoip", "tier": 2, "jurisdiction": "DE", "detail": ""}],
        "declared": [{"source": "payload", "data_class": "special", "detail": "detector:iban"}],
        "outcome": "steer",
        "refusal": None,
        "plan": ["eu-fra", "us-east"],
        "route": "eu-fra>us-east",
        "region": "eu-fra",
        "transfer": True,
        "shadow_policy": None,
        "shadow_permitted": None,
        "durability": "fsync",
    }
    assert {name: first[name] for name in expected} == expected
    assert [each["region"] for each in first["estimates"]] == ["eu-fra", "eu-ams", "us-east"]
    assert (shadow["shadow_permitted"], shadow["shadow_refusal"]) == (["eu-fra", "eu-ams"], None)
    assert (refused["shadow_permitted"], refused["shadow_refusal"]) == (None, "unknown_model")
    assert (denied["outcome"], denied["refusal"], denied["ingress"], denied["plan"]) == (
        "deny",
        "unknown_tenant",
        None,
        [],
    )
    assert (denied["retry_after_s"], denied["redirect_host"], denied["transfer"]) == (7, "elsewhere.example", False)
    assert (private["pseudonym"], private["request"], private["sealed"]) == ("ab" * 16, "cd" * 16, True)
    assert (private["durability"], private["pseudonym_day"]) == ("page", "2025-11-21")
    transfers = _rows(out, "transfers")
    assert [(each["index"], each["number"]) for each in transfers] == [(3, 0), (4, 0), (5, 0), (7, 0)]
    wanted = ("regime", "permit", "basis", "mechanism", "cite", "reference", "exporter", "importer", "region")
    assert [transfers[0][name] for name in wanted] == [
        "gdpr",
        "dpf",
        "adequacy",
        "dpf",
        "GDPR Art. 45",
        "DPF-1",
        "DE",
        "US",
        "us-east",
    ]


@pytest.mark.slow
def test_the_other_tables_say_what_the_entries_say(tmp_path: Path) -> None:
    every_kind(tmp_path / "logs")
    _build(tmp_path / "logs", tmp_path)
    says: dict[str, dict[str, Any]] = {
        "deliveries": {"decision": "00000000-0000-7000-0000-000000000001", "attempts_expected": 2, "served": None},
        "overrides": {"action": "suspended", "name": "gdpr.dpf", "approved_by": ["a", "b"]},
        "configs": {"policy": "acme", "shadow_version": 2, "profile": "hybrid", "policy_stored": False, "geo": None},
        "heartbeats": {"sequence": 5, "running_s": 1.5, "free_bytes": 1 << 40},
        "gaps": {"reason": "overflow", "entries": 7, "released": 0},
        "erasures": {"scope": "subject", "pseudonyms": ["ab" * 16], "keys": 1},
        "prunes": {"pruned": "a/b", "end": 256, "root": "02" * 32},
        "holds": {"id": "case-1", "held": "acme", "action": "placed"},
        "drills": {"passed": True, "recovery_s": None, "report": "03" * 32, "rto_target_s": 2.0, "mode": "demo"},
        "acknowledgements": {"violating": "acme/1", "entry": 12, "reason": "INC-7", "approved_by": ["a", "b"]},
        "rotations": {"delegation": "d\n", "checkpoint": "c\n"},
        "lifecycle": {"event": "genesis", "durability": "fsync", "previous": None},
        "heads": {"seen": "other/log", "size": 9},
        "malformed": {"reason": "not an entry"},
    }
    for table, expected in says.items():
        row = _rows(tmp_path, table)[0]
        assert {name: row[name] for name in expected} == expected, table
    shown = "list_transform(attempts, lambda a: [a.cluster, a.region, a.flags::text, epoch_us(a.began_at)::text])"
    sql = f"SELECT {shown} FROM '{tmp_path}/deliveries/*/*.parquet' ORDER BY \"index\" LIMIT 1"  # noqa: S608 - a path
    ((attempts,),) = duckdb.connect().execute(sql).fetchall()
    micros = str(round(NOW_S * 1e6))
    assert attempts == [["eu-fra", "eu-fra", "[]", micros], ["elsewhere", None, "[]", micros]]
    assert _rows(tmp_path, "malformed")[1]["reason"].startswith("a time that no calendar has")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 512 entries, so that a small log has several."""
    monkeypatch.setattr("extproc.parquet.building.PART_ENTRIES", 512)


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_complete_parts_are_kept_and_others_built_again(tmp_path: Path) -> None:
    writer = open_log(tmp_path / "logs")
    writer.append([gap_to_entry(at_s=NOW_S + n, entries=n, first_at_s=1, last_at_s=2) for n in range(1200)])
    writer.publish()
    out = tmp_path / "tables"
    done: list[int] = []
    built = _build(tmp_path / "logs", out, progress=done.append)
    assert (built.parts_built, built.parts_kept, built.rows["gaps"], sum(done)) == (3, 0, 1200, 1201)
    assert _build(tmp_path / "logs", out).parts_kept == 3
    files = sorted(path for path in out.rglob("*.parquet"))
    times = {path: path.stat().st_mtime_ns for path in files}

    # It grew: only the last part is another.
    writer.append([gap_to_entry(at_s=NOW_S + 86_400 + n, entries=n, first_at_s=1, last_at_s=2) for n in range(10)])
    writer.append([close_to_entry(at_s=NOW_S + 90_000, reason="shutdown")])
    writer.close()
    again = _build(tmp_path / "logs", out)
    assert (again.parts_built, again.parts_kept, again.rows["gaps"]) == (1, 2, 1210)
    assert sum(path.stat().st_mtime_ns == at for path, at in times.items()) == 3  # genesis, and gaps of two parts
    assert {path.parent.name for path in out.rglob("*.parquet")} == {"date=2025-11-21", "date=2025-11-22"}

    # A file that is gone, or is another, makes its part incomplete.
    gone, *others = sorted(out.glob("gaps/*/*.parquet"))
    gone.unlink()
    assert _build(tmp_path / "logs", out).parts_built == 1
    shutil.copy(others[0], gone)
    assert _build(tmp_path / "logs", out).parts_built == 1
    gone.write_bytes(b"nonsense")
    assert _build(tmp_path / "logs", out).parts_built == 1
    manifest = next((out / "_parts").iterdir())
    manifest.write_text("{}")
    assert _build(tmp_path / "logs", out).parts_built == 1
    assert len(_rows(out, "gaps")) == 1210


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_what_is_pruned_leaves_the_tables_and_the_rest_stays(tmp_path: Path) -> None:
    log = many(tmp_path / "logs", 600)
    out = tmp_path / "tables"
    assert _build(tmp_path / "logs", out).rows["decisions"] == 600
    for number in (0, 1, 2):
        (log / f"log/tile/entries/{number:03}").unlink()
    built = _build(tmp_path / "logs", out)
    assert (built.pruned, built.parts_built, built.parts_kept) == (768, 2, 1)
    rows = _rows(out, "decisions")
    assert min(each["index"] for each in rows) == 768
    assert len(rows) == built.rows["decisions"]
    # Its configuration went with the beginning, and nothing is made up in its place.
    assert {each["policy"] for each in rows if each["index"] < 1024} == {None}


@pytest.mark.usefixtures("small_parts")
def test_decisions_know_their_configuration_across_parts(tmp_path: Path) -> None:
    many(tmp_path / "logs", 300)
    built = _build(tmp_path / "logs", tmp_path / "t")
    assert built.parts_built == 2
    assert {each["policy"] for each in _rows(tmp_path / "t", "decisions")} == {"acme"}
    max((tmp_path / "t/_parts").iterdir()).unlink()
    assert _build(tmp_path / "logs", tmp_path / "t").parts_kept == 1
    assert {each["policy"] for each in _rows(tmp_path / "t", "decisions")} == {"acme"}


def test_entries_that_do_not_hash_become_no_table(tmp_path: Path) -> None:
    log = many(tmp_path / "logs", 200)
    bundle = log / "log/tile/entries/000"
    data = bundle.read_bytes()
    bundle.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(DerivationError, match="entries 0 to 402 do not hash"):
        _build(tmp_path / "logs", tmp_path / "t")
    assert not list((tmp_path / "t").rglob("*.parquet"))
    bundle.write_bytes(data)
    tile = log / "log/tile/1/000.p/1"
    tile.write_bytes(bytes(32))
    with pytest.raises(DerivationError, match="tiles do not give the root"):
        _build(tmp_path / "logs", tmp_path / "t")


@pytest.mark.slow
def test_rows_are_sorted_by_time_within_a_file(tmp_path: Path) -> None:
    every_kind(tmp_path / "logs")
    _build(tmp_path / "logs", tmp_path)
    for path in tmp_path.rglob("*.parquet"):
        times = duckdb.connect().execute(f"SELECT made_at::TIMESTAMP FROM '{path}'").fetchall()  # noqa: S608 - a path
        known = [each for (each,) in times if each is not None]
        assert known == sorted(known)


@pytest.mark.slow
def test_all_cores_give_the_same_tables(tmp_path: Path) -> None:
    for _ in range(3):
        many(tmp_path / "logs", 100)
    _build(tmp_path / "logs", tmp_path / "one")
    built = _build(tmp_path / "logs", tmp_path / "all", engine=ProcessEngine(2))
    assert built.parts_built == 3
    one, everything = (
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*.parquet")}
        for out in (tmp_path / "one", tmp_path / "all")
    )
    assert one == everything
    assert len(one) > 6


def test_a_missing_extra_says_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        MissingExtraError, match=r"no_such_library is not installed. Mend: pip install 'situs\[audit\]'"
    ):
        load_extra("no_such_library.part")

    def fail(_: str) -> None:
        raise ModuleNotFoundError(name="something_that_it_needs_itself")

    # What an installed library lacks is another matter, and not hidden.
    monkeypatch.setattr("extproc.extra.import_module", fail)
    with pytest.raises(ModuleNotFoundError):
        load_extra("pyarrow")


def test_the_readme_shows_columns_that_there_are() -> None:
    names = [column.name for table in TABLES.values() for column in table.all_columns]
    assert all(name.isidentifier() and name == name.lower() for name in names)
    for table in TABLES.values():
        own = [column.name for column in table.all_columns]
        assert len(own) == len(set(own)), table.name


def test_the_readmes_query_runs_as_it_is_printed(tmp_path: Path) -> None:
    """DuckDB's example, by DuckDB alone; the other engines read the same files by the same names."""
    readme = (Path(__file__).parents[2] / "extproc/parquet/README.md").read_text()
    (example,) = re.findall(r"```sql\n-- DuckDB\n(.*?)```", readme, re.DOTALL)
    every_kind(tmp_path / "logs")
    _build(tmp_path / "logs", tmp_path / "tables")
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = '{tmp_path / 'tables'}'")
    assert connection.execute(example).fetchall() == [("shop", "US", "dpf", 4)]
    for name in TABLES:
        assert re.search(rf"\b{name}/", readme), name
    (created,) = re.findall(r"CREATE TABLE hive\.situs\.transfers \((.*?)\) WITH", readme, re.DOTALL)
    named = [words.split()[0].strip('"') for words in re.sub(r"\(6\)", "", created).split(",")]
    assert named == [*(column.name for column in TABLES["transfers"].all_columns), "date"]
