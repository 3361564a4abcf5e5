"""What every governing regime says for each class and place, for the tenants of each profile, on one day.

Everything that depends on conditions, zones, dates and mechanisms is worked out when the policy is compiled, once for
all questions that have it in common: which regimes govern a place, and what one regime says of every region. A ruling
is put together from the latter when it is asked for first, and kept. Most never are: a thousand tenants under twenty
regimes have fifteen thousand, which took 0.3 s and 40 MB to put together, and each takes a few microseconds by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from extproc.core.ids import DataClass, Jurisdiction, MechanismId, RegimeId, RegionId, RegionMask
from extproc.core.reasons import Exclusion
from extproc.core.tables import Grant, Permit, Ruling, Rulings
from extproc.core.tables import Profile as PolicyProfile
from extproc.policy.compile.day import RulesOfDay
from extproc.policy.compile.ground import Bits, Governed, Ground, bits_of, grounds_of
from extproc.policy.compile.profiles import Profile
from extproc.policy.document import PolicyDocument


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What one regime says. Two are the same only if they are one object, so that what they are part of is found."""

    regime: RegimeId
    grants: tuple[Grant, ...]
    permitted: RegionMask
    obligations: tuple[str, ...]


def rulings_of(
    days: list[RulesOfDay], profiles: list[Profile], regions: list[RegionId], places: list[Jurisdiction]
) -> list[tuple[Rulings, ...]]:
    """Give for each day the rulings of each profile."""
    laws = [_Law(days[0].document, i) for i in range(len(days[0].document.regimes))]
    kept: dict[tuple[_Said, ...], Ruling] = {}
    return [
        _Day(rules, ground, laws, kept).rulings(profiles)
        for rules, ground in zip(days, grounds_of(days, regions, places), strict=True)
    ]


class _Law:
    """One regime, with what of it does not depend on the day."""

    def __init__(self, document: PolicyDocument, i: int) -> None:
        self.regime = regime = document.regimes[i]
        self._i = i
        self._permits = [
            Permit(regime=regime.id, id=each.id, cite=each.cite, basis=each.basis, mechanism=each.enabled_by)
            for each in regime.permits
        ]
        legal_first = document.identity.profile is PolicyProfile.LEGAL_FIRST
        self._within_profile = bits_of(not (legal_first and permit.basis.is_transfer) for permit in self._permits)
        self._by_class = {name: self._of_class(name) for name in document.classes}
        self._grants: dict[tuple[Bits, Bits], Grant] = {}
        self._said: dict[tuple[Ground, Bits, Bits, tuple[str, ...]], _Said] = {}

    def enabled(self, mechanisms: tuple[MechanismId, ...]) -> Bits:
        """Give the permits that tenants with these mechanisms may use."""
        return bits_of(permit.mechanism is None or permit.mechanism in mechanisms for permit in self._permits)

    def says(self, ground: Ground, on: Bits, data_class: DataClass) -> _Said:
        """Give what the regime says of every region while these permits are on."""
        of_class, obligations = self._by_class[data_class]
        key = (ground, on, of_class, obligations)
        said = self._said.get(key)
        if said is None:
            grants = tuple([self._grant(covers & on, of_class) for covers in ground.covering[self._i]])
            said = self._said[key] = _Said(
                self.regime.id, grants, mask_of([bool(grant.permits) for grant in grants]), obligations
            )
        return said

    def _of_class(self, data_class: DataClass) -> tuple[Bits, tuple[str, ...]]:
        """Give the permits that count for a class, and the obligations that hold for it."""
        rule = self.regime.class_rules.get(data_class)
        return (
            bits_of(rule is None or permit.id in rule.only for permit in self._permits),
            tuple(
                f"{self.regime.id}.{duty.id}"
                for duty in self.regime.obligations
                if duty.classes is None or data_class in duty.classes
            ),
        )

    def _grant(self, covering: Bits, of_class: Bits) -> Grant:
        """Give the answer for a region that these permits cover, which are all on."""
        counted = covering & of_class
        grant = self._grants.get((covering, counted))
        if grant is None:
            standing = counted & self._within_profile
            permits = tuple(permit for n, permit in enumerate(self._permits) if standing >> n & 1)
            lacking = None
            if not permits:
                # The profile is named only for what everything else would let through.
                lacking = Exclusion.PROFILE if counted else Exclusion.CLASS_RULE if covering else Exclusion.NO_PERMIT
            grant = self._grants[covering, counted] = Grant(regime=self.regime.id, permits=permits, lacking=lacking)
        return grant


class _Day:
    """Rules on everything that can be asked on one day."""

    def __init__(
        self, rules: RulesOfDay, ground: Ground, laws: list[_Law], kept: dict[tuple[_Said, ...], Ruling]
    ) -> None:
        self._ground = ground
        self._laws = laws
        self._kept = kept
        self._classes = rules.document.classes
        self._in_force = [
            bits_of(rules.in_force(permit.valid_from, permit.valid_until) for permit in law.regime.permits)
            for law in laws
        ]

    def rulings(self, profiles: list[Profile]) -> tuple[Rulings, ...]:
        """Rule on every class and every place that some regime governs, for tenants of each profile."""
        said = {mechanisms: self._said(mechanisms) for mechanisms in {profile.mechanisms for profile in profiles}}
        return tuple(
            {
                name: _ByPlace(self._ground.governed(profile, name), said[profile.mechanisms][name], self._kept)
                for name in self._classes
            }
            for profile in profiles
        )

    def _said(self, mechanisms: tuple[MechanismId, ...]) -> Mapping[DataClass, tuple[_Said, ...]]:
        """Give for each class what each regime says to tenants with these mechanisms."""
        on = [in_force & law.enabled(mechanisms) for law, in_force in zip(self._laws, self._in_force, strict=True)]
        return {
            name: tuple(law.says(self._ground, bits, name) for law, bits in zip(self._laws, on, strict=True))
            for name in self._classes
        }


class _ByPlace(Mapping[Jurisdiction, Ruling]):
    """The rulings on one class, for tenants of one profile, put together when they are asked for."""

    __slots__ = ("_by_governing", "_governed", "_kept", "_said")

    def __init__(self, governed: Governed, said: tuple[_Said, ...], kept: dict[tuple[_Said, ...], Ruling]) -> None:
        self._governed = governed
        self._said = said
        self._kept = kept
        self._by_governing: dict[tuple[int, ...], Ruling] = {}

    def __getitem__(self, place: Jurisdiction) -> Ruling:
        governing = self._governed[place]
        ruling = self._by_governing.get(governing)
        if ruling is None:
            said = tuple(self._said[i] for i in governing)
            # Atomic, so that an answer is one object for all who ask, in whatever thread.
            ruling = self._kept.get(said) or self._kept.setdefault(said, _ruling(said))
            self._by_governing[governing] = ruling
        return ruling

    def __contains__(self, place: object) -> bool:
        return place in self._governed

    def __iter__(self) -> Iterator[Jurisdiction]:
        return iter(self._governed)

    def __len__(self) -> int:
        return len(self._governed)


def _ruling(said: tuple[_Said, ...]) -> Ruling:
    permitted = said[0].permitted
    for each in said:
        permitted = RegionMask(permitted & each.permitted)
    return Ruling(
        permitted=permitted,
        regimes=tuple(each.regime for each in said),
        grants=tuple(zip(*[each.grants for each in said], strict=True)),
        obligations=tuple(duty for each in said for duty in each.obligations),
    )


def mask_of(bits: list[bool]) -> RegionMask:
    """Give the mask whose bits are set where `bits` are."""
    return RegionMask(bits_of(bits))
