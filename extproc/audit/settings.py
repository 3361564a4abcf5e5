"""What decisions were made by: following a log from configuration to configuration, and order to order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from extproc.core.overrides import Suspension
from extproc.ledger import entry_pb2 as pb
from extproc.ledger.entries import suspension_from_proto

TAGS: Final = frozenset({b"\x1a", b"\x32"})
"""Fields 3 and 6 of an entry: ConfigSnapshot and Override, all that is followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a ConfigSnapshot says, with the orders that stood when it was recorded, in the order of their entries.

    `policy` and `shadow` are revisions, None where the log does not keep the policy; `has_shadow` tells whether there
    is one.
    """

    policy: str | None
    policy_named: str
    shadow: str | None
    has_shadow: bool
    ingress: str
    program: str
    orders: tuple[Suspension, ...]


class Following:
    """What was recorded so far of policies and orders."""

    def __init__(self, settings: Mapping[str, Setting] | None = None, orders: tuple[Suspension, ...] = ()) -> None:
        self.settings: dict[str, Setting] = dict(settings or {})
        self.orders = orders

    def take(self, entry: pb.Entry) -> None:
        """Take up an order, or what is decided by from here on."""
        match entry.WhichOneof("kind"):
            case "override":
                order = suspension_from_proto(entry.override.suspension)
                self.orders = tuple(each for each in self.orders if each != order)
                if entry.override.action == "suspended":
                    self.orders += (order,)
            case "config":
                config = entry.config
                # A decision names its configuration, and that was recorded after the orders that belong to it. So a
                # decision that was made just before a change, and recorded after it, finds its own.
                self.settings[config.revision] = Setting(
                    policy=config.policy.revision if config.policy.stored else None,
                    policy_named=f"{config.policy.id} version {config.policy.version}, {config.policy.revision}",
                    shadow=config.shadow.revision if config.shadow.stored else None,
                    has_shadow=config.HasField("shadow"),
                    ingress=config.ingress_region,
                    program=config.program,
                    orders=self.orders,
                )
            case _:
                pass
