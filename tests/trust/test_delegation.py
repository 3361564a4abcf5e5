from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import generate_key
from extproc.notes.note import KeyType, VerifierKey, format_note, format_vkey, make_signature, parse_note
from extproc.trust import delegation
from extproc.trust.delegation import (
    LATEST_S,
    Delegation,
    covers,
    format_delegation,
    format_delegations,
    format_time,
    name_issuer,
    open_delegation,
    parse_delegation,
    parse_delegations,
    parse_time,
    read_delegation,
    sign_delegation,
)
from extproc.trust.delegation_file import load_delegations, save_delegations

ROOT_KEY = generate_key()
ROOT = ROOT_KEY.verifier("acme/prod")
NODE_KEY = generate_key()
SCOPE = "acme/prod/eu/node-1/0"
GIVEN = Delegation(
    scope=SCOPE,
    key=NODE_KEY.verifier(SCOPE),
    from_s=parse_time("2026-11-21T06:00:00Z"),
    until_s=parse_time("2026-11-22T07:00:00Z"),
    successors_until_s=parse_time("2027-12-26T06:00:00Z"),
    issuer=name_issuer(ROOT),
)
NOTE = sign_delegation(GIVEN, signer=ROOT_KEY, issuer=ROOT)
LINES = format_delegation(GIVEN).splitlines()


def test_the_text_is_exactly_five_lines() -> None:
    assert format_delegation(GIVEN).splitlines() == [
        "situs.key-delegation/v1",
        "acme/prod/eu/node-1/0",
        format_vkey(NODE_KEY.verifier(SCOPE)),
        "signs 2026-11-21T06:00:00Z 2026-11-22T07:00:00Z",
        "successors 2027-12-26T06:00:00Z",
    ]
    assert open_delegation(NOTE, [ROOT]) == GIVEN
    assert read_delegation(NOTE) == GIVEN


@given(st.integers(min_value=0, max_value=LATEST_S))
def test_times_are_a_strict_pair(at_s: int) -> None:
    assert parse_time(format_time(at_s)) == at_s


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T06:00:00",
        "2026-11-21t06:00:00z",
        "2026-11-21 06:00:00Z",
        "2026-11-21T06:00:00.0Z",
        "2026-11-21T06:00:00+00:00",
        "2026-02-29T06:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T06:00:60Z",
        "1969-12-31T23:59:59Z",
        "٢٠٢٦-11-21T06:00:00Z",
        "",
    ],
)
def test_other_spellings_of_a_time_are_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="expected a time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (1, "situs.key-delegation/v2", "line 1: expected situs.key-delegation/v1"),
        (2, "", "line 2: expected a scope"),
        (2, "/acme", "line 2: expected a scope"),
        (2, "acme/", "line 2: expected a scope"),
        (2, "acme//prod", "line 2: expected a scope"),
        (2, "acme/../prod", "line 2: expected a scope"),
        (2, "acme prod", "line 2: expected a scope"),
        (2, "acme/prod", "line 3: expected a key by the name acme/prod, found acme/prod/eu/node-1/0"),
        (3, "acme", "line 3: verifier key"),
        pytest.param(
            3,
            format_vkey(replace(NODE_KEY.verifier(SCOPE), type=KeyType.COSIGNATURE)),
            "line 3: expected a key of type 1",
            id="a witness's key",
        ),
        (4, "signs 2026-11-21T06:00:00Z", "line 4: expected 'signs' and 2 times"),
        (4, "signs  2026-11-21T06:00:00Z 2026-11-22T07:00:00Z", "line 4: expected 'signs' and 2 times"),
        (4, "signs 2026-11-21T06:00:00Z 2026-11-21T06:00:00Z", "line 4: expected to end after 2026-11-21T06:00:00Z"),
        (4, "signs soon 2026-11-21T06:00:00Z", "line 4: expected a time"),
        (5, "successors", "line 5: expected 'successors' and 1 time,"),
        (5, "successors never", "line 5: expected a time"),
        (5, "successors 2026-11-22T06:59:59Z", "line 5: expected 2026-11-22T07:00:00Z or later"),
        (5, "successors 2027-12-26T06:00:00Z\n", "line 6: expected 5 lines"),
        (5, "successors 2027-12-26T06:00:00Z\nmore", "line 6: expected 5 lines"),
    ],
)
def test_what_is_no_delegation_is_refused_by_its_line(number: int, line: str, message: str) -> None:
    lines = [*LINES]
    lines[number - 1] = line
    with pytest.raises(MalformedError) as caught:
        parse_delegation("".join(f"{each}\n" for each in lines), issuer="acme")
    assert str(caught.value).startswith(message)


