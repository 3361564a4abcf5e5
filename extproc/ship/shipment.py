"""One log on its way to one store.

Owns the order in which its files are shipped, which is what keeps the store whole at every moment:

1. the checkpoint is read, and everything that follows is what it covers;
2. full tiles go as soon as they are full;
3. the right edge, when the hashes lead up to the signed root; policies and keys;
4. the checkpoint, over exactly the one that was there;
5. what witnesses cosigned, never over more entries than the checkpoint in the store.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.tiles import TILE_WIDTH
from extproc.notes.errors import NoteError
from extproc.ship.beside import BesideFiles
from extproc.ship.destination import Destination, Stored
from extproc.ship.errors import ForeignObjectError, LocalLogError, StoreAwayError, StoreBehindError, StoreChangedError
from extproc.ship.local_log import LocalLog, Published, parse_published
from extproc.ship.state import Progress, State
from extproc.ship.tree import CheckedTree, Piece
from extproc.ship.uploads import Uploads

_TRIES: Final = 5
"""How often the checkpoint is read and written anew while somebody else writes it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What all logs of a region share."""

    destination: Destination
    state: State
    uploads: Uploads
    every_s: float
    """Least time between two checkpoints of one log."""


class Shipment:
    """Used by one thread; its uploads are many."""

    def __init__(self, log: LocalLog, origin: str, way: Way) -> None:
        self.log = log
        self.origin = origin
        self.size = 0
        """Entries that were published here when it was last looked at."""
        self._destination = way.destination
        self._state = way.state
        self._uploads = way.uploads
        self._every_s = way.every_s
        self._to = way.destination.location
        self._where = f"{self._to}/{log.checkpoint_name}"
        self.progress = way.state.get(self._to, log.name, origin) or Progress(origin=origin, whole_at_s=time.time())
        self._beside = BesideFiles(log, way.destination, dict(self.progress.beside))
        self._asked = False
        self._stored: Stored | None = None
        """The checkpoint in the store, once it was asked for."""
        self._shipped_s: float | None = None
        """When the checkpoint was last shipped, on the monotonic clock."""
        self._settled: object = None
        """How the files looked when all of them were there."""

    def step(self, *, everything: bool) -> Iterator[int]:
        """Ship what there is, giving the number of bundles there as it grows; `everything` waits for no period.

        Raises ShipError.
        """
        looks = self.log.looks()
        if looks == self._settled:
            self.progress = replace(self.progress, whole_at_s=time.time())
            return
        witnessed = self.log.witnessed()
        published = self.log.published()
        self.size = published.size
        if published.checkpoint.origin != self.origin:
            raise LocalLogError(f"{self.log.root / self.log.name}: was {self.origin}, is {published.checkpoint.origin}")
        tree = CheckedTree(self.log, published.size)
        if not self._asked:
            self._ask(published, tree)
        if published.size < self.progress.size:
            raise LocalLogError(
                f"{self.log.root / self.log.name}: {published.size} entries are published here, and "
                f"{self.progress.size} are in {self._to}. Mend: an old disk image was restored; keep it apart and let "
                "the worker begin a new incarnation"
            )
        if published.size > self.progress.size:
            yield from self._ship_full(tree)
            if everything or self._is_due() or _is_closed(tree):
                self._ship_rest(published, tree)
        else:
            self._note(whole_at_s=time.time())
        self._ship_beside()
        if witnessed is not None:
            self._beside.ship_witnessed(witnessed, self.progress.size)
            self._note(beside=dict(self._beside.known))
        if self.progress.size == published.size and (witnessed is None or witnessed.size <= published.size):
            self._settled = looks

    def _is_due(self) -> bool:
        return self._shipped_s is None or time.monotonic() - self._shipped_s >= self._every_s

    def _note(self, **changes: object) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]
        self._state.put(self._to, self.log.name, self.progress)

    def _ask(self, published: Published, tree: CheckedTree) -> None:
        """Once in a life, ask the store how far the log is there, and hold its checkpoint against ours."""
        stored = self._destination.read(self.log.checkpoint_name)
        size = 0 if stored is None else self._checked(stored, published, tree).size
        if size < self.progress.size:
            raise StoreBehindError(
                f"{self._where}: covers {size} entries, and {self.progress.size} were shipped. Mend: mount the right "
                f"folder, or find out who removed evidence; to ship all of it anew, remove {self._state.path}"
            )
        self._stored = stored
        self._asked = True
        self._note(size=size, bundles=max(self.progress.bundles, size // TILE_WIDTH))

    def _checked(self, stored: Stored, published: Published, tree: CheckedTree) -> Published:
        """Hold a checkpoint of the store against our tree: it must be an earlier state of the same log, or a later."""
        there = parse_published(stored.data, self._where)
        if there.checkpoint.origin != self.origin:
            raise ForeignObjectError(
                f"{self._where}: is of {there.checkpoint.origin}, and ours is {self.origin}. Mend: give each "
                "organisation and environment a prefix of its own"
            )
        if there.size <= published.size and tree.root(there.size) != there.checkpoint.root:
            raise ForeignObjectError(
                f"{self._where}: over {there.size} entries the store's checkpoint has another root than this disk: "
                "the log was forked. Mend: keep both, and find out who wrote the other"
            )
        return there

    def _ship_full(self, tree: CheckedTree) -> Iterator[int]:
        work = ((index, partial(self._put, pieces)) for index, pieces in tree.full(self.progress.bundles))
        for index, pruned in self._uploads.run(work):
            self._note(bundles=index + 1, pruned=self.progress.pruned + pruned)
            yield index + 1

    def _ship_rest(self, published: Published, tree: CheckedTree) -> None:
        """Ship the right edge, what stands beside the log, and then the checkpoint."""
        if tree.root(tree.size) != published.checkpoint.root:
            raise LocalLogError(
                f"{self.log.root / self.log.checkpoint_name}: its tiles hash to another root. Mend: start the worker "
                "anew, which publishes its log again"
            )
        work = [(piece.tile, partial(self._put, [piece])) for piece in tree.edge()]
        pruned = sum(lost for _, lost in self._uploads.run(work))
        self._ship_beside()
        self._ship_checkpoint(published, tree)
        self._shipped_s = time.monotonic()
        self._note(size=published.size, whole_at_s=time.time(), pruned=self.progress.pruned + pruned)

    def _put(self, pieces: list[Piece]) -> int:
        """Put tiles, and give the number of entries that are neither here nor there."""
        pruned = 0
        for piece in pieces:
            name = self.log.tile_name(piece.tile)
            if piece.data is not None:
                self._destination.put_immutable(name, piece.data)
            elif self._destination.read(name) is None:
                pruned += piece.tile.width
        return pruned

    def _ship_beside(self) -> None:
        self._beside.ship()
        self._note(beside=dict(self._beside.known))

    def _ship_checkpoint(self, published: Published, tree: CheckedTree) -> None:
        for _ in range(_TRIES):
            stored = self._stored
            if stored is not None and self._checked(stored, published, tree).size >= published.size:
                return
            try:
                tag = self._destination.put_mutable(
                    self.log.checkpoint_name, published.note, over=None if stored is None else stored.tag
                )
            except StoreChangedError:
                # Another shipper was faster, or our own write came through and its answer was lost.
                self._stored = self._destination.read(self.log.checkpoint_name)
            else:
                self._stored = Stored(data=published.note, tag=tag)
                return
        raise StoreAwayError(f"{self._where}: somebody else writes it all the time")


def _is_closed(tree: CheckedTree) -> bool:
    """Tell whether a log has come to its end, after which nobody waits for more."""
    entry = tree.last_entry()
    try:
        return entry is not None and kind_of(parse_entry(entry)) == "close"
    except NoteError:
        return False
