"""Parts put together in order: whether one may follow what comes before it, and what then comes before the next."""

from extproc.audit.checks.clocks import CLOCK_STEP_S, follows
from extproc.audit.checks.configurations import check_configuration
from extproc.audit.checks.jobs import Edge, Meaning, Needs


def fits(before: Edge, needs: Needs) -> bool:
    """Tell whether all that a part took for granted is so. If not, it is read again with `before`, which says why."""
    if not needs.starts:
        return True
    if before.closed or (needs.at_s or 0.0) < before.at_s - CLOCK_STEP_S:
        return False
    if None not in (before.sequence, needs.sequence) and needs.sequence != (before.sequence or 0) + 1:
        return False
    if before.beat is not None and not follows(before.beat, needs.beat, needs.close_at_s):
        return False
    for key in needs.configurations:
        known = before.configurations.get(key[0])
        if before.whole if known is None else check_configuration(key, known):
            return False
    return True


def join_edges(before: Edge, meaning: Meaning) -> Edge:
    """Give the edge after a part."""
    after = meaning.edge
    alive = meaning.kinds["heartbeat"] or meaning.recovered or not after.whole
    sequence = after.sequence
    if sequence is None and after.whole:
        sequence = before.sequence
    return Edge(
        sequence=sequence,
        at_s=after.at_s if meaning.needs.starts else before.at_s,
        configurations={**before.configurations, **after.configurations},
        closed=before.closed or after.closed,
        beat=after.beat if alive else before.beat,
        whole=before.whole and after.whole,
    )
