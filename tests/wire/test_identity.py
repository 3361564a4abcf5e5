"""Who asked: read only as far as the policy has it kept, and never a fact of the decision."""

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.messages import processing_request

from extproc.core.evidence import Evidence, SealedField
from extproc.core.facts import RequestFacts, Signal, Source, Tier
from extproc.core.reading import Reading
from extproc.wire.identity import LONGEST_SUBJECT, Identity, identity
from extproc.wire.request import RequestReader, receive

_ALL = Reading(evidence=Evidence(subject_claim="sub", sealed=frozenset(SealedField)))
_UNKNOWN = (Signal(source=Source.GEOIP, tier=Tier.TRUSTED_EDGE, jurisdiction=None),)
_HEADERS = [("x-request-id", b"5d3f-1")]


def _identity(message: bytes, reading: Reading = _ALL) -> Identity:
    return identity(receive(message), reading)


def test_everything_that_may_be_kept() -> None:
    message = processing_request(headers=_HEADERS, address="31.0.0.7:0", claims={"sub": "ada"})
    assert _identity(message) == Identity(subject="ada", request_id="5d3f-1", address="31.0.0.7")


def test_nothing_is_read_that_the_policy_does_not_have_kept() -> None:
    message = processing_request(headers=_HEADERS, claims={"sub": "ada"})
    assert _identity(message, Reading()) == Identity()
    for field in SealedField:
        only = Reading(evidence=Evidence(sealed=frozenset({field})))
        found = _identity(message, only)
        kept = {each.name for each in fields(Identity) if getattr(found, each.name) is not None}
        assert kept <= {field.value}
    assert _identity(message, Reading(evidence=Evidence(subject_claim="sub"))) == Identity(subject="ada")


def test_what_is_no_message_is_nobody() -> None:
    assert identity(None, _ALL) == Identity()


@pytest.mark.parametrize("claims", [None, {}, {"sub": ""}, {"sub": 7}, {"sub": ["ada"]}, {"sub": "a" * 513}])
def test_a_claim_that_names_nobody(claims: dict[str, object] | None) -> None:
    assert _identity(processing_request(claims=claims)).subject is None


def test_the_longest_subject() -> None:
    name = "a" * LONGEST_SUBJECT
    assert _identity(processing_request(claims={"sub": name})).subject == name


def test_a_request_id_is_bounded() -> None:
    assert _identity(processing_request(headers=[("x-request-id", b"a" * 500)])).request_id == "a" * 128
    assert _identity(processing_request(headers=[("x-request-id", b"")])).request_id is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("31.0.0.7:0", "31.0.0.7"),
        ("31.0.0.7:51234", "31.0.0.7"),
        ("31.0.0.7", "31.0.0.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", None),
    ],
)
def test_an_address_is_kept_without_its_port(address: str, expected: str | None) -> None:
    assert _identity(processing_request(address=address)).address == expected


def test_a_proxys_own_address_is_not_kept() -> None:
    behind = replace(_ALL, trusted_hops=1)
    assert _identity(processing_request(address="10.0.0.9:51234"), behind).address is None
    assert _identity(processing_request(address="31.0.0.7:0"), behind).address == "31.0.0.7"


def test_it_shows_nothing_in_a_log() -> None:
    assert "ada" not in repr(Identity(subject="ada", request_id="r", address="31.0.0.7"))


def test_two_request_ids_are_no_fault_of_the_request() -> None:
    """Whatever stands in the header, no decision depends on it."""

    def locate(_address: str, _now_s: float) -> tuple[Signal, ...]:
        return _UNKNOWN

    reader = RequestReader(_ALL, locate)
    twice = receive(processing_request(headers=[("x-request-id", b"a"), ("x-request-id", b"b")]))
    once = receive(processing_request())
    assert reader.facts(twice, 0.0) == reader.facts(once, 0.0)
    assert reader.facts(twice, 0.0).faults == ()
    assert identity(twice, _ALL).request_id is None


@given(st.text(min_size=5), st.binary(min_size=5), st.ip_addresses())
def test_no_fact_holds_any_of_it(subject: str, request_id: bytes, address: object) -> None:
    reader = RequestReader(_ALL, lambda _address, _now_s: _UNKNOWN)
    message = processing_request(
        headers=[("x-request-id", request_id)], address=f"{address}:0", claims={"sub": subject}
    )
    facts = reader.read(message, 0.0)
    assert facts == RequestFacts(
        tenant=facts.tenant, binding=facts.binding, model=facts.model, classes=(), signals=facts.signals
    )
