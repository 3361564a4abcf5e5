"""The tests' own patching against what Envoy Gateway itself made, as it was captured."""

import json
from typing import Any

import pytest
from mesh.gateway_api.gateway_example import patches_of, shipped
from mesh.gateway_api.gateway_xds import CAPTURED, LISTENER, TYPES, captured, patched, read, write

from extproc.core.steering import format_plan

OUTCOMES: list[dict[str, Any]] = json.loads((CAPTURED / "operations.json").read_text())
OF_LISTENER, OF_ROUTE, OF_CLUSTER = TYPES


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: json.dumps(outcome["patch"]["operation"]))
def test_an_operation_does_what_envoy_gateway_does(outcome: dict[str, Any]) -> None:
    patch = outcome["patch"]
    ours, _ = patched(captured("unpatched"), [patch])
    assert list(ours[patch["type"]].values()) == [read(patch["type"], each) for each in outcome["result"]]


def test_some_operations_change_something_and_others_do_not_apply() -> None:
    unpatched = captured("unpatched")
    changed = [patched(unpatched, [outcome["patch"]]) for outcome in OUTCOMES]
    assert {bool(problems) for _, problems in changed} == {True, False}
    assert all((resources == unpatched) is bool(problems) for resources, problems in changed)


def test_a_whole_rendering_becomes_what_envoy_gateway_makes_of_it() -> None:
    patches = json.loads((CAPTURED / "patches.json").read_text())
    resources, problems = patched(captured("unpatched"), patches)
    assert problems == []
    theirs = captured("patched")
    for type_ in TYPES:
        assert list(resources[type_]) == list(theirs[type_])
        for name, resource in resources[type_].items():
            assert resource == theirs[type_][name]


def test_without_the_clusters_patches_the_listener_is_ours_all_the_same() -> None:
    """Each policy may fail by itself, so each must be safe by itself."""
    [patch] = shipped()["patch-listener"]["spec"]["jsonPatches"]
    resources, problems = patched(captured("unpatched"), [patch])
    assert problems == []
    assert not resources[OF_CLUSTER]
    assert "situs_sidecar" in json.dumps(write(resources[OF_LISTENER][LISTENER]))


def test_without_the_listeners_patch_no_route_names_a_cluster() -> None:
    clusters = [patch for patch in patches_of(shipped()) if patch["type"] == OF_CLUSTER]
    resources, problems = patched(captured("unpatched"), clusters)
    assert problems == []
    assert format_plan(("eu-fra", "eu-ams")) in resources[OF_CLUSTER]
    assert resources[OF_LISTENER] == captured("unpatched")[OF_LISTENER]
    routes = json.dumps(write(resources[OF_ROUTE][LISTENER]))
    assert '"cluster' not in routes
    assert '"direct_response"' in routes
