"""`situs policy keygen`, `sign` and `verify`, as a person calls them."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle.world import policy

from extproc.bundle.bundle import read_bundle
from extproc.cli.policy import bundles
from extproc.notes.keys import load_key, load_vkeys

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
    # A changed policy begins anew: nobody has signed it yet.
    path.write_bytes(policy(2))
    assert situs("sign", path, "--key", tmp_path / "counsel.key", "--name", _COUNSEL)[0] == 0
    assert situs("verify", f"{path}.bundle", "--keys", keys, "--needed", 2)[0] == 78
    assert situs("verify", f"{path}.bundle", "--keys", keys)[0] == 0


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
