"""Imports point one way: the core knows nobody, the edges know the core, one root knows them all.

Read from the source text, so an import inside a function counts too.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each package may import itself and what is listed here; everything else of ours is forbidden to it.
MAY_IMPORT: dict[str, set[str]] = {
    "extproc.core": set(),
    "extproc.names": set(),
    "extproc.strict_yaml": set(),
    "extproc.geo": {"extproc.core"},
    "extproc.policy": {"extproc.core", "extproc.names", "extproc.strict_yaml"},
    "extproc.detect": {"extproc.core"},
    "extproc.review": {"extproc.core", "extproc.policy", "extproc.strict_yaml", "extproc.ledger", "extproc.audit"},
    "extproc.signals": {"extproc.core"},
    "extproc.control": {"extproc.core", "extproc.policy", "extproc.strict_yaml", "extproc.wire"},
    "extproc.tls": set(),
    "extproc.wire": {"extproc.core", "extproc.names", "extproc.tls"},
    "extproc.notes": set(),
    "extproc.bundle": {"extproc.core", "extproc.notes", "extproc.policy", "extproc.strict_yaml"},
    "extproc.archive": set(),
    "extproc.extra": set(),
    "extproc.engine": set(),
    "extproc.trust": {"extproc.notes"},
    "extproc.ledger": {"extproc.core", "extproc.notes", "extproc.trust"},
    "extproc.audit": {
        "extproc.archive",
        "extproc.core",
        "extproc.engine",
        "extproc.extra",
        "extproc.ledger",
        "extproc.notes",
        "extproc.policy",
        "extproc.trust",
    },
    "extproc.sealed": {"extproc.core", "extproc.ledger"},
    "extproc.custody": {"extproc.ledger", "extproc.notes", "extproc.sealed"},
    "extproc.witness": {"extproc.ledger", "extproc.notes", "extproc.trust"},
    "extproc.ship": {"extproc.ledger", "extproc.notes", "extproc.strict_yaml"},
    "extproc.parquet": {
        "extproc.archive",
        "extproc.audit",
        "extproc.core",
        "extproc.engine",
        "extproc.extra",
        "extproc.ledger",
        "extproc.notes",
    },
    "extproc.export": {
        "extproc.archive",
        "extproc.audit",
        "extproc.core",
        "extproc.extra",
        "extproc.ledger",
        "extproc.notes",
        "extproc.parquet",
    },
    "extproc.mesh": {"extproc.core", "extproc.names", "extproc.strict_yaml", "extproc.policy", "extproc.tls"},
    "extproc.sidecar": {
        "extproc.core",
        "extproc.names",
        "extproc.geo",
        "extproc.policy",
        "extproc.strict_yaml",
        "extproc.bundle",
        "extproc.control",
        "extproc.detect",
        "extproc.notes",
        "extproc.wire",
        "extproc.ledger",
        "extproc.sealed",
        "extproc.ship",
        "extproc.signals",
        "extproc.tls",
        "extproc.trust",
        "extproc.witness",
    },
    "extproc.workers": {"extproc.control", "extproc.core", "extproc.sidecar", "extproc.signals", "extproc.wire"},
    "extproc.drill": {
        "extproc.core",
        "extproc.custody",
        "extproc.demo",
        "extproc.ledger",
        "extproc.names",
        "extproc.policy",
    },
    "extproc.demo": {"extproc.core", "extproc.names", "extproc.mesh", "extproc.policy"},
    "extproc.cli": {"extproc"},
    "extproc.__main__": {"extproc.cli"},
    "inference": set(),
}

# What the pure core may take from the standard library: no clock, no randomness, no I/O.
PURE = {"abc", "collections", "dataclasses", "enum", "hashlib", "itertools", "math", "re", "types", "typing"}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _sources(package: str) -> list[Path]:
    place = ROOT / package.replace(".", "/")
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def _under(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    allowed = {package, *MAY_IMPORT[package]}
    for path in _sources(package):
        for module in _imports(path):
            if _under(module, "extproc") or _under(module, "inference"):
                assert any(_under(module, name) for name in allowed), f"{path} imports {module}"


def test_the_core_is_pure() -> None:
    for path in _sources("extproc.core"):
        for module in _imports(path):
            assert _under(module, "extproc.core") or module.partition(".")[0] in PURE, f"{path} imports {module}"


def test_every_package_of_ours_is_held_to_a_rule() -> None:
    parts = [path for path in (ROOT / "extproc").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    found = {f"extproc.{path.stem}" for path in parts}
    assert found - {"extproc.__init__"} == {name for name in MAY_IMPORT if name != "inference"}


def test_folders_that_must_not_be_packages_are_none() -> None:
    """`envoy` is also the package of xds-protos, and `proto` would hide others: ours must stay plain folders."""
    for name in ("envoy", "proto", "compose"):
        assert not (ROOT / name / "__init__.py").exists()
