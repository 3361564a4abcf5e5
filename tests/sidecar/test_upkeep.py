"""A running sidecar and what is done beside its log: keys, witnesses, shipping, and what is kept of a person."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger.world import IDENTITY, KEY
from support.messages import processing_request
from support.sidecar import Setup, Sidecar

from extproc.demo.process import python
from extproc.ledger.checkpoint import parse_checkpoint
from extproc.ledger.commit import Ledger
from extproc.ledger.log import LOG, WITNESSED
from extproc.ledger.publish import CHECKPOINT
from extproc.notes.keys import create_key, generate_key
from extproc.notes.note import format_vkey, parse_note
from extproc.ship.shipper import SHIPPING
from extproc.ship.status import STATUS, LogStatus, ShipStatus, status_to_json, write_json
from extproc.sidecar.upkeep import Upkeep
from extproc.trust.delegation import Delegation, name_issuer, sign_delegation
from extproc.trust.delegation_file import save_delegations
from extproc.trust.epochs import KeyRing
from extproc.trust.ring_files import delegations_of

pytestmark = pytest.mark.slow

_ALICE = "alice@example.org"
_GERMAN = processing_request(
    address="31.0.0.7:0", claims={"tenant": "acme", "sub": _ALICE}, headers=[("x-request-id", b"4f1c-request")]
)
_PRIVATE = "evidence: {subject: {claim: sub}, sealed: [subject, request_id, address]}\n"


def _situs(*arguments: str | Path, expect: int = 0) -> str:
    command = [str(part) for part in python("extproc", *arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def _records(log: Path, kind: str) -> list[dict[str, Any]]:
    shown = _situs("audit", "show", log, "--kind", kind, "--json")
    return [json.loads(line) for line in shown.splitlines()]


async def _run(setup: Setup, *messages: bytes, until: Path | None = None) -> None:
    """Start a sidecar, have it answer, and stop it."""
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        for message in messages:
            await sidecar.process(message)
        if until is not None:
            await sidecar.until(until.exists)
        assert await sidecar.stop() == 0, sidecar.child.last_words()
    finally:
        sidecar.child.kill()


def _log_of(setup: Setup) -> Path:
    return max((setup.log / "test" / "0").glob("0*"))


def _covered(note: Path) -> int:
    return parse_checkpoint(parse_note(note.read_bytes()).text).size


async def test_keys_change_while_it_serves_and_the_first_one_vouches_for_all(setup: Setup) -> None:
    setup.options += ["--key-hours", "0.0004"]
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        first = setup.key.read_bytes()
        log = _log_of(setup)
        await sidecar.until(lambda: (log / "log.vkey").read_text().count("\n") >= 3)
        await sidecar.process(_GERMAN)
        assert await sidecar.stop() == 0
    finally:
        sidecar.child.kill()
    assert setup.key.read_bytes() != first
    assert len(_records(setup.log, "rotation")) >= 2
    root = setup.key.with_name("log.key.root.vkey")
    assert "VERIFIED" in _situs("audit", "verify", setup.log, "--key", root)


async def test_a_record_keeps_of_a_person_what_the_policy_says_until_it_is_erased(setup: Setup) -> None:
    setup.policy.write_text(setup.policy.read_text() + _PRIVATE)
    code, said = setup.refused()
    assert code == 78
    assert "--key-store" in said
    keys = setup.root / "keys" / "keys.db"
    setup.options += ["--key-store", str(keys)]
    await _run(setup, _GERMAN, _GERMAN)
    first, second = _records(setup.log, "decision")
    one, two = first["decision"]["private"], second["decision"]["private"]
    assert one["pseudonym"] == two["pseudonym"]
    assert one["sealed"] != two["sealed"]
    clear = [path for path in setup.log.rglob("*") if path.is_file() and _ALICE.encode() in path.read_bytes()]
    assert clear == []
    unseal = ("audit", "unseal", "--log", setup.log, "--keys", keys, first["decision"]["id"])
    opened = _situs(*unseal)
    assert _ALICE in opened
    assert "31.0.0.7" in opened
    assert "4f1c-request" in opened

    _situs(
        "audit", "erase", "--log", setup.log, "--keys", keys, "--key", setup.root / "keeper" / "keeper.key",
        "--tenant", "acme-bank", "--subject", _ALICE, "--reason", "Art. 17", "--approved-by", "A. Officer",
    )  # fmt: skip
    assert _ALICE not in _situs(*unseal, expect=1)
    assert "VERIFIED" in _situs("audit", "verify", setup.log)


async def test_the_policy_says_what_a_release_waits_for(setup: Setup) -> None:
    setup.policy.write_text(setup.policy.read_text() + "evidence: {durability: {default: page}}\n")
    await _run(setup, _GERMAN)
    (record,) = _records(setup.log, "decision")
    assert record["decision"]["durability"] == "page"


@contextmanager
def _witness(root: Path, setup: Setup, *, listen: str = "127.0.0.1:0") -> Iterator[Path]:
    """Run a witness of the setup's log, and give the policy that names it."""
    key = root / "witness.pem"
    if not key.exists():
        _situs("audit", "witness", "keygen", "--key", key, "--name", "other.example/w1")
    command = python(
        "extproc", "audit", "witness", "serve", "--listen", listen, "--key", key, "--name", "other.example/w1",
        "--state", root / "state.sqlite", "--log", setup.key.with_name("log.key.root.vkey"),
    )  # fmt: skip
    with (root / "witness.txt").open("a") as errors, subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            words = (process.stdout.readline() + process.stdout.readline()).split()
            assert words[0] == "witness", (root / "witness.txt").read_text()
            policy = root / "witnesses.policy"
            policy.write_text(f"witness w1 {words[1]} {words[-1]}\nquorum w1\n")
            yield policy
        finally:
            process.kill()


