"""From the bytes of a `ProcessingRequest` to the facts that a decision reads.

Nothing that a client chose freely passes: a model or a data class outside the policy's vocabulary becomes None or a
fault, never text in a record. Nothing raises for any bytes; what cannot be read is a fault, and a fault is refused.

SPEC: envoy.service.ext_proc.v3.ProcessingRequest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from google.protobuf.message import DecodeError

from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.iso3166 import is_jurisdiction
from extproc.core.reading import AUTHORITY, Reading
from extproc.core.reasons import Fault
from extproc.names import (
    ATTRIBUTES_NAMESPACE,
    CREDENTIALS_NAMESPACE,
    JWT_NAMESPACE,
    JWT_PAYLOAD,
    PEER_IDENTITY,
    SOURCE_ADDRESS,
)

_MODELS_PATH: Final = b"/v2/models/"  # SPEC: Open Inference Protocol v2, REST
_VERSIONS: Final = b"versions/"
_LONGEST_NAMES: Final = 512
"""Bytes of a path after its prefix that are looked at; a policy's names are far shorter."""
_PATH: Final = ":path"
_ALPHA_2: Final = 2
_LONGEST_DECLARATION: Final = 64
"""Bytes of a declared value that are looked at; no vocabulary has a longer word."""
_LONGEST_HOST: Final = 262
"""Bytes of a host that are looked at: a name and a port."""
_MOST_RESIDENCIES: Final = 8
"""Codes that one claim may list."""

_NOT_FORWARDED: Final = (
    Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=None, detail="not_forwarded"),
)

Locate = Callable[[str, float], tuple[Signal, ...]]
"""From Envoy's `source.address` and the time in Unix seconds to the signals of geolocation. Never raises; an address
that it cannot place gives one without a jurisdiction."""


@dataclass(frozen=True, slots=True)
class Received:
    """The parts of a request that any policy could read, taken out of the message once."""

    headers: Mapping[str, bytes]
    """By name. One that came with two different values is not in it."""
    conflicting: frozenset[str]
    """The names of those that did."""
    claims: Mapping[str, Any] | None
    """The claims of the verified token; None where no credentials were presented at all."""
    address: str
    """Envoy's `source.address`, empty where it was not sent."""
    peer: str
    """The URI of the client's certificate, empty where it presented none."""

    @property
    def path(self) -> bytes | None:
        """The path with its query, None where there is none."""
        return self.headers.get(_PATH)


def receive(message: bytes) -> Received | None:
    """Take a message apart; None where it is not what Envoy sends for the headers of a request."""
    try:
        request = ProcessingRequest.FromString(message)
    except DecodeError:
        return None
    if not request.HasField("request_headers"):
        return None
    values: dict[str, bytes] = {}
    conflicting: set[str] = set()
    # ENVOY: only the headers on the rendered allow list arrive, so all of them are read.
    for header in request.request_headers.headers.headers:
        # ENVOY: raw_value is what current versions fill; value is the older, UTF-8 only field.
        value = header.raw_value or header.value.encode()
        if values.setdefault(header.key, value) != value:
            conflicting.add(header.key)
    for name in conflicting:
        del values[name]
    if _PATH not in values:
        return None
    return Received(
        headers=values,
        conflicting=frozenset(conflicting),
        claims=_verified_claims(request),
        address=_attribute(request, SOURCE_ADDRESS),
        peer=_attribute(request, PEER_IDENTITY),
    )


