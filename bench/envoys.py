"""Envoy's configuration for a rung: what the product renders, less what the rung leaves out, and a clock.

The clock is a text access log of one field, Envoy's own measure of the hop to the sidecar. Every rung writes it, so
that it adds the same to each.
"""

import json
from pathlib import Path
from typing import Any, Final

import yaml

from bench.sidecars import STEERING
from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.envoy.decision import FILTER
from extproc.mesh.section import Mesh

_HOP_US: Final = "%FILTER_STATE(envoy.filters.http.ext_proc:FIELD:request_header_latency_us)%\n"
_LOG: Final = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"


def write_envoy(  # noqa: PLR0913 - what a rung's Envoy depends on, each by name
    path: Path, *, tables: PolicyTables, reading: Reading, mesh: Mesh, asks: bool, reports: bool, clock: Path
) -> None:
    """Write a configuration as JSON. `asks` keeps the sidecar's filter, `reports` the access logs for the sidecar."""
    rendered: Any = yaml.safe_load(format_bootstrap(render_bootstrap(tables, reading, mesh)))
    manager = rendered["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    if not reports:
        manager["access_log"] = []
        del manager["http_filters"][-1]["typed_config"]["upstream_log"]
    if not asks:
        manager["http_filters"] = [each for each in manager["http_filters"] if each["name"] != FILTER]
        _always_route(manager["route_config"])
    text = {"text_format_source": {"inline_string": _HOP_US}}
    manager["access_log"].append(
        {"name": "clock", "typed_config": {"@type": _LOG, "path": str(clock), "log_format": text}}
    )
    path.write_text(json.dumps(rendered, indent=1))


def _always_route(config: Any) -> None:  # noqa: ANN401 - parsed YAML
    """Send every request along the plan that a no-op sidecar names, with all else of the route as it is."""
    route = config["virtual_hosts"][0]["routes"][0]
    del route["match"]["headers"]
    del route["route"]["cluster_header"]
    route["route"]["cluster"] = STEERING.route


def read_hops_us(clock: Path, offset: int) -> list[int]:
    """Give what Envoy's clock said after `offset` bytes, in microseconds, in ascending order."""
    with clock.open("rb") as file:
        file.seek(offset)
        return sorted(int(line) for line in file.read().split() if line.isdigit())
