"""`situs audit witness status` and `cosign`: look at a witness, and ask those of a policy."""

import argparse
import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, Final

from extproc.audit.findings import EXIT_STATUS, EXIT_VERIFIED, Category
from extproc.cli.audit.usage import usage
from extproc.ledger.errors import LedgerError
from extproc.notes.errors import NoteError
from extproc.witness.errors import WitnessError

_ERRORS: Final = (LedgerError, NoteError, WitnessError, OSError)


def run_status(args: argparse.Namespace) -> int:
    """Run `situs audit witness status`."""
    try:
        status = _status_of(args.place, args.ca)
    except (*_ERRORS, ValueError) as error:
        return usage("witness status", f"{args.place}: {error}")
    if args.json:
        print(json.dumps(status))
    else:
        _print_status(status)
    return EXIT_VERIFIED


def _status_of(place: str, ca: Path | None) -> dict[str, Any]:
    import httpx

    from extproc.witness.client import trusting
    from extproc.witness.request import HEADS
    from extproc.witness.state import State

    if "://" not in place:
        state = State(Path(place), vkey=None)
        try:
            return state.describe()
        finally:
            state.close()
    try:
        answer = httpx.get(f"{place.rstrip('/')}{HEADS}", verify=trusting(ca))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise WitnessError(f"cannot be asked: {error}") from None
    if answer.status_code != httpx.codes.OK:
        raise WitnessError(
            f"answers {answer.status_code}. Mend: start that witness with --heads, or give its state file here"
        )
    found: dict[str, Any] = answer.json()
    return found


def _print_status(status: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("log", "entries", "cosigned at", "age", box=None, pad_edge=False)
    now = time()
    for head in status["heads"]:
        at = datetime.fromtimestamp(head["cosigned_at_s"], UTC)
        age = f"{max(0, now - head['cosigned_at_s']):.0f} s"
        table.add_row(head["origin"], str(head["size"]), f"{at:%Y-%m-%dT%H:%M:%SZ}", age)
    console = Console()
    console.print(table)
    for fork in status["forks"]:
        console.print(f"FORK {fork['origin']}: two histories of {fork['size']} entries, both signed")


def run_cosign(args: argparse.Namespace) -> int:
    """Run `situs audit witness cosign`."""
    try:
        return asyncio.run(_cosign(args))
    except _ERRORS as error:
        return usage("witness cosign", str(error))


async def _cosign(args: argparse.Namespace) -> int:
    from extproc.trust.tlog_policy import load_tlog_policy
    from extproc.witness.client import open_client
    from extproc.witness.cosigner import Cosigner
    from extproc.witness.published import logs_below

    policy = load_tlog_policy(args.policy)
    logs = logs_below(args.directory)
    if not logs:
        raise WitnessError(f"{args.directory}: no log here. Mend: give the folder that --log named, or one below it")
    worst = EXIT_VERIFIED
    async with open_client(timeout_s=args.timeout, ca=args.ca) as client:
        for log in logs:
            cosigner = Cosigner(log, policy, client=client, timeout_s=args.timeout)
            reached = await cosigner.cosign()
            alarm = cosigner.alarm
            if args.json:
                found = {"log": str(log), "witnessed": cosigner.size, "quorum": reached}
                print(json.dumps({**found, "failures": dict(cosigner.failures), "alarm": alarm and str(alarm)}))
            else:
                print(f"{log}: {f'{cosigner.size} entries cosigned' if reached else 'NO QUORUM'}")
                for failure in cosigner.failures.values():
                    print(f"  {failure}")
            if alarm is not None:
                worst = EXIT_STATUS[Category.INTEGRITY]
            elif not reached and worst == EXIT_VERIFIED:
                worst = EXIT_STATUS[Category.INCOMPLETE]
    return worst
