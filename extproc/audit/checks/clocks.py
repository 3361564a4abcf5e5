"""Time in a log: signs of life that are missing, and clocks that were set.

A log that has heartbeats has one every ten seconds, idle or not, and each bears the time of a second clock, which
nobody sets. So a silence is a hole, and a step of the first clock shows against the second.
"""

from collections import Counter
from typing import Final

from extproc.audit.checks.jobs import Beat
from extproc.audit.findings import Category, Findings, Tally

PERIOD_S: Final = 10.0
"""Between two heartbeats, as the schema says."""
MOST_S: Final = 3 * PERIOD_S
"""The longest silence that load alone may cause."""
NEEDED_S: Final = 900.0
"""A log in which somebody decides for so long has a heartbeat, whatever happened to its process."""
_LONGEST_S: Final = 1e10
"""Three centuries."""
CLOCK_STEP_S: Final = 1.0
"""Less is queueing: records are made in one order and written in another."""


class Clocks:
    """Follows both clocks through the entries of a part, from the last sign of life before it on (None: not known).

    `needed` is the first sign in the part and `close_at_s` a Close before any: what `beat`, had it been known, would be
    held against.
    """

    def __init__(self, findings: Findings, tallies: Counter[str], *, beat: Beat | None, begins: bool) -> None:
        """`begins` says that the part is the first of its log."""
        self.beat = beat
        self.needed: Beat | None = None
        self.close_at_s: float | None = None
        self._findings = findings
        self._tallies = tallies
        self._begins = begins
        self._open = True
        self._set_back = False

    def set_back(self, entry: int, by_s: float) -> None:
        """Say that an entry is older than the one before it."""
        self._tallies[Tally.CLOCK_STEPS] += 1
        self._set_back = True
        self._findings.add(Category.NOTE, f"the clock was set back by {by_s:.1f} s", entry=entry)

    def live(self, entry: int, at_s: float, running_s: float) -> None:
        """Take up a heartbeat."""
        if not 0 <= running_s < _LONGEST_S:
            self._findings.add(
                Category.INTEGRITY, f"a heartbeat after {running_s} s, which no process runs", entry=entry
            )
            return
        now = Beat(entry=entry, at_s=at_s, running_s=running_s)
        before, self.beat = self.beat, now
        if self._open:
            self.needed, self._open = now, False
        if before is not None:
            self._compare(before, now)
        elif self._begins and running_s > MOST_S:
            self._miss(entry, running_s)
        self._begins = self._set_back = False

    def close(self, entry: int, at_s: float) -> None:
        """Take up the Close of a log that its own process ended: a sign of life, by the first clock alone."""
        if self._open:
            self.close_at_s, self._open = at_s, False
        if self.beat is None:
            return
        silence_s = at_s - self.beat.at_s
        if silence_s > MOST_S and not self._set_back:
            self._miss(entry, silence_s)

    def recovered(self, entry: int, last_at_s: float) -> None:
        """Take up that the process was ended before this entry; its last one was made at `last_at_s`.

        From the last sign on it may have been ended at any time. But what it recorded it was alive for.
        """
        if self.beat is not None and last_at_s - self.beat.at_s > MOST_S and not self._set_back:
            self._miss(entry, last_at_s - self.beat.at_s)
        self.forget()

    def forget(self) -> None:
        """Forget the last sign: what comes before is not known any more."""
        self.beat = None
        self._begins = self._open = False

    def _compare(self, before: Beat, now: Beat) -> None:
        silence_s = now.running_s - before.running_s
        if silence_s < 0:
            self._findings.add(
                Category.INTEGRITY,
                "a clock that nobody sets ran backwards",
                entry=now.entry,
                expected=f"{before.running_s:.1f} s or more",
                found=f"{now.running_s:.1f} s",
            )
            return
        if silence_s > MOST_S:
            self._miss(now.entry, silence_s)
        step_s = now.at_s - before.at_s - silence_s
        if abs(step_s) > CLOCK_STEP_S and not (self._set_back and step_s < 0):
            self._tallies[Tally.CLOCK_STEPS] += 1
            way = "forward" if step_s > 0 else "back"
            message = f"the clock was set {way} by {abs(step_s):.1f} s since entry {before.entry}"
            self._findings.add(Category.NOTE, message, entry=now.entry)

    def _miss(self, entry: int, silence_s: float) -> None:
        self._tallies[Tally.HEARTBEAT_GAPS] += 1
        self._findings.add(
            Category.INCOMPLETE,
            "heartbeats are missing before this entry",
            entry=entry,
            expected=f"{PERIOD_S:.0f} s",
            found=f"{silence_s:.1f} s",
        )


def follows(before: Beat, needed: Beat | None, close_at_s: float | None) -> bool:
    """Tell whether a part's first sign of life leaves nothing to say after the last one before it."""
    if needed is not None:
        silence_s = needed.running_s - before.running_s
        return 0 <= silence_s <= MOST_S and abs(needed.at_s - before.at_s - silence_s) <= CLOCK_STEP_S
    return close_at_s is None or close_at_s - before.at_s <= MOST_S
