"""The whole of it as programs: two witnesses of other organisations, one in the region with a root log, a ledger."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import httpx
import pytest
from witness.disk import IDENTITY, DiskLog

from extproc.cli.main import main
from extproc.ledger.commit import Ledger
from extproc.ledger.entries import kind_of, parse_entry
from extproc.ledger.housekeeping import Heartbeat, head_from_entry, heartbeat_to_entry
from extproc.ledger.tiles import Tile, decode_entries, format_tile_path
from extproc.notes.keys import create_key, generate_key
from extproc.notes.note import format_vkey, parse_vkey
from extproc.trust.tlog_policy import TrustPolicy, open_cosigned, parse_tlog_policy
from extproc.witness.cosigner import Cosigner
from extproc.witness.heads import check_heads
from extproc.witness.published import last_log
from extproc.witness.request import parse_head
from extproc.witness.state import State

pytestmark = pytest.mark.slow


def situs(*arguments: str | Path, expect: int = 0) -> str:
    """Run a command in this process, and give all that it says."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        assert main(["audit", "witness", *map(str, arguments)]) == expect, said.getvalue()
    return said.getvalue()


@dataclass
class Running:
    process: subprocess.Popen[str]
    vkey: str
    url: str

    def end(self, number: signal.Signals) -> int:
        os.kill(self.process.pid, number)
        return self.process.wait(30)


@contextmanager
def serve(folder: Path, name: str, *more: str | Path, listen: str = "127.0.0.1:0") -> Iterator[Running]:
    """Run one witness as a process of its own, until it is ended or the block is."""
    with (folder / f"{name}.err").open("a") as errors, subprocess.Popen(
        [sys.executable, "-m", "extproc", "audit", "witness", "serve", "--listen", listen, "--key",
         str(folder / f"{name}.pem"), "--name", f"{name}.example/w1", "--state", str(folder / f"{name}.sqlite"),
         *map(str, more)],
        stdout=subprocess.PIPE, stderr=errors, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            words = (process.stdout.readline() + process.stdout.readline()).split()
            assert words[0] == "witness", (folder / f"{name}.err").read_text()
            yield Running(process=process, vkey=words[1], url=words[-1])
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def policy_text(quorum: str, *witnesses: tuple[str, Running]) -> str:
    lines = [f"witness {name} {each.vkey} {each.url}" for name, each in witnesses]
    lines.append(f"group enough {quorum} {' '.join(name for name, _ in witnesses)}")
    return "\n".join([*lines, "quorum enough", ""])


def verified(log: Path, policy: TrustPolicy) -> int:
    """Check the cosigned checkpoint beside a log, and give its size."""
    keys = [parse_vkey((log / "log.vkey").read_text().strip())]
    note = open_cosigned((log / "witnessed").read_bytes(), policy, keys)
    assert policy.satisfied_by(policy.cosigned(note).keys())
    return parse_head(note.text).size


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.05)


async def test_a_region_and_two_other_organisations(tmp_path: Path) -> None:
    key, root_key = generate_key(), create_key(tmp_path / "root.pem")
    worker, root_signer = tmp_path / "worker.vkey", tmp_path / "root.vkey"
    worker.write_text(f"{format_vkey(key.verifier(IDENTITY.signer))}\n")
    root_signer.write_text(f"log {format_vkey(root_key.verifier('acme/prod/eu/witness-1/root'))}\nquorum none\n")
    for name in ("region", "one", "two"):
        printed = situs("keygen", "--key", tmp_path / f"{name}.pem", "--name", f"{name}.example/w1").strip()
        assert parse_vkey(printed).name == f"{name}.example/w1"
        assert situs("keygen", "--key", tmp_path / f"{name}.pem", "--name", f"{name}.example/w1").strip() == printed
    with ExitStack() as stack:
        one = stack.enter_context(serve(tmp_path, "one", "--log", root_signer, "--heads"))
        two = stack.enter_context(serve(tmp_path, "two", "--log", root_signer))
        others = tmp_path / "others.policy"
        others.write_text(policy_text("all", ("one", one), ("two", two)))
        region = stack.enter_context(
            serve(
                tmp_path, "region", "--log", worker, "--root-log", tmp_path / "root", "--root-origin",
                "acme/prod/eu/witness-1", "--root-key", tmp_path / "root.pem", "--witnesses", others,
            )
        )  # fmt: skip
        inside = parse_tlog_policy(policy_text("any", ("region", region)), file="inside")
        ledger = await Ledger.open(tmp_path / "logs", identity=IDENTITY, key=key)
        cosigner = Cosigner(ledger.directory, inside, interval_s=0.1)
        cosigner.start()
        for number in range(40):
            await ledger.commit(heartbeat_to_entry(Heartbeat(sequence=number, running_s=1.0, free_bytes=1), at_s=1.0))
        await until(lambda: cosigner.size >= 41)
        root = last_log(tmp_path / "root" / "witness-1" / "root")
        assert root is not None
        outside = parse_tlog_policy(others.read_text(), file="others")
        await until((root / "witnessed").exists)
        assert verified(root, outside) >= 1

        # One of the others is killed, and the region goes on; it comes back and is brought up to date.
        assert two.end(signal.SIGKILL) == -signal.SIGKILL
        for number in range(40, 60):
            await ledger.commit(heartbeat_to_entry(Heartbeat(sequence=number, running_s=1.0, free_bytes=1), at_s=1.0))
        await until(lambda: cosigner.size >= 61)
        stack.enter_context(serve(tmp_path, "two", "--log", root_signer, listen=two.url.removeprefix("http://")))
        await ledger.close()
        assert await cosigner.finish(10)
        assert verified(ledger.directory, inside) == ledger.size
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{region.url}/healthz")).text == "well\n"
            assert "situs_witness_root_quorum_age_seconds" in (await client.get(f"{region.url}/metrics")).text
        assert region.end(signal.SIGTERM) == 0, (tmp_path / "region.err").read_text()

        # What an auditor finds: the root log is closed, both others have cosigned its end, and it has the ledger's.
        size = verified(root, outside)
        published = (root / "log" / "checkpoint").read_text()
        assert parse_head(published.partition("\n\n")[0] + "\n").size == size
        data = (root / "log" / format_tile_path(Tile(level=None, index=0, width=size))).read_bytes()
        entries = [parse_entry(each) for each in decode_entries(data, size)]
        assert kind_of(entries[-1]) == "close"
        heads = check_heads(
            (index, head_from_entry(each)) for index, each in enumerate(entries) if kind_of(each) == "head"
        )
        assert heads.findings == []
        assert heads.heads[ledger.origin][-1].note == (ledger.directory / "log" / "checkpoint").read_bytes()

        seen = json.loads(await asyncio.to_thread(situs, "status", one.url, "--json"))
        assert [head["size"] for head in seen["heads"]] == [size]
        assert "acme/prod/eu/witness-1/root" in situs("status", tmp_path / "two.sqlite")
        assert one.end(signal.SIGINT) == 0


