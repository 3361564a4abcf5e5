"""`situs audit keys`: make an organisation's key, let nodes sign by it, and see who may sign what and when.

One module for each part of the ceremony. What the steps do is in :mod:`extproc.trust`; here they are explained.
"""

from textwrap import dedent
from typing import TYPE_CHECKING

from extproc.cli.audit.keys import delegate, new, node, policy, show
from extproc.cli.audit.keys.common import raw

if TYPE_CHECKING:
    import argparse
    from argparse import _SubParsersAction

_KEYS = """\
Keys sign the logs of a node for a day each. An organisation's key, which is kept offline, says which keys those are;
so an auditor needs that one public key, and a node that is broken into has nothing of yesterday to give away."""
_EXAMPLES = dedent(
    """\
    the whole ceremony:
      1. at a desk, once, without a network:
         situs audit keys new acme.pem --name acme/prod
         (or, in a hardware module:
         situs audit keys new 'pkcs11:token=acme;object=org?module-path=/usr/lib/softhsm/libsofthsm2.so' \\
             --name acme/prod --make --vkey acme.pem.vkey)
      2. on the node:
         situs audit keys request --key /etc/situs/log.pem --scope acme/prod/eu/node-1/0 --output node-1.request
      3. at the desk, with the request that you were handed:
         situs audit keys delegate node-1.request --key acme.pem --name acme/prod --output node-1.delegations
      4. on the node, with the answer:
         situs audit keys install node-1.delegations --key /etc/situs/log.pem --root acme.pem.vkey
      5. for your auditors:
         situs audit keys policy --root acme.pem.vkey --witness a.vkey --witness b.vkey --quorum 1 --output trust.policy

    exit codes: 0 done, 1 wrong usage, 78 a key, a request or a delegation that cannot be used
    """
)


def register(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group of commands."""
    group = raw(commands, "keys", "make, delegate and show the keys that sign logs", _KEYS, _EXAMPLES)
    steps = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for step in (new, node, delegate, show, policy):
        step.register(steps)
