"""Tell the Envoy of this pod to end its connections: `python -m extproc.mesh.kubernetes.drain --admin HOST:PORT`.

Run by Kubernetes in the sidecar's container when the pod begins to end, because Envoy's own image has nothing to ask
its admin port with. Envoy goes on serving; each answer tells its client to connect anew, somewhere else.
ENVOY: https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin#post--drain_listeners
"""

import argparse
import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from typing import Final

_TIMEOUT_S: Final = 5.0
_OK: Final = 200


def drain(admin: str) -> None:
    """Begin the drain. Raises OSError where Envoy does not do it."""
    host, _, port = admin.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port), timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/drain_listeners?graceful&skip_exit")
        status = connection.getresponse().status
    except HTTPException as error:
        raise OSError(f"no answer of Envoy's at {admin}: {error}") from error
    finally:
        connection.close()
    if status != _OK:
        raise OSError(f"Envoy at {admin} answered {status}")


def main(argv: Sequence[str] | None = None) -> int:
    """Begin the drain; 1 where Envoy does not do it, which Kubernetes reports and goes on."""
    parser = argparse.ArgumentParser(prog="python -m extproc.mesh.kubernetes.drain", description=__doc__)
    parser.add_argument("--admin", required=True, metavar="HOST:PORT", help="Envoy's admin port")
    args = parser.parse_args(argv)
    try:
        drain(args.admin)
    except OSError as error:
        sys.stderr.write(f"cannot drain: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
