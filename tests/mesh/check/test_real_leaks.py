"""Faults that the linter names, in a real Envoy: where a request really went, which the configuration without it kept.

Each leak is a fault and something that happens then; the same thing does not happen without the fault. Where one fault
alone opens nothing, because another part still holds, `beside` opens that part in both.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
from mesh.check.breaking import (
    Break,
    action,
    aggregate,
    decision,
    first_route,
    insert,
    manager,
    mode,
    of_route,
    one_more_cell,
    one_more_listener,
    per_route,
    put,
)
from mesh.check.faults_of_detours import OTHER, composite, copy_of_another_host
from mesh.check.rendered import Rendered, findings
from mesh.example import LOOPBACK
from mesh.world import Cell, World, free_port, running_world, source_of, wait_for

from extproc.core.reading import Reading
from extproc.core.tables import PolicyTables
from extproc.mesh.section import Mesh
from extproc.names import ATTEMPT_LOG, DECISION_HEADER, REQUEST_LOG

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
HEADER_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
LUA = "envoy.extensions.filters.http.lua.v3.Lua"
LUA_CODE = 'function envoy_on_request(h) h:headers():replace("x-situs-route", "c" .. "2") end'
SETS_PLAN = {
    "append": {"header": {"key": "x-situs-route", "value": "c2"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
}
FOREIGN = "81.2.69.142"


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A fault, the rule that names it, and what happens then and not without it."""

    rule: str
    breaks: Break
    happens: Callable[[World], bool]
    beside: tuple[tuple[str, Break], ...] = ()
    ends_world: bool = False
    """What happens leaves a world that nothing else can happen in."""

    @property
    def named_beside(self) -> set[str]:
        """Give the rules that name what is opened beside the fault."""
        return {rule for rule, _ in self.beside if rule}


@contextlib.contextmanager
def _world(binary: Path, directory: Path, *breaks: Break) -> Iterator[tuple[World, set[str]]]:
    """Run the world with faults in its configuration, and tell the rules that the linter says are broken in it."""
    named: set[str] = set()

    def configure(tables: PolicyTables, reading: Reading, mesh: Mesh) -> str:
        rendered = Rendered(tables=tables, reading=reading, mesh=mesh)
        for each in breaks:
            each(rendered)
        named.update(finding.rule.id for finding in findings(rendered))
        return json.dumps(rendered.fields)

    directory.mkdir()
    with running_world(binary, directory, configure=configure) as world:
        yield world, named


def _no_strip(rendered: Rendered) -> None:
    rendered.manager["early_header_mutation_extensions"][0]["typed_config"]["mutations"].pop(0)


def _own_plan_reaches(world: World, tell: str) -> bool:
    """Tell whether a client that writes a plan of its own reaches the region that it names."""
    world.get(tell, x_situs_route="c2")
    return world.asked() == [0, 0, 1]


def _dead_sidecar(world: World) -> bool:
    world.sidecar.close()
    return _own_plan_reaches(world, "deny")


def _undecided(world: World) -> bool:
    reached = _own_plan_reaches(world, "deny")
    return reached and not world.sidecar.seen


def _soon(look: Callable[[], object]) -> bool:
    """Tell whether there is something within a second: that nothing comes can only be waited for."""
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        if look():
            return True
        time.sleep(0.01)
    return False


def _copied(world: World) -> bool:
    world.get("route c0")
    return _soon(lambda: world.cells[2].requests)


def _copied_elsewhere(world: World) -> bool:
    """Ask for what is not for a model, whose own cluster is not even up."""
    world.get("none", host=OTHER)
    return _soon(lambda: world.cells[2].requests) and not world.sidecar.seen


def _straight(world: World) -> bool:
    world.get("route c0", path="/straight")
    return world.asked() == [0, 0, 1]


def _by_own_header(world: World) -> bool:
    world.get("route c0", path="/straight", x_region="c2")
    return world.asked() == [0, 0, 1]


def _shared(world: World) -> bool:
    for _ in range(20):
        world.get("route c0")
    return world.asked()[1] > 0


def _failed_over(world: World) -> bool:
    world.cells[0].status = 503
    world.get("route c0>c1")
    return world.asked() == [1, 0, 1]


def _spoofed(world: World) -> bool:
    world.get("route c0", x_forwarded_for=FOREIGN)
    return source_of(world.sidecar.seen[-1]).startswith(FOREIGN)


