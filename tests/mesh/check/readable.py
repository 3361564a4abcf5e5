"""One configuration in every form in which it may come, and the faults that tests put into it."""

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mesh.example import READING, mesh_of, tables_of

from extproc.mesh.check.config import Expected
from extproc.mesh.check.finding import Finding
from extproc.mesh.check.judge import Judgement, judge
from extproc.mesh.check.read import Source, read_sources
from extproc.mesh.envoy import fields_of, render_bootstrap
from extproc.strict_yaml import DocumentError, Problem

Fields: TypeAlias = dict[str, Any]
"""JSON that a test changes in place."""

EXPECTED = Expected(tables=tables_of(2), reading=READING, mesh=mesh_of([9001, 9002]))
_RENDERED = json.dumps(fields_of(render_bootstrap(EXPECTED.tables, EXPECTED.reading, EXPECTED.mesh)))
_ADMIN = "type.googleapis.com/envoy.admin.v3."
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def bootstrap() -> Fields:
    fields: Fields = json.loads(_RENDERED)
    return fields


def manager(fields: Fields) -> Fields:
    found: Fields = fields["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def ext_proc(fields: Fields) -> Fields:
    found: Fields = next(f["typed_config"] for f in manager(fields)["http_filters"] if "ext_proc" in f["name"])
    return found


def by_plan(fields: Fields) -> Fields:
    found: Fields = manager(fields)["route_config"]["virtual_hosts"][0]["routes"][0]
    return found


def region(fields: Fields) -> Fields:
    found: Fields = fields["static_resources"]["clusters"][0]
    return found


def fails_open(fields: Fields) -> None:
    ext_proc(fields)["failure_mode_allow"] = True


def panics(fields: Fields) -> None:
    region(fields)["common_lb_config"]["healthy_panic_threshold"] = {"value": 50}


def mirrors(fields: Fields) -> None:
    by_plan(fields)["route"]["request_mirror_policies"] = [{"cluster": "c1"}]


def trusts_everybody(fields: Fields) -> None:
    manager(fields)["use_remote_address"] = False


def straight(fields: Fields) -> None:
    routes = manager(fields)["route_config"]["virtual_hosts"][0]["routes"]
    routes.insert(0, {"name": "direct", "match": {"prefix": "/direct"}, "route": {"cluster": "c1"}})


def asks_for_node(fields: Fields) -> None:
    ext_proc(fields)["request_attributes"].append("xds.node")


FAULTS: Mapping[str, Callable[[Fields], None]] = {
    "failure-mode-allow": fails_open,
    "panic": panics,
    "mirror": mirrors,
    "route-to-region": straight,
    "attribute-unneeded": asks_for_node,
    "": trusts_everybody,
}


def with_faults(*names: str) -> Fields:
    fields = bootstrap()
    for name in names:
        FAULTS[name](fields)
    return fields


def dump_of(fields: Fields) -> Fields:
    """Give what the admin port of an Envoy that takes its resources from a control plane would show."""
    static = fields["static_resources"]
    listeners = [
        {"name": each["name"], "active_state": {"version_info": "1", "listener": {"@type": LISTENER, **each}}}
        for each in static["listeners"]
    ]
    clusters = [{"version_info": "1", "cluster": {"@type": CLUSTER, **each}} for each in static["clusters"]]
    return {
        "configs": [
            {"@type": f"{_ADMIN}BootstrapConfigDump", "bootstrap": fields},
            {"@type": f"{_ADMIN}ClustersConfigDump", "dynamic_active_clusters": clusters},
            {"@type": f"{_ADMIN}ListenersConfigDump", "dynamic_listeners": listeners},
            {"@type": f"{_ADMIN}RoutesConfigDump", "static_route_configs": []},
        ]
    }


def section(dump: Fields, name: str) -> Fields:
    found: Fields = next(each for each in dump["configs"] if each["@type"].endswith(f".{name}ConfigDump"))
    return found


def answer(kind: str, resources: list[Fields]) -> Fields:
    """Give an answer of discovery."""
    return {"version_info": "1", "type_url": kind, "resources": [{"@type": kind, **each} for each in resources]}


def camel(value: Any, choose: Callable[[], bool] = lambda: True) -> Any:  # noqa: ANN401 - JSON
    """Spell the fields of a message in camelCase where `choose` says so. Keys of maps have dots, and are left."""
    if isinstance(value, dict):
        return {_camel(name) if choose() else name: camel(each, choose) for name, each in value.items()}
    if isinstance(value, list):
        return [camel(each, choose) for each in value]
    return value


def _camel(name: str) -> str:
    return name if "." in name or "@" in name else re.sub("_([a-z0-9])", lambda step: step[1].upper(), name)


def source(value: object, origin: str = "given.json") -> Source:
    text = value if isinstance(value, str) else json.dumps(value)
    return Source(origin=origin, data=text.encode())


def judged(*values: object, expected: Expected = EXPECTED) -> Judgement:
    sources = [source(each, f"f{index}.json") for index, each in enumerate(values)]
    return judge(read_sources(sources), expected)


def said(findings: tuple[Finding, ...]) -> set[tuple[str, str]]:
    return {(finding.rule.id, finding.message) for finding in findings}


def problems_of(call: Callable[[], object]) -> tuple[Problem, ...]:
    """Call, and give what was refused; nothing where nothing was."""
    try:
        call()
    except DocumentError as error:
        return error.problems
    return ()


def copied(fields: Fields) -> Fields:
    return copy.deepcopy(fields)
