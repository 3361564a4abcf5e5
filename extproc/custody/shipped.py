"""How much of each log is in the stores that it is shipped to, by the shipper's own notes."""

import json
from pathlib import Path

from extproc.custody.errors import CustodyError


def shipped_sizes(state: Path) -> dict[str, int]:
    """Give, by the log's origin, how many of its entries are in every place that anything was shipped to.

    `state` is the file that `situs audit ship` keeps. A log that one place lacks is not in all of them, so it is left
    out. Raises CustodyError for a file that is none.
    """
    try:
        places = json.loads(state.read_bytes())
        by_place = [{log["origin"]: int(log["size"]) for log in logs.values()} for logs in places.values()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CustodyError(
            f"{state}: not what `situs audit ship` notes ({type(error).__name__}). Mend: name its state file"
        ) from None
    if not by_place:
        return {}
    everywhere = set.intersection(*(set(sizes) for sizes in by_place))
    return {origin: min(sizes[origin] for sizes in by_place) for origin in everywhere}
