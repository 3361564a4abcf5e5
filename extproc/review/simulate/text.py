"""A simulation in lines of text."""

from collections.abc import Iterator

from extproc.review.simulate.simulating import Simulation
from extproc.review.simulate.tally import Entry, Group, Move, Tally, group_in_words
from extproc.review.words import counted, format_moment


def simulation_in_words(found: Simulation) -> Iterator[str]:
    """Tell what would have changed: the sums, what is not known, and each group with an example."""
    tally = found.tally
    yield from span_in_words(tally)
    yield "Nothing was verified: run `situs audit verify` first."
    yield from moves_in_words(tally)
    known = found.plans_same + found.plans_changed
    yield (
        f"Plans: {found.plans_changed:,} of {counted(known, 'decision')} would have another by the recorded health; of "
        f"{found.plans_unknown:,} it is not known, because nobody had looked whether all of their regions serve"
    )
    yield (
        f"Transfers: {found.transfers_before:,} recorded, {found.transfers_after:,} would be, and "
        f"{found.transfers_possible:,} more may be"
    )
    for (permit, region), count in sorted(found.transfers.items(), key=lambda each: (-each[1], each[0])):
        yield f"  {count:,} to {region} by {permit}"
    if found.missing:
        yield "Facts that this policy reads and the records do not have; what was recorded instead was used, or nothing"
        for fact, count in sorted(found.missing.items(), key=lambda each: (-each[1], each[0])):
            yield f"  {counted(count, 'decision')}: {fact}"
    yield from groups_in_words(tally)


def span_in_words(tally: Tally) -> Iterator[str]:
    """Say how many decisions these are, and of which time."""
    if tally.first_s is not None and tally.last_s is not None:
        times = f"from {format_moment(tally.first_s)} to {format_moment(tally.last_s)}"
        yield f"{counted(tally.decisions, 'decision')}, {times}"


def moves_in_words(tally: Tally) -> Iterator[str]:
    """Say how many there are of each kind, with their share."""
    for move in Move:
        if tally.moves[move]:
            yield f"  {tally.moves[move]:>9,}  {tally.moves[move] / tally.decisions:>6.1%}  {move}"


def groups_in_words(tally: Tally) -> Iterator[str]:
    """Tell each group, with its share and an example."""
    groups = tally.sorted()
    if groups:
        yield "What would change"
    yield from (f"  {_line(group, entry, tally.decisions)}" for group, entry in groups)


def _line(group: Group, entry: Entry, decisions: int) -> str:
    return (
        f"{entry.count:,} ({entry.count / decisions:.1%}) {group.move}: {group_in_words(group)} "
        f"[first {format_moment(entry.first_s)}, last {format_moment(entry.last_s)}, such as {entry.example}]"
    )
