"""Chains: which keys may sign a log, and when, by what a root has delegated.

Owns the rules by which one delegation follows from another. It reads no files and no clock: a window is a value that
whoever judges a log holds against the times in it.

The rules, of which breaking any one refuses the whole chain:

1. The issuer is a root, or was delegated to by a note further up: so there are no cycles.
2. The scope is the issuer's own, or lies below it.
3. No key is delegated to twice, none delegates to itself, and no two by one name share a hash: a hash has four bytes,
   and who looks for a second key of the same one finds it.
4. A successor's window begins within that of the key that delegates, and it and its own successors end no later than
   that key's successors may. It may go on longer than the key itself: that is what a successor is for.
5. A key that was delegated to has one successor. A root may delegate to as many as it likes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from extproc.notes.errors import NoteError, UnknownSignerError
from extproc.notes.note import KeyType, VerifierKey
from extproc.trust.delegation import Delegation, covers, format_time, name_issuer, open_delegation, read_delegation
from extproc.trust.errors import ChainError


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochKey:
    """A key under the name of a log's origin, which may sign that log in [from_s, until_s), in Unix seconds."""

    key: VerifierKey
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A delegation that holds, and the key that gave it."""

    delegation: Delegation
    issuer: VerifierKey


def epoch_keys(origin: str, *, roots: Sequence[VerifierKey], delegations: Sequence[bytes]) -> tuple[EpochKey, ...]:
    """Give the keys that may sign the log `origin`: roots of its name or above, with an open window, then delegates.

    `delegations` are notes in the order in which they were given, as the file beside a log has them; those for other
    scopes must hold too. `roots` are trusted as they are: a delegation to one of them narrows nothing.

    Raises NoteError, which names the note and its line, for the first delegation that does not hold.
    """
    found = {
        root.public: EpochKey(key=VerifierKey(name=origin, public=root.public), from_s=-inf, until_s=inf)
        for root in roots
        if root.type is KeyType.ED25519 and covers(root.name, origin)
    }
    for link in links(roots=roots, delegations=delegations):
        given = link.delegation
        if covers(given.scope, origin) and given.key.public not in found:
            key = VerifierKey(name=origin, public=given.key.public)
            found[key.public] = EpochKey(key=key, from_s=given.from_s, until_s=given.until_s)
    ids: dict[str, VerifierKey] = {}
    for each in found.values():
        # Under the log's own name the hashes are others, and signatures name a key by that alone.
        _admit(ids, each.key)
    return tuple(found.values())


def links(*, roots: Sequence[VerifierKey], delegations: Sequence[bytes]) -> Iterator[Link]:
    """Check delegations one by one, in their order, and give each that holds. Raises as :func:`epoch_keys` does."""
    issuers: dict[str, VerifierKey] = {}
    for root in roots:
        if root.type is KeyType.ED25519:
            _admit(issuers, root)
    above = frozenset(issuers)
    held: dict[str, Delegation] = {}
    delegated: set[bytes] = set()
    spent: set[str] = set()
    for number, note in enumerate(delegations, 1):
        try:
            given = read_delegation(note)
            issuer = issuers.get(given.issuer)
            if issuer is None:
                raise UnknownSignerError(f"line 7: signed by {given.issuer}, which is not trusted to delegate")
            open_delegation(note, (issuer,))
            _check(given, issuer, None if given.issuer in above else held[given.issuer])
            if given.key.public in delegated:
                raise ChainError(f"line 3: {name_issuer(given.key)} was delegated to before")
            if given.issuer in spent:
                raise ChainError(f"line 7: {given.issuer} has a successor already")
            _admit(issuers, given.key, where="line 3: ")
        except NoteError as error:
            raise type(error)(f"delegation {number}: {error}") from None
        if given.issuer not in above:
            spent.add(given.issuer)
        delegated.add(given.key.public)
        held[name_issuer(given.key)] = given
        yield Link(delegation=given, issuer=issuer)


def _admit(issuers: dict[str, VerifierKey], key: VerifierKey, *, where: str = "") -> None:
    """List a key by its name and hash. Raises ChainError when another one is listed so."""
    if issuers.setdefault(name_issuer(key), key) != key:
        raise ChainError(f"{where}{name_issuer(key)} is the name and hash of another key")


def _check(given: Delegation, issuer: VerifierKey, by: Delegation | None) -> None:
    """Check that `issuer`, to whom `by` delegated (None for a root), may give `given`. Raises ChainError."""
    if not covers(issuer.name, given.scope):
        raise ChainError(f"line 2: expected a scope at or below {issuer.name}, found {given.scope}")
    if given.key.public == issuer.public:
        raise ChainError(f"line 3: {given.issuer} delegates to itself")
    if by is None:
        return
    if not by.from_s <= given.from_s < by.until_s:
        raise ChainError(
            f"line 4: expected to begin while {given.issuer} signs, from {format_time(by.from_s)} until "
            f"{format_time(by.until_s)}, found {format_time(given.from_s)}"
        )
    if given.successors_until_s > by.successors_until_s:
        raise ChainError(
            f"line 5: expected {format_time(by.successors_until_s)} or earlier, as {given.issuer} may give, "
            f"found {format_time(given.successors_until_s)}"
        )
