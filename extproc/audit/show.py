"""Reading the records of logs, for people and for tools. Verifies nothing: that is :mod:`extproc.audit.verify`."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from extproc.archive import Archive, open_archive
from extproc.archive.folder import FolderArchive
from extproc.audit.checks.inventory import LogFiles, find_logs
from extproc.audit.summary import summarise
from extproc.core.ids import DecisionId
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.ids import id_from_bytes, id_to_bytes
from extproc.ledger.log import LOG
from extproc.ledger.projection import Json, entry_to_json
from extproc.ledger.publish import CHECKPOINT
from extproc.ledger.tiles import TILE_WIDTH, Tile, decode_entries
from extproc.ledger.wal import read_frames
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
        raw = _about(self.entry)
        return str(id_from_bytes(raw)) if raw else None

    def to_json(self) -> Json:
        """Project the record into one JSON object."""
        return {"log": self.log, "index": self.index, **entry_to_json(self.entry)}

    def summary(self) -> str:
        """Say in one line what the record holds."""
        return summarise(self.entry)


def read_records(
    place: str | Path | Archive, *, kinds: frozenset[str] = frozenset(), decision: DecisionId | None = None
) -> Iterator[Record]:
    """Give the records of every log at or below a place, in order; of some kinds or about one decision only.

    Reads the published log, and the write-ahead log where nothing is published yet. What was pruned is left out. Raises
    MalformedError, ArchiveError, OSError, and ValueError for a decision id that is no UUID.
    """
    wanted = None if decision is None else id_to_bytes(decision)
    if isinstance(place, Path):
        # A folder that is not there yet holds no records.
        place = FolderArchive(root=place) if not place.is_file() else str(place)
    archive = open_archive(place) if isinstance(place, str) else place
    for files in find_logs(archive):
        for index, data in _read_entries(archive, files):
            record = Record(log=files.shown, index=index, entry=parse_entry(data))
            if (not kinds or record.kind in kinds) and wanted in (None, _about(record.entry)):
                yield record


def _about(entry: pb.Entry) -> bytes:
    """Give the id of the decision that an entry is or is about; empty where there is none."""
    return entry.decision.id or entry.delivery.decision or entry.acknowledgement.decision


def _read_entries(archive: Archive, files: LogFiles) -> Iterator[tuple[int, bytes]]:
    if files.has_checkpoint:
        size = parse_checkpoint(parse_note(archive.read(files.path(LOG, CHECKPOINT))).text).size
        for start in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - start)
            tile = Tile(level=None, index=start // TILE_WIDTH, width=width)
            with suppress(FileNotFoundError):
                yield from enumerate(decode_entries(archive.read(files.tile_path(tile)), width), start)
        return
    for segment in files.segments:
        for frame in read_frames(archive.read(files.segment_path(segment))):
            yield from enumerate(decode_entries(frame.payload, frame.count), frame.first)
