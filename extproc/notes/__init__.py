"""Signed notes and the keys that sign them: what the decision log and the policy bundles share.

Owns the format of C2SP signed-note and the files that keys are kept in. What a note says, and which names may sign it,
is for those who use them: :mod:`extproc.ledger` signs checkpoints, :mod:`extproc.bundle` policies.

SPEC: https://c2sp.org/signed-note
"""

from extproc.notes.errors import NoteError

__all__ = ["NoteError"]
