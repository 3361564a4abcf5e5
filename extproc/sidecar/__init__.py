"""The running sidecar: where the pure core, the wire, the geolocation and the ledger are wired together.

The only package that imports all the others. :mod:`extproc.sidecar.hop` is the path of one request;
:mod:`extproc.sidecar.serve` starts everything and takes it down again.

What changes while it runs has one owner each: the configuration and the snapshot (`live`), region health (`health`),
decisions whose delivery is awaited (`deliveries`), the ledger's sequence (`recorder`). All of it lives on one event
loop; nothing is locked.
"""
