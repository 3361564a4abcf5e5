"""Places are called what people call them, and a set of them is described exactly and briefly."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review.world import compiled

from extproc.core.ids import Jurisdiction
from extproc.core.iso3166 import COUNTRIES
from extproc.core.reasons import Exclusion, Refusal
from extproc.core.tables import Basis, Profile
from extproc.policy.document import PolicyDocument
from extproc.policy.starter.compose import compose
from extproc.policy.zones import BUILTIN_ZONES
from extproc.review.domain import places_of
from extproc.review.words import (
    basis_in_words,
    describe_places,
    exclusion_in_words,
    format_moment,
    joined,
    mend_of_subdivision,
    name_of,
    place_in_words,
    profile_in_words,
    refusal_in_words,
    some_of,
    unknown_name,
)

_DAY: Final = date(2026, 12, 1)
_WORLD: Final = compiled(compose("hybrid", "global"))
_DOCUMENT: Final[PolicyDocument] = _WORLD.document
_ALL: Final = frozenset(places_of(_WORLD))
_EEA: Final = frozenset(member.code for member in BUILTIN_ZONES[next(z for z in BUILTIN_ZONES if z == "EEA")].members)


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (_EEA, "the EEA"),
        (_EEA - {"FR", "DE"}, "the EEA except France and Germany"),
        (_EEA - {"FR"} | {"JP"}, "the EEA (without France) and Japan"),
        (_EEA - {"IS", "LI", "NO"}, "the EU"),
        (_ALL, "everywhere"),
        (_ALL - _EEA, "everywhere except the EEA"),
        ({"KR", "DE", "US"}, "Germany, South Korea and the United States"),
        ({"CA", "CA-QC"}, "Canada"),
        ({"CA"}, "Canada except Quebec (Canada)"),
        ({"CA-QC"}, "Quebec (Canada)"),
        (set(), "nowhere"),
    ],
)
def test_a_set_of_places_is_described_by_few_words(places: set[str], words: str) -> None:
    # The subdivisions of a country count as places of their own; only those of Canada are looked at here.
    others = {place for place in _ALL if "-" in place and place[:2] in places and place[:2] != "CA"}
    assert describe_places({*places, *others}, _DOCUMENT, _DAY) == words


@given(st.sets(st.sampled_from(sorted(_ALL))), st.booleans())
def test_a_description_says_nothing_that_is_not_so(places: set[Jurisdiction], inverse: bool) -> None:  # noqa: FBT001
    wanted = _ALL - places if inverse else frozenset(places)
    assert _read(describe_places(wanted, _DOCUMENT, _DAY)) == wanted


def _read(words: str) -> frozenset[str]:
    """Read a description back, by what each of its words stands for."""
    if words == "nowhere":
        return frozenset()
    if words == "everywhere":
        return _ALL
    if words.startswith("everywhere except "):
        return _ALL - _read(words.removeprefix("everywhere except "))
    names = _names()
    found: set[str] = set()
    rest = words
    while rest:
        name = max((each for each in names if rest.startswith(each)), key=len)
        members = set(names[name])
        rest = rest.removeprefix(name)
        if rest.startswith(" (without "):
            inner, _, rest = _split(rest)
            members -= _read(inner)
        elif rest.startswith(" except "):
            members -= _read(rest.removeprefix(" except "))
            rest = ""
        found |= members
        rest = rest.removeprefix(", ").removeprefix(" and ")
    return frozenset(found)


def _split(rest: str) -> tuple[str, str, str]:
    """Take the brackets off the front; names in them may have brackets of their own."""
    depth, begin = 0, len(" (without ")
    for i, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            return rest[begin:i], ")", rest[i + 1 :]
    raise AssertionError(rest)


def _names() -> dict[str, frozenset[str]]:
    split = {place[:2] for place in _ALL if "-" in place}
    names: dict[str, frozenset[str]] = {place_in_words(code): frozenset((code,)) for code in _ALL}
    names |= {place_in_words(code): frozenset[str](each for each in _ALL if each[:2] == code) for code in split}
    # A country that is meant without its subdivisions is always written with an exception.
    for id_, zone in _DOCUMENT.zones.items():
        members = {
            member.code
            for member in zone.members
            if (member.valid_from or _DAY) <= _DAY <= (member.valid_until or _DAY)
        }
        words = {"EEA": "the EEA", "EU": "the EU"}.get(id_, str(id_))
        names[words] = frozenset(each for each in _ALL if each in members or each[:2] in members)
    return names


def test_a_long_list_can_be_cut_short() -> None:
    words = describe_places(["JP", "KR", "BR", "ZA", "NG"], _DOCUMENT, _DAY, at_most=2)
    assert words == "Brazil, Japan and 3 others"


def test_every_country_has_a_name_without_inversion() -> None:
    assert all("," not in name_of(code) for code in COUNTRIES - {"BQ", "SH"})
    assert name_of("KR") == "South Korea"
    assert name_of("RU") == "Russia"
    assert name_of("CA-QC") == "Quebec (Canada)"
    assert name_of("CA-ZZZ") == "CA-ZZZ"


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (Basis, basis_in_words),
        (Exclusion, exclusion_in_words),
        (Refusal, refusal_in_words),
        (Profile, profile_in_words),
    ],
)
def test_every_code_has_words(codes: type[StrEnum], words: Callable[[StrEnum], str]) -> None:
    said = [words(code) for code in codes]
    assert len(set(said)) == len(said)
    assert all(each and not each.endswith(".") for each in said)


def test_moments_are_days_where_they_begin_one() -> None:
    assert format_moment(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) == "2026-12-01"
    assert format_moment(datetime(2026, 12, 1, 9, 30, tzinfo=UTC).timestamp()) == "2026-12-01 09:30 UTC"


def test_lists_are_joined_as_in_a_sentence() -> None:
    assert [joined([]), joined("a"), joined("ab"), joined("abc", last="or")] == ["none", "a", "a and b", "a, b or c"]


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("CA-QC", None),
        ("CA", None),
        ("CA-QU", "did you mean CA-QC? write one of CA-AB, "),
        ("VA-AA", "write VA: it has no subdivisions"),
    ],
)
def test_a_subdivision_that_does_not_exist_has_a_mend(code: str, mend: str | None) -> None:
    found = mend_of_subdivision(code)
    assert found is None if mend is None else str(found).startswith(mend)


def test_a_long_list_of_names_is_counted_and_a_near_one_is_guessed() -> None:
    known = [f"tenant-{letter}" for letter in "abcdefghijklm"]
    assert some_of(known, 13).endswith("tenant-l and tenant-m")
    assert some_of(known, 12, last="or").endswith("tenant-l or 1 other")
    assert (
        unknown_name("tenant", "zzz", ["bank", "shop"]) == "the policy has no tenant zzz. Mend: name one: bank or shop"
    )
    words = "the policy has no tenant bnak. Mend: did you mean bank? name one with --tenant: bank or shop"
    assert unknown_name("tenant", "bnak", ["shop", "bank"], "--tenant") == words
