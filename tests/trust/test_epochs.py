import os
from collections.abc import Callable
from itertools import count
from math import inf
from pathlib import Path

import pytest
from trust.crashes import Crash, Crashes

from extproc.notes.errors import KeyFileError, MalformedError
from extproc.notes.keys import Signer, SigningKey, create_key, generate_key, load_key, load_vkeys
from extproc.trust.chain import epoch_keys
from extproc.trust.delegation import Delegation, name_issuer, read_delegation, sign_delegation
from extproc.trust.delegation_file import load_delegations, save_delegations
from extproc.trust.epochs import EPOCH_S, KeyRing
from extproc.trust.ring_files import delegations_of, next_of, root_of, save_root

SCOPE = "acme/prod/eu/node-1/0"
LOG = f"{SCOPE}/000001-5f3a90c2"
NOW_S = 1_800_000_000.5
HOUR_S = 3600
ORG_KEY = generate_key()
ORG = ORG_KEY.verifier("acme/prod")


def ring_at(path: Path, now_s: float = NOW_S, *, epoch_s: float | None = EPOCH_S) -> KeyRing:
    return KeyRing(path, scope=SCOPE, now_s=now_s, epoch_s=epoch_s)


def delegated(
    path: Path, *, scope: str = SCOPE, signs_s: int = 25 * HOUR_S, successors_s: int = 400 * 24 * HOUR_S
) -> SigningKey:
    """Make a key at `path` to which the organisation has delegated since NOW_S."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = create_key(path)
    from_s = int(NOW_S)
    given = Delegation(
        scope=scope,
        key=key.verifier(scope),
        from_s=from_s,
        until_s=from_s + signs_s,
        successors_until_s=from_s + successors_s,
        issuer=name_issuer(ORG),
    )
    save_delegations(delegations_of(path), [sign_delegation(given, signer=ORG_KEY, issuer=ORG)])
    save_root(path, ORG)
    return key


class Log:
    """Takes what a ring hands over, as a ledger does."""

    def __init__(self) -> None:
        self.taken: list[tuple[Signer, bytes]] = []

    async def record(self, new: Signer, delegation: bytes) -> int:
        self.taken.append((new, delegation))
        return len(self.taken)


def private_bytes(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.iterdir())


async def test_without_an_organisation_the_first_key_is_the_root(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.pem"
    ring = ring_at(path)
    assert ring.delegations == ()
    assert ring.until_s == inf
    assert load_vkeys(root_of(path)) == (ring.key.verifier(SCOPE),)
    first, old_pem = ring.key, path.read_bytes()
    os.link(path, tmp_path / "same bytes")
    log = Log()
    assert await ring.rotate(log.record, now_s=NOW_S + 1) == 1
    assert (tmp_path / "same bytes").read_bytes() == bytes(len(old_pem)), "overwritten where it lay"
    assert ring.key.public == load_key(path).public == log.taken[0][0].public != first.public
    assert old_pem not in private_bytes(path.parent)
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "log.pem",
        "log.pem.delegations",
        "log.pem.lock",
        "log.pem.root.vkey",
    ]
    await ring.rotate(log.record, now_s=NOW_S + 2)
    ring.close()
    ring = ring_at(path, NOW_S + 3)
    assert ring.delegations == tuple(delegation for _, delegation in log.taken)
    keys = epoch_keys(LOG, roots=[first.verifier(SCOPE)], delegations=ring.delegations)
    assert keys[-1].key == ring.key.verifier(LOG)
    ring.close()


async def test_successors_have_the_window_that_the_organisation_gave(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    delegated(path, successors_s=60 * HOUR_S)
    ring = ring_at(path)
    log = Log()
    for hours, until_hours in ((24, 49), (48, 60)):
        await ring.rotate(log.record, now_s=NOW_S + hours * HOUR_S)
        given = read_delegation(ring.delegations[-1])
        assert given.from_s == int(NOW_S) + hours * HOUR_S - 60
        assert given.until_s == ring.until_s == int(NOW_S) + until_hours * HOUR_S - (0 if until_hours == 60 else 60)
        assert given.successors_until_s == int(NOW_S) + 60 * HOUR_S
        assert given.scope == SCOPE
    # The last key may sign as long as anything may: another one would gain nothing.
    assert not ring.due(NOW_S + 59.9 * HOUR_S)
    with pytest.raises(KeyFileError, match=r"time was over at .*request, delegate, install"):
        await ring.rotate(log.record, now_s=NOW_S + 60 * HOUR_S)
    ring.close()


def test_an_epoch_counts_from_the_keys_own_window(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    delegated(path)
    for start_hours in (0, 23):  # a restart does not begin it anew
        ring = ring_at(path, NOW_S + start_hours * HOUR_S)
        assert not ring.due(NOW_S + 23.9 * HOUR_S)
        assert ring.due(NOW_S + 24 * HOUR_S)
        ring.close()
    ring = ring_at(path, NOW_S, epoch_s=100 * HOUR_S)
    assert not ring.due(NOW_S + 23.9 * HOUR_S)
    assert ring.due(NOW_S + 24 * HOUR_S), "its window is nearly over"
    ring.close()
    ring = ring_at(path, NOW_S, epoch_s=None)
    assert not ring.due(NOW_S + 1e9)


def test_a_root_key_is_as_old_as_its_file(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    ring = ring_at(path)
    os.utime(path, (NOW_S, NOW_S))
    assert not ring.due(NOW_S + EPOCH_S - 1)
    assert ring.due(NOW_S + EPOCH_S)
    ring.close()


def test_a_key_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    delegated(path)
    delegations_of(path).rename(tmp_path / "away")
    with pytest.raises(KeyFileError, match=r"acme/prod\+[0-9a-f]{8} has not delegated to this key. Mend: run the cere"):
        ring_at(path)
    (tmp_path / "away").rename(delegations_of(path))
    for now_s, message in ((NOW_S - 1, "may sign from"), (NOW_S + 25 * HOUR_S, "time was over at .*Mend")):
        with pytest.raises(KeyFileError, match=message):
            ring_at(path, now_s)
    stranger = generate_key().verifier("acme/prod")
    with pytest.raises(KeyFileError, match=r"delegations: delegation 1: line 7: signed by .*Mend: run the ceremony"):
        KeyRing(path, scope=SCOPE, now_s=NOW_S, roots=[stranger])
    with pytest.raises(KeyFileError, match="may sign acme/prod/eu/node-1/0, and not acme/prod/eu/node-2/0"):
        KeyRing(path, scope="acme/prod/eu/node-2/0", now_s=NOW_S)
    KeyRing(path, scope=SCOPE, now_s=NOW_S, roots=[stranger, ORG]).close()


def test_a_ring_with_a_root_makes_no_key_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    with pytest.raises(KeyFileError, match="the private key is not there"):
        KeyRing(path, scope=SCOPE, now_s=NOW_S, roots=[ORG])
    save_root(path, ORG)
    with pytest.raises(KeyFileError, match="the private key is not there"):
        ring_at(path)
    assert not path.exists()


def test_a_key_may_serve_a_scope_above(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    delegated(path, scope="acme/prod/eu/node-1")
    ring = ring_at(path)
    given = read_delegation(ring.begin(NOW_S).delegation)
    assert given.scope == SCOPE
    assert given.issuer.startswith("acme/prod/eu/node-1+")
    ring.complete()
    assert ring.verifier.name == SCOPE
    ring.close()


@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_rotation_that_the_log_has_is_finished_by_the_same_process(tmp_path: Path, at: int) -> None:
    path, late_s = tmp_path / "log.pem", NOW_S + 24 * HOUR_S
    old = delegated(path)
    ring, log, calls = ring_at(path), Log(), count()

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            if next(calls) == at:
                raise OSError("the disk of the keys is away")
            real(*arguments)

        return call

    with pytest.MonkeyPatch.context() as patch:

        async def record(new: Signer, delegation: bytes) -> int:
            patch.setattr(os, "fsync", failing(os.fsync))
            patch.setattr(os, "replace", failing(os.replace))
            return await log.record(new, delegation)

        with pytest.raises(OSError, match="the disk of the keys is away"):
            await ring.rotate(record, now_s=late_s)
    assert ring.key.public == old.public
    assert ring.due(late_s)
    assert await ring.rotate(log.record, now_s=late_s) == 1
    ((new, _),) = log.taken
    assert load_key(path).public == ring.key.public == new.public
    assert not next_of(path).exists()
    assert not ring.due(late_s)
    ring.close()


async def test_a_next_key_that_somebody_took_away_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    delegated(path)
    ring = ring_at(path)

    async def record(_new: Signer, _delegation: bytes) -> int:
        next_of(path).unlink()
        return 1

    with pytest.raises(KeyFileError, match=r"holds another key.*Mend"):
        await ring.rotate(record, now_s=NOW_S + 24 * HOUR_S)
    ring.close()


def test_a_first_key_follows_its_node_to_another_name(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    ring_at(path).close()
    ring = KeyRing(path, scope="acme/prod/eu/node-2/0", now_s=NOW_S)
    assert load_vkeys(root_of(path)) == (ring.key.verifier("acme/prod/eu/node-2/0"),)
    ring.begin(NOW_S)
    ring.complete()
    ring.close()
    with pytest.raises(KeyFileError, match="may sign acme/prod/eu/node-2/0, and not acme/prod/eu/node-1/0"):
        ring_at(path)


def test_another_key_than_the_delegated_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    delegated(path)
    path.unlink()
    create_key(path)
    with pytest.raises(KeyFileError, match=r"another key than log.pem.delegations names last .*Mend"):
        ring_at(path)
    create_key(next_of(path))
    with pytest.raises(KeyFileError, match=r"log.pem.next: expected the key acme/prod/eu/node-1/0\+"):
        ring_at(path)
    delegations_of(path).write_bytes(b"nonsense\n")
    with pytest.raises(MalformedError, match=r"log.pem.delegations: delegations: line 1"):
        ring_at(path)


def test_one_process_uses_a_ring(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    ring = ring_at(path)
    with pytest.raises(KeyFileError, match=f"process {os.getpid()} uses this key"):
        ring_at(path)
    assert ring_at(path, epoch_s=None).key.public == ring.key.public
    ring.close()
    ring_at(path).close()


def test_a_link_does_not_rotate(tmp_path: Path) -> None:
    create_key(tmp_path / "real.pem")
    path = tmp_path / "log.pem"
    path.symlink_to("real.pem")
    with pytest.raises(KeyFileError, match=r"is a link.*Mend"):
        ring_at(path)
    assert not ring_at(path, epoch_s=None).due(inf)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log.pem", "real.pem"], "nothing was written"


def test_private_means_private(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    ring_at(path).close()
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="mode 0640"):
        ring_at(path)
    path.chmod(0o600)
    for mode in (0o770, 0o777, 0o707):
        tmp_path.chmod(mode)
        with pytest.raises(KeyFileError, match=f"mode {mode:04o} lets others replace the key"):
            ring_at(path)
    tmp_path.chmod(0o755)
    ring = ring_at(path)
    ring.begin(NOW_S)
    assert {each.name for each in tmp_path.iterdir() if each.stat().st_mode & 0o077 == 0} == {
        "log.pem",
        "log.pem.next",
        "log.pem.lock",
    }
    ring.close()


async def test_what_the_log_refuses_waits_for_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    ring = ring_at(path)
    os.utime(path, (NOW_S - 2 * EPOCH_S,) * 2)
    assert ring.due(NOW_S)

    async def refuse(_new: Signer, _delegation: bytes) -> int:
        raise OSError(28, "no space left on device")

    with pytest.raises(OSError, match="no space"):
        await ring.rotate(refuse, now_s=NOW_S)
    assert not ring.due(NOW_S)
    successor = ring.begin(NOW_S)
    ring.close()
    ring = ring_at(path)
    assert ring.key.public == successor.key.public
    assert ring.delegations == (successor.delegation,)
    assert not next_of(path).exists()
    ring.close()


@pytest.mark.parametrize("organisation", [True, False])
@pytest.mark.parametrize("torn", [True, False])
@pytest.mark.slow
def test_a_rotation_that_ends_anywhere_leaves_one_living_key(tmp_path: Path, *, organisation: bool, torn: bool) -> None:
    """The end comes before each call that changes the disk, in the rotation and in the start that mends it."""
    outcomes: set[str] = set()
    for at in count(1):
        path = tmp_path / str(at) / "log.pem"
        if organisation:
            delegated(path)
        ring = ring_at(path)
        old, old_pem = ring.key, path.read_bytes()
        crashes = Crashes(at, torn=torn)
        given = None
        try:
            with crashes.armed():
                given = ring.begin(NOW_S + 1)
                ring.complete()
        except Crash:
            outcomes.add("given" if given else "not given")
        ring.close()
        done = crashes.calls < at
        _crash_while_mending(path, torn=torn)
        ring = ring_at(path, NOW_S + 2)
        assert not next_of(path).exists()
        assert load_key(path).public == ring.key.public
        if given is not None:
            assert ring.key.public == given.key.public, "the log may have notes of the new key"
        keys = epoch_keys(LOG, roots=load_vkeys(root_of(path)), delegations=load_delegations(delegations_of(path)))
        assert keys[-1].key.public == ring.key.public
        if ring.key.public != old.public:
            assert old_pem not in private_bytes(path.parent), "the old private key lives"
        # It goes on from there.
        ring.begin(NOW_S + 3)
        ring.complete()
        ring.close()
        if done:
            break
    assert at > 12
    assert outcomes == {"given", "not given"}


def _crash_while_mending(path: Path, *, torn: bool) -> None:
    """Start again and again, each time ended one call later, until a start comes through."""
    for at in count(1):
        crashes = Crashes(at, torn=torn)
        try:
            with crashes.armed():
                ring_at(path, NOW_S + 2).close()
        except Crash:
            continue
        return


def test_nothing_begun_is_nothing_to_complete(tmp_path: Path) -> None:
    ring = ring_at(tmp_path / "log.pem")
    key = ring.key
    ring.complete()
    assert ring.key is key
    create_key(next_of(ring.path))
    successor = ring.begin(NOW_S)
    assert load_key(next_of(ring.path)).public == successor.key.public, "one that was left there is destroyed"
    assert ring.begin(NOW_S) is successor
    ring.close()
    ring.close()
    with pytest.raises(KeyFileError, match="not this process's to change"):
        ring.begin(NOW_S)


def test_who_does_not_change_keys_leaves_a_change_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.pem"
    ring = ring_at(path)
    create_key(next_of(path))
    assert ring_at(path, epoch_s=None).key.public == ring.key.public
    assert next_of(path).exists()
    ring.begin(NOW_S)
    with pytest.raises(KeyFileError, match=r"a change of keys is under way, or was cut off. Mend"):
        ring_at(path, epoch_s=None)
    assert next_of(path).exists()
    ring.complete()
    assert ring_at(path, epoch_s=None).key.public == ring.key.public
    ring.close()
