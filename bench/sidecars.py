"""Parts of the sidecar as processes of their own: `python -m bench.sidecars noop|decide|decisions --help`.

`noop` answers one fixed steering from the real server: what gRPC costs, and nothing of ours.

`decide` is the real hop with the real probes, and a recorder that writes nothing. The product has no such mode and
cannot be configured to have one: a decision that is not recorded is not released. It exists here, to be measured.

`decisions` records each decision in the real ledger, in page mode, but takes no access log from Envoy and so records no
deliveries.
"""

import argparse
import asyncio
import gc
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import uvloop

from extproc.core.decide import Decision
from extproc.core.evidence import Private, ReleaseMode
from extproc.core.ids import DecisionId, RegionId
from extproc.core.steering import Steer
from extproc.ledger.commit import Durability, Ledger, LogIdentity
from extproc.mesh.parse import load_mesh
from extproc.notes.keys import load_or_create_key
from extproc.sidecar.configuration import PROGRAM_VERSION, Files, Origin, load_configuration
from extproc.sidecar.deliveries import Deliveries
from extproc.sidecar.hop import Hop
from extproc.sidecar.inflight import InFlight, OwnCounters
from extproc.sidecar.live import Live
from extproc.sidecar.metrics import Metrics
from extproc.sidecar.recorder import Recorder
from extproc.signals.board import Board
from extproc.signals.cells import probe_forever
from extproc.wire.response import Responder
from extproc.wire.server import LogStream, Process, WireServer

STEERING: Final = Steer(plan=(RegionId("eu-fra"), RegionId("eu-ams")), route="eu-fra>eu-ams")
"""What a sidecar that decides nothing answers."""
DECISION: Final = DecisionId("01890a5d-ac96-774b-bcce-b302099a8057")


class NoRecords(Recorder):
    """Releases every decision at once and writes nothing. For measuring only."""

    def __init__(self) -> None:
        self.failed = asyncio.Event()

    async def record_decision(
        self, decision: Decision, *, mode: ReleaseMode | None = None, private: Private | None = None
    ) -> None:
        """Do nothing."""


class NoDeliveries(Deliveries):
    """Awaits no delivery: without Envoy's access log none would ever be reported."""

    def expect(self, decision: Decision, regions: Mapping[str, RegionId]) -> None:
        """Do nothing."""


async def _serve(args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        process = _noop() if args.kind == "noop" else await _hop(args, stack)
        wire = await WireServer.start(
            args.listen, process=process, open_log=lambda: LogStream(take=lambda _message: None)
        )
        stack.push_async_callback(wire.drain, 1.0)
        gc.collect()
        gc.freeze()
        await stop.wait()


def _noop() -> Process:
    answer = Responder().respond(STEERING, DECISION)

    async def process(_message: bytes) -> bytes:
        return answer

    return process


async def _hop(args: argparse.Namespace, stack: AsyncExitStack) -> Hop:
    """Put the hop together as :class:`extproc.sidecar.serve.Sidecar` does, less what is left out."""
    configuration = load_configuration(Files(policy=Origin(location=str(args.policy)), geo=args.geo_db))
    mesh = load_mesh(args.mesh, configuration.tables, configuration.reading)
    live = Live(configuration)
    catalogue = live.current.catalogue
    in_flight = InFlight(OwnCounters(len(catalogue)), catalogue, longest_s=60.0)
    board = Board(
        configuration.tables.regions, publish=live, clock=time.time, in_flight=in_flight.of, checks_models=False
    )
    probes = asyncio.create_task(
        probe_forever(
            {region: [str(entry.endpoints[0])] for region, entry in mesh.regions.items()},
            lambda: configuration.tables.regions,
            board.probed,
        )
    )
    stack.callback(probes.cancel)
    recorder: Recorder = NoRecords()
    if args.kind == "decisions":
        ledger = await Ledger.open(
            args.log,
            identity=LogIdentity(org="bench", env="bench", region="eu-fra", node="bench", worker="0"),
            key=load_or_create_key(args.key),
            mode=Durability.PAGE,
        )
        stack.push_async_callback(ledger.close)
        recorder = Recorder(ledger, program=PROGRAM_VERSION, clock=time.time)
    return Hop(
        live=live,
        recorder=recorder,
        deliveries=NoDeliveries(
            clock=time.time,
            deliver=lambda _delivery: None,
            tried=lambda _ended, _model: None,
            in_flight=in_flight,
        ),
        in_flight=in_flight,
        metrics=Metrics(),
        clock=time.time,
    )


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.sidecars", description="Serve a part of the sidecar.")
    parser.add_argument("kind", choices=["noop", "decide", "decisions"])
    parser.add_argument("--listen", required=True, help="unix:/path")
    for name in ("--policy", "--mesh", "--geo-db", "--log", "--key"):
        parser.add_argument(name, type=Path, help="as `situs serve` takes it")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
