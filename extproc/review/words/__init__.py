"""Plain English for the people who answer for a policy: places by name, and reasons as sentences.

Owns words alone. Nothing here is asked, compared or decided; codes and ids stay as they are wherever a program reads.
"""

from extproc.review.words.lists import counted, joined, some_of
from extproc.review.words.naming import one_of, unknown_name
from extproc.review.words.places import describe_places, name_of, place_in_words, territory_in_words
from extproc.review.words.reasons import basis_in_words, exclusion_in_words, profile_in_words, refusal_in_words
from extproc.review.words.subdivisions import mend_of_subdivision
from extproc.review.words.times import day_of, format_moment

__all__ = [
    "basis_in_words",
    "counted",
    "day_of",
    "describe_places",
    "exclusion_in_words",
    "format_moment",
    "joined",
    "mend_of_subdivision",
    "name_of",
    "one_of",
    "place_in_words",
    "profile_in_words",
    "refusal_in_words",
    "some_of",
    "territory_in_words",
    "unknown_name",
]
