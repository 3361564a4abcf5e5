"""Reading the records of logs, for people and for tools. Verifies nothing: that is :mod:`extproc.audit.verify`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from extproc.audit.summary import summarise
from extproc.audit.verify import find_logs
from extproc.core.ids import DecisionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.ids import id_from_bytes, id_to_bytes
from extproc.ledger.log import LOG, WAL
from extproc.ledger.projection import Json, entry_to_json
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries, format_tile_path
from extproc.ledger.wal import list_segments, read_frames
from extproc.notes.note import parse_note


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry, where it stands, and what it says. `log` is the folder of its log, relative to what was read."""

    log: str
    index: int
    entry: pb.Entry

    @property
    def kind(self) -> str:
        """The kind by its name in the schema."""
        return kind_of(self.entry)

    @property
    def decision(self) -> str | None:
        """The decision that the record is or is about."""
        raw = self.entry.decision.id or self.entry.delivery.decision
        return str(id_from_bytes(raw)) if raw else None

    def to_json(self) -> Json:
        """Project the record into one JSON object."""
        return {"log": self.log, "index": self.index, **entry_to_json(self.entry)}

    def summary(self) -> str:
        """Say in one line what the record holds."""
        return summarise(self.entry)


def read_records(
    directory: Path, *, kinds: frozenset[str] = frozenset(), decision: DecisionId | None = None
) -> Iterator[Record]:
    """Give the records of every log at or below `directory`, in order; of some kinds or about one decision only.

    Reads the published log, and the write-ahead log where nothing is published yet. Raises MalformedError, OSError, and
    ValueError for a decision id that is no UUID.
    """
    wanted = None if decision is None else id_to_bytes(decision)
    for log in sorted(find_logs(directory)):
        name = log.relative_to(directory).as_posix()
        for index, data in enumerate(_read_entries(log)):
            record = Record(log=name, index=index, entry=parse_entry(data))
            about = record.entry.decision.id or record.entry.delivery.decision
            if (not kinds or record.kind in kinds) and wanted in (None, about):
                yield record


def _read_entries(directory: Path) -> Iterable[bytes]:
    log = directory / LOG
    if (log / CHECKPOINT).is_file():
        size = parse_checkpoint(parse_note((log / CHECKPOINT).read_bytes()).text).size
        for start in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - start)
            tile = Tile(level=None, index=start // TILE_WIDTH, width=width)
            yield from decode_entries((log / format_tile_path(tile)).read_bytes(), width)
        return
    for segment in list_segments(directory / WAL):
        for frame in read_frames(segment.read_bytes()):
            yield from decode_entries(frame.payload, frame.count)
