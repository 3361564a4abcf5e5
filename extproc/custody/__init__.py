"""The keeper of evidence: what is done to logs that are written, each act of which is itself recorded.

Erases keys, prunes what is over its time, and places legal holds that stop the pruning. The acts stand in a log of
their own, of the worker `keeper`, so that they work beside a running sidecar and without one.

* :mod:`extproc.custody.keeper`: one short log for each act.
* :mod:`extproc.custody.acts`: what all keepers below a place have recorded.
* :mod:`extproc.custody.erase`: the end of a person's keys, or of a day's.
* :mod:`extproc.custody.holds`: evidence that must not be pruned.
* :mod:`extproc.custody.retention`: what is over its time, and what stands against pruning it.
* :mod:`extproc.custody.prune`: its end.

Whatever the moment at which a process is killed, an act was either not begun, or is finished by whoever comes next.
"""

from extproc.custody.errors import CustodyError

__all__ = ["CustodyError"]
