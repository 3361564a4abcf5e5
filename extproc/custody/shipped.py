"""How much of each log is in the stores that it is shipped to, by the shipper's own notes."""

import json
from pathlib import Path

from extproc.custody.errors import CustodyError


def shipped_sizes(state: Path) -> dict[str, int]:
    """Give, by the log's origin, how many of its entries are in every place that has any of it.

    `state` is the file that `situs audit ship` keeps. Each region has a place of its own, so no place has every log.
    Raises CustodyError for a file that is none.
    """
    sizes: dict[str, int] = {}
    try:
        for logs in json.loads(state.read_bytes()).values():
            for log in logs.values():
                origin, size = log["origin"], int(log["size"])
                sizes[origin] = min(size, sizes.get(origin, size))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CustodyError(
            f"{state}: not what `situs audit ship` notes ({type(error).__name__}). Mend: name its state file"
        ) from None
    return sizes
