"""SQL over records: what it may not do, what it answers, and what --verify proves and refuses."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.world import IDENTITY, KEY, NOW_S, REGIONS, suspension
from parquet.records import every_kind

from extproc.archive import Archive, open_archive
from extproc.audit.trust import Trust
from extproc.cli.main import main
from extproc.core.delivery import Attempt, Finding, Intent, Order, reconcile
from extproc.core.ids import DecisionId, ModelId, RegionId
from extproc.core.overrides import TargetKind
from extproc.notes.errors import UnknownSignerError
from extproc.notes.keys import generate_key
from extproc.notes.note import format_vkey
from extproc.parquet import Built, build
from extproc.parquet.arrow import schema_of
from extproc.parquet.database import Cells, Database, QueryError, check_select, sources_of
from extproc.parquet.part import DerivationError
from extproc.parquet.proving import Proven, Prover, UnprovenError
from extproc.parquet.statement import plain_query
from extproc.parquet.tables import TABLES
from extproc.parquet.views import VIEWS, describe

pytestmark = pytest.mark.slow  # each database takes a tenth of a second to lock in

TRUST = Trust(keys=(KEY.verifier(IDENTITY.signer),))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    logs: Path
    log: Path
    tables: Path
    archive: Archive
    built: Built

    def database(self) -> Database:
        return Database(sources_of(self.built))

    def prove(self, sql: str, trust: Trust = TRUST) -> tuple[list[Cells], Proven]:
        """Answer a query with proofs, as the command does."""
        database = self.database()
        try:
            prover = Prover(archive=self.archive, built=self.built, database=database, trust_for=lambda _: trust)
            plain = plain_query(sql)
            if plain is None:
                result = database.select(sql)
                rows = list(result.rows)
                return rows, prover.prove_named(result.columns, rows)
            rows = list(database.select(plain.sql).rows)
            return [row[: -plain.hidden] for row in rows], prover.prove_plain(plain, rows)
        finally:
            database.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Evidence and tables that no test changes."""
    return _world(tmp_path_factory.mktemp("query"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return _world(tmp_path)


def _world(root: Path) -> World:
    log = every_kind(root / "logs")
    archive = open_archive(str(root / "logs"))
    return World(
        logs=root / "logs", log=log, tables=root / "tables", archive=archive, built=build(archive, root / "tables")
    )


@pytest.fixture
def database(shared: World) -> Iterator[Database]:
    opened = shared.database()
    yield opened
    opened.close()


def _select(database: Database, sql: str, *parameters: object) -> list[Cells]:
    return list(database.select(sql, parameters).rows)


FORBIDDEN = (
    "COPY decisions TO '/tmp/situs-test.csv'",
    "COPY (SELECT 1) TO '/tmp/situs-test.parquet'",
    "ATTACH '/tmp/situs-test.db' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '10GB'",
    "SET enable_external_access = true",
    "RESET memory_limit",
    "PRAGMA memory_limit = '10GB'",
    "EXPORT DATABASE '/tmp/situs-test'",
    "IMPORT DATABASE '/tmp/situs-test'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW decisions AS SELECT 1",
    "DROP VIEW decisions",
    "INSERT INTO gaps VALUES (1)",
    "UPDATE gaps SET reason = ''",
    "DELETE FROM gaps",
    "CALL pragma_version()",
    "SELECT 1; SELECT 2",
    "",
    "nonsense",
)


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_only_one_select_is_answered(database: Database, sql: str) -> None:
    with pytest.raises(QueryError):
        database.select(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        "SELECT * FROM sqlite_scan('/tmp/x', 'y')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM sources",
        "SELECT * FROM FORBIDDEN",
    ],
)
def test_a_select_reaches_no_file_and_nothing_of_ours(database: Database, sql: str) -> None:
    sources = pa.table({"secret": [1]})
    assert sources.num_rows == 1  # a local of this name is not to be found from SQL
    with pytest.raises(QueryError):
        _select(database, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY decisions TO '/tmp/situs-test.csv'",
        "ATTACH '/tmp/situs-test.db' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '10GB'",
        "SET lock_configuration = false",
        "SET enable_external_access = true",
        "SELECT * FROM read_csv('/etc/passwd')",
        "EXPORT DATABASE '/tmp/situs-test'",
    ],
)
def test_the_engine_refuses_by_itself(database: Database, sql: str) -> None:
    """The second wall stands without the first."""
    with pytest.raises(duckdb.Error):
        database.connection.execute(sql).fetchall()


