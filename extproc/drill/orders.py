"""The legal order of a drill: written to the override file, with an end of its own, and lifted again.

A drill that is killed leaves an order behind that ends by itself.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from extproc.core.ids import OverrideId, RegionId
from extproc.core.overrides import Resumption, Suspension, TargetKind
from extproc.policy.override_file import Orders, change_overrides, new_override_id

LASTS_S: Final = 600.0
"""When the order of a drill ends by itself."""
_REASON: Final = "drill: a suspension is rehearsed"
_OVER: Final = "drill: the rehearsal is over"


def suspend(path: Path, region: RegionId, approved_by: tuple[str, ...]) -> OverrideId:
    """Order that nothing goes to a region, and give the order's id. Raises DocumentError and OSError."""
    now_s = time.time()

    def add(before: Orders) -> Orders:
        order = Suspension(
            id=new_override_id(before, datetime.fromtimestamp(now_s, UTC)),
            kind=TargetKind.REGION,
            name=region,
            reason=_REASON,
            from_s=now_s,
            until_s=now_s + LASTS_S,
            approved_by=approved_by,
        )
        return replace(before, suspensions=(*before.suspensions, order))

    return change_overrides(path, add).suspensions[-1].id


def resume(path: Path, order: OverrideId, approved_by: tuple[str, ...]) -> None:
    """Lift this order and no other. Raises DocumentError and OSError."""

    def remove(before: Orders) -> Orders:
        return Orders(
            suspensions=tuple(each for each in before.suspensions if each.id != order),
            resumptions=(
                *before.resumptions,
                Resumption(order=order, reason=_OVER, approved_by=approved_by, at_s=time.time()),
            ),
        )

    change_overrides(path, remove)