def test_what_cannot_be_read_back_is_not_written() -> None:
    for wrong in (
        replace(GIVEN, scope="acme/prod"),
        replace(GIVEN, until_s=GIVEN.from_s),
        replace(GIVEN, successors_until_s=GIVEN.until_s - 1),
        replace(GIVEN, successors_until_s=LATEST_S + 1),
        replace(GIVEN, from_s=-1),
        replace(GIVEN, from_s=GIVEN.from_s + 0.5),  # type: ignore[arg-type]
    ):
        with pytest.raises(MalformedError):
            format_delegation(wrong)


def test_only_the_issuer_signs() -> None:
    with pytest.raises(MalformedError, match="expected the issuer"):
        sign_delegation(GIVEN, signer=NODE_KEY, issuer=NODE_KEY.verifier("acme/prod"))
    with pytest.raises(MalformedError, match="does not hold the issuer's private key"):
        sign_delegation(GIVEN, signer=NODE_KEY, issuer=ROOT)


def test_a_delegation_counts_only_by_a_known_issuer_alone() -> None:
    stranger = generate_key()
    with pytest.raises(UnknownSignerError, match="line 7: signed by acme/prod"):
        open_delegation(NOTE, [stranger.verifier("acme/prod"), ROOT_KEY.verifier("acme")])
    with pytest.raises(UnknownSignerError):
        open_delegation(NOTE, [VerifierKey(name=ROOT.name, public=ROOT.public, type=KeyType.COSIGNATURE)])
    parsed = parse_note(NOTE)
    forged = replace(parsed.signatures[0], signature=stranger.sign(parsed.text.encode()))
    with pytest.raises(SignatureError):
        open_delegation(format_note(replace(parsed, signatures=(forged,))), [ROOT])
    second = make_signature(parsed.text, stranger.verifier("other"), stranger.sign)
    with pytest.raises(MalformedError, match="line 8: expected one signature, found 2"):
        open_delegation(format_note(replace(parsed, signatures=(*parsed.signatures, second))), [ROOT])
    with pytest.raises(MalformedError, match="at most 4096 bytes"):
        open_delegation(NOTE + b" " * 4096, [ROOT])


@given(st.data())
def test_a_note_with_any_byte_altered_is_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    altered = bytearray(NOTE)
    altered[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedError, SignatureError, UnknownSignerError)):
        open_delegation(bytes(altered), [ROOT])


@given(st.integers(0, 5))
def test_a_file_of_delegations_is_a_strict_pair(count: int) -> None:
    notes = tuple(
        sign_delegation(replace(GIVEN, from_s=GIVEN.from_s + each), signer=ROOT_KEY, issuer=ROOT)
        for each in range(count)
    )
    assert parse_delegations(format_delegations(notes)) == notes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (NOTE[:-1], "delegations: line 7: expected the file to end in a newline"),
        (NOTE + NOTE, "delegations: line 14: expected notes of 7 lines"),
        (NOTE + b"\n", "delegations: line 8: expected notes of 7 lines"),
        (b"\n" + NOTE, "delegations: line 8: expected notes of 7 lines"),
        (NOTE + b"\n\n" + NOTE, "delegations: line 16: expected notes of 7 lines"),
        (NOTE + b"x\n" + NOTE, "delegations: line 8: expected an empty line"),
        (b"\n" * 7, "delegations: line 1: expected a line of text"),
        (NOTE + b"\n" + NOTE.replace(b"signs", b"sings"), "delegations: note from line 9: line 4"),
        (NOTE.replace(b"situs", b"\xff"), "delegations: note from line 1: note: not UTF-8"),
    ],
)
def test_a_file_in_another_form_is_refused_by_its_line(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_delegations(data)
    assert str(caught.value).startswith(message)


def test_a_file_of_too_many_notes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegation, "MOST", 1)
    assert len(parse_delegations(NOTE)) == 1
    with pytest.raises(MalformedError, match="at most 1 notes, found 2"):
        parse_delegations(NOTE + b"\n" + NOTE)


def test_what_is_no_note_is_not_written_to_a_file() -> None:
    with pytest.raises(MalformedError):
        format_delegations([NOTE, b""])
    with pytest.raises(MalformedError):
        format_delegations([NOTE + b"\n" + NOTE])


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "delegations"
    assert load_delegations(path) == ()
    save_delegations(path, [NOTE])
    assert load_delegations(path) == (NOTE,)
    assert [each.name for each in tmp_path.iterdir()] == ["delegations"]
    path.write_bytes(b"nonsense\n")
    with pytest.raises(MalformedError, match=r"/delegations: delegations: line 1: expected notes"):
        load_delegations(path)


def test_a_scope_covers_itself_and_what_lies_below_at_a_slash() -> None:
    assert covers("acme/prod", "acme/prod")
    assert covers("acme/prod", "acme/prod/eu")
    assert not covers("acme/prod", "acme/production")
    assert not covers("acme/prod/eu", "acme/prod")
