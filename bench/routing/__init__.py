"""A simulation of tier 2: many sidecars, few regions, signals that come late.

`python -m bench.routing` plays one trace of requests through several ways to choose a region, among them the product's
own code, and through the three profiles. Nothing here is measured on a network: distances, service times and failures
are those of :mod:`bench.routing.world`, time is a number, and a seed gives the same result again.
"""
