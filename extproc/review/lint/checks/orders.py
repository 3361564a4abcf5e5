# ruff: noqa: D401 - the docstring of a check says why it matters
"""Legal orders, of the policy and of an override file: who approved each, until when it holds, and what it meets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from extproc.core.overrides import Suspension, TargetKind
from extproc.policy.compile.epochs import midnight_s
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import listed

_APPROVERS: Final = 2


@check("override-without-end", Level.WARNING, "an order has no end")
def override_without_end(matter: Matter) -> Iterator[Found]:
    """An order that nobody has to renew is forgotten, and a region stays dark for years after its reason has gone."""
    for order, places in matter.orders:
        if order.until_s is None:
            yield Found(
                places("overrides", order.id),
                f"the order {order.id} ({_about(order)}) has no end",
                "add 'until:' with the day by which somebody must look at it again",
            )


@check("override-one-approver", Level.WARNING, "an order was approved by one person")
def override_one_approver(matter: Matter) -> Iterator[Found]:
    """A legal trigger stops traffic at once. Two people approve it, so that nobody alone takes a country down."""
    for order, places in matter.orders:
        if len(order.approved_by) < _APPROVERS:
            yield Found(
                places("overrides", order.id, "approved_by"),
                f"the order {order.id} ({_about(order)}) was approved by {order.approved_by[0]} alone",
                "have a second person approve it",
            )


@check("override-ended", Level.NOTE, "an order has ended")
def override_ended(matter: Matter) -> Iterator[Found]:
    """It does nothing any more. The log keeps what it did, so the file need not."""
    for order, places in matter.orders:
        if order.until_s is not None and order.until_s <= midnight_s(matter.today):
            yield Found(
                places("overrides", order.id, "until"),
                f"the order {order.id} ({_about(order)}) ended at {_moment(order.until_s)}",
                "remove it",
            )


@check("override-due", Level.WARNING, "an order ends soon")
def override_due(matter: Matter) -> Iterator[Found]:
    """What it suspends is in service again at that moment, without anybody doing anything."""
    latest_s = midnight_s(matter.due + timedelta(days=1))
    for order, places in matter.orders:
        if order.until_s is not None and midnight_s(matter.today) < order.until_s <= latest_s:
            yield Found(
                places("overrides", order.id, "until"),
                f"the order {order.id} ({_about(order)}) ends at {_moment(order.until_s)}",
                "ask whether it is prolonged, and write the new end",
            )


@check("override-meets-nothing", Level.ERROR, "an order is about something that the policy does not have")
def override_meets_nothing(matter: Matter) -> Iterator[Found]:
    """The court or the counsel believes that something stands still, and a misspelt name keeps nothing from running.

    A policy's own orders cannot have such a name. An override file can, because it must be possible to write an order
    before it is known which policies it meets.
    """
    tables = matter.compiled.tables
    known: dict[TargetKind, set[str]] = {
        TargetKind.REGION: {str(id_) for id_ in tables.index},
        TargetKind.MODEL: {str(name) for name in tables.models},
        TargetKind.PERMIT: {f"{regime.id}.{permit.id}" for regime, permit in matter.permits},
    }
    for order, places in matter.orders:
        if order.name not in known[order.kind]:
            yield Found(
                places("overrides", order.id, order.kind.value),
                f"the order {order.id} {_about(order)}, which this policy does not have",
                f"name one of {listed(known[order.kind], most=12)}, or nothing, if the order is for another policy",
            )


def _about(order: Suspension) -> str:
    return f"suspends the {order.kind.value} {order.name}"


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="minutes")
