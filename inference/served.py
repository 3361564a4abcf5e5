"""The models that a cell answers for: which version a path means, and the headers that say what answered."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inference import headers
from inference.batcher import Batcher, BatchLimits
from inference.errors import UnknownResourceError
from inference.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A loaded model version, the batcher in front of it, and its identity as answer headers."""

    model: Model
    batcher: Batcher
    headers: tuple[tuple[bytes, bytes], ...]


class ModelTable:
    """Every served version of every model; the highest version of each is its default."""

    def __init__(self, served: Iterable[ServedModel]) -> None:
        self._versions: dict[str, dict[str, ServedModel]] = {}
        for entry in sorted(served, key=lambda entry: entry.model.identity.version):
            identity = entry.model.identity
            self._versions.setdefault(identity.model, {})[str(identity.version)] = entry

    def __iter__(self) -> Iterator[ServedModel]:
        for versions in self._versions.values():
            yield from versions.values()

    def versions(self, model: str) -> list[str]:
        """Return the versions of `model`, lowest first; UnknownResourceError if the cell has no such model."""
        return list(self._of(model))

    def find(self, model: str, version: str | None) -> ServedModel:
        """Return the version asked for, or the highest; UnknownResourceError if the cell has no such thing."""
        versions = self._of(model)
        if version is None:
            return next(reversed(versions.values()))
        if version not in versions:
            raise UnknownResourceError(f"this model has no such version; send one of {', '.join(versions)}")
        return versions[version]

    def _of(self, model: str) -> dict[str, ServedModel]:
        versions = self._versions.get(model)
        if versions is None:
            raise UnknownResourceError(f"no such model; the cell has {', '.join(self._versions)}")
        return versions


def serve_model(model: Model, limits: BatchLimits) -> ServedModel:
    """Put a batcher in front of `model`."""
    identity = model.identity
    return ServedModel(
        model=model,
        batcher=Batcher(
            model.compute, batchable=model.is_batchable, limits=limits, name=f"{identity.model}/{identity.version}"
        ),
        headers=(
            (headers.MODEL, identity.model.encode()),
            (headers.MODEL_VERSION, str(identity.version).encode()),
            (headers.MODEL_DIGEST, identity.digest.encode()),
            (headers.PROVIDER, identity.provider.encode()),
        ),
    )
