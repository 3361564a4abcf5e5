"""What another policy would have said to the requests that a decision log records.

Owns the replay of recorded facts under a policy that did not decide them. It verifies nothing: that the records are
what was written is for :mod:`extproc.audit.verify`.
"""

from extproc.review.simulate.simulating import NoDecisionsError, Simulation, simulate
from extproc.review.simulate.tally import Entry, Group, Move, Tally, group_in_words, move_of, outcome_of
from extproc.review.simulate.text import simulation_in_words

__all__ = [
    "Entry",
    "Group",
    "Move",
    "NoDecisionsError",
    "Simulation",
    "Tally",
    "group_in_words",
    "move_of",
    "outcome_of",
    "simulate",
    "simulation_in_words",
]
