"""Whether what a policy asks of the regions can be seen: by probes of the cells and dependencies in the mesh file.

A digest, and the age of what a region depends on, can be seen by a probe alone. A policy that binds regions to them
while nobody probes would be taken for kept, so it is refused. A version is in the path of requests that name one, so a
policy that approves versions is worth something without probes, and is only warned about.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import structlog

from extproc.core.ids import DependencyId, RegionId
from extproc.core.tables import PolicyTables
from extproc.sidecar.fitting import ConfigurationError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """What is probed: the cells or not, and which dependencies of each region."""

    cells: bool = False
    dependencies: Mapping[RegionId, Collection[DependencyId]] = field(default_factory=dict)

    def check(self, tables: PolicyTables) -> None:
        """Refuse a policy that binds regions to what nobody would see. Raises ConfigurationError."""
        for region in tables.regions:
            bound = [model for model, approval in region.models.items() if approval.digest is not None]
            if bound and not self.cells:
                raise ConfigurationError(
                    f"the policy {tables.id} approves digests in the region '{region.id}' ({', '.join(bound)}), and "
                    "without the mesh file no cell is asked what it serves. Mend: name the file with --mesh, or "
                    "approve the model without a digest"
                )
            unasked = [name for name in region.needs if name not in self.dependencies.get(region.id, ())]
            if unasked:
                raise ConfigurationError(
                    f"the policy {tables.id} has the region '{region.id}' need {', '.join(unasked)}, and nothing says "
                    "where that is asked. Mend: add the URLs to the region's dependencies in the mesh file, name the "
                    "file with --mesh, and start anew"
                )

    def warn(self, tables: PolicyTables) -> None:
        """Say which versions are approved while nobody sees what is served."""
        if self.cells:
            return
        for region in tables.regions:
            bound = [model for model, approval in region.models.items() if approval.is_bound]
            if bound:
                _log.warning(
                    "versions are approved, and without the mesh file no cell is asked what it serves",
                    region=region.id,
                    models=bound,
                )
