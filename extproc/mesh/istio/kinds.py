"""The kinds of Kubernetes and Istio resources that are rendered, as JSON-like fields."""

from collections.abc import Mapping
from typing import Final

from extproc.mesh.yaml_text import Json

NETWORKING: Final = "networking.istio.io/v1"
FILTERS: Final = "networking.istio.io/v1alpha3"
SECURITY: Final = "security.istio.io/v1"
KUBERNETES_NETWORK: Final = "networking.k8s.io/v1"
OWNER: Final = {"app.kubernetes.io/managed-by": "situs-mesh-render", "app.kubernetes.io/part-of": "situs"}


def resource(  # noqa: PLR0913 - what every resource has
    api: str,
    kind: str,
    name: str,
    namespace: str,
    spec: Mapping[str, Json],
    *,
    annotations: Mapping[str, str] | None = None,
) -> Mapping[str, Json]:
    """Give one resource."""
    metadata: dict[str, Json] = {"name": name, "namespace": namespace, "labels": OWNER}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def duration(value: float) -> str:
    """Give a duration as protobuf's JSON writes it."""
    return f"{value:.9f}".rstrip("0").rstrip(".") + "s"
