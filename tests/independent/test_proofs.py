"""Our `.tlog-proof` files, judged by programs that are not ours."""

import random
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from independent.logs import SIZES, Logs, Made
from independent.programs import run

from extproc.archive import open_archive
from extproc.audit.prove import Proof, prove_all
from extproc.audit.published import find_published

pytestmark = pytest.mark.slow


def _proofs(made: Made, indices: list[int]) -> list[Proof]:
    archive = open_archive(str(made.folder))
    (log,) = find_published(archive)
    return list(prove_all(archive, log, indices))


def _judge(made: Made, programs: Path, folder: Path, proofs: list[tuple[bytes, bytes]]) -> tuple[int, str, str]:
    """Give exit status, output and errors for proofs and the entries that they are about."""
    files: list[Path] = []
    for number, (proof, entry) in enumerate(proofs):
        files += [folder / f"{number}.tlog-proof", folder / f"{number}.entry"]
        files[-2].write_bytes(proof)
        files[-1].write_bytes(entry)
    done = run(programs / "proof", made.vkey, made.policy, *files)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("size", [size for size in SIZES if size > 1])
def test_a_proof_stands_by_itself(logs: Logs, programs: Path, tmp_path: Path, size: int) -> None:
    """The witnesses have cosigned the tree without the last entry: all before it are proved by that one."""
    made = logs(size)
    rng = random.Random(size)
    indices = sorted({0, size - 2, *(rng.randrange(size - 1) for _ in range(60))})
    proofs = [(each.proof, each.entry) for each in _proofs(made, indices)]
    assert _judge(made, programs, tmp_path, proofs)[:2] == (0, "".join(f"{index} {size - 1}\n" for index in indices))


def test_an_entry_that_was_not_witnessed_is_not_passed_off_as_such(logs: Logs, programs: Path, tmp_path: Path) -> None:
    made = logs(257)
    proofs = [(each.proof, each.entry) for each in _proofs(made, [256])]
    code, _, said = _judge(made, programs, tmp_path, proofs)
    assert (code, said) == (1, "not cosigned by enough witnesses\n")
    made.folder.parent.joinpath("policy-of-nobody").write_text("quorum none\n")
    done = run(
        programs / "proof",
        made.vkey,
        made.folder.parent / "policy-of-nobody",
        *sorted(tmp_path.glob("*"), reverse=True),
    )
    assert (done.returncode, done.stdout) == (0, "256 257\n")


_SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "index": lambda proof: proof.replace(b"index 100\n", b"index 101\n"),
    "a hash missing": lambda proof: proof[: proof.index(b"\n", 60) + 1] + proof[proof.index(b"\n", 105) + 1 :],
    "a hash more": lambda proof: proof.replace(b"\n\n", b"\n" + b64encode(bytes(32)) + b"\n\n", 1),
    "another header": lambda proof: proof.replace(b"proof@v1", b"proof@v2"),
    "another size": lambda proof: proof.replace(b"\n256\n", b"\n255\n"),
    "a signature missing": lambda proof: b"".join(
        line for line in proof.splitlines(keepends=True) if b"witness1.example" not in line
    ),
}


@pytest.mark.parametrize("what", _SPOILT)
def test_a_spoilt_proof_is_rejected(logs: Logs, programs: Path, tmp_path: Path, what: str) -> None:
    made = logs(257)
    (proof,) = _proofs(made, [100])
    assert _judge(made, programs, tmp_path, [(proof.proof, proof.entry)])[0] == 0
    spoilt = _SPOILT[what](proof.proof)
    assert spoilt != proof.proof
    assert _judge(made, programs, tmp_path, [(spoilt, proof.entry)])[0] == 1


def test_a_proof_of_another_entry_is_rejected(logs: Logs, programs: Path, tmp_path: Path) -> None:
    made = logs(257)
    one, other = _proofs(made, [100, 101])
    assert _judge(made, programs, tmp_path, [(one.proof, other.entry)])[0] == 1
