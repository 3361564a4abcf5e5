"""Legal orders as a log has recorded them, in the order of its entries."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from extproc.core.delivery import Order
from extproc.core.overrides import Suspension


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One Override entry: that an order was taken up at `at_s`, or with `resumed` that it ended then."""

    entry: int
    at_s: float
    suspension: Suspension
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """An order, and the entry that says that it was taken up."""

    entry: int
    order: Order


def with_recorded(orders: tuple[Ordered, ...], recorded: Recorded) -> tuple[Ordered, ...]:
    """Give the orders after one more entry."""
    if not recorded.resumed:
        order = Order(suspension=recorded.suspension, since_s=recorded.at_s)
        return (*orders, Ordered(entry=recorded.entry, order=order))
    return tuple(
        replace(each, order=replace(each.order, ended_s=recorded.at_s))
        if each.order.ended_s is None and each.order.suspension == recorded.suspension
        else each
        for each in orders
    )


def without_past(orders: tuple[Ordered, ...], now_s: float) -> tuple[Ordered, ...]:
    """Leave out those that ended too long ago to matter to what is recorded from `now_s` on."""
    return tuple(each for each in orders if not each.order.is_over(now_s))


def known_at(orders: Iterable[Ordered], entry: int) -> tuple[Order, ...]:
    """Give the orders of a log that it had recorded before one of its entries, as its process knew them then."""
    return tuple(each.order for each in orders if each.entry < entry)
