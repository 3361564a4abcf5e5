"""The options of `situs serve`, by what they are about."""

import argparse
import socket
from math import inf
from pathlib import Path
from typing import Final

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