def test_memory_is_bounded(shared: World) -> None:
    small = Database(sources_of(shared.built), memory="20MB")
    with pytest.raises(QueryError, match=r"(?i)out of memory"):
        list(small.select("SELECT list(a.range * b.range) FROM range(100000) a, range(1000) b").rows)
    small.close()
    with pytest.raises(QueryError, match="memory 'nonsense'"):
        Database({}, memory="nonsense")


def test_every_table_and_view_is_there_and_described(database: Database) -> None:
    text = describe()
    for name in (*TABLES, *VIEWS):
        names = {row[0] for row in database.select(f"DESCRIBE {name}").rows}
        assert f"{name}: " in text
        described = TABLES[name].all_columns if name in TABLES else TABLES[VIEWS[name].over].all_columns
        expected = {column.name for column in described} | {"date"} | set(VIEWS[name].columns if name in VIEWS else ())
        assert names == expected, name
    assert "struct(region text, reason text, by text)[]" in text


def test_answers_and_errors_in_words(database: Database) -> None:
    assert _select(database, "SELECT count(*), max(made_at) FROM decisions") == [
        (5, datetime.fromtimestamp(NOW_S + 5, UTC))
    ]
    assert _select(database, "SELECT outcome, count(*) FROM decisions GROUP BY ALL ORDER BY 1") == [
        ("deny", 1),
        ("steer", 4),
    ]
    assert _select(database, "SELECT DISTINCT date::text FROM transfers") == [("2025-11-21",)]
    assert [row[0] for row in database.select("SHOW TABLES").rows] == sorted((*TABLES, *VIEWS))
    with pytest.raises(QueryError, match=r"(?s)tenants.*Tables and views: decisions, "):
        database.select("SELECT * FROM tenants")
    with pytest.raises(QueryError, match="Candidate bindings"):
        database.select("SELECT tenan FROM decisions")
    with pytest.raises(QueryError, match="only SELECT is answered here, and this is COPY"):
        check_select("COPY decisions TO 'x'")


def test_violations_are_worked_out_again(database: Database) -> None:
    rows = _select(database, 'SELECT decision, found, decision_index FROM reconciled ORDER BY "index"')
    assert [row[1] for row in rows] == [
        "outside_permitted",
        "matched",
        "outside_permitted",
        "decided_elsewhere",
        "after_order",
        "matched",  # the order against its region was released before
    ]
    assert [row[2] for row in rows] == [3, 4, 5, None, 4, 4]
    assert len(_select(database, "SELECT * FROM violations")) == 2
    named = _select(database, "SELECT attempts[1].region, order_id, order_index FROM after_orders")
    assert named == [("us-east", "o-1", 2)]
    assert _select(database, "SELECT DISTINCT order_id, order_log FROM violations") == [(None, None)]


def test_an_order_is_held_from_its_record_to_its_end(database: Database) -> None:
    rows = _select(
        database, "SELECT id, epoch(since_at) - ?, epoch(ended_at) - ? FROM orders ORDER BY id", NOW_S, NOW_S
    )
    assert rows == [("o-1", 1.0, None), ("o-2", 1.0, 2.0)]
    released = _select(database, "SELECT resumed_reason, resumed_by, epoch(resumed_at) - ? FROM overrides", NOW_S)
    assert [each for each in released if each[0]] == [("settled", ["c", "d"], 1.5)]
    assert [row[0] for row in database.select("SELECT sequence FROM undelivered ORDER BY 1").rows] == [5]


