"""Runtime values that change what the rest of a configuration says (`layered_runtime` of a bootstrap)."""

from collections.abc import Iterator
from typing import Final

from extproc.mesh.check.finding import Finding, Rule, Severity
from extproc.mesh.check.node import Node

_PANIC: Final = "upstream.healthy_panic_threshold"
_GUARDED: Final = ("envoy.reloadable_features.", "envoy.restart_features.")
_ABOUT_US: Final = ("ext_proc", "ext_processor", "early_header", "aggregate", "access_log", "jwt", "retry", "sanitize")
_PREFIXES: Final = ("circuit_breakers.", "upstream.base_retry", "upstream.use_retry", "upstream.maintenance_mode")

RUNTIME: Final = Rule(
    id="runtime",
    severity=Severity.FAULT,
    title="No runtime value changes what the configuration says",
    why="Measured: upstream.healthy_panic_threshold counts in place of what every cluster says, of 0 too. A feature "
    "that is switched off brings back how an older Envoy behaved.",
)
RULES: Final = (RUNTIME,)


def check_runtime(runtime: Node, origin: str) -> Iterator[Finding]:
    """Check a LayeredRuntime: no layer from elsewhere, and none of the values that bear on a decision."""
    for layer in runtime.at("layers").items():
        for name in ("rtds_layer", "disk_layer"):
            if layer.at(name).is_there:
                yield _found(layer.at(name), "values come from elsewhere while Envoy runs", f"remove {name}", origin)
        for key, node in _values(layer.at("static_layer"), ""):
            if _bears(key):
                yield _found(node, f"{key} is {node.value}", "remove it", origin)


def _values(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    """Give the values by their full keys. ENVOY: a key may be written with dots or as nested fields."""
    for name, field in node.fields():
        key = f"{prefix}{name}"
        if any(field.fields()):
            yield from _values(field, f"{key}.")
        else:
            yield key, field


def _bears(key: str) -> bool:
    guarded = key.startswith(_GUARDED) and any(word in key for word in _ABOUT_US)
    return key == _PANIC or guarded or key.startswith(_PREFIXES)


def _found(node: Node, message: str, mend: str, origin: str) -> Finding:
    return Finding(rule=RUNTIME, origin=origin, path=node.path, message=message, mend=mend)
