"""The declared edge, a region of several cells, and a sidecar that is gone, each with a real Envoy."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mesh.example import READING
from mesh.world import ToldSidecar, World, running_world, source_of, wait_for

from extproc.core.ids import RegionId
from extproc.mesh.section import Endpoints, Mesh
from extproc.names import DECISION_HEADER, REQUEST_LOG

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def behind_proxy(any_envoy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One proxy of the operator's own in front; region `r0` has the cells of `r0` and `r1`."""

    def two_cells(mesh: Mesh) -> Mesh:
        first, second = (mesh.regions[RegionId(name)].endpoints for name in ("r0", "r1"))
        return replace(mesh, regions={**mesh.regions, RegionId("r0"): Endpoints(endpoints=first + second)})

    directory = tmp_path_factory.mktemp("edge")
    reading = replace(READING, trusted_hops=1)
    with running_world(any_envoy, directory, reading=reading, change=two_cells) as world:
        yield world


@pytest.mark.parametrize(
    ("forwarded", "source"),
    [
        ("81.2.69.142", "81.2.69.142:0"),
        ("2001:218::1", "[2001:218::1]:0"),
        ("203.0.113.9, 81.2.69.142", "81.2.69.142:0"),
        ("81.2.69.142, 10.0.0.1", "10.0.0.1:0"),
    ],
    ids=["v4", "v6", "client-wrote-one", "last-counts"],
)
def test_the_address_is_the_one_that_the_trusted_proxy_saw(behind_proxy: World, forwarded: str, source: str) -> None:
    behind_proxy.get("route c0", x_forwarded_for=forwarded)
    assert source_of(behind_proxy.sidecar.seen[-1]) == source


@pytest.mark.parametrize("forwarded", ["", "unknown", "81.2.69.142:1234:5"])
def test_without_a_usable_forwarded_address_it_is_the_proxys_own(behind_proxy: World, forwarded: str) -> None:
    behind_proxy.get("route c0", x_forwarded_for=forwarded)
    assert source_of(behind_proxy.sidecar.seen[-1]).startswith("127.0.0.1:")


def test_a_retry_in_a_region_of_several_cells_takes_another_cell(behind_proxy: World) -> None:
    behind_proxy.forget()
    behind_proxy.cells[0].status = 503
    for _ in range(8):
        assert behind_proxy.get("route c0").status_code == 200
    assert behind_proxy.asked()[1] == 8


def test_without_the_sidecar_every_request_is_a_refusal_until_it_is_back(any_envoy: Path, tmp_path: Path) -> None:
    with running_world(any_envoy, tmp_path) as world:
        assert world.get("route c0").status_code == 200
        world.sidecar.close()
        assert [world.get("route c0").status_code for _ in range(3)] == [503, 503, 503]
        assert world.asked() == [1, 0, 0]

        world.sidecar = ToldSidecar(tmp_path / "sidecar.sock")
        wait_for("the sidecar to be asked again", lambda: world.get("route c1").status_code == 200)
        decision = world.cells[1].requests[-1][DECISION_HEADER]
        wait_for("the log to be sent again", lambda: world.sidecar.logged(REQUEST_LOG, decision))
