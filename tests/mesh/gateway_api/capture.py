"""Captures what Envoy Gateway makes of the rendering: `python -m mesh.gateway_api.capture --egctl egctl`.

Needs its command-line tool, which translates as the controller does. `operations.json` is made here, with what comes of
each: operations on the listener and the routes that Envoy Gateway makes of the example, some of which do not apply.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from mesh.gateway_api.gateway_example import Resource, patches_of, shipped
from mesh.gateway_api.gateway_xds import CAPTURED, LISTENER, TYPES

_OF_LISTENER, _OF_ROUTE, _OF_CLUSTER = TYPES
_ON_MANAGER: Final = "$..filters[?(@.name=='envoy.filters.network.http_connection_manager')]"
_MANAGER: Final = "/default_filter_chain/filters/1/typed_config"

_ROUTE: Final = {"name": "last", "match": {"prefix": "/"}, "direct_response": {"status": 404}}

OPERATIONS: Final[Sequence[tuple[str, Mapping[str, Any]]]] = (
    (_OF_LISTENER, {"op": "add", "path": "/metadata/filter_metadata/made/list/0/x", "value": "made"}),
    (_OF_LISTENER, {"op": "add", "path": "/metadata/filter_metadata/a~1b/x", "value": "made"}),
    (_OF_LISTENER, {"op": "add", "path": "/metadata", "value": {"filter_metadata": {"a/b~c": {"x": 1}}}}),
    (_OF_LISTENER, {"op": "replace", "path": "/name", "value": "renamed"}),
    (_OF_LISTENER, {"op": "replace", "path": "/nowhere", "value": 1}),
    (_OF_LISTENER, {"op": "remove", "path": "/per_connection_buffer_limit_bytes"}),
    (_OF_LISTENER, {"op": "remove", "path": "/nowhere"}),
    (_OF_LISTENER, {"op": "test", "path": "/default_filter_chain/filters/1/name", "value": "another"}),
    (_OF_LISTENER, {"op": "add", "jsonPath": _ON_MANAGER, "path": "/typed_config/server_name", "value": "x"}),
    (_OF_LISTENER, {"op": "add", "jsonPath": _ON_MANAGER, "path": "typed_config/server_name", "value": "x"}),
    (_OF_LISTENER, {"op": "replace", "jsonPath": "$..http_filters[0].name", "value": "x"}),
    (_OF_LISTENER, {"op": "remove", "jsonPath": "$..nowhere"}),
    (_OF_LISTENER, {"op": "copy", "from": "/name", "path": f"{_MANAGER}/server_name"}),
    (_OF_LISTENER, {"op": "move", "from": f"{_MANAGER}/stat_prefix", "path": f"{_MANAGER}/server_name"}),
    (_OF_LISTENER, {"op": "replace", "path": "/default_filter_chain/filters/0", "value": {"name": "x"}}),
    (_OF_LISTENER, {"op": "remove", "path": "/default_filter_chain/filters/0"}),
    (_OF_LISTENER, {"op": "add", "path": "/no_field_of_envoys", "value": 1}),
    (
        _OF_ROUTE,
        {"op": "add", "path": "/virtual_hosts/0/routes/-", "value": _ROUTE},
    ),
    (_OF_ROUTE, {"op": "add", "path": "/virtual_hosts/0/domains/0", "value": "x.example"}),
    (_OF_ROUTE, {"op": "add", "path": "/virtual_hosts/5/name", "value": "x"}),
    (_OF_ROUTE, {"op": "add", "jsonPath": "$.virtual_hosts[?(@.name=='nobody')]", "path": "/name", "value": "x"}),
)


def translate(egctl: Path, resources: Sequence[Resource]) -> Mapping[str, Any]:
    """Give the configuration that Envoy Gateway makes of resources: the JSON of each resource, by type."""
    done = subprocess.run(
        [egctl, "x", "translate", "--from", "gateway-api", "--to", "xds", "--output", "json", "--file", "-"],
        input="---\n".join(yaml.safe_dump(resource, sort_keys=False) for resource in resources),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"egctl refuses it: {done.stderr}")
    found: dict[str, list[Any]] = {type_: [] for type_ in TYPES}
    _collect(json.loads(done.stdout), found)
    # Beside ours there is a listener by which Kubernetes asks whether Envoy is ready.
    found[_OF_LISTENER] = [each for each in found[_OF_LISTENER] if not each["name"].startswith("envoy-gateway-")]
    return found


def _collect(value: Any, found: Mapping[str, list[Any]]) -> None:  # noqa: ANN401 - any JSON
    """Find the resources in a dump, which has one in another."""
    if isinstance(value, dict):
        if value.get("@type") in found:
            found[value["@type"]].append(value)
            return
        for each in value.values():
            _collect(each, found)
    elif isinstance(value, list):
        for each in value:
            _collect(each, found)


def _policy(patches: Sequence[Mapping[str, Any]], resources: Mapping[str, Resource]) -> Resource:
    policy = resources["patch-listener"]
    return {**policy, "spec": {**policy["spec"], "jsonPatches": list(patches)}}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the captured files anew."""
    parser = argparse.ArgumentParser(prog="python -m mesh.gateway_api.capture", description=__doc__)
    parser.add_argument("--egctl", type=Path, required=True)
    args = parser.parse_args(argv)
    resources = shipped()
    plain = [each for each in resources.values() if each["kind"] != "EnvoyPatchPolicy"]
    outcomes = []
    for type_, operation in OPERATIONS:
        patch = {"type": type_, "name": LISTENER, "operation": operation}
        dump = translate(args.egctl, [*plain, _policy([patch], resources)])
        outcomes.append({"patch": patch, "result": dump[type_]})
    for name, content in (
        ("unpatched", translate(args.egctl, plain)),
        ("patches", list(patches_of(resources))),
        ("patched", translate(args.egctl, list(resources.values()))),
        ("operations", outcomes),
    ):
        (CAPTURED / f"{name}.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
