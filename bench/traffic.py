"""What the clients of the ladder send: inference requests from some hundred addresses in three countries.

More than one country, so that several verdicts and plans take turns; every request is steered and none refused, because
a refusal skips the second half of the path. The addresses repeat, as clients do, so geolocation answers from its cache.
"""

import json
from typing import Final

from extproc.demo.places import NETWORKS

COUNTRIES: Final = ("DE", "US", "AE")
ADDRESSES_EACH: Final = 300
PATH: Final = "/v2/models/digits/infer"
_PIXELS: Final = 64
_NEXT_PROXY: Final = "10.9.9.9"
"""The policy's edge trusts one hop, so the last entry of x-forwarded-for is what that hop saw, and counts."""


def addresses() -> list[str]:
    """Give the clients' addresses, the countries taking turns."""
    networks = [NETWORKS[country].rpartition(".0.0/")[0] for country in COUNTRIES]
    return [f"{network}.{1 + i // 250}.{1 + i % 250}" for i in range(ADDRESSES_EACH) for network in networks]


def requests() -> list[bytes]:
    """Give each request as it goes over the wire."""
    tensor = {"name": "pixels", "shape": [1, _PIXELS], "datatype": "FP32", "data": [[0.5] * _PIXELS]}
    body = json.dumps({"inputs": [tensor]}).encode()
    return [
        (
            f"POST {PATH} HTTP/1.1\r\nhost: inference.example\r\nuser-agent: bench/1\r\naccept: application/json\r\n"
            f"content-type: application/json\r\nx-forwarded-for: {address}\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        + body
        for address in addresses()
    ]
