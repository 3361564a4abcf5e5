"""What every export has: its list of files, its summary, and the forms of records that go in beside the evidence."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from extproc.export.container import SUMS, Container
from extproc.export.csv_text import csv_lines
from extproc.export.dsse import IN_TOTO, seal_envelope
from extproc.export.otlp import framed, json_line, requests_of
from extproc.export.statement import Stated, format_statement
from extproc.ledger import entry_pb2 as pb
from extproc.notes.keys import Signer
from extproc.parquet.database import Database

SUMMARY: Final = "summary.json"
SIGNED_SUMMARY: Final = "summary.dsse.json"
SCHEMA: Final = "entry.binpb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What goes in beside the evidence. `signer` signs the summary; None leaves it unsigned and without an envelope."""

    signer: Signer | None = None
    csv: bool = False
    otlp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written: entries that are in it, entry bundles that had been pruned, and the statement."""

    entries: int
    pruned_bundles: int
    statement: bytes


def schema_bytes() -> bytes:
    """Give the schema of entries in protobuf's own form, by which any `protoc` decodes them."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return FileDescriptorSet(file=[file]).SerializeToString(deterministic=True)


def finish(container: Container, stated: Stated, signer: Signer | None) -> bytes:
    """Add the summary, and its envelope where somebody signs it."""
    statement = format_statement(stated, sums_name=SUMS)
    container.add_unlisted(SUMMARY, statement)
    if signer is not None:
        container.add_unlisted(SIGNED_SUMMARY, seal_envelope(IN_TOTO, statement, signer))
    return statement


def add_csv(container: Container, database: Database) -> None:
    """Add each table that has rows as a file."""
    for name in database.tables():
        result = database.select(f'SELECT * FROM {name} ORDER BY log, "index"')  # noqa: S608 - our own names
        lines = csv_lines(result.columns, result.rows)
        header, first = next(lines), next(lines, None)
        if first is not None:
            container.add_pieces(f"csv/{name}.csv", _encoded(header, first, lines))


def _encoded(header: str, first: str, lines: Iterator[str]) -> Iterator[bytes]:
    yield (header + first).encode()
    for line in lines:
        yield line.encode()


def add_otlp(
    container: Container, number: int, origin: str, entries: Callable[[], Iterator[tuple[int, bytes]]]
) -> None:
    """Add the entries of one log as log records, in both encodings."""
    name = f"otlp/{number:03}-{origin.rpartition('/')[2]}"
    container.add_pieces(f"{name}.jsonl", (json_line(each) for each in requests_of(origin, entries())))
    container.add_pieces(f"{name}.binpb", (framed(each) for each in requests_of(origin, entries())))
