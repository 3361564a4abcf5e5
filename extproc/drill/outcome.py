"""What came of one scenario, and what it was held to."""

from dataclasses import dataclass
from typing import Final

from extproc.core.ids import RegionId
from extproc.core.tables import PolicyTables, Recovery
from extproc.drill.scenarios import Scenario

DEFAULT: Final = Recovery(rto_s=10.0, rpo_records=0)
"""What a region is held to of which the policy says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What a drill is held to; `stated` by the policy, or by default."""

    rto_s: float
    rpo_records: int
    stated: bool


def targets_of(tables: PolicyTables, region: RegionId) -> Targets:
    """Give what the policy holds a region to."""
    recovery = tables.regions[tables.index[region]].recovery
    stated = recovery or DEFAULT
    return Targets(rto_s=stated.rto_s, rpo_records=stated.rpo_records, stated=recovery is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was measured. Times are Unix seconds and seconds.

    `failed` requests were not served and not refused by a legal order; `unserved` counts them by what came back.
    `recovery_s` is None where service was not `interrupted`, and where it never came back. `outside` and `lost` have a
    line or an id for each. With `by_cells` the cells' own accounts were read; else the answers and Envoy's reports
    alone. `after_order` requests were decided before a legal order and tried after it. `faults` are sentences, each of
    which makes the drill fail.
    """

    scenario: Scenario
    region: RegionId
    done: str
    began_at_s: float
    ended_at_s: float
    requests: int
    failed: int
    unserved: tuple[tuple[str, int], ...]
    refused: int
    interrupted: bool
    recovery_s: float | None
    targets: Targets
    outside: tuple[str, ...]
    lost: tuple[str, ...]
    records: int
    by_cells: bool
    in_flight: int
    after_order: int
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Tell whether every target was met and nothing was violated."""
        return not self.faults
