"""Whatever the bytes: a policy, or a DocumentError with places and mends; never another exception."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import extproc.policy
from extproc.policy import compile_policy, parse_policy
from extproc.strict_yaml import DocumentError

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
