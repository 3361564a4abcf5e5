"""What the compiler makes of each part of a policy, on two written ones."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import extproc.policy
from extproc.core.facts import Source
from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionId, TenantId
from extproc.core.tables import Basis, ConflictMode
from extproc.policy import CompiledPolicy, compile_policy, load_policy, parse_policy
from extproc.policy.zones import BUILTIN_ZONES

DEMO = Path(extproc.policy.__file__).parent / "examples" / "demo.yaml"
FULL = (Path(__file__).parent / "full.yaml").read_text()
NOW_S = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def demo() -> CompiledPolicy:
    return load_policy(DEMO)


@pytest.fixture(scope="module")
def full() -> CompiledPolicy:
    return compile_policy(parse_policy(FULL))


def _permitted(compiled: CompiledPolicy, tenant: str, data_class: str, jurisdiction: str) -> set[str] | None:
    tables = compiled.tables
    epoch = tables.epoch_at(NOW_S)
    assert epoch is not None
    rulings = epoch.profiles[tables.tenants[TenantId(tenant)].profile]
    ruling = rulings[DataClass(data_class)].get(Jurisdiction(jurisdiction))
    if ruling is None:
        return None
    return {str(region.id) for i, region in enumerate(tables.regions) if ruling.permitted >> i & 1}


EU = {"eu-fra", "eu-ams"}


# What the demo shows, in words: the table that its README prints.
@pytest.mark.parametrize(
    ("tenant", "data_class", "jurisdiction", "expected"),
    [
        ("walk-in", "personal", "FR", EU),
        ("walk-in", "personal", "RE", EU),  # Réunion is inside
        ("walk-in", "personal", "NC", None),  # New Caledonia is not
        ("walk-in", "personal", "US", {*EU, "us-iad"}),
        ("walk-in", "personal", "AE", {"me-dxb"}),
        ("walk-in", "personal", "BR", None),
        ("walk-in", "public", "BR", {*EU, "us-iad", "me-dxb"}),
        ("acme-bank", "personal", "FR", {*EU, "us-iad"}),
        ("acme-bank", "special", "FR", EU),
        ("acme-bank", "personal", "US", {*EU, "us-iad"}),
        ("eu-clinic", "special", "FR", EU),
        ("eu-clinic", "special", "US", EU),  # the exporter's law governs beside the subject's
        ("eu-clinic", "special", "AE", set()),  # two laws that cannot both be kept
        ("eu-clinic", "special", "BR", EU),
    ],
)
def test_the_demo(
    demo: CompiledPolicy, tenant: str, data_class: str, jurisdiction: str, expected: set[str] | None
) -> None:
    assert _permitted(demo, tenant, data_class, jurisdiction) == expected


def test_what_is_read_of_a_request(demo: CompiledPolicy) -> None:
    reading = demo.reading
    assert reading.trusted_hops == 1
    assert reading.geoip
    assert reading.residency_claim == "residency"
    assert reading.headers == ("x-data-class", "x-data-jurisdiction")
    assert reading.classes == demo.tables.classes == {"public", "personal", "special"}
    assert dict(reading.models) == {ModelId("digits"): frozenset({"1"})}
    assert reading.subdivisions == set()
    assert reading.tenant_by_claim == {"tenant": {"acme": "acme-bank", "clinic": "eu-clinic"}}
    assert reading.anonymous_tenant == "walk-in"
    assert demo.tables.may_replace == {Source.JWT: {Source.GEOIP}}


def test_regions_stand_sorted_and_keep_their_facts(full: CompiledPolicy) -> None:
    tables = full.tables
    assert [str(region.id) for region in tables.regions] == ["br-gru", "ca-mtl", "eu-ams", "eu-fra", "us-iad"]
    ams, fra = tables.regions[2], tables.regions[3]
    assert ams.cluster == "outbound|443||eu-ams.example"
    assert ams.models == {"digits": None, "fraud": None}
    assert ams.rtt_s is None
    assert (fra.cluster, fra.country, fra.subdivision) == ("eu-fra", "DE", "DE-HE")
    assert fra.certs == {"c5"}
    assert (fra.rtt_s, fra.models) == (0.008, {"digits": "1"})
    assert tables.models == {"digits": 0b11110, "fraud": 0b00100}
    assert tables.tenants[TenantId("acme")].allowed == 0b01100
    assert tables.tenants[TenantId("clinic")].allowed == 0b11111
    assert (tables.ingress_region, tables.conflict, tables.plan_length) == ("eu-fra", ConflictMode.DENY, 3)


def test_tenants_with_equal_legal_facts_share_a_profile(demo: CompiledPolicy, full: CompiledPolicy) -> None:
    profiles = {str(id_): tenant.profile for id_, tenant in full.tables.tenants.items()}
    assert profiles["clinic"] == profiles["walk-in"] != profiles["acme"]
    assert len(full.tables.epochs[0].profiles) == 2
    assert len(demo.tables.epochs[0].profiles) == 3


def test_a_permit_carries_its_basis_and_the_tenants_reference(full: CompiledPolicy) -> None:
    tables = full.tables
    epoch = tables.epoch_at(NOW_S)
    assert epoch is not None
    ruling = epoch.profiles[tables.tenants[TenantId("acme")].profile][DataClass("personal")][Jurisdiction("FR")]
    (grant,) = ruling.grants[tables.index[RegionId("us-iad")]]
    permit = grant.permit
    assert permit is not None
    assert (permit.regime, permit.id, permit.basis, permit.cite) == ("eu-gdpr", "dpf", Basis.ADEQUACY, "(EU) 2023/1795")
    assert (permit.mechanism, permit.reference) == ("dpf", "DPF-1")


def test_epochs_begin_where_permits_and_members_do(full: CompiledPolicy) -> None:
    starts = [datetime.fromtimestamp(epoch.starts_s, UTC).date().isoformat() for epoch in full.tables.epochs]
    assert starts == ["2026-01-10", "2026-01-26", "2026-02-01", "2027-01-01", "2027-12-28"]


def test_a_suspension_starts_at_its_moment_and_lasts_through_its_last_day(full: CompiledPolicy) -> None:
    (suspension,) = full.suspensions
    assert suspension.from_s == datetime(2026, 6, 1, 7, tzinfo=UTC).timestamp()
    assert suspension.until_s == datetime(2026, 7, 2, tzinfo=UTC).timestamp()
    assert suspension.approved_by == ("alice", "bob")
    assert (suspension.id, suspension.region, suspension.reason) == ("LT-12", "us-iad", "injunction")


def test_a_subdivision_is_judged_by_its_own_regime_and_its_countrys() -> None:
    compiled = compile_policy(parse_policy(FULL))
    assert _permitted(compiled, "walk-in", "personal", "CA-QC") == {"ca-mtl"}
    assert _permitted(compiled, "walk-in", "personal", "CA") is None


def test_the_zone_of_the_european_economic_area() -> None:
    codes = {str(member.code) for member in BUILTIN_ZONES[next(iter(BUILTIN_ZONES))].members}
    assert len(codes) == 27 + 3 + 7
    assert {"IS", "LI", "NO", "GP", "GF", "MQ", "RE", "YT", "MF", "AX", "GR", "HR"} <= codes
    assert not codes & set("GL NC PF TF WF PM BL AW CW SX BQ FO GI IM JE GG MC SM VA AD GB CH US".split())


def test_a_document_is_a_value(demo: CompiledPolicy) -> None:
    again = load_policy(DEMO)
    assert again == demo
    assert replace(again.document, plan_length=3) != demo.document
