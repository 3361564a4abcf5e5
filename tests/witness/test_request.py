"""The texts between a log and a witness: what parses formats back, and everything else is refused."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from witness.world import MemoryLog

from extproc.notes.errors import MalformedError
from extproc.notes.keys import generate_key
from extproc.notes.note import Signature, parse_note
from extproc.witness.request import (
    LARGEST_TREE,
    AddCheckpoint,
    format_add_checkpoint,
    format_signatures,
    monitor_path,
    parse_add_checkpoint,
    parse_head,
    parse_signatures,
    parse_size,
)

HASH = b64encode(bytes(range(32)))
LOG = MemoryLog(key=generate_key())


@given(
    st.integers(0, LARGEST_TREE),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.binary(max_size=200),
)
def test_what_is_written_is_read(old: int, proof: list[bytes], checkpoint: bytes) -> None:
    request = AddCheckpoint(old=old, proof=tuple(proof), checkpoint=checkpoint)
    assert parse_add_checkpoint(format_add_checkpoint(request)) == request


@given(
    st.binary(max_size=300)
    | st.just(LOG.request(3, 9)).flatmap(
        lambda body: st.builds(
            lambda at, byte: body[:at] + bytes([byte]) + body[at + 1 :],
            st.integers(0, len(body) - 1),
            st.integers(0, 255),
        )
    )
)
def test_what_is_read_is_written(body: bytes) -> None:
    try:
        request = parse_add_checkpoint(body)
    except MalformedError:
        return
    assert format_add_checkpoint(request) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n\n"[:-1],
        b"\n\ncheckpoint\n",
        b"old\n\ncheckpoint\n",
        b"old \n\ncheckpoint\n",
        b"old 00\n\ncheckpoint\n",
        b"old 01\n\ncheckpoint\n",
        b"old -1\n\ncheckpoint\n",
        b"old +1\n\ncheckpoint\n",
        b"old 1 \n\ncheckpoint\n",
        b"old  1\n\ncheckpoint\n",
        b"Old 1\n\ncheckpoint\n",
        b"old 1\r\n\ncheckpoint\n",
        b"old 9223372036854775808\n\ncheckpoint\n",
        b"old 99999999999999999999\n\ncheckpoint\n",
        "old \u0661\n\ncheckpoint\n".encode(),
        b"old 1\n" + HASH[:-1] + b"\n\ncheckpoint\n",
        b"old 1\n" + HASH + b" \n\ncheckpoint\n",
        b"old 1\n" + b64encode(bytes(31)) + b"\n\ncheckpoint\n",
        b"old 1\n" + b64encode(bytes(33)) + b"\n\ncheckpoint\n",
        b"old 1\n" + HASH[:-2] + b"9=\n\ncheckpoint\n",
        b"old 1\n" + (HASH + b"\n") * 64 + b"\ncheckpoint\n",
    ],
)
def test_a_body_in_another_form(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_add_checkpoint(body)


def test_sixty_three_hashes() -> None:
    assert len(parse_add_checkpoint(b"old 1\n" + (HASH + b"\n") * 63 + b"\n").proof) == 63


@pytest.mark.parametrize("text", [b"", b"0\n", b" 0", b"1_000", b"1e3", b"\xff", b"9" * 5000])
def test_a_size_in_another_form(text: bytes) -> None:
    with pytest.raises(MalformedError, match="tree size"):
        parse_size(text)


def test_extension_lines_are_let_be() -> None:
    text = parse_note(LOG.checkpoint(3)).text
    assert parse_head(text) == LOG.head(3)
    assert parse_head(f"{text}anything\nat all\n") == LOG.head(3)
    for bad in (
        f"{text}\nafter an empty line\n",
        "a\n1\n",
        text.replace("\n3\n", f"\n{LARGEST_TREE + 1}\n"),
        "\n" + text,
    ):
        with pytest.raises(MalformedError):
            parse_head(bad)


def test_an_answer_cannot_move_the_text() -> None:
    text = parse_note(LOG.checkpoint(3)).text
    signatures = [
        Signature(name="w", key_id=b"1234", signature=b"s"),
        Signature(name="v", key_id=b"1235", signature=b"t"),
    ]
    body = format_signatures(signatures)
    assert body.startswith("— w ".encode())
    assert parse_signatures(body, text) == tuple(signatures)
    for bad in (b"", b"\n", b"\n" + body, body + b"\n" + body, b"x\n\n" + body, body[:-1], b"\xff\n"):
        with pytest.raises(MalformedError):
            parse_signatures(bad, text)


def test_the_monitors_path() -> None:
    """SPEC: SHA-256 of the origin in lower hex; the value is that of sha256sum."""
    assert (
        monitor_path("example.com/behind-the-sofa")
        == "/5fd2dc0beb4ce54da5050cf6d5c75248b023abad441c3cecde3976fbe9da4fe4/checkpoint"
    )
