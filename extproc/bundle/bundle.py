"""A policy as a signed note: made by people one after another, opened by the sidecar.

Owns the format. Whose signatures count is for :mod:`extproc.bundle.trust`.

SPEC: https://c2sp.org/signed-note
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from extproc.bundle.errors import BundleError, TrustError, UntrustedError
from extproc.bundle.text import note_text
from extproc.bundle.trust import check_name, check_trust
from extproc.notes.errors import MalformedError, NoteError, SignatureError, UnknownSignerError
from extproc.notes.keys import SigningKey
from extproc.notes.note import Note, Signature, VerifierKey, format_note, open_note, parse_note

_SIGNATURE_LINE: Final = "\n— ".encode()
"""At the start of a line, no policy holds this: its YAML would be broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedBundle:
    """The policy of a bundle, exactly as it was signed, and the sorted names of the trusted signers."""

    text: str
    signers: tuple[str, ...]


def looks_signed(data: bytes) -> bool:
    """Tell a bundle, whole or damaged, from a plain policy."""
    return _SIGNATURE_LINE in data


def sign_bundle(policy: bytes, key: SigningKey, name: str, *, also: bytes | None = None, file: str = "policy") -> bytes:
    """Sign a policy's bytes by `key` under `name`; signatures of the bundle `also`, over the same bytes, stay.

    Signing twice by one key changes nothing. Raises UnsignableError, TrustError for the name and for a key that has
    signed under another, and BundleError where `also` is no bundle, or one of another policy, or where the bundle would
    be too large.
    """
    check_name(name)
    public = key.verifier(name)
    text = note_text(policy, file=file)
    others: list[Signature] = []
    if also is not None:
        before = read_bundle(also, file=file)
        if before.text != text:
            raise BundleError(f"{file}: the bundle is of another policy. Mend: sign the policy alone, or that bundle")
        others = [each for each in before.signatures if (each.name, each.key_id) != (name, public.key_id)]
        for each in others:
            same = key.verifier(each.name)
            # The id alone has four bytes, and anybody can write one.
            if same.key_id == each.key_id and same.verifies(text, each.signature):
                mend = f"sign as {each.name}, or with another key"
                raise TrustError(f"{file}: this key has signed as {each.name}; one key is one signer. Mend: {mend}")
    mine = Signature(name=name, key_id=public.key_id, signature=key.sign(text.encode()))
    signed = format_note(Note(text=text, signatures=(*others, mine)))
    try:
        open_note(signed, [public])  # what the sidecar would refuse must not be handed out
    except MalformedError as error:
        raise BundleError(f"{file}: {_words(error)}. Mend: make the policy smaller") from None
    return signed


def join_bundles(bundles: Sequence[bytes], *, file: str = "bundle") -> bytes:
    """Give one bundle with all signatures of several bundles of one text, each once. Raises BundleError."""
    notes = [read_bundle(each, file=file) for each in bundles]
    if len({note.text for note in notes}) != 1:
        raise BundleError(f"{file}: {len(notes)} bundles are not of one text. Mend: join bundles of one policy")
    signatures = dict.fromkeys(signature for note in notes for signature in note.signatures)
    return format_note(Note(text=notes[0].text, signatures=tuple(signatures)))


def read_bundle(data: bytes, *, file: str = "bundle") -> Note:
    """Read a bundle without verifying anything. Raises BundleError."""
    try:
        return parse_note(data)
    except MalformedError as error:
        mend = "take the bundle as it was signed, or sign the policy anew"
        raise BundleError(f"{file}: {_words(error)}. Mend: {mend}") from None


def open_bundle(data: bytes, keys: Sequence[VerifierKey], *, needed: int, file: str = "bundle") -> OpenedBundle:
    """Give the policy of a bundle that at least `needed` different signers among `keys` have signed.

    Signatures by keys that are not listed count for nothing. Raises TrustError for the keys themselves, UntrustedError
    for everything else.
    """
    check_trust(keys, needed)
    mend = f"have it signed by {needed} of {', '.join(sorted({key.name for key in keys}))}"
    if not looks_signed(data):
        raise UntrustedError(f"{file}: not signed. Mend: {mend}: situs policy sign")
    try:
        note = open_note(data, keys)
    except SignatureError as error:
        changed = f"{_words(error)}: the text was changed after it was signed"
        raise UntrustedError(f"{file}: {changed}. Mend: {mend}") from None
    except (MalformedError, UnknownSignerError) as error:
        raise UntrustedError(f"{file}: {_words(error)}. Mend: {mend}") from None
    signers = tuple(sorted({signature.name for signature in note.signatures}))
    if len(signers) < needed:
        raise UntrustedError(f"{file}: signed by {', '.join(signers)} alone, and {needed} are needed. Mend: {mend}")
    return OpenedBundle(text=note.text, signers=signers)


def _words(error: NoteError) -> str:
    """Leave out where the error comes from: behind a file's name, "note:" reads like a remark."""
    return str(error).removeprefix("note: ")
