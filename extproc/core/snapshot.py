"""The one immutable object that a decision reads from start to finish."""

from dataclasses import dataclass

from extproc.core.health import RegionHealth
from extproc.core.ids import ConfigRevision
from extproc.core.overrides import Suspension
from extproc.core.tables import PolicyTables


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """A candidate policy that is evaluated beside the live one and steers nothing; `suspensions` are those under it."""

    policy: PolicyTables
    suspensions: tuple[Suspension, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Compiled policy, legal overrides and region health at one moment.

    `health[i]` belongs to `policy.regions[i]`. `revision` names the configuration that the ledger's last
    ConfigSnapshot entry describes; health is not part of it, because each decision records the health it used.
    """

    revision: ConfigRevision
    policy: PolicyTables
    suspensions: tuple[Suspension, ...]
    health: tuple[RegionHealth, ...]
    shadow: Shadow | None = None

    def __post_init__(self) -> None:
        if len(self.health) != len(self.policy.regions):
            raise ValueError(
                f"a snapshot needs the health of each region: got {len(self.health)} for "
                f"{len(self.policy.regions)} regions",
            )
