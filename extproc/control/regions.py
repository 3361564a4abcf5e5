"""What a person is told of the regions, from what decisions see of them."""

from collections.abc import Sequence

from extproc.control.status import RegionStatus
from extproc.core.fitness import Fitness
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.routing.standing import Standing
from extproc.core.tables import PolicyTables


def region_statuses(  # noqa: PLR0913 - all that is seen of a region, each by name
    policy: PolicyTables,
    *,
    standings: Sequence[Standing],
    fitness: Fitness,
    suspensions: Sequence[Suspension],
    in_flight: Sequence[int],
    now_s: float,
) -> tuple[RegionStatus, ...]:
    """Tell of each region of a policy at `now_s`.

    `standings` and `in_flight` are in the order of the policy's regions; `in_flight` is empty while nobody can count.
    """
    return tuple(
        RegionStatus(
            region=region.id,
            state=standing.state_at(now_s).value,
            latency_s=standing.latency_s,
            budget=standing.budget_at(now_s),
            in_flight=in_flight[index] if in_flight else None,
            drained=bool(policy.deployment.drained >> index & 1),
            missing_slo=standing.missing_slo,
            suspended_by=tuple(
                each.id
                for each in suspensions
                if (each.kind, each.name) == (TargetKind.REGION, region.id) and each.in_force(now_s)
            ),
            unfit=tuple(
                f"{model}: {each.why.value}" + (f" ({each.by})" if each.by is not None else "")
                for model, unfit in fitness.items()
                for each in unfit
                if each.region == region.id
            ),
        )
        for index, (region, standing) in enumerate(zip(policy.regions, standings, strict=True))
    )
