"""The override file: legal orders kept apart from the policy, so that a legal trigger needs no policy release.

Written by `situs suspend` and `situs resume`, or by hand, or mounted; the running sidecar watches it::

    apiVersion: situs/v1
    overrides:
      - {id: LT-12, effect: suspend, region: me-dxb, reason: "injunction 4 O 12/26",
         from: "2026-11-21T09:00:00Z", until: "2027-01-01", approved_by: ["A. Counsel", "B. Officer"]}
    resumed:
      - {id: LT-11, reason: "the injunction was lifted", at: "2026-11-20T17:00:00Z",
         approved_by: ["A. Counsel", "C. Officer"]}

An order may name something that no policy has: it must be possible to write it before it is known which policies it
meets, and one such order must not keep the others from taking effect. The sidecar warns of it.

Replace the file whole, by renaming, as the commands do. The key `overrides` is required even when the list is empty, so
that a file of which only the beginning was written is not taken for one without orders. `resumed` is optional: it says
why orders that are gone from the list are gone, so that the sidecar's record of it can name a reason and approvers.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

import yaml

from extproc.core.ids import OverrideId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.policy.compile import CompiledPolicy, suspension_of
from extproc.policy.parse.overrides import overrides, resumptions
from extproc.policy.parse.root import api_version
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import DocumentError, Place, Problem, Table, read_document, table_of

API_VERSION: Final = "situs/v1"
MOST_RESUMED: Final = 1000
"""Resumptions that the file keeps; the log keeps all that a sidecar took."""
LOCK_S: Final = 10.0
"""How long one change waits for another."""
_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What an override file holds: the orders that stand, and how others ended, oldest first."""

    suspensions: tuple[Suspension, ...] = ()
    resumptions: tuple[Resumption, ...] = ()


def load_orders(path: Path) -> Orders:
    """Read the override file. Raises DocumentError with every fault."""
    return read_document(path, table_of(_orders))


def load_overrides(path: Path) -> tuple[Suspension, ...]:
    """Read the orders that stand in the override file. Raises DocumentError with every fault."""
    return load_orders(path).suspensions


def change_overrides(path: Path, change: Callable[[Orders], Orders]) -> Orders:
    """Replace what the file holds by what `change` makes of it, atomically and durably; give what it holds now.

    Two changes at once wait for each other, for ten seconds at most. A file that is not there counts as empty and is
    made. Only the last thousand resumptions are kept. Raises DocumentError when the file is faulty or somebody else
    keeps changing it, OSError when it cannot be written, and whatever `change` raises; the file then stays as it was.
    """
    with _locked(path):
        before = load_orders(path) if path.exists() else Orders()
        changed = change(before)
        after = Orders(suspensions=changed.suspensions, resumptions=changed.resumptions[-MOST_RESUMED:])
        if after != before or not path.exists():
            _replace(path, _format_orders(after))
        return after


def new_override_id(taken: Orders, at: datetime) -> OverrideId:
    """Make an id that sorts by time, `LT-20261121-1`, and that no order of the file has or had."""
    day = at.astimezone(UTC).strftime("%Y%m%d")
    known = {each.id for each in taken.suspensions} | {each.order for each in taken.resumptions}
    number = 1
    while f"LT-{day}-{number}" in known:
        number += 1
    return OverrideId(f"LT-{day}-{number}")


def names_of(policy: CompiledPolicy, kind: TargetKind) -> frozenset[str]:
    """Give what a policy has of the things that an order can be about; permits with their regimes."""
    match kind:
        case TargetKind.REGION:
            return frozenset(policy.tables.index)
        case TargetKind.MODEL:
            return frozenset(policy.tables.models)
        case TargetKind.PERMIT:
            return frozenset(
                f"{regime.id}.{permit.id}" for regime in policy.document.regimes for permit in regime.permits
            )
    assert_never(kind)


def _orders(table: Table) -> Orders:
    version = table.required("apiVersion", api_version)
    orders = table.required("overrides", overrides(Vocabulary()))  # a vocabulary without regions takes any
    resumed = table.optional("resumed", resumptions(), default=())
    _ = version.value
    return Orders(suspensions=tuple(suspension_of(order) for order in orders.value), resumptions=resumed.value)


def _format_orders(orders: Orders) -> dict[str, object]:
    written: dict[str, object] = {
        "apiVersion": API_VERSION,
        "overrides": [_format_suspension(suspension) for suspension in orders.suspensions],
    }
    if orders.resumptions:
        written["resumed"] = [
            {
                "id": str(each.order),
                "reason": each.reason,
                "at": _format_moment(each.at_s),
                "approved_by": list(each.approved_by),
            }
            for each in orders.resumptions
        ]
    return written


def _format_suspension(suspension: Suspension) -> dict[str, object]:
    return {
        "id": str(suspension.id),
        "effect": "suspend",
        suspension.kind.value: suspension.name,
        "reason": suspension.reason,
        "from": _format_moment(suspension.from_s),
        **({} if suspension.until_s is None else {"until": _format_moment(suspension.until_s)}),
        "approved_by": list(suspension.approved_by),
    }


def _format_moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _replace(path: Path, document: dict[str, object]) -> None:
    """Write beside the file, make it durable, read it back, and rename: a reader sees the old orders or the new."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        yaml.dump(document, file, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=4096)
        file.flush()
        os.fsync(file.fileno())
    load_orders(beside)  # what the sidecar would refuse must not take the place of what it obeys
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f".{path.name}.lock")
    try:
        file = lock.open("w")
    except OSError as error:
        message = f"the folder cannot be written to ({error.strerror})"
        raise _fault(path, message, "check the path and who may write there") from error
    with file:
        # Never for ever: a program that hangs with the lock must not hang whoever has an order to give.
        until_s = time.monotonic() + LOCK_S
        while not _lock(file.fileno()):
            if time.monotonic() >= until_s:
                message = f"somebody else has been changing it for {LOCK_S:g} s"
                raise _fault(path, message, f"see who holds {lock}, and try again")
            time.sleep(_LOOK_S)
        yield


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fault(path: Path, message: str, mend: str) -> DocumentError:
    return DocumentError([Problem(Place(str(path), 1, 1), message, mend)])
