"""The one immutable object that a decision reads from start to finish."""

from dataclasses import dataclass, field

from extproc.core.fitness import Fitness, Unfit
from extproc.core.ids import ConfigRevision, ModelId
from extproc.core.overrides import Suspension
from extproc.core.routing.standing import Standing
from extproc.core.tables import PolicyTables


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A candidate policy that is evaluated beside the live one and steers nothing; `suspensions` are those under it."""

    policy: PolicyTables
    suspensions: tuple[Suspension, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Compiled policy, legal overrides, and what is known of the regions at one moment.

    `standings[i]` belongs to `policy.regions[i]`; `fitness` tells which regions may not serve a model now. `revision`
    names the configuration that the ledger's last ConfigSnapshot entry describes; standings and fitness are not part of
    it, because each decision records what it used of them.
    """

    revision: ConfigRevision
    policy: PolicyTables
    suspensions: tuple[Suspension, ...]
    standings: tuple[Standing, ...]
    fitness: Fitness = field(default_factory=dict)
    shadow: Shadow | None = None

    def unfit(self, model: ModelId | None) -> tuple[Unfit, ...]:
        """Give the regions that may not serve a model now; none for a request that names none."""
        return () if model is None else self.fitness.get(model, ())

    def __post_init__(self) -> None:
        if len(self.standings) != len(self.policy.regions):
            raise ValueError(
                f"a snapshot needs the standing of each region: got {len(self.standings)} for "
                f"{len(self.policy.regions)} regions",
            )
