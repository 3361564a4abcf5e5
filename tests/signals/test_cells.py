"""Probes of real cells."""

from pathlib import Path

import httpx
import pytest
from extproc.sidecar.probes import probe_region

from extproc.core.ids import RegionId
from extproc.core.routing.health import Outcome
from extproc.demo.world import free_port
from inference.testing import running_cell

_FRA, _IAD = RegionId("eu-fra"), RegionId("us-iad")


@pytest.mark.slow
async def test_a_cell_is_asked_whether_it_is_ready_and_where_it_is(digits_store: Path) -> None:
    arguments = ["--region", "eu-fra", "--jurisdiction", "DE", "--models", str(digits_store)]
    nobody = f"127.0.0.1:{free_port()}"
    with running_cell(arguments) as cell:
        here = cell.url.removeprefix("http://")
        async with httpx.AsyncClient(trust_env=False) as client:
            outcome, took_s = await probe_region(client, _FRA, [here])
            assert (outcome, took_s > 0) == (Outcome.OK, True)
            assert (await probe_region(client, _FRA, [nobody, here]))[0] is Outcome.OK
            assert (await probe_region(client, _FRA, [nobody]))[0] is Outcome.UNREACHED
            # A cell of another region among ours: nothing may be routed there.
            assert (await probe_region(client, _IAD, [here]))[0] is Outcome.UNREACHED
            assert (await probe_region(client, _IAD, [nobody, here]))[0] is Outcome.UNREACHED
