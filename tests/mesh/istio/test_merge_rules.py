"""The tests' merge rules do what a real istiod did: its output with EnvoyFilters is its output without, and the rules.

The configurations were captured from proxies of a real istiod (README of extproc/mesh/istio). They stay as they were
captured when the rendering changes: they hold the rules, and the rules hold the rendering.
"""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf import json_format
from mesh.istio.merge_rules import Config, Proto, apply, merge, parse, parse_config
from mesh.istio.proxies import CAPTURED, CONTEXTS, captured


def comparable(config: Config) -> Mapping[str, Mapping[str, object]]:
    return {
        kind: {each.name: json_format.MessageToDict(each) for each in messages}
        for kind, messages in (
            ("listeners", config.listeners),
            ("routes", config.routes),
            ("clusters", config.clusters),
        )
    }


def operations(kind: str) -> Mapping[str, Any]:
    text = (CAPTURED / "operations.yaml").read_text()
    placed = {
        "gateway": {"CONTEXT": "GATEWAY", "VHOST": "*:10080"},
        "outbound": {"CONTEXT": "SIDECAR_OUTBOUND", "VHOST": "inference.situs.internal:8100", "10080": "8100"},
    }[kind]
    for name, value in placed.items():
        text = text.replace(name, value)
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.mark.parametrize("kind", list(CONTEXTS))
def test_our_patches_as_istiod_applied_them(kind: str) -> None:
    without = parse_config(captured(f"{kind}-without"))
    patched = comparable(apply([captured(f"{kind}-envoyfilter")], without, CONTEXTS[kind]))
    assert patched == comparable(parse_config(captured(f"{kind}-with")))
    assert patched != comparable(without)


@pytest.mark.parametrize("kind", list(CONTEXTS))
def test_every_operation_as_istiod_applied_it(kind: str) -> None:
    without = parse_config(captured(f"{kind}-without"))
    patched = comparable(apply([operations(kind)], without, CONTEXTS[kind]))
    assert patched == comparable(parse_config(captured(f"{kind}-operations")))
    assert patched != comparable(without)


def test_patches_of_another_context_change_nothing() -> None:
    without = parse_config(captured("gateway-without"))
    assert comparable(apply([captured("gateway-envoyfilter")], without, "SIDECAR_INBOUND")) == comparable(without)


def test_a_merge_cannot_set_back_to_zero_and_replaces_a_duration() -> None:
    """What makes the declared hops a matter of the pod's annotation too, and not of the patch alone."""
    target = parse({"xff_num_trusted_hops": 2, "stream_idle_timeout": "1.5s"}, HttpConnectionManager)
    merge(target, parse({"xff_num_trusted_hops": 0, "stream_idle_timeout": "2s"}, HttpConnectionManager))
    assert target == parse({"xff_num_trusted_hops": 2, "stream_idle_timeout": "2s"}, HttpConnectionManager)


def test_a_merge_into_another_choice_takes_its_place() -> None:
    target: Proto = parse({"direct_response": {"status": 503}}, Route)
    merge(target, parse({"route": {"cluster": "c"}}, Route))
    assert target.WhichOneof("action") == "route"
