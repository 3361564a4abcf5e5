"""Policies: every rule of C2SP tlog-policy, and the quorum against an evaluation that just follows the words."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.notes.errors import MalformedError, SignatureError, UnknownSignerError
from extproc.notes.keys import SigningKey, generate_key
from extproc.notes.note import (
    KeyType,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_cosignature,
    make_signature,
)
from extproc.trust.tlog_policy import (
    TrustPolicy,
    load_tlog_policy,
    open_cosigned,
    parse_tlog_policy,
)

KEYS: list[SigningKey] = [generate_key() for _ in range(40)]


def vkey(number: int, *, name: str | None = None, type_: KeyType = KeyType.COSIGNATURE) -> str:
    key = VerifierKey(name=name or f"witness.example/{number}", public=KEYS[number].public, type=type_)
    return format_vkey(key)


LOG = vkey(39, name="acme/prod", type_=KeyType.ED25519)


def parse(*lines: str) -> TrustPolicy:
    return parse_tlog_policy("".join(f"{line}\n" for line in lines), file="trust.policy")


def test_the_example_of_the_specification() -> None:
    policy = parse(
        "# who must have seen it",
        f"log {LOG}",
        "",
        *(f"witness X{i} {vkey(i)}" for i in (1, 2, 3)),
        "group X-witnesses 2 X1 X2 X3",
        " \t ",
        *(f"witness Y{i}\t{vkey(3 + i)} \t https://y{i}.example/prefix/" for i in (1, 2, 3)),
        "\tgroup Y-witnesses any Y1 Y2 Y3  ",
        "  # indented",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y",
    )
    assert [key.name for key in policy.logs] == ["acme/prod"]
    assert [witness.name for witness in policy.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    assert [witness.url for witness in policy.witnesses][2:5] == [
        None,
        "https://y1.example/prefix",
        "https://y2.example/prefix",
    ]
    assert policy.witnesses[0].key.type is KeyType.COSIGNATURE
    assert policy.satisfied_by({"X1", "X3", "Y2"})
    assert not policy.satisfied_by({"X1", "X2", "X3"})
    assert not policy.satisfied_by({"X1", "Y1", "Y2", "Y3"})
    assert not policy.satisfied_by({"X-and-Y"}), "a group's name is no witness"
    assert not policy.satisfied_by({"X-witnesses", "Y1"})


def test_no_quorum_is_asked_of_none() -> None:
    policy = parse("quorum none")
    assert policy == TrustPolicy(logs=(), witnesses=(), groups=(), quorum="none")
    assert policy.satisfied_by(set())


def test_a_witness_alone_may_be_the_quorum() -> None:
    policy = parse(f"witness one {vkey(1)}", f"witness two {vkey(2)}", "quorum two")
    assert policy.satisfied_by({"two"})
    assert not policy.satisfied_by({"one"})


def test_groups_and_witnesses_may_come_after_the_quorum() -> None:
    policy = parse(f"witness one {vkey(1)}", "quorum one", f"witness two {vkey(2)}", "group both all one two")
    assert policy.satisfied_by({"one"})


def test_thirty_two_of_each() -> None:
    lines = [f"witness w{i} {vkey(i)}" for i in range(32)]
    lines += [f"group g{i} any w{i}" for i in range(31)] + ["group all 31 " + " ".join(f"g{i}" for i in range(31))]
    policy = parse(*lines, "quorum all")
    assert policy.satisfied_by({f"w{i}" for i in range(31)})
    assert not policy.satisfied_by({f"w{i}" for i in range(1, 32)})


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], "no quorum"),
        (["quorum none", "quorum none"], r"trust\.policy:2: a second quorum"),
        (["quorum one"], r"trust\.policy:1: quorum: 'one' is not defined above"),
        (["quorum"], r"expected `quorum NAME`"),
        (["quorum none none"], r"expected `quorum NAME`"),
        (["Quorum none"], "expected a line of log, witness, group, quorum or a comment, found 'Quorum'"),
        (["quorum none # really"], r"expected `quorum NAME`"),
        ([f"witness none {vkey(1)}", "quorum none"], "'none' is predefined"),
        ([f"witness one {vkey(1)}", f"witness one {vkey(2)}", "quorum none"], "'one' is defined already"),
        ([f"witness one {vkey(1)}", "group one any one", "quorum none"], "'one' is defined already"),
        (["group none any none", "quorum none"], "member 'none' is not defined"),
        ([f"witness one {vkey(1)}", "group none any one", "quorum none"], "'none' is predefined"),
        ([f"witness one {vkey(1)}", "group g any g", "quorum g"], "member 'g' is not defined above"),
        ([f"witness one {vkey(1)}", "group g any one one", "quorum g"], "'one' is a member already"),
        (
            [f"witness one {vkey(1)}", "group g any one", "group h any one", "quorum h"],
            r"trust\.policy:3: group h: 'one' is a member already",
        ),
        ([f"witness one {vkey(1)}", "group g any", "quorum none"], "expected `group NAME all"),
        *(
            ([f"witness one {vkey(1)}", f"group g {k} one", "quorum g"], "expected all, any or a number from 1 to 1")
            for k in ("0", "2", "-1", "01", "+1", "1.0", "ALL", "one", "9" * 5000, "\u0661")
        ),
        ([f"witness one {vkey(1)} https://a https://b", "quorum none"], "expected `witness NAME VKEY"),
        (["witness one", "quorum none"], "expected `witness NAME VKEY"),
        (["witness one nonsense", "quorum none"], "verifier key"),
        (["log nonsense", "quorum none"], "verifier key"),
        ([f"log {LOG[:-1]}", "quorum none"], "verifier key"),
        ([f"witness one {LOG}", "quorum none"], "of type 01, which signs no cosignature"),
        ([f"log {LOG}", f"log {LOG}", "quorum none"], "the key of acme/prod is that of the log acme/prod above"),
        (
            [f"log {LOG}", f"log {vkey(39, name='other', type_=KeyType.ED25519)}", "quorum none"],
            "the key of other is that of the log acme/prod above",
        ),
        (
            [f"witness one {vkey(1)}", f"witness two {vkey(1, name='other')}", "quorum none"],
            r"trust\.policy:2: the key of other is that of the witness witness\.example/1 above",
        ),
        (["quorum none\r"], "control octet 0x0d"),
        (["quorum none\x7f"], "control octet 0x7f"),
        (["\x00"], "control octet 0x00"),
        (["#\x0b"], r"trust\.policy:1: control octet 0x0b"),
    ],
)
def test_what_is_refused(lines: list[str], error: str) -> None:
    with pytest.raises(MalformedError, match=error):
        parse(*lines)


def test_the_last_line_must_end() -> None:
    with pytest.raises(MalformedError, match=r"p:2: the last line does not end"):
        parse_tlog_policy(b"# cut\nquorum no", file="p")


def test_names_are_octets() -> None:
    """SPEC: K and the Kelvin sign are two names, a no-break space is no space, and UTF-8 is not asked for."""
    kelvin, latin = "\u212a", b"\xe9t\xe9\xa0"
    data = b"".join(
        [
            f"witness K {vkey(1)}\nwitness {kelvin} {vkey(2)}\nwitness a\u00a0b\u0085c {vkey(3)}\n".encode(),
            b"witness " + latin + f" {vkey(4)}\n".encode(),
            b"group g 2 K " + latin + b"\n# \xff\xfe\nquorum g\n",
        ]
    )
    policy = parse_tlog_policy(data, file="p")
    assert policy.satisfied_by({"K", latin.decode("utf-8", "surrogateescape")})
    assert not policy.satisfied_by({"K", kelvin, "a\u00a0b\u0085c"})
    assert parse_tlog_policy(data.decode("utf-8", "surrogateescape"), file="p") == policy


def test_a_key_whose_name_is_no_utf_8_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"p:1: .*not UTF-8"):
        parse_tlog_policy(
            b"log \xe9+00000000+AQ==\nquorum none\n".replace(b"AQ==", LOG.split("+", 2)[2].encode()), file="p"
        )


def test_a_file_is_named_in_errors(tmp_path: Path) -> None:
    path = tmp_path / "trust.policy"
    path.write_text(f"log {LOG}\nquorum none\n")
    assert load_tlog_policy(path).logs[0].name == "acme/prod"
    path.write_text(f"log {LOG}\n\nquorums none\n")
    with pytest.raises(MalformedError, match=rf"{path}:3"):
        load_tlog_policy(path)


Rule = tuple[int, list[str]]


@st.composite
def policies(draw: st.DrawFn) -> tuple[TrustPolicy, Mapping[str, Rule], str]:
    """A policy, and beside it only what its words say: each group's number and members, and the quorum's name."""
    count = draw(st.integers(1, 8))
    free = [f"w{i}" for i in range(count)]
    lines = [f"witness {name} {vkey(i)}" for i, name in enumerate(free)]
    rules: dict[str, Rule] = {}
    for number in range(draw(st.integers(0, 4))):
        members = draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        word = draw(st.sampled_from(["any", "all", str(draw(st.integers(1, len(members))))]))
        name = f"g{number}"
        rules[name] = ({"any": 1, "all": len(members)}.get(word) or int(word), members)
        lines.append(f"group {name} {word} {' '.join(members)}")
        free = [each for each in free if each not in members] + [name]
    quorum = draw(st.sampled_from([*(f"w{i}" for i in range(count)), *rules, "none"]))
    return parse(*lines, f"quorum {quorum}"), rules, quorum


def witnessed(name: str, rules: Mapping[str, Rule], cosigned: AbstractSet[str]) -> bool:
    """SPEC, word for word: at least k of the group's n members have witnessed."""
    if name not in rules:
        return name in cosigned
    k, members = rules[name]
    return len([member for member in members if witnessed(member, rules, cosigned)]) >= k


