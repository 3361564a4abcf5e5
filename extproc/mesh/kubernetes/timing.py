"""How long a pod takes to end, so that no request is cut and no report of one is lost."""

from math import ceil
from typing import Final

from extproc.mesh.section import Mesh

SITUS_DRAIN_S: Final = 5
"""What the sidecar is given for what is still in flight, after Envoy has gone."""
_HEARD_OF_S: Final = 5
"""Within which every proxy and balancer in front has heard that the pod is ending, and sends it nothing new."""
_SPARE_S: Final = 10


def envoy_drain_s(mesh: Mesh) -> int:
    """Give how long Envoy goes on: until the longest request has ended that came in the last moment."""
    return _HEARD_OF_S + ceil(mesh.timeouts.request_s)


def grace_s(mesh: Mesh) -> int:
    """Give when the pod is killed at the latest."""
    return envoy_drain_s(mesh) + SITUS_DRAIN_S + _SPARE_S
