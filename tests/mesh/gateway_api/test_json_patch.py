"""The tests' own patching, by what the specifications and Envoy Gateway's documentation say."""

from typing import Any

import pytest
from mesh.gateway_api.json_patch import PatchError, apply_operation, find

DOCUMENT: dict[str, Any] = {
    "filters": [{"name": "a", "config": {"x": 1}}, {"name": "b"}],
    "chain": {"filters": [{"name": "b", "odd/key": "~"}]},
}


@pytest.mark.parametrize(
    ("path", "pointers"),
    [
        ("$.chain", ["/chain"]),
        ("$.filters[1]", ["/filters/1"]),
        ("$.filters[2]", []),
        ("$.filters[?(@.name=='b')]", ["/filters/1"]),
        ("$..filters[?(@.name=='b')]", ["/filters/1", "/chain/filters/0"]),
        ("$..filters[?(@.name=='b')].name", ["/filters/1/name", "/chain/filters/0/name"]),
        ("$..nowhere", []),
    ],
)
def test_a_path_selects(path: str, pointers: list[str]) -> None:
    assert find(DOCUMENT, path) == pointers


@pytest.mark.parametrize("path", ["$", "filters", "$.filters[*]", "$.filters[?(@.x>1)]"])
def test_what_is_not_understood_is_an_error_and_not_nothing(path: str) -> None:
    with pytest.raises(PatchError):
        find(DOCUMENT, path)


def test_add_makes_missing_parents() -> None:
    changed = apply_operation({}, {"op": "add", "path": "/a/0/b", "value": 1})
    assert changed == {"a": [{"b": 1}]}


def test_add_inserts_into_a_list() -> None:
    changed = apply_operation({"l": [1, 2]}, {"op": "add", "path": "/l/1", "value": 9})
    assert apply_operation(changed, {"op": "add", "path": "/l/-", "value": 8}) == {"l": [1, 9, 2, 8]}


def test_the_path_is_appended_to_what_the_json_path_selects() -> None:
    operation = {"op": "add", "jsonPath": "$..filters[?(@.name=='b')]", "path": "/config/y", "value": 2}
    changed = apply_operation(DOCUMENT, operation)
    assert [changed["filters"][1], changed["chain"]["filters"][0]] == [
        {"name": "b", "config": {"y": 2}},
        {"name": "b", "odd/key": "~", "config": {"y": 2}},
    ]
    assert "config" not in DOCUMENT["filters"][1]


def test_replace_move_copy_and_remove() -> None:
    changed = apply_operation(DOCUMENT, {"op": "replace", "path": "/filters/0/config/x", "value": 3})
    changed = apply_operation(changed, {"op": "copy", "from": "/filters/0/config", "path": "/copied"})
    changed = apply_operation(changed, {"op": "move", "from": "/chain/filters/0/odd~1key", "path": "/moved"})
    changed = apply_operation(changed, {"op": "remove", "path": "/filters/0"})
    assert changed == {
        "filters": [{"name": "b"}],
        "chain": {"filters": [{"name": "b"}]},
        "copied": {"x": 3},
        "moved": "~",
    }


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/nowhere", "value": 1},
        {"op": "replace", "path": "/filters/7", "value": 1},
        {"op": "replace", "jsonPath": "$.nowhere", "value": 1},
        {"op": "remove", "path": "/nowhere"},
        {"op": "test", "path": "/filters/0/name", "value": "b"},
        {"op": "add", "path": "/filters/9", "value": 1},
        {"op": "add", "path": "/made/odd~1key/x", "value": 1},
        {"op": "add", "path": "/filters/-"},
        {"op": "add", "value": 1},
        {"op": "add", "path": "/x", "value": 1, "from": "/filters"},
        {"op": "remove", "path": "/filters", "value": 1},
        {"op": "move", "path": "/x"},
        {"op": "merge", "path": "/x", "value": 1},
        {"op": "replace", "path": "", "value": {}},
    ],
)
def test_what_does_not_apply_is_an_error(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        apply_operation(DOCUMENT, operation)


def test_a_value_that_is_as_it_is_tested_changes_nothing() -> None:
    assert apply_operation(DOCUMENT, {"op": "test", "path": "/filters/0/name", "value": "a"}) == DOCUMENT
