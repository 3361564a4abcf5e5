"""Which keys an auditor trusts for a log, from when until when.

A verifier key vouches for the log of its own name and for every log whose origin lies below that name: the key of
`acme/prod/eu/node-1/w0` for `acme/prod/eu/node-1/w0/000001-5f3a90c2`. So one key handed over once covers every
incarnation. An organisation's key vouches for the keys that it delegates to, as the file `delegations` beside a log has
them. The signature itself is always checked under the log's own full name, as C2SP signed-note says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from extproc.notes.errors import MalformedError
from extproc.notes.keys import load_vkeys
from extproc.notes.note import KeyType, VerifierKey
from extproc.trust.chain import EpochKey, epoch_keys
from extproc.trust.delegation import covers, parse_delegations
from extproc.trust.tlog_policy import TrustPolicy, load_tlog_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The keys that somebody handed over. Without any, a log's own `.vkey` stands in, which proves no authorship.

    `policy` names witnesses, and how many of them must have seen a log; its own logs count as `keys` do. The last
    entry of a log may be at most `witnessed_within_s` younger than the latest tree that they have cosigned; None asks
    for no time.
    """

    keys: Sequence[VerifierKey] = ()
    policy: TrustPolicy | None = None
    witnessed_within_s: float | None = None

    @property
    def roots(self) -> tuple[VerifierKey, ...]:
        """All keys that were handed over for logs."""
        return (*self.keys, *(self.policy.logs if self.policy is not None else ()))

    def keys_for(self, origin: str, *, listed: Sequence[VerifierKey], delegations: bytes) -> tuple[EpochKey, ...]:
        """Give the keys that may sign this log, under its name.

        `listed` are those of the `.vkey` beside the log, and `delegations` the file of that name; both count only as
        far as the roots say so. Raises NoteError for delegations that do not hold.
        """
        notes = parse_delegations(delegations)
        if self.roots:
            return epoch_keys(origin, roots=self.roots, delegations=notes)
        return tuple(EpochKey(key=key, from_s=-inf, until_s=inf) for key in listed if key.name == origin)

    def direct(self, origin: str) -> tuple[EpochKey, ...]:
        """Give the keys that need no delegation: for a log whose delegations do not hold."""
        return tuple(
            EpochKey(key=VerifierKey(name=origin, public=key.public), from_s=-inf, until_s=inf)
            for key in self.roots
            if key.type is KeyType.ED25519 and covers(key.name, origin)
        )


def load_trust(paths: Sequence[Path], *, policy: Path | None = None, witnessed_within_s: float | None = None) -> Trust:
    """Read `.vkey` files, and folders of them, and a policy of C2SP's. Raises MalformedError and OSError."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.vkey")) if path.is_dir() else [path]
        if not inside:
            raise MalformedError(f"{path}: holds no .vkey file")
        files += inside
    return Trust(
        keys=tuple(key for path in files for key in load_vkeys(path)),
        policy=None if policy is None else load_tlog_policy(policy),
        witnessed_within_s=witnessed_within_s,
    )
