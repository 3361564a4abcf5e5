"""The texts of a policy, as shared definitions: names, codes, days and moments."""

from typing import Final

from extproc.core.iso3166 import COUNTRIES
from extproc.policy.document import ANYWHERE

# The parser's own forms, so that the two cannot drift apart.
from extproc.policy.parse.scalars import (
    _CLAIM,
    _CLUSTER,
    _DAY,
    _DIGEST,
    _HEADER,
    _HOST,
    _ID,
    _MODEL,
    _MOMENT,
    _PATTERN,
    _REGION,
    _SPIFFE,
    _ZONE,
)
from extproc.policy.schema.shapes import Schema, described, matching, named, one_or_list_of

COUNTRY: Final = named("country")
SUBDIVISION: Final = named("subdivision")
JURISDICTION: Final = named("jurisdiction")
PLACE: Final = named("place")
TERRITORY: Final = named("territory")
ID: Final = named("id")
REGION: Final = named("region")
PATTERN: Final = named("regionPattern")
CLUSTER: Final = named("cluster")
MODEL: Final = named("model")
ZONE: Final = named("zone")
HOST: Final = named("host")
SPIFFE: Final = named("spiffe")
HEADER: Final = named("header")
CLAIM: Final = named("claim")
DIGEST: Final = named("digest")
DAY: Final = named("day")
MOMENT: Final = named("moment")


def definitions() -> dict[str, Schema]:
    """Give the shared definitions, by name."""
    subdivision = f"^(?:{'|'.join(sorted(COUNTRIES))})-[A-Z0-9]{{1,3}}$"
    return {
        "country": {"enum": sorted(COUNTRIES), "description": "ISO 3166-1 alpha-2 code."},
        "subdivision": {
            "type": "string",
            "pattern": subdivision,
            "description": "ISO 3166-2 code, such as CA-QC.",
        },
        "jurisdiction": {"anyOf": [COUNTRY, SUBDIVISION], "description": "A country or a part of one."},
        "place": {
            "anyOf": [COUNTRY, SUBDIVISION, {"const": ANYWHERE}, ZONE],
            "description": "A zone of this policy, a code of ISO 3166, or the word anywhere.",
        },
        "territory": described(one_or_list_of(PLACE), "A set of places: what is inside any of them is inside."),
        "id": described(matching(_ID), "A name: letters, digits and . _ -"),
        "region": described(matching(_REGION), "A region's id."),
        "regionPattern": described(matching(_PATTERN), "A pattern over region ids: * and ?"),
        "cluster": described(matching(_CLUSTER), "The name of an Envoy cluster."),
        "model": described(matching(_MODEL), "A model's name."),
        "zone": described(matching(_ZONE), "A zone's name."),
        "host": described(matching(_HOST), "A host name in lower case, without a port."),
        "spiffe": described(matching(_SPIFFE), "A SPIFFE id; ending in /*, all below it."),
        "header": described(matching(_HEADER), "A header's name in lower case."),
        "claim": described(matching(_CLAIM), "A token's claim."),
        "digest": described(matching(_DIGEST), "The digest of a model's bytes."),
        "day": described(matching(_DAY), "A day, YYYY-MM-DD."),
        "moment": {
            "anyOf": [DAY, matching(_MOMENT)],
            "description": "A moment with its offset, such as 2026-11-21T09:00:00Z, or a day.",
        },
    }
