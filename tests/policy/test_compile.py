"""What the compiler makes of each part of a policy, on two written ones."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from policy.literal import Literal, Question
from policy.literal_rules import moment_of
from policy.strategies import read_plain

import extproc.policy
from extproc.core.evidence import Evidence, ReleaseMode, SealedField
from extproc.core.facts import Source
from extproc.core.georules import GeoRules
from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegimeId, RegionId, RegionMask, TenantId
from extproc.core.overrides import TargetKind
from extproc.core.payload import Detector, FieldRule, PatternRule, PayloadReading
from extproc.core.reading import TenantBindings
from extproc.core.reasons import Exclusion
from extproc.core.tables import (
    Approval,
    ConflictMode,
    Deployment,
    Grant,
    Model,
    OnMismatch,
    Pattern,
    Profile,
    Recovery,
)
from extproc.policy import CompiledPolicy, compile_policy, document, load_policy, parse_policy

DEMO = Path(extproc.policy.__file__).parent / "examples" / "demo.yaml"
FULL = (Path(__file__).parent / "full.yaml").read_text()
DIGEST = "sha256:" + "0123456789abcdef" * 4
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
    assert reading.geo == GeoRules()
    assert reading.payload is None
    assert reading.residency_claim == "residency"
    assert reading.headers == ("x-data-class", "x-data-jurisdiction")
    assert reading.classes == demo.tables.classes == {"public", "personal", "special"}
    assert dict(reading.models) == {ModelId("digits"): frozenset({"1"})}
    assert reading.subdivisions == set()
    assert reading.bindings == TenantBindings(
        by_claim={"tenant": {"acme": TenantId("acme-bank"), "clinic": TenantId("eu-clinic")}},
        anonymous=TenantId("walk-in"),
    )
    assert not reading.certificates
    assert reading.claims
    assert demo.tables.may_replace == {Source.JWT: {Source.GEOIP}}


def test_everything_that_can_be_read_of_a_request(full: CompiledPolicy) -> None:
    reading = full.reading
    assert reading.headers == (":authority", "x-data-class", "x-data-jurisdiction", "x-request-id", "x-session-id")
    assert reading.session_header == "x-session-id"
    assert reading.declarations == (":authority", "x-data-class", "x-data-jurisdiction")
    assert reading.evidence == Evidence(
        default=ReleaseMode.PAGE,
        by_class={DataClass("special"): ReleaseMode.FSYNC},
        by_model={ModelId("fraud"): ReleaseMode.FSYNC},
        unregulated=frozenset({DataClass("public")}),
        subject_claim="sub",
        sealed=frozenset(SealedField),
    )
    assert reading.certificates
    assert reading.geo == GeoRules(locate_anonymous=True, registered=True, represented=True, max_age_s=45 * 86_400.0)
    assert reading.subdivisions == {"CA-QC"}
    assert reading.bindings == TenantBindings(
        by_claim={"tenant": {"acme": TenantId("acme"), "clinic": TenantId("clinic")}},
        below_spiffe={"spiffe://acme.example/ns/ml/": TenantId("scorer")},
        by_host={"shop.example": TenantId("shop")},
        anonymous=TenantId("walk-in"),
        subjects={TenantId("acme"): Jurisdiction("FR")},
    )
    special = DataClass("special")
    assert reading.payload == PayloadReading(
        limit_bytes=65_536,
        unreadable=special,
        fields=(
            FieldRule(path=("meta", "class"), equals="health", data_class=special),
            FieldRule(path=("subject", "*"), data_class=special),
        ),
        detectors={Detector.EMAIL: DataClass("personal"), Detector.IBAN: special},
        patterns=(PatternRule(id="case-no", pattern="C-[0-9]{6}", data_class=special),),
    )
    assert full.tables.may_replace == {Source.JWT: {Source.GEOIP}, Source.TENANT: {Source.JWT}}
    assert full.tables.assume == ("DE",)


def test_one_exact_spiffe_id_is_told_from_all_below_one() -> None:
    text = FULL.replace('spiffe: "spiffe://acme.example/ns/ml/*"', 'spiffe: "spiffe://acme.example/ns/ml"')
    bindings = compile_policy(parse_policy(text)).reading.bindings
    assert (dict(bindings.by_spiffe), dict(bindings.below_spiffe)) == ({"spiffe://acme.example/ns/ml": "scorer"}, {})


def test_regions_stand_sorted_and_keep_their_facts(full: CompiledPolicy) -> None:
    tables = full.tables
    assert [str(region.id) for region in tables.regions] == ["br-gru", "ca-mtl", "eu-ams", "eu-fra", "us-iad"]
    ams, fra = tables.regions[2], tables.regions[3]
    assert ams.cluster == "outbound|443||eu-ams.example"
    assert ams.models == {"digits": Approval(), "fraud": Approval()}
    assert ams.rtt_s is None
    assert (fra.cluster, fra.country, fra.subdivision) == ("eu-fra", "DE", "DE-HE")
    assert fra.certs == {"c5"}
    assert fra.models == {"digits": Approval(version="1", digest=DIGEST, slo_s=0.25)}
    assert (fra.rtt_s, fra.slo_s, fra.capacity, fra.quota) == (0.008, 0.3, 64, 200)
    assert list(fra.needs.items()) == [("features", 2.5), ("vectors", 300.0)]
    assert fra.recovery == Recovery(rto_s=2.0, rpo_records=5)
    assert (ams.slo_s, ams.capacity, ams.quota, ams.needs, ams.recovery) == (None, None, None, {}, None)
    assert tables.models == {
        "digits": Model(serving=RegionMask(0b11110)),
        "fraud": Model(serving=RegionMask(0b00100), data_class=DataClass("special")),
    }
    assert tables.epochs[0].residency == {"fraud": 0b01100}
    assert tables.tenants[TenantId("acme")].allowed == 0b01100
    assert tables.tenants[TenantId("clinic")].allowed == 0b11111
    assert (tables.ingress_region, tables.conflict, tables.plan_length) == ("eu-fra", ConflictMode.DENY, 3)
    assert tables.profile is Profile.PERFORMANCE_FIRST
    assert tables.unregulated == {"public"}
    assert tables.on_mismatch is OnMismatch.REDIRECT
    assert tables.deployment == Deployment(
        pattern=Pattern.ACTIVE_PASSIVE,
        ranks=(1, 1, 0, 0, 1),
        drained=RegionMask(0b10010),
        weights=(1, 1, 1, 3, 0),
        slo_failover=True,
    )


def test_a_policy_without_routing_says_nothing_of_it(demo: CompiledPolicy) -> None:
    assert demo.tables.deployment == Deployment(slo_failover=True)
    assert demo.reading.session_header is None


def test_a_region_that_misses_its_promise_is_left_last_unless_the_law_comes_first() -> None:
    text = DEMO.read_text()
    first = compile_policy(parse_policy(text.replace("profile: hybrid", "profile: legal-first")))
    assert not first.tables.deployment.slo_failover


def test_nothing_of_routing_reaches_what_the_law_says(full: CompiledPolicy) -> None:
    """Epochs hold all that tier 1 reads of regions, beside which regions are approved for which model."""
    text = FULL
    for old in (
        f', digest: "{DIGEST}", slo_ms: 250',
        "    capacity: 64\n    quota: 200\n    slo_ms: 300\n",
        "    needs: {vectors: {max_age_s: 300}, features: {max_age_s: 2.5}}\n",
        "    recovery: {rto_s: 2, rpo_records: 5}\n",
        ", drain: [ca-*, us-*], weights: {eu-fra: 3, us-iad: 0}",
        "affinity: {header: x-session-id}\n",
    ):
        assert old in text
        text = text.replace(old, "")
    without = compile_policy(parse_policy(text))
    assert without.tables.epochs == full.tables.epochs
    assert (without.tables.models, without.tables.tenants) == (full.tables.models, full.tables.tenants)
    assert without.reading == replace(full.reading, session_header=None)
    assert without.tables.revision != full.tables.revision


@pytest.mark.parametrize(
    ("ams", "versions"),
    [
        ("{}", ["1"]),
        ('{version: "1"}', ["1"]),
        (f'{{version: "1", digest: "{DIGEST}"}}', ["1"]),
        (f'{{version: "1", digest: "sha256:{"f" * 64}"}}', ["1"]),
        ('{version: "2"}', []),
        (f'{{digest: "{DIGEST}"}}', []),
    ],
)
def test_a_version_may_be_named_that_every_bound_region_is_approved_for(ams: str, versions: list[str]) -> None:
    text = FULL.replace("models: {digits: {}, fraud: {}}", f"models: {{digits: {ams}, fraud: {{}}}}")
    assert compile_policy(parse_policy(text)).reading.models[ModelId("digits")] == frozenset(versions)


def test_bytes_alone_bind_a_model_to_no_version_that_can_be_named() -> None:
    """A cell shows the bytes of what it serves unless asked: of another version that a client names, it shows none."""
    text = FULL.replace('{version: "1", digest', "{digest")
    assert compile_policy(parse_policy(text)).reading.models[ModelId("digits")] == frozenset()
    unbound = FULL.replace(f'{{version: "1", digest: "{DIGEST}", slo_ms: 250}}', "{slo_ms: 250}")
    assert compile_policy(parse_policy(unbound)).reading.models[ModelId("digits")] is None


def test_tenants_with_equal_legal_facts_share_a_profile(demo: CompiledPolicy, full: CompiledPolicy) -> None:
    profiles = {str(id_): tenant.profile for id_, tenant in full.tables.tenants.items()}
    assert profiles["clinic"] == profiles["walk-in"] == profiles["shop"] == profiles["scorer"] != profiles["acme"]
    assert len(full.tables.epochs[0].profiles) == 2
    assert len(demo.tables.epochs[0].profiles) == 3


def test_a_permit_carries_its_basis_and_the_tenants_reference(full: CompiledPolicy) -> None:
    tables = full.tables
    epoch = tables.epoch_at(NOW_S)
    assert epoch is not None
    ruling = epoch.profiles[tables.tenants[TenantId("acme")].profile][DataClass("personal")][Jurisdiction("FR")]
    (grant,) = ruling.grants[tables.index[RegionId("ca-mtl")]]
    assert grant == Grant(regime=RegimeId("eu-gdpr"), permits=(), lacking=Exclusion.NO_PERMIT)
    assert ruling.obligations == ("eu-gdpr.records",)
    assert tables.tenants[TenantId("acme")].references == {"dpf": "DPF-1"}


def test_an_operator_that_is_not_stated_is_covered_by_no_permit_that_asks(full: CompiledPolicy) -> None:
    without = {"br-gru", "eu-ams", "eu-fra"}
    assert _permitted(full, "acme", "personal", "FR") == without
    stated = FULL.replace("us-iad: {country: US,", "us-iad: {country: US, operator: {name: Z, hq: US},")
    assert _permitted(compile_policy(parse_policy(stated)), "acme", "personal", "FR") == {*without, "us-iad"}
    administered = stated.replace("name: Z, hq: US", "name: Z, hq: US, admin_from: [US, CN]")
    assert _permitted(compile_policy(parse_policy(administered)), "acme", "personal", "FR") == without


def test_epochs_begin_where_permits_and_members_do(full: CompiledPolicy) -> None:
    starts = [datetime.fromtimestamp(epoch.starts_s, UTC).date().isoformat() for epoch in full.tables.epochs]
    assert starts == ["2026-01-10", "2026-01-26", "2026-02-01", "2027-01-01", "2027-12-28"]


def test_a_suspension_starts_at_its_moment_and_lasts_through_its_last_day(full: CompiledPolicy) -> None:
    suspension, of_permit, of_model = full.suspensions
    assert suspension.from_s == datetime(2026, 6, 1, 7, tzinfo=UTC).timestamp()
    assert suspension.until_s == datetime(2026, 7, 2, tzinfo=UTC).timestamp()
    assert suspension.approved_by == ("alice", "bob")
    assert (suspension.id, suspension.kind, suspension.name) == ("LT-12", TargetKind.REGION, "us-iad")
    assert suspension.reason == "injunction"
    assert (of_permit.kind, of_permit.name, of_permit.until_s) == (TargetKind.PERMIT, "eu-gdpr.adequate", None)
    assert (of_model.kind, of_model.name) == (TargetKind.MODEL, "fraud")


def test_a_subdivision_is_judged_by_its_own_regime_and_its_countrys() -> None:
    compiled = compile_policy(parse_policy(FULL))
    assert _permitted(compiled, "walk-in", "personal", "CA-QC") == {"ca-mtl"}
    assert _permitted(compiled, "walk-in", "personal", "CA") is None


def test_shards_and_hubs_leave_regions_by_place() -> None:
    sharded = FULL.replace(
        "{pattern: active-passive, active: [eu-*],",
        "{pattern: regional-sharding, "
        "shards: [{subjects: EEA, region: eu-fra}, {subjects: [DE, CA-QC], region: ca-mtl}],",
    )
    epoch = compile_policy(parse_policy(sharded)).tables.epochs[0]
    assert epoch.reach is not None
    assert {place: epoch.reach.get(Jurisdiction(place)) for place in ("DE", "CA-QC", "CA", "US")} == {
        "DE": 0b01000,
        "CA-QC": 0b00010,
        "CA": None,
        "US": None,
    }
    spoked = FULL.replace("{pattern: active-passive, active: [eu-*],", "{pattern: hub-and-spoke, hubs: [eu-ams],")
    tables = compile_policy(parse_policy(spoked)).tables
    assert tables.deployment.ranks == (0, 0, 1, 0, 0)
    assert tables.epochs[0].reach is not None
    assert tables.epochs[0].reach[Jurisdiction("CA-QC")] == 0b00110
    assert tables.epochs[0].reach[Jurisdiction("AE")] == 0b00100


def test_a_client_is_sent_to_the_host_of_the_most_specific_place() -> None:
    text = FULL.replace(
        "redirect_hosts: {EEA: eu.example, CA: ca.example}",
        "redirect_hosts: {anywhere: any.example, EEA: eu.example, CA: ca.example, CA-QC: qc.example, far: far.example}",
    ).replace("  QUEBEC: [", "  far: [JP]\n  QUEBEC: [")
    hosts = compile_policy(parse_policy(text)).tables.epochs[0].redirects
    assert {place: hosts[Jurisdiction(place)] for place in ("DE", "CA", "CA-QC", "JP", "US")} == {
        "DE": "eu.example",
        "CA": "ca.example",
        "CA-QC": "qc.example",
        "JP": "far.example",
        "US": "any.example",
    }


def test_the_example_with_everything_uses_every_field(full: CompiledPolicy) -> None:
    """Every field of the manual has another value than its default somewhere, but for the patterns not chosen."""
    used: set[tuple[str, str]] = set()

    def walk(value: object) -> None:
        if is_dataclass(value) and not isinstance(value, type):
            for each in fields(value):
                part = getattr(value, each.name)
                default = each.default if each.default_factory is MISSING else each.default_factory()
                if part != default:
                    used.add((type(value).__name__, each.name))
                walk(part)
        elif isinstance(value, Mapping):
            for part in value.values():
                walk(part)
        elif isinstance(value, tuple):
            for part in value:
                walk(part)

    walk(full.document)
    kinds = [(name, getattr(document, name)) for name in document.__all__]
    every = {(name, each.name) for name, kind in kinds if is_dataclass(kind) for each in fields(kind)}
    assert every - used == {
        ("Shard", "subjects"),
        ("Shard", "region"),
        ("Deployment", "shards"),
        ("Deployment", "hubs"),
    }


def test_the_tests_of_the_example_with_everything_hold() -> None:
    """By the literal reading: `situs policy test` has tests of its own."""
    policy = read_plain(FULL)
    for case in policy["tests"]:
        given, expect = case["in"], case["expect"]
        located = given.get("geoip", given.get("country"))
        signals = {"geoip": None if located == "unknown" else located}
        signals.update({name: given[name] for name in ("jwt", "header") if name in given})
        classes = (given["class"],) if "class" in given else ()
        asked = Question(tenant=given["tenant"], model=given["model"], classes=classes, signals=signals)
        now = moment_of(case.get("now", policy["policy"]["as_of"]))
        answer = Literal(policy).answer(asked, now)
        assert answer.host == expect.get("redirect"), case["name"]
        if "permitted" in expect:
            assert answer.permitted == set(expect["permitted"])
        if "refused" in expect:
            assert answer.refusal == expect["refused"]


def test_a_document_is_a_value(demo: CompiledPolicy) -> None:
    again = load_policy(DEMO)
    assert again == demo
    assert replace(again.document, plan_length=3) != demo.document
