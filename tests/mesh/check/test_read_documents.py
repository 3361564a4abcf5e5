"""Bytes become the values that Envoy would read, or an error that names the place and the mend."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mesh.check.readable import problems_of

from extproc.mesh.check.reading import documents
from extproc.mesh.check.reading.documents import parse_documents, plain_scalar
from extproc.strict_yaml import DocumentError


def one(text: str) -> object:
    (document,) = parse_documents(text.encode(), "f")
    return document.value


def fault(data: bytes | str) -> str:
    with pytest.raises(DocumentError) as caught:
        parse_documents(data if isinstance(data, bytes) else data.encode(), "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        # Measured with Envoy 1.40: each of these sets a boolean field.
        ("y", True),
        ("Y", True),
        ("on", True),
        ("yes", True),
        ("True", True),
        ("n", False),
        ("OFF", False),
        ("No", False),
        ("010", 8),
        ("0x10", 16),
        ("-7", -7),
        ("1e3", 1000.0),
        ("1.5s", "1.5s"),
        ("1e9999", "1e9999"),
        ("2026-11-21", "2026-11-21"),
        ("12:30", "12:30"),
        ("~", None),
        ("", None),
        ("eu-fra", "eu-fra"),
    ],
)
def test_scalars_are_what_envoy_takes_them_for(written: str, value: object) -> None:
    assert plain_scalar(written) == value
    assert one(f"a: {written}") == {"a": value}
    assert one(f"a: '{written}'") == {"a": written}


def test_keys_are_texts() -> None:
    assert one("on: 1\n1: 2\nnull: 3") == {"on": 1, "1": 2, "null": 3}


def test_aliases_stand_for_what_they_name() -> None:
    assert one("a: &t [1, 2]\nb: *t") == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "with aliases written out" in fault("\n".join(lines))
    assert "f.yaml:7:" in fault("\n".join(lines))


def test_an_alias_cannot_hold_itself() -> None:
    assert "has no anchor before it" in fault("a: &a [*a]")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key 'a' stands twice in one table"),
        ('{"a": 1,\n "a": 2}', "f.yaml:2:2: the key 'a' stands twice in one table"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "f.yaml:3:3: a merge key (<<), which Envoy does not merge"),
        ("a: !!python/object:os.system x", "the tag"),
        ("[a]: 1", "f.yaml:1:1: a list, a table or an alias stands as a key"),
        ("a: [", "f.yaml:2:1: not YAML"),
        ("a: {{ .Values.x }}", "stands as a key"),
        ('{"a": NaN, [}', "f.yaml:1"),
        ("[" * 101 + "]" * 101, "deeper than 100"),
        ("a:\n" + "".join(" " * i + "- \n" for i in range(1, 110)), "deeper than 100"),
        ('{"a": "\\ud800"}', "f.yaml:1"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_place(text: str, told: str) -> None:
    assert told in fault(text)
    assert "Mend: " in fault(text)


def test_what_json_cannot_hold_is_read_as_yaml() -> None:
    assert one('{"a": 1e999, b: NaN}') == {"a": "1e999", "b": "NaN"}


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "f.yaml:2:1: byte 0xff is not UTF-8" in fault(b"a: 1\nb: \xff")
    assert "binary protobuf" in fault(b"\x0a\xff\x04")


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(documents, "MOST_YAML_BYTES", 1000)
    assert "larger than 1 MiB" in fault(b"a" * ((1 << 20) + 1))
    assert "YAML of more than" in fault("a: " + "x" * 1000)
    assert one('{"a": "' + "x" * 1000 + '"}') == {"a": "x" * 1000}
    assert "not JSON" in fault('{"a": ' + "x" * 1000 + "}")


def test_several_documents_are_read_and_empty_ones_left_out() -> None:
    found = parse_documents(b"---\n---\na: 1\n---\n# nothing\n---\nb: 2\n", "f")
    assert [(document.value, document.line) for document in found] == [({"a": 1}, 3), ({"b": 2}, 7)]


def test_an_anchor_holds_in_its_own_document_only() -> None:
    assert "has no anchor" in fault("a: &x 1\n---\nb: *x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), below, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_json_is_read_as_it_is_written(value: object) -> None:
    text = json.dumps(value)
    if isinstance(value, dict | list):
        assert one(text) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_junk_is_refused_and_nothing_else_happens(data: bytes) -> None:
    assert all(problem.mend for problem in problems_of(lambda: parse_documents(data, "f")))


@given(st.text(alphabet="[]{}:,-&*a \n\"'!<>|#%@`1e.", max_size=60))
def test_nearly_yaml_is_refused_and_nothing_else_happens(text: str) -> None:
    assert all(problem.mend for problem in problems_of(lambda: parse_documents(text.encode(), "f")))
