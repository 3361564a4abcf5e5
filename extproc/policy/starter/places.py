"""Which regions of the starter's catalogue a permit covers: enough to leave out what a smaller policy cannot use.

The compiler decides what a policy means; this only chooses texts, and the tests hold both against each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from extproc.policy.document import ZoneId
from extproc.policy.starter.fragments import named_parts, read_yaml
from extproc.policy.zones import BUILTIN_ZONES

SERVED = "SERVED"
"""The zone of every country in which a region stands. Composed, so that it never lags behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One region of the catalogue, as far as a permit looks at it."""

    id: str
    code: str
    """The subdivision where one is stated, else the country."""
    certs: frozenset[str]
    operated_from: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The regions of one policy, sorted by id, and the zones that are known."""

    places: tuple[Place, ...]
    zones: Mapping[str, frozenset[str]]

    @property
    def countries(self) -> tuple[str, ...]:
        """Every country in which a region stands, sorted."""
        return tuple(sorted({place.code[:2] for place in self.places}))

    def covered(self, to: Any) -> frozenset[str]:  # noqa: ANN401 - `to:` as it is written
        """Give the regions that a permit with this `to:` covers on some day."""
        return frozenset(place.id for place in self.places if self._covers(to, place))

    def regions_in(self, names: Iterable[str]) -> frozenset[str]:
        """Give the regions in any of these: zones, codes, or regions by their id."""
        wanted = set(names)
        return frozenset(p.id for p in self.places if p.id in wanted or self._contains(wanted, p.code))

    def _covers(self, to: Any, place: Place) -> bool:  # noqa: ANN401 - `to:` as it is written
        if not isinstance(to, Mapping):
            return self._contains(names_of(to), place.code)
        within = [names_of(to[key]) for key in ("zone", "country", "subdivision", "in") if key in to]
        return (
            all(self._contains(names, place.code) for names in within)
            and place.certs.issuperset(names_of(to.get("cert", [])))
            and not self._contains(names_of(to.get("not_in", [])), place.code)
            and all(
                self._contains(names_of(to["operator_in"]), code) for code in place.operated_from if "operator_in" in to
            )
            and not any(self._contains(names_of(to.get("operator_not_in", [])), code) for code in place.operated_from)
        )

    def _contains(self, names: Iterable[str], code: str) -> bool:
        codes = {code, code[:2]}
        return any(
            name == "anywhere" or name in codes or not codes.isdisjoint(self.zones.get(name, ())) for name in names
        )


def catalogue_of(areas: Iterable[str]) -> Catalogue:
    """Make the catalogue of these areas."""
    parts = named_parts("regions")
    entries = {id_: entry for area in areas for id_, entry in read_yaml(parts[area].replace("$models", "{}")).items()}
    places = tuple(_place(id_, entry) for id_, entry in sorted(entries.items()))
    served = frozenset(place.code[:2] for place in places)
    return Catalogue(places=places, zones={**_written_zones(), SERVED: served})


def names_of(written: Any) -> list[str]:  # noqa: ANN401 - a name or a list of names
    """Give the names of a territory, a certificate or the like, written alone or as a list."""
    return [written] if isinstance(written, str) else list(written)


def _place(id_: str, entry: Mapping[str, Any]) -> Place:
    operator = entry["operator"]
    return Place(
        id=id_,
        code=entry.get("subdivision", entry["country"]),
        certs=frozenset(entry.get("certs", ())),
        operated_from=frozenset([operator["hq"], *operator["admin_from"]]),
    )


def _written_zones() -> dict[str, frozenset[str]]:
    zones: dict[str, frozenset[str]] = {}
    for name, text in named_parts("zones").items():
        members = read_yaml(text)[name]
        if members == "builtin":
            zones[name] = frozenset(member.code for member in BUILTIN_ZONES[ZoneId(name)].members)
        else:
            zones[name] = frozenset(item if isinstance(item, str) else item["country"] for item in members)
    return zones
