# ruff: noqa: D401 - the docstring of a check says why it matters
"""How decisions are recorded: entries that do less than they seem to."""

from collections.abc import Iterator

from extproc.core.evidence import ReleaseMode
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter


@check("sealed-without-subject", Level.WARNING, "what is sealed of one person cannot be erased alone")
def sealed_without_subject(matter: Matter) -> Iterator[Found]:
    """Without a subject a day's blocks are under one key: a person is erased with everybody of that day, or not."""
    evidence = matter.document.evidence
    if evidence.sealed and evidence.subject is None:
        yield Found(
            matter.places("evidence", "sealed"),
            f"{', '.join(evidence.sealed)} is sealed, and no claim says of whom",
            "add 'subject: {claim: sub}', or seal nothing",
        )


@check("durability-idle", Level.NOTE, "an entry makes no request wait for more")
def durability_idle(matter: Matter) -> Iterator[Found]:
    """The strictest of all that applies counts, so a model's weaker entry loosens nothing, as its author may think."""
    rules = matter.document.evidence.durability
    if rules.default is None:
        return
    weaker = [mode for name, mode in rules.classes.items() if name in matter.document.unregulated]
    least = min([rules.default, *weaker], key=_strictness)
    for model, mode in sorted(rules.models.items()):
        if mode.strictness <= least.strictness:
            yield Found(
                matter.places("evidence", "durability", "models", model),
                f"every request to {model} waits for {least.value} anyway",
                "remove the entry, or lower the default and raise the classes that need more",
            )


def _strictness(mode: ReleaseMode) -> int:
    return mode.strictness