@settings(max_examples=20, deadline=None)
@given(
    known=st.booleans(),
    named=st.booleans(),
    permitted=st.frozensets(st.sampled_from(REGIONS)),
    plan=st.lists(st.sampled_from(REGIONS), max_size=3, unique=True),
    attempts=st.lists(st.one_of(st.none(), st.sampled_from(REGIONS)), max_size=3),
    kind=st.sampled_from(TargetKind),
    target=st.sampled_from((*REGIONS, "digits", "gdpr.dpf")),
    times=st.tuples(*[st.sampled_from((4.0, 5.0, 6.0))] * 3, st.none() | st.sampled_from((4.5, 5.0, 7.0))),
    elsewhere=st.booleans(),
)
def test_the_views_finding_is_that_of_the_core(  # noqa: PLR0913 - each fact by name
    *,
    known: bool,
    named: bool,
    permitted: frozenset[RegionId],
    plan: list[RegionId],
    attempts: list[RegionId | None],
    kind: TargetKind,
    target: str,
    times: tuple[float, float, float, float | None],
    elsewhere: bool,
) -> None:
    id_ = DecisionId("00000000-0000-7000-8000-000000000001")
    began_s, since_s, from_s, until_s = times
    made = tuple(Attempt(cluster="c", region=each, status=200, began_at_s=began_s, duration_s=0) for each in attempts)
    intent = Intent(permitted=permitted, plan=tuple(plan), model=ModelId("digits"), bases=((REGIONS[2], "gdpr.dpf"),))
    order = Order(suspension=suspension(target, kind, from_s=from_s, until_s=until_s), since_s=since_s)
    orders = [] if elsewhere else [order]
    expected = reconcile(id_ if named else None, intent if known else None, made, orders)
    place = {"log": "l", "origin": "o", "index": 1, "leaf": "", "made_at": None, "date": None}
    decision = {**place, "decision": id_, "permitted": sorted(permitted), "plan": plan, "model": "digits"}
    delivery = {
        **place,
        "index": 2,
        "decision": id_ if named else None,
        "attempts": [{"cluster": "c", "region": each, "began_at": _moment(began_s)} for each in attempts],
    }
    transfer = {**place, "decision": id_, "region": REGIONS[2], "regime": "gdpr", "permit": "dpf"}
    said = order.suspension
    override = {
        **place,
        **({"log": "of nobody"} if elsewhere else {}),
        "made_at": _moment(since_s),
        "action": "suspended",
        "id": said.id,
        "kind": said.kind,
        "name": said.name,
        "reason": said.reason,
        "from_at": _moment(from_s),
        "until_at": None if until_s is None else _moment(until_s),
        "approved_by": [],
    }
    rows = {
        "decisions": [decision] if known else [],
        "deliveries": [delivery],
        "transfers": [transfer],
        "overrides": [override],
    }
    sources = {}
    for name, values in rows.items():
        schema = schema_of(TABLES[name]).append(pa.field("date", pa.date32()))
        sources[name] = pa.Table.from_pylist(values, schema=schema)
    database = Database(sources)
    assert _select(database, "SELECT found FROM reconciled") == [(expected.value,)]
    assert len(_select(database, "SELECT * FROM violations")) == expected.is_violation
    assert len(_select(database, "SELECT * FROM after_orders")) == (expected is Finding.AFTER_ORDER)
    database.close()


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


@pytest.mark.parametrize("table", sorted((*TABLES, *VIEWS)))
def test_every_row_of_every_table_is_proven(shared: World, table: str) -> None:
    rows, proven = shared.prove(f"SELECT * FROM {table}")  # noqa: S608 - our own names
    assert (proven.rows, len(rows)) == (len(rows), len(rows))
    assert rows
    assert proven.checkpoints == {f"{IDENTITY.signer}/{shared.log.name}": shared.built.logs[0].size}


def test_expressions_orders_and_limits_are_proven(shared: World) -> None:
    sql = "SELECT upper(tenant) AS who, len(permitted) n FROM decisions WHERE transfer ORDER BY sequence DESC LIMIT 2"
    rows, proven = shared.prove(sql)
    assert (rows, proven.rows, sum(proven.entries.values())) == ([("SHOP", 3)] * 2, 2, 2)
    rows, proven = shared.prove("SELECT unnest(plan) FROM decisions LIMIT 3")
    assert (len(rows), sum(proven.entries.values())) == (3, 2)
    assert shared.prove("SELECT * FROM decisions WHERE false")[1].rows == 0


