"""Istio's resources judged by themselves, before they are applied: what they would make of the regions' hosts.

What only the whole shows (the order of filters, whether every route asks the sidecar) is judged on a proxy's own dump.
:mod:`extproc.mesh.check.istio.attached` is what they are held against; one module for each kind of resource.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extproc.mesh.check.finding import Rule
from extproc.mesh.check.istio.check import check_istio, is_judged
from extproc.mesh.check.istio.rules import ALL

ISTIO_RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in ALL})
"""All rules of this package by their ids."""

__all__ = ["ISTIO_RULES", "check_istio", "is_judged"]