async def test_witnesses_cosign_to_the_last_entry_and_a_disk_that_was_set_back_is_refused(
    setup: Setup, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("witness")
    await _run(setup)  # which makes the key that the witness is told of
    with _witness(root, setup) as policy:
        setup.options += ["--witnesses", str(policy)]
        sidecar = Sidecar(setup)
        try:
            await sidecar.start()
            log = _log_of(setup)
            await sidecar.until((log / WITNESSED).exists)
            image = root / "image"
            shutil.copytree(setup.log, image)
            await sidecar.process(_GERMAN)
            await sidecar.until(
                lambda: _covered(log / WITNESSED) > _covered(image / "test" / "0" / log.name / WITNESSED)
            )
            assert await sidecar.metric("situs_log_diverged") == 0
            assert await sidecar.stop() == 0
        finally:
            sidecar.child.kill()
        assert _covered(log / WITNESSED) == _covered(log / LOG / CHECKPOINT)
        assert "VERIFIED" in _situs(
            "audit", "verify", setup.log, "--key", setup.key.with_name("log.key.root.vkey"), "--trust", policy
        )
        await _run(setup)

        shutil.rmtree(setup.log)
        shutil.copytree(image, setup.log)
        code, said = await asyncio.to_thread(setup.refused)
        assert code == 74, said
        assert "cosigned" in said


def _shipping(setup: Setup) -> tuple[Path, Path]:
    """Have the sidecar ship to a folder each second; give the folder and the configuration."""
    store = setup.root / "store"
    store.mkdir()
    config = setup.root / "shipping.yaml"
    config.write_text(f'apiVersion: situs/v1\nregions:\n  eu-fra: {{to: "{store}", every_s: 1}}\n')
    setup.options += ["--ship", str(config)]
    return store, config


async def test_the_log_is_shipped_to_its_close(setup: Setup) -> None:
    store, _ = _shipping(setup)
    await _run(setup, _GERMAN, until=store / "test")
    said = _situs("audit", "verify", store)
    assert "VERIFIED" in said
    (close,) = _records(store, "close")
    assert close["close"]["reason"] == "shutdown"


async def test_the_end_is_shipped_too_when_all_processes_are_told_to_stop_at_once(setup: Setup) -> None:
    store, _ = _shipping(setup)
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        await sidecar.until((store / "test").exists)
        assert sidecar.child.pid is not None
        os.killpg(sidecar.child.pid, signal.SIGTERM)  # as a service manager does, and Ctrl-C
        assert await sidecar.stop() == 0
    finally:
        sidecar.child.kill()
    (close,) = _records(store, "close")
    assert close["close"]["reason"] == "shutdown"
    said = setup.output.read_text().splitlines()
    assert [line for line in said if not line.startswith("{")] == []


async def test_the_process_ends_before_its_key_may_sign_no_more(setup: Setup) -> None:
    root, scope, now_s = generate_key(), "local/dev/eu-fra/test/0", int(time.time())
    key, organisation = create_key(setup.key), root.verifier("local/dev")
    given = Delegation(
        scope=scope,
        key=key.verifier(scope),
        from_s=now_s,
        until_s=now_s + 12,
        successors_until_s=now_s + 12,
        issuer=name_issuer(organisation),
    )
    save_delegations(delegations_of(setup.key), [sign_delegation(given, signer=root, issuer=organisation)])
    trusted = setup.root / "organisation.vkey"
    trusted.write_text(format_vkey(organisation) + "\n")
    setup.options += ["--key-hours", "0", "--key-root", str(trusted)]
    code, said = await asyncio.to_thread(setup.refused)
    assert code == 74
    assert "the ceremony" in said
    assert "Traceback" not in said
    assert time.time() < now_s + 12
    assert "VERIFIED" in _situs("audit", "verify", setup.log, "--key", trusted)


async def test_marks_of_the_disk_are_told_of(setup: Setup) -> None:
    everything = str(1 << 30)  # MiB: a petabyte, so whatever disk this is, it is below the mark
    setup.options += ["--disk-low", everything]
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        await sidecar.until(lambda: "below its low mark" in setup.output.read_text())
        assert not (await sidecar.process(_GERMAN)).HasField("immediate_response")
        assert await sidecar.stop() == 0
        setup.options += ["--disk-full", everything]
        sidecar = Sidecar(setup)
        sidecar.child.start()
        await sidecar.until(lambda: "requests are refused until there is room" in setup.output.read_text())
        assert not await sidecar.ready()
        assert await sidecar.stop() == 0
    finally:
        sidecar.child.kill()
    assert _records(setup.log, "decision")[-1]["decision"]["sequence"] == "1"


async def test_a_key_file_that_is_away_stops_nothing(setup: Setup) -> None:
    setup.options += ["--key-hours", "0.001"]
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        setup.key.rename(setup.root / "away")
        await sidecar.until(lambda: "could not be changed" in setup.output.read_text())
        await sidecar.process(_GERMAN)
        assert await sidecar.stop() == 0
    finally:
        sidecar.child.kill()
    assert len(_records(setup.log, "decision")) == 1


async def test_requests_wait_for_no_key_store_that_is_away_and_come_back_with_it(setup: Setup) -> None:
    setup.policy.write_text(setup.policy.read_text() + _PRIVATE)
    keys = setup.root / "keys"
    setup.options += ["--key-store", str(keys / "keys.db")]
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        assert not (await sidecar.process(_GERMAN)).HasField("immediate_response")
        keys.rename(setup.root / "away")
        await sidecar.until(lambda: "the key store fails" in setup.output.read_text())
        assert not await sidecar.ready()
        refused = await sidecar.process(_GERMAN)
        assert refused.immediate_response.status.code == 503
        (setup.root / "away").rename(keys)
        await sidecar.until(sidecar.ready)
        assert not (await sidecar.process(_GERMAN)).HasField("immediate_response")
        assert await sidecar.stop() == 0
    finally:
        sidecar.child.kill()
    said = setup.output.read_text()
    assert not any(word in said for word in (_ALICE, "31.0.0.7", "4f1c-request"))
    assert len(_records(setup.log, "decision")) == 2
    (gap,) = _records(setup.log, "gap")
    assert gap["gap"] == gap["gap"] | {"reason": "unsealed", "entries": "1"}


async def test_a_shipper_that_says_nothing_lags(tmp_path: Path) -> None:
    ledger = await Ledger.open(tmp_path / "log", identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16)
    now_s = 1_763_725_440.0
    ring = KeyRing(tmp_path / "key" / "log.pem", scope=IDENTITY.signer, now_s=now_s)
    upkeep = Upkeep(ledger, ring, shipping=tmp_path / "shipping.yaml", clock=lambda: now_s)
    assert upkeep.ship_lag_s(now_s + 60.0) == 60.0
    status = ShipStatus(at_s=now_s + 50.0, places=(), logs=())
    for origin, lag_s in ((ledger.origin, 60.0), ("another", 10.0)):
        stray = LogStatus(
            log="l", origin=origin, region="r", to="", size=0, shipped=0, uploaded=0, lag_s=0.0, error="no place"
        )
        write_json(_status_of(tmp_path / "log"), status_to_json(replace(status, logs=(stray,))))
        upkeep._shipped = upkeep._read_status()
        assert upkeep.ship_lag_s(now_s + 60.0) == lag_s
    ring.close()
    await ledger.close()


def _status_of(log: Path) -> Path:
    folder = log / SHIPPING
    folder.mkdir(exist_ok=True)
    return folder / STATUS


async def test_a_sidecar_that_is_killed_leaves_no_shipper_behind(setup: Setup) -> None:
    store, config = _shipping(setup)
    sidecar = Sidecar(setup)
    try:
        await sidecar.start()
        await sidecar.until((store / "test").exists)
    finally:
        sidecar.child.kill()
    await sidecar.until(lambda: not _running(str(config)))


def _running(argument: str) -> bool:
    """Tell whether a process runs that was given this argument."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in each.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
