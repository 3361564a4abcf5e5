"""`situs audit`: what an auditor runs on evidence, and what its keeper does to it. One module for each command."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse
    from argparse import _SubParsersAction

_AUDIT: Final = """\
Read the decision logs of Situs from their files alone: no server, no network, no access to production."""


def register(subparsers: "_SubParsersAction[argparse.ArgumentParser]", *, is_asked: bool = True) -> None:
    """Add `audit` and, where it is asked for, its commands.

    What they need takes half a second of CPU to import: a sidecar that starts anew must not spend it.
    """
    audit = subparsers.add_parser("audit", help="verify and read decision logs, offline", description=_AUDIT)
    if not is_asked:
        return
    from extproc.cli.audit import (
        acknowledge,
        erase,
        export,
        hold,
        keys,
        prove,
        prune,
        query,
        replay,
        ship,
        show,
        timestamp,
        unseal,
        verify,
        witness,
    )

    commands = audit.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        verify,
        show,
        query,
        prove,
        export,
        replay,
        timestamp,
        witness,
        ship,
        keys,
        erase,
        unseal,
        hold,
        prune,
        acknowledge,
    ):
        command.register(commands)
