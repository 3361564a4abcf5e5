"""What an order must have, and how it is carried out on an override file.

One reading for both ways: the commands write the same document for a file at hand and for a running sidecar::

    {"region": "me-dxb", "reason": "injunction 4 O 12/26", "until": "2027-01-01",
     "approved_by": ["A. Counsel", "B. Officer"]}

`permit` or `model` may stand for `region`, and an order to resume has no `until`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from extproc.control.errors import OrderError
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.policy.approvers import person_of
from extproc.policy.override_file import Orders, change_overrides, new_override_id
from extproc.policy.parse.overrides import LONGEST_NAME, LONGEST_REASON, LONGEST_TARGET, MOST_APPROVERS
from extproc.policy.parse.scalars import parse_end
from extproc.strict_yaml import UnfitError, nearest

LEAST_APPROVERS: Final = 2


class Action(StrEnum):
    """What an order does."""

    SUSPEND = "suspend"
    RESUME = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order that is complete. `until_s` is the first moment, in Unix seconds, that a suspension does not cover."""

    action: Action
    kind: TargetKind
    name: str
    reason: str
    approved_by: tuple[str, ...]
    until_s: float | None

    @property
    def target(self) -> tuple[TargetKind, str]:
        """What it is about."""
        return self.kind, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOut:
    """What an order did to the override file, and what that holds now."""

    orders: Orders
    added: tuple[Suspension, ...] = ()
    ended: tuple[Suspension, ...] = ()


def parse_order(action: Action, document: object, *, now_s: float) -> Order:
    """Read an order that is given at `now_s`. Raises OrderError, with the mend, for one that is not complete."""
    if not isinstance(document, dict):
        raise OrderError("an order is a JSON object. Mend: send one, such as " + '{"region": "eu-fra", ...}')
    fields = {"reason", "approved_by", *TargetKind, *({"until"} if action is Action.SUSPEND else ())}
    for key in document:
        if key not in fields:
            message = f"an order to {action} has no '{_shown(str(key))}'"
            raise OrderError(f"{message}. Mend: give {', '.join(sorted(fields))}")
    kind, name = _target(document)
    return Order(
        action=action,
        kind=kind,
        name=name,
        reason=_text(document, "reason", LONGEST_REASON),
        approved_by=_approvers(action, document.get("approved_by")),
        until_s=_until(document, now_s) if action is Action.SUSPEND else None,
    )


def check_known(order: Order, known: Collection[str], whose: str) -> None:
    """Raise OrderError, with the nearest names, for an order about what `whose` policy does not have."""
    if order.name in known:
        return
    guess = nearest(order.name, known)
    hint = f"did you mean '{guess}'? " if guess else ""
    listed = f"{hint}name one of {', '.join(sorted(known))}" if known else f"there is no {order.kind} to name"
    raise OrderError(f"{whose} has no {order.kind} '{order.name}'. Mend: {listed}")


def carry_out(order: Order, path: Path, *, now_s: float) -> CarriedOut:
    """Write what an order that is given at `now_s` makes of the override file. Blocks, for some ten seconds at most.

    Raises OrderError when there is nothing to resume, DocumentError when the file is faulty and OSError when it cannot
    be written; nothing is changed then.
    """
    done: CarriedOut = CarriedOut(orders=Orders())

    def change(before: Orders) -> Orders:
        nonlocal done
        done = _suspended(order, before, now_s) if order.action is Action.SUSPEND else _resumed(order, before, now_s)
        return done.orders

    after = change_overrides(path, change)
    return replace(done, orders=after)


def _suspended(order: Order, before: Orders, now_s: float) -> CarriedOut:
    suspension = Suspension(
        id=new_override_id(before, datetime.fromtimestamp(now_s, UTC)),
        kind=order.kind,
        name=order.name,
        reason=order.reason,
        from_s=now_s,
        until_s=order.until_s,
        approved_by=order.approved_by,
    )
    return CarriedOut(orders=replace(before, suspensions=(*before.suspensions, suspension)), added=(suspension,))


def _resumed(order: Order, before: Orders, now_s: float) -> CarriedOut:
    ended = tuple(each for each in before.suspensions if (each.kind, each.name) == order.target)
    if not ended:
        raise OrderError(
            f"the override file holds no suspension of the {order.kind} '{order.name}'. Mend: check the name; what the "
            "policy itself suspends is resumed by the policy's next version"
        )
    resumptions = tuple(
        Resumption(order=each.id, reason=order.reason, approved_by=order.approved_by, at_s=now_s) for each in ended
    )
    return CarriedOut(
        orders=Orders(
            suspensions=tuple(each for each in before.suspensions if each not in ended),
            resumptions=(*before.resumptions, *resumptions),
        ),
        ended=ended,
    )


def suspension_to_document(suspension: Suspension) -> dict[str, object]:
    """Give a suspension as JSON has it; times in Unix seconds."""
    return {
        "id": suspension.id,
        suspension.kind.value: suspension.name,
        "reason": suspension.reason,
        "from": suspension.from_s,
        "until": suspension.until_s,
        "approved_by": list(suspension.approved_by),
    }


def _target(document: Mapping[str, object]) -> tuple[TargetKind, str]:
    named = [kind for kind in TargetKind if document.get(kind) is not None]
    if len(named) != 1:
        raise OrderError("an order is about one thing. Mend: name one region, or one permit, or one model")
    (kind,) = named
    return kind, _text(document, kind, LONGEST_TARGET)


def _until(document: Mapping[str, object], now_s: float) -> float:
    written = document.get("until")
    if not isinstance(written, str):
        raise OrderError("a suspension ends some time. Mend: give until as a day, or as a moment with its offset")
    try:
        until_s = parse_end(written).timestamp()
    except UnfitError as error:
        raise OrderError(f"until: {_shown(str(error))}") from error
    if until_s <= now_s:
        raise OrderError(f"until: {written} has passed. Mend: name a later moment")
    return until_s


def _approvers(action: Action, written: object) -> tuple[str, ...]:
    noun = "a suspension" if action is Action.SUSPEND else "a resumption"
    if not isinstance(written, list | tuple):
        written = ()
    if len(written) > MOST_APPROVERS:
        raise OrderError(f"{len(written)} approvers are too many. Mend: name at most {MOST_APPROVERS}")
    names = [_text({"an approver": each}, "an approver", LONGEST_NAME) for each in written]
    people = {person_of(name): name for name in reversed(names)}
    if len(people) < LEAST_APPROVERS:
        raise OrderError(f"{noun} needs two approvers. Mend: name two different people, --approved-by once for each")
    return tuple(sorted(people.values()))


def _text(document: Mapping[str, object], key: str, longest: int) -> str:
    """Take one line of text that can be shown to anybody as it is."""
    value = document.get(key)
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise OrderError(f"an order needs words for '{key}'. Mend: say something that can be recorded and shown")
    if len(text) > longest:
        raise OrderError(f"'{key}' has {len(text)} characters. Mend: write at most {longest}")
    if not text.isprintable():  # neither a file of ours nor a terminal may be given more
        raise OrderError(f"'{key}' has characters that cannot be shown. Mend: write one line of plain text")
    return text


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:200])
