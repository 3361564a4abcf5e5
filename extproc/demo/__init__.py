"""The main job, end to end, on one machine: a real Envoy, the sidecar, and four regional cells with a real model.

Owns a small world (:mod:`extproc.demo.world`: processes, ports, files) and a story played in it
(:mod:`extproc.demo.story`), each step with its expectation. The end-to-end tests play other stories in the same world.

Everything runs on loopback. The client plays the load balancer in front, which appends the client's address to
`x-forwarded-for`; the geolocation database is made up on the spot, so addresses say nothing about their real owners.
"""
