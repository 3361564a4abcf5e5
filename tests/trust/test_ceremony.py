from pathlib import Path

import pytest
from trust.crashes import Crash, Crashes

from extproc.notes.errors import KeyFileError, MalformedError, NoteError
from extproc.notes.keys import SigningKey, create_key, generate_key, load_key
from extproc.notes.note import VerifierKey, format_vkey, sign_note
from extproc.trust.ceremony import HEADER, install, make_request, open_request, requested_of
from extproc.trust.delegation import Delegation, name_issuer, sign_delegation
from extproc.trust.epochs import KeyRing
from extproc.trust.ring_files import delegations_of, next_of, root_of

SCOPE = "acme/prod/eu/node-1/0"
NOW_S = 1_800_000_000
ORG_KEY = generate_key()
ORG = ORG_KEY.verifier("acme/prod")


def answer(asks: VerifierKey) -> bytes:
    given = Delegation(
        scope=asks.name,
        key=asks,
        from_s=NOW_S,
        until_s=NOW_S + 90_000,
        successors_until_s=NOW_S + 900_000,
        issuer=name_issuer(ORG),
    )
    return sign_delegation(given, signer=ORG_KEY, issuer=ORG)


def _ask(key: SigningKey, *lines: str) -> bytes:
    return sign_note("".join(f"{line}\n" for line in lines), key.verifier(SCOPE), key.sign)


def test_a_request_shows_that_who_asks_has_the_key(tmp_path: Path) -> None:
    path = tmp_path / "node" / "log.pem"
    note = make_request(path, scope=SCOPE)
    assert open_request(note) == load_key(requested_of(path)).verifier(SCOPE)
    assert make_request(path, scope=SCOPE) == note
    assert not path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_what_is_no_request_is_refused() -> None:
    key, other = generate_key(), generate_key()
    vkey = format_vkey(key.verifier(SCOPE))
    for note, message in (
        (_ask(key, "situs.key-request/v2", SCOPE, vkey), f"expected {HEADER}"),
        (_ask(key, HEADER, SCOPE, vkey, "more"), "3 lines"),
        (_ask(key, HEADER, "acme prod", vkey), "expected a scope"),
        (_ask(key, HEADER, "acme/prod", vkey), "line 3: expected a key by the name acme/prod"),
        (_ask(other, HEADER, SCOPE, vkey), "signed by no trusted key"),
        (b"nonsense", "expected a text"),
    ):
        with pytest.raises(NoteError, match=message):
            open_request(note)
    with pytest.raises(MalformedError, match="expected a scope"):
        make_request(Path("/nowhere/log.pem"), scope="/")


def test_an_answer_without_a_delegation_installs_nothing(tmp_path: Path) -> None:
    make_request(tmp_path / "log.pem", scope=SCOPE)
    with pytest.raises(MalformedError, match="expected one at least"):
        install(tmp_path / "log.pem", delegations=(), roots=[ORG])
    with pytest.raises(KeyFileError, match=r"no private key of .*Mend"):
        install(tmp_path / "log.pem", delegations=[answer(generate_key().verifier(SCOPE))], roots=[ORG])
    assert not root_of(tmp_path / "log.pem").exists()
    assert not delegations_of(tmp_path / "log.pem").exists()


def test_a_next_key_that_was_left_there_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    asks = open_request(make_request(path, scope=SCOPE))
    create_key(next_of(path))
    install(path, delegations=[answer(asks)], roots=[ORG])
    assert load_key(path).public == asks.public
    assert not next_of(path).exists()


@pytest.mark.slow
@pytest.mark.parametrize("torn", [True, False])
@pytest.mark.parametrize("before", [True, False])
def test_an_installation_that_ends_anywhere_can_be_run_again(tmp_path: Path, *, torn: bool, before: bool) -> None:
    """Whether a key signed there before or not; and a start in between loses nothing but, at worst, the request."""
    for at in range(1, 100):
        path = tmp_path / str(at) / "log.pem"
        path.parent.mkdir()
        old = create_key(path) if before else None
        asks = open_request(make_request(path, scope=SCOPE))
        crashes = Crashes(at, torn=torn)
        try:
            with crashes.armed():
                install(path, delegations=[answer(asks)], roots=[ORG])
        except Crash:
            pass
        install(path, delegations=[answer(asks)], roots=[ORG])
        ring = KeyRing(path, scope=SCOPE, now_s=NOW_S)
        assert ring.key.public == asks.public
        assert old is None or old.public != ring.key.public
        ring.close()
        assert sorted(each.name for each in path.parent.iterdir() if not each.name.startswith(".")) == [
            "log.pem",
            "log.pem.delegations",
            "log.pem.lock",
            "log.pem.root.vkey",
        ]
        if crashes.calls < at:
            assert at > 8
            return
    pytest.fail("it never came through")
