"""The policy to start by: what the source has, else the last good one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from extproc.bundle.accept import Accepted, accept
from extproc.bundle.errors import BundleError, SourceError, StateError
from extproc.bundle.last_good import LastGood, StateFolder
from extproc.bundle.source import Fetched, NotModified, Source
from extproc.bundle.trust import Trust
from extproc.strict_yaml import DocumentError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A policy to start by, as it is to be kept. `error` says why the source's own was not taken, if it was not."""

    accepted: Accepted
    kept: LastGood
    error: BundleError | DocumentError | None = None


async def obtain(
    source: Source,
    *,
    trust: Trust | None,
    state: StateFolder | None,
    clock: Callable[[], float],
    forced_version: int | None = None,
) -> Obtained:
    """Ask the source, and fall back to the last good bundle, which is verified by today's keys.

    A last good bundle of another source is not started by, but there is no way back behind it either. Writes nothing:
    give :attr:`Obtained.kept` to :meth:`StateFolder.write` when the policy is in force. Raises BundleError or
    DocumentError where neither can be used.
    """
    # 1. What was kept. A torn file is as good as none, and is said.
    try:
        kept = None if state is None else state.read()
    except StateError as error:
        _log.error("the last good bundle is ignored, and with it which policy may follow", error=str(error))
        kept = None
    before = None if kept is None else _verified(kept, trust)
    fallback = before if kept is not None and kept.source == source.name else None
    standing = None if kept is None else kept.standing if before is None else before.standing

    # 2. What the source has.
    try:
        fetched = await source.fetch(kept.etag if kept is not None and fallback is not None else None)
        now = clock()
        if isinstance(fetched, NotModified):
            if kept is None or fallback is None:
                raise SourceError(source.name, "says that nothing changed, unasked", "check the server")
            return Obtained(accepted=fallback, kept=replace(kept, confirmed_at=now))
        accepted = accept(fetched.data, file=source.name, trust=trust, last=standing, forced_version=forced_version)
    except (BundleError, DocumentError) as error:
        # 3. Else what was kept.
        if kept is None or fallback is None:
            raise
        _log.error("starting by the last good bundle", error=str(error), age_s=kept.age_s(clock()))
        return Obtained(accepted=fallback, kept=kept, error=error)
    return Obtained(accepted=accepted, kept=kept_of(source, fetched, accepted, now))


def kept_of(source: Source, fetched: Fetched, accepted: Accepted, at_s: float) -> LastGood:
    """Give what is to be kept of a bundle that was fetched and accepted at `at_s`, in Unix seconds."""
    return LastGood(
        data=fetched.data,
        source=source.name,
        etag=fetched.etag,
        standing=accepted.standing,
        fetched_at=at_s,
        confirmed_at=at_s,
    )


def _verified(kept: LastGood, trust: Trust | None) -> Accepted | None:
    """Open what was kept; None where today's keys or this release of the program refuse it."""
    try:
        return accept(kept.data, file=f"{kept.source} (last good)", trust=trust)
    except (BundleError, DocumentError) as error:
        _log.warning("the last good bundle cannot be used any more", error=str(error))
        return None
