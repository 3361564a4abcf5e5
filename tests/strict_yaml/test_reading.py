"""What a consumer gets: typed values, or every fault at once, each with its place and its mend."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.strict_yaml import (
    MAX_DEPTH,
    MAX_SIZE,
    DocumentError,
    Kind,
    Place,
    Problem,
    Reader,
    Table,
    UnfitError,
    Value,
    boolean,
    choice,
    entries_of,
    integer,
    list_of,
    nearest,
    number,
    one_or_list_of,
    parsed,
    read_document,
    read_text,
    table_of,
    text,
)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Server:
    host: str
    port: int
    share: float
    spare: bool
    colour: Colour | None
    names: tuple[str, ...]
    limits: dict[str, int]


def _even(written: str) -> str:
    if len(written) % 2:
        raise UnfitError(f"{written} has an odd length", "add a letter")
    return written


def server(table: Table) -> Server:
    host = table.required("host", parsed(_even))
    port = table.optional("port", integer(minimum=1, maximum=65535), default=8080)
    share = table.optional("share", number(minimum=0, maximum=1), default=1.0)
    spare = table.optional("spare", boolean, default=False)
    colour = table.optional("colour", choice(Colour), default=None)
    names = table.optional("names", one_or_list_of(text), default=())
    limits = table.optional("limits", entries_of(_even, lambda _, value: integer()(value)), default=None)
    return Server(
        host=host.value,
        port=port.value,
        share=share.value,
        spare=spare.value,
        colour=colour.value,
        names=names.value,
        limits=limits.value or {},
    )


SERVER = table_of(server)


def _problems(data: str | bytes, read: Reader[object] = SERVER) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read_text(data, read, file="f")
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]


def test_defaults() -> None:
    expected = Server(host="ab", port=8080, share=1.0, spare=False, colour=None, names=(), limits={})
    assert read_text("host: ab", SERVER) == expected


def test_every_type() -> None:
    written = "{host: NO, port: 80, share: 2.5e-1, spare: true, colour: red, names: [x, 2026-01-01], limits: {aa: -1}}"
    assert read_text(written, SERVER) == Server(
        host="NO", port=80, share=0.25, spare=True, colour=Colour.RED, names=("x", "2026-01-01"), limits={"aa": -1}
    )


def test_all_faults_are_reported_at_once_in_order() -> None:
    written = (
        "hosst: ab\nport: 0\nshare: 1.5\nspare: yes\ncolour: rad\nnames: [x, 1, '']\nlimits: {a: 1, bb: x, cc: 1.5}\n"
    )
    known = "host, port, share, spare, colour, names, limits"
    assert _problems(written) == [
        "f:1:1: the field 'host' is missing. Mend: add 'host:' here",
        f"f:1:1: unknown field 'hosst'. Mend: did you mean 'host'? the fields here are {known}",
        "f:2:7: 0 is less than 1. Mend: write 1 or more",
        "f:3:8: 1.5 is more than 1. Mend: write 1 or less",
        "f:4:8: expected true or false, not 'yes'. Mend: write true or false",
        "f:5:9: 'rad' is none of red, green. Mend: did you mean 'red'? write one of red, green",
        'f:6:12: expected text, and 1 is a whole number. Mend: write it in quotes: "1"',
        "f:6:15: the text is empty. Mend: write a text, or remove the field",
        "f:7:10: a has an odd length. Mend: add a letter",
        "f:7:20: expected a whole number, not 'x'. Mend: write a whole number",
        "f:7:27: expected a whole number, not '1.5'. Mend: write a whole number",
    ]


# One scalar in the place of each reader, and the start of the message; None where it is accepted.
@pytest.mark.parametrize(
    ("read", "written", "message"),
    [
        (text, "NO", None),
        (text, "yes", None),
        (text, "2026-11-21", None),
        (text, "1_000", None),
        (text, "'true'", None),
        (text, "|\n  two\n  lines", None),
        (text, "true", "expected text, and true is true or false"),
        (text, "1.5", "expected text, and 1.5 is a number"),
        (text, "0x1F", "expected text, and 0x1F is a whole number"),
        (text, "~", "expected text, and the value is empty"),
        (text, "Null", "expected text, and the value is empty"),
        (text, "[]", "expected text, not a list"),
        (text, '"a\\0b"', "the text holds the invisible character U+0000"),
        (text, '"a\\ud800b"', None),
        (integer(), "12", None),
        (integer(), "-3", None),
        (integer(), "+3", "'+3' is not a plain whole number"),
        (integer(), "017", "'017' is not a plain whole number"),
        (integer(), "0o17", "'0o17' is not a plain whole number"),
        (integer(), "9" * 5000, "'9999"),
        (integer(), "1_000", "expected a whole number, not '1_000'"),
        (integer(), "'3'", "expected a whole number, not '3'"),
        (integer(), "3.0", "expected a whole number, not '3.0'"),
        (number(), "3", None),
        (number(), "1e3", None),
        (number(), ".5", "'.5' is not a plain number"),
        (number(), ".inf", "'.inf' is not a plain number"),
        (number(), "1e999", "'1e999' is not a plain number"),
        (boolean, "TRUE", None),
        (boolean, "on", "expected true or false, not 'on'"),
        (boolean, "'true'", "expected true or false, not 'true'"),
        (choice(Colour), "Red", "'Red' is none of red, green"),
        (list_of(text), "a", "expected a list, not 'a'"),
        (list_of(text, minimum=1), "[]", "the list has 0 items and needs 1"),
        (one_or_list_of(text), "[]", "the list has 0 items and needs 1"),
        (SERVER, "[host]", "expected a table, not a list"),
        (entries_of(str, lambda _, value: value.kind, minimum=1), "{}", "the table has 0 entries and needs 1"),
    ],
)
def test_one_value(read: Reader[object], written: str, message: str | None) -> None:
    def field(table: Table) -> object:
        return table.required("x", read).value

    document = f"x: {written}\n"
    if message is None and "ud800" not in written:
        read_text(document, table_of(field), file="f")
        return
    (problem,) = _problems(document, table_of(field))
    if message is not None:
        assert problem.startswith(f"f:1:4: {message}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("host: ab\nhost: cd", "f:2:1: the key 'host' was already given at line 1. Mend: keep one of the two"),
        ("host: &x ab", "f:1:7: the anchor &x names a part. Mend: remove it: nothing may refer to it"),
        (
            "host: !!str ab",
            "f:1:7: the tag tag:yaml.org,2002:str sets a type. Mend: remove it: the field sets the type",
        ),
        ("host: ab\n1: x", "f:2:1: the key '1' is not text. Mend: write it in quotes: \"1\""),
        ("host: ab\n? [a]\n: x", "f:2:3: a list or table stands as a key. Mend: write a text as the key"),
        ("host: ab\n---\nhost: ab", "f:2:1: a second document starts here. Mend: keep one document in each file"),
        ("%YAML 1.1\n---\nhost: ab", "f:1:1: the document has a %-directive. Mend: remove the lines that start with %"),
        ("", "f:1:1: the document is empty. Mend: write its fields"),
        ("# only a comment\n", "f:1:1: the document is empty. Mend: write its fields"),
        ("host: ab\n\tport: 1", "f:2:1: not YAML: "),
        ("host: [ab", "f:1:7: not YAML: "),
        (b"host: ab\nport: \xfc", "f:2:7: byte 0xfc is not UTF-8. Mend: save the file as UTF-8"),
        ("host: a\x00b", "f:1:8: the character U+0000 may not stand in a document. Mend: remove it"),
        ("host: a\u2028b", "f:1:8: the character U+2028 may not stand in a document. Mend: remove it"),
        (b"x" * (MAX_SIZE + 1), f"f:1:1: the file is larger than {MAX_SIZE} bytes. Mend: split it"),
        ("[" * (MAX_DEPTH + 1), f"f:1:33: lists and tables are nested deeper than {MAX_DEPTH}. Mend: nest less"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_yaml_allows_and_we_do_not(written: str | bytes, expected: str) -> None:
    (problem,) = _problems(written)
    assert problem.startswith(expected)


def test_an_alias_is_reported_once_and_stands_for_nothing() -> None:
    assert _problems("host: ab\nnames: [*x, *x]") == [
        "f:2:9: the alias *x stands for another part. Mend: write that part out here",
        "f:2:13: the alias *x stands for another part. Mend: write that part out here",
    ]


def test_an_alias_as_a_key_is_reported_once() -> None:
    (problem,) = _problems("host: ab\n*x : y")
    assert problem.startswith("f:2:1: the alias *x")


def test_where_the_library_stumbles_the_document_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> Iterator[int]:
        return (1 // zero for zero in [0])

    monkeypatch.setattr("yaml.parse", stumble)
    (problem,) = _problems("host: ab")
    assert problem == "f:1:1: not readable as YAML (integer division or modulo by zero). Mend: write plainer YAML"


def test_a_byte_order_mark_is_no_fault() -> None:
    assert read_text(b"\xef\xbb\xbfhost: ab", SERVER).host == "ab"


def test_faults_before_a_syntax_error_are_reported_with_it() -> None:
    assert [problem.split(":")[1] for problem in _problems("host: &a ab\nport: &b 1\nx: [")] == ["1", "2", "3"]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "server.yaml"
    path.write_text("host: ab\n")
    assert read_document(path, SERVER).host == "ab"
    with pytest.raises(DocumentError, match=r"none.yaml:1:1: the file does not exist. Mend: check the path"):
        read_document(tmp_path / "none.yaml", SERVER)
    with pytest.raises(DocumentError, match=r":1:1: this is a directory. Mend: name a file in it"):
        read_document(tmp_path, SERVER)
    with pytest.raises(DocumentError, match=r"the file cannot be read \(Not a directory\)"):
        read_document(path / "below", SERVER)
    with pytest.raises(DocumentError, match="the file cannot be read"):
        read_document(Path("a\0b"), SERVER)


def test_fields_with_names_of_the_documents_own_choice() -> None:
    def read(table: Table) -> list[str]:
        known = table.optional("known", text, default="")
        rest = table.given(lambda name, value: f"{name}={text(value)}")
        return [known.value, *(field.value for field in rest)]

    assert read_text("a: x\nknown: y\nb: z", table_of(read)) == ["y", "a=x", "b=z"]


def test_a_complaint_lets_the_reading_go_on() -> None:
    def read(value: Value) -> tuple[Kind, Place]:
        value.complain("not so good", "make it better")
        return value.kind, value.place

    assert _problems("a: 1", read) == ["f:1:1: not so good. Mend: make it better"]


def test_an_error_needs_a_problem_and_sorts_them() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        DocumentError([])
    late, early = (Problem(Place("f", line, 1), "m", "n") for line in (9, 2))
    assert DocumentError([late, early, late]).problems == (early, late)


def test_the_nearest_name() -> None:
    assert nearest("regoin", ["region", "regime"]) == "region"
    assert nearest("EEA", ["eea"]) == "eea"
    assert nearest("zzz", ["region"]) is None


def _places_and_mends(data: bytes | str, read: Reader[object]) -> list[Problem]:
    """Read, and give the problems; any other exception than a DocumentError gets through."""
    try:
        read_text(data, read)
    except DocumentError as error:
        return list(error.problems)
    return []


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60)))
def test_no_bytes_raise_anything_else(data: bytes | str) -> None:
    problems = _places_and_mends(data, SERVER)
    assert all(problem.place.line >= 1 and problem.mend for problem in problems)


_SCRAPS = [*"{}[],:-?|>&*!%@`'\"#~ \n\t\r", "host", ": ", "- ", "\n  ", "---", "...", "!!map ", "<<", "\x85", "\u2028"]


@given(st.lists(st.sampled_from(_SCRAPS)).map("".join))
def test_no_text_that_looks_like_yaml_raises_anything_else(data: str) -> None:
    problems = _places_and_mends(data, entries_of(str, lambda _, value: value.kind))
    assert all(problem.place.column >= 1 and str(problem).isprintable() for problem in problems)
