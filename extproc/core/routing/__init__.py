"""Tier 2: which of the permitted regions serves a request best now. Pure, with time as a value.

What is learned of a region (:mod:`~extproc.core.routing.learn`: health, latency, a budget of requests in flight)
becomes a :class:`~extproc.core.routing.standing.Standing`. A decision turns standings into estimates, which are
recorded, and :func:`~extproc.core.routing.order.order` makes the plan of nothing but those estimates and the policy: so
a choice can be made again from its record.

Nothing here adds a region to what tier 1 permitted.
"""
