"""The model store: a folder of ONNX files, read once into memory and hashed there.

Layout: `DIR/<model>/<version>/model.onnx`, versions being positive decimal numbers. Files beside the version
folders (`samples.json`) and names that begin with a dot are left alone; anything else is an error, because a
version that was not understood is a version that is silently not served.

The digest is computed over the same bytes that are handed to onnxruntime, so a file that changes between hashing
and loading cannot be served under the old digest.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inference.errors import StoreError
from inference.identity import parse_name

MODEL_FILE: Final = "model.onnx"
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Where one version of one model lies."""

    model: str
    version: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The bytes of one model version, and `digest`, "sha256:" and the hex digest of exactly these bytes."""

    ref: ModelRef
    content: bytes = field(repr=False)
    digest: str


def list_store(store: Path) -> list[ModelRef]:
    """Return every model version of the store, by name and then by number; StoreError if there is none."""
    refs = [ref for folder in _folders(store) for ref in _list_versions(folder)]
    if not refs:
        raise StoreError(f"{store}: no model in this store; add <model>/<version>/{MODEL_FILE}")
    return refs


def load_artifact(ref: ModelRef) -> Artifact:
    """Read one model version into memory and hash it there; StoreError if it cannot be read or is empty."""
    try:
        content = ref.path.read_bytes()
    except OSError as error:
        raise StoreError(f"{ref.path}: {error.strerror}; put a readable ONNX file there") from error
    if not content:
        raise StoreError(f"{ref.path}: the file is empty; put the exported ONNX model there")
    return Artifact(ref=ref, content=content, digest=f"sha256:{hashlib.sha256(content).hexdigest()}")


def _list_versions(folder: Path) -> list[ModelRef]:
    try:
        model = parse_name(folder.name)
    except ValueError as error:
        raise StoreError(f"{folder}: {error}") from error
    refs = []
    for entry in _folders(folder):
        if not _VERSION.fullmatch(entry.name):
            raise StoreError(f"{entry}: a version is a positive number such as 1; rename or remove this folder")
        refs.append(ModelRef(model=model, version=int(entry.name), path=entry / MODEL_FILE))
    if not refs:
        raise StoreError(f"{folder}: this model has no version; add 1/{MODEL_FILE} or remove the folder")
    return sorted(refs, key=lambda ref: ref.version)


def _folders(parent: Path) -> list[Path]:
    try:
        entries = sorted(parent.iterdir())
    except OSError as error:
        raise StoreError(f"{parent}: {error.strerror}; name a readable folder of models with --models") from error
    return [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
