"""Policies of transparency logs: which logs, which witnesses, and how many of them must have cosigned a checkpoint.

Owns the text format, strictly, and what a quorum means. Which logs a key vouches for besides the one of its own name
is for :mod:`extproc.audit.trust`.

SPEC: https://c2sp.org/tlog-policy
"""

import re
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extproc.notes.errors import MalformedError
from extproc.notes.note import KeyType, Note, VerifierKey, cosigned_at_s, open_note, parse_vkey

NONE: Final = "none"
"""SPEC: the predefined quorum that asks for no cosignature."""

_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_SPACE: Final = re.compile("[ \t]+")
_NUMBER: Final = re.compile("[1-9][0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who cosigns. `name` is the policy's own word for it; the key bears the name by which it signs.

    `url` is its submission prefix, without a slash at the end; None where the policy is for checking alone.
    """

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group has witnessed what at least `needed` of its members (witnesses or groups) have."""

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """A checkpoint is valid that one of `logs` has signed and that witnesses have cosigned as `quorum` asks.

    `quorum` names a witness, a group or :data:`NONE`. Groups stand in the order of the file: a group's members come
    before it.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def satisfied_by(self, names: AbstractSet[str]) -> bool:
        """Tell whether the quorum is reached when the witnesses of these names, and no others, have cosigned.

        Names that are no witness of this policy count for nothing.
        """
        if self.quorum == NONE:
            return True
        reached = {witness.name for witness in self.witnesses} & names
        for group in self.groups:
            if sum(member in reached for member in group.members) >= group.needed:
                reached.add(group.name)
        return self.quorum in reached

    def cosigned(self, note: Note) -> Mapping[str, int]:
        """Give the times, in Unix seconds, of the cosignatures of this policy's witnesses, by their names here.

        `note` holds signatures that are verified, as :func:`open_cosigned` gives it. Of several by one witness the
        latest counts.
        """
        by_key = {(witness.key.name, witness.key.key_id): witness.name for witness in self.witnesses}
        times: dict[str, int] = {}
        for signature in note.signatures:
            name = by_key.get((signature.name, signature.key_id))
            if name is not None:
                times[name] = max(times.get(name, 0), cosigned_at_s(signature))
        return times


def open_cosigned(note: bytes, policy: TrustPolicy, log_keys: Sequence[VerifierKey]) -> Note:
    """Read a checkpoint's note and give it with those signatures that the log's keys or the policy's witnesses verify.

    Raises MalformedError, SignatureError for a signature that claims a known key but is not its, and
    UnknownSignerError when none of `log_keys` has signed: cosignatures alone make no checkpoint.
    """
    open_note(note, log_keys)
    return open_note(note, (*log_keys, *(witness.key for witness in policy.witnesses)))


def load_tlog_policy(path: Path) -> TrustPolicy:
    """Read a policy file. Raises MalformedError naming file, line and mend, and OSError."""
    return parse_tlog_policy(path.read_bytes(), file=str(path))


def parse_tlog_policy(text: bytes | str, *, file: str) -> TrustPolicy:
    """Read a policy; `file` is its name in errors. Raises MalformedError naming file, line and mend.

    SPEC: octets with the high bit set are opaque: two names are the same when their octets are. (What is no UTF-8 is
    kept in `str` as Python's file names are.)
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    lines = data.split(b"\n")
    if lines.pop():
        raise MalformedError(f"{file}:{len(lines) + 1}: the last line does not end; end it with a newline")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            reader.take(line)
        except MalformedError as error:
            raise MalformedError(f"{file}:{number}: {error}") from None
    if reader.quorum is None:
        raise MalformedError(f"{file}: no quorum; add a line such as `quorum none` or `quorum NAME`")
    return TrustPolicy(
        logs=tuple(reader.logs),
        witnesses=tuple(reader.witnesses),
        groups=tuple(reader.groups),
        quorum=reader.quorum,
    )


class _Reader:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self._defined: set[str] = set()
        self._members: set[str] = set()

    def take(self, line: bytes) -> None:
        """Take up one line. Raises MalformedError without the place."""
        forbidden = _FORBIDDEN.search(line)
        if forbidden:
            raise MalformedError(f"control octet 0x{forbidden[0].hex()}; only tab and newline may stand here")
        words = _SPACE.split(line.decode("utf-8", "surrogateescape").strip(" \t"))
        match words:
            case [""]:
                pass
            case [first, *_] if first.startswith("#"):
                pass
            case ["log", vkey] | ["log", vkey, _]:
                self._log(vkey)
            case ["witness", name, vkey]:
                self._witness(name, vkey, None)
            case ["witness", name, vkey, url]:
                self._witness(name, vkey, url)
            case ["group", name, needed, *members] if members:
                self._group(name, needed, members)
            case ["quorum", name]:
                self._quorum(name)
            case [keyword, *_] if keyword in _FORMS:
                raise MalformedError(f"expected `{_FORMS[keyword]}`, found {' '.join(words)!r}")
            case _:
                raise MalformedError(f"expected a line of {', '.join(_FORMS)} or a comment, found {words[0]!r}")

    def _log(self, vkey: str) -> None:
        key = _parse_key(vkey)
        _check_new_key(key, self.logs, "log")
        self.logs.append(key)

    def _witness(self, name: str, vkey: str, url: str | None) -> None:
        self._define(name)
        key = _parse_key(vkey)
        if key.type is not KeyType.COSIGNATURE:
            raise MalformedError(
                f"witness {name}: its verifier key is of type {key.type:02d}, which signs no cosignature;"
                f" expected type {KeyType.COSIGNATURE:02d}, as `situs audit witness keygen` makes"
            )
        _check_new_key(key, [each.key for each in self.witnesses], "witness")
        self.witnesses.append(Witness(name=name, key=key, url=None if url is None else url.rstrip("/")))

    def _group(self, name: str, needed: str, members: Sequence[str]) -> None:
        for member in members:
            if member == NONE or member not in self._defined:
                raise MalformedError(
                    f"group {name}: member {member!r} is not defined above; define it on a line before"
                )
            if member in self._members:
                raise MalformedError(
                    f"group {name}: {member!r} is a member already; name each member in one group, once"
                )
            self._members.add(member)
        self._define(name)
        self.groups.append(Group(name=name, needed=_parse_needed(name, needed, members), members=tuple(members)))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise MalformedError("a second quorum; keep one quorum line")
        if name != NONE and name not in self._defined:
            raise MalformedError(f"quorum: {name!r} is not defined above; define it on a line before")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NONE:
            raise MalformedError(f"{NONE!r} is predefined; choose another name")
        if name in self._defined:
            raise MalformedError(f"{name!r} is defined already; choose another name")
        self._defined.add(name)


_FORMS: Final = {
    "log": "log VKEY [URL]",
    "witness": "witness NAME VKEY [URL]",
    "group": "group NAME all|any|NUMBER MEMBER...",
    "quorum": "quorum NAME",
}


def _parse_key(vkey: str) -> VerifierKey:
    try:
        return parse_vkey(vkey)
    except UnicodeEncodeError:
        raise MalformedError(f"verifier key {vkey!r}: its name is not UTF-8") from None


def _check_new_key(key: VerifierKey, known: Collection[VerifierKey], what: str) -> None:
    """SPEC: two keys are duplicates if they wrap the same public key, whatever their names."""
    for each in known:
        if each.public == key.public:
            raise MalformedError(
                f"the key of {key.name} is that of the {what} {each.name} above; remove one of the two"
            )


def _parse_needed(name: str, text: str, members: Sequence[str]) -> int:
    if text == "any":
        return 1
    if text == "all":
        return len(members)
    # The length is looked at first: Python refuses to read numbers of thousands of digits.
    if not _NUMBER.fullmatch(text) or len(text) > len(str(len(members))) or int(text) > len(members):
        raise MalformedError(f"group {name}: expected all, any or a number from 1 to {len(members)}, found {text!r}")
    return int(text)
