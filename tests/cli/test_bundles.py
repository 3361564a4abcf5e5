"""`situs policy keygen`, `sign` and `verify`, as a person calls them."""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle.world import policy, signed

from extproc.bundle.bundle import read_bundle
from extproc.cli.main import main
from extproc.cli.policy import bundles
from extproc.notes.keys import load_key, load_vkeys
from extproc.policy.load import load_policy, without_signatures
from extproc.policy.parse import parse_policy
from extproc.strict_yaml import DocumentError

Situs = Callable[..., tuple[int, str, str]]
_COUNSEL, _OFFICER = "acme/policy/a-counsel", "acme/policy/b-officer"


@pytest.fixture
def situs(capsys: pytest.CaptureFixture[str]) -> Situs:
    parser = argparse.ArgumentParser(prog="situs policy")
    bundles.register(parser.add_subparsers(required=True))

    def call(*words: object) -> tuple[int, str, str]:
        args = parser.parse_args([str(word) for word in words])
        code: int = args.run(args)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def keys(situs: Situs, tmp_path: Path) -> Path:
    """Two private keys, and the file of both public ones."""
    for name in (_COUNSEL, _OFFICER):
        code, _, _ = situs("keygen", "--output", tmp_path / f"{name[-7:]}.key", "--name", name)
        assert code == 0
    trusted = tmp_path / "trusted.vkey"
    trusted.write_text("".join(path.read_text() for path in sorted(tmp_path.glob("*.key.vkey"))))
    return trusted


