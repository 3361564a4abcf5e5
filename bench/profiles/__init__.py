"""What each of the three profiles gives and what it costs, measured: `python -m bench.profiles --help`.

The same requests, one by one, go to three gateways that differ in nothing but the profile of their policy and what it
implies (:mod:`bench.profiles.policies`). Each gateway is a real Envoy with a real sidecar and its own decision log. All
three reach the same four real cells, so that an outage hits all alike.

One thing is emulated: the way to each region. Between gateways and cells stand relays that delay every byte by half of
the region's declared round trip, and a new connection by a whole one (:mod:`extproc.demo.relay`).
"""
