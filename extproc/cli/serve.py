"""`situs serve`: run the sidecar."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import CONFIGURATION, LOG, OK, SOFTWARE, refuse
from extproc.cli.serve_options import add_control, add_log, add_policy, add_workers, amount
from extproc.cli.serve_tls import add_tls, tls_settings

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Mapping

    from extproc.bundle.start import Obtained
    from extproc.core.ids import DependencyId, RegionId
    from extproc.core.tables import Region
    from extproc.mesh.section import Mesh
    from extproc.sidecar.configuration import Configuration, Origin
    from extproc.sidecar.probing import Probing
    from extproc.sidecar.settings import ControlSocket, Settings
    from extproc.sidecar.tls import TlsSettings
    from extproc.trust.epochs import KeyRing
    from extproc.workers.summons import Summons

_MIB: Final = 1 << 20
_EPILOG = dedent(
    """\
    The policies, the override file and the databases are watched: a changed file is taken within half a second, or
    refused with the last good one kept, which is logged and counted (situs_reloads_total). A policy from elsewhere is
    asked for again every minute; one with a lower version, or signed by too few, is refused.

    examples:
      situs serve --policy policy.yaml --mesh mesh.yaml --geo-db country.mmdb --overrides overrides.yaml \\
          --log /var/lib/situs --key /etc/situs/log.key --admin 127.0.0.1:9902
      situs serve --policy https://policies.example/acme.bundle --policy-keys trusted.vkey --policy-signers 2 \\
          --state /var/lib/situs-policy ...

    exit codes: 0 stopped by SIGTERM or SIGINT, 1 wrong usage, 70 a fault of the program (start anew),
    74 the log cannot be written, its key may sign no more, or a witness has seen more of it than there is (start
    anew when that is mended), 78 a configuration that cannot be used
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "serve",
        help="run the sidecar beside Envoy",
        description="Answer Envoy's external processing requests: decide, record, steer.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_policy(parser)
    parser.add_argument(
        "--mesh", type=Path, metavar="FILE", help="the mesh file; its cells are probed (default: no probes)"
    )
    parser.add_argument("--geo-db", type=Path, metavar="FILE", help="geolocation database, mmdb")
    parser.add_argument(
        "--anonymity-db", type=Path, metavar="FILE", help="database of anonymising networks, mmdb (default: none)"
    )
    parser.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="unix:/path or host:port for Envoy (default: the mesh file's `sidecar`, else unix:/run/situs/situs.sock)",
    )
    parser.add_argument(
        "--admin", metavar="HOST:PORT", help="serve /metrics, /readyz and /livez there (default: nowhere)"
    )
    add_tls(parser)
    add_workers(parser)
    add_control(parser)
    add_log(parser)
    parser.add_argument(
        "--drain",
        type=amount,
        default=5.0,
        metavar="SECONDS",
        help="finish requests in flight within this time after SIGTERM (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:  # noqa: PLR0915 - one start, in its order
    """Load everything, then serve until told to stop."""
    # Before gRPC is loaded: the one process that we start runs another program at once, so gRPC need not prepare for
    # that, nor say in the middle of the event log that it could not.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    import uvloop

    from extproc.control.errors import ControlError
    from extproc.ledger.commit import LogIdentity
    from extproc.ledger.durability import Durability
    from extproc.ledger.errors import LedgerError
    from extproc.ledger.room import Room
    from extproc.mesh.parse import load_mesh
    from extproc.notes.errors import NoteError
    from extproc.sealed.errors import KeyStoreError
    from extproc.ship.errors import ShipError
    from extproc.sidecar.configuration import Files, load_configuration
    from extproc.sidecar.events import configure_events
    from extproc.sidecar.reloading import BAD_CONFIGURATION
    from extproc.sidecar.serve import BrokenSidecarError
    from extproc.sidecar.settings import Settings
    from extproc.sidecar.watch import signatures
    from extproc.tls.credentials import CredentialsError
    from extproc.trust.tlog_policy import load_tlog_policy
    from extproc.witness.errors import WitnessError
    from extproc.workers.places import worker_listen

    summons: Summons | None = args.as_worker
    configure_events(sys.stderr, worker=None if summons is None else summons.index)
    if summons is not None:
        _narrow(args, summons)
    try:
        files = Files(
            policy=_origin(args),
            geo=args.geo_db,
            anonymity=args.anonymity_db,
            overrides=args.overrides,
            shadow=args.shadow,
            region=args.region,
        )
        control = _control(args)
        seen = signatures(files.all())
        obtained = _obtain(files.policy)
        configuration = load_configuration(files, policy=obtained.accepted)
        mesh = None if args.mesh is None else load_mesh(args.mesh, configuration.tables, configuration.reading)
        probing = _probing(mesh, configuration)
        listen = args.listen or _listen(mesh)
        identity = LogIdentity(
            org=args.org,
            env=args.env,
            region=configuration.tables.ingress_region,
            node=args.node,
            worker="0" if summons is None else str(summons.index),
        )
        room = Room(low_bytes=int(args.disk_low * _MIB), full_bytes=int(args.disk_full * _MIB))
        witnesses = None if args.witnesses is None else load_tlog_policy(args.witnesses)
        if args.ship is not None:
            _check_shipping(args.ship, identity.region)
        workers = args.workers or (1 if mesh is None else mesh.workers)
        tls = tls_settings(args, mesh, listen)
        if summons is not None:
            listen = worker_listen(listen, summons.index)
        elif workers > 1:
            worker_listen(listen, workers - 1)
            return _supervise(args, workers, configuration.tables.regions, mesh, control, tls=tls)
        ring = _ring(args, identity.signer)
    except OSError as error:
        return refuse(f"{_place(error)}. Mend: check the path, and who may read it", CONFIGURATION)
    except (*BAD_CONFIGURATION, ControlError, CredentialsError, NoteError, ShipError, ValueError) as error:
        return refuse(error, CONFIGURATION)
    settings = Settings(
        files=files,
        listen=listen,
        log=args.log,
        identity=identity,
        ring=ring,
        durability=Durability(args.durability),
        endpoints=_endpoints(mesh) if summons is None else {},
        seen=seen,
        kept=obtained.kept,
        stale=obtained.error is not None,
        poll_s=args.poll,
        admin=args.admin,
        drain_s=args.drain,
        room=room,
        witnesses=witnesses,
        key_store=args.key_store,
        shipping=args.ship,
        control=control,
        dependencies=_dependencies(mesh) if summons is None else {},
        probing=probing,
        longest_request_s=_longest_request_s(mesh),
        tls=tls,
        clusters={} if mesh is None else mesh.names_of_clusters(),
        hosts=("*",) if mesh is None else mesh.hosts,
    )
    try:
        uvloop.run(_serve(settings, configuration, summons))
    except (LedgerError, NoteError, WitnessError) as error:
        return refuse(error, LOG)
    except BrokenSidecarError as error:
        return refuse(error, SOFTWARE)
    except (OSError, KeyStoreError, *BAD_CONFIGURATION) as error:
        return refuse(error, CONFIGURATION)
    finally:
        ring.close()
    return OK


async def _serve(settings: "Settings", configuration: "Configuration", summons: "Summons | None") -> None:
    from extproc.sidecar.serve import serve
    from extproc.workers.summons import take_part

    await serve(settings, configuration, None if summons is None else await take_part(summons))


def _narrow(args: argparse.Namespace, summons: "Summons") -> None:
    """Make of what all workers are told what one of them is told."""
    from extproc.workers.places import worker_key

    args.key = worker_key(args.key, summons.index)
    # The supervisor's, for all workers; and the log's folder is shipped whole, so one worker starts the shipper.
    args.admin, args.control, args.control_user = None, None, []
    if summons.index:
        args.ship = None
    if summons.again:
        # It was for the start of the set, and would take back what was taken since.
        args.force_policy_version = None


def _supervise(  # noqa: PLR0913 - what was worked out of the options
    args: argparse.Namespace,
    workers: int,
    regions: "tuple[Region, ...]",
    mesh: "Mesh | None",
    control: "ControlSocket | None",
    *,
    tls: "TlsSettings | None",
) -> int:
    """Run the workers, and answer for them."""
    import uvloop

    from extproc.workers.supervisor import Orders, command_of, supervise

    orders = Orders(
        command=command_of(sys.argv[1:]),
        workers=workers,
        regions=regions,
        endpoints=_endpoints(mesh),
        dependencies=_dependencies(mesh),
        tenure=args.log / args.node / "lock",
        admin=args.admin,
        drain_s=args.drain,
        control=control,
        tls=tls,
    )
    try:
        code: int = uvloop.run(supervise(orders))
    except OSError as error:
        return refuse(error, CONFIGURATION)
    return code


def _control(args: argparse.Namespace) -> "ControlSocket | None":
    """Say where orders are taken. Raises ControlError for a socket that could not be used when it is needed."""
    from extproc.control.errors import ControlError
    from extproc.control.peers import permitted_uids
    from extproc.sidecar.settings import ControlSocket

    permitted_uids(args.control_user)
    if args.control is None:
        if args.control_user:
            raise ControlError("--control-user says who may use --control. Mend: give that too")
        return None
    if args.overrides is None:
        raise ControlError("--control writes orders into the override file. Mend: name it with --overrides")
    return ControlSocket(address=args.control, users=tuple(args.control_user), overrides=args.overrides)


def _check_shipping(config: Path, region: str) -> None:
    """See that the log will have somewhere to go: the shipper is a process of its own, whose end stops nothing here.

    Raises DocumentError and DestinationRefusedError.
    """
    from extproc.ship.config import load_shipping
    from extproc.ship.errors import DestinationRefusedError

    if region not in load_shipping(config).regions:
        raise DestinationRefusedError(
            f"{config}: no store for the region '{region}', in which this sidecar stands, so its log would be shipped "
            f"nowhere. Mend: add '{region}:' to regions"
        )


def _place(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _ring(args: argparse.Namespace, scope: str) -> "KeyRing":
    """Open the ring of the log's key. Raises NoteError for one that may not sign, and OSError."""
    from extproc.notes.keys import load_vkeys
    from extproc.trust.epochs import KeyRing

    roots = [root for path in args.key_root for root in load_vkeys(path)]
    epoch_s = args.key_hours * 3600.0 or None
    return KeyRing(args.key, scope=scope, now_s=time.time(), epoch_s=epoch_s, roots=roots)


def _origin(args: argparse.Namespace) -> "Origin":
    """Say where the policy comes from. Raises BundleError for keys that cannot be used."""
    from extproc.bundle.source import SourceOptions
    from extproc.bundle.trust import load_trust
    from extproc.sidecar.configuration import Origin

    return Origin(
        location=args.policy,
        trust=load_trust(args.policy_keys, needed=args.policy_signers) if args.policy_keys else None,
        state=args.state,
        forced_version=args.force_policy_version,
        options=SourceOptions(ca=args.policy_ca),
    )


def _obtain(origin: "Origin") -> "Obtained":
    """Give the policy to start by, from its source or from what was kept of it."""
    from extproc.bundle.last_good import StateFolder
    from extproc.bundle.locations import source_of
    from extproc.bundle.start import obtain

    state = None if origin.state is None else StateFolder(origin.state)
    source = source_of(origin.location, origin.options)
    return asyncio.run(
        obtain(source, trust=origin.trust, state=state, clock=time.time, forced_version=origin.forced_version)
    )


def _listen(mesh: "Mesh | None") -> str:
    """Give where Envoy will look for this sidecar."""
    from extproc.mesh.section import UnixSocket

    if mesh is None:
        return "unix:/run/situs/situs.sock"
    return f"unix:{mesh.sidecar.unix}" if isinstance(mesh.sidecar, UnixSocket) else str(mesh.sidecar)


def _endpoints(mesh: "Mesh | None") -> "dict[RegionId, list[str]]":
    """Give every cell of each region, as `host:port`."""
    if mesh is None:
        return {}
    return {region: [str(endpoint) for endpoint in entry.endpoints] for region, entry in mesh.regions.items()}


def _probing(mesh: "Mesh | None", configuration: "Configuration") -> "Probing":
    """Say what is probed. Raises ConfigurationError where the policy needs what nobody would see."""
    from extproc.sidecar.probing import Probing

    probing = Probing(cells=mesh is not None, dependencies=_dependencies(mesh))
    probing.check(configuration.tables)
    probing.warn(configuration.tables)
    return probing


def _longest_request_s(mesh: "Mesh | None") -> float:
    """Give when Envoy ends a request at the latest."""
    from extproc.mesh.section import Timeouts

    return (Timeouts() if mesh is None else mesh.timeouts).request_s


def _dependencies(mesh: "Mesh | None") -> "Mapping[RegionId, Mapping[DependencyId, str]]":
    """Give the URL of each thing that a region needs."""
    return {} if mesh is None else {region: entry.dependencies for region, entry in mesh.regions.items()}
