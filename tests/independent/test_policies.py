"""Trust policies at random, read by us and by the code of transparency-dev: both say the same of every checkpoint."""

import random
from pathlib import Path
from typing import Final

import pytest
from independent.programs import run

from extproc.ledger.checkpoint import Checkpoint, format_checkpoint
from extproc.ledger.merkle import EMPTY_ROOT
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_cosignature,
    make_signature,
    parse_note,
)
from extproc.trust.tlog_policy import parse_tlog_policy

pytestmark = pytest.mark.slow

_TEXT: Final = format_checkpoint(Checkpoint(origin="acme/log", size=0, root=EMPTY_ROOT))
_POLICIES: Final = 150


def _name(number: int, key: SigningKey) -> VerifierKey:
    return VerifierKey(name=f"w{number}.example", public=key.public, type=KeyType.COSIGNATURE)


def _policy(witnesses: list[SigningKey], rng: random.Random) -> str:
    """Write a policy with groups of groups."""
    lines = [f"log {format_vkey(VerifierKey(name='acme/log', public=generate_key().public))}"]
    names = [f"w{number}" for number, _ in enumerate(witnesses)]
    lines += [
        f"witness w{number} {format_vkey(_name(number, key))} https://w{number}.example"
        for number, key in enumerate(witnesses)
    ]
    # SPEC: each name is a member of at most one group.
    free = list(names)
    for number in range(rng.randrange(5)):
        members = rng.sample(free, rng.randrange(1, len(free) + 1))
        needed = rng.choice(["any", "all", str(rng.randrange(1, len(members) + 1))])
        lines.append(f"group g{number} {needed} {' '.join(members)}")
        names.append(f"g{number}")
        free = [name for name in free if name not in members] + [names[-1]]
    lines.insert(rng.randrange(len(lines)), "# a comment")
    lines.append(f"quorum {rng.choice([*names[len(witnesses) :], names[-1], 'none', names[0]])}")
    return "\n".join([*lines, ""])


def _cosigned(witnesses: list[SigningKey], rng: random.Random) -> bytes:
    """Sign a checkpoint by a log that nobody knows, and some of the witnesses."""
    stranger = generate_key()
    signatures = [make_signature(_TEXT, stranger.verifier("acme/log"), stranger.sign)]
    for number, key in enumerate(witnesses):
        if rng.random() < 0.6:
            signatures.append(make_cosignature(_TEXT, _name(number, key), key.sign, at_s=1_700_000_000))
    rng.shuffle(signatures)
    return format_note(Note(text=_TEXT, signatures=tuple(signatures)))


def test_both_say_the_same_of_any_policy(tmp_path: Path, programs: Path) -> None:
    rng = random.Random(8)
    files: list[Path] = []
    ours: list[bool] = []
    for number in range(_POLICIES):
        witnesses = [generate_key() for _ in range(rng.randrange(1, 7))]
        text, note = _policy(witnesses, rng), _cosigned(witnesses, rng)
        files += [tmp_path / f"{number}.policy", tmp_path / f"{number}.note"]
        files[-2].write_text(text)
        files[-1].write_bytes(note)
        policy = parse_tlog_policy(text, file="policy")
        ours.append(policy.satisfied_by(policy.cosigned(parse_note(note)).keys()))
    done = run(programs / "policy", *files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(each).lower() for each in ours]
    assert {True, False} == set(ours)
