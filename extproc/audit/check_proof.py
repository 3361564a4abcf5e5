"""Checking a proof by keys of one's own, and nothing else: no log, no network, no word of whoever handed it over.

Owns the judgement over `.tlog-proof` files, alone or many in a selection that `situs audit export` made.

SPEC: https://c2sp.org/tlog-proof, "Verifying a tlog proof"
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from extproc.archive import Archive
from extproc.audit.tlog_proof import SUFFIX, parse_tlog_proof
from extproc.audit.trust import Trust
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.entries import parse_entry
from extproc.ledger.errors import LedgerError, ProofError
from extproc.ledger.log import DELEGATIONS
from extproc.ledger.merkle import leaf_hash, verify_inclusion
from extproc.notes.errors import MalformedError, NoteError, UnknownSignerError
from extproc.notes.note import open_note, parse_note
from extproc.trust.chain import epoch_keys
from extproc.trust.delegation import parse_delegations
from extproc.trust.tlog_policy import open_cosigned

SELECTION: Final = "entries"
"""The folder of a selection, below which each entry lies beside its proof."""
ENTRY_SUFFIX: Final = ".entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A proof that holds: which entry of which log it is, by a checkpoint of which size, and who signed that.

    `cosigned` has the times, in Unix seconds, of the witnesses' cosignatures, by their names in the policy.
    """

    origin: str
    index: int
    size: int
    root: bytes
    signed_by: tuple[str, ...]
    cosigned: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A proof that does not hold. `trust` tells that nobody trusted has signed; otherwise the files are wrong."""

    file: str
    reason: str
    trust: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSelection:
    """All proofs of a selection, by the names of their files."""

    checked: Mapping[str, Checked]
    failed: tuple[Failed, ...]

    @property
    def holds(self) -> bool:
        """Tell whether there was something to check and all of it holds."""
        return bool(self.checked) and not self.failed


def check_proof(proof: bytes, entry: bytes, trust: Trust, *, delegations: bytes = b"") -> Checked:
    """Check that `entry` is in a log that `trust` vouches for. `delegations` are those that came with the proof.

    Raises ProofError, MalformedError, SignatureError, and UnknownSignerError where it is only a matter of trust.
    """
    # 1. The entry as a leaf.
    parsed = parse_tlog_proof(proof)
    leaf = leaf_hash(entry)
    # 2. Who signed the checkpoint, under a key that the auditor's own lead to.
    stated = parse_checkpoint(parse_note(parsed.checkpoint).text)
    epochs = epoch_keys(stated.origin, roots=trust.roots, delegations=parse_delegations(delegations))
    # A checkpoint is signed after its entries are made, so not by a key that had ended by then.
    made_s = _made_s(entry)
    keys = [epoch.key for epoch in epochs if not made_s >= epoch.until_s]
    if not keys:
        ended = " whose time had not ended when the entry was made" if epochs else ""
        raise UnknownSignerError(f"none of the given keys leads to a key of {stated.origin}{ended}")
    opened = open_note(parsed.checkpoint, keys)
    # 3. Who cosigned it, and whether they are enough.
    cosigned: Mapping[str, int] = {}
    if trust.policy is not None:
        cosigned = trust.policy.cosigned(open_cosigned(parsed.checkpoint, trust.policy, keys))
        if not trust.policy.satisfied_by(cosigned.keys()):
            found = ", ".join(sorted(cosigned)) or "none"
            raise UnknownSignerError(f"the policy's quorum {trust.policy.quorum} has not cosigned; found {found}")
    # 4. Whether the leaf is in the tree that was signed.
    verify_inclusion(leaf, parsed.index, stated.size, parsed.hashes, stated.root)
    return Checked(
        origin=stated.origin,
        index=parsed.index,
        size=stated.size,
        root=stated.root,
        signed_by=tuple(each.key_id.hex() for each in opened.signatures),
        cosigned=dict(cosigned),
    )


def _made_s(entry: bytes) -> float:
    """Give when an entry was made; for one that nobody can read, which may be proven all the same, the beginning."""
    try:
        return parse_entry(entry).at_s
    except MalformedError:
        return 0.0


def is_selection(archive: Archive) -> bool:
    """Tell whether an archive holds entries with their proofs rather than whole logs."""
    return any(name.endswith(SUFFIX) for name in archive.names(SELECTION))


def check_selection(archive: Archive, trust: Trust) -> CheckedSelection:
    """Check every proof in an archive, each beside its entry: `X.tlog-proof` and `X.entry`.

    The `delegations` beside a log, or beside a proof that was handed out alone, are taken as what they claim and
    checked. Raises ArchiveError.
    """
    checked: dict[str, Checked] = {}
    failed: list[Failed] = []
    alone: list[str] = []
    known: dict[str, bytes] = {}
    for name in archive.names():
        stem, suffix = posixpath.splitext(name)
        if suffix == ENTRY_SUFFIX and not archive.exists(stem + SUFFIX):
            alone.append(name)
        if suffix != SUFFIX:
            continue
        try:
            entry = archive.read(stem + ENTRY_SUFFIX)
            found = check_proof(archive.read(name), entry, trust, delegations=_delegations(archive, name, known))
            _check_name(stem, found.index)
            checked[name] = found
        except FileNotFoundError:
            failed.append(Failed(file=name, reason=f"{stem}{ENTRY_SUFFIX} is missing", trust=False))
        except UnknownSignerError as error:
            failed.append(Failed(file=name, reason=str(error), trust=True))
        except (LedgerError, NoteError) as error:
            failed.append(Failed(file=name, reason=str(error), trust=False))
    failed += [Failed(file=name, reason="an entry without a proof", trust=False) for name in alone]
    return CheckedSelection(checked=checked, failed=tuple(failed))


def _check_name(stem: str, index: int) -> None:
    """Hold a file that is named by a number against the index that is proven."""
    name = posixpath.basename(stem)
    if name.isascii() and name.isdigit() and name != str(index):
        raise ProofError(f"{stem}: named as entry {name}, and proven to be entry {index}")


def _delegations(archive: Archive, name: str, known: dict[str, bytes]) -> bytes:
    """Give the delegations that come with a proof: beside it, or beside its log in a selection."""
    folder = posixpath.dirname(name)
    if folder not in known:
        log = folder.removeprefix(f"{SELECTION}/") if folder != SELECTION else ""
        places = [posixpath.join(log, DELEGATIONS), posixpath.join(folder, DELEGATIONS)]
        found = next((place for place in places if archive.exists(place)), None)
        known[folder] = b"" if found is None else archive.read(found)
        try:
            parse_delegations(known[folder])
        except MalformedError as error:
            raise MalformedError(f"{found}: {error}") from None
    return known[folder]
