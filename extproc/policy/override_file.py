"""The override file: legal orders kept apart from the policy, so that a legal trigger needs no policy release.

Written by `situs suspend` and `situs resume`, or by hand, or mounted; the running sidecar watches it::

    apiVersion: situs/v1
    overrides:
      - {id: LT-12, effect: suspend, region: me-dxb, reason: "injunction 4 O 12/26",
         from: "2026-11-21T09:00:00Z", until: "2027-01-01", approved_by: ["A. Counsel", "B. Officer"]}

An order may name something that no policy has: it must be possible to write it before it is known which policies it
meets, and one such order must not keep the others from taking effect. The sidecar warns of it.

Replace the file whole, by renaming, as the commands do. The key `overrides` is required even when the list is empty, so
that a file of which only the beginning was written is not taken for one without orders.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import yaml

from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension
from extproc.policy.compile import suspension_of
from extproc.policy.parse.overrides import overrides
from extproc.policy.parse.root import api_version
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import DocumentError, Place, Problem, Table, read_document, table_of

API_VERSION = "situs/v1"


def load_overrides(path: Path) -> tuple[Suspension, ...]:
    """Read the override file. Raises DocumentError with every fault."""
    return read_document(path, table_of(_suspensions))


def change_overrides(
    path: Path, change: Callable[[tuple[Suspension, ...]], tuple[Suspension, ...]]
) -> tuple[Suspension, ...]:
    """Replace the file's orders by what `change` makes of them, atomically and durably; give the new ones.

    Two changes at once wait for each other. A file that is not there counts as empty and is made.
    Raises DocumentError when the file is faulty and OSError when it cannot be written; it then stays as it was.
    """
    with _locked(path):
        before = load_overrides(path) if path.exists() else ()
        after = change(before)
        _replace(path, _format_overrides(after))
        return after


def new_override_id(taken: tuple[Suspension, ...], at: datetime) -> OverrideId:
    """Make an id that sorts by time: `LT-20261121-1`."""
    day = at.astimezone(UTC).strftime("%Y%m%d")
    known = {suspension.id for suspension in taken}
    number = 1
    while f"LT-{day}-{number}" in known:
        number += 1
    return OverrideId(f"LT-{day}-{number}")


def _suspensions(table: Table) -> tuple[Suspension, ...]:
    version = table.required("apiVersion", api_version)
    orders = table.required("overrides", overrides(Vocabulary()))  # a vocabulary without regions takes any
    _ = version.value
    return tuple(suspension_of(order) for order in orders.value)


def _format_overrides(suspensions: tuple[Suspension, ...]) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "overrides": [
            {
                "id": str(suspension.id),
                "effect": "suspend",
                suspension.kind.value: suspension.name,
                "reason": suspension.reason,
                "from": _format_moment(suspension.from_s),
                **({} if suspension.until_s is None else {"until": _format_moment(suspension.until_s)}),
                "approved_by": list(suspension.approved_by),
            }
            for suspension in suspensions
        ],
    }


def _format_moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _replace(path: Path, document: dict[str, object]) -> None:
    """Write beside the file, make it durable, read it back, and rename: a reader sees the old orders or the new."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        yaml.safe_dump(document, file, sort_keys=False, allow_unicode=True, width=4096)
        file.flush()
        os.fsync(file.fileno())
    load_overrides(beside)  # what the sidecar would refuse must not take the place of what it obeys
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
        problem = Problem(
            Place(str(path), 1, 1),
            f"the folder cannot be written to ({error.strerror})",
            "check the path and who may write there",
        )
        raise DocumentError([problem]) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
