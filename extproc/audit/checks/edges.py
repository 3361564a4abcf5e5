"""Parts put together in order: whether one may follow what comes before it, and what then comes before the next."""

from extproc.audit.checks.clocks import CLOCK_STEP_S, follows
from extproc.audit.checks.configurations import check_configuration
from extproc.audit.checks.jobs import Edge, Meaning, Needs
from extproc.audit.checks.orders import Ordered, with_recorded, without_past
from extproc.core.delivery import Order


def fits(before: Edge, needs: Needs) -> bool:
    """Tell whether all that a part took for granted is so. If not, it is read again with `before`, which says why."""
    if not needs.starts:
        return True
    if before.closed or (needs.at_s or 0.0) < before.at_s - CLOCK_STEP_S:
        return False
    if None not in (before.sequence, needs.sequence) and needs.sequence != (before.sequence or 0) + 1:
        return False
    if before.beat is not None and not follows(before.beat, needs.beat, needs.close_at_s):
        return False
    for key in needs.configurations:
        known = before.configurations.get(key[0])
        if before.whole if known is None else check_configuration(key, known):
            return False
    return not any(_meets(each.order, needs) for each in before.orders)


def _meets(order: Order, needs: Needs) -> bool:
    """Tell whether a delivery of the part may have to be held against an order of before.

    Mostly not: while an order is in force nothing is decided against it, and when it is over it takes nothing out.
    """
    over = order.ends_s is not None and order.ends_s < (needs.at_s or 0.0) - CLOCK_STEP_S
    begins_later = order.suspension.from_s > (needs.until_s or 0.0) + CLOCK_STEP_S
    return not over and not begins_later and any(order.touches(intent) for intent in needs.intents)


def join_edges(before: Edge, meaning: Meaning) -> Edge:
    """Give the edge after a part."""
    after = meaning.edge
    alive = meaning.kinds["heartbeat"] or meaning.recovered or not after.whole
    sequence = after.sequence
    if sequence is None and after.whole:
        sequence = before.sequence
    return Edge(
        sequence=sequence,
        at_s=after.at_s if meaning.needs.starts else before.at_s,
        configurations={**before.configurations, **after.configurations},
        closed=before.closed or after.closed,
        beat=after.beat if alive else before.beat,
        whole=before.whole and after.whole,
        orders=without_past(_after(before.orders, meaning), after.at_s),
    )


def _after(orders: tuple[Ordered, ...], meaning: Meaning) -> tuple[Ordered, ...]:
    for each in meaning.overrides:
        orders = with_recorded(orders, each)
    return orders
