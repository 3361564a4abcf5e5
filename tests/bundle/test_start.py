"""What a sidecar starts by: the source's policy, else the last good one, and no way back."""

from dataclasses import replace
from pathlib import Path

import pytest
from bundle.world import COUNSEL, COUNSEL_NAME, KEYS, ONE, TWO, MemorySource, policy, signed

from extproc.bundle.bundle import sign_bundle
from extproc.bundle.errors import BundleError, RollbackError, SourceError, UntrustedError
from extproc.bundle.last_good import LAST_GOOD, StateFolder
from extproc.bundle.source import Fetched, NotModified
from extproc.bundle.start import Obtained, obtain
from extproc.bundle.trust import Trust
from extproc.notes.keys import generate_key

_STRANGER = Trust(keys=(generate_key().verifier("acme/policy/c"),), needed=1)


async def _obtain(
    source: MemorySource,
    state: StateFolder | None,
    *,
    trust: Trust | None = TWO,
    now: float = 2000.0,
    forced_version: int | None = None,
) -> Obtained:
    return await obtain(source, trust=trust, state=state, clock=lambda: now, forced_version=forced_version)


async def _kept(folder: Path, data: bytes, name: str = "memory", trust: Trust | None = TWO) -> StateFolder:
    """Give a folder in which a sidecar has kept `data` at 1000."""
    state = StateFolder(folder)
    state.write((await _obtain(MemorySource(data, name), None, trust=trust, now=1000.0)).kept)
    return state


async def test_the_first_start(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    obtained = await _obtain(MemorySource(signed(policy(3))), state)
    assert obtained.error is None
    assert obtained.accepted.standing.version == 3
    assert state.read() is None, "kept only when it is in force"
    state.write(obtained.kept)
    assert state.read() == obtained.kept
    assert obtained.kept.fetched_at == obtained.kept.confirmed_at == 2000


async def test_without_a_source_and_without_a_last_good_one_there_is_no_start(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        await _obtain(MemorySource(), StateFolder(tmp_path))
    with pytest.raises(SourceError):
        await _obtain(MemorySource(), None)


async def test_a_source_that_says_unasked_that_nothing_changed_is_not_believed(tmp_path: Path) -> None:
    class Liar(MemorySource):
        async def fetch(self, etag: str | None) -> Fetched | NotModified:
            await super().fetch(etag)
            return NotModified()

    with pytest.raises(SourceError, match="unasked"):
        await _obtain(Liar(b"anything"), StateFolder(tmp_path))


async def test_it_starts_by_the_last_good_one_while_the_source_is_away(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    obtained = await _obtain(MemorySource(), state)
    assert isinstance(obtained.error, SourceError)
    assert obtained.accepted.standing.version == 3
    assert obtained.accepted.signers == (KEYS[0].name, KEYS[1].name)
    assert obtained.kept == state.read()
    assert obtained.kept.age_s(2000) == 1000


async def test_a_source_that_still_has_it_confirms_it(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    source = MemorySource(signed(policy(3)))
    obtained = await _obtain(source, state)
    assert obtained.error is None
    assert source.asked == [obtained.kept.etag]
    assert (obtained.kept.fetched_at, obtained.kept.confirmed_at) == (1000, 2000)


async def test_a_later_version_follows(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    obtained = await _obtain(MemorySource(signed(policy(4, rtt_ms=9))), state)
    assert (obtained.error, obtained.accepted.standing.version) == (None, 4)


@pytest.mark.parametrize(
    ("offered", "kind"),
    [
        (signed(policy(2)), RollbackError),
        (signed(policy(3, rtt_ms=9)), RollbackError),
        (signed(policy(9, name="other")), RollbackError),
        (sign_bundle(policy(4), COUNSEL, COUNSEL_NAME), UntrustedError),
        (policy(4), UntrustedError),
        (signed(policy(4)).replace(b"rtt_ms: 8", b"rtt_ms: 7"), UntrustedError),
    ],
)
async def test_what_is_refused_leaves_the_last_good_one_in_force(
    tmp_path: Path, offered: bytes, kind: type[BundleError]
) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    obtained = await _obtain(MemorySource(offered), state)
    assert type(obtained.error) is kind
    assert obtained.accepted.standing.version == 3
    assert obtained.kept.confirmed_at == 1000


async def test_a_forced_version_goes_back(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    obtained = await _obtain(MemorySource(signed(policy(2))), state, forced_version=2)
    assert (obtained.error, obtained.accepted.standing.version) == (None, 2)
    assert isinstance((await _obtain(MemorySource(signed(policy(1))), state, forced_version=2)).error, RollbackError)


async def test_keys_that_are_trusted_no_more_are_not_started_by(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    with pytest.raises(SourceError):
        await _obtain(MemorySource(), state, trust=_STRANGER)
    # And the source is asked for the whole file, not whether it has changed.
    source = MemorySource(signed(policy(3)))
    with pytest.raises(UntrustedError):
        await _obtain(source, state, trust=_STRANGER)
    assert source.asked == [None]


async def test_a_last_good_one_that_cannot_be_used_still_lets_nobody_back(tmp_path: Path) -> None:
    state = await _kept(tmp_path, sign_bundle(policy(3), COUNSEL, COUNSEL_NAME), trust=ONE)
    with pytest.raises(RollbackError, match="a way back"):
        await _obtain(MemorySource(signed(policy(2))), state, trust=TWO)


async def test_another_source_does_not_start_by_it_but_there_is_no_way_back_either(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)), name="before")
    with pytest.raises(SourceError):
        await _obtain(MemorySource(), state)
    with pytest.raises(RollbackError):
        await _obtain(MemorySource(signed(policy(2))), state)
    assert (await _obtain(MemorySource(signed(policy(3))), state)).accepted.standing.version == 3


async def test_a_torn_last_good_one_is_ignored(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    path = tmp_path / LAST_GOOD
    path.write_bytes(path.read_bytes()[:-100])
    obtained = await _obtain(MemorySource(signed(policy(3))), state)
    assert obtained.error is None
    with pytest.raises(SourceError):
        await _obtain(MemorySource(), state)


async def test_what_another_release_called_it_is_no_way_back(tmp_path: Path) -> None:
    state = await _kept(tmp_path, signed(policy(3)))
    kept = state.read()
    assert kept is not None
    old = replace(kept.standing, revision=type(kept.standing.revision)("sha256:of-an-older-release"))
    state.write(replace(kept, standing=old, etag="gone"))
    # The same version with a comment more: compared with what this release makes of the last good one.
    obtained = await _obtain(MemorySource(signed(policy(3) + b"# reviewed\n")), state)
    assert obtained.error is None


async def test_plain_policies_are_kept_too(tmp_path: Path) -> None:
    state = await _kept(tmp_path, policy(3), trust=None)
    obtained = await _obtain(MemorySource(), state, trust=None)
    assert (obtained.accepted.standing.version, obtained.accepted.signers) == (3, ())
    with pytest.raises(SourceError):
        await _obtain(MemorySource(), state, trust=ONE)
