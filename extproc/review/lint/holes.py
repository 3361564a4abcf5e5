"""The requests that tenants expect, grouped by what tier 1 answers to them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from extproc.core.ids import DataClass, Jurisdiction, ModelId, TenantId
from extproc.review.lint.matter import Matter
from extproc.review.lint.survey import Answer
from extproc.review.lint.words import day_of, listed
from extproc.strict_yaml import Place

Asked: TypeAlias = tuple[ModelId, Jurisdiction]

Test: TypeAlias = Callable[[Answer, Answer], bool]
"""What is looked for, told from the answer without any order and from the answer with those that are in force then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Expected requests of one tenant, and the answer that they get alike from a moment on (Unix seconds)."""

    tenant: TenantId
    data_class: DataClass
    at_s: float
    asked: frozenset[Asked]
    lawful: Answer
    grounds: tuple[str, ...]
    """What removed the other regions, with every order that is in force then."""

    def words(self, matter: Matter) -> str:
        """Name the requests, and the day where it is not today."""
        when = f"from {day_of(self.at_s)} on, " if self.at_s > matter.now_s else ""
        models = listed(model for model, _ in self.asked)
        places = listed(place for _, place in self.asked)
        return f"{when}requests of {self.tenant} from {places} (class {self.data_class}, model {models})"

    def place(self, matter: Matter) -> Place:
        """Where the tenant says what it expects."""
        return matter.places("tenants", self.tenant, "expects")


def holes(  # noqa: PLR0913 - what is looked for, each part by name
    matter: Matter,
    tenant: TenantId,
    data_class: DataClass,
    moments: tuple[float, ...],
    is_one: Test,
    *,
    but: frozenset[Asked] = frozenset(),
) -> Iterator[Hole]:
    """Give the requests for which the test holds, each at the first of the moments at which it does.

    `data_class` counts beside the tenant's own. Requests in `but` are not looked at.
    """
    expected = matter.expected(matter.document.tenants[tenant])
    kind = matter.survey.kind_of(tenant)
    seen = set(but)
    for at_s in moments if expected else ():
        found: dict[tuple[Answer, tuple[str, ...]], set[Asked]] = {}
        for model in matter.models_of(tenant):
            # Orders change answers, and not which places are alike, so both surveys give the same groups.
            lawful = matter.without_orders.answers(kind, model, data_class, at_s)
            ordered = matter.survey.answers(kind, model, data_class, at_s)
            for (places, one), (_, other) in zip(lawful, ordered, strict=True):
                if is_one(one, other):
                    asked = {(model, place) for place in places if place in expected} - seen
                    if asked:
                        grounds = matter.survey.grounds(kind, model, data_class, places[0], at_s)
                        found.setdefault((one, grounds), set()).update(asked)
        for (one, grounds), asked in found.items():
            seen |= asked
            yield Hole(
                tenant=tenant,
                data_class=data_class,
                at_s=at_s,
                asked=frozenset(asked),
                lawful=one,
                grounds=grounds,
            )
