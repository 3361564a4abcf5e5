"""What a policy reads of a request, as the edge asks for it; every default reads nothing."""

from extproc.core.georules import GeoRules
from extproc.core.ids import DataClass, TenantId
from extproc.core.payload import PayloadReading
from extproc.core.reading import AUTHORITY, Reading, TenantBindings

_ACME = TenantId("acme")


def test_nothing_is_read_by_default() -> None:
    reading = Reading()
    assert reading.headers == ()
    assert not reading.certificates
    assert not reading.claims
    assert reading.geo is None
    assert reading.payload is None


def test_the_headers_are_sorted_and_the_host_is_one_only_where_it_binds() -> None:
    reading = Reading(jurisdiction_header="x-place", class_header="x-class")
    assert reading.headers == ("x-class", "x-place")
    bound = Reading(class_header="x-class", bindings=TenantBindings(by_host={"a.example": _ACME}))
    assert bound.headers == (AUTHORITY, "x-class")


def test_credentials_are_read_where_something_asks_for_them() -> None:
    assert Reading(bindings=TenantBindings(by_spiffe={"spiffe://a/b": _ACME})).certificates
    assert Reading(bindings=TenantBindings(below_spiffe={"spiffe://a/": _ACME})).certificates
    assert Reading(bindings=TenantBindings(by_claim={"tenant": {"acme": _ACME}})).claims
    assert Reading(residency_claim="residency").claims


def test_the_strictest_reading_is_the_default() -> None:
    assert GeoRules() == GeoRules(locate_anonymous=False, registered=False, represented=False, max_age_s=None)
    payload = PayloadReading(limit_bytes=1, unreadable=DataClass("special"))
    assert (payload.fields, dict(payload.detectors), payload.patterns) == ((), {}, ())
