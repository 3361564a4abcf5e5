"""Delegations: the note by which one key lets another sign the logs of a scope, for a time.

Owns the text of such a note, its signature, and the file `delegations` that keeps many of them. Whether a delegation
follows from a key that somebody trusts is for :mod:`extproc.trust.chain`.

The text has exactly five lines, and the note exactly one signature, that of the issuer::

    situs.key-delegation/v1
    acme/prod/eu/node-1/0                                       the scope: an origin, or what origins begin with
    acme/prod/eu/node-1/0+1b0a5f9e+AQ…                          the delegate, a verifier key under the scope's name
    signs 2026-11-21T06:00:00Z 2026-11-22T07:00:00Z             it signs from, and until before
    successors 2027-12-26T06:00:00Z                             nothing it delegates signs from then on

So a note has seven lines. In a file of several, one empty line stands between two: the lines of a note are counted,
never searched for, and no text can pass for a boundary.

SPEC: https://c2sp.org/signed-note
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from extproc.notes.errors import MalformedError, UnknownSignerError
from extproc.notes.keys import Signer
from extproc.notes.note import KeyType, VerifierKey, format_vkey, open_note, parse_note, parse_vkey, sign_note

HEADER: Final = "situs.key-delegation/v1"
LATEST_S: Final = 253_402_300_799
"""The last second that the text can say: 9999-12-31T23:59:59Z."""
LONGEST: Final = 4096
"""Far above any delegation, in bytes: something longer is something else."""
MOST: Final = 1 << 16
"""Most delegations in one file: a rotation every ten minutes for a year, with room."""
_TEXT_LINES: Final = 5
_NOTE_LINES: Final = 7
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_SCOPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}(/[A-Za-z0-9][A-Za-z0-9._-]{0,62})*", re.ASCII)
"""The words of an origin, as many as there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """`key`, which bears the scope as its name, may sign the logs at or below `scope` in [from_s, until_s).

    Times are whole Unix seconds. It may delegate within the scope, but nothing that follows from it signs at
    `successors_until_s` or later. `issuer` says who delegated, as name+hash: the beginning of its verifier key.
    """

    scope: str
    key: VerifierKey
    from_s: int
    until_s: int
    successors_until_s: int
    issuer: str


def covers(scope: str, name: str) -> bool:
    """Tell whether `name` is `scope` or lies below it, at a slash."""
    return name == scope or name.startswith(f"{scope}/")


def check_scope(scope: str) -> None:
    """Refuse what no origin could begin with. Raises MalformedError."""
    if _SCOPE.fullmatch(scope) is None:
        raise MalformedError(f"expected a scope such as acme/prod/eu/node-1/0, found {scope!r}")


def name_issuer(key: VerifierKey) -> str:
    """Name a key as `Delegation.issuer` does: name+hash."""
    return f"{key.name}+{key.key_id.hex()}"


def format_time(at_s: int) -> str:
    """Write Unix seconds as RFC 3339 in UTC. Raises MalformedError outside the years 1970 to 9999."""
    if not 0 <= at_s <= LATEST_S:
        raise MalformedError(f"expected a time of the years 1970 to 9999, found {at_s} s after 1970")
    return f"{_EPOCH + timedelta(seconds=at_s):%Y-%m-%dT%H:%M:%SZ}"


def parse_time(text: str) -> int:
    """Read Unix seconds from RFC 3339 in UTC, to the second, in its one form. Raises MalformedError."""
    if _TIME.fullmatch(text) is None:
        raise MalformedError(f"expected a time as 2026-11-21T06:00:00Z, found {text!r}")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedError(f"expected a time that exists, found {text!r}") from None
    if at < _EPOCH:
        raise MalformedError(f"expected a time from 1970 on, found {text!r}")
    return (at - _EPOCH) // timedelta(seconds=1)


def format_delegation(delegation: Delegation) -> str:
    """Write the text of a delegation's note. Raises MalformedError for what :func:`parse_delegation` would refuse."""
    text = (
        f"{HEADER}\n{delegation.scope}\n{format_vkey(delegation.key)}\n"
        f"signs {format_time(delegation.from_s)} {format_time(delegation.until_s)}\n"
        f"successors {format_time(delegation.successors_until_s)}\n"
    )
    if parse_delegation(text, issuer=delegation.issuer) != delegation:
        raise MalformedError(f"delegation for {delegation.scope!r}: cannot be written as text")
    return text


def parse_delegation(text: str, *, issuer: str) -> Delegation:
    """Read the text of a delegation that `issuer` signed. Raises MalformedError, naming the line."""
    lines = text.split("\n")
    if len(lines) != _TEXT_LINES + 1 or lines[-1]:
        raise MalformedError(f"line {min(len(lines), _TEXT_LINES + 1)}: expected {_TEXT_LINES} lines of text")
    header, scope, vkey, signs, successors, _ = lines
    if header != HEADER:
        raise MalformedError(f"line 1: expected {HEADER}, found {header!r}")
    try:
        check_scope(scope)
    except MalformedError as error:
        raise MalformedError(f"line 2: {error}") from None
    key = _parse_key(vkey, scope)
    from_text, until_text = _words(signs, "signs", 2, 4)
    (successors_text,) = _words(successors, "successors", 1, 5)
    from_s, until_s, successors_until_s = _time(from_text, 4), _time(until_text, 4), _time(successors_text, 5)
    if from_s >= until_s:
        raise MalformedError(f"line 4: expected to end after {from_text}, found {until_text}")
    if until_s > successors_until_s:
        raise MalformedError(f"line 5: expected {until_text} or later, found {successors_text}")
    return Delegation(
        scope=scope,
        key=key,
        from_s=from_s,
        until_s=until_s,
        successors_until_s=successors_until_s,
        issuer=issuer,
    )


