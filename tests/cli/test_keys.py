"""`situs audit keys`, as the people of a ceremony call it."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ledger.world import IDENTITY, snapshot
from support.softhsm import PIN, make_token

from extproc.audit.findings import EXIT_VERIFIED
from extproc.cli.main import main
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.commit import Ledger
from extproc.ledger.entries import config_to_entry
from extproc.ledger.log import DELEGATIONS
from extproc.ledger.signing import LOG_VKEY
from extproc.notes.errors import KeyFileError
from extproc.notes.keys import create_key, load_key, load_vkeys
from extproc.notes.note import KeyType, VerifierKey, format_vkey, open_note
from extproc.notes.pkcs11_uri import PIN_VARIABLE
from extproc.trust.chain import epoch_keys
from extproc.trust.delegation import parse_delegations, read_delegation
from extproc.trust.delegation_file import load_delegations
from extproc.trust.epochs import KeyRing
from extproc.trust.tlog_policy import load_tlog_policy

Situs = Callable[..., tuple[int, str, str]]
SCOPE = IDENTITY.signer
HOUR_S = 3600


@pytest.fixture
def situs(capsys: pytest.CaptureFixture[str]) -> Situs:
    def call(*words: object) -> tuple[int, str, str]:
        try:
            code: object = main(["audit", "keys", *map(str, words)])
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def ceremony(situs: Situs, tmp_path: Path, *more: object, place: object = None) -> Path:
    """Go through it all, and give the node's key file."""
    desk, node = tmp_path / "desk", tmp_path / "node"
    desk.mkdir()
    org = desk / "acme.pem"
    if place is None:
        code, said, _ = situs("new", org, "--name", "acme/test")
    else:
        code, said, _ = situs("new", place, "--name", "acme/test", "--make", "--vkey", f"{org}.vkey")
    assert code == 0
    assert said.strip() == format_vkey(load_vkeys(desk / "acme.pem.vkey")[0])
    request, answer = tmp_path / "node.request", tmp_path / "node.delegations"
    code, said, _ = situs("request", "--key", node / "log.pem", "--scope", SCOPE, "--output", request)
    assert code == 0
    asked = said.strip()
    assert asked.startswith(f"{SCOPE}+")
    words = ("--key", place or org, "--name", "acme/test", "--output", answer, "--yes", *more)
    code, said, error = situs("delegate", request, *words)
    assert code == 0, error
    assert f"\n{SCOPE}\n{asked}\nsigns 20" in said
    code, said, error = situs("install", answer, "--key", node / "log.pem", "--root", desk / "acme.pem.vkey")
    assert code == 0, error
    assert f"signs {SCOPE}" in said
    return node / "log.pem"


async def write_rotated_log(key: Path, root: Path) -> Path:
    """Write a log as a sidecar does, with two rotations."""
    now_s = time.time()
    ring = KeyRing(key, scope=SCOPE, now_s=now_s)
    ledger = await Ledger.open(root, identity=IDENTITY, key=ring.key, delegations=ring.delegations, program="1")
    await ledger.commit(config_to_entry(snapshot(), at_s=time.time(), program="1"))
    for _ in range(2):
        await ring.rotate(ledger.rotate, now_s=time.time())
        await ledger.commit(config_to_entry(snapshot(), at_s=time.time(), program="1"))
    await ledger.close()
    ring.close()
    return ledger.directory


async def test_a_log_follows_from_the_organisations_key_alone(situs: Situs, tmp_path: Path) -> None:
    key = ceremony(situs, tmp_path)
    assert sorted(each.name for each in key.parent.iterdir()) == [
        "log.pem",
        "log.pem.delegations",
        "log.pem.lock",
        "log.pem.root.vkey",
    ]
    log = await write_rotated_log(key, tmp_path / "logs")
    vkey = tmp_path / "desk" / "acme.pem.vkey"
    origin = f"{SCOPE}/{log.name}"
    keys = epoch_keys(origin, roots=load_vkeys(vkey), delegations=load_delegations(log / DELEGATIONS))
    assert len(keys) == 4
    assert {each.key for each in keys[1:]} == set(load_vkeys(log / LOG_VKEY))
    checkpoint = open_note((log / "log/checkpoint").read_bytes(), [keys[-1].key])
    assert parse_checkpoint(checkpoint.text).size == 7
    code, said, error = situs("show", log, "--root", vkey)
    assert (code, error) == (0, "")
    assert said.count("signs") == 3
    assert "no root given" not in said
    private = load_key(key)
    assert private.public == keys[-1].key.public
    every_byte = b"".join(each.read_bytes() for each in (tmp_path / "logs").rglob("*") if each.is_file())
    assert b"PRIVATE" not in every_byte


