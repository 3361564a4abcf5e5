"""From the configuration to the places themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from extproc.ship.config import BucketPlace, KafkaPlace, RegionShipping, Shipping
from extproc.ship.copying import Copy
from extproc.ship.destination import Destination
from extproc.ship.errors import DestinationRefusedError
from extproc.ship.folder import FolderDestination


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A region's store, and the least time between two checkpoints of one log in seconds."""

    destination: Destination
    every_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where evidence goes, by region."""

    stores: Mapping[str, Store]
    copies: Mapping[str, Callable[[str], Copy]] = field(default_factory=dict)
    """Open a copy for the logs of a node, which is named by the beginning of their origins."""


def open_destinations(shipping: Shipping, *, root: Path) -> Destinations:
    """Make the places for the logs below `root`; none is asked anything yet. Raises DestinationRefusedError."""
    return Destinations(
        stores={region: _open_store(each, root) for region, each in shipping.regions.items()},
        copies={region: _open_topic(each) for region, each in shipping.kafka.items()},
    )


def _open_store(shipping: RegionShipping, root: Path) -> Store:
    place = shipping.place
    if not isinstance(place, BucketPlace):
        if root.resolve() in (place.path.resolve(), *place.path.resolve().parents):
            raise DestinationRefusedError(
                f"{place.path}: lies in the logs' own folder {root}. Mend: name a folder on another disk"
            )
        return Store(destination=FolderDestination(place.path), every_s=shipping.every_s)
    try:
        from extproc.ship.s3 import S3Destination  # noqa: PLC0415 - an extra that a folder does not need
    except ImportError:
        raise _no_extra() from None
    return Store(destination=S3Destination(place), every_s=shipping.every_s)


def _open_topic(place: KafkaPlace) -> Callable[[str], Copy]:
    try:
        from extproc.ship.kafka import KafkaTopic  # noqa: PLC0415 - an extra that a store does not need
    except ImportError:
        raise _no_extra() from None
    return partial(KafkaTopic, place)


def _no_extra() -> DestinationRefusedError:
    return DestinationRefusedError("the clients of stores are not installed. Mend: pip install 'situs[ship]'")
