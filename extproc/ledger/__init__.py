"""The decision log: durable before a decision is released, signed, and verifiable by programs that are not ours.

Owns the writing side: entries, tree, notes, the write-ahead log, the published tiles, keys and recovery. Reading a log
to judge it is for :mod:`extproc.audit`. The formats are C2SP's, byte for byte: signed-note, tlog-checkpoint and
tlog-tiles.

Read :class:`extproc.ledger.commit.Ledger` first: it is all that the sidecar uses, beside :mod:`extproc.ledger.entries`.
README.md in this folder shows what lies on the disk and how to check it by hand.

Rules kept here, each with a test that tries to break it:

* An entry is released only when it is as durable as the mode promises.
* No checkpoint is published over entries that are not durable.
* A failed write is final: nothing is retried, nothing more is released.
* Nothing is dropped silently, and nothing found corrupt is written to.
"""

from extproc.ledger.errors import LedgerError

__all__ = ["LedgerError"]
