"""`situs-cell`: the command line of the cell, and its manual."""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final, TypeVar

from inference.errors import EXIT_CONFIGURATION, ConfigurationError
from inference.identity import CellIdentity, parse_jurisdiction, parse_name, parse_region
from inference.provider import Device, check_distributions
from inference.tls import parse_spiffe

T = TypeVar("T")

_EXIT_CODES: Final = """\
exit codes:
  0   stopped by SIGTERM or SIGINT after draining
  2   the command line is wrong
  78  the cell cannot start as configured (store, device, address): restarting will not help, the message says what will
"""

_EXAMPLES: Final = """\
examples:
  python -m inference.digits --output build/models
  situs-cell serve --region eu-central-1 --jurisdiction DE --models build/models
  situs-cell serve --region us-east-1 --jurisdiction US --models build/models --listen 127.0.0.1:0 --access-log us.jsonl

  curl localhost:8080/v2/models/digits
  curl localhost:8080/v2/models/digits/infer -H 'content-type: application/json' \\
    -d '{"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 64], "data": [0, ... 64 numbers]}]}'

The event log (JSON lines, standard error) says where the cell listens. The access log has one JSON line for each
inference request, written before its answer leaves: time, region, cell, model, version, status, decision, duration_s.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (default: the process's own) and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        check_distributions()
        return _serve(options)
    except ConfigurationError as error:
        sys.stderr.write(f"situs-cell: {error}\n")
        return EXIT_CONFIGURATION


def _serve(options: argparse.Namespace) -> int:
    # Imported late: onnxruntime must not be imported before its distributions were checked, nor for --help.
    from inference.app import BodyLimits  # noqa: PLC0415
    from inference.batcher import BatchLimits  # noqa: PLC0415
    from inference.server import ServeConfig, TlsConfig, serve  # noqa: PLC0415
    from inference.tls import TlsFiles  # noqa: PLC0415

    given = [options.tls_certificate, options.tls_key, options.tls_authorities]
    if (any(given) or options.tls_peer) and not (all(given) and options.tls_peer):
        raise ConfigurationError(
            "TLS needs --tls-certificate, --tls-key, --tls-authorities and --tls-peer together; give all four, or none"
        )
    host, port = options.listen
    cell = options.cell or f"{options.region}-{os.getpid()}"
    config = ServeConfig(
        identity=CellIdentity(cell=cell, region=options.region, jurisdiction=options.jurisdiction),
        models=options.models,
        host=host,
        port=port,
        device=options.device,
        threads=options.threads,
        drain_s=options.drain,
        access_log=options.access_log,
        body=BodyLimits(size=options.max_body, time_s=options.body_timeout),
        batch=BatchLimits(rows=options.max_batch, waiting=options.max_queue),
        tls=TlsConfig(
            files=TlsFiles(certificate=given[0], key=given[1], authorities=given[2]), peers=tuple(options.tls_peer)
        )
        if all(given)
        else None,
    )
    return serve(config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="situs-cell",
        description="A regional inference cell: serves ONNX models and says on every answer what served it, and where.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"situs-cell {metadata.version('situs')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve the models of a store over HTTP (Open Inference Protocol v2)",
        description="Serve every model version of a store over HTTP (Open Inference Protocol v2, JSON tensors).",
        epilog=f"{_EXAMPLES}\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_identity(serve)
    _add_serving(serve)
    _add_tls(serve)
    _add_limits(serve)
    return parser


def _add_identity(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("identity, on every answer")
    group.add_argument(
        "--region", required=True, type=_checked(parse_region), help="region that routes to this cell, as eu-central-1"
    )
    group.add_argument(
        "--jurisdiction",
        required=True,
        type=_checked(parse_jurisdiction),
        help="where this cell is held to be: ISO 3166-1 alpha-2, as DE",
    )
    group.add_argument("--cell", type=_checked(parse_name), help="name of this cell (default: REGION-PID)")


def _add_serving(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("serving")
    group.add_argument(
        "--models",
        required=True,
        type=Path,
        metavar="DIR",
        help="model store: DIR/<model>/<version>/model.onnx; the highest version is a model's default",
    )
    group.add_argument(
        "--listen",
        default=("127.0.0.1", 8080),
        type=_checked(_parse_listen),
        metavar="HOST:PORT",
        help="address to serve on; port 0 lets the system choose (default: 127.0.0.1:8080)",
    )
    group.add_argument(
        "--device",
        default=Device.CPU,
        type=Device,
        choices=list(Device),
        help="where models run; gpu is CUDA for every operator or no start, never the CPU instead (default: cpu)",
    )
    group.add_argument(
        "--threads",
        default=1,
        type=_checked(_parse_count),
        metavar="N",
        help="CPU threads of each model version; more helps large models only (default: 1)",
    )
    group.add_argument(
        "--access-log",
        default="-",
        metavar="FILE",
        help="file to append one JSON line to for each inference request; - is standard output (default: -)",
    )
    group.add_argument(
        "--drain",
        default=25.0,
        type=_checked(_parse_seconds),
        metavar="SECONDS",
        help="from SIGTERM to exit at most; for the first fifth the cell is not ready but serves on (default: 25)",
    )


def _add_tls(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group(
        "mutual TLS 1.3",
        "All four, or none. Files are PEM and are taken anew for new connections when they are replaced; those that "
        "cannot be used are refused, with the last good ones kept. Health is asked by TLS too.",
    )
    group.add_argument(
        "--tls-certificate",
        type=Path,
        metavar="FILE",
        help="what clients are shown: a certificate of this region's SPIFFE id, then its intermediates",
    )
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, without a passphrase")
    group.add_argument(
        "--tls-authorities", type=Path, metavar="FILE", help="whose certificates of clients are believed"
    )
    group.add_argument(
        "--tls-peer",
        type=_checked(parse_spiffe),
        action="append",
        default=[],
        metavar="SPIFFE_ID",
        help="who may ask, Envoy and the sidecar; again for each further one",
    )


def _add_limits(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("limits")
    group.add_argument(
        "--max-body",
        default=16 * 2**20,
        type=_checked(_parse_count),
        metavar="BYTES",
        help="largest request body; beyond it: 413 (default: 16777216, 16 MiB)",
    )
    group.add_argument(
        "--body-timeout",
        default=30.0,
        type=_checked(_parse_seconds),
        metavar="SECONDS",
        help="for all of a request body to arrive; beyond it: 408 (default: 30)",
    )
    group.add_argument(
        "--max-batch",
        default=64,
        type=_checked(_parse_count),
        metavar="ROWS",
        help="rows computed together; 1 for models whose rows are not independent (default: 64)",
    )
    group.add_argument(
        "--max-queue",
        default=1024,
        type=_checked(_parse_count),
        metavar="REQUESTS",
        help="requests waiting for one model version; beyond it: 503 with Retry-After (default: 1024)",
    )


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse show the sentence of a ValueError, which it otherwise hides."""

    def checked(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def _parse_listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise ValueError(f"{text!r} is not an address: use HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080")
    return host, int(port)


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ValueError(f"{text!r} is not a count: use a whole number from 1")
    return int(text)


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{text!r} is not a number of seconds: use 0 or more, for example 2.5")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
