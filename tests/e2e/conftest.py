"""Worlds for the end-to-end tests: the demo's own, with the Envoy that is shipped and the oldest that is supported."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from extproc.demo.visits import Digits, Visitor
from extproc.demo.world import World, running_world


@pytest.fixture(params=["envoy_binary", "oldest_envoy"])
async def world(tmp_path: Path, digits_store: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    binary: Path = request.getfixturevalue(request.param)
    async with running_world(tmp_path, models=digits_store, envoy=str(binary)) as running:
        yield running


@pytest.fixture
def digits(world: World) -> Digits:
    return Digits(world.folder.models / "digits" / "samples.json")


@pytest.fixture
async def visitor(world: World, digits: Digits) -> AsyncIterator[Visitor]:
    async with Visitor(world.url, world.issuer, digits) as visitor:
        yield visitor
