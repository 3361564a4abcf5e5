"""The words that every part of a policy uses."""

from typing import Final, NewType, TypeAlias

API_VERSION: Final = "situs/v1"
"""What `apiVersion` must say: the version of the language, not of the policy."""

ANYWHERE: Final = "anywhere"
"""The word for every place there is. It must be written, because nothing means "everywhere" by being left out."""

ZoneId = NewType("ZoneId", str)
"""A name that the policy gives to a set of places (`EEA`)."""

Territory: TypeAlias = tuple[str, ...]
"""A set of places, sorted: zone names, country codes (`DE`), subdivision codes (`CA-QC`) or the word `anywhere`.

Something is inside when it is inside any of them. A country holds its subdivisions, but what is only known to be in
the country is not held by a subdivision: a regime for `CA-QC` does not govern a request that is located no better
than `CA`. Where the geolocation database does not know subdivisions, write the regime for the country.
"""
