"""Beside a real log: cosigned each second, through outages, through a restart, and not after a rollback."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from witness.disk import IDENTITY, DiskLog
from witness.test_logs import ORGANISATION, ROOT, rotations
from witness.world import Bench, bench, limits, policy_of, serving, witness_key

from extproc.notes.keys import generate_key
from extproc.notes.note import VerifierKey
from extproc.trust.delegation import format_delegations
from extproc.trust.tlog_policy import TrustPolicy, open_cosigned, parse_tlog_policy
from extproc.witness.cosigner import Cosigner, check_not_rolled_back
from extproc.witness.errors import ForkedError, RolledBackError
from extproc.witness.http import Request, Response, start_http_server
from extproc.witness.published import PublishedLog, last_log, logs_below
from extproc.witness.request import SIZE_TYPE, parse_head
from extproc.witness.server import WitnessServer, start_witness

pytestmark = pytest.mark.slow


@asynccontextmanager
async def one_witness(folder: Path, *roots: VerifierKey) -> AsyncIterator[tuple[Bench, TrustPolicy]]:
    made = bench(folder / "state.sqlite", *roots)
    async with serving(made) as server:
        yield made, policy_of("1", ("w", made.key, server.address))


def cosigned_size(log: DiskLog, policy: TrustPolicy) -> int:
    """Verify the file `witnessed` as an auditor does, and give its size."""
    keys = [log.key.verifier(log.writer.origin)]
    note = open_cosigned((log.directory / "witnessed").read_bytes(), policy, keys)
    assert policy.satisfied_by(policy.cosigned(note).keys())
    return parse_head(note.text).size


async def test_a_log_that_grows(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (_, policy):
        cosigner = Cosigner(log.directory, policy)
        assert not cosigner.covered
        assert await cosigner.cosign()
        for count in (1, 5, 300, 1, 70):
            size = log.grow(count)
            assert await cosigner.cosign(), cosigner.failures
            assert (cosigner.size, cosigned_size(log, policy)) == (size, size)
        assert cosigner.failures == {}
        log.close()
        assert await cosigner.finish()
        assert cosigned_size(log, policy) == log.writer.size
    assert not list(log.directory.glob(".witnessed*")), "nothing half written stays"


async def test_nothing_new_is_not_asked_for(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    now = [0.0]
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (made, policy):
        cosigner = Cosigner(log.directory, policy, clock=lambda: now[0])
        now[0] = 3.0
        assert cosigner.age_s == 3.0
        assert await cosigner.cosign()
        assert cosigner.age_s == 0.0
        made.witness.add_checkpoint = None  # type: ignore[method-assign,assignment]
        now[0] = 9.0
        assert cosigner.age_s == 6.0
        assert await cosigner.cosign()
        assert cosigner.age_s == 0.0, "all that is published is cosigned"
        await cosigner.finish()
    log.let_go()


async def test_a_witness_that_is_away_is_left_alone_for_longer_and_longer(tmp_path: Path) -> None:
    asked = 0

    async def broken(_: Request) -> Response:
        nonlocal asked
        asked += 1
        return Response(status=HTTPStatus.SERVICE_UNAVAILABLE, body=b"later\n")

    log = DiskLog(tmp_path / "logs")
    now = [0.0]
    server = await start_http_server("127.0.0.1:0", broken, limits=limits())
    policy = policy_of("1", ("w", witness_key(), server.address))
    cosigner = Cosigner(log.directory, policy, clock=lambda: now[0])
    times = []
    for second in range(200):
        now[0] = float(second)
        before = asked
        assert not await cosigner.cosign()
        if asked > before:
            times.append(second)
    assert times == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert cosigner.age_s == 199.0
    assert cosigner.failures == {"w": "w: answers 503: later"}
    assert not await cosigner.finish(timeout_s=0.1), "asked once more at the end, whatever was before"
    assert asked > len(times)
    await server.stop()
    log.let_go()


async def start_again(made: Bench, listen: str) -> WitnessServer:
    return await start_witness(listen, made.witness, logs=made.logs, state=made.state)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is another task's doing
            await asyncio.sleep(0.01)


async def test_witnesses_come_and_go(tmp_path: Path) -> None:
    """A task over a real log, two of three needed; one witness dies and comes back with its state."""
    log = DiskLog(tmp_path / "logs")
    root = log.key.verifier(IDENTITY.signer)
    made = [bench(tmp_path / f"{i}.sqlite", root, key=witness_key(f"w.example/{i}")) for i in range(2)]
    async with serving(made[0]) as first:
        second = await start_again(made[1], "127.0.0.1:0")
        policy = policy_of("2", ("a", made[0].key, first.address), ("b", made[1].key, second.address),
                           ("dead", witness_key("dead"), "127.0.0.1:1"))  # fmt: skip
        cosigner = Cosigner(log.directory, policy, interval_s=0.02)
        cosigner.start()
        size = log.grow(3)
        await until(lambda: cosigner.size == size)
        await second.stop()
        size = log.grow(3)
        await until(lambda: "b" in cosigner.failures)
        assert cosigner.size < size
        assert cosigned_size(log, policy) < size, "what the quorum has not seen is not called witnessed"
        again = await start_again(made[1], second.address)
        await until(lambda: cosigner.size == size)
        size = log.grow(3)
        log.close()
        assert await cosigner.finish()
        assert cosigned_size(log, policy) == log.writer.size
        assert cosigner.alarm is None
        await again.stop()
    made[1].state.close()


async def test_a_rotated_key_is_made_known(tmp_path: Path) -> None:
    """The witness knows the organisation's key alone; the file beside the log brings it to the key of today."""
    keys, notes = rotations(1)
    log = DiskLog(tmp_path / "logs", key=keys[0])
    async with one_witness(tmp_path, ROOT) as (_, policy):
        cosigner = Cosigner(log.directory, policy)
        assert not await cosigner.cosign()
        assert "answers 403" in cosigner.failures["w"]
        (log.directory / "delegations").write_bytes(format_delegations(notes))
        assert await cosigner.cosign(rested=False), cosigner.failures
        assert ORGANISATION.public != keys[0].public
        await cosigner.finish()
    log.let_go()


