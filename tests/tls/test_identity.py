"""One certificate proves one identity, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mesh.scalars import parse_spiffe as parse_in_mesh
from extproc.strict_yaml import UnfitError
from extproc.tls.identity import IdentityError, parse_spiffe, proven_by

ENVOY = "spiffe://acme.example/envoy"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "acme.example/envoy",
        "https://acme.example/envoy",
        "SPIFFE://acme.example/envoy",
        "spiffe://acme.example",
        "spiffe://acme.example/",
        "spiffe://acme.example//envoy",
        "spiffe://acme.example/envoy/",
        "spiffe://acme.example/../envoy",
        "spiffe://acme.example/./envoy",
        "spiffe://acme.example/envoy?",
        "spiffe://acme.example/envoy#a",
        "spiffe://Acme.example/envoy",
        "spiffe://acme.example:443/envoy",
        "spiffe://a@acme.example/envoy",
        "spiffe://acme.example/env%6fy",
        "spiffe://acme.example/envoy\n",
        "spiffe://acme.example/envoy\0",
        "spiffe:///envoy",
        "spiffe://acme.example/" + "a" * 2048,
    ],
)
def test_what_is_no_spiffe_id(written: str) -> None:
    with pytest.raises(ValueError, match="is no SPIFFE id"):
        parse_spiffe(written)
    with pytest.raises(IdentityError, match="is no SPIFFE id"):
        proven_by([written])


def test_one_uri_is_the_identity() -> None:
    assert parse_spiffe(ENVOY) == ENVOY
    assert proven_by([ENVOY]) == ENVOY


def test_none_and_several_prove_nobody() -> None:
    with pytest.raises(IdentityError, match="has no URI"):
        proven_by([])
    with pytest.raises(IdentityError, match="has 2 URIs"):
        proven_by([ENVOY, ENVOY])


@given(st.from_regex(r"spiffe://[a-z0-9.-]{1,9}(/[A-Za-z0-9._%~-]{0,4}){0,4}", fullmatch=True) | st.text(max_size=40))
def test_the_mesh_file_and_a_certificate_are_read_alike(written: str) -> None:
    def accepts(parse: object) -> bool:
        assert callable(parse)
        try:
            return bool(parse(written) == written)
        except (UnfitError, ValueError):
            return False

    assert accepts(parse_spiffe) == accepts(parse_in_mesh)
