"""Evidence goes to a store in its own region, and nowhere else.

Owns what is shipped, in which order, and where to. Decides nothing about what the files mean: whoever reads the store
runs `situs audit verify` on it. Never changes a file of the log, and runs as a process of its own beside the sidecar.

What is shipped, for each log below a root: the tlog-tiles files that its published checkpoint covers, its policies, its
public keys, delegations and cosigned checkpoint, under the names that they have on the disk. Never the write-ahead
log, locks, private keys or key stores: only names that :mod:`extproc.ship.local_log` knows are ever read.

The order is the promise. Tiles first, then the checkpoint that covers them, so that a reader of the store finds at any
moment a checkpoint whose tiles are all there. A tile is shipped only after it was hashed up to the signed root, so that
what is locked for a year is not a disk's mistake. A log that is followed by another is shipped to its end before the
other begins. README.md says what an operator has to prepare.

SPEC: https://c2sp.org/tlog-tiles
"""

from extproc.ship.config import Shipping, load_shipping
from extproc.ship.destination import Destination
from extproc.ship.errors import ShipError
from extproc.ship.opening import Destinations, open_destinations
from extproc.ship.shipper import Shipper
from extproc.ship.status import ShipStatus

__all__ = [
    "Destination",
    "Destinations",
    "ShipError",
    "ShipStatus",
    "Shipper",
    "Shipping",
    "load_shipping",
    "open_destinations",
]
