"""The matrix as data, and how its cells are marked."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegimeId, RegionId, TenantId
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis, Profile


class Tone(StrEnum):
    """What a cell is at a glance."""

    PERMITTED = "permitted"
    """Without a transfer, inside the regime's territory or the place's own country."""
    ABROAD = "abroad"
    """Without a transfer in the regime's sense, but in another country than the place's."""
    TRANSFER = "transfer"
    """Permitted, and a transfer."""
    REGIME = "regime"
    """Excluded, because a regime has no permit for it or a rule against it."""
    ORDER = "order"
    """Excluded by a legal order."""
    CHOICE = "choice"
    """Excluded by the operator's own choice: tenant, model, deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A letter for a cell, with its meaning."""

    letter: str
    tone: Tone
    meaning: str


PERMITTED: Final = Mark(letter="P", tone=Tone.PERMITTED, meaning="permitted, no transfer")
ABROAD: Final = Mark(letter="U", tone=Tone.ABROAD, meaning="permitted, abroad, not restricted")
"""Outside the country of the place, on nothing but that no regime restricts it."""
TRANSFERS: Final = {
    Basis.DEROGATION: Mark(letter="D", tone=Tone.TRANSFER, meaning="permitted, a transfer by derogation"),
    Basis.SAFEGUARDS: Mark(letter="S", tone=Tone.TRANSFER, meaning="permitted, a transfer under safeguards"),
    Basis.ADEQUACY: Mark(letter="A", tone=Tone.TRANSFER, meaning="permitted, a transfer by adequacy"),
}
"""Weakest first: a cell that rests on several bears the first of them."""
EXCLUSIONS: Final = {
    Exclusion.NO_PERMIT: Mark(letter=".", tone=Tone.REGIME, meaning="excluded: no permit of a regime"),
    Exclusion.CLASS_RULE: Mark(letter="c", tone=Tone.REGIME, meaning="excluded: a regime's rule for the class"),
    Exclusion.PROFILE: Mark(
        letter="f", tone=Tone.REGIME, meaning="excluded: a transfer, and the profile is legal-first"
    ),
    Exclusion.PERMIT_SUSPENDED: Mark(letter="o", tone=Tone.ORDER, meaning="excluded: an order suspends the permit"),
    Exclusion.SUSPENDED: Mark(letter="s", tone=Tone.ORDER, meaning="excluded: an order suspends the region"),
    Exclusion.MODEL_SUSPENDED: Mark(letter="x", tone=Tone.ORDER, meaning="excluded: an order suspends the model"),
    Exclusion.TENANT: Mark(letter="t", tone=Tone.CHOICE, meaning="excluded: not in the tenant's list"),
    Exclusion.MODEL: Mark(letter="m", tone=Tone.CHOICE, meaning="excluded: not approved for the model"),
    Exclusion.RESIDENCY: Mark(letter="r", tone=Tone.CHOICE, meaning="excluded: the model may not leave its territory"),
    Exclusion.DEPLOYMENT: Mark(letter="d", tone=Tone.CHOICE, meaning="excluded: the deployment's pattern"),
}
"""All but those of fitness, which is of a moment: a matrix holds what the policy says whenever it is asked."""
MARKS: Final = (PERMITTED, ABROAD, *reversed(TRANSFERS.values()), *EXCLUSIONS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One region for one row. `rule` is what permits or excludes it, `cite` the text that this rests on, if any.

    `unverified` are the regimes among those that it rests on which their author has not verified.
    """

    mark: Mark
    verdict: str
    rule: str
    cite: str
    unverified: tuple[RegimeId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Places that are answered alike. `refusal` is set where no region is permitted.

    `cells` belong to the matrix's regions; none where tier 1 defines no answer.
    """

    places: tuple[Jurisdiction, ...]
    words: str
    refusal: Refusal | None
    cells: tuple[Cell, ...]

    @property
    def unverified(self) -> tuple[RegimeId, ...]:
        """The regimes on which any of the cells rests and which are not verified, by name."""
        return tuple(sorted({regime for cell in self.cells for regime in cell.unverified}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The rows of tenants, classes and a model for which they are alike.

    `declared` is the class that requests declare, None for the tenant's own. `data` names the classes that are judged.
    """

    tenants: tuple[TenantId, ...]
    model: ModelId
    declared: DataClass | None
    data: tuple[DataClass, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One column."""

    id: RegionId
    place: Jurisdiction


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The whole table at one moment (Unix seconds)."""

    policy: str
    version: int
    revision: str
    profile: Profile
    at_s: float
    regions: tuple[Region, ...]
    sections: tuple[Section, ...]

    @property
    def notice(self) -> str:
        """One sentence on what the table is worth, with the regimes in it that are not verified."""
        names = sorted({regime for section in self.sections for row in section.rows for regime in row.unverified})
        doubt = "regimes marked 'not verified' are written as their author supposes the law to be, unchecked"
        listed = f" (here {', '.join(names)})" if names else " (none here)"
        return f"This is what the policy says, not legal advice; {doubt}{listed}."
