"""`situs serve`: run the sidecar."""

import argparse
import asyncio
import os
import socket
import sys
import time
from math import inf
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.exits import CONFIGURATION, LOG, OK, SOFTWARE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.bundle.start import Obtained
    from extproc.core.ids import RegionId
    from extproc.mesh.section import Mesh
    from extproc.sidecar.configuration import Origin
    from extproc.trust.epochs import KeyRing

_MIB: Final = 1 << 20
_SHORTEST_POLL_S: Final = 0.01
_SHORTEST_EPOCH_H: Final = 0.0001
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
    _add_policy(parser)
    parser.add_argument(
        "--mesh", type=Path, metavar="FILE", help="the mesh file; its cells are probed (default: no probes)"
    )
    parser.add_argument("--geo-db", type=Path, metavar="FILE", help="geolocation database, mmdb")
    parser.add_argument(
        "--anonymity-db", type=Path, metavar="FILE", help="database of anonymising networks, mmdb (default: none)"
    )
    parser.add_argument(
        "--overrides", type=Path, metavar="FILE", help="legal overrides, as `situs suspend` writes them; must exist"
    )
    parser.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="unix:/path or host:port for Envoy (default: the mesh file's `sidecar`, else unix:/run/situs/situs.sock)",
    )
    parser.add_argument(
        "--admin", metavar="HOST:PORT", help="serve /metrics, /readyz and /livez there (default: nowhere)"
    )
    _add_log(parser)
    parser.add_argument(
        "--drain",
        type=_amount,
        default=5.0,
        metavar="SECONDS",
        help="finish requests in flight within this time after SIGTERM (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load everything, then serve until told to stop."""
    # Before gRPC is loaded: the one process that we start runs another program at once, so gRPC need not prepare for
    # that, nor say in the middle of the event log that it could not.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    import uvloop

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
    from extproc.sidecar.serve import BrokenSidecarError, serve
    from extproc.sidecar.settings import Settings
    from extproc.sidecar.watch import signatures
    from extproc.trust.tlog_policy import load_tlog_policy
    from extproc.witness.errors import WitnessError

    configure_events(sys.stderr)
    try:
        files = Files(
            policy=_origin(args),
            geo=args.geo_db,
            anonymity=args.anonymity_db,
            overrides=args.overrides,
            shadow=args.shadow,
            region=args.region,
        )
        seen = signatures(files.all())
        obtained = _obtain(files.policy)
        configuration = load_configuration(files, policy=obtained.accepted)
        mesh = None if args.mesh is None else load_mesh(args.mesh, configuration.tables, configuration.reading)
        identity = LogIdentity(
            org=args.org, env=args.env, region=configuration.tables.ingress_region, node=args.node, worker="0"
        )
        room = Room(low_bytes=int(args.disk_low * _MIB), full_bytes=int(args.disk_full * _MIB))
        witnesses = None if args.witnesses is None else load_tlog_policy(args.witnesses)
        if args.ship is not None:
            _check_shipping(args.ship, identity.region)
        ring = _ring(args, identity.signer)
    except OSError as error:
        return refuse(f"{_place(error)}. Mend: check the path, and who may read it", CONFIGURATION)
    except (*BAD_CONFIGURATION, NoteError, ShipError, ValueError) as error:
        return refuse(error, CONFIGURATION)
    settings = Settings(
        files=files,
        listen=args.listen or _listen(mesh),
        log=args.log,
        identity=identity,
        ring=ring,
        durability=Durability(args.durability),
        endpoints=_endpoints(mesh),
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
    )
    try:
        uvloop.run(serve(settings, configuration))
    except (LedgerError, NoteError, WitnessError) as error:
        return refuse(error, LOG)
    except BrokenSidecarError as error:
        return refuse(error, SOFTWARE)
    except (OSError, KeyStoreError, *BAD_CONFIGURATION) as error:
        return refuse(error, CONFIGURATION)
    finally:
        ring.close()
    return OK


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


def _add_log(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the decision log")
    group.add_argument("--log", type=Path, required=True, metavar="DIR", help="where the decision log is written")
    group.add_argument(
        "--key",
        type=Path,
        required=True,
        metavar="FILE",
        help="the log's signing key, mode 0600; made at the first start if it is not there and nobody delegates to it",
    )
    group.add_argument(
        "--key-root",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="start only by a key that this organisation's key delegates to (.vkey; see `situs audit keys --help`)",
    )
    group.add_argument(
        "--key-hours",
        type=_key_hours,
        default=24.0,
        metavar="H",
        help="change the key that often and destroy the old one; 0 for a key that somebody else changes, "
        "such as a mounted secret (default: %(default)s)",
    )
    group.add_argument(
        "--durability",
        choices=["fsync", "page"],
        default="fsync",
        help="where the policy does not say it: a decision is released after fdatasync, or after write(2) with "
        "fdatasync within 50 ms (default: %(default)s)",
    )
    group.add_argument(
        "--witnesses",
        type=Path,
        metavar="FILE",
        help="have these witnesses cosign the log, and refuse to start on a disk that was set back (C2SP tlog-policy)",
    )
    group.add_argument(
        "--ship",
        type=Path,
        metavar="FILE",
        help="ship the log to the store of its region, as this file says (default: nobody does, or somebody else)",
    )
    group.add_argument(
        "--key-store",
        type=Path,
        metavar="FILE",
        help="erasable keys of pseudonyms and sealed blocks, apart from the log; made at the first start",
    )
    group.add_argument(
        "--disk-low",
        type=_amount,
        default=1024,
        metavar="MIB",
        help="warn when the log's disk has less left (default: %(default)s)",
    )
    group.add_argument(
        "--disk-full",
        type=_amount,
        default=256,
        metavar="MIB",
        help="refuse requests when it has less left (default: %(default)s)",
    )
    group.add_argument("--org", default="local", help="names the log's origin (default: %(default)s)")
    group.add_argument("--env", default="dev", help="names the log's origin (default: %(default)s)")
    group.add_argument("--node", default=socket.gethostname(), help="names the log's origin (default: the host name)")


def _add_policy(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the policy")
    group.add_argument(
        "--policy",
        required=True,
        metavar="PLACE",
        help="a file, https://HOST/PATH or s3://BUCKET/KEY; YAML or a bundle",
    )
    group.add_argument(
        "--policy-keys",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="take only bundles that these keys signed, as `situs policy keygen` writes them (default: plain files)",
    )
    group.add_argument(
        "--policy-signers", type=int, default=1, metavar="N", help="how many different ones (default: %(default)s)"
    )
    group.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep the last good policy there, to start by while its source is away",
    )
    group.add_argument(
        "--poll",
        type=_period,
        default=60.0,
        metavar="SECONDS",
        help="how often a source is asked (default: %(default)s)",
    )
    group.add_argument(
        "--force-policy-version", type=int, metavar="N", help="start by exactly this version, even if it is a way back"
    )
    group.add_argument(
        "--policy-ca", type=Path, metavar="FILE", help="authorities for https, PEM (default: the system's)"
    )
    group.add_argument(
        "--shadow",
        type=Path,
        metavar="FILE",
        help="evaluate this candidate policy beside each decision, and record both",
    )
    group.add_argument(
        "--region", metavar="REGION", help="where this sidecar stands (default: the policy's ingress.region)"
    )


def _amount(written: str) -> float:
    """Read a number of seconds or MiB."""
    value = float(written)
    if not 0.0 <= value < inf:
        raise argparse.ArgumentTypeError(f"{written} is no amount. Mend: give 0 or more")
    return value


def _period(written: str) -> float:
    """Read how many seconds pass between two questions."""
    value = _amount(written)
    if value < _SHORTEST_POLL_S:
        raise argparse.ArgumentTypeError(f"{written} s is too often. Mend: give {_SHORTEST_POLL_S} or more")
    return value


def _key_hours(written: str) -> float:
    """Read how long a key signs, in hours; 0 for one that somebody else changes."""
    value = _amount(written)
    if 0.0 < value < _SHORTEST_EPOCH_H:
        raise argparse.ArgumentTypeError(f"{written} h is too short. Mend: give 0, or {_SHORTEST_EPOCH_H} or more")
    return value


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
