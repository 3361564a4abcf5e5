"""`situs policy sign`, `keygen` and `verify`: people approve a policy, and anybody can check that they did."""

import argparse
import json
import os
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.exits import OK, USAGE, refuse

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from extproc.bundle.accept import Accepted
    from extproc.notes.note import VerifierKey

_SIGN_EPILOG = dedent(
    """\
    The policy is checked first: one that cannot be used is not signed. The bundle is the policy exactly as written, an
    empty line, and a line for each signature. Give the bundle itself to the next person, who signs it the same way;
    the signatures before stay. A key's name has three parts, ORG/policy/SIGNER; it must be the one in KEY.vkey where
    that lies beside the key, and one key signs a bundle under one name. A bundle that holds another text, such as the
    version before, is replaced with --force only.

    example, two people:
      situs policy sign policy.yaml --key counsel.key --name acme/policy/a-counsel
      situs policy sign policy.yaml.bundle --key officer.key --name acme/policy/b-officer
      situs policy verify policy.yaml.bundle --keys trusted.vkey --needed 2

    exit codes: 0 signed, 1 wrong usage, 78 the policy, the bundle or the key cannot be used
    """
)
_KEYGEN_EPILOG = dedent(
    """\
    The private key is written with mode 0600 and never overwritten. The public key is written beside it, as KEY.vkey:
    collect those of all who may sign in one file, one per line, and give that file to the sidecars.

    example:
      situs policy keygen --output counsel.key --name acme/policy/a-counsel
      cat counsel.key.vkey officer.key.vkey > trusted.vkey

    exit codes: 0 made, 1 wrong usage, 78 the key cannot be written
    """
)
_VERIFY_EPILOG = dedent(
    """\
    Checks what a sidecar checks before it takes a bundle: that enough different signers have signed exactly this
    text, and that it is a policy which can be used. Several keys of one name count as one signer.

    example:
      situs policy verify policy.yaml.bundle --keys trusted.vkey --needed 2

    exit codes: 0 it is good, 1 wrong usage, 78 it is not
    """
)


