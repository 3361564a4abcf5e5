"""What changes from one policy to another: exhaustively as data, and then in words.

`compare` asks both policies everything that can be asked, and reads both documents for what no answer shows, such as
which headers are read. Nothing here decides: the answers are tier 1's own.
"""

from extproc.review.difference.answers import Answer, Ground, Stand
from extproc.review.difference.comparing import NotInForceError, compare
from extproc.review.difference.edits import Edit
from extproc.review.difference.model import Change, Difference, Effect, Inventory, Side, Span
from extproc.review.difference.telling import Access, Arrival, Basis, Group, What, Who, groups_of
from extproc.review.difference.text import difference_in_words, summary_in_words

__all__ = [
    "Access",
    "Answer",
    "Arrival",
    "Basis",
    "Change",
    "Difference",
    "Edit",
    "Effect",
    "Ground",
    "Group",
    "Inventory",
    "NotInForceError",
    "Side",
    "Span",
    "Stand",
    "What",
    "Who",
    "compare",
    "difference_in_words",
    "groups_of",
    "summary_in_words",
]
