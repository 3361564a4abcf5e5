"""What the wire makes of Envoy's bytes: facts, faults, and never an exception."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.messages import processing_request

from extproc.core.facts import Binding, ClassSignal, ClassSource, RequestFacts, Signal, Source, Tier
from extproc.core.georules import GeoRules
from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.core.reading import Reading, TenantBindings
from extproc.core.reasons import Fault
from extproc.wire.request import RequestReader

_READING = Reading(
    geo=GeoRules(),
    residency_claim="residency",
    jurisdiction_header="x-data-jurisdiction",
    class_header="x-data-class",
    classes=frozenset({DataClass("personal"), DataClass("special")}),
    models={ModelId("digits"): frozenset({"1"}), ModelId("fraud"): None},
    subdivisions=frozenset({Jurisdiction("CA-QC")}),
    bindings=TenantBindings(
        by_claim={"tenant": {"acme": TenantId("acme-bank")}, "org": {"c": TenantId("clinic")}},
        by_spiffe={"spiffe://acme.example/ns/ml/sa/scorer": TenantId("scorer")},
        below_spiffe={
            "spiffe://acme.example/": TenantId("mesh"),
            "spiffe://acme.example/ns/ml/": TenantId("ml"),
        },
        by_host={"clinic.api.example": TenantId("host-clinic")},
        anonymous=TenantId("walk-in"),
        subjects={TenantId("clinic"): Jurisdiction("FR"), TenantId("ml"): Jurisdiction("CA-ON")},
    ),
)
_NOW_S = 1_790_000_000.0
_GEO = Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction("DE"))
_located: list[str] = []


def _locate(address: str, now_s: float) -> tuple[Signal, ...]:
    assert now_s == _NOW_S
    _located.append(address)
    return (_GEO,)


_READER = RequestReader(_READING, _locate)


def _read(message: bytes, reader: RequestReader = _READER) -> RequestFacts:
    return reader.read(message, _NOW_S)


def _declared(code: str) -> Signal:
    return Signal(source=Source.HEADER, tier=Tier.UNAUTHENTICATED, jurisdiction=Jurisdiction(code))


def test_an_ordinary_request() -> None:
    assert _read(processing_request()) == RequestFacts(
        tenant=TenantId("walk-in"),
        binding=Binding.ANONYMOUS,
        model=ModelId("digits"),
        classes=(),
        signals=(_GEO,),
    )


def test_the_address_is_handed_to_geolocation_as_envoy_gives_it() -> None:
    _located.clear()
    for address in ("81.2.69.142:0", "[2001:218::1]:443", "fe80::1%eth0", ""):
        _read(processing_request(address=address))
    _read(processing_request(address=None))
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
    facts = _read(processing_request(claims=claims, headers=[("tenant", b"acme")]))
    assert (facts.tenant, facts.binding) == (tenant, binding)


@pytest.mark.parametrize(
    ("peer", "tenant"),
    [
        ("spiffe://acme.example/ns/ml/sa/scorer", "scorer"),
        ("spiffe://acme.example/ns/ml/sa/other", "ml"),
        ("spiffe://acme.example/ns/web/sa/other", "mesh"),
    ],
)
def test_a_certificate_binds_by_the_longest_id_that_matches(peer: str, tenant: str) -> None:
    facts = _read(processing_request(peer=peer, headers=[(":authority", b"clinic.api.example")]))
    assert (facts.tenant, facts.binding) == (tenant, Binding.SPIFFE)


@pytest.mark.parametrize(
    "peer", ["spiffe://acme.example", "spiffe://acme.example.evil/ns", "https://acme.example/x", ""]
)
def test_another_certificate_binds_to_nobody(peer: str) -> None:
    assert _read(processing_request(peer=peer, claims={"x": "y"})).tenant is None


def test_a_certificate_and_a_token_of_two_tenants_bind_to_none() -> None:
    scorer = "spiffe://acme.example/ns/ml/sa/scorer"
    both = _read(processing_request(peer=scorer, claims={"tenant": "acme"}))
    assert (both.tenant, both.binding) == (None, Binding.NONE)
    assert _read(processing_request(peer=scorer, claims={"tenant": "nobody"})).tenant == "scorer"


@pytest.mark.parametrize("host", [b"clinic.api.example", b"CLINIC.api.example:8443", b"clinic.api.example:"])
def test_a_host_binds_requests_without_credentials(host: bytes) -> None:
    facts = _read(processing_request(headers=[(":authority", host)]))
    assert (facts.tenant, facts.binding) == ("host-clinic", Binding.HOST)
    assert _read(processing_request(headers=[(":authority", host)], credentials=True)).tenant is None
    assert _read(processing_request(headers=[(":authority", host)], claims={"tenant": "acme"})).tenant == "acme-bank"


@pytest.mark.parametrize("host", [b"", b"clinic.api.example.evil", b"\xff", b"x" * 70_000])
def test_another_host_binds_to_nobody(host: bytes) -> None:
    assert _read(processing_request(headers=[(":authority", host)])).binding is Binding.ANONYMOUS


def test_where_no_token_binds_one_takes_nothing_away() -> None:
    bindings = replace(_READING.bindings, by_claim={})
    reader = RequestReader(replace(_READING, bindings=bindings), _locate)
    facts = _read(processing_request(claims={"residency": "FR"}), reader)
    assert (facts.tenant, facts.binding, len(facts.signals)) == ("walk-in", Binding.ANONYMOUS, 2)


def test_a_tenant_with_subjects_says_where_they_are() -> None:
    said = _read(processing_request(claims={"org": "c"})).signals[0]
    assert said == Signal(source=Source.TENANT, tier=Tier.TENANT_BINDING, jurisdiction=Jurisdiction("FR"))
    ml = _read(processing_request(peer="spiffe://acme.example/ns/ml/sa/x")).signals[0]
    assert ml.jurisdiction == "CA"


def test_credentials_that_were_not_verified_are_not_anonymous() -> None:
    facts = _read(processing_request(credentials=True))
    assert (facts.tenant, facts.binding) == (None, Binding.NONE)
    verified = _read(processing_request(credentials=True, claims={"tenant": "acme"}))
    assert verified.tenant == "acme-bank"


def test_behind_a_proxy_an_address_that_was_not_forwarded_is_not_the_clients() -> None:
    reader = RequestReader(replace(_READING, trusted_hops=1), _locate)
    for address in ("81.2.69.142:443", "[2001:218::1]:51000", "81.2.69.142", ""):
        (signal,) = _read(processing_request(address=address), reader).signals
        assert (signal.jurisdiction, signal.detail) == (None, "not_forwarded")
    assert _read(processing_request(address="81.2.69.142:0"), reader).signals == (_GEO,)


def test_a_subdivision_that_the_policy_does_not_single_out_is_its_country() -> None:
    beside = Signal(source=Source.GEOIP_REGISTERED, tier=Tier.TRUSTED_EDGE, jurisdiction=Jurisdiction("US"))
    for place, expected in (("CA-QC", "CA-QC"), ("CA-ON", "CA"), ("CA", "CA")):
        located = replace(_GEO, jurisdiction=Jurisdiction(place))
        reader = RequestReader(_READING, lambda *_, located=located: (located, beside))
        assert [signal.jurisdiction for signal in _read(processing_request(), reader).signals] == [expected, "US"]


def test_a_verified_residency_is_a_signal_of_its_own() -> None:
    facts = _read(processing_request(claims={"tenant": "acme", "residency": "CA-QC"}))
    assert facts.signals == (
        _GEO,
        Signal(source=Source.JWT, tier=Tier.VERIFIED_CLAIM, jurisdiction=Jurisdiction("CA-QC")),
    )


def test_a_residency_may_list_several_places_and_all_of_them_count() -> None:
    facts = _read(processing_request(claims={"tenant": "acme", "residency": ["DE", "FR", "DE"]}))
    assert [signal.jurisdiction for signal in facts.signals] == ["DE", "DE", "FR"]


@pytest.mark.parametrize(
    "residency",
    [[], ["DE", "EU"], ["DE", 7], ["DE"] * 9, [["DE"]], "", "EU", "Germany", "de", 7, None, {"country": "DE"}],
)
def test_a_malformed_residency_is_a_fault(residency: object) -> None:
    facts = _read(processing_request(claims={"tenant": "acme", "residency": residency}))
    assert facts.faults == (Fault.MALFORMED_DECLARATION,)


@pytest.mark.parametrize(
    ("value", "code"), [(b"FR", "FR"), (b"fr", "FR"), (b" FR ", "FR"), (b"CA-QC", "CA-QC"), (b"de-zzq", "DE")]
)
def test_a_declared_jurisdiction(value: bytes, code: str) -> None:
    facts = _read(processing_request(headers=[("x-data-jurisdiction", value)]))
    assert facts.signals == (_GEO, _declared(code))
    assert facts.faults == ()


@pytest.mark.parametrize(
    "value", [b"", b"EU", b"DE,FR", b"DE FR", b"\xff\xfe", "ДЕ".encode(), b"\x00", b"D" * 70_000, b"XK", b"UK"]
)
def test_a_malformed_declaration_is_a_fault(value: bytes) -> None:
    facts = _read(processing_request(headers=[("x-data-jurisdiction", value)]))
    assert facts.faults == (Fault.MALFORMED_DECLARATION,)


def test_two_different_values_of_one_header_conflict() -> None:
    different = [("x-data-jurisdiction", b"DE"), ("x-data-jurisdiction", b"US")]
    assert _read(processing_request(headers=different)).faults == (Fault.CONFLICTING_DECLARATIONS,)


def test_the_same_value_twice_does_not_conflict() -> None:
    twice = [("x-data-jurisdiction", b"FR"), ("x-data-jurisdiction", b"FR")]
    assert _read(processing_request(headers=twice)).signals == (_GEO, _declared("FR"))


def test_a_declared_class_is_one_of_the_policys() -> None:
    declares = processing_request(headers=[("x-data-class", b"special")])
    declared = ClassSignal(source=ClassSource.HEADER, data_class=DataClass("special"))
    assert _read(declares).classes == (declared,)
    unknown = processing_request(headers=[("x-data-class", b"jane.doe@example.org")])
    facts = _read(unknown)
    assert (facts.classes, facts.faults) == ((), (Fault.MALFORMED_DECLARATION,))


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
    facts = _read(processing_request(path=path))
    assert facts.model == model
    assert facts.faults == ()


@pytest.mark.parametrize("message", [b"", b"\xff", b"\x12\x00", processing_request(path=None)])
def test_what_is_no_request_is_a_fault(message: bytes) -> None:
    facts = _read(message)
    assert facts.faults == (Fault.MALFORMED_REQUEST,)
    assert facts.tenant is None


@given(st.binary(max_size=300))
def test_no_bytes_raise(message: bytes) -> None:
    assert isinstance(_read(message), RequestFacts)


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
    facts = _read(bytes(whole))
    assert facts.tenant in {None, "walk-in", "acme-bank", "clinic"}
    assert facts.model in {None, "digits", "fraud"}
    assert {each.data_class for each in facts.classes} <= {"personal", "special"}
