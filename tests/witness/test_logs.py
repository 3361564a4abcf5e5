"""Logs whose keys rotate: a witness that knows the organisation's key alone follows the delegations."""

from pathlib import Path

import httpx
import pytest
from witness.world import NOW_S, Bench, MemoryLog, bench, serving, witness_key

from extproc.notes.errors import MalformedError
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import VerifierKey, format_vkey
from extproc.trust.delegation import Delegation, format_delegations, name_issuer, sign_delegation
from extproc.witness.errors import RequestError, UnknownLogError, UntrustedError
from extproc.witness.logs import EARLY_S, LATE_S, load_roots

ORGANISATION = generate_key()
ROOT = ORGANISATION.verifier("acme/prod")
SCOPE = "acme/prod/eu/node-1/w0"
DAY = 86_400


def delegate(  # noqa: PLR0913 - what a delegation says
    signer: SigningKey, issuer: VerifierKey, key: SigningKey, from_s: int, *, scope: str = SCOPE, until_s: int = 0
) -> bytes:
    return sign_delegation(
        Delegation(
            scope=scope,
            key=key.verifier(scope),
            from_s=from_s,
            until_s=until_s or from_s + DAY,
            successors_until_s=NOW_S + 400 * DAY,
            issuer=name_issuer(issuer),
        ),
        signer=signer,
        issuer=issuer,
    )


def rotations(count: int, *, scope: str = SCOPE) -> tuple[list[SigningKey], list[bytes]]:
    """One key a day, each delegated to by the one before, the first by the organisation."""
    keys = [generate_key() for _ in range(count)]
    notes = [delegate(ORGANISATION, ROOT, keys[0], NOW_S, scope=scope)]
    for number in range(1, count):
        before = keys[number - 1]
        start = NOW_S + number * DAY - 1
        notes.append(
            delegate(before, before.verifier(scope), keys[number], start, scope=scope, until_s=start + DAY + 1)
        )
    return keys, notes


def test_a_delegated_key_signs_in_its_window(tmp_path: Path) -> None:
    clock = [NOW_S + 10]
    made = bench(tmp_path / "s", ROOT, clock=lambda: clock[0])
    keys, notes = rotations(2)
    logs = [MemoryLog(key=key, origin=f"{SCOPE}/1") for key in keys]
    with pytest.raises(UntrustedError, match="no trusted key"):
        made.witness.add_checkpoint(logs[0].request(0, 5))
    assert made.logs.add_delegations(format_delegations(notes)) == SCOPE
    made.witness.add_checkpoint(logs[0].request(0, 5))
    with pytest.raises(UntrustedError):
        made.witness.add_checkpoint(logs[1].request(5, 6))
    clock[0] = NOW_S + DAY - 1
    made.witness.add_checkpoint(logs[1].request(5, 6))
    clock[0] = NOW_S + DAY + LATE_S - 1
    made.witness.add_checkpoint(logs[0].request(6, 7))
    clock[0] += 1
    with pytest.raises(UntrustedError):
        made.witness.add_checkpoint(logs[0].request(7, 8))
    made.witness.add_checkpoint(logs[1].request(7, 8))
    assert made.logs.keys_for(f"{SCOPE}/1", at_s=NOW_S - EARLY_S - 1) == (
        VerifierKey(name=f"{SCOPE}/1", public=ORGANISATION.public),
    )
    assert len(made.logs.keys_for("acme/prod/eu/node-2/w0/1", at_s=NOW_S + 1)) == 1, "another worker's key is its own"
    with pytest.raises(UnknownLogError):
        made.logs.keys_for("other/prod", at_s=NOW_S)


def test_delegations_outlive_the_process(tmp_path: Path) -> None:
    key = witness_key()
    keys, notes = rotations(1)
    first = bench(tmp_path / "s", ROOT, key=key)
    first.logs.add_delegations(notes[0])
    first.state.close()
    second = bench(tmp_path / "s", ROOT, key=key)
    second.witness.add_checkpoint(MemoryLog(key=keys[0], origin=f"{SCOPE}/1").request(0, 5))
    second.state.close()
    # An operator who takes the root away takes away what followed from it.
    third = bench(tmp_path / "s", generate_key().verifier("acme/prod"), key=key)
    with pytest.raises(UntrustedError):
        third.witness.add_checkpoint(MemoryLog(key=keys[0], origin=f"{SCOPE}/1").request(5, 6))