async def test_a_disk_that_was_set_back(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    log.grow(10)
    shutil.copytree(log.directory, tmp_path / "backup")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (_, policy):
        cosigner = Cosigner(log.directory, policy)
        seen = log.grow(10)
        assert await cosigner.cosign()
        await cosigner.finish()
        assert await check_not_rolled_back(log.directory, policy) == {"w"}
        log.let_go()
        shutil.rmtree(log.directory)
        shutil.copytree(tmp_path / "backup", log.directory)
        with pytest.raises(RolledBackError, match="bring back what is missing") as raised:
            await check_not_rolled_back(log.directory, policy)
        assert raised.value.size == seen
        assert raised.value.theirs is not None
        # The same without any witness, where the file of cosignatures is newer than the log.
        (log.directory / "witnessed").write_bytes(raised.value.theirs)
        with pytest.raises(RolledBackError, match="the file beside the log"):
            await check_not_rolled_back(log.directory, parse_tlog_policy("quorum none\n", file="p"))


async def test_a_log_that_is_begun_again_from_a_backup(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    log.grow(10)
    shutil.copytree(tmp_path / "logs", tmp_path / "backup")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (made, policy):
        log.grow(1)
        cosigner = Cosigner(log.directory, policy)
        assert await cosigner.cosign()
        await cosigner.finish()
        log.let_go()
        # The old copy is settled by a new process, which adds entries of its own: a second history.
        second = DiskLog(tmp_path / "backup", key=log.key)
        settled = second.directory.parent / log.directory.name
        with pytest.raises(ForkedError, match="keep both histories") as raised:
            await check_not_rolled_back(settled, policy)
        assert raised.value.theirs == made.state.latest(log.writer.origin).note
        beside = Cosigner(settled, policy)
        assert not await beside.cosign()
        assert isinstance(beside.alarm, ForkedError)
        assert not (settled / "witnessed").exists()
        await beside.finish(timeout_s=0.1)
        second.let_go()


async def test_what_is_durable_and_was_not_published_is_no_rollback(tmp_path: Path) -> None:
    """After a loss of power the published files may be older than what was cosigned; the write-ahead log is not."""
    log = DiskLog(tmp_path / "logs")
    log.grow(10)
    shutil.copytree(log.directory / "log", tmp_path / "old")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (_, policy):
        log.grow(10)
        cosigner = Cosigner(log.directory, policy)
        assert await cosigner.cosign()
        await cosigner.finish()
        log.let_go()
        shutil.rmtree(log.directory / "log")
        shutil.copytree(tmp_path / "old", log.directory / "log")
        assert await check_not_rolled_back(log.directory, policy) == frozenset()
        (log.directory / "log" / "checkpoint").unlink()
        assert await check_not_rolled_back(log.directory, policy) == frozenset()


async def test_witnesses_that_are_away_stop_no_start(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    policy = policy_of("1", ("w", witness_key(), "127.0.0.1:1"))
    assert await check_not_rolled_back(log.directory, policy) == frozenset()
    log.let_go()


async def test_a_witness_that_claims_more_than_there_ever_was(tmp_path: Path) -> None:
    async def claim(_: Request) -> Response:
        return Response(status=HTTPStatus.CONFLICT, body=b"5000\n", content_type=SIZE_TYPE)

    log = DiskLog(tmp_path / "logs")
    server = await start_http_server("127.0.0.1:0", claim, limits=limits())
    policy = policy_of("1", ("w", witness_key(), server.address))
    cosigner = Cosigner(log.directory, policy)
    assert not await cosigner.cosign()
    assert isinstance(cosigner.alarm, RolledBackError)
    assert cosigner.alarm.theirs is None
    with pytest.raises(RolledBackError):
        await check_not_rolled_back(log.directory, policy)
    await cosigner.finish(timeout_s=0.05)
    await server.stop()
    log.let_go()


async def test_another_process_that_was_faster_is_no_rollback(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (made, policy):
        cosigner = Cosigner(log.directory, policy)
        published = PublishedLog(directory=log.directory)
        old = published.checkpoint()
        log.grow(5)
        other = Cosigner(log.directory, policy)
        assert await other.cosign()
        checkpoints = iter([old])

        class Late(PublishedLog):
            """Reads the old checkpoint first, as one who is overtaken does."""

            def checkpoint(self) -> bytes:
                return next(checkpoints, published.checkpoint())

        cosigner._log = Late(directory=log.directory)
        assert not await cosigner.cosign()
        assert cosigner.alarm is None
        assert await cosigner.cosign(rested=False)
        assert made.state.count() == (1, 0)
        await cosigner.finish()
        await other.finish()
    log.let_go()


async def test_tiles_that_are_not_the_checkpoints_blame_no_witness(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    log.grow(10)
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (_, policy):
        cosigner = Cosigner(log.directory, policy)
        assert await cosigner.cosign()
        log.grow(10)
        for tile in (log.directory / "log/tile/0").rglob("*.p/*"):
            data = bytearray(tile.read_bytes())
            data[5] ^= 1
            tile.write_bytes(data)
        assert not await cosigner.cosign()
        assert "the tiles are not those of its checkpoint; run `situs audit verify`" in cosigner.failures["w"]
        assert cosigner.alarm is None
        await cosigner.finish(timeout_s=0.05)
    log.let_go()


async def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    policy = parse_tlog_policy("quorum none\n", file="p")
    cosigner = Cosigner(tmp_path / "nowhere", policy)
    assert not await cosigner.cosign()
    assert "cannot be read" in cosigner.failures[""]
    assert not await cosigner.finish(timeout_s=0.01)


async def test_a_full_disk_keeps_the_old_cosignatures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = DiskLog(tmp_path / "logs")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (_, policy):
        cosigner = Cosigner(log.directory, policy)
        assert await cosigner.cosign()
        before = cosigned_size(log, policy)
        log.grow(3)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            assert not await cosigner.cosign()
        assert "cannot be kept" in cosigner.failures[""]
        assert cosigned_size(log, policy) == before
        assert await cosigner.cosign()
        await cosigner.finish()
    log.let_go()


async def test_whatever_goes_wrong_the_next_second_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = DiskLog(tmp_path / "logs")
    async with one_witness(tmp_path, log.key.verifier(IDENTITY.signer)) as (_, policy):
        cosigner = Cosigner(log.directory, policy, interval_s=0.01)
        failing = asyncio.Event()

        def fail(_: object) -> bytes:
            failing.set()
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(PublishedLog, "checkpoint", fail)
            cosigner.start()
            cosigner.start()
            await failing.wait()
        await until(lambda: cosigner.covered)
        assert await cosigner.finish()
    log.let_go()


def test_a_log_without_keys_beside_it_has_nothing_durable(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    published = PublishedLog(directory=log.directory)
    assert published.durable(log.writer.origin) == 1
    (log.directory / "log.vkey").unlink()
    assert published.durable(log.writer.origin) == 0
    log.let_go()


def test_an_older_note_replaces_no_newer_one(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    published = PublishedLog(directory=log.directory)
    assert published.witnessed() is None
    old = published.checkpoint()
    log.grow(3)
    new = published.checkpoint()
    published.write_witnessed(new)
    published.write_witnessed(old)
    assert (log.directory / "witnessed").read_bytes() == new
    (log.directory / "witnessed").write_bytes(b"torn")
    published.write_witnessed(old)
    assert (log.directory / "witnessed").read_bytes() == old
    log.let_go()


def test_which_logs_there_are(tmp_path: Path) -> None:
    assert last_log(tmp_path / "nothing") is None
    assert logs_below(tmp_path) == []
    logs, key = [], generate_key()
    for _ in range(3):
        log = DiskLog(tmp_path / "logs", key=key)
        log.close()
        logs.append(log.directory)
    worker = IDENTITY.directory(tmp_path / "logs")
    (worker / ".unborn").mkdir()
    assert last_log(worker) == logs[-1]
    assert logs_below(tmp_path) == logs
    assert logs_below(logs[0]) == [logs[0]]
