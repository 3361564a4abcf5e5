"""Entries to tables, a chunk at a time.

Owns the speed of it. Most of a decision repeats: the same tenant, model and place give the same verdict. So what
repeats is made into a row once for each chunk and taken by its number; only what differs is made for each decision.
"""

from collections import defaultdict
from typing import Final

from extproc.extra import load_extra
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.merkle import leaf_hash
from extproc.notes.errors import NoteError
from extproc.parquet.arrow import ArrowTable, array_of, schema_of
from extproc.parquet.context import Context
from extproc.parquet.decision_columns import DECISION_OWN, DECISION_SHARED
from extproc.parquet.decision_rows import decision_own, decision_shared, transfers_shared
from extproc.parquet.rows import ROWS
from extproc.parquet.schema import PLACE
from extproc.parquet.tables import TABLES
from extproc.parquet.values import Row, micros

_CHUNK: Final = 8192
"""Rows that wait as Python values: some tens of megabytes at most."""


class Tabulator:
    """Takes the entries of one log in their order and gives them as tables. `context` grows as they come."""

    def __init__(self, log: str, origin: str, context: Context) -> None:
        """Begin; `log` and `origin` stand in each row, `context` is what the entries before say."""
        self.context = context
        self.rows = 0
        self._log = log
        self._origin = origin
        self._waiting: defaultdict[str, list[Row]] = defaultdict(list)
        self._shared: dict[bytes, int] = {}
        self._shared_rows: list[Row] = []
        self._shared_transfers: list[list[Row]] = []
        self._which: list[int] = []
        self._chunks: defaultdict[str, list[ArrowTable]] = defaultdict(list)
        self._held = 0

    def take(self, index: int, data: bytes, leaf: bytes | None = None) -> None:
        """Take one entry; `leaf` is its hash where that is known."""
        hashed = (leaf_hash(data) if leaf is None else leaf).hex()
        place: Row = (self._log, self._origin, index, None, hashed)
        try:
            entry = parse_entry(data)
            place = (self._log, self._origin, index, micros(entry.at_s), hashed)
            kind = kind_of(entry)
            if kind == "decision":
                self._take_decision(place, entry.decision)
            else:
                table, make = ROWS[kind]
                self._waiting[table].append(place + make(entry))
                if kind in ("genesis", "config"):
                    self.context = self.context.with_entry(entry)
                    self._shared.clear()  # the same bytes may mean something else from here on
        except (NoteError, ValueError, IndexError) as error:
            self._waiting["malformed"].append((*place, str(error)))
        self._held += 1
        if self._held >= _CHUNK:
            self._flush()

    def tables(self) -> dict[str, ArrowTable]:
        """Give the tables of all entries taken, each in the order of the entries; only those that have rows."""
        self._flush()
        pa = load_extra("pyarrow")
        return {name: pa.concat_tables(chunks) for name, chunks in self._chunks.items()}

    def _take_decision(self, place: Row, decision: pb.Decision) -> None:
        own = decision_own(decision)
        # What is left when all that differs is gone: the same bytes make the same columns.
        for name in ("id", "sequence", "choice", "private"):
            decision.ClearField(name)
        key = decision.SerializeToString()
        number = self._shared.get(key)
        if number is None:
            row, transfers = decision_shared(decision, self.context), transfers_shared(decision)
            self._shared_rows.append(row)
            self._shared_transfers.append(transfers)
            number = self._shared[key] = len(self._shared_rows) - 1
        self._which.append(number)
        self._waiting["decisions"].append(place + own)
        for each in self._shared_transfers[number]:
            self._waiting["transfers"].append((*place, own[0], *each))

    def _flush(self) -> None:
        """Turn what waits into Arrow."""
        pa = load_extra("pyarrow")
        for name, rows in self._waiting.items():
            if not rows:
                continue
            table = TABLES[name]
            columns = (*PLACE, *DECISION_OWN) if name == "decisions" else table.all_columns
            arrays = [array_of(column, values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)]
            if name == "decisions":
                shared = zip(DECISION_SHARED, zip(*self._shared_rows, strict=True), strict=True)
                which = pa.array(self._which, pa.int32())
                arrays += [array_of(column, values).take(which) for column, values in shared]
            self._chunks[name].append(pa.Table.from_arrays(arrays, schema=schema_of(table)))
            self.rows += len(rows)
        self._waiting.clear()
        self._shared.clear()
        self._shared_rows.clear()
        self._shared_transfers.clear()
        self._which.clear()
        self._held = 0
