import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import generate_key
from extproc.notes.note import (
    LONGEST,
    Note,
    Signature,
    VerifierKey,
    format_note,
    format_vkey,
    open_note,
    parse_note,
    parse_vkey,
    sign_note,
)

# The example of golang.org/x/mod/sumdb/note.
_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()
_KEY = generate_key()
_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="+", exclude_categories=["Z", "C"]), min_size=1)


def test_the_published_example_verifies() -> None:
    note = open_note(_NOTE, [parse_vkey(_VKEY)])
    assert note.text.endswith("what your problem is.\n")
    assert format_vkey(parse_vkey(_VKEY)) == _VKEY


def test_any_change_to_a_note_is_refused() -> None:
    key = parse_vkey(_VKEY)
    for at in range(len(_NOTE)):
        changed = bytearray(_NOTE)
        changed[at] ^= 1
        with pytest.raises((MalformedError, SignatureError, UnknownSignerError)):
            open_note(bytes(changed), [key])


@given(_NAMES, st.binary(min_size=32, max_size=32))
def test_verifier_keys_parse_to_what_was_formatted(name: str, public: bytes) -> None:
    key = VerifierKey(name=name, public=public)
    assert parse_vkey(format_vkey(key)) == key


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), min_size=1),
    st.lists(
        st.builds(
            Signature,
            name=_NAMES,
            key_id=st.binary(min_size=4, max_size=4),
            signature=st.binary(min_size=1, max_size=80),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_notes_parse_to_what_was_formatted(lines: list[str], signatures: list[Signature]) -> None:
    note = Note(text="".join(f"{line}\n" for line in lines), signatures=tuple(signatures))
    assert parse_note(format_note(note)) == note


def test_other_signatures_are_left_out() -> None:
    key = _KEY.verifier("log")
    note = parse_note(sign_note("text\n", key, _KEY.sign))
    stranger = Signature(name="witness", key_id=b"1234", signature=b"cosignature")
    both = format_note(Note(text=note.text, signatures=(stranger, *note.signatures)))
    assert open_note(both, [key]).signatures == note.signatures
    with pytest.raises(UnknownSignerError, match="witness"):
        open_note(both, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name", "expected name"),
        ("name+00000000", "expected name"),
        ("name+00000000+!", "not base64"),
        ("name+00000000+AB==", "canonical"),
        ("name+00000000+Ag==", "type 1"),
        ("name+00000000+AQ==", "32 bytes"),
        (_VKEY.replace("c74f20a3", "c74f20a4"), "expected hash c74f20a3"),
        (_VKEY.replace("PeterNeumann", "Peter Neumann"), "no space"),
        (_VKEY.replace("PeterNeumann", ""), "not nothing"),
    ],
)
def test_strict_verifier_keys(text: str, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_vkey(text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a text"),
        (b"text\n", "expected a text"),
        (b"text\n\n", "expected a text"),
        (b"text\n\n\xe2\x80\x94 n AAAAAAA=", "expected a text"),
        (b"text\n\nname AAAAAAA=\n", "signature line"),
        (b"text\n\n\xe2\x80\x94 name\n", "name and base64"),
        (b"text\n\n\xe2\x80\x94 n+m AAAAAAA=\n", "no plus"),
        (b"text\n\n\xe2\x80\x94 name AAAAAA==\n", "too short"),
        (b"te\txt\n\n\xe2\x80\x94 name AAAAAAA=\n", "control character"),
        (b"\xff\n", "not UTF-8 at byte 0"),
        (b"x" * (LONGEST + 1), "at most"),
    ],
)
def test_strict_notes(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_note(data)


def test_a_text_without_newline_is_never_signed() -> None:
    with pytest.raises(MalformedError, match="newline"):
        sign_note("text", _KEY.verifier("log"), _KEY.sign)
