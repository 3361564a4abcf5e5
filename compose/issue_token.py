"""Issue a token that the world's Envoy accepts for an hour, as an issuer of identities would."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jwt

from extproc.demo.tokens import AUDIENCE, ISSUER

KEY_ID = "demo"
LIFETIME_S = 3600


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one token."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the issuer's key, PEM")
    parser.add_argument("--tenant", required=True, help="the claim `tenant`: acme and clinic are in the policy")
    parser.add_argument("--residency", metavar="COUNTRY", help="the claim `residency`, ISO 3166-1 alpha-2")
    options = parser.parse_args(arguments)
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "demo",
        "iat": now,
        "exp": now + LIFETIME_S,
        "tenant": options.tenant,
    }
    if options.residency is not None:
        claims["residency"] = options.residency
    token = jwt.encode(claims, options.key.read_bytes(), algorithm="ES256", headers={"kid": KEY_ID})
    sys.stdout.write(f"{token}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
