"""The names that a document has declared so far, for checking references where they are written.

The parts are read in the order of their dependence, whatever their order in the file is. A name counts as declared even
where its entry is faulty, so that one fault does not bring reports of others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar

from extproc.core.ids import DataClass, MechanismId, ModelId, RegionId, TenantId
from extproc.core.iso3166 import is_country, is_jurisdiction
from extproc.policy.document import ANYWHERE, Territory, ZoneId
from extproc.policy.parse.scalars import parse_jurisdiction, parse_region_pattern
from extproc.strict_yaml import Reader, UnfitError, Value, nearest, one_or_list_of, parsed

N = TypeVar("N", bound=str)


@dataclass(slots=True, kw_only=True)
class Vocabulary:
    """What has been declared. Sets only grow; an empty set means that its section was faulty and was reported."""

    classes: set[DataClass] = field(default_factory=set)
    regions: set[RegionId] = field(default_factory=set)
    zones: set[ZoneId] = field(default_factory=set)
    models: set[ModelId] = field(default_factory=set)
    permits: set[str] = field(default_factory=set)
    """With their regimes: `eu-gdpr.dpf`."""
    mechanisms: set[MechanismId] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    """What conditions ask of tenants."""
    tenants: set[TenantId] = field(default_factory=set)

    def data_class(self, written: str) -> DataClass:
        """Parse a reference to a data class."""
        return declared(written, self.classes, "class", DataClass)

    def region(self, written: str) -> RegionId:
        """Parse a reference to a region."""
        return declared(written, self.regions, "region", RegionId)

    def model(self, written: str) -> ModelId:
        """Parse a reference to a model that a region is approved for."""
        return declared(written, self.models, "model", ModelId)

    def permit(self, written: str) -> str:
        """Parse a reference to a permit, with its regime."""
        return declared(written, self.permits, "permit", str)

    def tenant(self, written: str) -> TenantId:
        """Parse a reference to a tenant."""
        return declared(written, self.tenants, "tenant", TenantId)

    def region_pattern(self, written: str) -> str:
        """Parse a pattern that at least one region matches."""
        pattern = parse_region_pattern(written)
        if self.regions and not any(fnmatchcase(region, pattern) for region in self.regions):
            known = ", ".join(sorted(self.regions))
            raise UnfitError(f"the pattern '{pattern}' matches no region", f"the regions are {known}")
        return pattern

    def zone(self, written: str) -> str:
        """Parse a reference to a zone, or the word for everywhere."""
        if written in (*self.zones, ANYWHERE):
            return written
        guess = nearest(written, [*self.zones, ANYWHERE])
        hint = f"did you mean '{guess}'? " if guess else ""
        raise UnfitError(f"'{written[:60]}' is no zone of this policy", f"{hint}{_listed(self.zones, 'zone')}")

    def place(self, written: str) -> str:
        """Parse one name of a territory: a zone, a code, or the word for everywhere."""
        if is_jurisdiction(written):
            return written
        try:
            return self.zone(written)
        except UnfitError as error:
            # Two letters, or what is a code in upper case, was meant as a code and not as a zone.
            code = written.upper()
            if is_jurisdiction(code) or (is_country(code[:2]) and code[2:3] == "-") or len(code) == 2:  # noqa: PLR2004
                return parse_jurisdiction(written)
            message = f"'{written[:60]}' is neither a zone of this policy nor an ISO 3166 code"
            raise UnfitError(message, error.mend) from None


def declared(written: str, known: set[N], what: str, kind: Callable[[str], N]) -> N:
    """Parse a reference to a name in `known`, with the nearest one as the mend."""
    if known and written not in known:
        guess = nearest(written, known)
        hint = f"did you mean '{guess}'? " if guess else ""
        raise UnfitError(f"'{written[:60]}' is no {what} of this policy", f"{hint}{_listed(known, what)}")
    return kind(written)


def territory(vocabulary: Vocabulary) -> Reader[Territory]:
    """Make a reader of a territory: one name or a list of names."""
    read = one_or_list_of(parsed(vocabulary.place))

    def sort(value: Value) -> Territory:
        return tuple(sorted(set(read(value))))

    return sort


def _listed(known: set[N], what: str) -> str:
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"the {plural} are {', '.join(sorted(known))}" if known else f"no {what} is declared"
