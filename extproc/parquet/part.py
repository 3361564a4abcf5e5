"""One part of a log: an aligned range of entry bundles, made into files by one job.

Owns what a job does and what it leaves behind: its files, and a manifest beside the tables that says which they are and
over which tree. A part whose manifest fits is complete, and is not built again.
"""

import gc
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from extproc.archive import Archive
from extproc.audit.published import PublishedLog, read_bundle
from extproc.extra import load_extra
from extproc.ledger.entries import parse_entry
from extproc.ledger.errors import LedgerError
from extproc.ledger.log import LOG
from extproc.ledger.merkle import leaf_hash, root_of
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path
from extproc.notes.errors import MalformedError
from extproc.parquet.arrow import RANGE_KEY, VERSION_KEY, ArrowTable
from extproc.parquet.context import Configuration, Context
from extproc.parquet.place import TablePlace
from extproc.parquet.schema import SCHEMA_VERSION
from extproc.parquet.tabulate import Tabulator

PART_ENTRIES: Final = 1 << 16
"""Entries of a part. A full one is one hash of a tile of level 2, so that whether it changed is known from one file."""
MANIFESTS: Final = "_parts"
"""Folder of the manifests; what begins with an underscore is no data to Trino, Spark and DuckDB."""
_ROW_GROUP: Final = 1 << 16
_DAY: Final = 86_400
_MICROS: Final = 1_000_000


class DerivationError(LedgerError):
    """Entries that are not what the log's own hashes say; the message has the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The entries `[start, end)` of a log, of which those before `present` were pruned. `root` is the one over all."""

    log: PublishedLog
    number: int
    start: int
    end: int
    present: int
    root: bytes

    @property
    def slug(self) -> str:
        """What its files are called: the log's own name, digits of its origin's hash, and the number of the part."""
        name = self.log.origin.rpartition("/")[2]
        safe = "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "_" for each in name)[:64]
        return f"{safe}-{hashlib.sha256(self.log.origin.encode()).hexdigest()[:8]}-{self.number:06}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was built of a part: its files by table, its rows, and what the entries in it say to those after it."""

    schema: int
    start: int
    end: int
    present: int
    root: str
    log: str
    rows: Mapping[str, int]
    files: Mapping[str, tuple[str, ...]]
    durability: str | None
    configs: Mapping[str, Mapping[str, str | int]]

    def fits(self, part: Part) -> bool:
        """Tell whether this is the part as it is now."""
        now = (SCHEMA_VERSION, part.start, part.end, part.present, part.root.hex(), part.log.name)
        return now == (self.schema, self.start, self.end, self.present, self.root, self.log)

    @property
    def context(self) -> Context:
        """What the entries of the part say to those after it."""
        configs = {revision: Configuration(**each) for revision, each in self.configs.items()}  # type: ignore[arg-type]
        return Context(durability=self.durability, configs=configs)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartJob:
    """All that a job needs; picklable."""

    archive: Archive
    place: TablePlace
    part: Part
    context: Context


def load_manifest(place: TablePlace, part: Part) -> Manifest | None:
    """Give the manifest of a part; None where there is none that can be read."""
    data = place.read(f"{MANIFESTS}/{part.slug}.json")
    try:
        manifest = None if data is None else Manifest(**json.loads(data))
        # Names in it are read, and removed: it may only name files of its own part.
        own = re.compile(rf"(?P<table>[a-z_]+)/date=[0-9-]{{1,16}}/{re.escape(part.slug)}\.parquet", re.ASCII)
        for table, names in {} if manifest is None else manifest.files.items():
            if not all((match := own.fullmatch(name)) and match["table"] == table for name in names):
                return None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return manifest


def is_complete(place: TablePlace, manifest: Manifest | None, part: Part) -> bool:
    """Tell whether a part was built as it is now, and its files are still there and say the same of themselves."""
    if manifest is None or not manifest.fits(part):
        return False
    pq = load_extra("pyarrow.parquet")
    system, base = place.open()
    for names in manifest.files.values():
        for name in names:
            try:
                stated = pq.read_schema(f"{base}/{name}", filesystem=system).metadata or {}
            except (OSError, ValueError):  # gone, or no Parquet file
                return False
            if stated.get(RANGE_KEY) != manifest.root.encode():
                return False
    return True