def register(subcommands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the group `situs policy`."""
    sign = _add(subcommands, "sign", "sign a policy, or add a signature to a bundle", _SIGN_EPILOG)
    sign.add_argument("policy", type=Path, metavar="FILE", help="the policy, YAML, or a bundle of it")
    sign.add_argument("--key", type=Path, required=True, metavar="KEY", help="your private key, mode 0600")
    sign.add_argument("--name", required=True, help="the name of your key: ORG/policy/SIGNER")
    sign.add_argument(
        "--output", type=Path, metavar="FILE", help="the bundle (default: FILE.bundle, or the bundle that was given)"
    )
    sign.add_argument("--force", action="store_true", help="replace a bundle of another text, and its signatures")
    sign.set_defaults(run=_sign)
    keygen = _add(subcommands, "keygen", "make a key that may sign policies", _KEYGEN_EPILOG)
    keygen.add_argument("--output", type=Path, required=True, metavar="KEY", help="where the private key is written")
    keygen.add_argument("--name", required=True, help="the name of the key: ORG/policy/SIGNER")
    keygen.set_defaults(run=_keygen)
    verify = _add(subcommands, "verify", "check a bundle's signatures and its policy", _VERIFY_EPILOG)
    verify.add_argument("bundle", type=Path, metavar="FILE", help="the bundle")
    verify.add_argument(
        "--keys", type=Path, action="append", required=True, metavar="VKEYS", help="keys that may sign; may be repeated"
    )
    verify.add_argument(
        "--needed", type=int, default=1, metavar="N", help="how many signers are needed (default: %(default)s)"
    )
    verify.set_defaults(run=_verify)


def _add(
    subcommands: "_SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, epilog: str
) -> argparse.ArgumentParser:
    parser = subcommands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _sign(args: argparse.Namespace) -> int:
    from extproc.bundle.accept import accept
    from extproc.bundle.bundle import join_bundles, looks_signed, read_bundle, sign_bundle
    from extproc.bundle.errors import BundleError, TrustError
    from extproc.bundle.trust import check_name
    from extproc.notes.errors import NoteError
    from extproc.notes.keys import load_key
    from extproc.strict_yaml import DocumentError

    file = str(args.policy)
    try:
        check_name(args.name)
    except TrustError as error:
        return refuse(f"--name: {error}", USAGE)
    try:
        data = _read(args.policy)
        if looks_signed(data):
            policy, output = read_bundle(data, file=file).text.encode(), args.output or args.policy
            given = [data]
        else:
            policy, output = data, args.output or args.policy.with_name(f"{args.policy.name}.bundle")
            given = []
        accepted = accept(policy, file=file, trust=None)
        key = load_key(args.key)
        _check_owner(args.key, key.verifier(args.name))
        given += _before(output, policy, force=args.force)
        also = join_bundles(given, file=file) if given else None
        bundle = sign_bundle(policy, key, args.name, also=also, file=file)
        _replace(output, bundle)
        signers = [signature.name for signature in read_bundle(bundle).signatures]
    except (BundleError, DocumentError, NoteError) as error:
        return refuse(error)
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}. Mend: check the path and who may write there")
    return _say(args, {**_summary(accepted), "signatures": signers, "bundle": str(output)})


def _keygen(args: argparse.Namespace) -> int:
    from extproc.bundle.errors import TrustError
    from extproc.bundle.trust import check_name
    from extproc.notes.errors import NoteError
    from extproc.notes.keys import add_vkey, create_key
    from extproc.notes.note import format_vkey

    try:
        check_name(args.name)
    except TrustError as error:
        return refuse(f"--name: {error}", USAGE)
    public = args.output.with_name(f"{args.output.name}.vkey")
    if public.exists():
        return refuse(f"{public}: exists, and may be the key of another. Mend: name another --output")
    try:
        key = create_key(args.output).verifier(args.name)
        add_vkey(public, key)
    except NoteError as error:
        return refuse(f"{error}. Mend: name another --output")
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}. Mend: check the path and who may write there")
    return _say(args, {"key": str(args.output), "public": str(public), "vkey": format_vkey(key)})


def _verify(args: argparse.Namespace) -> int:
    from extproc.bundle.accept import accept
    from extproc.bundle.errors import BundleError
    from extproc.bundle.trust import load_trust
    from extproc.strict_yaml import DocumentError

    if args.needed < 1:
        return refuse(f"--needed {args.needed}: no signature would be checked. Mend: ask for 1 or more", USAGE)
    try:
        trust = load_trust(args.keys, needed=args.needed)
        accepted = accept(_read(args.bundle), file=str(args.bundle), trust=trust)
    except (BundleError, DocumentError) as error:
        return refuse(error)
    return _say(args, {**_summary(accepted), "signed by": list(accepted.signers), "needed": trust.needed})


def _read(path: Path) -> bytes:
    """Read one whole file. Raises BundleError."""
    from extproc.bundle.file import FileSource

    return FileSource(path).read_whole()


def _check_owner(path: Path, public: "VerifierKey") -> None:
    """Refuse a name that the `.vkey` beside the key at `path`, if there is one, does not list. Raises BundleError."""
    from extproc.bundle.errors import TrustError
    from extproc.bundle.trust import load_trust

    beside = path.with_name(f"{path.name}.vkey")
    if not beside.exists():
        return
    listed = load_trust([beside]).keys
    names = [each.name for each in listed if each.public == public.public]
    if not names:
        raise TrustError(f"{beside}: lists another key than {path}. Mend: put each key beside its own .vkey")
    if public.name not in names:
        mend = f"--name {names[0]}, or your own --key"
        raise TrustError(f"{beside}: the key is of {names[0]}, not of {public.name}. Mend: {mend}")


def _before(output: Path, policy: bytes, *, force: bool) -> list[bytes]:
    """Give the bundle at `output`, if there is one of this very text, so that its signatures are not lost.

    Raises BundleError for a file there that is no bundle, and for a bundle of another text unless `force` gives it up.
    """
    from extproc.bundle.bundle import looks_signed, read_bundle
    from extproc.bundle.errors import BundleError

    if not output.exists():
        return []
    data = _read(output)
    if not looks_signed(data):
        raise BundleError(f"{output}: exists, and is no bundle. Mend: name another --output")
    before = read_bundle(data, file=str(output))
    if before.text.encode() == policy:
        return [data]
    if force:
        return []
    signers = ", ".join(dict.fromkeys(signature.name for signature in before.signatures))
    raise BundleError(
        f"{output}: the bundle holds another text, signed by {signers}. Mend: --force, or another --output"
    )


def _replace(path: Path, data: bytes) -> None:
    """Write beside the file, make it durable, and rename. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _summary(accepted: "Accepted") -> dict[str, str | int | list[str]]:
    standing = accepted.standing
    return {"policy": standing.policy, "version": standing.version, "revision": standing.revision}


def _say(args: argparse.Namespace, result: dict[str, str | int | list[str]]) -> int:
    if args.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:10} {' '.join(value) if isinstance(value, list) else value}")
    return OK
