"""What a job is told and what it gives back. All of it can be pickled."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from extproc.archive import Archive
from extproc.audit.checks.joins import Gathered
from extproc.audit.checks.orders import Ordered, Recorded
from extproc.audit.findings import Finding
from extproc.core.delivery import Intent
from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.housekeeping import Acknowledgement, Hold, Prune
from extproc.ledger.tiles import Tile
from extproc.notes.note import VerifierKey

PART_ENTRIES: Final = 1 << 16
"""Entries of a part: one full tile of level 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a ConfigSnapshot says that its decisions must agree with; `shadow` is a revision, empty for none."""

    catalogue: tuple[str, ...]
    shadow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A sign of life: its place, and its time by both clocks."""

    entry: int
    at_s: float
    running_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What the entries before a part have said that matters within it.

    `whole` is false where some of those entries could not be read: then nothing can be missing. `sequence` is None
    where it is not known.
    """

    sequence: int | None = 0
    at_s: float = 0.0
    configurations: Mapping[str, Configuration] = field(default_factory=dict)
    closed: bool = False
    beat: Beat | None = None
    whole: bool = True
    orders: tuple[Ordered, ...] = ()
    """Legal orders that deliveries of the part may have to be held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a part has taken for granted of the entries before it, because it did not know their edge."""

    starts: bool
    """It has an entry at all."""
    sequence: int | None
    """The number of its first decision."""
    at_s: float | None
    """The time of its first entry."""
    configurations: frozenset[tuple[str, tuple[str, ...] | None, str]]
    """Revision, regions that were judged and shadow's revision of decisions whose configuration is not in the part."""
    beat: Beat | None
    """Its first sign of life."""
    close_at_s: float | None
    """The time of its Close, where no sign of life is before that."""
    until_s: float | None = None
    """The time of its last entry."""
    intents: tuple[Intent, ...] = ()
    """What its decisions allowed. Deliveries were held against them without the orders of before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Entries from `first` on that one key should have signed, with the earliest and the latest of their times."""

    first: int
    earliest_s: float
    earliest: int
    latest_s: float
    latest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the entries of a part say. Lists name an entry's index first."""

    findings: tuple[Finding, ...]
    needs: Needs
    edge: Edge
    kinds: Counter[str]
    tallies: Counter[str]
    gathered: Gathered
    spans: tuple[Span, ...]
    genesis: bytes | None = None
    rotations: tuple[tuple[int, bytes], ...] = ()
    recovered: tuple[int, ...] = ()
    prunes: tuple[tuple[int, Prune], ...] = ()
    holds: tuple[tuple[int, Hold], ...] = ()
    overrides: tuple[Recorded, ...] = ()
    acknowledgements: tuple[tuple[float, Acknowledgement], ...] = ()
    """Each after the time of its entry."""
    heads: int = 0
    """How many there are; they are read again when they are held against their logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartJob:
    """Check the entries [start, end) of a log of `size` entries, and every tile that is made of them alone."""

    archive: Archive
    log: str
    size: int
    start: int
    end: int
    partial: tuple[Tile, ...] = ()
    """Partial tiles that are there and belong to this part."""
    buckets: int = 1
    before: Edge | None = None
    meaning: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PartResult:
    """`peaks` are the roots of the perfect subtrees of the part's leaves, largest first; None where hashes lack.

    `missing` are the entry bundles that are not there, by their indices.
    """

    findings: tuple[Finding, ...]
    tiles: int
    hashed: int
    peaks: tuple[bytes, ...] | None
    missing: tuple[int, ...]
    meaning: Meaning | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsJob:
    """Check segments of a write-ahead log, one after the other, by the first entries of each.

    `end` is where the next segment begins that another job checks; None for the last job, which also reads the entries
    beyond those that are published. `checkpoint` is the published one with the bytes of its note.
    """

    archive: Archive
    log: str
    segments: tuple[int, ...]
    end: int | None
    checkpoint: Checkpoint | None
    note: bytes
    origin: str
    keys: tuple[VerifierKey, ...]
    every_signature: bool = False
    buckets: int = 1
    before: Edge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Trees of `first` to `last` entries were signed by the key with this id; `file` holds the notes."""

    key_id: bytes
    first: int
    last: int
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """The segments end in bytes that are no frame, as a torn write leaves them."""

    file: str
    entry: int
    offset: int
    reason: str
    at_end: bool
    """Nothing good follows, so it may be a torn write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsResult:
    """`size` and `root` are those of the tree after the last frame; `untrusted` is the first note by no known key."""

    findings: tuple[Finding, ...]
    frames: int
    signatures: int
    origin: str
    size: int
    root: bytes
    signed: tuple[Signed, ...]
    hashed: int = 0
    untrusted: Finding | None = None
    torn: Torn | None = None
    ended: bool = True
    """The frames could be followed to the end."""
    meaning: Meaning | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadsJob:
    """Hold the Head entries among [start, end) of a root log against the logs that they name."""

    archive: Archive
    log: str
    size: int
    start: int
    end: int
    logs: Mapping[str, "HeadOf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOf:
    """A log that heads may name: its folder, its size, how much of it is published, and the keys that sign it."""

    log: str
    size: int
    published: int
    keys: tuple[VerifierKey, ...]
