"""`situs policy expiries`: everything in a policy that has a date, in order, and what each date does to the answers."""

from extproc.review.expiries.dated import Dated, Event, dated_in
from extproc.review.expiries.foresee import Due, foresee

__all__ = ["Dated", "Due", "Event", "dated_in", "foresee"]
