"""A bundle: what is opened is what was signed, by enough different people."""

from pathlib import Path

import pytest
from bundle.world import (
    COUNSEL,
    COUNSEL_NAME,
    KEYS,
    OFFICER,
    OFFICER_NAME,
    ONE,
    TWO,
    policy,
    signed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.bundle.accept import accept
from extproc.bundle.bundle import join_bundles, looks_signed, open_bundle, read_bundle, sign_bundle
from extproc.bundle.errors import BundleError, TrustError, UnsignableError, UntrustedError
from extproc.bundle.trust import Trust, load_trust
from extproc.notes.keys import add_vkey, generate_key
from extproc.notes.note import LONGEST, Note, Signature, format_note
from extproc.strict_yaml import DocumentError

_POLICY = policy()
_BUNDLE = signed(_POLICY)
_ALONE = sign_bundle(_POLICY, COUNSEL, COUNSEL_NAME)


def test_a_bundle_is_the_policy_as_written_and_its_signatures() -> None:
    assert _BUNDLE.startswith(_POLICY + b"\n\xe2\x80\x94 " + COUNSEL_NAME.encode())
    opened = open_bundle(_BUNDLE, KEYS, needed=2)
    assert opened.text.encode() == _POLICY
    assert opened.signers == (COUNSEL_NAME, OFFICER_NAME)


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), min_size=1))
def test_any_text_comes_back_exactly(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    assert open_bundle(sign_bundle(text.encode(), COUNSEL, COUNSEL_NAME), KEYS, needed=1).text == text


@given(st.integers(0, len(_POLICY) - 1), st.integers(1, 255))
def test_any_changed_byte_of_the_text_is_refused(at: int, by: int) -> None:
    changed = bytearray(_BUNDLE)
    changed[at] ^= by
    with pytest.raises(UntrustedError, match="Mend: have it signed by 2 of acme/policy/a-counsel, acme/policy/b-"):
        open_bundle(bytes(changed), KEYS, needed=2)


@given(st.integers(0, len(_ALONE) - 1))
def test_a_bundle_that_is_cut_short_is_refused(length: int) -> None:
    with pytest.raises(UntrustedError):
        open_bundle(_ALONE[:length], KEYS, needed=1)


def test_one_signature_of_two_is_not_enough() -> None:
    assert open_bundle(_ALONE, KEYS, needed=1).signers == (COUNSEL_NAME,)
    with pytest.raises(UntrustedError, match="signed by acme/policy/a-counsel alone, and 2 are needed"):
        open_bundle(_ALONE, KEYS, needed=2)


def test_one_person_does_not_count_twice() -> None:
    note = read_bundle(_ALONE)
    doubled = format_note(Note(text=note.text, signatures=note.signatures * 2))
    with pytest.raises(UntrustedError, match="alone"):
        open_bundle(doubled, KEYS, needed=2)
    # A key that is being replaced: both are trusted under the one name.
    newer = generate_key()
    keys = (*KEYS, newer.verifier(COUNSEL_NAME))
    both = sign_bundle(_POLICY, newer, COUNSEL_NAME, also=_ALONE)
    assert len(read_bundle(both).signatures) == 2
    with pytest.raises(UntrustedError, match="alone"):
        open_bundle(both, keys, needed=2)
    with pytest.raises(TrustError, match="are one key"):
        open_bundle(_BUNDLE, (*KEYS, COUNSEL.verifier("acme/policy/c")), needed=2)


def test_signatures_of_strangers_count_for_nothing_and_do_no_harm() -> None:
    stranger = generate_key()
    bundle = sign_bundle(_POLICY, stranger, "acme/policy/stranger", also=_ALONE)
    assert open_bundle(bundle, KEYS, needed=1).signers == (COUNSEL_NAME,)
    with pytest.raises(UntrustedError, match="stranger"):
        open_bundle(sign_bundle(_POLICY, stranger, "acme/policy/stranger"), KEYS, needed=1)
    # A stranger who borrows the name is told apart by the key.
    with pytest.raises(UntrustedError, match="no trusted key"):
        open_bundle(sign_bundle(_POLICY, stranger, COUNSEL_NAME), KEYS, needed=1)


def test_a_forged_signature_is_refused_beside_a_good_one() -> None:
    note = read_bundle(_ALONE)
    forged = Signature(name=OFFICER_NAME, key_id=KEYS[1].key_id, signature=bytes(64))
    said = rf"^b: the signature of {OFFICER_NAME} \([0-9a-f]{{8}}\) does not verify: the text was changed after it was"
    with pytest.raises(UntrustedError, match=said):
        open_bundle(format_note(Note(text=note.text, signatures=(*note.signatures, forged))), KEYS, needed=1, file="b")


def test_signing_twice_changes_nothing() -> None:
    assert sign_bundle(_POLICY, COUNSEL, COUNSEL_NAME, also=_ALONE) == _ALONE


def test_one_key_signs_a_bundle_under_one_name() -> None:
    with pytest.raises(
        TrustError, match=rf"p: this key has signed as {COUNSEL_NAME}; .*\. Mend: sign as {COUNSEL_NAME}"
    ):
        sign_bundle(_POLICY, COUNSEL, OFFICER_NAME, also=_ALONE, file="p")
    # Who merely writes the key's id has not signed by it.
    note = read_bundle(_ALONE)
    forged = Signature(name=OFFICER_NAME, key_id=COUNSEL.verifier(OFFICER_NAME).key_id, signature=bytes(64))
    beside = format_note(Note(text=note.text, signatures=(forged,)))
    assert open_bundle(sign_bundle(_POLICY, COUNSEL, COUNSEL_NAME, also=beside), KEYS, needed=1).signers == (
        COUNSEL_NAME,
    )


def test_bundles_of_one_text_are_joined_with_each_signature_once() -> None:
    assert join_bundles([_ALONE, _BUNDLE, _ALONE]) == _BUNDLE
    with pytest.raises(BundleError, match="not of one text"):
        join_bundles([_ALONE, signed(policy(2))])


def test_a_second_signature_must_be_over_the_same_text() -> None:
    with pytest.raises(BundleError, match="another policy"):
        sign_bundle(policy(2), OFFICER, OFFICER_NAME, also=_ALONE)
    with pytest.raises(BundleError, match=r"p.yaml: expected a text, an empty line"):
        sign_bundle(_POLICY, OFFICER, OFFICER_NAME, also=b"no bundle", file="p.yaml")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: 1\r\nb: 2\r\n", r"p.yaml:1:5: a carriage return, .* \(and 1 more\)\. Mend: save the file with LF"),
        (b"a: 1\nb:\t2\n", r"p.yaml:2:3: a tab, .*\. Mend: indent with spaces"),
        ("ä: 1\nb: ö\x07\n".encode(), r"p.yaml:2:5: a control character"),
        (b"a: 1\nb: 2", r"p.yaml:2:5: no newline at the end\. Mend: end the last line with one"),
        (b"", r"p.yaml:1:1: no newline"),
        (b"a: 1\nb: \xff\n", r"p.yaml:2:4: a byte that is not UTF-8"),
    ],
)
def test_a_text_that_no_note_can_hold_is_named_by_its_line(data: bytes, expected: str) -> None:
    with pytest.raises(UnsignableError, match=expected):
        sign_bundle(data, COUNSEL, COUNSEL_NAME, file="p.yaml")


