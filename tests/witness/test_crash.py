"""A witness that is killed between any two of its steps never has two histories cosigned."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from witness.world import MemoryLog

from extproc.notes.keys import create_key
from extproc.notes.note import parse_note
from extproc.witness.request import parse_signatures
from extproc.witness.witness import WitnessKey

TESTS = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), [(0, 8), (8, 13)])
def test_killed_between_any_two_steps(tmp_path: Path, old: int, new: int) -> None:
    log_key = create_key(tmp_path / "log.pem")
    key = WitnessKey.named("w", create_key(tmp_path / "witness.pem"))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crash.py")), str(tmp_path), str(old), str(new)],
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        capture_output=True,
        text=True,
        check=True,
    )
    _, *rounds = done.stdout.split("line ")
    outcomes: list[tuple[bool, bool]] = []
    for each in rounds:
        cosigned: set[int] = set()
        for answer in each.splitlines()[1:]:
            history, said = answer.split(" ", 1)
            if said.startswith("—") and history != "0":
                mine = MemoryLog(key=log_key, history=int(history), fork_at=old)
                text = parse_note(mine.checkpoint(new)).text
                (signature,) = parse_signatures(said.encode() + b"\n", text)
                assert key.verifier.verifies(text, signature.signature)
                cosigned.add(int(history))
        assert len(cosigned) <= 1, "two histories under one witness's key"
        outcomes.append((1 in cosigned, 2 in cosigned))
    assert outcomes[0] == (False, True), "killed before it began: the other history is the only one"
    assert (False, False) in outcomes, "killed after the commit: what nobody has got is still remembered"
    assert outcomes[-1] == (True, False), "not killed"
    assert len(outcomes) > 60, "it was killed at every line of its way"