class RequestReader:
    """Reads requests as one policy tells; immutable, replaced whole when the policy changes."""

    def __init__(self, reading: Reading, locate: Locate) -> None:
        self._reading = reading
        self._locate = locate
        self._declaring = frozenset(reading.declarations)
        self._models = {model.encode(): (model, versions) for model, versions in reading.models.items()}
        # The longest prefix that matches counts.
        below = reading.bindings.below_spiffe
        self._below = sorted(below.items(), key=lambda item: len(item[0]), reverse=True)

    def read(self, message: bytes, now_s: float) -> RequestFacts:
        """Give the facts of one request at `now_s`, in Unix seconds; faults say what could not be read."""
        return self.facts(receive(message), now_s)

    def facts(self, received: Received | None, now_s: float) -> RequestFacts:
        """Give the facts of a request that was taken apart."""
        if received is None or received.path is None:
            return _unreadable()
        conflicting = not self._declaring.isdisjoint(received.conflicting)
        faults = [Fault.CONFLICTING_DECLARATIONS] if conflicting else []
        tenant, binding = self._tenant(received)
        signals: list[Signal] = []
        subjects = self._reading.bindings.subjects.get(tenant) if tenant is not None else None
        if subjects is not None:
            place = self._as_singled_out(subjects)
            signals.append(Signal(source=Source.TENANT, tier=Tier.TENANT_BINDING, jurisdiction=place))
        if self._reading.geo is not None:
            signals += self._located(received.address, now_s)
        classes: tuple[ClassSignal, ...] = ()
        try:
            signals += self._claimed(received.claims)
            signals += self._declared(received.headers)
            classes = self._declared_class(received.headers)
        except ValueError:
            faults.append(Fault.MALFORMED_DECLARATION)
        return RequestFacts(
            tenant=tenant,
            binding=binding,
            model=self._model(received.path),
            classes=classes,
            signals=tuple(signals),
            faults=tuple(faults),
        )

    def _tenant(self, received: Received) -> tuple[TenantId | None, Binding]:
        """Bind the request to its tenant; credentials that name two different tenants bind it to none.

        What is verified goes before what is not. Where tokens bind, one that binds to nobody is not the same as none,
        so no host makes up for it.
        """
        bindings = self._reading.bindings
        claims = received.claims
        found: dict[TenantId, Binding] = {}
        peer = self._peer(received.peer)
        if peer is not None:
            found[peer] = Binding.SPIFFE
        if claims is not None:
            by_claim = {
                tenant
                for claim, by_value in bindings.by_claim.items()
                if claim in claims and (tenant := by_value.get(claims[claim].string_value)) is not None
            }
            found.update(dict.fromkeys(by_claim, Binding.CLAIM))
        if found:
            return found.popitem() if len(found) == 1 else (None, Binding.NONE)
        if claims is not None and bindings.by_claim:
            return None, Binding.NONE
        if bindings.by_host:
            host = received.headers.get(AUTHORITY, b"")[:_LONGEST_HOST].partition(b":")[0]
            tenant = bindings.by_host.get(host.decode("latin-1").lower())
            if tenant is not None:
                return tenant, Binding.HOST
        anonymous = bindings.anonymous
        return anonymous, Binding.NONE if anonymous is None else Binding.ANONYMOUS

    def _peer(self, peer: str) -> TenantId | None:
        """Give the tenant of a verified certificate."""
        if not peer:
            return None
        exact = self._reading.bindings.by_spiffe.get(peer)
        if exact is not None:
            return exact
        return next((tenant for prefix, tenant in self._below if peer.startswith(prefix)), None)

    def _located(self, address: str, now_s: float) -> tuple[Signal, ...]:
        """Place the client, as far as the declared edge really delivered its address."""
        if not was_forwarded(address, self._reading.trusted_hops):
            return _NOT_FORWARDED
        signals = self._locate(address, now_s)
        place = signals[0].jurisdiction
        if place is None or len(place) == _ALPHA_2 or place in self._reading.subdivisions:
            return signals
        return (replace(signals[0], jurisdiction=Jurisdiction(place[:_ALPHA_2])), *signals[1:])

    def _claimed(self, claims: Mapping[str, Any] | None) -> list[Signal]:
        """Read the residency claim of a verified token: a code, or a list of codes, all of which count.

        Raises ValueError where it is neither.
        """
        claim = self._reading.residency_claim
        if claim is None or claims is None or claim not in claims:
            return []
        value = claims[claim]
        listed = value.list_value.values if value.HasField("list_value") else [value]
        if not 0 < len(listed) <= _MOST_RESIDENCIES:
            raise ValueError("a claim with no residency, or with too many")
        places = dict.fromkeys(self._parse_jurisdiction(each.string_value) for each in listed)
        return [Signal(source=Source.JWT, tier=Tier.VERIFIED_CLAIM, jurisdiction=place) for place in places]

    def _declared(self, values: Mapping[str, bytes]) -> list[Signal]:
        """Read the declared jurisdiction. Raises ValueError where it is none."""
        name = self._reading.jurisdiction_header
        if name is None or name not in values:
            return []
        jurisdiction = self._parse_jurisdiction(_parse_token(values[name]).upper())
        return [Signal(source=Source.HEADER, tier=Tier.UNAUTHENTICATED, jurisdiction=jurisdiction)]

    def _declared_class(self, values: Mapping[str, bytes]) -> tuple[ClassSignal, ...]:
        """Read the declared data class. Raises ValueError where the policy has no such class."""
        name = self._reading.class_header
        if name is None or name not in values:
            return ()
        declared = DataClass(_parse_token(values[name]))
        if declared not in self._reading.classes:
            raise ValueError("a data class that the policy does not have")
        return (ClassSignal(source=ClassSource.HEADER, data_class=declared),)

    def _model(self, path: bytes) -> ModelId | None:
        """Read the model from the path, if it is one that the policy knows, in a version that it approves."""
        if not path.startswith(_MODELS_PATH):
            return None
        rest = path[len(_MODELS_PATH) : len(_MODELS_PATH) + _LONGEST_NAMES].partition(b"?")[0]
        name, _, below = rest.partition(b"/")
        model, versions = self._models.get(name, (None, None))
        if versions is not None and below.startswith(_VERSIONS):
            version = below[len(_VERSIONS) :].partition(b"/")[0]
            if version.decode("latin-1") not in versions:
                return None
        return model

    def _parse_jurisdiction(self, text: str) -> Jurisdiction:
        if not is_jurisdiction(text):
            raise ValueError("not an ISO 3166 code")
        return self._as_singled_out(Jurisdiction(text))

    def _as_singled_out(self, place: Jurisdiction) -> Jurisdiction:
        """Give a subdivision that the policy does not single out as its country: no more is recorded."""
        return place if place in self._reading.subdivisions else Jurisdiction(place[:_ALPHA_2])