@given(policies(), st.sets(st.sampled_from([*(f"w{i}" for i in range(9)), "g0", "none", "stranger"])))
def test_a_quorum_is_what_the_words_say(drawn: tuple[TrustPolicy, Mapping[str, Rule], str], cosigned: set[str]) -> None:
    policy, rules, quorum = drawn
    present = {name for name in cosigned if name in {witness.name for witness in policy.witnesses}}
    assert policy.satisfied_by(cosigned) == (quorum == "none" or witnessed(quorum, rules, present))


def test_whose_cosignatures_count() -> None:
    policy = parse(f"witness one {vkey(1)}", f"witness two {vkey(2)}", "group g all one two", "quorum g")
    log = VerifierKey(name="acme/prod/x", public=KEYS[39].public)
    text = "acme/prod/x\n1\n" + "A" * 43 + "=\n"

    def cosign(number: int, at_s: int) -> Note:
        key = VerifierKey(name=f"witness.example/{number}", public=KEYS[number].public, type=KeyType.COSIGNATURE)
        return Note(text=text, signatures=(make_cosignature(text, key, KEYS[number].sign, at_s=at_s),))

    own = make_signature(text, log, KEYS[39].sign)
    signatures = [own, *(each for n, s in ((1, 7), (1, 9), (1, 8), (5, 3)) for each in cosign(n, s).signatures)]
    data = format_note(Note(text=text, signatures=tuple(signatures)))
    note = open_cosigned(data, policy, [log])
    assert policy.cosigned(note) == {"one": 9}
    assert len(note.signatures) == 4, "the stranger's is left out"
    with pytest.raises(UnknownSignerError):
        open_cosigned(format_note(cosign(1, 7)), policy, [log])
    forged = format_note(Note(text=text, signatures=(own, cosign(2, 7).signatures[0]))).replace(
        text.encode(), text.replace("A", "B", 1).encode()
    )
    with pytest.raises(SignatureError):
        open_cosigned(forged, policy, [log])