def test_an_older_file_takes_nothing_away(tmp_path: Path) -> None:
    made = bench(tmp_path / "s", ROOT)
    keys, notes = rotations(3)
    for count in (1, 3, 2, 1, 3):
        assert made.logs.add_delegations(format_delegations(notes[:count])) == SCOPE
    other = delegate(ORGANISATION, ROOT, generate_key(), NOW_S - 10 * DAY)
    made.logs.add_delegations(other)
    last = MemoryLog(key=keys[2], origin=f"{SCOPE}/1")
    assert VerifierKey(name=last.origin, public=keys[2].public) in made.logs.keys_for(last.origin, at_s=NOW_S + 2 * DAY)


def test_scopes_are_kept_apart(tmp_path: Path) -> None:
    made = bench(tmp_path / "s", ROOT)
    for scope in (SCOPE, "acme/prod/eu/node-2/w0"):
        keys, notes = rotations(1, scope=scope)
        made.logs.add_delegations(notes[0])
        made.witness.add_checkpoint(MemoryLog(key=keys[0], origin=f"{scope}/1").request(0, 5))
    assert sorted(made.state.delegations()) == [SCOPE, "acme/prod/eu/node-2/w0"]


def refused(made: Bench, notes: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        made.logs.add_delegations(notes)
    assert made.state.delegations() == {}


def test_what_does_not_follow_from_a_root(tmp_path: Path) -> None:
    made = bench(tmp_path / "s", ROOT)
    stranger = generate_key()
    _, notes = rotations(2)
    refused(made, b"", RequestError)
    refused(made, b"nonsense\n", RequestError)
    refused(made, notes[0][:-1], RequestError)
    refused(made, notes[1], UntrustedError)
    refused(made, format_delegations([notes[0], notes[0]]), UntrustedError)
    refused(made, notes[0].replace(b"successors 20", b"successors 21"), UntrustedError)
    refused(made, delegate(stranger, stranger.verifier("acme/prod"), generate_key(), NOW_S), UntrustedError)
    refused(made, delegate(ORGANISATION, ROOT, generate_key(), NOW_S, scope="other/prod"), UntrustedError)


async def test_over_the_network(tmp_path: Path) -> None:
    made = bench(tmp_path / "s", ROOT)
    keys, notes = rotations(1)
    request = MemoryLog(key=keys[0], origin=f"{SCOPE}/1").request(0, 5)
    async with (
        serving(made) as server,
        httpx.AsyncClient(base_url=f"http://{server.address}", trust_env=False) as client,
    ):
        assert (await client.post("/add-checkpoint", content=request)).status_code == 403
        assert (await client.post("/add-delegations", content=b"nonsense")).status_code == 400
        assert (await client.post("/add-delegations", content=rotations(2)[1][1])).status_code == 403
        answer = await client.post("/add-delegations", content=notes[0])
        assert (answer.status_code, answer.text) == (200, f"{SCOPE}\n")
        assert (await client.post("/add-checkpoint", content=request)).status_code == 200


def test_keys_from_files(tmp_path: Path) -> None:
    one, two, three = (generate_key().verifier(name) for name in ("acme/prod", "acme/test", "other"))
    keys, policy = tmp_path / "keys.vkey", tmp_path / "logs.policy"
    keys.write_text(f"{format_vkey(one)}\n{format_vkey(two)}\n")
    policy.write_text(f"# ours\nlog {format_vkey(two)} https://logs.example/\nlog {format_vkey(three)}\nquorum none\n")
    assert load_roots([keys, policy]) == (one, two, three)
    policy.write_text("quorum none\n")
    with pytest.raises(MalformedError, match="names no log"):
        load_roots([policy])
    policy.write_text("log x\nquorum none\n")
    with pytest.raises(MalformedError, match=f"{policy}:1"):
        load_roots([policy])
    keys.write_text("nonsense\n")
    with pytest.raises(MalformedError, match=f"{keys}:1"):
        load_roots([keys])