def test_two_people_sign_and_anybody_verifies(situs: Situs, keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(policy(3))
    bundle = tmp_path / "policy.yaml.bundle"
    code, said, _ = situs("sign", path, "--key", tmp_path / "counsel.key", "--name", _COUNSEL)
    assert (code, "version    3" in said, str(bundle) in said) == (0, True, True)
    code, _, error = situs("verify", bundle, "--keys", keys, "--needed", 2)
    assert code == 78
    assert f"signed by {_COUNSEL} alone, and 2 are needed" in error
    code, said, _ = situs("sign", bundle, "--key", tmp_path / "officer.key", "--name", _OFFICER, "--json")
    assert code == 0
    assert json.loads(said)["signatures"] == [_COUNSEL, _OFFICER]
    code, said, _ = situs("verify", bundle, "--keys", keys, "--needed", 2, "--json")
    assert code == 0
    assert json.loads(said)["signed by"] == [_COUNSEL, _OFFICER]
    assert read_bundle(bundle.read_bytes()).text.encode() == policy(3) == path.read_bytes()


def test_signing_the_policy_again_keeps_what_others_signed(situs: Situs, keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(policy())
    for file, name in (("counsel.key", _COUNSEL), ("officer.key", _OFFICER)):
        assert situs("sign", path, "--key", tmp_path / file, "--name", name)[0] == 0
    assert situs("verify", f"{path}.bundle", "--keys", keys, "--needed", 2)[0] == 0
    # A changed policy begins anew, for nobody has signed it yet; what they signed before is not lost by mistake.
    path.write_bytes(policy(2))
    before = Path(f"{path}.bundle").read_bytes()
    counsel = ("--key", tmp_path / "counsel.key", "--name", _COUNSEL)
    code, _, error = situs("sign", path, *counsel)
    assert code == 78
    said = f"the bundle holds another text, signed by {_COUNSEL}, {_OFFICER}. Mend: --force, or another --output"
    assert f"{path}.bundle: {said}" in error
    assert Path(f"{path}.bundle").read_bytes() == before
    assert situs("sign", path, *counsel, "--output", tmp_path / "other.bundle")[0] == 0
    assert situs("sign", path, *counsel, "--force")[0] == 0
    assert situs("verify", f"{path}.bundle", "--keys", keys, "--needed", 2)[0] == 78
    assert situs("verify", f"{path}.bundle", "--keys", keys)[0] == 0


def test_a_bundle_that_is_signed_into_another_loses_no_signature(situs: Situs, keys: Path, tmp_path: Path) -> None:
    path, other = tmp_path / "policy.yaml", tmp_path / "other.bundle"
    path.write_bytes(policy())
    counsel = ("--key", tmp_path / "counsel.key", "--name", _COUNSEL)
    officer = ("--key", tmp_path / "officer.key", "--name", _OFFICER)
    assert situs("sign", path, *counsel)[0] == 0
    assert situs("sign", path, *officer, "--output", other)[0] == 0
    assert situs("sign", f"{path}.bundle", *counsel, "--output", other)[0] == 0
    assert situs("verify", other, "--keys", keys, "--needed", 2)[0] == 0
    path.write_bytes(policy(1, name="another"))
    assert situs("sign", path, *counsel, "--output", tmp_path / "another.bundle")[0] == 0
    code, _, error = situs("sign", tmp_path / "another.bundle", *officer, "--output", other)
    assert (code, "the bundle holds another text" in error) == (78, True)
    assert situs("verify", other, "--keys", keys, "--needed", 2)[0] == 0


def test_nobody_signs_in_the_name_of_another(situs: Situs, keys: Path, tmp_path: Path) -> None:
    assert keys.exists()
    path, key, beside = tmp_path / "policy.yaml", tmp_path / "counsel.key", tmp_path / "counsel.key.vkey"
    path.write_bytes(policy())
    code, _, error = situs("sign", path, "--key", key, "--name", _OFFICER)
    said = f"{beside}: the key is of {_COUNSEL}, not of {_OFFICER}. Mend: --name {_COUNSEL}, or your own --key"
    assert (code, said in error) == (78, True)
    own = beside.read_text()
    beside.write_text((tmp_path / "officer.key.vkey").read_text())
    code, _, error = situs("sign", path, "--key", key, "--name", _OFFICER)
    assert (code, f"{beside}: lists another key than {key}" in error) == (78, True)
    beside.write_text("nonsense\n")
    assert situs("sign", path, "--key", key, "--name", _COUNSEL)[0] == 78
    assert not Path(f"{path}.bundle").exists()
    beside.write_text(own)
    assert situs("sign", path, "--key", key, "--name", _COUNSEL)[0] == 0
    # Without the file beside it, one key still does not make two signers.
    beside.unlink()
    code, _, error = situs("sign", path, "--key", key, "--name", _OFFICER)
    assert (code, f"this key has signed as {_COUNSEL}" in error) == (78, True)


@pytest.mark.parametrize(
    "command",
    [["check"], ["lint", "--today", "2026-12-01"], ["coverage"], ["matrix", "--at", "2026-12-01"], ["test"]],
    ids=lambda command: command[0],
)
def test_a_bundle_is_reviewed_like_the_policy_in_it(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, said = tmp_path / "policy.yaml", []
    for data in (policy(), signed(policy())):
        path.write_bytes(data)
        said.append((main(["policy", command[0], str(path), *command[1:]]), capsys.readouterr()))
    assert said[0] == said[1]
    assert said[0][1].out


def test_a_fault_in_a_bundle_has_its_place_and_a_review_verifies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml.bundle"
    path.write_bytes(signed(policy()).replace(b"rtt_ms: 8}", b"rtt_ms: x}"))
    line = policy()[: policy().index(b"rtt_ms: 8}")].count(b"\n") + 1
    with pytest.raises(DocumentError, match=rf"^{re.escape(str(path))}:{line}:\d+: [^\n]*$"):
        load_policy(path)
    path.write_bytes(signed(policy()).replace(b"rtt_ms: 8}", b"rtt_ms: 9}"))
    assert load_policy(path).document == parse_policy(policy(rtt_ms=9))


@pytest.mark.parametrize(
    "data",
    [b"", b"a: 1\n", b"a: 1\n\nb: 2\n", "a: 1\n\n— b: 2\n".encode(), "a: 1\n— acme/policy/a AAAAAAAA\n".encode(),
     "a: 1\n\n— acme/policy/a AAAAAAAA".encode(), "a: 1\n\n— acme/policy/a AAAAAAAA\nb: 2\n".encode()],
)  # fmt: skip
def test_what_does_not_end_in_signatures_stays_as_it_is(data: bytes) -> None:
    assert without_signatures(data) == data


def test_a_policy_that_cannot_be_used_is_not_signed(situs: Situs, keys: Path, tmp_path: Path) -> None:
    assert keys.exists()
    path = tmp_path / "policy.yaml"
    for data, expected in (
        (b"nonsense: true\n", "policy.yaml:1:1"),
        (policy() + b"#\ta tab\n", "a tab, which a signed note cannot hold"),
        (policy().rstrip(b"\n"), "no newline at the end"),
    ):
        path.write_bytes(data)
        code, _, error = situs("sign", path, "--key", tmp_path / "counsel.key", "--name", _COUNSEL)
        assert code == 78
        assert expected in error
    assert not (tmp_path / "policy.yaml.bundle").exists()


def test_what_cannot_be_used_is_named(situs: Situs, keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(policy())
    key = tmp_path / "counsel.key"
    assert situs("sign", path, "--key", key, "--name", "acme/prod/eu/n/0")[0] == 1
    assert situs("sign", tmp_path / "none", "--key", key, "--name", _COUNSEL)[0] == 78
    assert "none.key: cannot be opened" in situs("sign", path, "--key", tmp_path / "none.key", "--name", _COUNSEL)[2]
    code, _, error = situs("sign", path, "--key", key, "--name", _COUNSEL, "--output", path)
    assert (code, "exists, and is no bundle" in error) == (78, True)
    assert path.read_bytes() == policy()
    code, _, error = situs("sign", path, "--key", key, "--name", _COUNSEL, "--output", tmp_path / "no" / "folder")
    assert (code, "No such file or directory. Mend" in error) == (78, True)
    key.chmod(0o644)
    assert "chmod 600" in situs("sign", path, "--key", key, "--name", _COUNSEL)[2]
    assert situs("verify", path, "--keys", keys)[0] == 78
    assert situs("verify", path, "--keys", tmp_path / "none")[0] == 78
    assert situs("verify", path, "--keys", keys, "--needed", 3)[0] == 78
    one = tmp_path / "counsel.key.vkey"
    assert "the keys are of 1 signer. Mend" in situs("verify", path, "--keys", one, "--needed", 2)[2]
    code, _, error = situs("verify", path, "--keys", keys, "--needed", 0)
    assert (code, "--needed 0: no signature would be checked" in error) == (1, True)


def test_a_key_is_for_its_owner_and_never_overwritten(situs: Situs, tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    code, said, _ = situs("keygen", "--output", path, "--name", _COUNSEL, "--json")
    assert code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    public = load_key(path).verifier(_COUNSEL)
    assert load_vkeys(tmp_path / "my.key.vkey") == (public,)
    assert json.loads(said)["public"] == str(tmp_path / "my.key.vkey")
    before = path.read_bytes()
    assert situs("keygen", "--output", path, "--name", _COUNSEL)[0] == 78
    (tmp_path / "my.key.vkey").unlink()
    code, _, error = situs("keygen", "--output", path, "--name", _COUNSEL)
    assert (code, "never overwritten" in error) == (78, True)
    assert path.read_bytes() == before
    assert situs("keygen", "--output", tmp_path / "k", "--name", "acme/log")[0] == 1
    assert situs("keygen", "--output", tmp_path / "no" / "k", "--name", _COUNSEL)[0] == 78


@pytest.mark.parametrize("command", ["sign", "keygen", "verify"])
def test_help_teaches_by_an_example(situs: Situs, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        situs(command, "--help")
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert f"example{', two people' if command == 'sign' else ''}:\n  situs policy {command} " in said
    assert "exit codes: 0" in said
