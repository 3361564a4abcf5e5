"""The revision: equal for what means the same, different for what does not."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy.random_laws import Written
from policy.strategies import as_yaml, policies, read_plain
from policy.test_faults import FULL
from ruamel.yaml import YAML

import extproc.policy
from extproc.policy import canonical, compile_policy, format_canonical, parse_policy, revision_of

SHIPPED = {
    "demo": "sha256:448e1f2f9c383526786793f15fbce04c7ad9ea4feafc04641699dabe6aff1777",
    "minimal": "sha256:887b928b102bb76c6a8c9f13f47f34eb2118a0df43f4a2628543b94fc7d3fcaf",
}
PLAIN = read_plain(Path(__file__).parent / "full.yaml")


def _shuffled(value: Any, random: Random) -> Any:  # noqa: ANN401 - plain data
    """Give the same data with the keys of every table in another order."""
    if isinstance(value, dict):
        keys = random.sample(list(value), len(value))
        return {key: _shuffled(value[key], random) for key in keys}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


@settings(max_examples=10)
@given(policies(), st.randoms(use_true_random=False))
@pytest.mark.slow
def test_the_order_of_keys_and_the_layout_mean_nothing(policy: Written, random: Random) -> None:
    policy.pop("tests", None)  # they know the line that they stand in
    compiled = compile_policy(parse_policy(as_yaml(policy)))
    other = compile_policy(parse_policy(json.dumps(_shuffled(policy, random), indent=3)))
    assert other == compiled
    assert other.tables.revision == compiled.tables.revision == revision_of(compiled.document)


@pytest.mark.slow
def test_comments_quotes_and_block_style_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "block.yaml"
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(PLAIN, path)
    block = "# a comment\n" + path.read_text().replace("\n", "  # another\n", 1)
    assert block.count("\n") > FULL.count("\n")
    assert (
        revision_of(parse_policy(block)) == revision_of(parse_policy(FULL)) == revision_of(parse_policy(as_yaml(PLAIN)))
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("conflict: {mode: deny}", "conflict: {mode: intersect}"),
        ("cluster: outbound|443||eu-ams.example", ""),
        ("rtt_ms: 80.5", "rtt_ms: 80"),
        ("personal: {}, ", "personal: {}, secret: {}, "),
        ("public: {unregulated: true}", "public: {}"),
        ("{country: GB, valid_until: 2027-12-27}", "GB"),
        ("cite: operator", "cite: Operator"),
        ("        enabled_by: tenant.mechanisms.dpf\n", ""),
        ("reference: DPF-1", "reference: DPF-2"),
        ("match: anonymous", "match: {jwt.tenant: anonymous}"),
        ("    exporter: DE\n", ""),
        ("    allow: [eu-*]\n", ""),
        ("class: {special: {only: [eea], cite: the policy's own caution}}", "class: {special: {only: []}}"),
        ("    class: {special: {only: [eea], cite: the policy's own caution}}\n", ""),
        ("{subject_in: CA-QC}, {class_in", "{exporter_in: CA-QC}, {class_in"),
        ("- id: open", "- id: opened"),
        ("until: 2026-07-01", "until: 2026-07-01T00:00:00Z"),
        ("  header: {tier: 3, name: x-data-jurisdiction}\n", ""),
        (", may_replace: [geoip]", ""),
        ("plan: {length: 3}", "plan: {length: 1}"),
        ("version: 7", "version: 8"),
        ("zone: QUEBEC, subdivision: CA-QC", "zone: QUEBEC"),
        ("profile: performance-first", "profile: hybrid"),
        ("on_mismatch: redirect, redirect_hosts: {EEA: eu.example, CA: ca.example}", "on_mismatch: refuse"),
        ("CA: ca.example", "CA: eu.example"),
        ("hq: CA}", "hq: US}"),
        ("admin_from: [DE, PL]", "admin_from: [PL]"),
        ("resident_in: EEA", "resident_in: DE"),
        ("cite: licence 4, class: special}", "cite: licence 4}"),
        ("not_in: CA-QC", "not_in: CA"),
        ("operator_in: CA", "operator_in: US"),
        ("operator_not_in: [CN, RU]", "operator_not_in: CN"),
        ("as_of: 2025-12-01", "as_of: 2025-12-02"),
        ("verified: false", "verified: true"),
        ("note: Law 25", "note: The Law 25"),
        ("classes: [personal]}", "classes: [special]}"),
        (", tenant_has_not: [adgm]", ""),
        ("subjects: FR", "subjects: DE"),
        ("expects: [EEA, US]", "expects: [EEA]"),
        ("ns/ml/*", "ns/ml"),
        ("host: shop.example", "host: shop2.example"),
        ("tier: 0, may_replace: [jwt]", "tier: 0"),
        ("assume: [DE]", "assume: [FR]"),
        ("anonymous: locate, ", ""),
        ("also: [registered, represented]", "also: [registered]"),
        (", max_age_days: 45", ""),
        ("limit_kib: 64", "limit_kib: 65"),
        ("unreadable: special", "unreadable: personal"),
        ("path: subject.*", "path: subject"),
        ("equals: health", "equals: Health"),
        ("iban: special", "iban: personal"),
        ('regex: "C-', 'regex: "D-'),
        ("active: [eu-*],", "active: [eu-f*],"),
        ("drain: [ca-*, us-*]", "drain: [ca-*]"),
        (", drain: [ca-*, us-*]", ""),
        ("weights: {eu-fra: 3,", "weights: {eu-fra: 2,"),
        (", weights: {eu-fra: 3, us-iad: 0}", ", weights: {eu-ams: 1}"),
        (", weights: {eu-fra: 3, us-iad: 0}", ""),
        ("header: x-session-id", "header: x-session"),
        ("affinity: {header: x-session-id}\n", ""),
        ("capacity: 64", "capacity: 65"),
        ("    capacity: 64\n", ""),
        ("quota: 200", "quota: 201"),
        ("    quota: 200\n", ""),
        ("slo_ms: 300", "slo_ms: 301"),
        ("slo_ms: 250", "slo_ms: 251"),
        (", slo_ms: 250", ""),
        ('"sha256:0', '"sha256:1'),
        ("vectors: {max_age_s: 300}", "vectors: {max_age_s: 301}"),
        ("vectors: {max_age_s: 300}", "vector: {max_age_s: 300}"),
        ("vectors: {max_age_s: 300}, ", ""),
        ("rto_s: 2,", "rto_s: 3,"),
        ("rpo_records: 5", "rpo_records: 0"),
        ("    recovery: {rto_s: 2, rpo_records: 5}\n", ""),
        ("permit: eu-gdpr.adequate", "permit: eu-gdpr.eea"),
        ("LT-14, effect: suspend, model: fraud", "LT-14, effect: suspend, model: digits"),
    ],
)
def test_a_change_of_meaning_is_a_change_of_revision(old: str, new: str) -> None:
    assert old in FULL
    text = FULL.replace(old, new, 1)
    if "enabled_by" in old:
        text = text.replace("    mechanisms: {dpf: {reference: DPF-1}}\n", "")
    if old == "profile: performance-first":
        text = text.replace("unregulated: true", "unregulated: false")
        assert revision_of(parse_policy(FULL.replace("unregulated: true", "unregulated: false"))) != revision_of(
            parse_policy(text)
        )
    assert revision_of(parse_policy(text)) != revision_of(parse_policy(FULL))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("plan: {length: 3}", "plan: {length: 3}  # three"),
        ("{public: {unregulated: true}, personal: {},", "{personal: {}, public: {unregulated: true},"),
        ("special: {unregulated: false}", "special: {}"),
        ("geoip: {tier: 2, ", "geoip: {"),
        ("exporter_in: [EEA, CH]", "exporter_in: [CH, EEA, CH]"),
        ("approved_by: [bob, alice]", "approved_by: [alice, bob]"),
        ("from: 2026-06-01T09:00:00+02:00", "from: 2026-06-01T07:00:00Z"),
        ("until: 2026-07-01", "until: 2026-07-02T00:00:00Z"),
        ("until: 2026-07-01", "until: 2026-07-02T02:00:00.000+02:00"),
        ("    - CH", "    - {country: CH}"),
        ("verified: true\n    permits", "permits"),
        ("hq: CA}", "hq: CA, admin_from: [CA]}"),
        ("hq: DE, admin_from: [DE, PL]", "hq: DE, admin_from: [PL, DE, PL]"),
        ("also: [registered, represented]", "also: [represented, registered]"),
        ("operator_not_in: [CN, RU]", "operator_not_in: [RU, CN]"),
        ("  - {name: brazil,", "  - {name: brasil,"),
        ("to: EEA, basis", "to: {in: EEA}, basis"),
        ("br-gru: {country: BR", "br-gru: {cluster: br-gru, country: BR"),
        ("rtt_ms: 8\n", "rtt_ms: 8.0\n"),
        ("drain: [ca-*, us-*]", "drain: [us-*, ca-*, us-*]"),
        ("weights: {eu-fra: 3, us-iad: 0}", "weights: {us-iad: 0, eu-ams: 1, eu-fra: 3}"),
        (
            "{vectors: {max_age_s: 300}, features: {max_age_s: 2.5}}",
            "{features: {max_age_s: 2.50}, vectors: {max_age_s: 300.0}}",
        ),
        ("rto_s: 2,", "rto_s: 2.0,"),
    ],
)
def test_another_way_of_saying_the_same_is_the_same_revision(old: str, new: str) -> None:
    assert old in FULL
    assert revision_of(parse_policy(FULL.replace(old, new, 1))) == revision_of(parse_policy(FULL))


def test_the_form_is_sorted_json_without_blanks() -> None:
    form = format_canonical(parse_policy(FULL))
    plain = json.loads(form)
    assert form == json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert plain["apiVersion"] == "situs/v1"
    assert "plan_length" in plain["document"]
    assert "rtt_ms" not in plain["document"]["regions"]["br-gru"]
    assert "tests" not in plain["document"]


@pytest.mark.parametrize(("name", "revision"), SHIPPED.items())
def test_a_program_that_knows_more_gives_an_older_policy_its_older_name(name: str, revision: str) -> None:
    """What a policy does not use is no part of its name: logs that were written before hold these revisions."""
    text = (Path(extproc.policy.__file__).parent / "examples" / f"{name}.yaml").read_text()
    assert revision_of(parse_policy(text)) == revision


def test_the_default_of_a_target_is_left_out() -> None:
    zero, default = (FULL.replace("rto_s: 2, rpo_records: 5", new) for new in ("rto_s: 2, rpo_records: 0", "rto_s: 2"))
    assert revision_of(parse_policy(zero)) == revision_of(parse_policy(default))


def test_what_changes_no_decision_is_no_part_of_the_revision() -> None:
    without = FULL[: FULL.index("tests:")]
    assert parse_policy(without) != parse_policy(FULL)
    assert revision_of(parse_policy(without)) == revision_of(parse_policy(FULL))


def test_a_list_of_classes_is_a_table_in_which_nothing_is_marked() -> None:
    table = FULL.replace("unregulated: true", "unregulated: false")
    listed = FULL.replace(
        "{public: {unregulated: true}, personal: {}, special: {unregulated: false}}", "[special, personal, public]"
    )
    assert revision_of(parse_policy(listed)) == revision_of(parse_policy(table))


def test_what_has_no_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="a policy holds no set"):
        canonical._plain({"a"} | set())