def test_every_kind_of_fault_is_named_at_once() -> None:
    with pytest.raises(UnsignableError) as caught:
        sign_bundle(b"a:\t1\r\nb: \x00", COUNSEL, COUNSEL_NAME, file="p.yaml")
    assert [str(problem.place) for problem in caught.value.problems] == [
        f"p.yaml:{at}" for at in "1:3 1:5 2:4 2:5".split()
    ]


def test_a_bundle_that_no_sidecar_would_read_is_not_made() -> None:
    with pytest.raises(BundleError, match=rf"at most {LONGEST} bytes.*smaller"):
        sign_bundle(b"#" * (LONGEST - 10) + b"\n", COUNSEL, COUNSEL_NAME)


@pytest.mark.parametrize(
    "name",
    [
        "acme/prod/eu-fra/node-1/0",  # the key of a log
        "acme/policy/eu-fra/node-1/0",  # one of an environment that is called policy
        "acme/policy/eu-fra/node-1/0/000001-5f3a90c2",
        "acme/policy",
        "policy/counsel",
        "acme/policy/",
        "acme/policy/a b",
        "acme/policy/a+b",
        "acme/policy/\u0661",
        "acme/policy/a\n",
        "",
    ],
)
def test_other_names_sign_no_policy(name: str) -> None:
    with pytest.raises(TrustError, match="ORG/policy/SIGNER"):
        sign_bundle(_POLICY, COUNSEL, name)
    if name and not set(name) & set(" +\n"):
        with pytest.raises(TrustError, match="ORG/policy/SIGNER"):
            open_bundle(_BUNDLE, (*KEYS, generate_key().verifier(name)), needed=1)


@pytest.mark.parametrize(("needed", "message"), [(0, "none would be checked"), (-1, "none"), (3, "of 2 signers")])
def test_a_number_that_means_nothing_is_refused(needed: int, message: str) -> None:
    with pytest.raises(TrustError, match=message):
        Trust(keys=KEYS, needed=needed)
    with pytest.raises(TrustError, match=message):
        open_bundle(_BUNDLE, KEYS, needed=needed)


def test_trust_is_read_from_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a.vkey", tmp_path / "b.vkey"]
    for path, key in zip(paths, KEYS, strict=True):
        add_vkey(path, key)
    assert load_trust([*paths, paths[0]], needed=2) == TWO
    with pytest.raises(TrustError, match=r"none.vkey: cannot be read \(No such file"):
        load_trust([tmp_path / "none.vkey"])
    paths[0].write_text("no key\n")
    with pytest.raises(TrustError, match=r"a.vkey:1: .*Mend"):
        load_trust(paths)
    paths[0].write_bytes(b"\xff\n")
    with pytest.raises(TrustError, match="not text"):
        load_trust(paths)


def test_what_is_accepted_is_compiled_and_names_its_signers() -> None:
    accepted = accept(_BUNDLE, file="p", trust=TWO)
    assert accepted.signers == (COUNSEL_NAME, OFFICER_NAME)
    assert accepted.standing.policy == "minimal"
    assert accepted.standing.version == 1
    assert accepted.standing.revision == accepted.compiled.tables.revision
    plain = accept(_POLICY, file="p", trust=None)
    assert plain.signers == ()
    assert plain.standing == accepted.standing


def test_signed_and_plain_are_not_taken_for_each_other() -> None:
    assert looks_signed(_BUNDLE)
    assert not looks_signed(_POLICY)
    with pytest.raises(UntrustedError, match=r"p: not signed. Mend: have it signed"):
        accept(_POLICY, file="p", trust=ONE)
    with pytest.raises(UntrustedError, match="p: a signed bundle, but no keys"):
        accept(_BUNDLE, file="p", trust=None)


def test_a_signed_policy_that_cannot_be_used_names_its_place() -> None:
    with pytest.raises(DocumentError, match="p:1:"):
        accept(sign_bundle(b"nonsense: true\n", COUNSEL, COUNSEL_NAME), file="p", trust=ONE)
