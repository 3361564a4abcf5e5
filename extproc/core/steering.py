"""What Envoy is told to do, as plain data, and the names by which plans are called in Envoy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from extproc.core.ids import RegionId
from extproc.core.reasons import Refusal

PLAN_SEPARATOR: Final = ">"
"""Between the cluster names of a plan. A cluster name may not hold it; the policy parser sees to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steer:
    """Send the request along `plan`: regions in the order in which Envoy may try them.

    `route` is the name of the Envoy cluster that stands for exactly this plan.
    """

    plan: tuple[RegionId, ...]
    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """Refuse the request. `retry_after_s` is set when trying again later may help.

    `redirect_host` is set when another host may take it: the client is then sent there, with the same path.
    """

    refusal: Refusal
    retry_after_s: int | None = None
    redirect_host: str | None = None


Steering: TypeAlias = Steer | Deny


def format_plan(clusters: Sequence[str]) -> str:
    """Name the Envoy cluster for an ordered plan over region clusters: `eu-fra>eu-ams`."""
    return PLAN_SEPARATOR.join(clusters)


def parse_plan(route: str) -> tuple[str, ...]:
    """Give the region clusters of a plan's name, in order."""
    return tuple(route.split(PLAN_SEPARATOR))
