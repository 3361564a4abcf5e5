"""All checks, in the order in which `--list` prints them."""

from types import ModuleType
from typing import Final

from extproc.review.lint.check import Check
from extproc.review.lint.checks import (
    cases,
    codes,
    coverage,
    dates,
    deployment,
    evidence,
    geolocation,
    law,
    models,
    orders,
    regions,
    tenants,
    transfers,
    widening,
    zones,
)


def _checks_of(module: ModuleType) -> tuple[Check, ...]:
    """Give the checks of a family, as they stand in it: none can be forgotten."""
    return tuple(each for each in vars(module).values() if isinstance(each, Check))


CHECKS: Final = tuple(
    each
    for module in (
        coverage,
        law,
        transfers,
        widening,
        dates,
        orders,
        tenants,
        regions,
        models,
        zones,
        codes,
        deployment,
        evidence,
        geolocation,
        cases,
    )
    for each in _checks_of(module)
)
"""Every check, family by family. Ids are stable: they stand in people's pipelines."""

CHECK_OF: Final = {each.id: each for each in CHECKS}
