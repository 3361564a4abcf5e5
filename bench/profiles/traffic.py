"""Who asks, how often, and where each one's own law is at home."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.profiles.policies import OPEN_DATA
from extproc.core.ids import RegionId
from extproc.demo.places import ADDRESSES
from extproc.demo.tokens import Issuer
from extproc.demo.visits import Digits

EEA: Final = frozenset({RegionId("eu-fra"), RegionId("eu-ams")})
US: Final = frozenset({RegionId("us-iad")})
UAE: Final = frozenset({RegionId("me-dxb")})
NO_REGION: Final = frozenset[RegionId]()

_BODIES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request.

    `home` are the regions inside the subject's own legal area, `weight` is how many of :data:`PER_CYCLE` requests are
    of this kind. `address` is a key of the demo's addresses, `tenant` a claim of a verified token, `declares` a data
    class.
    """

    name: str
    data_class: str
    address: str
    home: frozenset[RegionId]
    weight: int
    tenant: str | None = None
    declares: str | None = None


KINDS: Final = (
    Kind(name="DE, no token", data_class="personal", address="DE", home=EEA, weight=4),
    Kind(name="US, no token", data_class="personal", address="US", home=US, weight=2),
    Kind(name="AE, no token", data_class="personal", address="AE", home=UAE, weight=2),
    Kind(name="FR, bank (DPF)", data_class="personal", address="FR", home=EEA, weight=4, tenant="acme"),
    Kind(
        name="FR, bank (DPF), special",
        data_class="special",
        address="FR",
        home=EEA,
        weight=1,
        tenant="acme",
        declares="special",
    ),
    Kind(name="FR, clinic", data_class="special", address="FR", home=EEA, weight=2, tenant="clinic"),
    Kind(name="DE, open data", data_class="public", address="DE", home=EEA, weight=1, tenant=OPEN_DATA),
    Kind(name="AE, open data", data_class="public", address="AE", home=UAE, weight=2, tenant=OPEN_DATA),
    Kind(name="BR, open data", data_class="public", address="BR", home=NO_REGION, weight=1, tenant=OPEN_DATA),
    Kind(name="unknown address", data_class="personal", address="unknown", home=NO_REGION, weight=1),
)

PER_CYCLE: Final = sum(kind.weight for kind in KINDS)
_STRIDE: Final = 7  # coprime to the length of the cycle, so that kinds take turns and each still comes `weight` times
_CYCLE: Final = tuple(kind for kind in KINDS for _ in range(kind.weight))


def kind_at(index: int) -> Kind:
    """Give the kind of the request at `index`; any :data:`PER_CYCLE` in a row are the whole mix."""
    return _CYCLE[index * _STRIDE % PER_CYCLE]


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests as they go over the wire to one gateway, made beforehand: signing a token takes time."""

    heads: Mapping[str, str]
    bodies: tuple[bytes, ...] = field(repr=False)

    def at(self, index: int) -> bytes:
        """Give the request at `index`."""
        body = self.bodies[index % len(self.bodies)]
        return f"{self.heads[kind_at(index).name]}content-length: {len(body)}\r\n\r\n".encode() + body


def requests_for(issuer: Issuer, digits: Digits) -> Requests:
    """Make the requests for the gateway that trusts `issuer`, with images of digits."""
    return Requests(
        heads={kind.name: _head(kind, issuer) for kind in KINDS},
        bodies=tuple(digits.body(index) for index in range(_BODIES)),
    )


def _head(kind: Kind, issuer: Issuer) -> str:
    lines = [
        "POST /v2/models/digits/infer HTTP/1.1",
        "host: inference.example",
        "content-type: application/json",
        f"x-forwarded-for: {ADDRESSES[kind.address]}",
    ]
    if kind.tenant is not None:
        lines.append(f"authorization: Bearer {issuer.token(tenant=kind.tenant)}")
    if kind.declares is not None:
        lines.append(f"x-data-class: {kind.declares}")
    return "".join(f"{line}\r\n" for line in lines)
