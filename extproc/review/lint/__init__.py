"""The linter: what a careful lawyer or operator would mend in a policy that parses.

Owns the checks, their ids, levels and reasons, and where a part of a policy stands in its file. It decides nothing and
changes nothing. Answers about regions are tier 1's own, asked over the whole finite domain.

`lint` runs all checks; `CHECKS` lists them; `read_places` gives the places of a file.
"""

from extproc.review.lint.check import Check
from extproc.review.lint.finding import Finding, Level
from extproc.review.lint.matter import GeoIdentityLike, OrderFile
from extproc.review.lint.places import PlaceOf, Places, places_of_text, read_places
from extproc.review.lint.registry import CHECK_OF, CHECKS
from extproc.review.lint.run import DUE_WITHIN_DAYS, lint

__all__ = [
    "CHECKS",
    "CHECK_OF",
    "DUE_WITHIN_DAYS",
    "Check",
    "Finding",
    "GeoIdentityLike",
    "Level",
    "OrderFile",
    "PlaceOf",
    "Places",
    "lint",
    "places_of_text",
    "read_places",
]
