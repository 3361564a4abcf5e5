"""From a body's bytes to its classes."""

import gzip
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
import re2
from detect.vectors import CARDS, IBANS, NATIONAL_IDS
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.ids import DataClass
from extproc.core.payload import Detector, FieldRule, PatternRule, PayloadReading
from extproc.detect import Classifier, Found, check_pattern
from extproc.detect.classifier import DETECTORS
from extproc.detect.texts import MAX_DEPTH, MAX_VALUES

LIMIT = 64 * 1024
PERSONAL, SPECIAL, UNREAD = DataClass("personal"), DataClass("special"), DataClass("unread")

FULL_WIDTH = "".join(chr(ord(digit) + 0xFEE0) for digit in CARDS[0])

READING = PayloadReading(
    limit_bytes=LIMIT,
    unreadable=UNREAD,
    fields=(
        FieldRule(path=("subject", "ssn"), data_class=SPECIAL),
        FieldRule(path=("patients", "*", "name"), data_class=PERSONAL),
        FieldRule(path=("meta", "class"), data_class=SPECIAL, equals="health"),
        FieldRule(path=("meta", "level"), data_class=SPECIAL, equals="3"),
        FieldRule(path=("meta", "secret"), data_class=SPECIAL, equals="true"),
    ),
    detectors={
        Detector.EMAIL: PERSONAL,
        Detector.IBAN: SPECIAL,
        Detector.CARD: SPECIAL,
        Detector.NATIONAL_ID: SPECIAL,
    },
    patterns=(
        PatternRule(id="case-no", pattern=r"\bC-[0-9]{6}\b", data_class=SPECIAL),
        PatternRule(id="whole", pattern=r"^patient$", data_class=PERSONAL),
    ),
)
CLASSIFIER = Classifier(READING)


def found(body: bytes | object, *, complete: bool = True, encoded: bool = False) -> list[str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [item.by for item in CLASSIFIER.classify(data, complete=complete, encoded=encoded)]


def test_every_detector_of_the_policy_is_there() -> None:
    assert set(DETECTORS) == set(Detector)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"subject": {"ssn": "x"}}, ["field:subject.ssn"]),
        ({"subject": {"ssn": 0}}, ["field:subject.ssn"]),
        ({"subject": {"ssn": None}}, []),
        ({"subject": ["ssn"]}, []),
        ({"subject": [{"ssn": 1}]}, []),
        ({"x": {"subject": {"ssn": 1}}}, []),
        ({"patients": [{"id": 1}, {"name": "A"}]}, ["field:patients.*.name"]),
        ({"patients": {"a": {"name": "A"}}}, ["field:patients.*.name"]),
        ({"patients": [[{"name": "A"}], "name", 3]}, []),
        ({"meta": {"class": "health"}}, ["value:meta.class"]),
        ({"meta": {"class": "Health"}}, []),
        ({"meta": {"class": ["health"]}}, []),
        ({"meta": {"level": 3}}, ["value:meta.level"]),
        ({"meta": {"level": "3"}}, ["value:meta.level"]),
        ({"meta": {"level": 3.5}}, []),
        ({"meta": {"secret": True}}, ["value:meta.secret"]),
        ({"meta": {"secret": {}}}, []),
    ],
)
def test_fields(body: object, expected: list[str]) -> None:
    assert found(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"prompt": "about C-123456, please"}, ["pattern:case-no"]),
        ({"prompt": "about C-1234567"}, []),
        ({"C-123456": 1}, ["pattern:case-no"]),
        (["a", "patient", "b"], ["pattern:whole"]),
        (["a patient"], []),
        ("C-123456", ["pattern:case-no"]),
        (["C-", "123456"], []),
    ],
)
def test_patterns(body: object, expected: list[str]) -> None:
    assert found(body) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "^ab",
        "ab$",
        "^ab$",
        r"\Aab",
        r"ab\z",
        r"\Aab\z",
        "(?-m:^ab$)",
        "a.b",
        "(?s)a.b",
        r"a\sb",
        r"\bab\b",
        "a\nb",
        "(?i)AB",
    ],
)
@pytest.mark.parametrize(
    "texts",
    [["ab"], ["x", "ab", "y"], ["xab"], ["abx"], ["x\nab\ny"], ["a\nb"], ["a", "b"], ["a b"], ["ab "], ["", "ab", ""]],
)
def test_a_pattern_is_searched_in_each_text_by_itself(pattern: str, texts: list[str]) -> None:
    rule = PatternRule(id="p", pattern=pattern, data_class=SPECIAL)
    classifier = Classifier(PayloadReading(limit_bytes=LIMIT, unreadable=UNREAD, patterns=(rule,)))
    result = classifier.classify(json.dumps(texts).encode(), complete=True, encoded=False)
    assert bool(result) is any(re2.search(pattern, text) is not None for text in texts)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"deep": [[{"er": "write to a@example.org!"}]]}, ["detector:email"]),
        ({"a@example.org": True}, ["detector:email"]),
        ({"n": int(CARDS[0])}, ["detector:card"]),
        ({"n": [1, 2.5, int(CARDS[0])]}, ["detector:card"]),
        ({"n": [None, int(CARDS[0]), True]}, ["detector:card"]),
        ({"n": ["a", int(CARDS[0])]}, ["detector:card"]),
        ({"n": float(CARDS[0])}, ["detector:card"]),
        ({"n": "4111\u00a01111\u20091111\u202f1111"}, ["detector:card"]),
        ({"n": "4111\u20131111\u20131111\u20131111"}, ["detector:card"]),
        ({"n": FULL_WIDTH}, ["detector:card"]),
        ({"n": "4111\u200b1111\u200b1111\u200b1111"}, ["detector:card"]),
        ({"n": "4111\t1111\t1111\t1111"}, ["detector:card"]),
        ({"n": ["4111", "1111", "1111", "1111"]}, []),
        ({"iban": IBANS[3]}, ["detector:iban"]),
        ({"bsn": 111222333}, ["detector:national_id"]),
        ({"bsn": "111222333"}, ["detector:national_id"]),
        ({"count": 111222333}, []),
        ({"n": 0.4111111111111111}, []),
        ({"n": 1e300, "m": -4111111111111111, "o": 10**17}, []),
        ({"both": f"{IBANS[3]} and a@example.org"}, ["detector:email", "detector:iban"]),
        ("\u2028", []),
    ],
)
def test_detectors_look_at_strings_names_and_numbers(body: object, expected: list[str]) -> None:
    assert found(body) == expected


