"""The Situs sidecar: decides for each request which regions may process it, then which of them serves, and proves it.

The flow, and where to read it::

    Envoy --ProcessingRequest--> wire.request    bytes -> facts
                                 core.decide     facts + snapshot -> decision (pure)
                                   core.jurisdiction   tier 1: which regions may
                                   core.routing        tier 2: which of them, now
                                 ledger          decision -> durable, signed record
    Envoy <-ProcessingResponse-- wire.response   decision -> bytes
    Envoy --access log---------> wire.access_log what really happened -> health, delivery record, reconciliation

`sidecar` wires these together and runs them; `policy` compiles what people write to what tier 1 reads, `bundle` is how
it arrives, signed, and `review` answers questions about it; `geo` places an address, `detect` classifies a payload;
`signals` hears of the regions, `control` takes legal orders, `workers` runs several sidecars as one; `mesh` renders
Envoy's configuration; `audit` reads and verifies logs; `notes` are signed texts; `demo` plays it all,
`drill` rehearses its failures;
`cli` is the command. Imports point one way: `core` imports none of the others, and a test walks the imports.
"""
