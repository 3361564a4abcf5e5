"""What a rendering gives: files by name, which replace or are compared with those of a directory."""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """Files, by their names in one directory (`eu-fra/service.yaml` stands in a directory of its own)."""

    files: Mapping[str, str]

    def text(self) -> str:
        """Give all files as one stream of YAML documents, each with its name above it where there are several."""
        if len(self.files) == 1:
            return next(iter(self.files.values()))
        return "".join(f"---\n# {name}\n{text}" for name, text in self.files.items())

    def write(self, directory: Path) -> None:
        """Write the files, each replaced whole. What else is there stays. Raises OSError."""
        for name, text in self.files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, text)

    def differences(self, directory: Path) -> Iterator[str]:
        """Give the lines of a unified diff from what is in `directory` to this rendering. Raises OSError."""
        for name, text in self.files.items():
            path = directory / name
            old = path.read_text(encoding="utf-8") if path.exists() else ""
            yield from difflib.unified_diff(
                old.splitlines(keepends=True),
                text.splitlines(keepends=True),
                fromfile=str(path) if path.exists() else "/dev/null",
                tofile=name,
            )


def replace_file(path: Path, text: str) -> None:
    """Write a file so that nobody reads a half. Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
