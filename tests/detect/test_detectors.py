"""What has the form and the check digits is found wherever it stands, and what lacks one of them is not."""

import string
from collections.abc import Callable
from datetime import date

import pytest
from detect.vectors import CARDS, IBANS, NATIONAL_IDS
from hypothesis import given
from hypothesis import strategies as st

from extproc.detect.candidates import MAX_CANDIDATES, TooManyError
from extproc.detect.card import has_card
from extproc.detect.check_digits import luhn, mod_97_10, verhoeff
from extproc.detect.email import has_email
from extproc.detect.iban import LENGTHS, has_iban
from extproc.detect.national_id import has_national_id

FRAMES = ["{}", " {} ", "pay {} now", "({})", '"{}",', "no. {}.", "{}. Then", "a:{};b", "x\n{}\ny", "ümläut {} ß"]

# What surrounds a number in a text: words, but no digits and nothing that could lengthen the number.
around = st.text(alphabet=string.ascii_lowercase + " äß,;:\n\"'()", max_size=60)


def in_fours(text: str, separator: str = " ") -> str:
    return separator.join(text[i : i + 4] for i in range(0, len(text), 4))


# IBAN ---------------------------------------------------------------------------------------------------------------


def test_there_is_an_example_of_every_country() -> None:
    assert {iban[:2] for iban in IBANS} == set(LENGTHS)


@pytest.mark.parametrize("iban", IBANS)
def test_the_registrys_examples_are_ibans(iban: str) -> None:
    for written in (iban, iban.lower(), in_fours(iban), in_fours(iban, "-")):
        for frame in FRAMES:
            assert has_iban(frame.format(written).encode()), frame
        assert not has_iban(f"x{written}".encode())
        assert not has_iban(f"{written}7".encode())
    assert not has_iban(iban[:-1].encode())


@given(country=st.sampled_from(sorted(LENGTHS)), data=st.data(), before=around, after=around)
def test_a_made_iban_is_found_and_with_another_digit_is_not(
    country: str, data: st.DataObject, before: str, after: str
) -> None:
    size = LENGTHS[country] - 4
    account = data.draw(st.text(alphabet=string.digits + string.ascii_uppercase, min_size=size, max_size=size))
    number = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00"))
    iban = f"{country}{98 - number % 97:02}{account}"
    assert has_iban(f"{before} {iban} {after}".encode())
    assert has_iban(f"{before} {in_fours(iban)}, {after}".encode())
    wrong = f"{country}{(98 - number % 97) % 97 + 1:02}{account}"
    assert mod_97_10(wrong[4:] + wrong[:4]) or not has_iban(f" {wrong} ".encode())


def test_a_word_before_an_iban_that_looks_like_one_hides_nothing() -> None:
    assert has_iban(b"DE00 DE89 3704 0044 0532 0130 00")
    assert has_iban(b"DE00 0000 DE89 3704 0044 0532 0130 00")


# Cards --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", CARDS)
def test_published_test_numbers_are_cards(card: str) -> None:
    for frame in FRAMES:
        assert has_card(frame.format(card).encode()), frame
    wrong = card[:-1] + str((int(card[-1]) + 1) % 10)
    assert not has_card(wrong.encode())
    for longer in (f"7{card}", f"x{card}", f"{card}a", f"0.{card}", f"{card}.25", f"{card}0000000"):
        assert not has_card(longer.encode()), longer


@pytest.mark.parametrize(
    "written",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "3056 930902 5904",
        "4111 1111 1111 1111 123",  # with the code that follows it
        "12 4111 1111 1111 1111",
        "1234 4111 1111 1111 1111",
        "[1,4111111111111111,2]",
    ],
)
def test_cards_in_groups_and_lists(written: str) -> None:
    assert has_card(written.encode())


@pytest.mark.parametrize("prefix", ["1", "9", "0", "71", "5601", "3094"])
@given(data=st.data())
def test_no_issuer_no_card(prefix: str, data: st.DataObject) -> None:
    rest = data.draw(st.text(alphabet=string.digits, min_size=15 - len(prefix), max_size=15 - len(prefix)))
    assert not has_card(with_luhn(prefix + rest).encode())


def with_luhn(digits: str) -> str:
    return next(digits + last for last in string.digits if luhn(digits + last))


@given(
    prefix=st.sampled_from(["4", "51", "55", "2221", "2720", "6011", "644", "65", "62", "3528", "3589"]),
    data=st.data(),
    before=around,
    after=around,
)
def test_a_made_card_is_found_and_with_another_digit_is_not(
    prefix: str, data: st.DataObject, before: str, after: str
) -> None:
    size = 15 - len(prefix)
    card = with_luhn(prefix + data.draw(st.text(alphabet=string.digits, min_size=size, max_size=size)))
    assert has_card(f"{before} {card} {after}".encode())
    assert has_card(f"{before} {in_fours(card)}; {after}".encode())
    other = data.draw(st.sampled_from([digit for digit in string.digits if digit != card[-1]]))
    assert not has_card(f" {card[:-1]}{other} ".encode())


