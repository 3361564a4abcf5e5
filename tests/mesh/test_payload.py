"""What the rendered configuration is where the policy reads payloads; what it then does is in `tests/wire`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mesh.example import mesh_of, tables_of
from mesh.test_validate import validate
from ruamel.yaml import YAML

from extproc.core.ids import DataClass
from extproc.core.payload import PayloadReading
from extproc.core.reading import Reading
from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.section import EnvoyVersion, Limits

KIB = 1024


def reading_of(limit_kib: int | None) -> Reading:
    if limit_kib is None:
        return Reading(jurisdiction_header="x-data-jurisdiction")
    payload = PayloadReading(limit_bytes=limit_kib * KIB, unreadable=DataClass("special"))
    return Reading(jurisdiction_header="x-data-jurisdiction", payload=payload)


def text_of(limit_kib: int | None, *, buffer_kib: int = 1024, oldest: EnvoyVersion = EnvoyVersion.V1_38) -> str:
    mesh = replace(mesh_of([9001, 9002]), limits=Limits(buffer_kib=buffer_kib), oldest_envoy=oldest)
    return format_bootstrap(render_bootstrap(tables_of(2), reading_of(limit_kib), mesh))


class Parts:
    """The parts of a rendered listener that depend on whether payloads are read."""

    def __init__(self, limit_kib: int | None, *, buffer_kib: int = 1024) -> None:
        config: Any = YAML(typ="safe", pure=True).load(text_of(limit_kib, buffer_kib=buffer_kib))
        self.listener = config["static_resources"]["listeners"][0]
        self.manager = self.listener["filter_chains"][0]["filters"][0]["typed_config"]
        self.filters = {entry["name"]: entry["typed_config"] for entry in self.manager["http_filters"]}
        self.names = list(self.filters)
        self.decision = self.filters["envoy.filters.http.ext_proc"]

    @property
    def forwarded(self) -> list[str]:
        return [pattern["exact"] for pattern in self.decision["forward_rules"]["allowed_headers"]["patterns"]]


def test_without_payloads_nothing_of_it_is_there() -> None:
    parts = Parts(None, buffer_kib=512)
    assert "request_body_mode" not in parts.decision["processing_mode"]
    assert parts.decision["route_cache_action"] == "CLEAR"
    assert "allow_content_length_header" not in parts.decision
    assert parts.names == ["envoy.filters.http.ext_proc", "envoy.filters.http.router"]
    assert parts.forwarded == [":path", "x-data-jurisdiction"]
    assert parts.listener["per_connection_buffer_limit_bytes"] == 512 * KIB


def test_the_body_is_sent_and_the_route_is_chosen_anew_behind_it() -> None:
    parts = Parts(64)
    assert parts.decision["processing_mode"]["request_body_mode"] == "BUFFERED_PARTIAL"
    assert "allow_mode_override" not in parts.decision
    assert "failure_mode_allow" not in parts.decision
    # Cleared by this filter, the route cache would be cleared after the request went on by the old route.
    assert parts.decision["route_cache_action"] == "RETAIN"
    assert parts.names == [
        "envoy.filters.http.ext_proc",
        "envoy.filters.http.set_filter_state",
        "envoy.filters.http.router",
    ]
    assert parts.filters["envoy.filters.http.set_filter_state"]["clear_route_cache"] is True
    assert parts.decision["allow_content_length_header"] is True
    assert parts.forwarded == [":path", "x-data-jurisdiction", "content-encoding"]


@pytest.mark.parametrize(("limit_kib", "window"), [(1, 64), (64, 64), (65, 65), (1024, 1024)])
def test_a_body_of_the_limit_is_whole_for_both_protocols(limit_kib: int, window: int) -> None:
    parts = Parts(limit_kib)
    assert parts.listener["per_connection_buffer_limit_bytes"] == limit_kib * KIB
    http2 = parts.manager["http2_protocol_options"]
    assert http2["initial_stream_window_size"] == window * KIB
    assert http2["initial_connection_window_size"] == 1024 * KIB


@pytest.mark.parametrize("limit_kib", [1, 64, 1024])
def test_where_payloads_are_read_no_route_has_a_buffer_of_its_own(limit_kib: int) -> None:
    """With one that is larger than the listener's, Envoy sends the beginning of a long body twice."""
    text = text_of(limit_kib)
    assert "request_body_buffer_limit" not in text
    assert "per_request_buffer_limit_bytes" not in text


def test_elsewhere_a_body_is_kept_as_far_as_the_mesh_file_says() -> None:
    """For HTTP/2 too, where it is else the window of a stream."""
    manager = Parts(None, buffer_kib=512).manager
    by_plan, refusal = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert by_plan["request_body_buffer_limit"] == 512 * KIB
    assert "request_body_buffer_limit" not in refusal
    assert manager["http2_protocol_options"]["initial_stream_window_size"] == 64 * KIB


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("limit_kib", [1, 64, 1024])
def test_envoy_accepts_it(envoy_binary: Path, tmp_path: Path, limit_kib: int) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text(text_of(limit_kib))
    validate(envoy_binary, config)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("limit_kib", [1, 1024])
def test_the_oldest_envoy_accepts_what_is_rendered_for_it(oldest_envoy: Path, tmp_path: Path, limit_kib: int) -> None:
    config = tmp_path / "envoy.yaml"
    config.write_text(text_of(limit_kib, oldest=EnvoyVersion.V1_36))
    validate(oldest_envoy, config)