def test_findings_are_sorted_and_each_is_there_once() -> None:
    body = json.dumps([{"subject": 1, "mail": "a@example.org b@example.org"}] * 3).encode()
    result = CLASSIFIER.classify(body, complete=True, encoded=False)
    assert result == (Found(data_class=PERSONAL, by="detector:email"),)
    everything = CLASSIFIER.classify(
        json.dumps([*CARDS, *IBANS, "a@example.org"]).encode(), complete=True, encoded=False
    )
    assert list(everything) == sorted(set(everything))


@pytest.mark.parametrize(
    ("body", "complete", "encoded", "expected"),
    [
        (b"", True, False, []),
        (b" ", True, False, ["unreadable:not_json"]),
        (b"{}", True, False, []),
        (b"{}", False, False, ["unreadable:partial"]),
        (b"", False, False, ["unreadable:partial"]),
        (b"{}", True, True, ["unreadable:encoded"]),
        (b"", True, True, ["unreadable:encoded"]),
        (gzip.compress(b"{}", mtime=0), True, True, ["unreadable:encoded"]),
        (gzip.compress(b"{}", mtime=0), True, False, ["unreadable:not_json"]),
        (b'{"a":1}\x00\x00\x80\x3f', True, False, ["unreadable:not_json"]),  # SPEC: OIP binary tensor data extension
        (b'{"a":1}{"a":1}', True, False, ["unreadable:not_json"]),
        (b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--', True, False, ["unreadable:not_json"]),
        (b"NaN", True, False, ["unreadable:not_json"]),
        (b'"\\ud800"', True, False, ["unreadable:not_json"]),
        (b'"\xff"', True, False, ["unreadable:not_json"]),
        (b"[" * 60 + b"]" * 60, True, False, []),
        (b"[" * 100 + b"]" * 100, True, False, ["unreadable:too_deep"]),
        (b"[" * 30000 + b"]" * 30000, True, False, ["unreadable:too_deep"]),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, True, False, ["unreadable:too_deep"]),
        (b'"' + b"x" * (LIMIT - 2) + b'"', True, False, []),
        (b'"' + b"x" * (LIMIT - 1) + b'"', True, False, ["unreadable:partial"]),
    ],
)
def test_what_cannot_be_read_is_not_taken_for_harmless(
    body: bytes, *, complete: bool, encoded: bool, expected: list[str]
) -> None:
    assert found(body, complete=complete, encoded=encoded) == expected


