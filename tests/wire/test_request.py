"""What the wire makes of Envoy's bytes: facts, faults, and never an exception."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.messages import processing_request

from extproc.core.facts import Binding, RequestFacts, Signal, Source, Tier
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.reading import Reading
from extproc.core.reasons import Fault
from extproc.wire.request import RequestReader

_READING = Reading(
    geoip=True,
    residency_claim="residency",
    jurisdiction_header="x-data-jurisdiction",
    class_header="x-data-class",
    classes=frozenset({DataClass("personal"), DataClass("special")}),
    models={ModelId("digits"): frozenset({"1"}), ModelId("fraud"): None},
    subdivisions=frozenset({Jurisdiction("CA-QC")}),
    tenant_by_claim={"tenant": {"acme": TenantId("acme-bank")}, "org": {"c": TenantId("clinic")}},
    anonymous_tenant=TenantId("walk-in"),
)
_GEO = Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction("DE"))
_located: list[str] = []


def _locate(address: str) -> Signal:
    _located.append(address)
    return _GEO


_READER = RequestReader(_READING, _locate)


def _declared(code: str) -> Signal:
    return Signal(source=Source.HEADER, tier=Tier.UNAUTHENTICATED, jurisdiction=Jurisdiction(code))


def test_an_ordinary_request() -> None:
    assert _READER.read(processing_request()) == RequestFacts(
        tenant=TenantId("walk-in"),
        binding=Binding.ANONYMOUS,
        model=ModelId("digits"),
        declared_class=None,
        signals=(_GEO,),
    )


def test_the_address_is_handed_to_geolocation_as_envoy_gives_it() -> None:
    _located.clear()
    for address in ("81.2.69.142:0", "[2001:218::1]:443", "fe80::1%eth0", ""):
        _READER.read(processing_request(address=address))
    _READER.read(processing_request(address=None))
    assert _located == ["81.2.69.142:0", "[2001:218::1]:443", "fe80::1%eth0", "", ""]


@pytest.mark.parametrize(
    ("claims", "tenant", "binding"),
    [
        (None, "walk-in", Binding.ANONYMOUS),
        ({"tenant": "acme"}, "acme-bank", Binding.CLAIM),
        ({"tenant": "nobody"}, None, Binding.NONE),
        ({}, None, Binding.NONE),
        ({"tenant": 7}, None, Binding.NONE),
        ({"tenant": ["acme"]}, None, Binding.NONE),
        ({"tenant": "acme", "org": "c"}, None, Binding.NONE),
    ],
)
def test_the_tenant_is_bound_by_a_verified_token_only(
    claims: dict[str, object] | None, tenant: str | None, binding: Binding
) -> None:
    facts = _READER.read(processing_request(claims=claims, headers=[("tenant", b"acme")]))
    assert (facts.tenant, facts.binding) == (tenant, binding)


def test_credentials_that_were_not_verified_are_not_anonymous() -> None:
    facts = _READER.read(processing_request(credentials=True))
    assert (facts.tenant, facts.binding) == (None, Binding.NONE)
    verified = _READER.read(processing_request(credentials=True, claims={"tenant": "acme"}))
    assert verified.tenant == "acme-bank"


def test_behind_a_proxy_an_address_that_was_not_forwarded_is_not_the_clients() -> None:
    reader = RequestReader(replace(_READING, trusted_hops=1), _locate)
    for address in ("81.2.69.142:443", "[2001:218::1]:51000", "81.2.69.142", ""):
        (signal,) = reader.read(processing_request(address=address)).signals
        assert (signal.jurisdiction, signal.detail) == (None, "not_forwarded")
    assert reader.read(processing_request(address="81.2.69.142:0")).signals == (_GEO,)


def test_a_subdivision_that_the_policy_does_not_single_out_is_its_country() -> None:
    for place, expected in (("CA-QC", "CA-QC"), ("CA-ON", "CA"), ("CA", "CA")):
        located = replace(_GEO, jurisdiction=Jurisdiction(place))
        reader = RequestReader(_READING, lambda _, located=located: located)  # type: ignore[misc]
        assert [signal.jurisdiction for signal in reader.read(processing_request()).signals] == [expected]


def test_a_verified_residency_is_a_signal_of_its_own() -> None:
    facts = _READER.read(processing_request(claims={"tenant": "acme", "residency": "CA-QC"}))
    assert facts.signals == (
        _GEO,
        Signal(source=Source.JWT, tier=Tier.VERIFIED_CLAIM, jurisdiction=Jurisdiction("CA-QC")),
    )


@pytest.mark.parametrize("residency", ["", "EU", "Germany", "de", 7, None, {"country": "DE"}])
def test_a_malformed_residency_is_a_fault(residency: object) -> None:
    facts = _READER.read(processing_request(claims={"tenant": "acme", "residency": residency}))
    assert facts.faults == (Fault.MALFORMED_DECLARATION,)


@pytest.mark.parametrize(
    ("value", "code"), [(b"FR", "FR"), (b"fr", "FR"), (b" FR ", "FR"), (b"CA-QC", "CA-QC"), (b"de-zzq", "DE")]
)
def test_a_declared_jurisdiction(value: bytes, code: str) -> None:
    facts = _READER.read(processing_request(headers=[("x-data-jurisdiction", value)]))
    assert facts.signals == (_GEO, _declared(code))
    assert facts.faults == ()


@pytest.mark.parametrize(
    "value", [b"", b"EU", b"DE,FR", b"DE FR", b"\xff\xfe", "ДЕ".encode(), b"\x00", b"D" * 70_000, b"XK", b"UK"]
)
def test_a_malformed_declaration_is_a_fault(value: bytes) -> None:
    facts = _READER.read(processing_request(headers=[("x-data-jurisdiction", value)]))
    assert facts.faults == (Fault.MALFORMED_DECLARATION,)


def test_two_different_values_of_one_header_conflict() -> None:
    different = [("x-data-jurisdiction", b"DE"), ("x-data-jurisdiction", b"US")]
    assert _READER.read(processing_request(headers=different)).faults == (Fault.CONFLICTING_DECLARATIONS,)


def test_the_same_value_twice_does_not_conflict() -> None:
    twice = [("x-data-jurisdiction", b"FR"), ("x-data-jurisdiction", b"FR")]
    assert _READER.read(processing_request(headers=twice)).signals == (_GEO, _declared("FR"))


def test_a_declared_class_is_one_of_the_policys() -> None:
    declares = processing_request(headers=[("x-data-class", b"special")])
    assert _READER.read(declares).declared_class == DataClass("special")
    unknown = processing_request(headers=[("x-data-class", b"jane.doe@example.org")])
    facts = _READER.read(unknown)
    assert (facts.declared_class, facts.faults) == (None, (Fault.MALFORMED_DECLARATION,))


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (b"/v2/models/digits/infer", "digits"),
        (b"/v2/models/digits", "digits"),
        (b"/v2/models/digits?x=1", "digits"),
        (b"/v2/models/digits/versions/1/infer?x=1", "digits"),
        (b"/v2/models/digits/versions/1", "digits"),
        (b"/v2/models/digits/versions/2/infer", None),
        (b"/v2/models/digits/versions//infer", None),
        (b"/v2/models/digits/versions/\xff", None),
        (b"/v2/models/fraud/versions/7/infer", "fraud"),
        (b"/v2/models/digits2/infer", None),
        (b"/v2/models//infer", None),
        (b"/v2/models/", None),
        (b"/", None),
        (b"", None),
        (b"/v2/models/%64igits/infer", None),
        (b"/v2/models/" + b"a" * 65_536, None),
        (b"/v2/models/\xff\xfe/infer", None),
        (b"/v2/models/digits/" + b"\xff" * 65_536, "digits"),
    ],
)
def test_the_model_is_one_that_the_policy_knows(path: bytes, model: str | None) -> None:
    facts = _READER.read(processing_request(path=path))
    assert facts.model == model
    assert facts.faults == ()


@pytest.mark.parametrize("message", [b"", b"\xff", b"\x12\x00", processing_request(path=None)])
def test_what_is_no_request_is_a_fault(message: bytes) -> None:
    facts = _READER.read(message)
    assert facts.faults == (Fault.MALFORMED_REQUEST,)
    assert facts.tenant is None


@given(st.binary(max_size=300))
def test_no_bytes_raise(message: bytes) -> None:
    assert isinstance(_READER.read(message), RequestFacts)


@given(st.data())
def test_no_damage_to_a_real_request_raises_or_leaks_text(data: st.DataObject) -> None:
    whole = bytearray(
        processing_request(
            headers=[("x-data-jurisdiction", b"FR"), ("x-data-class", b"special")],
            claims={"tenant": "acme", "residency": "DE"},
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    facts = _READER.read(bytes(whole))
    assert facts.tenant in {None, "walk-in", "acme-bank", "clinic"}
    assert facts.model in {None, "digits", "fraud"}
    assert facts.declared_class in {None, "personal", "special"}