def test_cosigning_once(tmp_path: Path) -> None:
    log = DiskLog(tmp_path / "logs")
    log.grow(5)
    keys = tmp_path / "log.vkey"
    keys.write_text(f"{format_vkey(log.key.verifier('acme/prod'))}\n")
    situs("keygen", "--key", tmp_path / "one.pem", "--name", "one.example/w1")
    policy = tmp_path / "p"
    with serve(tmp_path, "one", "--log", keys) as one:
        policy.write_text(policy_text("1", ("one", one)))
        assert "6 entries cosigned" in situs("cosign", tmp_path / "logs", "--policy", policy)
        assert verified(log.directory, parse_tlog_policy(policy.read_text(), file="p")) == 6
        found = json.loads(situs("cosign", log.directory, "--policy", policy, "--json"))
        assert found == {
            "log": str(log.directory), "witnessed": 6, "quorum": True, "failures": {}, "alarm": None,
        }  # fmt: skip
        assert "--heads" in situs("status", one.url, expect=1)
        log.grow(3)
        state = State(tmp_path / "one.sqlite", vkey=one.vkey)
        with state.transaction() as transaction:
            latest = transaction.latest(log.writer.origin)
            transaction.put(type(latest)(origin=latest.origin, size=99, root=bytes(32), note=latest.note))
        state.close()
        said = situs("cosign", log.directory, "--policy", policy, expect=2)
        assert "NO QUORUM" in said
        assert "has cosigned 99 entries" in said
        assert one.end(signal.SIGTERM) == 0
    assert "cannot be asked" in situs("cosign", log.directory, "--policy", policy, expect=3)
    log.close()


def test_wrong_usage_names_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extproc.sidecar.events.configure_events", lambda _: None)
    key = create_key(tmp_path / "k.pem")
    keys = tmp_path / "log.vkey"
    keys.write_text(f"{format_vkey(key.verifier('acme/prod'))}\n")
    base: list[str | Path] = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--key",
        tmp_path / "k.pem",
        "--name",
        "w",
        "--state",
        tmp_path / "s",
    ]
    full: list[str | Path] = [*base, "--log", keys]
    assert "give both, or none" in situs(*full, "--tls-cert", keys, expect=1)
    assert "cannot be used" in situs(*full, "--tls-cert", keys, "--tls-key", keys, expect=1)
    assert "give all three" in situs(*full, "--root-log", tmp_path, expect=1)
    assert "add --root-log" in situs(*full, "--witnesses", keys, expect=1)
    root: list[str | Path] = ["--root-log", tmp_path / "r", "--root-key", tmp_path / "k.pem"]
    assert "ORG/ENV/REGION/NODE" in situs(*full, *root, "--root-origin", "a/b", expect=1)
    assert "no-such" in situs(*base, "--log", tmp_path / "no-such", expect=1)
    assert "no log here" in situs("cosign", tmp_path, "--policy", _none(tmp_path), expect=1)
    assert "cannot be used as a witness's state" in situs("status", tmp_path / "nothing", expect=1)
    assert "cannot be asked" in situs("status", "http://127.0.0.1:1", expect=1)


def _none(folder: Path) -> Path:
    path = folder / "none.policy"
    path.write_text("quorum none\n")
    return path
