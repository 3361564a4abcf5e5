"""What a hop does when something beside the decision goes wrong."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger.world import IDENTITY, KEY
from support.messages import processing_request
from support.sidecar import Setup

from extproc.audit.show import read_records
from extproc.ledger.commit import Ledger
from extproc.sealed.keys import Keys
from extproc.sealed.store import open_store
from extproc.sidecar.configuration import Files, Origin, load_configuration
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.hop import Hop
from extproc.sidecar.inflight import InFlight, OwnCounters
from extproc.sidecar.live import Live
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.recorder import Recorder

_REQUEST = processing_request(address="31.0.0.7:0", claims={"tenant": "acme", "sub": "ada"})


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    opened = Keys(open_store(tmp_path / "keys" / "keys.db", create=True), look_s=0.01)
    yield opened
    opened.close()


async def _ledger(root: Path) -> Ledger:
    return await Ledger.open(root / "log", identity=IDENTITY, key=KEY, program="1", segment_bytes=1 << 16)


def _nothing_in_flight() -> InFlight:
    return InFlight(OwnCounters(0), (), longest_s=60.0)


def _hop(setup: Setup, keys: Keys, ledger: Ledger, deliveries: Deliveries) -> Hop:
    setup.policy.write_text(setup.policy.read_text() + "evidence: {subject: {claim: sub}}\n")
    configuration = load_configuration(Files(policy=Origin(location=str(setup.policy)), geo=setup.geo))
    return Hop(
        in_flight=_nothing_in_flight(),
        live=Live(configuration, keys),
        recorder=Recorder(ledger, program="1", clock=time.time),
        deliveries=deliveries,
        metrics=Metrics(),
        clock=time.time,
    )


async def test_what_cannot_be_sealed_is_refused_and_counted_and_awaited_no_more(setup: Setup, keys: Keys) -> None:
    ledger = await _ledger(setup.root)
    deliveries = Deliveries(
        clock=time.monotonic, deliver=lambda _: None, tried=lambda *_: None, in_flight=_nothing_in_flight()
    )
    hop = _hop(setup, keys, ledger, deliveries)
    keys.close()
    answer = await hop(_REQUEST)
    assert b"log_unavailable" in answer or b"503" in answer
    assert len(deliveries) == 0
    await ledger.close()
    (gap,) = [r.entry.gap for r in read_records(setup.log) if r.kind == "gap"]
    assert (gap.reason, gap.entries, gap.released) == ("unsealed", 1, 0)


async def test_a_fault_of_ours_leaves_nothing_behind(setup: Setup, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await _ledger(setup.root)
    deliveries = Deliveries(
        clock=time.monotonic, deliver=lambda _: None, tried=lambda *_: None, in_flight=_nothing_in_flight()
    )
    hop = _hop(setup, keys, ledger, deliveries)

    def broken(_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("extproc.sidecar.hop.id_to_bytes", broken)
    with pytest.raises(ZeroDivisionError):
        await hop(_REQUEST)
    assert len(deliveries) == 0
    await ledger.close()
    assert [r.kind for r in read_records(setup.log)] == ["genesis", "close"]
