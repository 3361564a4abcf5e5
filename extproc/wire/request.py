"""From the bytes of a `ProcessingRequest` to the facts that a decision reads.

Nothing that a client chose freely passes: a model or a data class outside the policy's vocabulary becomes None or a
fault, never text in a record. Nothing raises for any bytes; what cannot be read is a fault, and a fault is refused.

SPEC: envoy.service.ext_proc.v3.ProcessingRequest.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from google.protobuf.message import DecodeError

from extproc.core.facts import Binding, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.iso3166 import is_jurisdiction
from extproc.core.reading import Reading
from extproc.core.reasons import Fault
from extproc.names import (
    ATTRIBUTES_NAMESPACE,
    CREDENTIALS_NAMESPACE,
    JWT_NAMESPACE,
    JWT_PAYLOAD,
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

_NOT_FORWARDED: Final = Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=None, detail="not_forwarded")

Locate = Callable[[str], Signal]
"""From Envoy's `source.address` to the geolocation signal. Never raises; an address it cannot place gives None."""


class RequestReader:
    """Reads requests as one policy tells; immutable, replaced whole when the policy changes."""

    def __init__(self, reading: Reading, locate: Locate) -> None:
        self._reading = reading
        self._locate = locate
        self._wanted = frozenset((*reading.headers, _PATH))
        self._models = {model.encode(): (model, versions) for model, versions in reading.models.items()}

    def read(self, message: bytes) -> RequestFacts:
        """Give the facts of one request; faults say what could not be read."""
        try:
            request = ProcessingRequest.FromString(message)
        except DecodeError:
            return _unreadable()
        if not request.HasField("request_headers"):
            return _unreadable()
        values, conflicting = self._headers(request.request_headers.headers.headers)
        path = values.get(_PATH)
        if path is None:
            return _unreadable()

        faults = [Fault.CONFLICTING_DECLARATIONS] if conflicting else []
        claims = _verified_claims(request)
        tenant, binding = self._tenant(claims)
        signals: list[Signal] = []
        if self._reading.geoip:
            signals.append(self._located(_source_address(request)))
        try:
            signals += self._claimed(claims)
            signals += self._declared(values)
            declared_class = self._declared_class(values)
        except ValueError:
            faults.append(Fault.MALFORMED_DECLARATION)
            declared_class = None
        return RequestFacts(
            tenant=tenant,
            binding=binding,
            model=self._model(path),
            declared_class=declared_class,
            signals=tuple(signals),
            faults=tuple(faults),
        )

    def _headers(self, headers: Any) -> tuple[dict[str, bytes], bool]:  # noqa: ANN401 - an unstubbed protobuf list
        """Pick the headers that the policy reads; tell whether one of them came with two different values."""
        values: dict[str, bytes] = {}
        conflicting = False
        wanted = self._wanted
        for header in headers:
            name = header.key
            if name in wanted:
                # ENVOY: raw_value is what current versions fill; value is the older, UTF-8 only field.
                value = header.raw_value or header.value.encode()
                if values.setdefault(name, value) != value:
                    conflicting = True
        return values, conflicting

    def _tenant(self, claims: Mapping[str, Any] | None) -> tuple[TenantId | None, Binding]:
        """Bind the request to its tenant; claims that name two different tenants bind it to none."""
        if claims is None:
            anonymous = self._reading.anonymous_tenant
            return anonymous, Binding.NONE if anonymous is None else Binding.ANONYMOUS
        found = {
            tenant
            for claim, by_value in self._reading.tenant_by_claim.items()
            if claim in claims and (tenant := by_value.get(claims[claim].string_value)) is not None
        }
        if len(found) == 1:
            return found.pop(), Binding.CLAIM
        return None, Binding.NONE

    def _located(self, address: str) -> Signal:
        """Place the client, as far as the declared edge really delivered its address."""
        # ENVOY: an address that was taken from x-forwarded-for has port 0. With a proxy declared in front, any other
        # port means that the header was absent or unreadable, and the address is the proxy's own.
        if self._reading.trusted_hops and not address.endswith(":0"):
            return _NOT_FORWARDED
        signal = self._locate(address)
        place = signal.jurisdiction
        if place is None or len(place) == _ALPHA_2 or place in self._reading.subdivisions:
            return signal
        return replace(signal, jurisdiction=Jurisdiction(place[:_ALPHA_2]))

    def _claimed(self, claims: Mapping[str, Any] | None) -> list[Signal]:
        """Read the residency claim of a verified token. Raises ValueError where it is no jurisdiction."""
        claim = self._reading.residency_claim
        if claim is None or claims is None or claim not in claims:
            return []
        jurisdiction = self._parse_jurisdiction(claims[claim].string_value)
        return [Signal(source=Source.JWT, tier=Tier.VERIFIED_CLAIM, jurisdiction=jurisdiction)]

    def _declared(self, values: Mapping[str, bytes]) -> list[Signal]:
        """Read the declared jurisdiction. Raises ValueError where it is none."""
        name = self._reading.jurisdiction_header
        if name is None or name not in values:
            return []
        jurisdiction = self._parse_jurisdiction(_parse_token(values[name]).upper())
        return [Signal(source=Source.HEADER, tier=Tier.UNAUTHENTICATED, jurisdiction=jurisdiction)]

    def _declared_class(self, values: Mapping[str, bytes]) -> DataClass | None:
        """Read the declared data class. Raises ValueError where the policy has no such class."""
        name = self._reading.class_header
        if name is None or name not in values:
            return None
        declared = DataClass(_parse_token(values[name]))
        if declared not in self._reading.classes:
            raise ValueError("a data class that the policy does not have")
        return declared

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
        """Read a code. A subdivision that the policy does not single out is its country: no more is recorded."""
        if not is_jurisdiction(text):
            raise ValueError("not an ISO 3166 code")
        return Jurisdiction(text if text in self._reading.subdivisions else text[:_ALPHA_2])


def _unreadable() -> RequestFacts:
    return RequestFacts(
        tenant=None,
        binding=Binding.NONE,
        model=None,
        declared_class=None,
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


def _source_address(request: Any) -> str:  # noqa: ANN401 - an unstubbed protobuf message
    attributes = request.attributes
    if ATTRIBUTES_NAMESPACE not in attributes:
        return ""
    fields = attributes[ATTRIBUTES_NAMESPACE].fields
    if SOURCE_ADDRESS not in fields:
        return ""
    address: str = fields[SOURCE_ADDRESS].string_value
    return address
