"""What may be wrong with a log, each done to a copy, and which judges look at it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from independent.logs import NOW, ORIGIN, Keys, Made, cosign, delegate

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from extproc.ledger.log import LOG, WAL, LogWriter
from extproc.ledger.tiles import decode_entries
from extproc.notes.keys import generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    make_cosignature,
    make_signature,
    parse_note,
    sign_note,
)
from extproc.trust.delegation import format_delegations, parse_delegations

Tamper = Callable[[Made, Keys], None]

ENTRIES: Final = frozenset({"sumdb", "tessera", "sigstore", "pymerkle"})
"""They read every entry, and say whether the signed tree holds it."""
BUNDLES: Final = ENTRIES | {"delegated"}
"""They read every bundle to its end."""
TILES: Final = frozenset({"sumdb", "tessera", "sigstore", "delegated"})
"""They read hash tiles; pymerkle makes its own."""
SIGNATURES: Final = frozenset({"sumdb", "tessera", "sigstore", "delegated"})
COSIGNATURES: Final = frozenset({"sumdb", "tessera"})
DELEGATIONS: Final = frozenset({"delegated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampering:
    """Something wrong, and the judges that must reject it. The others do not look there, and must go on accepting."""

    tamper: Tamper
    seen_by: frozenset[str]


def flip(path: Path, at: int) -> None:
    """Flip one bit of the byte at a place; negative places count from the end."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def bundle(made: Made) -> Path:
    """Give the first bundle, full from 256 entries on."""
    return made.log / "tile/entries/000"


def _flip_entry(made: Made, keys: Keys) -> None:
    _ = keys
    # Within the origin that the Genesis names: the entry stays one that can be read.
    flip(bundle(made), 40)


def _flip_tile(level: int) -> Tamper:
    def tamper(made: Made, keys: Keys) -> None:
        _ = keys
        first = made.log / f"tile/{level}/000"
        flip(first if first.exists() else next((made.log / f"tile/{level}/000.p").iterdir()), 5)

    return tamper


def _cut(path: str, count: int) -> Tamper:
    def tamper(made: Made, keys: Keys) -> None:
        _ = keys
        whole = made.log / path
        whole.write_bytes(whole.read_bytes()[:-count])

    return tamper


def _remove(path: str) -> Tamper:
    def tamper(made: Made, keys: Keys) -> None:
        _ = keys
        (made.log / path).unlink()

    return tamper


def _lengthen(made: Made, keys: Keys) -> None:
    _ = keys
    bundle(made).write_bytes(bundle(made).read_bytes() + b"\x00\x00")


def _swap(made: Made, keys: Keys) -> None:
    """Exchange the first two entries, each with its length."""
    _ = keys
    data = bundle(made).read_bytes()
    first = 2 + int.from_bytes(data[:2])
    second = first + 2 + int.from_bytes(data[first : first + 2])
    bundle(made).write_bytes(data[first:second] + data[:first] + data[second:])


def _reword(old: bytes, new: Callable[[Made], bytes]) -> Tamper:
    """Change the text of the checkpoint and leave its signature."""

    def tamper(made: Made, keys: Keys) -> None:
        _ = keys
        path = made.log / "checkpoint"
        path.write_bytes(path.read_bytes().replace(old or f"\n{made.size}\n".encode(), new(made), 1))

    return tamper


def _flip_signature(made: Made, keys: Keys) -> None:
    _ = keys
    note = parse_note((made.log / "checkpoint").read_bytes())
    (signed,) = note.signatures
    spoilt = replace(signed, signature=bytes([signed.signature[0] ^ 1]) + signed.signature[1:])
    (made.log / "checkpoint").write_bytes(format_note(Note(text=note.text, signatures=(spoilt,))))


