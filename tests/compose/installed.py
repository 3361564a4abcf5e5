"""Only what an image has: a folder with the packages of one lock, linked from this environment, and our own code."""

import os
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from compose.files import ROOT, packages_of

_OURS = ("extproc", "inference")


def link_packages(lock: Path, into: Path) -> None:
    """Link every package that `lock` names and that this environment needs too.

    A folder that is one package's own is linked whole; of one that several share (`google`), each file is.
    """
    into.mkdir(parents=True)
    owners: dict[str, list[metadata.Distribution]] = {}
    for found in metadata.distributions():
        for top in {file.parts[0] for file in _files(found)}:
            owners.setdefault(top, []).append(found)
    # A pin that only another platform or Python needs is not here; were it needed, the programs would not run.
    pinned = {normal(pin.partition("==")[0]) for pin in packages_of(lock)}
    for top, those in owners.items():
        wanted = [found for found in those if normal(found.name) in pinned]
        if len(wanted) == len(those):
            (into / top).symlink_to(str(wanted[0].locate_file(top)))
            continue
        for found in wanted:
            for file in _files(found):
                if file.parts[0] == top:
                    (into / file).parent.mkdir(parents=True, exist_ok=True)
                    (into / file).symlink_to(str(file.locate()))
    for package in _OURS:
        (into / package).symlink_to(ROOT / package)
    (into / "situs-0.1.0.dist-info").mkdir()
    (into / "situs-0.1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: situs\nVersion: 0.1.0\n")


def python_with(packages: Path) -> tuple[list[str], dict[str, str]]:
    """Give the command and the environment of a Python that finds these packages and no others."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return [sys.executable, "-S"], {**kept, "PYTHONPATH": str(packages), "PYTHONUNBUFFERED": "1"}


def normal(name: str) -> str:
    """Give a package's name as all its spellings are compared. SPEC: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _files(found: metadata.Distribution) -> Iterator[metadata.PackagePath]:
    """Give what it put into site-packages, without programs and without bytecode beside modules of others."""
    if normal(found.name) == "situs":
        return
    for file in found.files or ():
        if file.parts[0] not in ("..", "__pycache__"):
            yield file