def _placed_anew(world: World) -> bool:
    """Tell whether the sidecar is asked about one request as one of two addresses, when its cell redirects it."""
    _redirect(world.cells[0])
    world.get("route c0", x_forwarded_for=FOREIGN)
    return {source_of(seen).startswith(FOREIGN) for seen in world.sidecar.seen} == {True, False}


def _redirect(cell: Cell) -> None:
    """Make a cell answer with a redirect to another path of the same host."""
    cell.status = 302
    server = cell._server

    class Redirecting(server.RequestHandlerClass):  # type: ignore[misc,name-defined]
        def end_headers(self) -> None:
            if self.path.startswith("/v2/models"):
                self.send_header("location", f"http://{self.headers['host']}/other")
            super().end_headers()

    server.RequestHandlerClass = Redirecting


def _elsewhere(world: World) -> bool:
    world.get("route c0")
    return world.asked() == [0, 0, 1]


def _unseen_attempt(world: World) -> bool:
    world.cells[0].status = 503
    answer = world.get("route c0>c1")
    assert world.asked() == [1, 1, 0]
    made = answer.headers[DECISION_HEADER]
    wait_for("the request's entry", lambda: world.sidecar.logged(REQUEST_LOG, made))
    if _soon(lambda: len(world.sidecar.logged(ATTEMPT_LOG, made)) == 2):
        return False
    served = {one.common_properties.upstream_cluster for one in world.sidecar.logged(REQUEST_LOG, made)}
    return served == {"c1"} and not world.sidecar.logged(ATTEMPT_LOG, made)


def _upgraded(world: World) -> bool:
    with contextlib.suppress(httpx.TransportError):
        world.get("deny", connection="upgrade", upgrade="websocket", x_situs_route="c2")
    return world.asked() == [0, 0, 1] and not world.sidecar.seen


def _own_websocket(rendered: Rendered) -> None:
    router = rendered.manager["http_filters"][-1]
    rendered.manager["upgrade_configs"] = [{"upgrade_type": "websocket", "filters": [router]}]


def _connects(rendered: Rendered) -> None:
    rendered.manager["upgrade_configs"] = [{"upgrade_type": "websocket"}]


NO_STRIP = (("early-strip", _no_strip),)
LEAKS = (
    Leak(rule="early-strip", breaks=_no_strip, happens=lambda world: _own_plan_reaches(world, "none")),
    Leak(
        rule="failure-mode-allow",
        breaks=put(decision, failure_mode_allow=True),
        happens=_dead_sidecar,
        beside=NO_STRIP,
        ends_world=True,
    ),
    Leak(
        rule="decision-disabled",
        breaks=per_route(of_route(disabled=True)),
        happens=_undecided,
        beside=NO_STRIP,
    ),
    Leak(
        rule="decision-missing",
        breaks=lambda rendered: rendered.manager["http_filters"].pop(0),
        happens=_undecided,
        beside=NO_STRIP,
    ),
    Leak(rule="headers-not-sent", breaks=put(mode, request_header_mode="SKIP"), happens=_undecided, beside=NO_STRIP),
    Leak(rule="headers-not-sent", breaks=put(mode, request_header_mode="skip"), happens=_undecided, beside=NO_STRIP),
    Leak(
        rule="observability-mode",
        breaks=put(decision, observability_mode=True),
        happens=lambda world: _own_plan_reaches(world, "deny"),
        beside=NO_STRIP,
    ),
    Leak(
        rule="upgrade-without-decision",
        breaks=_own_websocket,
        happens=_upgraded,
        beside=(*NO_STRIP, ("", _connects)),
    ),
    Leak(rule="mirror", breaks=put(action, request_mirror_policies=[{"cluster": "c2"}]), happens=_copied),
    Leak(rule="mirror", breaks=copy_of_another_host("c2"), happens=_copied_elsewhere),
    Leak(rule="route-to-region", breaks=first_route(cluster="c2"), happens=_straight),
    Leak(rule="route-to-region", breaks=composite, happens=_straight),
    Leak(rule="cluster-header", breaks=first_route(cluster_header="x-region"), happens=_by_own_header),
    Leak(
        rule="two-regions",
        breaks=lambda rendered: one_more_cell("c0", _port_of(rendered, "c1"))(rendered),
        happens=_shared,
    ),
    Leak(rule="plan-members", breaks=aggregate("c0", "c2"), happens=_failed_over),
    Leak(rule="remote-address", breaks=put(manager, use_remote_address=False), happens=_spoofed),
    Leak(rule="filter-behind-decision", breaks=insert("lua", LUA, inline_code=LUA_CODE), happens=_elsewhere),
    Leak(
        rule="filter-behind-decision",
        breaks=insert("mutates", HEADER_MUTATION, mutations={"request_mutations": [SETS_PLAN]}),
        happens=_elsewhere,
    ),
    Leak(
        rule="internal-redirect",
        breaks=put(action, internal_redirect_policy={"max_internal_redirects": 1}),
        happens=_placed_anew,
        beside=(("trusted-hops", put(manager, xff_num_trusted_hops=1)),),
        ends_world=True,
    ),
    Leak(
        rule="attempt-log",
        breaks=lambda rendered: rendered.filter("router")["typed_config"].pop("upstream_log"),
        happens=_unseen_attempt,
    ),
)


