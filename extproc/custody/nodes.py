"""Which node a place of logs is of: by the public keys that lie beside its workers' logs."""

from pathlib import Path

from extproc.custody.errors import CustodyError
from extproc.custody.keeper import KEEPER
from extproc.ledger.incarnation import SIGNER_VKEY, LogIdentity
from extproc.notes.keys import load_vkeys

_PARTS = 5


def identity_of(root: Path, node: str | None = None) -> LogIdentity:
    """Give the name under which the keeper of a node below `root` records: of `node`, or of the only one.

    Raises CustodyError where there is none or more than one, and MalformedError for a list of keys that is none.
    """
    found: dict[str, LogIdentity] = {}
    for path in sorted(root.glob(f"*/*/{SIGNER_VKEY}")):
        parts = load_vkeys(path)[0].name.split("/")
        if len(parts) == _PARTS:
            org, env, region, _, _ = parts
            name = path.parent.parent.name
            found[name] = LogIdentity(org=org, env=env, region=region, node=name, worker=KEEPER)
    if node is not None:
        if node not in found:
            raise CustodyError(f"{root}: no log of the node '{node}'. Mend: {_known(found)}")
        return found[node]
    if len(found) != 1:
        raise CustodyError(f"{root}: expected the logs of one node. Mend: {_known(found)}")
    return next(iter(found.values()))


def _known(found: dict[str, LogIdentity]) -> str:
    return (
        f"give --node, one of {', '.join(found)}" if found else "name the folder that was given to `situs serve --log`"
    )
