"""Regenerate the Python code of every `.proto` below this folder: `python proto/generate.py [--check]`.

The generated modules stand beside the code that uses them and are committed, so that installing needs no compiler.
With `--check` nothing is written: the code is generated aside and compared, and a difference exits 1.
"""

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from grpc_tools import protoc  # type: ignore[import-untyped]

PROTO: Final = Path(__file__).resolve().parent
REPOSITORY: Final = PROTO.parent


def generate(target: Path) -> list[Path]:
    """Generate the code of all schemas below `target`; give the paths written, relative to it."""
    schemas = sorted(path.relative_to(PROTO) for path in PROTO.rglob("*.proto"))
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            *map(str, schemas),
        ]
    )
    if status:
        raise SystemExit(status)
    return [schema.with_name(schema.stem + ending) for schema in schemas for ending in ("_pb2.py", "_pb2.pyi")]


def differing(repository: Path) -> list[Path]:
    """List the generated files that are not what the schemas generate now."""
    with tempfile.TemporaryDirectory() as scratch:
        return [path for path in generate(Path(scratch)) if _read(repository / path) != _read(Path(scratch) / path)]


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main(arguments: list[str] | None = None) -> int:
    """Run the command; give its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, do not write; exit 1 on a difference")
    if not parser.parse_args(arguments).check:
        for path in generate(REPOSITORY):
            print(path)
        return 0
    stale = differing(REPOSITORY)
    for path in stale:
        print(f"{path}: differs from what proto/ generates; run: make proto", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
