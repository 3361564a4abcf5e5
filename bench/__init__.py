"""Measures the request path: what each layer between a client and a cell adds, in CPU time and in waiting.

Start with `python -m bench --help`; the method is in the README beside this file.

* :mod:`bench.ladder` - the same load through a real Envoy, one layer more on each rung
* :mod:`bench.handler` - the sidecar's own work in bytes and out bytes, split by step, without any I/O
* :mod:`bench.records` - the ledger alone
* :mod:`bench.targets` - what the figures are held against
* :mod:`bench.report` - `latest.json` and `latest.md`

Processes of the ladder: :mod:`bench.backend` answers as a cell, :mod:`bench.load` sends, :mod:`bench.sidecars` and
:mod:`bench.sample` stand where the sidecar stands.
"""
