"""The decision log: durable before a decision is released, signed, and verifiable by programs that are not ours.

Owns the writing side: entries, tree, notes, the write-ahead log, the published tiles, keys and recovery. Reading a log
to judge it is for :mod:`extproc.audit`. The formats are C2SP's, byte for byte: signed-note, tlog-checkpoint and
tlog-tiles.

Read :class:`extproc.ledger.commit.Ledger` first: it is all that the sidecar uses, beside :mod:`extproc.ledger.entries`.
README.md in this folder shows what lies on the disk, VERIFY.md how to check it without us.

From there downwards: :mod:`~extproc.ledger.intake` is what waits, :mod:`~extproc.ledger.group` the thread that writes,
:mod:`~extproc.ledger.log` one log and the order of things on its disk, :mod:`~extproc.ledger.segments` the write-ahead
log's files, :mod:`~extproc.ledger.publish` the tiles. :mod:`~extproc.ledger.incarnation` begins a log,
:mod:`~extproc.ledger.recovery` ends that of a process that is gone.

Rules kept here, each with a test that tries to break it:

* An entry is released only when it is as durable as its mode promises.
* No checkpoint is published over entries that are not durable.
* A failed write is final: nothing is retried, nothing more is released.
* Nothing is dropped silently, and nothing found corrupt is written to.
"""

from extproc.ledger.errors import LedgerError

__all__ = ["LedgerError"]
