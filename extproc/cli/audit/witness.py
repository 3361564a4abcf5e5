"""`situs audit witness`: be a witness, look at one, or ask the witnesses of a policy."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extproc.audit.findings import EXIT_VERIFIED
from extproc.cli.audit import witness_ask
from extproc.cli.audit.usage import usage
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError
from extproc.witness.errors import WitnessError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.witness.run import RootOptions, WitnessOptions
    from extproc.witness.witness import WitnessKey

_ERRORS: Final = (LedgerError, NoteError, WitnessError, OSError)
_ORIGIN_PARTS: Final = 4

_WITNESS: Final = """\
A witness keeps the latest checkpoint of each log and cosigns the next one only when that continues it. Whoever holds
cosignatures of witnesses run by others knows that the log has one history, even if its owner would rather have another.
It sees sizes and roots, never a record."""

_WITNESS_END: Final = """\
the order of things, at the second organisation:
  situs audit witness keygen --key witness.pem --name witness.other.org/w1     prints the vkey: hand it out
  situs audit witness serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key tls.pem \\
      --key witness.pem --name witness.other.org/w1 --state witness.sqlite --log acme.vkey
and at the owner of the logs, in a tlog-policy file (https://c2sp.org/tlog-policy):
  witness other witness.other.org/w1+1b0a5f9e+BA… https://witness.other.org:8443
  quorum other"""

_SERVE: Final = """\
Be a witness (C2SP tlog-witness) until SIGTERM or SIGINT. The state file and the key belong together: never start the
key with an older copy of the file, or with none, because it would cosign a second history."""

_SERVE_END: Final = """\
in a region, with a root log: it takes every sidecar's checkpoint each second, and only the root log's own checkpoint
goes to the witnesses of other organisations:
  situs audit witness serve --listen 10.0.0.5:8080 --key region.pem --name acme.example/eu/witness \\
      --state /var/lib/situs/witness.sqlite --log acme-prod.vkey \\
      --root-log /var/lib/situs/root --root-origin acme/prod/eu/witness-1 --root-key root.pem --witnesses others.policy

GET /healthz tells whether all is well, GET /metrics is for Prometheus."""

_STATUS: Final = """\
Show which logs a witness knows, their sizes, and how long ago each was cosigned. A URL needs a witness that was started
with --heads. Forks are logs that showed two histories: their owners have a question to answer."""

_COSIGN: Final = """\
Ask the witnesses of a policy, once, to cosign each log at or below a folder, and keep the cosigned checkpoint beside
the log in the file `witnessed`. The sidecar does this by itself each second; this is for logs without one.

Exit codes: 0 every log has its quorum, 1 wrong usage, 2 a witness tells another history, 3 a quorum is missing."""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its own commands."""
    raw = argparse.RawDescriptionHelpFormatter
    witness = commands.add_parser(
        "witness",
        help="be a witness of logs, or ask witnesses",
        description=_WITNESS,
        epilog=_WITNESS_END,
        formatter_class=raw,
    )
    inner = witness.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _register_serve(
        inner.add_parser("serve", help="be one", description=_SERVE, epilog=_SERVE_END, formatter_class=raw)
    )

    keygen = inner.add_parser("keygen", help="make a witness's key and print its vkey")
    keygen.add_argument("--key", metavar="FILE", type=Path, required=True, help="file to make, or one that is there")
    keygen.add_argument("--name", required=True, help="name by which it cosigns: a URL without https://")
    keygen.set_defaults(run=run_keygen)

    status = inner.add_parser("status", help="what a witness has seen", description=_STATUS)
    status.add_argument("place", metavar="URL|FILE", help="a running witness, or a state file")
    status.add_argument("--ca", metavar="FILE", type=Path, help="authorities for the witness's TLS certificate")
    status.add_argument("--json", action="store_true", help="print one JSON object")
    status.set_defaults(run=witness_ask.run_status)

    cosign = inner.add_parser("cosign", help="have logs cosigned, once", description=_COSIGN, formatter_class=raw)
    cosign.add_argument("directory", metavar="DIR", type=Path, help="a log, or a folder with logs below it")
    cosign.add_argument(
        "--policy", metavar="FILE", type=Path, required=True, help="tlog-policy with witnesses and URLs"
    )
    cosign.add_argument("--ca", metavar="FILE", type=Path, help="authorities for the witnesses' TLS certificates")
    cosign.add_argument("--timeout", metavar="S", type=float, default=5.0, help="seconds for each log (default 5)")
    cosign.add_argument("--json", action="store_true", help="print one JSON object per log")
    cosign.set_defaults(run=witness_ask.run_cosign)


def _register_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--listen", metavar="HOST:PORT", required=True, help="where to listen; port 0 is any free one")
    serve.add_argument("--key", metavar="FILE", type=Path, required=True, help="private key, as keygen makes it")
    serve.add_argument("--name", required=True, help="name by which it cosigns, as in its vkey")
    serve.add_argument("--state", metavar="FILE", type=Path, required=True, help="SQLite file; made when missing")
    serve.add_argument(
        "--log",
        metavar="FILE",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        help="keys of logs: .vkey files or tlog-policies. A key stands for all logs below its name, and may delegate",
    )
    serve.add_argument("--tls-cert", metavar="FILE", type=Path, help="certificate chain in PEM")
    serve.add_argument("--tls-key", metavar="FILE", type=Path, help="its private key in PEM")
    serve.add_argument("--heads", action="store_true", help="let everybody see the sizes of all logs at /heads")
    root = serve.add_argument_group("root log")
    root.add_argument("--root-log", metavar="DIR", type=Path, help="keep a log of all checkpoints below this folder")
    root.add_argument("--root-origin", metavar="ORG/ENV/REGION/NODE", help="its name; `/root` is added")
    root.add_argument("--root-key", metavar="FILE", type=Path, help="its private key: not the witness's")
    root.add_argument("--witnesses", metavar="FILE", type=Path, help="tlog-policy of those who cosign the root log")
    root.add_argument("--ca", metavar="FILE", type=Path, help="authorities for those witnesses' TLS certificates")
    serve.set_defaults(run=run_serve)


def run_serve(args: argparse.Namespace) -> int:
    """Run `situs audit witness serve`."""
    from extproc.sidecar.events import configure_events
    from extproc.witness.run import WitnessOptions

    configure_events(sys.stderr)
    if (args.tls_cert is None) != (args.tls_key is None):
        return usage("witness serve", "--tls-cert and --tls-key go together. Mend: give both, or none")
    try:
        options = WitnessOptions(
            listen=args.listen,
            key=args.key,
            name=args.name,
            state=args.state,
            logs=tuple(args.log),
            tls_cert=args.tls_cert,
            tls_key=args.tls_key,
            heads=args.heads,
            root=_root_options(args),
        )
        asyncio.run(_serve(options))
    except _ERRORS as error:
        return usage("witness serve", str(error))
    return EXIT_VERIFIED


def _root_options(args: argparse.Namespace) -> "RootOptions | None":
    """Read what belongs to a root log. Raises WitnessError, and MalformedError for a part of its name."""
    from extproc.ledger.incarnation import LogIdentity
    from extproc.witness.rootlog import WORKER
    from extproc.witness.run import RootOptions

    given = (args.root_log, args.root_origin, args.root_key)
    if all(each is None for each in given):
        if args.witnesses is not None:
            raise WitnessError("--witnesses cosign the root log, and there is none. Mend: add --root-log")
        return None
    if any(each is None for each in given):
        raise WitnessError("--root-log, --root-origin and --root-key go together. Mend: give all three")
    parts = args.root_origin.split("/")
    if len(parts) != _ORIGIN_PARTS:
        raise WitnessError(f"--root-origin {args.root_origin}: expected ORG/ENV/REGION/NODE")
    org, env, region, node = parts
    return RootOptions(
        directory=args.root_log,
        identity=LogIdentity(org=org, env=env, region=region, node=node, worker=WORKER),
        key=args.root_key,
        witnesses=args.witnesses,
        ca=args.ca,
    )


async def _serve(options: "WitnessOptions") -> None:
    from extproc.witness.run import run_witness

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def started(address: str, key: "WitnessKey") -> None:
        scheme = "http" if options.tls_cert is None else "https"
        print(f"witness {key.vkey}\nlistens on {scheme}://{address}", flush=True)

    await run_witness(options, stop=stop, started=started)


def run_keygen(args: argparse.Namespace) -> int:
    """Run `situs audit witness keygen`."""
    from extproc.notes.keys import load_or_create_key
    from extproc.witness.witness import WitnessKey

    try:
        print(WitnessKey.named(args.name, load_or_create_key(args.key)).vkey)
    except _ERRORS as error:
        return usage("witness keygen", str(error))
    return EXIT_VERIFIED
