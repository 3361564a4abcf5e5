"""`situs audit prove` and `situs audit check-proof`: one entry, proven to somebody who has nothing but a key."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from extproc.archive import ArchiveError, open_archive
from extproc.audit.check_proof import ENTRY_SUFFIX, Checked, CheckedSelection, check_proof, check_selection
from extproc.audit.check_shown import check_shown
from extproc.audit.handout import PROOF, SCRIPT, handout_of, proof_to_json
from extproc.audit.prove import NotFoundError, find_entry, prove
from extproc.audit.tlog_proof import SUFFIX
from extproc.audit.trust import Trust
from extproc.cli.audit.proving import add_engine, add_trust, load_trusted, showing
from extproc.cli.audit.terminal import json_line, words
from extproc.cli.audit.usage import usage
from extproc.engine import EngineError, open_engine
from extproc.ledger.errors import LedgerError
from extproc.ledger.log import DELEGATIONS, LOG_VKEY
from extproc.notes.errors import NoteError, UnknownSignerError
from extproc.notes.keys import load_vkeys

if TYPE_CHECKING:
    from argparse import _SubParsersAction

_INTEGRITY: Final = 2
_TRUST: Final = 4
_FAILURES_SHOWN: Final = 20

_PROVE: Final = """\
Prove that one record was logged, to somebody who has neither the log nor this program.

Writes a folder with the entry's bytes, a proof of its inclusion (C2SP tlog-proof, under the checkpoint that witnesses
have cosigned where there is one), both as JSON, and a shell script that checks it with openssl alone."""

_PROVE_END: Final = """\
exit status: 0 done, 1 usage or no such record, 2 integrity: the log's files contradict each other

examples:
  situs audit prove 019323f5-7a10-7cc2-8a4e-3f0d5b1c9e77 /var/lib/situs/log --output proof
  situs audit prove node-1/0/000001-5f3a90c2:17 s3://evidence-eu/situs --output - | jq .entry
  sh proof/how-to-check.sh operator.vkey"""

_CHECK: Final = """\
Check proofs by keys of your own: that of a folder which `situs audit prove` wrote, a single .tlog-proof with its .entry
beside it, or every proof in a selection that `situs audit export` made."""

_CHECK_END: Final = """\
exit status:
  0  every proof holds
  1  usage: no proof there, or a key that cannot be read
  2  integrity: a proof does not prove what it claims
  4  trust: no key that you gave has signed, or not enough witnesses

examples:
  situs audit check-proof proof --key operator.vkey
  situs audit check-proof selection.zip --trust policy.txt"""


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    parser = commands.add_parser(
        "prove",
        help="prove one record to somebody who has nothing but a key",
        description=_PROVE,
        epilog=_PROVE_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("id", metavar="ID", help="a decision's id, or LOG:INDEX")
    parser.add_argument(
        "place", metavar="PLACE", nargs="?", default=".", help="a folder, a zip file or s3://BUCKET/PREFIX (default: .)"
    )
    parser.add_argument(
        "--output", metavar="DIR", required=True, help="a folder that is made; - prints one JSON object instead"
    )
    add_engine(parser)
    parser.set_defaults(run=run)

    check = commands.add_parser(
        "check-proof",
        help="check proofs by keys of your own",
        description=_CHECK,
        epilog=_CHECK_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("file", metavar="FILE", help="a folder, a .tlog-proof or a selection in a zip file")
    add_trust(check)
    check.add_argument("--json", action="store_true", help="print the result as one JSON object")
    check.set_defaults(run=run_check)


def run(args: argparse.Namespace) -> int:
    """Run `situs audit prove`."""
    try:
        archive = open_archive(args.place)
        with showing("searching") as progress:
            proof = prove(archive, find_entry(archive, args.id, engine=open_engine(args.engine), progress=progress))
        if args.output == "-":
            sys.stdout.write(json_line(json.dumps(proof_to_json(proof), ensure_ascii=False)) + "\n")
            return 0
        _write(Path(args.output), handout_of(proof))
    except (NotFoundError, ArchiveError, EngineError, OSError) as error:
        return usage("prove", str(error))
    except (LedgerError, NoteError) as error:
        return _fail("prove", str(error), _INTEGRITY)
    _say(f"{args.output}: entry {proof.index} of {proof.log.origin}, {len(proof.proof):,} bytes of proof in {PROOF}")
    _say(f"check it without this program: cd {args.output} && sh {SCRIPT} VKEY, with the key that you hold")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Run `situs audit check-proof`."""
    try:
        trusted = load_trusted(args)
        path = Path(args.file)
        if not trusted.roots:
            trusted = _beside(path, trusted)
        found = _check_file(path, trusted) if path.suffix == SUFFIX else _check_all(args.file, trusted)
    except (ArchiveError, OSError) as error:
        return usage("check-proof", str(error))
    except UnknownSignerError as error:
        return _fail("check-proof", str(error), _TRUST)
    except (LedgerError, NoteError) as error:
        return _fail("check-proof", str(error), _INTEGRITY)
    if not found.checked and not found.failed:
        return usage("check-proof", f"{args.file}: no {SUFFIX} here. Mend: name what `situs audit prove` wrote")
    if args.json:
        sys.stdout.write(json.dumps(_to_json(found)) + "\n")
    else:
        _print(found)
    if not found.failed:
        return 0
    return _TRUST if all(each.trust for each in found.failed) else _INTEGRITY