def was_forwarded(address: str, trusted_hops: int) -> bool:
    """Tell whether Envoy's `source.address` is the client's, as far as the edge was declared rightly."""
    # ENVOY: an address that was taken from x-forwarded-for has port 0. With a proxy declared in front, any other port
    # means that the header was absent or unreadable, and the address is the proxy's own.
    return not trusted_hops or address.endswith(":0")


def _unreadable() -> RequestFacts:
    return RequestFacts(
        tenant=None,
        binding=Binding.NONE,
        model=None,
        classes=(),
        signals=(),
        faults=(Fault.MALFORMED_REQUEST,),
    )


def _parse_token(value: bytes) -> str:
    """Read a declared value. Raises ValueError where it is not short ASCII."""
    if len(value) > _LONGEST_DECLARATION:
        raise ValueError("too long for a declared value")
    return value.decode("ascii").strip()


def _verified_claims(request: Any) -> Mapping[str, Any] | None:  # noqa: ANN401 - an unstubbed protobuf message
    """Give the claims of the token that jwt_authn verified, or None where there were no credentials at all.

    Credentials that were presented and not verified (another scheme, another spelling of it) give no claims, which
    binds to no tenant: they are not the same as none.

    ENVOY: looking a missing key up in a protobuf map creates it, hence the `in`.
    """
    namespaces = request.metadata_context.filter_metadata
    if JWT_NAMESPACE in namespaces:
        fields = namespaces[JWT_NAMESPACE].fields
        if JWT_PAYLOAD in fields:
            claims: Mapping[str, Any] = fields[JWT_PAYLOAD].struct_value.fields
            return claims
    return {} if CREDENTIALS_NAMESPACE in namespaces else None


def _attribute(request: Any, name: str) -> str:  # noqa: ANN401 - an unstubbed protobuf message
    attributes = request.attributes
    if ATTRIBUTES_NAMESPACE not in attributes:
        return ""
    fields = attributes[ATTRIBUTES_NAMESPACE].fields
    if name not in fields:
        return ""
    value: str = fields[name].string_value
    return value
