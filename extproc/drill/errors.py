"""The error tree of drills. Each error says what, and the mend."""


class DrillError(Exception):
    """A drill cannot be done, or could not be done to its end."""


class CannotError(DrillError):
    """The system cannot be made to fail in this way; nothing was disturbed."""


class UnfitSystemError(DrillError):
    """The system does not serve to begin with, or did not come back; what was measured says nothing."""
