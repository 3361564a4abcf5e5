"""Paths of the Open Inference Protocol, and which methods each takes.

SPEC: `/v2`, `/v2/health/live`, `/v2/health/ready`, `/v2/models/{m}[/versions/{v}][/ready|/infer]`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference.errors import UnknownResourceError


class Endpoint(StrEnum):
    """What a path asks for."""

    SERVER = "server"
    LIVE = "live"
    READY = "ready"
    MODEL = "model"
    MODEL_READY = "model-ready"
    INFER = "infer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An endpoint and, where it has them, the model and the version as written in the path."""

    endpoint: Endpoint
    model: str | None = None
    version: str | None = None


_READS: Final = ("GET", "HEAD")

METHODS: Final[dict[Endpoint, tuple[str, ...]]] = {
    Endpoint.SERVER: _READS,
    Endpoint.LIVE: _READS,
    Endpoint.READY: _READS,
    Endpoint.MODEL: _READS,
    Endpoint.MODEL_READY: _READS,
    Endpoint.INFER: ("POST",),
}

_FIXED: Final = {
    "/v2": Endpoint.SERVER,
    "/v2/health/live": Endpoint.LIVE,
    "/v2/health/ready": Endpoint.READY,
}


def parse_route(path: str) -> Route:
    """Return the route of a percent-decoded path; UnknownResourceError if the protocol has no such path."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return Route(endpoint=fixed)
    match path.split("/"):
        case ["", "v2", "models", model]:
            return Route(endpoint=Endpoint.MODEL, model=model)
        case ["", "v2", "models", model, "ready"]:
            return Route(endpoint=Endpoint.MODEL_READY, model=model)
        case ["", "v2", "models", model, "infer"]:
            return Route(endpoint=Endpoint.INFER, model=model)
        case ["", "v2", "models", model, "versions", version]:
            return Route(endpoint=Endpoint.MODEL, model=model, version=version)
        case ["", "v2", "models", model, "versions", version, "ready"]:
            return Route(endpoint=Endpoint.MODEL_READY, model=model, version=version)
        case ["", "v2", "models", model, "versions", version, "infer"]:
            return Route(endpoint=Endpoint.INFER, model=model, version=version)
    raise UnknownResourceError(
        "no such path; the cell serves /v2, /v2/health/live, /v2/health/ready and /v2/models/..."
    )
