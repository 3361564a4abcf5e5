"""Envoy Gateway's policies: what they say of the external processor, and the patches that they make.

SPEC: gateway.envoyproxy.io/v1alpha1.
"""

from collections.abc import Iterator

from extproc.mesh.check.finding import Finding
from extproc.mesh.check.istio.attached import Attached, found
from extproc.mesh.check.istio.patch_value import Part, check_part
from extproc.mesh.check.istio.rules import FAILS_OPEN, REMOVED
from extproc.mesh.check.node import Node
from extproc.mesh.check.resource import Resource


def check_extension_policy(policy: Resource, _: Attached) -> Iterator[Finding]:
    """Judge every external processor in it."""
    for processor in policy.spec.at("ext_proc").each():
        if processor.at("fail_open").flag:
            told = "a request goes on when the processor gives no answer"
            yield found(FAILS_OPEN, policy, processor.at("fail_open"), told, "write failOpen: false")


def check_patch_policy(policy: Resource, attached: Attached) -> Iterator[Finding]:
    """Judge what its patches put into a proxy's configuration, and what they remove."""
    for patch in policy.spec.at("json_patches").each():
        operation = patch.at("operation")
        value = operation.at("value")
        places = (patch.at("name"), operation.at("path"), operation.at("json_path"))
        is_ours = any(name in place.text for place in places for name in ("ext_proc", "situs"))
        if operation.at("op").text == "remove" and is_ours:
            yield found(REMOVED, policy, operation, "it removes what decides", "remove this patch")
        if value.is_there:
            yield from check_part(Part(value=Node(value.value, value.path)), policy, attached)