def _sign_anew(key: Callable[[Keys], object]) -> Tamper:
    """Sign the published checkpoint by another key under the same name."""

    def tamper(made: Made, keys: Keys) -> None:
        signer = keys.first if key(keys) is keys.first else generate_key()
        path = made.log / "checkpoint"
        path.write_bytes(sign_note(parse_note(path.read_bytes()).text, signer.verifier(ORIGIN), signer.sign))

    return tamper


def _fork(made: Made, keys: Keys) -> None:
    """Another tree of the size that was witnessed, with every signature in order."""
    path = made.folder / "witnessed"
    seen = parse_checkpoint(parse_note(path.read_bytes()).text)
    text = format_checkpoint(Checkpoint(origin=seen.origin, size=seen.size, root=bytes(32)))
    path.write_bytes(cosign(sign_note(text, keys.second.verifier(ORIGIN), keys.second.sign), keys))


def _roll_back(made: Made, keys: Keys) -> None:
    """Publish fewer entries than witnesses have seen, with every signature in order."""
    anew = made.folder / "anew"
    (anew / WAL).mkdir(parents=True)
    (anew / LOG).mkdir()
    writer = LogWriter(anew, origin=ORIGIN, key=keys.second)
    writer.append(decode_entries(bundle(made).read_bytes(), 256)[:200])
    writer.publish()
    writer.abandon()
    shutil.rmtree(made.log)
    (anew / LOG).replace(made.log)


def _cosign_otherwise(change: Callable[[str, Keys], Note]) -> Tamper:
    """Replace the second witness's cosignature of the witnessed checkpoint."""

    def tamper(made: Made, keys: Keys) -> None:
        path = made.folder / "witnessed"
        note = parse_note(path.read_bytes())
        kept = note.signatures[:2]
        path.write_bytes(format_note(Note(text=note.text, signatures=(*kept, *change(note.text, keys).signatures))))

    return tamper


def _no_cosignature(text: str, keys: Keys) -> Note:
    _ = keys
    return Note(text=text, signatures=())


def _other_witness(text: str, keys: Keys) -> Note:
    stranger = generate_key()
    name = VerifierKey(name=keys.witness_names[1].name, public=stranger.public, type=KeyType.COSIGNATURE)
    return Note(text=text, signatures=(make_cosignature(text, name, stranger.sign, at_s=NOW),))


def _forged_witness(text: str, keys: Keys) -> Note:
    """A stranger's signature with the id of the witness's key."""
    name = keys.witness_names[1]
    return Note(text=text, signatures=(make_cosignature(text, name, generate_key().sign, at_s=NOW),))


def _other_time(text: str, keys: Keys) -> Note:
    good = make_cosignature(text, keys.witness_names[1], keys.witnesses[1].sign, at_s=NOW)
    return Note(text=text, signatures=(replace(good, signature=(NOW + 1).to_bytes(8) + good.signature[8:]),))


def _plain_witness(text: str, keys: Keys) -> Note:
    """The witness's key over the text alone, as a log signs."""
    name = VerifierKey(name=keys.witness_names[1].name, public=keys.witnesses[1].public)
    return Note(text=text, signatures=(make_signature(text, name, keys.witnesses[1].sign),))


def _delegations(change: Callable[[tuple[bytes, ...], Keys], tuple[bytes, ...]]) -> Tamper:
    def tamper(made: Made, keys: Keys) -> None:
        path = made.folder / "delegations"
        path.write_bytes(format_delegations(change(parse_delegations(path.read_bytes()), keys)))

    return tamper


def _other_organisation(notes: tuple[bytes, ...], keys: Keys) -> tuple[bytes, ...]:
    stranger = generate_key()
    return (delegate(stranger.verifier("acme/test"), stranger, keys.first), *notes[1:])


def _other_scope(notes: tuple[bytes, ...], keys: Keys) -> tuple[bytes, ...]:
    """The organisation delegates to the same key, for another worker."""
    organisation = keys.organisation.verifier("acme/test")
    return (delegate(organisation, keys.organisation, keys.first, scope="acme/test/eu/node-1/w1"), *notes[1:])