def sign_delegation(delegation: Delegation, *, signer: Signer, issuer: VerifierKey) -> bytes:
    """Give the note by which `issuer`, whose private half `signer` holds, delegates.

    Raises MalformedError when `delegation` names another issuer, `signer` is not the issuer, or a text would not be
    one; whether the issuer has the right is not asked here.
    """
    if delegation.issuer != name_issuer(issuer):
        raise MalformedError(f"delegation of {delegation.issuer}: expected the issuer {name_issuer(issuer)}")
    if issuer.type is not KeyType.ED25519 or signer.public != issuer.public:
        raise MalformedError(f"delegation of {delegation.issuer}: the signer does not hold the issuer's private key")
    return sign_note(format_delegation(delegation), issuer, signer.sign)


def read_delegation(note: bytes) -> Delegation:
    """Read a delegation without verifying its signature. Raises MalformedError, naming the line of the note."""
    if len(note) > LONGEST:
        raise MalformedError(f"expected at most {LONGEST} bytes, found {len(note)}")
    parsed = parse_note(note)
    if len(parsed.signatures) != 1:
        raise MalformedError(f"line {_NOTE_LINES + 1}: expected one signature, found {len(parsed.signatures)}")
    (signature,) = parsed.signatures
    return parse_delegation(parsed.text, issuer=f"{signature.name}+{signature.key_id.hex()}")


def open_delegation(note: bytes, issuers: Sequence[VerifierKey]) -> Delegation:
    """Read a delegation that one of `issuers` signed, and nobody else beside it.

    Raises MalformedError, naming the line of the note; UnknownSignerError when none of them signed it; SignatureError
    when one of them is named and did not.
    """
    delegation = read_delegation(note)
    named = [each for each in issuers if each.type is KeyType.ED25519 and name_issuer(each) == delegation.issuer]
    if not named:
        raise UnknownSignerError(f"line {_NOTE_LINES}: signed by {delegation.issuer}, which is not trusted to delegate")
    open_note(note, named)
    return delegation


def format_delegations(notes: Sequence[bytes]) -> bytes:
    """Write a file of delegations: the notes in their order, an empty line between two. Raises MalformedError."""
    data = b"\n".join(notes)
    if parse_delegations(data) != tuple(notes):
        raise MalformedError("delegations: expected notes of five lines, an empty line and one signature")
    return data


def parse_delegations(data: bytes) -> tuple[bytes, ...]:
    """Read a file of delegations; an empty one holds none. Nothing is verified. Raises MalformedError, naming the line.

    The notes come as their bytes, so that what was signed is what is verified.
    """
    if not data:
        return ()
    lines = data.split(b"\n")
    if lines.pop():
        raise MalformedError(f"delegations: line {len(lines) + 1}: expected the file to end in a newline")
    count, rest = divmod(len(lines) + 1, _NOTE_LINES + 1)
    if rest:
        raise MalformedError(f"delegations: line {len(lines)}: expected notes of {_NOTE_LINES} lines, one line between")
    if count > MOST:
        raise MalformedError(f"delegations: expected at most {MOST} notes, found {count}")
    notes: list[bytes] = []
    for start in range(0, len(lines), _NOTE_LINES + 1):
        _check_lines(lines, start)
        notes.append(b"\n".join(lines[start : start + _NOTE_LINES]) + b"\n")
    return tuple(notes)


def _check_lines(lines: Sequence[bytes], start: int) -> None:
    """Check the form of the note at line `start`, counted from 0, and that an empty line follows it."""
    for offset, line in enumerate(lines[start : start + _NOTE_LINES + 1]):
        where = f"delegations: line {start + offset + 1}"
        if (not line) != (offset in {_TEXT_LINES, _NOTE_LINES}):
            raise MalformedError(f"{where}: expected {'a line of text' if not line else 'an empty line'}")
    try:
        read_delegation(b"\n".join(lines[start : start + _NOTE_LINES]) + b"\n")
    except MalformedError as error:
        raise MalformedError(f"delegations: note from line {start + 1}: {error}") from None


def _parse_key(vkey: str, scope: str) -> VerifierKey:
    try:
        key = parse_vkey(vkey)
    except MalformedError as error:
        raise MalformedError(f"line 3: {error}") from None
    if key.name != scope:
        raise MalformedError(f"line 3: expected a key by the name {scope}, found {key.name}")
    if key.type is not KeyType.ED25519:
        raise MalformedError("line 3: expected a key of type 1 (Ed25519)")
    return key


def _words(line: str, first: str, count: int, number: int) -> list[str]:
    word, *rest = line.split(" ")
    if word != first or len(rest) != count:
        raise MalformedError(f"line {number}: expected {first!r} and {count} time{'s'[: count > 1]}, found {line!r}")
    return rest


def _time(text: str, number: int) -> int:
    try:
        return parse_time(text)
    except MalformedError as error:
        raise MalformedError(f"line {number}: {error}") from None