def _port_of(rendered: Rendered, cluster: str) -> int:
    held = rendered.cluster(cluster)["load_assignment"]["endpoints"][0]["lb_endpoints"][0]
    port: int = held["endpoint"]["address"]["socket_address"]["port_value"]
    return port


Clean: TypeAlias = Callable[[Leak], World]


@pytest.fixture(scope="module")
def clean(envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    """Give the world without a leak's fault: one for all that open the same parts beside it."""
    worlds: dict[object, World] = {}
    with contextlib.ExitStack() as stack:

        def without(leak: Leak) -> World:
            beside = tuple(breaks for _, breaks in leak.beside)
            key = (beside, leak.rule if leak.ends_world else "")
            if key not in worlds:
                directory = tmp_path_factory.mktemp("clean") / "world"
                worlds[key], named = stack.enter_context(_world(envoy_binary, directory, *beside))
                assert named == leak.named_beside
            worlds[key].forget()
            worlds[key].sidecar.seen.clear()
            return worlds[key]

        yield without


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.rule)
def test_it_leaks_with_the_fault_and_not_without_and_the_linter_names_it(
    envoy_binary: Path, tmp_path: Path, clean: Clean, leak: Leak
) -> None:
    assert not leak.happens(clean(leak))
    beside = [breaks for _, breaks in leak.beside]
    with _world(envoy_binary, tmp_path / "with", *beside, leak.breaks) as (world, named):
        assert leak.happens(world)
        assert named == leak.named_beside | {leak.rule}


def test_a_proxy_beside_the_listener_reaches_a_region_of_which_nobody_hears(envoy_binary: Path, tmp_path: Path) -> None:
    port = free_port()

    def listens(rendered: Rendered) -> None:
        one_more_listener(**{"@type": TCP_PROXY, "stat_prefix": "other", "cluster": "c2"})(rendered)
        rendered.fields["static_resources"]["listeners"][-1]["address"] = {
            "socket_address": {"address": LOOPBACK, "port_value": port}
        }

    with _world(envoy_binary, tmp_path / "with", listens) as (world, named):
        assert httpx.get(f"http://{LOOPBACK}:{port}/v2/models/digits/infer").status_code == 200
        assert world.asked() == [0, 0, 1]
        assert world.sidecar.seen == []
        assert world.sidecar.entries == []
        assert named == {"network-route"}


@pytest.mark.parametrize(("value", "attempts"), [(100, 2), (0, 0)])
def test_a_runtime_value_counts_whatever_the_clusters_say(
    envoy_binary: Path, tmp_path: Path, value: int, attempts: int
) -> None:
    """Region `r3` has no live cell: with 0 it is left, with panic it is tried. The clusters say the opposite."""

    def says_otherwise(rendered: Rendered) -> None:
        rendered.cluster("c3")["common_lb_config"]["healthy_panic_threshold"] = {"value": 100 - value}
        layer = {"name": "static", "static_layer": {"upstream.healthy_panic_threshold": value}}
        rendered.fields["layered_runtime"] = {"layers": [layer]}

    with _world(envoy_binary, tmp_path / "with", says_otherwise) as (world, _):
        wait_for("the check to find the dead region", lambda: world.counter("cluster.c3.health_check.failure"))
        wait_for("the region to be empty", lambda: not world.counter("cluster.c3.membership_healthy"))
        answer = world.get("route c3")
        assert answer.status_code == 503
        made = answer.headers[DECISION_HEADER]
        wait_for("the request's entry", lambda: world.sidecar.logged(REQUEST_LOG, made))
        wait_for("the attempts' entries", lambda: len(world.sidecar.logged(ATTEMPT_LOG, made)) >= attempts)
        assert len(world.sidecar.logged(ATTEMPT_LOG, made)) == attempts