def scan_part(job: PartJob) -> Context:
    """Give what the entries of a part say to those after it, without making rows. Raises as :func:`build_part`."""
    context = Context()
    part = job.part
    for number in range(part.present // TILE_WIDTH, -(-part.end // TILE_WIDTH)):
        for data in read_bundle(job.archive, part.log, number):
            # A Genesis or a ConfigSnapshot has its tag after nine bytes of time, or, made at 1970, at once. Only these
            # are parsed; one that is written in another way is described nowhere, and its decisions say null.
            if data[9:10] in _TAGS or data[:1] in _TAGS:
                try:
                    context = context.with_entry(parse_entry(data))
                except MalformedError:
                    continue
    return context


_TAGS: Final = frozenset({b"\x12", b"\x1a"})
"""Field 2 and 3 of an entry: Genesis and ConfigSnapshot."""


def build_part(job: PartJob) -> Manifest:
    """Build a part: read, hash, tabulate, write. Raises DerivationError, MalformedError, ArchiveError and OSError."""
    # Rows are tuples without cycles, hundreds of thousands at once: looking for cycles in them takes a quarter of the
    # time and finds none.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _build(job)
    finally:
        if collecting:
            gc.enable()


def _build(job: PartJob) -> Manifest:
    part, archive = job.part, job.archive
    before = load_manifest(job.place, part)
    tabulator = Tabulator(part.log.name, part.log.origin, job.context)
    bundle_roots: list[bytes] = []
    for number in range(part.start // TILE_WIDTH, -(-part.end // TILE_WIDTH)):
        first = number * TILE_WIDTH
        if first < part.present:
            bundle_roots.append(root_of(_stored_leaves(archive, part.log, number)))
            continue
        entries = read_bundle(archive, part.log, number)
        leaves = [leaf_hash(data) for data in entries]
        bundle_roots.append(root_of(leaves))
        for offset, (data, leaf) in enumerate(zip(entries, leaves, strict=True)):
            tabulator.take(first + offset, data, leaf)
    # The tree over bundles of 256 is the tree over their entries.
    if root_of(bundle_roots) != part.root:
        raise DerivationError(
            f"{part.log.name or part.log.origin}: entries {part.start} to {part.end - 1} do not hash to the log's own"
            " tiles, so no table is made of them. Mend: run `situs audit verify`, which names the entry"
        )
    files, rows = _write(job.place, part, tabulator.tables())
    context = tabulator.context
    found = Context(
        durability=context.durability if part.start == 0 else None,
        configs={key: each for key, each in context.configs.items() if job.context.configs.get(key) != each},
    )
    manifest = Manifest(
        schema=SCHEMA_VERSION,
        start=part.start,
        end=part.end,
        present=part.present,
        root=part.root.hex(),
        log=part.log.name,
        rows=rows,
        files=files,
        durability=found.durability,
        configs={revision: asdict(each) for revision, each in found.configs.items()},
    )
    written = json.dumps(asdict(manifest), sort_keys=True).encode()
    job.place.write(f"{MANIFESTS}/{part.slug}.json", written)
    if before is not None:
        kept = {name for names in files.values() for name in names}
        for name in {name for names in before.files.values() for name in names} - kept:
            job.place.remove(name)
    return manifest


def _stored_leaves(archive: Archive, log: PublishedLog, number: int) -> list[bytes]:
    """Give the leaf hashes of a bundle that was pruned: they stay in the tile."""
    path = log.path(LOG, format_tile_path(Tile(level=0, index=number)))
    data = archive.read(path)
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def _write(
    place: TablePlace, part: Part, tables: Mapping[str, ArrowTable]
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Write each table, by days, sorted by time; give the files and the numbers of rows."""
    files: dict[str, tuple[str, ...]] = {}
    for name, table in sorted(tables.items()):
        named = [(f"{name}/date={day}/{part.slug}.parquet", rows) for day, rows in _by_day(table)]
        for path, rows in named:
            place.write(path, _encode(rows, part))
        files[name] = tuple(path for path, _ in named)
    return files, {name: table.num_rows for name, table in tables.items()}


def _by_day(table: ArrowTable) -> list[tuple[str, ArrowTable]]:
    """Cut a table by the days of its rows in UTC. What has no time is of 1970."""
    pa, pc = load_extra("pyarrow"), load_extra("pyarrow.compute")
    micros = pc.fill_null(table["made_at"].cast(pa.int64()), 0)
    days = pc.divide(micros, _DAY * _MICROS)
    unique = sorted(pc.unique(days).to_pylist())
    named = [(datetime.fromtimestamp(day * _DAY, UTC).date().isoformat(), day) for day in unique]
    if len(named) == 1:
        return [(named[0][0], _by_time(table, micros))]
    cut = ((name, pc.equal(days, day)) for name, day in named)
    return [(name, _by_time(table.filter(mask), micros.filter(mask))) for name, mask in cut]


def _by_time(table: ArrowTable, micros: ArrowTable) -> ArrowTable:
    """Sort by time, and by place where times are equal. Mostly they are sorted already."""
    pc = load_extra("pyarrow.compute")
    if len(micros) < 2 or pc.all(pc.greater_equal(micros[1:], micros[:-1])).as_py():  # noqa: PLR2004 - a pair
        return table
    return table.take(pc.sort_indices(table, sort_keys=[("made_at", "ascending"), ("index", "ascending")]))


def _encode(table: ArrowTable, part: Part) -> bytes:
    pq = load_extra("pyarrow.parquet")
    buffer = io.BytesIO()
    # Arrow's own schema would be a copy of the columns' meanings in every file; types are told without it.
    options = {"compression": "zstd", "store_schema": False, "write_page_index": True}
    with pq.ParquetWriter(buffer, table.schema, **options) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP)
        writer.add_key_value_metadata({VERSION_KEY: str(SCHEMA_VERSION), RANGE_KEY: part.root.hex()})
    return buffer.getvalue()