def _later(notes: tuple[bytes, ...], keys: Keys) -> tuple[bytes, ...]:
    """The organisation delegates to the same key, from a time after its first signature."""
    organisation = keys.organisation.verifier("acme/test")
    return (delegate(organisation, keys.organisation, keys.first, from_s=NOW + 86_400), *notes[1:])


def _text(text: str) -> Callable[[Made], bytes]:
    return lambda _made: text.encode()


TAMPERINGS: Final[dict[str, Tampering]] = {
    "one bit of an entry": Tampering(tamper=_flip_entry, seen_by=ENTRIES),
    "two entries exchanged": Tampering(tamper=_swap, seen_by=ENTRIES),
    "a bundle cut short": Tampering(tamper=_cut("tile/entries/000", 1), seen_by=BUNDLES),
    # fsck takes as many entries from a bundle as it expects and leaves the rest; they are in no tree.
    "a bundle with an entry more": Tampering(tamper=_lengthen, seen_by=ENTRIES - {"tessera"}),
    "a bundle missing": Tampering(tamper=_remove("tile/entries/000"), seen_by=BUNDLES),
    "one bit of a leaf hash": Tampering(tamper=_flip_tile(0), seen_by=TILES),
    "one bit of an upper hash": Tampering(tamper=_flip_tile(1), seen_by=TILES),
    "a tile cut short": Tampering(tamper=_cut("tile/0/000", 32), seen_by=TILES),
    "a tile missing": Tampering(tamper=_remove("tile/0/000"), seen_by=TILES),
    "another size": Tampering(tamper=_reword(b"", lambda made: f"\n{made.size - 1}\n".encode()), seen_by=BUNDLES),
    "another origin": Tampering(tamper=_reword(b"acme/test/eu", _text("acme/test/us")), seen_by=SIGNATURES),
    "a line more in the checkpoint": Tampering(tamper=_reword(b"\n\n", _text("\nmore\n\n")), seen_by=SIGNATURES),
    "one bit of the signature": Tampering(tamper=_flip_signature, seen_by=SIGNATURES),
    "another key with the same name": Tampering(tamper=_sign_anew(lambda _: None), seen_by=SIGNATURES),
    "the key of before the rotation": Tampering(tamper=_sign_anew(lambda keys: keys.first), seen_by=SIGNATURES),
    "another tree was witnessed": Tampering(tamper=_fork, seen_by=COSIGNATURES | {"pymerkle"}),
    "fewer entries than witnessed": Tampering(tamper=_roll_back, seen_by=COSIGNATURES | {"pymerkle"}),
    "a cosignature missing": Tampering(tamper=_cosign_otherwise(_no_cosignature), seen_by=COSIGNATURES),
    "a cosignature of another time": Tampering(tamper=_cosign_otherwise(_other_time), seen_by=COSIGNATURES),
    "a cosignature without a time": Tampering(tamper=_cosign_otherwise(_plain_witness), seen_by=COSIGNATURES),
    "a witness's name, another key": Tampering(tamper=_cosign_otherwise(_other_witness), seen_by=COSIGNATURES),
    "a witness's key id, another key": Tampering(tamper=_cosign_otherwise(_forged_witness), seen_by=COSIGNATURES),
    "another organisation delegates": Tampering(tamper=_delegations(_other_organisation), seen_by=DELEGATIONS),
    "another worker's delegation": Tampering(tamper=_delegations(_other_scope), seen_by=DELEGATIONS),
    "a delegation that began later": Tampering(tamper=_delegations(_later), seen_by=DELEGATIONS),
    "a delegation missing": Tampering(tamper=_delegations(lambda notes, _: notes[:1]), seen_by=DELEGATIONS),
    "delegations exchanged": Tampering(tamper=_delegations(lambda notes, _: notes[::-1]), seen_by=DELEGATIONS),
}