def test_other_queries_are_proven_by_the_entry_that_they_name(shared: World) -> None:
    join = "SELECT d.log, d.index, d.tenant, v.status AS code FROM decisions d JOIN deliveries v USING (decision)"
    rows, proven = shared.prove(join)
    assert (len(rows), proven.columns_not_compared) == (5, ("code",))
    with pytest.raises(UnprovenError, match="the row is not what the stored bytes give"):
        shared.prove("SELECT DISTINCT log, index, 'another' AS tenant FROM decisions")
    for sql in (
        "SELECT count(*) FROM decisions",
        "SELECT DISTINCT tenant FROM decisions",
        "SELECT tenant FROM decisions GROUP BY tenant",
        "SELECT row_number() OVER () FROM decisions",
        "SELECT random() FROM decisions",
        "SELECT (SELECT 1) FROM decisions",
        "SELECT d.* FROM (SELECT tenant FROM decisions) d",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT tenant FROM decisions USING SAMPLE 50%",
        "SELECT tenant FROM decisions UNION ALL SELECT tenant FROM decisions",
    ):
        assert plain_query(sql) is None
        with pytest.raises(QueryError, match="Mend: write a plain SELECT"):
            shared.prove(sql)
    for sql in (
        "SELECT DISTINCT 'nowhere' AS log, 1 AS index FROM gaps",
        "SELECT DISTINCT 7 AS log, 1 AS index FROM gaps",
    ):
        with pytest.raises((UnprovenError, QueryError), match=r"none of this name|names no entry"):
            shared.prove(sql)


