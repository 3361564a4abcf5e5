"""A status survives its way through JSON, and one of another program is told apart."""

import json
from importlib import resources
from pathlib import Path

import pytest
from control.world import NOW_S, status

from extproc.control.errors import ControlError
from extproc.control.regions import region_statuses
from extproc.control.status import status_of, status_to_document
from extproc.core.fitness import Unfit
from extproc.core.ids import DependencyId, ModelId, OverrideId, RegionId
from extproc.core.overrides import Suspension, TargetKind
from extproc.core.reasons import Exclusion
from extproc.core.routing.health import HealthState
from extproc.core.routing.standing import UNSEEN, Standing
from extproc.policy.load import load_policy


def _order(number: int, *, name: str = "eu-fra", from_s: float = 0.0) -> Suspension:
    return Suspension(
        id=OverrideId(f"LT-{number}"),
        kind=TargetKind.REGION,
        name=name,
        reason="x",
        from_s=from_s,
        until_s=None,
        approved_by=("a", "b"),
    )


def test_what_is_written_is_what_is_read() -> None:
    said = status(_order(1), _order(2))
    assert status_of(json.loads(json.dumps(status_to_document(said)))) == said


@pytest.mark.parametrize("spoil", ["policy", "regions", "logs", "orders"])
def test_a_status_of_another_version_is_refused_with_the_mend(spoil: str) -> None:
    document = status_to_document(status())
    document[spoil] = [{"strange": 1}]
    with pytest.raises(ControlError, match="Mend: use the command of the sidecar's own version"):
        status_of(document)


def test_regions_are_told_as_decisions_see_them() -> None:
    policy = load_policy(Path(str(resources.files("extproc.policy"))) / "examples" / "demo.yaml").tables
    names = [str(region.id) for region in policy.regions]
    seen = Standing(state=HealthState.UP, observed_at_s=NOW_S, latency_s=0.25, budget=7.9)
    found = region_statuses(
        policy,
        standings=[seen if name == "eu-fra" else UNSEEN for name in names],
        fitness={
            ModelId("digits"): (
                Unfit(region=RegionId("eu-fra"), why=Exclusion.DEPENDENCY_STALE, by=DependencyId("vectors")),
                Unfit(region=RegionId("us-iad"), why=Exclusion.MODEL_UNVERIFIED),
            )
        },
        suspensions=[_order(1), _order(2, name="eu-ams"), _order(3, from_s=NOW_S + 1)],
        in_flight=[index for index, _ in enumerate(names)],
        now_s=NOW_S,
    )
    fra, iad = found[names.index("eu-fra")], found[names.index("us-iad")]
    assert (fra.state, fra.latency_s, fra.budget, fra.in_flight) == ("up", 0.25, 7, names.index("eu-fra"))
    assert fra.suspended_by == ("LT-1",)
    assert fra.unfit == ("digits: dependency_stale (vectors)",)
    assert (iad.state, iad.budget, iad.suspended_by, iad.unfit) == ("unknown", None, (), ("digits: model_unverified",))
    uncounted = region_statuses(
        policy, standings=[UNSEEN] * len(names), fitness={}, suspensions=[], in_flight=[], now_s=NOW_S
    )
    assert {each.in_flight for each in uncounted} == {None}
