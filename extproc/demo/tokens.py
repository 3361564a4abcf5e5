"""The demo's token issuer: a key made on the spot, its JWKS for Envoy, and tokens for clients."""

import json
import time
from pathlib import Path
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER: Final = "https://issuer.demo.invalid"
AUDIENCE: Final = "situs-demo"
_KEY_ID: Final = "demo"
_LIFETIME_S: Final = 3600


class Issuer:
    """Signs tokens with ES256. The private key lives in this process only."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def write_jwks(self, path: Path) -> None:
        """Write the public key where Envoy reads it."""
        key = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        path.write_text(json.dumps({"keys": [{**key, "kid": _KEY_ID, "alg": "ES256", "use": "sig"}]}))

    def token(self, **claims: str) -> str:
        """Give a token that Envoy accepts, with these claims beside the usual ones."""
        now = int(time.time())
        payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "demo", "iat": now, "exp": now + _LIFETIME_S, **claims}
        return jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": _KEY_ID})
