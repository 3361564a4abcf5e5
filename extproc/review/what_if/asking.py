"""`what-if`: put a change together, and ask everything before and after it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from extproc.core.ids import Jurisdiction, MechanismId, RegionId, TenantId
from extproc.core.overrides import TargetKind
from extproc.policy.compile import CompiledPolicy, compile_policy
from extproc.policy.compile.day import RulesOfDay
from extproc.review.domain import places_of
from extproc.review.what_if.effects import Difference, difference_of
from extproc.review.what_if.sweep import State, sweep
from extproc.review.what_if.trial import suspending
from extproc.review.words import day_of, format_moment, joined, one_of, unknown_name
from extproc.strict_yaml import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposition:
    """What is supposed, all of it together; nothing is supposed by default.

    `down` are regions that cannot serve, `permits` fall (`eu-gdpr.dpf`), `mechanisms` are withdrawn by their tenants,
    and `at_s` is another time, in Unix seconds.
    """

    down: tuple[RegionId, ...] = ()
    permits: tuple[str, ...] = ()
    mechanisms: tuple[tuple[TenantId, MechanismId], ...] = ()
    at_s: float | None = None

    def in_words(self) -> str:
        """Say what is supposed."""
        parts = []
        if self.down:
            parts.append(f"{joined(self.down)} cannot serve")
        if self.permits:
            parts.append(f"{joined(self.permits)} is suspended")
        parts += [f"{tenant} has not {mechanism}" for tenant, mechanism in self.mechanisms]
        if self.at_s is not None:
            parts.append(f"it is {format_moment(self.at_s)}")
        return joined(parts)


class SuppositionError(ValueError):
    """The policy does not have what is supposed of it; the message names the mend."""


def what_if(compiled: CompiledPolicy, supposed: Supposition, now_s: float, *, everywhere: bool = False) -> Difference:
    """Compare all answers at `now_s` (Unix seconds) with those under the supposition.

    A tenant is asked about for the places that it expects; with `everywhere`, or where it states none, for all.
    Raises SuppositionError where the policy lacks what is named.
    """
    check(compiled, supposed)
    before = State(compiled=compiled, now_s=now_s)
    after = State(
        compiled=_altered(compiled, supposed),
        now_s=now_s if supposed.at_s is None else supposed.at_s,
        down=frozenset(supposed.down),
    )
    return difference_of(sweep(before, after, expected_places(compiled, day_of(now_s), everywhere=everywhere)))


def expected_places(
    compiled: CompiledPolicy, day: date, *, everywhere: bool = False
) -> Callable[[TenantId], frozenset[Jurisdiction]]:
    """Give the places from which each tenant expects requests; all where it states none, or with `everywhere`."""
    rules = RulesOfDay(compiled.document, day)
    everything = frozenset(places_of(compiled))
    found: dict[TenantId, frozenset[Jurisdiction]] = {}

    def places(tenant: TenantId) -> frozenset[Jurisdiction]:
        if tenant not in found:
            expects = compiled.document.tenants[tenant].expects
            if everywhere or expects is None:
                found[tenant] = everything
            else:
                found[tenant] = frozenset(place for place in everything if rules.contains(expects, place))
        return found[tenant]

    return places


def check(compiled: CompiledPolicy, supposed: Supposition) -> None:
    """Raise SuppositionError where something is named that the policy does not have."""
    document = compiled.document
    permits = [f"{regime.id}.{permit.id}" for regime in document.regimes for permit in regime.permits]
    for region in supposed.down:
        if region not in document.regions:
            raise SuppositionError(unknown_name("region", region, document.regions))
    for permit in supposed.permits:
        if permit not in permits:
            raise SuppositionError(unknown_name("permit", permit, permits))
    for tenant, mechanism in supposed.mechanisms:
        entry = document.tenants.get(tenant)
        if entry is None:
            raise SuppositionError(unknown_name("tenant", tenant, document.tenants))
        if mechanism not in entry.mechanisms:
            guess = nearest(mechanism, entry.mechanisms)
            hint = f"did you mean {guess}? " if guess else ""
            message = f"{tenant} has not declared {mechanism}. Mend: {hint}it has declared {one_of(entry.mechanisms)}"
            raise SuppositionError(message)
    if supposed.at_s is not None and compiled.tables.epoch_at(supposed.at_s) is None:
        begins = document.identity.as_of
        raise SuppositionError(f"the policy is not in force then. Mend: name a day from {begins} on")


def _altered(compiled: CompiledPolicy, supposed: Supposition) -> CompiledPolicy:
    orders = (*compiled.suspensions, *(suspending(TargetKind.PERMIT, name) for name in supposed.permits))
    if supposed.mechanisms:
        tenants = dict(compiled.document.tenants)
        for tenant, mechanism in supposed.mechanisms:
            left = {name: entry for name, entry in tenants[tenant].mechanisms.items() if name != mechanism}
            tenants[tenant] = replace(tenants[tenant], mechanisms=left)
        compiled = compile_policy(replace(compiled.document, tenants=tenants))
    return replace(compiled, suspensions=orders)
