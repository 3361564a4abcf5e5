"""What else a permitted region must be when a request comes: conditions that the policy writes and no reading can tell.

Whether a cell shows the approved version, or a store is fresh enough, is of that moment. Here is said what is asked.
"""

from collections.abc import Iterator
from typing import Final

from extproc.core.ids import ModelId, RegionId
from extproc.core.jurisdiction import Verdict
from extproc.core.reasons import Exclusion
from extproc.core.tables import Approval, PolicyTables, Region
from extproc.review.explain.model import Proviso
from extproc.review.words import exclusion_in_words, joined

_DIGEST: Final = len("sha256:") + 12
"""As much of a digest as a person compares."""
_OF_MODEL: Final = (Exclusion.MODEL_UNAPPROVED, Exclusion.MODEL_UNVERIFIED)
_OF_NEED: Final = (Exclusion.DEPENDENCY_STALE,)


def provisos_of(tables: PolicyTables, verdict: Verdict, model: ModelId) -> tuple[Proviso, ...]:
    """Tell what is asked of the permitted regions, those together of which the same is."""
    found: dict[tuple[str, tuple[Exclusion, ...]], list[RegionId]] = {}
    for each in verdict.regions:
        if each.exclusion is None:
            index = tables.index[RegionId(each.region)]
            asked = [*_asked(tables.regions[index], model), *_closed(tables, index)]
            for one in asked:
                found.setdefault(one, []).append(tables.regions[index].id)
    return tuple(
        Proviso(regions=tuple(ids), words=words, excluded_by=lacking) for (words, lacking), ids in found.items()
    )


def _asked(region: Region, model: ModelId) -> Iterator[tuple[str, tuple[Exclusion, ...]]]:
    approval = region.models[model]
    if approval.is_bound:
        yield f"approved for {_bound(approval)} of {model} alone. Excluded while {_while(_OF_MODEL)}", _OF_MODEL
    for name, max_age_s in region.needs.items():
        yield f"needs {name}, at most {max_age_s:g} s old. Excluded while {_while(_OF_NEED)}", _OF_NEED


def _closed(tables: PolicyTables, index: int) -> Iterator[tuple[str, tuple[Exclusion, ...]]]:
    deployment = tables.deployment
    if deployment.drained >> index & 1:
        yield "drained. It is permitted, and nothing new goes there", ()
    elif deployment.weights and not deployment.weights[index]:
        yield "of weight 0. It is permitted, and nothing new goes there", ()


def _bound(approval: Approval) -> str:
    version = None if approval.version is None else f"version {approval.version}"
    digest = None if approval.digest is None else f"the bytes {approval.digest[:_DIGEST]}…"
    return joined(filter(None, (version, digest)))


def _while(lacking: tuple[Exclusion, ...]) -> str:
    return joined((f"{exclusion_in_words(each)} ({each})" for each in lacking), last="or")
