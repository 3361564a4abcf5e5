from pathlib import Path

import pytest

from extproc.notes.errors import KeyFileError, MalformedError
from extproc.notes.keys import create_key
from extproc.notes.pkcs11_uri import Pkcs11Uri, find_pin, parse_pkcs11_uri
from extproc.notes.signers import open_signer

MODULE = "?module-path=/lib/module.so"


def test_a_uri_names_one_token_and_one_key() -> None:
    uri = parse_pkcs11_uri(
        "pkcs11:token=Acme%20HSM;serial=12ab;object=org%3B1;id=%00%ff;type=private"
        "?module-path=/lib/module.so&pin-source=file:///etc/pin%20file"
    )
    assert uri == Pkcs11Uri(
        token="Acme HSM",  # noqa: S106 - the name of a token
        serial=b"12ab",
        object="org;1",
        id=b"\x00\xff",
        module=Path("/lib/module.so"),
        pin_source=Path("/etc/pin file"),
    )
    assert parse_pkcs11_uri(str(uri)) == uri
    for source in ("/etc/pin", "file:/etc/pin", "file:///etc/pin"):
        found = parse_pkcs11_uri(f"pkcs11:token=a;object=b{MODULE}&pin-source={source}")
        assert found.pin_source == Path("/etc/pin")
        assert parse_pkcs11_uri(str(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:key", "expected pkcs11:token="),
        (f"pkcs11:object=org{MODULE}", "expected token=LABEL or serial=NUMBER"),
        (f"pkcs11:token=acme{MODULE}", "expected object=LABEL or id=BYTES"),
        ("pkcs11:token=acme;object=org", "expected .module-path="),
        ("pkcs11:token=acme;object=org?module-path=", "'module-path': expected not nothing"),
        (f"pkcs11:token=acme;token=acme;object=org{MODULE}", "'token': given twice"),
        (f"pkcs11:token=acme;object=org;slot-id=1{MODULE}", "'slot-id': expected one of token, serial"),
        (f"pkcs11:token=acme;object=org{MODULE}&module-name=x", "'module-name': expected one of module-path"),
        (f"pkcs11:token=acme;object=org;type=public{MODULE}", "expected type=private"),
        (f"pkcs11:token=acme;object{MODULE}", "'object': expected one of"),
        (f"pkcs11:token=ac me;object=org{MODULE}", "'token': expected other characters as percent"),
        (f"pkcs11:token=%ac;object=org{MODULE}", "'token': not UTF-8"),
        (f"pkcs11:token=%a;object=org{MODULE}", "'token': expected other characters"),
        (f"pkcs11:token=;object=org{MODULE}", "'token': expected not nothing"),
    ],
)
def test_what_does_not_name_one_key_is_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_pkcs11_uri(text)


def test_a_pin_in_a_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(MalformedError, match=r"process list. Mend: name a file by pin-source") as caught:
        parse_pkcs11_uri(f"pkcs11:token=a;object=b{MODULE}&pin-value=12345")
    assert "12345" not in str(caught.value)


def test_a_pin_file_is_private(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("1234\n")
    pin.chmod(0o644)
    uri = parse_pkcs11_uri(f"pkcs11:token=a;object=b{MODULE}&pin-source={pin}")
    with pytest.raises(KeyFileError, match="mode 0644"):
        find_pin(uri, environ={}, ask=None)
    pin.chmod(0o600)
    assert find_pin(uri, environ={"SITUS_PKCS11_PIN": "other"}, ask=None) == "1234"


def test_any_other_place_is_a_file(tmp_path: Path) -> None:
    made = create_key(tmp_path / "org.pem")
    with open_signer(str(tmp_path / "org.pem")) as key:
        assert key.public == made.public
    with pytest.raises(KeyFileError, match="cannot be opened"), open_signer("pkcs11.pem"):
        pass