def _edit_table(world: World, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the cached table of decisions, as somebody with access to the cache could."""
    (path,) = (world.tables / "decisions").rglob("*.parquet")
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)


def test_a_changed_table_is_not_proven(world: World) -> None:
    def rename(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("tenant")
        values = ["other", *table["tenant"].to_pylist()[1:]]
        return table.set_column(at, table.schema.field(at), pa.array(values))

    _edit_table(world, rename)
    assert world.prove("SELECT sequence FROM decisions")[1].rows == 5  # what is shown is true all the same
    for sql in ("SELECT tenant FROM decisions", "SELECT log, index, tenant FROM decisions GROUP BY ALL"):
        with pytest.raises(UnprovenError, match="entry 3: the row is not what the stored bytes give"):
            world.prove(sql)


def test_a_join_does_not_hide_a_changed_column_behind_another_table(world: World) -> None:
    joined = 'SELECT d.log, d."index", d.tenant, t.region FROM decisions d JOIN transfers t USING (log, "index")'
    assert world.prove(joined)[1].columns_not_compared == ()

    def rename(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("tenant")
        return table.set_column(at, table.schema.field(at), pa.array(["other"] * len(table)))

    _edit_table(world, rename)
    with pytest.raises(UnprovenError, match="the row is not what the stored bytes give"):
        world.prove(joined)


def test_what_is_not_there_is_not_said_to_be_proven(world: World) -> None:
    assert world.prove("SELECT * FROM decisions")[1].absence == ""
    assert "no delivery of these decisions" in world.prove("SELECT * FROM undelivered")[1].absence
    assert "is nowhere in these logs" in world.prove("SELECT * FROM violations")[1].absence


def test_two_logs_of_one_name_are_no_tables(world: World) -> None:
    shutil.copytree(world.log, world.log.with_name("copy"))
    with pytest.raises(DerivationError, match="are logs of one name"):
        build(world.archive, world.tables)


def test_a_list_of_files_leads_nowhere_else(world: World, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (manifest,) = (world.tables / "_parts").iterdir()
    said = json.loads(manifest.read_bytes())
    # Another tree than there is now: what the list names would be removed when the part is built again.
    said["root"], said["files"]["decisions"] = "00" * 32, ["../victim"]
    manifest.write_text(json.dumps(said))
    build(world.archive, world.tables)
    assert victim.read_text() == "kept"


def test_a_query_without_end_is_ended(shared: World) -> None:
    hurried = Database(sources_of(shared.built), timeout_s=0.2)
    endless = "WITH RECURSIVE t AS (SELECT 1 a UNION ALL SELECT 1 FROM t) SELECT count(*) FROM t"
    with pytest.raises(QueryError, match=r"ended after 0\.2 s\. Mend: "):
        list(hurried.select(endless).rows)
    assert list(hurried.select("SELECT 1").rows) == [(1,)]
    hurried.close()


def test_a_value_that_python_has_not_is_an_error_in_words(database: Database) -> None:
    with pytest.raises(QueryError, match="cast it to VARCHAR"):
        _select(database, "SELECT * FROM test_all_types()")


def test_an_invented_row_is_not_proven(world: World) -> None:
    _edit_table(world, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    with pytest.raises(UnprovenError):
        world.prove("SELECT * FROM decisions")


def test_a_changed_log_and_other_keys_are_not_proven(world: World) -> None:
    sql = "SELECT * FROM decisions"
    for keys in ((), (generate_key().verifier(IDENTITY.signer),)):
        with pytest.raises(UnknownSignerError):
            world.prove(sql, Trust(keys=keys))
    bundle = next((world.log / "log/tile/entries").rglob("*.p/*"))
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"shop", b"shup", 1))
    with pytest.raises(Exception, match="inclusion of leaf"):
        world.prove(sql)


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["audit", "query", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    code, out, err = _run(capsys, "SELECT decision, plan FROM decisions", world.logs, "--limit", 2, "--format", "json")
    assert (code, [json.loads(line)["plan"] for line in out.splitlines()]) == (0, [["eu-fra", "us-east"]] * 2)
    assert "there are more rows" in err
    folder = next((tmp_path / "home/situs/tables").iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700
    code, out, _ = _run(
        capsys,
        "SELECT reason, until_at, approved_by FROM overrides WHERE id = 'o-1'",
        world.logs,
        "--format",
        "csv",
        "--cache",
        world.tables,
    )
    assert list(csv.reader(io.StringIO(out, newline=""))) == [
        ["reason", "until_at", "approved_by"],
        ['\'=cmd|" /C calc"!A0', "", '["a","b"]'],
    ]
    assert out.endswith("\r\n")
    key = world.log.parent / "signer.vkey"
    code, out, err = _run(capsys, "SELECT found FROM violations", world.logs, "--verify", "--key", key)
    assert (code, out.split()) == (0, ["found", "outside_permitted", "outside_permitted"])
    assert "proven: 2 rows by 4 entries" in err
    code, _, err = _run(capsys, "SELECT found FROM violations", world.logs, "--verify", "--limit", 1)
    assert code == 0, err
    assert "not authorship" in err
    (tmp_path / "other.vkey").write_text(f"{_vkey()}\n")
    assert _run(capsys, "FROM gaps", world.logs, "--verify", "--key", tmp_path / "other.vkey")[0] == 4
    code, out, _ = _run(capsys, "--schema")
    assert (code, out) == (0, describe())


def _vkey() -> str:
    return format_vkey(generate_key().verifier(IDENTITY.signer))


def test_the_command_says_what_is_wrong(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, code, words in (
        (("SELECT 1",), 1, "expected SQL and a place"),
        (("SELECT 1", tmp_path / "none"), 1, "no folder"),
        (("SELECT 1", world.tables), 1, "no published log"),
        (("SELECT nothing FROM gaps", world.logs), 1, "Binder Error"),
        (("SELECT 1", world.logs, "--limit", "-1"), 1, "expected 0 or more"),
        (("SELECT 1", world.logs, "--engine", "none"), 1, "no engine"),
        (("SELECT 1", world.logs, "--verify", "--key", tmp_path / "none"), 1, "none"),
    ):
        found, _, err = _run(capsys, *arguments, *(("--cache", world.tables) if len(arguments) > 1 else ()))
        assert (found, words in err) == (code, True), (arguments, err)
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 7 AS seven"))
    assert _run(capsys, "-", world.logs, "--cache", world.tables, "--format", "json")[1] == '{"seven": 7}\n'
    bundle = next((world.log / "log/tile/entries").rglob("*.p/*"))
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"shop", b"shup", 1))
    assert _run(capsys, "FROM decisions", world.logs, "--cache", world.tables, "--verify")[0] == 2
    assert _run(capsys, "FROM decisions", world.logs, "--cache", tmp_path / "new")[0] == 2
