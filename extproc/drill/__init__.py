"""Failover, rehearsed and measured: what `situs drill` does.

Each scenario goes the same way: a steady load, a fault, its end; then the answers are held against the decision log and
against what the policy promises of the region (`recovery`).

* :mod:`extproc.drill.scenarios`: what is rehearsed, and what counts as served properly in it.
* :mod:`extproc.drill.system`: what a drill needs of the system that it disturbs; :mod:`extproc.drill.demo` is one that
  is started for it, :mod:`extproc.drill.live` one that serves people.
* :mod:`extproc.drill.play`: load, fault, end. Whatever happens, a fault is mended.
* :mod:`extproc.drill.timeline`: when service was there again, of answers alone.
* :mod:`extproc.drill.evidence`: what the decision log says of the requests.
* :mod:`extproc.drill.judge`: the outcome, of the answers and the evidence alone.
* :mod:`extproc.drill.report` and :mod:`extproc.drill.record`: what a person reads, and what the keeper signs.
"""
