"""How long to wait for a store that is away: longer each time, and never in step with others."""

import random
from typing import Final

FIRST_S: Final = 0.5
LONGEST_S: Final = 30.0


class Backoff:
    """Doubles from half a second to half a minute, each time with a random half taken off at most."""

    def __init__(self) -> None:
        self._failures = 0

    def failed(self) -> float:
        """Count a failure, and give the seconds to wait."""
        whole = min(LONGEST_S, FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - spreads attempts, keeps no secret

    def worked(self) -> None:
        """Begin anew."""
        self._failures = 0
