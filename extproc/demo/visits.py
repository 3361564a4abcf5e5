"""Who visits in the demo, with what, and what must come of it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Final, Self

import httpx

from extproc.demo.places import ADDRESSES
from extproc.demo.tokens import Issuer
from extproc.names import DECISION_HEADER

EEA: Final = frozenset({"eu-fra", "eu-ams"})
EEA_AND_US: Final = EEA | {"us-iad"}
UAE: Final = frozenset({"me-dxb"})
NOWHERE: Final = frozenset[str]()

REGION_HEADER: Final = "x-situs-region"
"""In which region a cell says that it served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request and its expectation.

    `address` is what the load balancer sees. `claims` make a verified token. `permitted` is the expected permitted set;
    a request that is served must be served in it. `reason` is the reason code of an expected refusal.
    """

    who: str
    facts: str
    address: str
    permitted: frozenset[str]
    status: int = 200
    reason: str | None = None
    claims: Mapping[str, str] = field(default_factory=dict)
    bearer: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    spoofed_for: str | None = None
    model: str = "digits"


VISITS: Final = (
    Visit(who="Germany", facts="address DE", address="DE", permitted=EEA),
    Visit(who="United States", facts="address US", address="US", permitted=EEA_AND_US),
    Visit(who="UAE", facts="address AE", address="AE", permitted=UAE),
    Visit(
        who="bank, France",
        facts="address FR, token acme (DPF declared)",
        address="FR",
        claims={"tenant": "acme"},
        permitted=EEA_AND_US,
    ),
    Visit(
        who="bank, France, special",
        facts="the same, declares class special",
        address="FR",
        claims={"tenant": "acme"},
        headers=(("x-data-class", "special"),),
        permitted=EEA,
    ),
    Visit(
        who="clinic's patient in the US",
        facts="address US, token clinic (exporter FR, special)",
        address="US",
        claims={"tenant": "clinic"},
        permitted=EEA,
    ),
    Visit(
        who="traveller",
        facts="address AE, token says residency DE",
        address="AE",
        claims={"tenant": "acme", "residency": "DE"},
        permitted=EEA_AND_US,
    ),
    Visit(
        who="careful",
        facts="address US, declares DE",
        address="US",
        headers=(("x-data-jurisdiction", "DE"),),
        permitted=EEA,
    ),
    Visit(
        who="tries to widen",
        facts="address DE, declares US",
        address="DE",
        headers=(("x-data-jurisdiction", "US"),),
        permitted=EEA,
    ),
    Visit(
        who="spoofer",
        facts="address AE, forges x-forwarded-for and x-situs-route",
        address="AE",
        spoofed_for="DE",
        headers=(("x-situs-route", "eu-fra"), ("x-situs-decision", "forged")),
        permitted=UAE,
    ),
    Visit(
        who="nobody knows where",
        facts="address in no database",
        address="unknown",
        permitted=NOWHERE,
        status=451,
        reason="unknown_jurisdiction",
    ),
    Visit(
        who="Brazil",
        facts="address BR, which no regime of the policy governs",
        address="BR",
        permitted=NOWHERE,
        status=451,
        reason="ungoverned_jurisdiction",
    ),
    Visit(
        who="caught between",
        facts="address AE, declares DE",
        address="AE",
        headers=(("x-data-jurisdiction", "DE"),),
        permitted=NOWHERE,
        status=451,
        reason="no_permitted_region",
    ),
    Visit(
        who="unknown tenant",
        facts="address DE, token of nobody we know",
        address="DE",
        claims={"tenant": "nobody"},
        permitted=NOWHERE,
        status=403,
        reason="unknown_tenant",
    ),
    Visit(
        who="contradicts itself",
        facts="declares DE and US at once",
        address="DE",
        headers=(("x-data-jurisdiction", "DE"), ("x-data-jurisdiction", "US")),
        permitted=NOWHERE,
        status=400,
        reason="conflicting_declarations",
    ),
    Visit(
        who="unknown model",
        facts="address DE, model nosuch",
        address="DE",
        model="nosuch",
        permitted=NOWHERE,
        status=404,
        reason="unknown_model",
    ),
    Visit(
        who="forged token",
        facts="address DE, token with a bad signature",
        address="DE",
        bearer="eyJhbGciOiJFUzI1NiJ9.eyJ0ZW5hbnQiOiJhY21lIn0.AAAA",
        permitted=NOWHERE,
        status=401,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. `at_s` and `latency_s` are of the monotonic clock; `status` 0 means that nothing came."""

    status: int
    region: str | None
    decision: str | None
    reason: str | None
    digit: int | None
    at_s: float
    latency_s: float


class Digits:
    """Real images of handwritten digits that the model has not seen, with what they show."""

    def __init__(self, samples: Path) -> None:
        self._samples = json.loads(samples.read_text())["samples"]

    def body(self, index: int) -> bytes:
        """Give the inference request for one image."""
        image = self._samples[index % len(self._samples)]["image"]
        tensor = {"name": "image", "datatype": "FP32", "shape": [1, len(image)], "data": image}
        return json.dumps({"inputs": [tensor]}).encode()

    def label(self, index: int) -> int:
        """Tell which digit the image shows."""
        label: int = self._samples[index % len(self._samples)]["label"]
        return label


class Visitor:
    """Sends visits to Envoy, playing the load balancer in front of it."""

    def __init__(self, url: str, issuer: Issuer, digits: Digits, *, tls: SSLContext | None = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, timeout=10.0, trust_env=False, limits=httpx.Limits(max_connections=64), verify=tls or True
        )
        self._issuer = issuer
        self._digits = digits

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.aclose()

    def body(self, index: int) -> bytes:
        """Give the inference request for the image at `index`."""
        return self._digits.body(index)

    async def send(self, visit: Visit, index: int = 0) -> Answer:
        """Send one visit with the image at `index`."""
        at_s = time.monotonic()
        try:
            response = await self._client.post(
                f"/v2/models/{visit.model}/infer", content=self.body(index), headers=self._headers(visit)
            )
        except httpx.HTTPError:
            return Answer(
                status=0,
                region=None,
                decision=None,
                reason=None,
                digit=None,
                at_s=at_s,
                latency_s=time.monotonic() - at_s,
            )
        return _read(response, at_s, time.monotonic() - at_s)

    def _headers(self, visit: Visit) -> list[tuple[str, str]]:
        forwarded = ADDRESSES[visit.address]
        if visit.spoofed_for is not None:
            # The client forged the first; the load balancer appends what it sees.
            forwarded = f"{ADDRESSES[visit.spoofed_for]}, {forwarded}"
        headers = [("content-type", "application/json"), ("x-forwarded-for", forwarded), *visit.headers]
        bearer = visit.bearer or (self._issuer.token(**visit.claims) if visit.claims else None)
        return headers if bearer is None else [*headers, ("authorization", f"Bearer {bearer}")]


def _read(response: httpx.Response, at_s: float, latency_s: float) -> Answer:
    reason: str | None = None
    digit: int | None = None
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        reason = body.get("reason")
        outputs = {output["name"]: output["data"] for output in body.get("outputs", ())}
        digit = outputs["label"][0] if "label" in outputs else None
    return Answer(
        status=response.status_code,
        region=response.headers.get(REGION_HEADER),
        decision=response.headers.get(DECISION_HEADER),
        reason=reason,
        digit=digit,
        at_s=at_s,
        latency_s=latency_s,
    )
