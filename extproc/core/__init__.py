"""The decision, as pure data and pure functions.

Owns the words of a decision (facts, verdict, choice, steering) and the two tiers that make it. Owns no clock, no
randomness, no I/O, no protobuf and no gRPC: time, identifiers, geolocation results and region health come in as
values, so that a recorded decision can be replayed and gives the same answer.

Read :func:`extproc.core.decide.decide` first, then :mod:`extproc.core.jurisdiction` (tier 1) and
:mod:`extproc.core.routing.choose` (tier 2). :mod:`extproc.core.tables` is what the policy compiler produces and what
the tiers read.

Rules kept here, each with a property test that tries to break it:

* Tier 1 only removes regions; tier 2 only chooses among what tier 1 left.
* A signal that nobody has authenticated can only narrow the permitted set.
* Whatever cannot be decided is refused.
"""
