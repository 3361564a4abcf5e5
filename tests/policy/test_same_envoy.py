"""What of routing a running sidecar takes over at once, and what Envoy must be told first."""

from pathlib import Path

import pytest

import extproc.policy
from extproc.policy import CompiledPolicy, compile_policy, parse_policy
from extproc.sidecar.fitting import ConfigurationError, check_same_envoy, check_shadow

TEXT = (Path(extproc.policy.__file__).parent / "examples" / "routing.yaml").read_text()
AFFINITY = "affinity: {header: x-session-id}\n"


def _edited(old: str, new: str) -> CompiledPolicy:
    assert old in TEXT
    return compile_policy(parse_policy(TEXT.replace(old, new)))


@pytest.fixture(scope="module")
def routing() -> CompiledPolicy:
    return compile_policy(parse_policy(TEXT))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("capacity: 64 ", "capacity: 65 "),
        ("quota: 200 ", "quota: 20 "),
        ("slo_ms: 300 ", "slo_ms: 30 "),
        ("slo_ms: 100 ", "slo_ms: 10 "),
        ("max_age_s: 300", "max_age_s: 30"),
        ("vectors: {max", "other: {max"),
        ("rto_s: 2, rpo_records: 0", "rto_s: 3"),
        ("sha256:0f", "sha256:ff"),
        ("drain: [eu-dub]", "drain: [eu-ams]"),
        ("weights: {eu-fra: 3, eu-ams: 1}", "weights: {eu-fra: 1}"),
        (AFFINITY, ""),
        ("profile: hybrid", "profile: legal-first"),
    ],
)
def test_what_a_running_sidecar_takes_over_at_once(old: str, new: str, routing: CompiledPolicy) -> None:
    changed = _edited(old, new)
    assert changed.tables.revision != routing.tables.revision
    check_same_envoy(routing, changed)


def test_a_header_that_envoy_does_not_send_names_no_session(routing: CompiledPolicy) -> None:
    for rendered in (_edited(AFFINITY, ""), _edited("header: x-session-id", "header: x-other")):
        with pytest.raises(ConfigurationError, match=r"it reads other headers \(x-session-id\)"):
            check_same_envoy(rendered, routing)


def test_a_shadow_policy_needs_no_session_because_it_chooses_nothing(routing: CompiledPolicy) -> None:
    check_shadow(_edited(AFFINITY, "").reading, routing.reading, None)
