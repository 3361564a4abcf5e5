"""What is written differently, in words: that which answers show first, and then that which they do not."""

from collections.abc import Iterator
from typing import Final

from extproc.review.difference.edits import Edit, Json
from extproc.review.difference.model import Difference
from extproc.review.words import counted

_EDITS: Final = 24
"""Edits that are listed where their effects are told anyway."""
_WRITTEN: Final = 120
"""Characters beyond which the text of such an edit is left out."""


def edits_in_words(difference: Difference, *, told: bool) -> Iterator[str]:
    """List what is written differently, in lines of text; `told` where changed answers follow."""
    shown = [edit for edit in difference.edits if edit.shown]
    if shown:
        if told:
            yield "Written differently (what it does to the answers compared is told below)"
        elif difference.asked:
            yield "Written differently, without an effect on any answer that was compared"
        else:
            yield "Written differently, with effects that could not be compared"
        # Where nothing else tells of them, each is listed.
        listed = shown[:_EDITS] if told else shown
        yield from (f"  {_edit(edit, brief=True)}" for edit in listed)
        if len(shown) > len(listed):
            yield f"  and {counted(len(shown) - len(listed), 'part')} more (--json lists each)"
    unshown = [edit for edit in difference.edits if not edit.shown]
    if unshown:
        yield "Written differently, where answers do not show it"
        yield from (f"  {_edit(edit)}" for edit in unshown)


def _edit(edit: Edit, *, brief: bool = False) -> str:
    mark = " MAY WIDEN" if edit.may_widen else ""
    before, after = _written(edit.before), _written(edit.after)
    long = brief and max(len(before), len(after)) > _WRITTEN
    if edit.before is None:
        return f"{edit.part}{'' if long else f': {after}'} is new{mark}"
    if edit.after is None:
        return f"{edit.part}{'' if long else f': {before}'} is gone{mark}"
    return f"{edit.part}{' is another' if long else f': {before} becomes {after}'}{mark}"


def _written(value: Json) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case dict():
            return f"{{{', '.join(f'{name}: {_written(part)}' for name, part in value.items())}}}"
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case _:
            return str(value)
