"""Whatever the bytes: a policy, or a DocumentError with places and mends; never another exception."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

import extproc.policy
from extproc.policy import compile_policy, parse_policy
from extproc.policy.parse.payload import parse_pattern
from extproc.policy.parse.scalars import parse_host, parse_spiffe
from extproc.strict_yaml import DocumentError, UnfitError

DEMO = (Path(extproc.policy.__file__).parent / "examples" / "demo.yaml").read_bytes()
LINES = [line for line in DEMO.split(b"\n") if line.strip() and not line.strip().startswith(b"#")]
SMALL = (Path(__file__).parent / "full.yaml").read_bytes()

_SCRAPS = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b"[",
            b"]",
            b": ",
            b"- ",
            b"\n",
            b"  ",
            b"&a ",
            b"*a",
            b"!!map ",
            b"? ",
            b"| ",
            b"> ",
            b"'",
            b'"',
        ),
        *(
            b"#",
            b"~",
            b"null",
            b"true",
            b"1e999",
            b"-0",
            b".nan",
            b"2026-01-01",
            b"<<: ",
            b"\t",
            b"\r",
            b"\x00",
            b"\xff",
        ),
        *(b"%YAML", b"EEA", b"eu-fra", b"anywhere", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"---", b"...", b"9" * 400),
        *(
            b"performance-first",
            b"unregulated: true",
            b"spiffe://a/*",
            b"regex: ",
            b"'(a+)+$'",
            b"[not_in, to]",
            b"tests: []",
            b"unknown",
            b"assume: [",
            b"pattern: hub-and-spoke",
        ),
    ]
)


def _outcome(data: bytes) -> bool:
    try:
        compile_policy(parse_policy(data, file="p"))
    except DocumentError as error:
        for problem in error.problems:
            assert problem.place.line >= 1
            assert problem.place.column >= 1
            assert problem.message
            assert problem.mend
            assert str(problem).isprintable()
        return False
    return True


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))))
def test_any_bytes(data: bytes) -> None:
    assert not _outcome(data)


@pytest.mark.slow
@given(st.lists(st.one_of(_SCRAPS, st.sampled_from(LINES)), max_size=12).map(b"".join))
def test_scraps_of_policies(data: bytes) -> None:
    assert not _outcome(data)


@pytest.mark.slow
@settings(max_examples=150)
@given(st.integers(0, len(SMALL)), st.integers(0, 30), st.lists(_SCRAPS, max_size=2).map(b"".join))
def test_a_sound_policy_with_a_part_replaced(at: int, length: int, scrap: bytes) -> None:
    _outcome(SMALL[:at] + scrap + SMALL[at + length :])


def _is_fit(parse: Callable[[str], object], written: str) -> bool:
    """Tell whether a text is taken; one that is refused without a word or a mend counts as taken."""
    try:
        parse(written)
    except UnfitError as error:
        return not (error.message and error.mend)
    return True


_PATTERNS = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(["(", ")", "[", "]", "{9999}", "*", "+", "?", "\\", "|", "a", "(?i)", "^", "$", "."])).map(
        "".join
    ),
)


@given(_PATTERNS)
def test_any_text_as_a_pattern(written: str) -> None:
    """A pattern that is taken looks at a long text in no time; one that is not says why."""
    if _is_fit(parse_pattern, written):
        assert re2.search(written, "b" * 10_000) is None or written


@pytest.mark.parametrize("written", ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(x+x+)+y"])
def test_a_pattern_that_takes_other_engines_for_ever(written: str) -> None:
    assert _is_fit(parse_pattern, written)
    began_s = time.monotonic()
    assert re2.search(written, "a" * 100_000 + "x" * 100_000) is None
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize("written", ["(a{1000}){1000}", "[^a]{1000}" * 99, "(?P<n>", "a" * 1001, "", ".*", "x?"])
def test_a_pattern_that_is_too_much_or_asks_for_nothing(written: str) -> None:
    assert not _is_fit(parse_pattern, written)


@given(st.one_of(st.text(max_size=80), st.from_regex(r"(spiffe://)?[-a-zA-Z0-9./*_:%@]{0,60}", fullmatch=True)))
def test_any_text_as_a_name_of_a_host_or_a_workload(written: str) -> None:
    if _is_fit(parse_host, written):
        assert written == written.lower()
        assert not set(written) & set(":/*@ _")
    if _is_fit(parse_spiffe, written):
        assert written.startswith("spiffe://")
        assert "*" not in written.removesuffix("/*")
        assert not set(written) & set("?#%@ ")