async def test_verify_needs_the_organisations_key_and_no_other(
    situs: Situs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ceremony(situs, tmp_path)
    await write_rotated_log(key, tmp_path / "logs")
    logs = str(tmp_path / "logs")
    assert main(["audit", "verify", logs, "--key", str(tmp_path / "desk/acme.pem.vkey")]) == EXIT_VERIFIED, (
        capsys.readouterr().out
    )
    create_key(tmp_path / "other.pem")
    (tmp_path / "other.vkey").write_text(f"{format_vkey(load_key(tmp_path / 'other.pem').verifier('acme/test'))}\n")
    assert main(["audit", "verify", logs, "--key", str(tmp_path / "other.vkey")]) != EXIT_VERIFIED


def test_the_organisations_key_may_be_in_a_module(
    situs: Situs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    with make_token(tmp_path) as token:
        key = ceremony(situs, tmp_path, place=token.uri("ceremony"))
        code, said, _ = situs("new", token.uri("ceremony"), "--name", "acme/test")
        assert code == 0
        assert said == (tmp_path / "desk/acme.pem.vkey").read_text()
        code, _, error = situs("new", token.uri("ceremony"), "--name", "acme/test", "--make")
        assert code == 78
        assert "never overwritten" in error
        monkeypatch.setenv(PIN_VARIABLE, "99999999")
        code, _, error = situs("new", token.uri("ceremony"), "--name", "acme/test")
        assert (code, "PinIncorrect" in error, "99999999" in error) == (78, True, False)
    KeyRing(key, scope=SCOPE, now_s=time.time()).close()


def test_spans_say_how_long(situs: Situs, tmp_path: Path) -> None:
    key = ceremony(situs, tmp_path, "--signs", "7d", "--successors", "90d", "--from", "2026-11-21T06:00:00Z")
    (note,) = parse_delegations(key.with_name("log.pem.delegations").read_bytes())
    given = read_delegation(note)
    now = "over" if given.until_s <= time.time() else "not yet" if time.time() < given.from_s else "signs"
    assert json.loads(situs("show", key, "--json")[1])["delegations"][0]["now"] == now
    assert given.until_s - given.from_s == 7 * 24 * HOUR_S
    assert given.successors_until_s - given.from_s == 90 * 24 * HOUR_S
    ring = KeyRing(key, scope=SCOPE, now_s=given.from_s)
    assert not ring.due(given.from_s + 23 * HOUR_S)
    ring.close()
    with pytest.raises(KeyFileError, match="run the ceremony"):
        KeyRing(key, scope=SCOPE, now_s=given.until_s)


def test_a_second_ceremony_replaces_the_key(situs: Situs, tmp_path: Path) -> None:
    key = ceremony(situs, tmp_path)
    old, old_pem = load_key(key), key.read_bytes()
    root = tmp_path / "desk/acme.pem.vkey"
    request, answer = tmp_path / "again.request", tmp_path / "again.delegations"
    assert situs("request", "--key", key, "--scope", SCOPE, "--output", request)[0] == 0
    first = request.read_bytes()
    code, _, error = situs("request", "--key", key, "--scope", SCOPE, "--output", request)
    assert (code, "--force" in error) == (1, True)
    assert situs("request", "--key", key, "--scope", SCOPE, "--output", request, "--force")[0] == 0
    assert request.read_bytes() == first
    assert load_key(key).public == old.public, "it goes on until the answer is there"
    words = ("--key", tmp_path / "desk/acme.pem", "--name", "acme/test", "--yes", "--output", answer)
    assert situs("delegate", request, *words)[0] == 0
    ring = KeyRing(key, scope=SCOPE, now_s=time.time())
    code, _, error = situs("install", answer, "--key", key, "--root", root)
    assert (code, "stop that one first" in error) == (78, True)
    ring.close()
    for _ in range(2):  # it may be run again
        assert situs("install", answer, "--key", key, "--root", root)[0] == 0
        assert load_key(key).public != old.public
        KeyRing(key, scope=SCOPE, now_s=time.time()).close()
    assert old_pem not in b"".join(each.read_bytes() for each in key.parent.iterdir())


def test_a_first_key_of_its_own_gives_way_to_a_delegated_one(situs: Situs, tmp_path: Path) -> None:
    path = tmp_path / "node" / "log.pem"
    ring = KeyRing(path, scope=SCOPE, now_s=time.time())
    ring.begin(time.time())
    ring.complete()
    ring.close()
    key = ceremony(situs, tmp_path)
    assert key == path
    ring = KeyRing(key, scope=SCOPE, now_s=time.time())
    assert [root.name for root in ring.roots] == ["acme/test"]
    assert len(ring.delegations) == 1
    ring.close()


def test_what_cannot_be_used_is_refused_by_its_reason(situs: Situs, tmp_path: Path) -> None:
    key = ceremony(situs, tmp_path)
    desk, request, answer = tmp_path / "desk", tmp_path / "node.request", tmp_path / "node.delegations"
    root, out = desk / "acme.pem.vkey", tmp_path / "out"
    create_key(tmp_path / "other.pem")
    other = tmp_path / "other.vkey"
    other.write_text(f"{format_vkey(load_key(tmp_path / 'other.pem').verifier('acme/test'))}\n")
    org = ("--key", desk / "acme.pem", "--name", "acme/test", "--output", out, "--yes")
    (tmp_path / "forged").write_bytes(request.read_bytes().replace(b"node-1", b"node-2"))
    forged_end = request.read_bytes()[:-10] + b"AAAAAAAA=\n"
    (tmp_path / "unsigned").write_bytes(forged_end)
    for code, message, words in (
        (1, "exists", ("new", desk / "acme.pem", "--name", "acme/test")),
        (78, "never overwritten", ("new", desk / "acme.pem", "--name", "a", "--vkey", tmp_path / "x.vkey")),
        (1, "expected a scope", ("new", tmp_path / "y.pem", "--name", "acme prod")),
        (1, "expected a scope", ("request", "--key", key, "--scope", "/", "--output", out)),
        (78, "expected hash", ("delegate", tmp_path / "forged", *org)),
        (78, "node-1/w0", ("delegate", tmp_path / "unsigned", *org)),
        (78, "only at or below", ("delegate", request, *org, "--name", "acme/prod")),
        (78, "expected a time", ("delegate", request, *org, "--from", "now")),
        (1, "expected a span", ("delegate", request, *org, "--signs", "25")),
        (78, "years 1970 to 9999", ("delegate", request, *org, "--successors", "9999999d")),
        (1, "--signs is longer", ("delegate", request, *org, "--signs", "2d", "--successors", "1d")),
        (1, "--force", ("delegate", request, *org, "--output", answer)),
        (78, "lets others at it", ("delegate", request, *org, "--key", root)),
        (78, "not trusted to delegate", ("install", answer, "--key", key, "--root", other)),
        (78, "no private key of", ("install", answer, "--key", tmp_path / "other.pem", "--root", root)),
        (78, "absent: No such file", ("install", tmp_path / "absent", "--key", key, "--root", root)),
        (78, "not trusted to delegate", ("show", answer, "--root", other)),
        (78, "absent: No such file", ("show", tmp_path / "absent")),
    ):
        found, said, error = situs(*words)
        assert (found, said if found == 0 else "") == (code, ""), (words, error)
        assert message in error
    assert not out.exists()


def test_nothing_is_signed_without_a_yes(situs: Situs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ceremony(situs, tmp_path)
    out = tmp_path / "out"
    words = ("delegate", tmp_path / "node.request", "--key", tmp_path / "desk/acme.pem", "--name", "acme/test")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    code, _, error = situs(*words, "--output", out)
    assert (code, "nobody is here to ask" in error, out.exists()) == (1, True, False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for answer, signed in (("y", False), ("", False), ("yes", True)):
        monkeypatch.setattr("builtins.input", lambda _, said=answer: said)
        code, said, _ = situs(*words, "--output", out)
        assert (code, out.exists()) == ((0, True) if signed else (1, False))
        assert "acme/test+" in said
        assert "is about to sign" in said


def test_show_tells_a_chain_by_file_and_as_json(situs: Situs, tmp_path: Path) -> None:
    key = ceremony(situs, tmp_path)
    ring = KeyRing(key, scope=SCOPE, now_s=time.time())
    ring.begin(time.time())
    ring.complete()
    ring.close()
    root = tmp_path / "desk/acme.pem.vkey"
    code, said, _ = situs("show", key, "--json")
    assert code == 0
    found = json.loads(said)
    assert found["roots"] == [root.read_text().strip()]
    assert found["keys"] == []
    assert [each["now"] for each in found["delegations"]] == ["signs", "signs"]
    assert [each["proven"] for each in found["delegations"]] == [True, True]
    assert found["delegations"][0]["issuer"] == "+".join(found["roots"][0].split("+")[:2])
    assert found["delegations"][1]["key"] == format_vkey(load_key(key).verifier(SCOPE))
    code, said, _ = situs("show", key.with_name("log.pem.delegations"))
    assert code == 0
    assert said.count("no root given") == 2
    later = ("--from", "2999-01-01T00:00:00Z", "--yes", "--output", tmp_path / "later")
    words = ("--key", tmp_path / "desk/acme.pem", "--name", "acme/test", *later)
    assert situs("delegate", tmp_path / "node.request", *words)[0] == 0
    assert "not yet" in situs("show", tmp_path / "later")[1]
    code, said, _ = situs("show", root)
    assert (code, said) == (0, f"key  {root.read_text()}")
    code, said, _ = situs("show", tmp_path / "desk/acme.pem")
    assert (code, said.startswith("key  unnamed+")) == (0, True)
    assert "PRIVATE" not in said


def test_a_policy_names_the_root_and_the_witnesses(situs: Situs, tmp_path: Path) -> None:
    ceremony(situs, tmp_path)
    root, out = tmp_path / "desk/acme.pem.vkey", tmp_path / "trust.policy"
    files = []
    for name in ("a", "b"):
        public = create_key(tmp_path / f"{name}.pem").public
        key = VerifierKey(name=f"witness.example/{name}", public=public, type=KeyType.COSIGNATURE)
        files.append(tmp_path / f"{name}.vkey")
        files[-1].write_text(f"{format_vkey(key)}\n")
    words = ("--witness", files[0], "--witness", f"{files[1]}=https://witness.example/b", "--output", out)
    code, _, error = situs("policy", "--root", root, "--quorum", 1, *words)
    assert (code, error) == (0, "")
    policy = load_tlog_policy(out)
    assert policy.logs == load_vkeys(root)
    assert [each.url for each in policy.witnesses] == [None, "https://witness.example/b"]
    assert policy.satisfied_by({"witness-2"})
    assert not policy.satisfied_by(set())
    assert situs("policy", "--root", root, *words)[0] == 1
    assert situs("policy", "--root", root, *words, "--force")[0] == 0
    assert not load_tlog_policy(out).satisfied_by({"witness-2"})
    for quorum in (0, 3, -1):
        code, _, error = situs("policy", "--root", root, "--quorum", quorum, *words, "--force")
        assert (code, "expected a number of the 2 witnesses" in error) == (1, True)
    code, _, error = situs("policy", "--root", root, "--witness", root, "--output", out, "--force")
    assert (code, "cosignature" in error) == (78, True)
    assert situs("policy", "--root", root, "--output", out, "--force")[0] == 0
    assert load_tlog_policy(out).satisfied_by(set())
