"""Every rule is broken alone, and the linter names that rule, at that field, with a mend, and nothing else."""

import re

import pytest
from mesh.check.breaking import Fault
from mesh.check.faults import FAULTS
from mesh.check.rendered import findings

from extproc.mesh.check.node import Json, Node
from extproc.mesh.check.rules import RULES, check_runtime

APART = {"runtime"}
"""Rules about what is neither a listener nor a cluster."""


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.rule}-{i}" for i, fault in enumerate(FAULTS)])
def test_exactly_that_rule_is_named_at_that_field(fault: Fault) -> None:
    named = findings(fault.render())
    assert [(one.rule.id, one.path) for one in named] == [(fault.rule, fault.path)]
    assert named[0].message
    assert named[0].mend
    assert named[0].origin == "envoy.yaml"


def test_every_rule_has_a_fault() -> None:
    assert {fault.rule for fault in FAULTS} | APART == set(RULES)


def test_rules_are_told_apart_and_say_why() -> None:
    for name, rule in RULES.items():
        assert rule.id == name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert rule.title
        assert rule.why.endswith(".")
        assert not rule.title.endswith(".")
    assert len({rule.title for rule in RULES.values()}) == len(RULES)


def test_no_runtime_value_may_bear_on_a_decision() -> None:
    layers: list[Json] = [
        {"name": "a", "static_layer": {"upstream": {"healthy_panic_threshold": 100}, "re2.max_program_size": 9}},
        {"name": "b", "static_layer": {"envoy.reloadable_features.ext_proc_stream_close_optimization": False}},
        {"name": "c", "rtds_layer": {"name": "d"}},
        {"name": "e", "admin_layer": {}},
    ]
    named = list(check_runtime(Node({"layers": layers}, "layered_runtime"), "envoy.yaml"))
    assert [one.path for one in named] == [
        "layered_runtime.layers[0].static_layer.upstream.healthy_panic_threshold",
        "layered_runtime.layers[1].static_layer.envoy.reloadable_features.ext_proc_stream_close_optimization",
        "layered_runtime.layers[2].rtds_layer",
    ]
    assert {one.rule.id for one in named} == {"runtime"}