def test_depth_is_counted_in_levels() -> None:
    assert found(b"[" * (MAX_DEPTH - 2) + b'"a"' + b"]" * (MAX_DEPTH - 2)) == []
    assert found(b"[" * (MAX_DEPTH + 1) + b'"a"' + b"]" * (MAX_DEPTH + 1)) == ["unreadable:too_deep"]


def test_too_many_values_are_not_taken_for_harmless_and_tensors_are_not_many() -> None:
    wide = Classifier(PayloadReading(limit_bytes=1 << 20, unreadable=UNREAD))

    def by(body: bytes) -> list[str]:
        return [item.by for item in wide.classify(body, complete=True, encoded=False)]

    assert by(json.dumps([{}] * (MAX_VALUES - 1)).encode()) == []  # the array itself is one
    assert by(json.dumps([{}] * MAX_VALUES).encode()) == ["unreadable:too_many"]
    assert by(json.dumps([1.5] * (2 * MAX_VALUES)).encode()) == []


def test_what_can_be_told_of_an_unreadable_body_is_told_beside() -> None:
    text = b'{"a": "a@example.org C-123456", "n": [1,4111111111111111,0.4111111111111111'
    assert found(text) == ["detector:email", "detector:card", "pattern:case-no", "unreadable:not_json"]
    assert found(text, complete=False)[-1] == "unreadable:partial"
    assert found(text, encoded=True) == ["unreadable:encoded"]
    # The fields of a document that is too deep for its texts are looked for all the same.
    deep = b'{"subject":{"ssn":1},"x":' + b"[" * 80 + b"]" * 80 + b"}"
    assert found(deep) == ["field:subject.ssn", "unreadable:too_deep"]


@pytest.mark.parametrize("secret", [CARDS[0], IBANS[0], NATIONAL_IDS["china"], "secret@example.org", "C-987654"])
def test_nothing_that_was_matched_leaves(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    for body in (json.dumps({"subject": {"ssn": secret}}).encode(), secret.encode()):
        result = CLASSIFIER.classify(body, complete=True, encoded=False)
        assert result
        assert secret not in repr(result)
        assert secret not in "".join(map(str, result))
    assert caplog.records == []


def test_the_words_of_a_finding_are_a_closed_set() -> None:
    reasons = {"partial", "encoded", "not_json", "too_deep", "too_many", "fault"}
    assert {item.by for item in CLASSIFIER.possible} == {
        *(f"unreadable:{reason}" for reason in reasons),
        *(f"detector:{detector.value}" for detector in Detector),
        "field:subject.ssn", "field:patients.*.name", "value:meta.class", "value:meta.level", "value:meta.secret",
        "pattern:case-no", "pattern:whole",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["\u017fE12ABCDEFGHIJKLMNOP", "\u212aZ12ABCDEFGHIJKLMNOPQRST", " \u017f1234567A", "\u017fSSMRA85T10A562S"]
)
def test_letters_that_only_unicode_folds_to_those_of_a_number_are_none(text: str) -> None:
    body = json.dumps({"a": text}, ensure_ascii=False).encode()
    assert CLASSIFIER.classify(body, complete=True, encoded=False) == ()
    assert CLASSIFIER.faults == 0


def test_a_payload_at_which_we_stumble_is_unreadable_and_counted() -> None:
    def stumble(_text: bytes) -> bool:
        raise KeyError("on purpose")

    classifier = Classifier(READING)
    classifier._detectors = ((stumble, next(iter(classifier.possible))),)
    found = classifier.classify(b'{"a": 1}', complete=True, encoded=False)
    assert [each.by for each in found] == ["unreadable:fault"]
    assert classifier.faults == 1


# Anything -----------------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([CARDS[0], "a@b.example"]),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.text() | st.sampled_from(["subject", "ssn", "meta", "class", "patients", "name"]), inner, max_size=6
        )
    ),
    max_leaves=20,
)


