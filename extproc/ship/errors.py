"""The one error tree of shipping. Each error names the place and the mend."""


class ShipError(Exception):
    """Anything that keeps evidence from its store."""


class StoreAwayError(ShipError):
    """The store did not take or give something now. Waiting may help, so it is tried again."""


class DestinationRefusedError(ShipError):
    """A destination that must not be used as it is: another region, no object lock, a missing extra."""


class ForeignObjectError(ShipError):
    """A name in the store holds other bytes than ours: somebody else writes there, or a log was forked."""


class StoreChangedError(ShipError):
    """A file in the store is not what it was when it was read: another shipper is at work. Read it again."""


class StoreBehindError(ShipError):
    """The store holds less than was shipped to it: another folder is mounted there, or somebody removed evidence."""


class LocalLogError(ShipError):
    """A log on this disk that cannot be shipped as it is."""


class TileMissingError(LocalLogError):
    """A tile that the checkpoint covers is not on the disk."""
