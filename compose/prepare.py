"""Make what the world in containers needs, once: what is there already is left as it is.

A geolocation database of made-up places, the model of handwritten digits, an override file without orders, and an
issuer of tokens (its key, and the public half for Envoy). The key of the decision log is not made here but by
`situs serve`, in a volume that only the sidecar has.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm

from extproc.demo.places import write_geo_database
from inference import digits

KEY_ID = "demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make everything that is missing, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--geo-db", type=Path, required=True, metavar="FILE", help="the geolocation database, mmdb")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR", help="the cells' model store")
    parser.add_argument("--overrides", type=Path, required=True, metavar="FILE", help="legal orders, none at first")
    parser.add_argument("--issuer-key", type=Path, required=True, metavar="FILE", help="the key that signs tokens")
    parser.add_argument("--jwks", type=Path, required=True, metavar="FILE", help="its public half, for Envoy")
    options = parser.parse_args(arguments)
    _make(options.geo_db, write_geo_database)
    _make(options.overrides, lambda path: path.write_text("apiVersion: situs/v1\noverrides: []\n"))
    _make(options.issuer_key, _write_key)
    _make(options.jwks, lambda path: _write_jwks(path, options.issuer_key))
    # Written last by the maker of the model, so whoever finds it finds the whole model.
    if not (options.models / "digits" / "samples.json").exists():
        return digits.main(["--output", str(options.models)])
    return 0


def _make(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file in one step, unless it is there: nothing ever reads a half, and nothing is made twice."""
    if path.exists():
        return
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    write(part)
    part.replace(path)
    sys.stdout.write(f"prepare: {path}\n")


def _write_key(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _write_jwks(path: Path, key: Path) -> None:
    private = load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise SystemExit(f"prepare: {key} is not a key for ES256. Mend: remove it, and a new one is made")
    public = json.loads(ECAlgorithm.to_jwk(private.public_key()))
    path.write_text(json.dumps({"keys": [{**public, "kid": KEY_ID, "alg": "ES256", "use": "sig"}]}))


if __name__ == "__main__":
    sys.exit(main())