@given(body=st.binary(max_size=400), complete=st.booleans(), encoded=st.booleans())
def test_no_bytes_make_it_fail(*, body: bytes, complete: bool, encoded: bool) -> None:
    result = CLASSIFIER.classify(body, complete=complete, encoded=encoded)
    assert list(result) == sorted(set(result))
    assert set(result) <= CLASSIFIER.possible


@pytest.mark.slow
@given(value=json_values, ascii_only=st.booleans())
def test_no_json_makes_it_fail(value: object, *, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert set(CLASSIFIER.classify(body, complete=True, encoded=False)) <= CLASSIFIER.possible


@pytest.mark.slow
@given(value=json_values, cut=st.integers(min_value=0, max_value=200))
def test_a_card_in_a_string_is_found_wherever_it_is(value: object, cut: int) -> None:
    body: Any = {"v": value, "card": {"deep": ["x" * cut, f"no {CARDS[1]}"]}}
    text = json.dumps(body).encode(errors="surrogatepass")
    by = found(text)
    assert "detector:card" in by


# Patterns as the policy writes them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [r"\bC-[0-9]{6}\b", "a+", "(?i)straße", "^x$", r"(a+)+$"])
def test_patterns_that_can_be_used(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", r"missing \)"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", "invalid perl operator"),
        ("a{5000}", "invalid repetition size"),
        ("((a{100}){100}){100}", "repetition|too large"),
        ("a*", "empty text"),
        ("", "empty text"),
        ("\ud800", "surrogate"),
    ],
)
def test_patterns_that_cannot_say_why(pattern: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=words):
        check_pattern(pattern)
    assert capfd.readouterr().err == ""


# Time ---------------------------------------------------------------------------------------------------------------

ADVERSARIAL: Mapping[str, str] = {
    "at": "a@",
    "labels": "a@a.",
    "cards": "4111111111111112 ",
    "groups": "4111 ",
    "digits": "4",
    "iban": "DE00 ",
    "iban-long": "DE00DE00DE00DE00DE00DE00 ",
    "eleven": "44051401358 ",
    "ssn": "000-00-0000 ",
    "threes": "131 ",
    "nir": "1 85 05 78 006 084 37 ",
    "bsn": "bsn a ",
    "hetu": "131052-3089 ",
    "full-width": FULL_WIDTH[:4] + " ",
    "spaces": " ",
    "a": "a",
    "combining": "a\u0301\u0327",
}


def cost_of(classifier: Classifier, body: bytes) -> float:
    """Give the least processor time of a few runs: what else the machine does only adds."""

    def once() -> float:
        started = time.process_time()
        classifier.classify(body, complete=True, encoded=False)
        return time.process_time() - started

    return min(once() for _ in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_four_times_the_payload_costs_not_much_more_than_four_times(unit: str) -> None:
    pattern = PatternRule(id="nested", pattern="(a+)+[bB]$", data_class=SPECIAL)
    classifier = Classifier(
        PayloadReading(limit_bytes=1 << 21, unreadable=UNREAD, detectors=READING.detectors, patterns=(pattern,))
    )
    small, large = (json.dumps([unit * (size // len(unit))]).encode() for size in (1 << 15, 1 << 17))
    # Linear is 4, quadratic 16.
    assert cost_of(classifier, large) < 9 * cost_of(classifier, small) + 0.002


@pytest.mark.slow
def test_a_tensor_costs_little_more_than_parsing_it() -> None:
    classifier = Classifier(PayloadReading(limit_bytes=1 << 21, unreadable=UNREAD, detectors=READING.detectors))
    body = json.dumps({"inputs": [{"name": "x", "data": [i / 7 for i in range(50_000)]}]}).encode()

    def parse() -> float:
        started = time.process_time()
        json.loads(body)
        return time.process_time() - started

    # Measured against the standard library's parser, which is no yardstick that a faster orjson could move.
    assert cost_of(classifier, body) < min(parse() for _ in range(3))
