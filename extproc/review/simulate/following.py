"""Following a log from entry to entry: which policy decides, where the sidecar stands, and which orders hold."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extproc.core.overrides import Suspension
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import suspension_from_proto
from extproc.ledger.log import POLICIES
from extproc.review.simulate.reading import Written

_DIGEST = "sha256:"


@dataclass(slots=True)
class Following:
    """What holds at one point of a log. `live` is the deciding policy as the log keeps it, None where it does not."""

    directory: Path
    ingress: str = ""
    revision: str = ""
    live: Written | None = None
    orders: tuple[Suspension, ...] = ()
    """The orders that did not come from the deciding policy: they would have held for another one too."""
    _active: list[Suspension] = field(default_factory=list)

    def take_config(self, config: pb.ConfigSnapshot) -> None:
        """Go on under another configuration."""
        self.ingress = config.ingress_region
        self.revision = config.policy.revision
        self.live = _load(self.directory, config.policy) if config.policy.stored else None
        self._settle()

    def take_override(self, override: pb.Override) -> None:
        """Take up an order, or let it go."""
        order = suspension_from_proto(override.suspension)
        self._active = [each for each in self._active if each != order]
        if override.action == "suspended":
            self._active.append(order)
        self._settle()

    def _settle(self) -> None:
        own = {(order["id"], order["name"]) for order in (self.live or {}).get("overrides", [])}
        self.orders = tuple(order for order in self._active if (order.id, order.name) not in own)


def _load(directory: Path, policy: pb.Policy) -> Written | None:
    path = directory / POLICIES / f"{policy.revision.removeprefix(_DIGEST)}.json"
    try:
        whole: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    document: dict[str, Any] | None = whole.get("document")
    return document
