import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pkcs11 import Attribute, AttributeSensitive, KeyType, Mechanism, lib
from support.softhsm import PIN, Token, make_token

from extproc.cli.audit.keys import new
from extproc.notes.errors import KeyModuleError
from extproc.notes.keys import generate_key
from extproc.notes.note import VerifierKey, open_note, sign_note
from extproc.notes.pkcs11 import ModuleKey, create_module_key
from extproc.notes.pkcs11_uri import PIN_VARIABLE, parse_pkcs11_uri
from extproc.notes.signers import open_signer


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    with make_token(tmp_path_factory.mktemp("softhsm")) as made:
        create_module_key(parse_pkcs11_uri(made.uri("org")), PIN)
        yield made


def test_a_key_in_a_module_signs_what_everybody_verifies(token: Token) -> None:
    key = ModuleKey(parse_pkcs11_uri(token.uri("org")), PIN)
    name = key.verifier("acme/prod")
    note = sign_note("situs\n", name, key.sign)
    assert open_note(note, [VerifierKey(name="acme/prod", public=key.public)]).text == "situs\n"
    assert repr(key) == f"ModuleKey(public={key.public.hex()})"
    key.close()
    again = ModuleKey(parse_pkcs11_uri(token.uri("org")), PIN)
    assert again.public == key.public
    again.close()


def test_a_key_that_is_made_in_a_module_cannot_be_read_out(token: Token) -> None:
    with lib(str(token.module)).get_token(token_label=token.label).open(user_pin=PIN) as session:
        (key,) = session.get_objects({Attribute.LABEL: "org", Attribute.SENSITIVE: True})
        assert key[Attribute.KEY_TYPE] is KeyType.EC_EDWARDS
        assert not key[Attribute.EXTRACTABLE]
        assert key[Attribute.LOCAL]
        with pytest.raises(AttributeSensitive):
            _ = key[Attribute.VALUE]
    with pytest.raises(KeyModuleError, match="a key is never overwritten"):
        create_module_key(parse_pkcs11_uri(token.uri("org")), PIN)


def test_a_key_is_found_by_its_id_as_well(token: Token) -> None:
    uri = parse_pkcs11_uri(token.uri("second").replace("object=second", "object=second;id=%00%FF%0a"))
    create_module_key(uri, PIN)
    by_label = ModuleKey(parse_pkcs11_uri(token.uri("second")), PIN)
    by_label.close()
    by_id = ModuleKey(parse_pkcs11_uri(token.uri("second").replace("object=second", "id=%00%FF%0A")), PIN)
    by_id.close()
    assert by_label.public == by_id.public


def test_a_token_is_used_by_one_key_at_a_time(token: Token) -> None:
    key = ModuleKey(parse_pkcs11_uri(token.uri("org")), PIN)
    with pytest.raises(KeyModuleError, match="Mend: this process uses the token already"):
        ModuleKey(parse_pkcs11_uri(token.uri("org")), PIN)
    key.close()
    ModuleKey(parse_pkcs11_uri(token.uri("org")), PIN).close()


@pytest.mark.parametrize(
    ("label", "token_label", "pin", "message"),
    [
        ("other", "situs", PIN, "expected one private Ed25519 key of that name, found 0"),
        ("org", "other", PIN, "NoSuchToken.*Mend: check token="),
        ("org", "situs", "wrong pin", "PinIncorrect.*Mend: check the PIN"),
        ("org", "situs", "", "Pin.*Mend"),
    ],
)
def test_what_does_not_work_says_what_would(token: Token, label: str, token_label: str, pin: str, message: str) -> None:
    uri = parse_pkcs11_uri(token.uri(label).replace("token=situs", f"token={token_label}"))
    with pytest.raises(KeyModuleError, match=message) as caught:
        ModuleKey(uri, pin)
    assert not pin or pin not in str(caught.value)


def test_a_key_of_another_curve_is_refused(token: Token) -> None:
    with lib(str(token.module)).get_token(token_label=token.label).open(user_pin=PIN, rw=True) as session:
        ed448 = {Attribute.EC_PARAMS: bytes.fromhex("06032b6571")}
        parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, ed448, local=True)
        parameters.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label="ed448")
    with pytest.raises(KeyModuleError, match="found one with a public half of 59 bytes"):
        ModuleKey(parse_pkcs11_uri(token.uri("ed448")), PIN)


def test_without_the_extra_it_is_named(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "extproc.notes.pkcs11", None)
    monkeypatch.setenv(PIN_VARIABLE, PIN)
    with pytest.raises(KeyModuleError, match=r"pip install 'situs\[hsm\]'"), open_signer(token.uri("org")):
        pass
    with pytest.raises(KeyModuleError, match=r"pip install 'situs\[hsm\]'"):
        new.run(argparse.Namespace(place=token.uri("org"), name="acme", make=False, vkey=None))


def test_a_library_that_is_none_is_named(token: Token, tmp_path: Path) -> None:
    for path in (tmp_path / "absent.so", Path(__file__)):
        with pytest.raises(KeyModuleError, match="Mend: look at the library's path"):
            ModuleKey(parse_pkcs11_uri(f"pkcs11:token=situs;object=org?module-path={path}"), PIN)
    assert token.module.exists()


def test_a_signature_that_is_not_the_keys_is_not_given_out(token: Token) -> None:
    key = ModuleKey(parse_pkcs11_uri(token.uri("org")), PIN)
    key.public = generate_key().public
    with pytest.raises(KeyModuleError, match="not its key's over the message"):
        key.sign(b"situs")
    key.close()


def test_the_pin_comes_from_a_file_a_variable_or_a_person(
    token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PIN_VARIABLE, raising=False)
    pin = tmp_path / "pin"
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return PIN

    with open_signer(token.uri("org", f"&pin-source={pin}")) as by_file:
        public = by_file.public
    with open_signer(token.uri("org"), ask=ask) as by_person:
        assert by_person.public == public
    assert len(asked) == 1
    with pytest.raises(KeyModuleError, match=f"no PIN. Mend: .*{PIN_VARIABLE}"), open_signer(token.uri("org")):
        pass
    monkeypatch.setitem(os.environ, PIN_VARIABLE, PIN)
    with open_signer(token.uri("org")) as by_variable:
        assert by_variable.public == public
