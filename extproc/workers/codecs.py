"""What frames hold, as JSON: values of the core, and back.

Both ends are the same program in the same start, so there is no version. JSON here has `Infinity`, which a budget may
be.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Final

from extproc.core.delivery import Attempt
from extproc.core.fitness import Fitness, Unfit
from extproc.core.ids import DependencyId, ModelId, RegionId
from extproc.core.reasons import Exclusion
from extproc.core.routing.health import HealthState
from extproc.core.routing.load import LoadReport
from extproc.core.routing.standing import Standing
from extproc.core.tables import Approval, Region

_APART: Final = b"\n"
"""Between two documents: JSON as it is written here has no line breaks."""
_encode: Final = json.JSONEncoder(separators=(",", ":"), default=sorted).encode


def dumps(value: object) -> bytes:
    """Write a value of plain types; sets become sorted lists."""
    return _encode(value).encode()


def loads(body: bytes) -> Any:  # noqa: ANN401 - whatever was written; each caller knows
    """Read what :func:`dumps` has written."""
    return json.loads(body)


def format_standing(region: RegionId, standing: Standing) -> bytes:
    """Write the standing of a region."""
    return dumps([region, asdict(standing)])


def parse_standing(body: bytes) -> tuple[RegionId, Standing]:
    """Read the standing of a region."""
    region, told = loads(body)
    return RegionId(region), Standing(**{**told, "state": HealthState(told["state"])})


def format_fitness(fitness: Fitness, catalogue: bytes) -> bytes:
    """Write which regions may not serve which models; `catalogue`, as it is written, is what this was found for."""
    unfit = {model: [[unfit.region, unfit.why.value, unfit.by] for unfit in each] for model, each in fitness.items()}
    return dumps(unfit) + _APART + catalogue


def parse_fitness(body: bytes) -> tuple[dict[ModelId, tuple[Unfit, ...]], tuple[Region, ...]]:
    """Read which regions may not serve which models, and the catalogue that this was found for."""
    told, _, catalogue = body.partition(_APART)
    fitness = {
        ModelId(model): tuple(
            Unfit(region=RegionId(region), why=Exclusion(why), by=None if by is None else DependencyId(by))
            for region, why, by in each
        )
        for model, each in loads(told).items()
    }
    return fitness, _parse_again(catalogue)


def format_regions(regions: Sequence[Region]) -> bytes:
    """Write a catalogue."""
    return dumps([asdict(region) for region in regions])


def parse_regions(body: bytes) -> tuple[Region, ...]:
    """Read a catalogue."""
    return tuple(
        Region(
            **{
                **told,
                "models": {model: Approval(**approval) for model, approval in told["models"].items()},
                "certs": frozenset(told["certs"]),
            }
        )
        for told in loads(body)
    )


# The same catalogue comes with each change of a fitness, and a long one takes milliseconds to read.
_parse_again: Final = lru_cache(maxsize=2)(parse_regions)


def attempt_to_plain(attempt: Attempt) -> list[object]:
    """Give an attempt as a list."""
    return [
        attempt.cluster,
        attempt.region,
        attempt.status,
        attempt.began_at_s,
        attempt.duration_s,
        list(attempt.flags),
    ]


def attempt_from_plain(told: Sequence[Any]) -> Attempt:
    """Read an attempt."""
    cluster, region, status, began_at_s, duration_s, flags = told
    return Attempt(
        cluster=cluster, region=region, status=status, began_at_s=began_at_s, duration_s=duration_s, flags=tuple(flags)
    )


def format_tried(
    region: RegionId,
    attempt: Attempt,
    *,
    model: ModelId | None,
    first_byte_s: float | None,
    load: LoadReport | None,
) -> bytes:
    """Write an attempt as the board takes it."""
    told = None if load is None else asdict(load)
    return dumps([region, attempt_to_plain(attempt), model, first_byte_s, told])


def parse_tried(body: bytes) -> tuple[RegionId, Attempt, Mapping[str, Any]]:
    """Read an attempt: the region, the attempt, and the board's further arguments."""
    region, attempt, model, first_byte_s, load = loads(body)
    more = {"model": model, "first_byte_s": first_byte_s, "load": None if load is None else LoadReport(**load)}
    return RegionId(region), attempt_from_plain(attempt), more
