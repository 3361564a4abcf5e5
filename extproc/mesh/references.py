"""The reference configuration of `envoy/`: `python -m extproc.mesh.references`, with `--check` to compare only.

Rendered from the example policy and the example mesh file, so that what a reader sees there is what the command makes.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from extproc.mesh.envoy import format_bootstrap, render_bootstrap
from extproc.mesh.parse import load_mesh
from extproc.policy.load import load_policy

REFERENCES: Final = Path(__file__).parents[2] / "envoy"
_HEADING: Final = (
    "The reference: rendered from extproc/policy/examples/demo.yaml and extproc/mesh/examples/demo.yaml. "
    "Do not edit; change what it is rendered from, then run `make envoy`."
)


def render_references() -> dict[str, str]:
    """Give the text of each reference by its file name."""
    with (
        as_file(files("extproc.policy") / "examples" / "demo.yaml") as policy_file,
        as_file(files("extproc.mesh") / "examples" / "demo.yaml") as mesh_file,
    ):
        policy = load_policy(policy_file)
        mesh = load_mesh(mesh_file, policy.tables, policy.reading)
    rendered = render_bootstrap(policy.tables, policy.reading, mesh)
    return {"envoy.yaml": format_bootstrap(rendered, heading=_HEADING)}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the references, or with `--check` exit with 1 where one is not current."""
    parser = argparse.ArgumentParser(prog="python -m extproc.mesh.references", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    parser.add_argument("--directory", type=Path, default=REFERENCES, help="default: %(default)s")
    args = parser.parse_args(argv)
    stale = False
    for name, text in render_references().items():
        path: Path = args.directory / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        if args.check:
            sys.stderr.write(f"{path} is not current. Mend: make envoy\n")
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
