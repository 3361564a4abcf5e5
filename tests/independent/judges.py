"""The judges: what each program that is not ours says of a log.

A judge takes a log and the keys that it is told, and gives the number of entries that it found good.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from independent.logs import Made
from independent.programs import run
from pymerkle import (  # type: ignore[import-untyped]  # it has no types
    InmemoryTree,
    InvalidChallenge,
    InvalidProof,
    verify_consistency,
    verify_inclusion,
)
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore.models import TransparencyLogEntry
from sigstore_models.common import v1 as common
from sigstore_models.rekor import v1 as rekor

from extproc.ledger.proofs import TileTree
from extproc.notes.errors import MalformedError
from extproc.notes.note import VerifierKey, format_vkey

Judge: TypeAlias = Callable[[Made, Path], int]
"""Judges a log; the path is the folder of the compiled programs. Raises RejectedError."""

_BUNDLE: Final = 256
_PROOFS: Final = 300
"""How many inclusion proofs a slow judge checks at least, where the log has as many entries."""


class RejectedError(Exception):
    """A judge found a log wrong, and says why."""


def sumdb(made: Made, programs: Path) -> int:
    """The Go project's note and transparency log code: signatures, cosignatures, every entry, proofs."""
    return int(_go(programs / "sumdb", made.folder, made.vkey, *made.witness_vkeys))


def tessera(made: Made, programs: Path) -> int:
    """Tessera's fsck and client, and the checkpoints, policies and proofs of transparency-dev."""
    return int(_go(programs / "tessera", made.folder, made.vkey, made.policy))


def delegated(made: Made, programs: Path) -> int:
    """The Go project's code, told nothing but the organisation's key: delegations, changes of keys, the checkpoint."""
    size, changes = _go(programs / "delegated", made.folder, format_vkey(made.organisation)).split(" ")
    assert int(changes) == len(made.retired)
    return int(size)


def sigstore(made: Made, programs: Path) -> int:  # noqa: ARG001 - judges are called alike
    """sigstore-python: the signed checkpoint, and entries as those of a Rekor log with their inclusion proofs.

    It takes our notes as they are: it finds the signature by the four bytes of the key id and does not look at names.
    It knows no cosignatures, so of the witnessed checkpoint it sees the log's own signature among others.
    """
    keyring, key_id = RekorKeyring(Keyring([_to_sigstore(made.log_key)])), made.log_key.key_id
    try:
        note = (made.log / "checkpoint").read_text(encoding="utf-8")
        signed = SignedCheckpoint.from_text(note)
        signed.signed_note.verify(keyring, KeyID(key_id))
        witnessed = SignedCheckpoint.from_text((made.folder / "witnessed").read_text(encoding="utf-8"))
        witnessed.signed_note.verify(keyring, KeyID(key_id))
        size, root = signed.checkpoint.log_size, bytes.fromhex(signed.checkpoint.log_hash)
        tree = TileTree(lambda path: (made.log / path).read_bytes(), size)
        step = max(1, size // _PROOFS)
        for index, entry in enumerate(_entries(made.log, size)):
            if index % step == 0 or index == size - 1:
                proof = (index, size, tree.inclusion(index), root)
                _to_rekor(entry, proof, note, key_id)._verify(keyring)
    except (VerificationError, MalformedError, ValueError, OSError) as error:
        raise RejectedError(f"sigstore: {error}") from error
    return size


def pymerkle(made: Made, programs: Path) -> int:  # noqa: ARG001 - judges are called alike
    """pymerkle: the tree of RFC 9162 over the entries, inclusion proofs, and the witnessed tree as its beginning.

    It reads no notes and no tiles: the checkpoint's lines are taken as they stand, the tree is its own.
    """
    size, root = _claimed(made.log / "checkpoint")
    seen, seen_root = _claimed(made.folder / "witnessed")
    tree = InmemoryTree(algorithm="sha256")
    try:
        tree.append_entries(_entries(made.log, size))
        if tree.get_root() != root:
            raise RejectedError("pymerkle: another root")
        for index in range(1, size + 1, max(1, size // _PROOFS)):
            proof = tree.prove_inclusion(index)
            verify_inclusion(tree.get_leaf(index), root, proof, index=index, size=size, algorithm="sha256")
        if seen:
            proof = tree.prove_consistency(seen)
            verify_consistency(seen_root, root, proof, prior_size=seen, later_size=size, algorithm="sha256")
    except (InvalidProof, InvalidChallenge, ValueError, OSError) as error:
        raise RejectedError(f"pymerkle: {error}") from error
    return size


JUDGES: Final[dict[str, Judge]] = {each.__name__: each for each in (sumdb, tessera, delegated, sigstore, pymerkle)}


def _go(*command: str | Path) -> str:
    done = run(*command)
    if done.returncode != 0:
        raise RejectedError(done.stderr)
    return done.stdout.strip()


def _claimed(note: Path) -> tuple[int, bytes]:
    """Take size and root from a checkpoint as they stand."""
    lines = note.read_text(encoding="utf-8").split("\n")
    return int(lines[1]), b64decode(lines[2])


def _entries(log: Path, size: int) -> Iterator[bytes]:
    """Give the entries of a published log. Raises ValueError for a bundle of another length, and OSError."""
    for start in range(0, size, _BUNDLE):
        index, width = start // _BUNDLE, min(_BUNDLE, size - start)
        groups = f"x{index // 1000:03}/" * (index >= 1000) + f"{index % 1000:03}"
        data = (log / "tile" / "entries" / (groups + f".p/{width}" * (width < _BUNDLE))).read_bytes()
        at = 0
        for _ in range(width):
            begin, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2])
            yield data[begin:at]
        if at != len(data):
            raise ValueError(f"bundle {index}: expected {at} bytes, found {len(data)}")


def _to_sigstore(key: VerifierKey) -> common.PublicKey:
    der = Ed25519PublicKey.from_public_bytes(key.public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return common.PublicKey(raw_bytes=b64encode(der), key_details=common.PublicKeyDetails.PKIX_ED25519)


def _to_rekor(
    entry: bytes, proof: tuple[int, int, list[bytes], bytes], note: str, key_id: bytes
) -> TransparencyLogEntry:
    """Write an entry and its proof (index, size, hashes, root) as the JSON that Rekor gives."""
    index, size, hashes, root = proof
    inner: dict[str, object] = {
        "logIndex": str(index),
        "logId": {"keyId": _to_json(key_id)},
        "kindVersion": {"kind": "situs", "version": "1"},
        "inclusionProof": {
            "logIndex": str(index),
            "treeSize": str(size),
            "rootHash": _to_json(root),
            "hashes": [_to_json(each) for each in hashes],
            "checkpoint": {"envelope": note},
        },
        "canonicalizedBody": _to_json(entry),
    }
    return TransparencyLogEntry(rekor.TransparencyLogEntry.from_dict(inner))


def _to_json(data: bytes) -> str:
    return b64encode(data).decode()