# National identity numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NATIONAL_IDS.values(), ids=NATIONAL_IDS)
def test_the_states_own_examples_are_found(number: str) -> None:
    for frame in FRAMES:
        assert has_national_id(frame.format(number).encode()), frame


@pytest.mark.parametrize(
    "name", [name for name in NATIONAL_IDS if name not in {"us-ssn", "us-itin", "uk", "uk-together"}]
)
def test_with_another_check_sign_they_are_not(name: str) -> None:
    number = NATIONAL_IDS[name]
    for place in (len(number) - 1, len(number) - 3):
        sign = number[place]
        pool = string.digits if sign.isdecimal() else string.ascii_uppercase if sign.isalpha() else ""
        others = [number[:place] + other + number[place + 1 :] for other in pool if other != sign]
        found = [other for other in others if has_national_id(other.encode())]
        assert len(found) <= len(others) // 4, found  # one of another kind may pass by chance


@pytest.mark.parametrize(
    "number",
    [
        "000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000", "900-10-0000", "123456789", "1123-45-6789",
        "QQ 12 34 56 C", "BG123456A", "AB 12 34 56 E", "or 42 20 26 a",
        "111222333", "130692544", "130 692 544", "basin 130692544", "sin 130692545", "234123412346", "bsn 111222334",
        "2341 2341 2346 1111", "1111-2341-2341-2346",
        "255131416802538", "11111111111", "441301-3080", "310299-1234",
        "0.44051401359", "44051401359.5", "a44051401359", "440514013590",
        "11010519491331002X", "+49 170 1234567", "2026-11-21T14:33:30Z", "1795272916972",
        "550e8400-e29b-41d4-a716-446655440000", "192.168.100.200",
    ],
)  # fmt: skip
def test_near_misses_are_no_identity_numbers(number: str) -> None:
    assert not has_national_id(number.encode())


def polish(day: date, serial: int) -> str:
    month = day.month + {18: 80, 19: 0, 20: 20, 21: 40, 22: 60}[day.year // 100]
    digits = f"{day.year % 100:02}{month:02}{day.day:02}{serial:04}"
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    return digits + str(-sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 10)


def swedish(day: date, serial: int) -> str:
    return f"{day:%y%m%d}-" + with_luhn(f"{day:%y%m%d}{serial % 1000:03}")[6:]


def finnish(day: date, serial: int) -> str:
    digits = f"{day:%d%m%y}{serial % 1000:03}"
    return f"{digits[:6]}-{digits[6:]}" + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31]


def chinese(day: date, serial: int) -> str:
    digits = f"110105{day:%Y%m%d}{serial % 1000:03}"
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(digits))
    return digits + "10X98765432"[total % 11]


def indian(_day: date, serial: int) -> str:
    digits = f"23412{serial:06}"
    whole = next(digits + last for last in string.digits if verhoeff(digits + last))
    return in_fours(whole)


def spanish(_day: date, serial: int) -> str:
    return f"{serial:08}" + "TRWAGMYFPDXBNJZSQVHLCKE"[serial % 23]


@pytest.mark.parametrize("make", [polish, swedish, finnish, chinese, indian, spanish])
@pytest.mark.slow
@given(
    day=st.dates(min_value=date(1900, 1, 1), max_value=date(2020, 12, 31)),
    serial=st.integers(min_value=1, max_value=9999),
    before=around,
    after=around,
)
def test_a_made_number_is_found(
    make: Callable[[date, int], str], day: date, serial: int, before: str, after: str
) -> None:
    assert has_national_id(f"{before} {make(day, serial)} {after}".encode())


# E-mail -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["a@example.org", "first.last+tag@sub.example.co.uk", "o'hara@example.com", "jörg@exämple.de", "1@2.example",
     "x@xn--bcher-kva.example", "用户@例子.广告"],
)  # fmt: skip
def test_addresses(address: str) -> None:
    for frame in FRAMES:
        assert has_email(frame.format(address).encode()), frame
    assert has_email(f"<mailto:{address}>".encode())


@pytest.mark.parametrize(
    "text", ["", "@", "a@", "@example.org", "a@b", "a @example.org", "a@ example.org", "a@1.2", "@user hi"]
)
def test_no_addresses(text: str) -> None:
    assert not has_email(text.encode())


# All ----------------------------------------------------------------------------------------------------------------

ALL = [has_email, has_iban, has_card, has_national_id]


@pytest.mark.parametrize("has", ALL)
@given(
    text=st.binary(max_size=200) | st.text(alphabet="0123456789ABDEXSK\u017f\u212a -.@\n", max_size=200).map(str.encode)
)
def test_no_bytes_make_a_detector_fail(has: Callable[[bytes], bool], text: bytes) -> None:
    assert has(text) in (True, False)


@pytest.mark.parametrize(
    ("has", "candidate"),
    [(has_iban, b"DE00 0000 0000 0000 "), (has_card, b"4111111111111112 "), (has_national_id, b"000-00-0000 ")],
)
def test_more_candidates_than_are_looked_at_are_not_taken_for_harmless(
    has: Callable[[bytes], bool], candidate: bytes
) -> None:
    assert not has(candidate * 100)
    with pytest.raises(TooManyError):
        has(candidate * MAX_CANDIDATES)
