"""The README of extproc/trust shows what the program writes, and what anybody can verify."""

import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from extproc.notes.keys import SigningKey
from extproc.notes.note import format_vkey, parse_vkey, sign_note
from extproc.trust.ceremony import HEADER, open_request
from extproc.trust.chain import epoch_keys
from extproc.trust.delegation import (
    Delegation,
    format_delegations,
    format_time,
    name_issuer,
    parse_delegations,
    parse_time,
    sign_delegation,
)
from extproc.trust.tlog_policy import parse_tlog_policy

README = Path(__file__).parents[2] / "extproc/trust/README.md"
TEXT = README.read_text(encoding="utf-8")
SCOPE = "acme/prod/eu/node-1/0"


def block(title: str) -> str:
    """Give the block of the README whose first line is a comment with this title, or that follows the title."""
    found = re.search(rf"{re.escape(title)}\n\n```\w*\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None, f"the README has no block after {title!r}"
    return found[1]


def key_of(word: str) -> SigningKey:
    """Make the key of the example anew: nothing secret is kept anywhere."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(sha256(word.encode()).digest()))


ORG, FIRST, SECOND = (key_of(f"situs example: {word}") for word in ("organisation", "first", "second"))
ROOT = ORG.verifier("acme/prod")


def _delegate(by: SigningKey, name: str, to: SigningKey, signs: tuple[str, str]) -> bytes:
    issuer = by.verifier(name)
    given = Delegation(
        scope=SCOPE,
        key=to.verifier(SCOPE),
        from_s=parse_time(signs[0]),
        until_s=parse_time(signs[1]),
        successors_until_s=parse_time("2027-12-26T06:00:00Z"),
        issuer=name_issuer(issuer),
    )
    return sign_delegation(given, signer=by, issuer=issuer)


def example() -> bytes:
    return format_delegations(
        [
            _delegate(ORG, "acme/prod", FIRST, ("2026-11-21T06:00:00Z", "2026-11-22T07:00:00Z")),
            _delegate(FIRST, SCOPE, SECOND, ("2026-11-22T06:00:00Z", "2026-11-23T07:00:00Z")),
        ]
    )


def test_the_readme_shows_the_two_formats_as_they_are() -> None:
    assert block("The file `delegations`:").encode() == example()
    assert block("The organisation's public key, `acme.vkey`:") == f"{format_vkey(ROOT)}\n"
    request = block("A request:").encode()
    name = FIRST.verifier(SCOPE)
    assert request == sign_note(f"{HEADER}\n{SCOPE}\n{format_vkey(name)}\n", name, FIRST.sign)
    assert open_request(request) == name
    (log,) = parse_tlog_policy(block("A policy that trusts this organisation's logs:"), file="trust.policy").logs
    assert log == ROOT


def test_the_readme_says_whose_signatures_count() -> None:
    root = parse_vkey(block("The organisation's public key, `acme.vkey`:").strip())
    delegations = parse_delegations(block("The file `delegations`:").encode())
    keys = epoch_keys(f"{SCOPE}/000001-5f3a90c2", roots=[root], delegations=delegations)
    shown = [
        f"{name_issuer(each.key)}  {format_time(int(each.from_s))}  {format_time(int(each.until_s))}"
        for each in keys[1:]
    ]
    assert block("So these keys may sign the log `acme/prod/eu/node-1/0/000001-5f3a90c2`:").splitlines() == shown


@pytest.mark.slow
def test_openssl_verifies_the_example_by_hand(tmp_path: Path) -> None:
    (tmp_path / "delegations").write_bytes(example())
    (tmp_path / "acme.vkey").write_text(f"{format_vkey(ROOT)}\n")
    assert _by_hand(tmp_path).stdout.count("Signature Verified Successfully") == 2
    (tmp_path / "delegations").write_bytes(example().replace(b"2026-11-23T07", b"2026-11-24T07"))
    assert _by_hand(tmp_path).returncode != 0


def _by_hand(folder: Path) -> subprocess.CompletedProcess[str]:
    script = block("With openssl and bash, in a folder with these two files:")
    words = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
