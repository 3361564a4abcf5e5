"""What is read for the record alone: Envoy sends it only where the policy asks for it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mesh.example import READING, mesh_of, tables_of
from mesh.world import World, headers_of, running_world

from extproc.core.evidence import Evidence, SealedField
from extproc.core.reading import REQUEST_ID
from extproc.mesh.envoy import format_bootstrap, render_bootstrap

_SEALS = replace(READING, evidence=Evidence(sealed=frozenset({SealedField.REQUEST_ID})))


@pytest.mark.parametrize("field", SealedField)
def test_the_requests_id_is_sent_only_where_it_is_recorded(field: SealedField) -> None:
    reading = replace(READING, evidence=Evidence(subject_claim="sub", sealed=frozenset({field})))
    text = format_bootstrap(render_bootstrap(tables_of(2), reading, mesh_of([9001, 9002])))
    assert (f"exact: {REQUEST_ID}" in text) is (field is SealedField.REQUEST_ID)


@pytest.fixture(scope="module")
def sealing(envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_world(envoy_binary, tmp_path_factory.mktemp("sealing"), reading=_SEALS) as world:
        yield world


@pytest.mark.e2e
@pytest.mark.slow
def test_envoy_gives_each_request_an_id_before_it_asks(sealing: World) -> None:
    for _ in range(2):
        assert sealing.get("route c0").status_code == 200
    first, second = (headers_of(request)[REQUEST_ID] for request in sealing.sidecar.seen[-2:])
    assert len(first) == len(second) == 36
    assert first != second
    assert sealing.cells[0].requests[-1][REQUEST_ID] == second


@pytest.mark.e2e
@pytest.mark.slow
def test_an_id_that_a_client_wrote_is_only_ever_recorded(sealing: World) -> None:
    """Envoy keeps or replaces it, by the edge; either way no decision depends on it."""
    assert sealing.get("route c0", **{REQUEST_ID: "not-a-uuid"}).status_code == 200
    assert headers_of(sealing.sidecar.seen[-1])[REQUEST_ID]
