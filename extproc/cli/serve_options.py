"""The options of `situs serve`, by what they are about."""

import argparse
import socket
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from extproc.workers.summons import Summons

_MOST_WORKERS: Final = 64
_SHORTEST_POLL_S: Final = 0.01
_SHORTEST_EPOCH_H: Final = 0.0001


def add_log(parser: argparse.ArgumentParser) -> None:
    """Add the options about the decision log and what is done beside it."""
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
        type=amount,
        default=1024,
        metavar="MIB",
        help="warn when the log's disk has less left (default: %(default)s)",
    )
    group.add_argument(
        "--disk-full",
        type=amount,
        default=256,
        metavar="MIB",
        help="refuse requests when it has less left (default: %(default)s)",
    )
    group.add_argument("--org", default="local", help="names the log's origin (default: %(default)s)")
    group.add_argument("--env", default="dev", help="names the log's origin (default: %(default)s)")
    group.add_argument("--node", default=socket.gethostname(), help="names the log's origin (default: the host name)")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the options about how many processes there are."""
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="how many processes answer Envoy (default: the mesh file's `sidecar.workers`, else 1). Worker 0 is as a "
        "single one; worker 1 listens at the socket's path with .1 behind it, or at the next port, keeps its own log "
        "in the folder 1 beside 0, and signs by the key file with .1 behind its name, to which --key-root must have "
        "delegated too; and so on",
    )
    parser.add_argument("--as-worker", type=_summons, help=argparse.SUPPRESS)


def _workers(written: str) -> int:
    """Read how many workers there are."""
    workers = int(written)
    if not 1 <= workers <= _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{written} workers cannot be. Mend: give 1 to {_MOST_WORKERS}")
    return workers


def _summons(written: str) -> "Summons":
    """Read what a supervisor tells its worker."""
    from extproc.workers.summons import parse_summons

    return parse_summons(written)


def add_control(parser: argparse.ArgumentParser) -> None:
    """Add the options about legal orders."""
    group = parser.add_argument_group("legal orders")
    group.add_argument(
        "--overrides", type=Path, metavar="FILE", help="legal overrides, as `situs suspend` writes them; must exist"
    )
    group.add_argument(
        "--control",
        metavar="ADDRESS",
        help="unix:/path where `situs suspend`, `resume` and `status` reach this sidecar; orders go into the override "
        "file (default: nowhere)",
    )
    group.add_argument(
        "--control-user",
        action="append",
        default=[],
        metavar="USER",
        help="who may ask there beside root and the sidecar's own user, by name or number; their group must have the "
        "socket",
    )


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add the options about the policy and where it comes from."""
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


def amount(written: str) -> float:
    """Read a number of seconds or MiB."""
    value = float(written)
    if not 0.0 <= value < inf:
        raise argparse.ArgumentTypeError(f"{written} is no amount. Mend: give 0 or more")
    return value


def _period(written: str) -> float:
    """Read how many seconds pass between two questions."""
    value = amount(written)
    if value < _SHORTEST_POLL_S:
        raise argparse.ArgumentTypeError(f"{written} s is too often. Mend: give {_SHORTEST_POLL_S} or more")
    return value


def _key_hours(written: str) -> float:
    """Read how long a key signs, in hours; 0 for one that somebody else changes."""
    value = amount(written)
    if 0.0 < value < _SHORTEST_EPOCH_H:
        raise argparse.ArgumentTypeError(f"{written} h is too short. Mend: give 0, or {_SHORTEST_EPOCH_H} or more")
    return value
