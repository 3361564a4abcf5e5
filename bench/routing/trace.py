"""The requests of one run, drawn before it: every way to choose sees the very same ones."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.routing.world import SPREAD, SUBJECTS, World

SESSIONS: Final = 50
"""Of each sidecar and subject; a session's requests come in no order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests by index: when they arrive, at which sidecar, whose they are, and how long a cell works on them."""

    at_s: list[float]
    sidecar: list[int]
    subject: list[int]
    session: list[int]
    work_s: list[float]

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self.at_s)


def draw(world: World) -> Trace:
    """Draw a trace: Poisson arrivals, lognormal work. Equal seeds and rates give equal traces."""
    rng = np.random.default_rng(world.seed)
    count = rng.poisson(world.rate_per_s * world.until_s)
    at_s = np.sort(rng.uniform(0.0, world.until_s, count))
    # A world with fewer sidecars than sites has demand from those sites only that have one.
    sites = np.array([world.site_of(i) for i in range(world.sidecars)])
    shares = np.array(world.sites)[sites] / np.bincount(sites, minlength=len(world.sites))[sites]
    sidecar = rng.choice(world.sidecars, size=count, p=shares / shares.sum())
    cumulated = np.cumsum(np.array([each.shares for each in SUBJECTS]), axis=0).T
    subject = (rng.uniform(size=count)[:, None] >= cumulated[sites[sidecar], :-1]).sum(axis=1)
    work_s = rng.lognormal(np.log(world.service_s) - SPREAD**2 / 2, SPREAD, count)
    return Trace(
        at_s=at_s.tolist(),
        sidecar=sidecar.tolist(),
        subject=subject.tolist(),
        session=rng.integers(0, SESSIONS, count).tolist(),
        work_s=work_s.tolist(),
    )