def _check_all(place: str, trusted: Trust) -> CheckedSelection:
    """Check all proofs of a place, and what is shown of their entries there."""
    archive = open_archive(place)
    found = check_selection(archive, trusted)
    # Where a proof does not hold, that says more than what is shown of its entry.
    return found if found.failed else replace(found, failed=tuple(check_shown(archive, found)))


def _check_file(path: Path, trusted: Trust) -> CheckedSelection:
    """Check one proof with its entry beside it."""
    delegations = path.with_name(DELEGATIONS)
    given = delegations.read_bytes() if delegations.is_file() else b""
    entry = path.with_suffix(ENTRY_SUFFIX).read_bytes()
    return CheckedSelection(
        checked={path.name: check_proof(path.read_bytes(), entry, trusted, delegations=given)}, failed=()
    )


def _beside(path: Path, trusted: Trust) -> Trust:
    """Take the key that came with a proof, and say what that is worth."""
    beside = (path.parent if path.suffix == SUFFIX else path) / LOG_VKEY
    if not beside.is_file():
        return trusted
    _say("note: no key was given, so the one beside the proof was used: this shows integrity, not authorship")
    return replace(trusted, keys=load_vkeys(beside))


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _print(found: CheckedSelection) -> None:
    console = Console()
    for name, each in found.checked.items():
        console.print(words(f"{name}: {_in_words(each)}"), soft_wrap=True)
    for failure in found.failed[:_FAILURES_SHOWN]:
        console.print(words(f"{failure.file}: {failure.reason}", style="bold red"), soft_wrap=True)
    if len(found.failed) > _FAILURES_SHOWN:
        console.print(words(f"and {len(found.failed) - _FAILURES_SHOWN} more that do not hold"))
    verdict = "all hold" if found.holds else f"{len(found.failed)} do not hold"
    console.print(words(f"RESULT {len(found.checked) + len(found.failed)} proofs, {verdict}"))


def _in_words(checked: Checked) -> str:
    by = f"signed by {', '.join(checked.signed_by)}"
    cosigned = f", cosigned by {', '.join(sorted(checked.cosigned))}" if checked.cosigned else ""
    return f"entry {checked.index} of {checked.origin}, at {checked.size:,} entries {by}{cosigned}"


def _to_json(found: CheckedSelection) -> dict[str, object]:
    return {
        "holds": found.holds,
        "checked": {
            name: {
                "origin": each.origin,
                "index": each.index,
                "size": each.size,
                "root": each.root.hex(),
                "signed_by": each.signed_by,
                "cosigned": dict(each.cosigned),
            }
            for name, each in found.checked.items()
        },
        "failed": [{"file": each.file, "reason": each.reason, "trust": each.trust} for each in found.failed],
    }


def _say(text: str) -> None:
    Console(stderr=True).print(words(text), soft_wrap=True)


def _fail(command: str, message: str, status: int) -> int:
    _say(f"situs audit {command}: {message}")
    return status
