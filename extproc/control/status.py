"""What a running sidecar says of itself to a person: its regions, its orders, its log."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from extproc.control.errors import ControlError
from extproc.control.orders import suspension_to_document
from extproc.core.ids import OverrideId
from extproc.core.overrides import Suspension, TargetKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionStatus:
    """A region as decisions see it at this moment. Latency in seconds, None while it was not measured.

    `budget` is how many requests may be in flight there, None where nothing bounds it; `in_flight` is None while nobody
    can count. `suspended_by` are the orders in force about the region, and `unfit` says which models it may not serve,
    and why.
    """

    region: str
    state: str
    latency_s: float | None
    budget: int | None
    in_flight: int | None
    drained: bool
    missing_slo: bool
    suspended_by: tuple[str, ...]
    unfit: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """The log of one worker: how many entries it has, and of how many decisions Envoy's report is awaited."""

    worker: str
    origin: str
    size: int
    awaited: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All of it at `at_s`, in Unix seconds. `reasons` says why requests are refused; it is empty while they are not.

    `revision` is the policy's, `configuration` that of all that decisions are made by. `orders` are the policy's own
    and the override file's, `inert` the ids of those that name what the policy does not have.
    """

    at_s: float
    policy: str
    version: int
    revision: str
    configuration: str
    reasons: tuple[str, ...]
    regions: tuple[RegionStatus, ...]
    orders: tuple[Suspension, ...]
    inert: tuple[str, ...]
    logs: tuple[LogStatus, ...]


def status_to_document(status: Status) -> dict[str, object]:
    """Give a status as JSON has it."""
    return {
        "at": status.at_s,
        "ready": not status.reasons,
        "reasons": list(status.reasons),
        "policy": {"id": status.policy, "version": status.version, "revision": status.revision},
        "configuration": status.configuration,
        "regions": [asdict(region) for region in status.regions],
        "orders": [suspension_to_document(each) for each in status.orders],
        "inert": list(status.inert),
        "logs": [asdict(log) for log in status.logs],
    }


def status_of(document: Mapping[str, Any]) -> Status:
    """Read a status from JSON. Raises ControlError for one of another program, or of another version of this one."""
    try:
        return Status(
            at_s=document["at"],
            policy=document["policy"]["id"],
            version=document["policy"]["version"],
            revision=document["policy"]["revision"],
            configuration=document["configuration"],
            reasons=tuple(document["reasons"]),
            regions=tuple(RegionStatus(**_tuples(region)) for region in document["regions"]),
            orders=tuple(_suspension_of(each) for each in document["orders"]),
            inert=tuple(document["inert"]),
            logs=tuple(LogStatus(**log) for log in document["logs"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ControlError(
            f"the sidecar's status cannot be read ({error!r}). Mend: use the command of the sidecar's own version"
        ) from error


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _suspension_of(row: Mapping[str, Any]) -> Suspension:
    (kind,) = (kind for kind in TargetKind if kind in row)
    return Suspension(
        id=OverrideId(row["id"]),
        kind=kind,
        name=row[kind],
        reason=row["reason"],
        from_s=row["from"],
        until_s=row["until"],
        approved_by=tuple(row["approved_by"]),
    )
