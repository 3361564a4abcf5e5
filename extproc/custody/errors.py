"""The error tree of the keeper. Each error says what, and the mend."""


class CustodyError(Exception):
    """Anything that a keeper refuses or cannot do."""


class KeeperBusyError(CustodyError):
    """Another act is being recorded at this place, for longer than was waited."""


class UnsoundLogError(CustodyError):
    """A log that contradicts itself: it is evidence of something, so nothing is taken from it."""


class HeldError(CustodyError):
    """A legal hold stands against it; `holds` are the operator's names of the matters."""

    def __init__(self, message: str, holds: tuple[str, ...]) -> None:
        super().__init__(message)
        self.holds = holds


class TooYoungError(CustodyError):
    """Records would be pruned that are younger than the law lets logs be."""
