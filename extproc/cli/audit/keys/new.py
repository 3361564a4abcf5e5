"""`situs audit keys new`: an organisation's key, in a file or in a hardware module."""

import argparse
import os
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Final

from extproc.cli.audit.keys.common import EXIT_CODES, ask_pin, raw, scope, unusable
from extproc.cli.exits import OK, USAGE, refuse
from extproc.notes.errors import KeyModuleError
from extproc.notes.keys import create_key, replace_vkeys
from extproc.notes.note import VerifierKey, format_vkey
from extproc.notes.pkcs11_uri import SCHEME, find_pin, parse_pkcs11_uri

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_ABOUT: Final = """\
Make an organisation's key, or show the one in a hardware module.

Do this on a machine without a network, and keep the private key away from every node: whoever has it can let keys of
his own sign your logs. The public key, one line, is what your auditors get; give it to them in a way of its own, before
they need it.

In a file the key has mode 0600 and is never overwritten; the public key is written beside it, as PLACE.vkey.

In a hardware module it never leaves. PLACE is then a URI of RFC 7512, and the module anything that speaks PKCS#11 and
signs with Ed25519 (CKM_EDDSA). The PIN comes from the file that pin-source names in the URI, from SITUS_PKCS11_PIN, or
from you; never from the command line."""
_EXAMPLES: Final = dedent(
    """\
    examples:
      situs audit keys new acme.pem --name acme/prod
      situs audit keys new 'pkcs11:token=acme;object=org?module-path=/usr/lib/softhsm/libsofthsm2.so' \\
          --name acme/prod --make --vkey acme.vkey

    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = raw(commands, "new", "make an organisation's key, or show one in a module", _ABOUT, _EXAMPLES + EXIT_CODES)
    parser.add_argument("place", metavar="PLACE", help="a file that is made, or a pkcs11: URI")
    parser.add_argument(
        "--name", required=True, type=scope, help="the name of the key, with which the origins of its logs begin"
    )
    parser.add_argument("--make", action="store_true", help="make the key in the module, which has none of that label")
    parser.add_argument("--vkey", type=Path, metavar="FILE", help="write the public key there")
    parser.set_defaults(run=unusable(run))


def run(args: argparse.Namespace) -> int:
    """Run `situs audit keys new`."""
    in_module = args.place.startswith(SCHEME)
    place: Path | None = args.vkey
    if place is None and not in_module:
        place = Path(f"{args.place}.vkey")
    if place is not None and place.exists():
        return refuse(f"{place}: exists, and may be the key of another. Mend: name another --vkey", USAGE)
    public = _public_of_module(args.place, make=args.make) if in_module else create_key(Path(args.place)).public
    key = VerifierKey(name=args.name, public=public)
    if place is not None:
        replace_vkeys(place, (key,))
    print(format_vkey(key))
    return OK


def _public_of_module(place: str, *, make: bool) -> bytes:
    try:
        from extproc.notes.pkcs11 import ModuleKey, create_module_key
    except ImportError:
        raise KeyModuleError(f"{place}: needs python-pkcs11. Mend: pip install 'situs[hsm]'") from None
    uri = parse_pkcs11_uri(place)
    pin = find_pin(uri, environ=os.environ, ask=ask_pin())
    if make:
        create_module_key(uri, pin)
    key = ModuleKey(uri, pin)
    try:
        return key.public
    finally:
        key.close()
