"""What goes into one starter policy: which permits, class rules, mechanisms and zones, and why the others do not.

A permit is kept if the profile counts its basis, some region of the catalogue needs it, and some tenant can use it:
what could never be reached is no help to a reader, and the linter would say so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from extproc.policy.starter.fragments import PermitText, RegimeText, named_parts, read_yaml, regime_texts
from extproc.policy.starter.places import SERVED, Catalogue, catalogue_of, names_of
from extproc.policy.starter.presets import AREAS, CLASSES, LEGAL_FIRST, PERFORMANCE_FIRST, Preset

PUBLIC_DATA: Final = "public-data"
"""The regime of the class `public`, where that is not unregulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One regime as it stands in a policy."""

    regime: RegimeText
    permits: tuple[PermitText, ...]
    no_transfer: tuple[str, ...]
    """Permits left out because the profile counts no transfer."""
    not_needed: tuple[str, ...]
    """Permits left out because no region or no tenant of this policy needs them."""
    rules: Mapping[str, tuple[str, ...]]
    """The class rules that take something away here."""
    own_rule: str
    """The data class of the rule that is the preset's own and not the law's; empty for none."""

    @property
    def home(self) -> tuple[str, ...]:
        """The permits that are no transfer."""
        return tuple(permit.id for permit in self.permits if not permit.is_transfer)


class Selection:
    """Everything that one profile and preset keep."""

    def __init__(self, profile: str, preset: Preset) -> None:
        self.profile = profile
        self.preset = preset
        self.catalogue: Catalogue = catalogue_of(preset.areas)
        self.tenants = preset.tenants(profile)

    @cached_property
    def regimes(self) -> tuple[Kept, ...]:
        """The regimes, in the order of the areas."""
        names = [name for area in self.preset.areas for name in AREAS[area].regimes]
        if self.profile != PERFORMANCE_FIRST:
            names.append(PUBLIC_DATA)
        return tuple(self._kept(regime_texts()[name]) for name in names)

    @cached_property
    def mechanisms(self) -> frozenset[str]:
        """The mechanisms that some permit of this policy is enabled by."""
        used = (permit.mechanism for kept in self.regimes for permit in kept.permits)
        return frozenset(name for name in used if name is not None)

    @cached_property
    def expects(self) -> tuple[str, ...]:
        """Where requests are expected from: everywhere that a law of this policy governs."""
        return tuple(name for area in self.preset.areas for name in AREAS[area].expects)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """The zones that something names, in the order in which they are written, and SERVED at the end."""
        named = {name for kept in self.regimes for name in _zones_named(kept)} | set(self.expects)
        return (*(name for name in named_parts("zones") if name in named), SERVED)

    def _kept(self, regime: RegimeText) -> Kept:
        permits: list[PermitText] = []
        no_transfer: list[str] = []
        not_needed: list[str] = []
        covered: frozenset[str] = frozenset()
        for permit in regime.permits:
            reach = self.catalogue.covered(permit.data["to"]) - covered
            if self.profile == LEGAL_FIRST and permit.is_transfer:
                no_transfer.append(permit.id)
            elif not reach or permit.mechanism not in (None, *self._declared):
                not_needed.append(permit.id)
            else:
                permits.append(permit)
                if permit.mechanism is None:
                    covered |= reach
        rules, own_rule = self._rules(regime, permits)
        return Kept(
            regime=regime,
            permits=tuple(permits),
            no_transfer=tuple(no_transfer),
            not_needed=tuple(not_needed),
            rules=rules,
            own_rule=own_rule,
        )

    def _rules(self, regime: RegimeText, permits: list[PermitText]) -> tuple[dict[str, tuple[str, ...]], str]:
        ids = [permit.id for permit in permits]
        written = {name: tuple(id_ for id_ in only if id_ in ids) for name, only in regime.rules.items()}
        rules = {name: only for name, only in written.items() if len(only) < len(ids)}
        home = tuple(permit.id for permit in permits if not permit.is_transfer)
        stays = self.preset.stays
        if not stays or stays in rules or len(home) == len(ids) or stays not in classes_of(regime):
            return rules, ""
        return {**rules, stays: home}, stays

    @cached_property
    def _declared(self) -> frozenset[str]:
        """The mechanisms that some tenant of this policy declares, in its text."""
        entries = (read_yaml(named_parts("tenants")[name].replace("$", ""))[name] for name in self.tenants)
        return frozenset(name for entry in entries for name in entry.get("mechanisms", ()))


def classes_of(regime: RegimeText) -> tuple[str, ...]:
    """Give the data classes that a regime can govern, by the conditions at the top of its `when:`."""
    when = regime.data["when"]
    inside = names_of(when.get("class_in", list(CLASSES)))
    outside = names_of(when.get("class_not", []))
    return tuple(name for name in CLASSES if name in inside and name not in outside)


def _zones_named(kept: Kept) -> Iterator[str]:
    yield from _places_in(kept.regime.data["when"])
    for permit in kept.permits:
        to = permit.data["to"]
        yield from _places_in(to) if isinstance(to, Mapping) else names_of(to)


def _places_in(written: Any) -> Iterator[str]:  # noqa: ANN401 - a condition or a destination, as it is written
    """Give every text in it: a zone's name is nothing else's."""
    if isinstance(written, str):
        yield written
    elif isinstance(written, Mapping):
        for value in written.values():
            yield from _places_in(value)
    else:
        for item in written:
            yield from _places_in(item)
