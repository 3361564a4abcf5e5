"""A checkpoint that somebody else has of a log, held against that log as it is here."""

from dataclasses import dataclass

from extproc.ledger.checkpoint import Checkpoint
from extproc.ledger.proofs import TileTree
from extproc.notes.errors import MalformedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Both cannot be of one history. `short`: there are fewer entries here; otherwise other ones: a fork."""

    short: bool
    expected: str
    found: str


def contradiction(stated: Checkpoint, *, size: int, published: int, tiles: TileTree) -> Contradiction | None:
    """Tell how a log of `size` entries contradicts a checkpoint; `tiles` are those of its `published` entries.

    None where it does not, and where tiles that this would take are missing or broken, which the log's own check says.
    """
    if stated.size > size:
        return Contradiction(short=True, expected=f"{stated.size} entries", found=str(size))
    if stated.size > published:
        return None
    try:
        root = tiles.root(stated.size)
    except (FileNotFoundError, MalformedError):
        return None
    if root == stated.root:
        return None
    return Contradiction(short=False, expected=stated.root.hex(), found=root.hex())
