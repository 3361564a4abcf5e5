"""evidence.zip: whole logs in one file that needs nothing else.

Owns what goes in, and in which order. The same input gives the same bytes: there is no time and no chance in it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from extproc.archive import Archive
from extproc.audit.findings import Verification
from extproc.audit.published import PublishedLog, read_range
from extproc.audit.trust import Trust
from extproc.export import readme
from extproc.export.container import Container
from extproc.export.parts import SCHEMA, Exported, Extras, add_csv, add_otlp, finish, schema_bytes
from extproc.export.picked import PickedArchive, pick_logs
from extproc.export.statement import Stated, StatedLog
from extproc.parquet.database import Database


class Verify(Protocol):
    """Verifies what was picked."""

    def __call__(self, archive: Archive) -> Verification:
        """Give the result."""
        ...


def export_logs(  # noqa: PLR0913 - what an export is made of, each by name
    archive: Archive,
    logs: Sequence[PublishedLog],
    out: Path,
    *,
    verify: Verify,
    trust: Trust,
    extras: Extras,
    tables: Callable[[PickedArchive], Database] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Exported:
    """Write whole logs into a zip file at `out`.

    What goes in is verified first, as whoever receives it will, and the result is in the summary whatever it is.
    `tables` makes the tables for `extras.csv`. `progress` is called with the number of entries written since the last
    call. Raises LedgerError, MalformedError, ArchiveError, MissingExtraError and OSError.
    """
    picked = pick_logs(archive, logs)
    found = verify(picked)
    with Container(out) as container:
        container.add(readme.README, readme.LOGS.encode())
        container.add(SCHEMA, schema_bytes())
        for name in picked.names():
            container.add(name, picked.read(name))
            if progress is not None and "/tile/entries/" in f"/{name}":
                progress(256)
        if extras.csv and tables is not None:
            database = tables(picked)
            add_csv(container, database)
            database.close()
        if extras.otlp:
            for number, log in enumerate(logs):
                add_otlp(container, number, log.origin, partial(read_range, picked, log, 0, log.size))
        stated = Stated(
            kind="logs",
            program=f"situs {version('situs')}",
            logs=[
                StatedLog(
                    directory=each.directory,
                    origin=each.origin,
                    size=each.size,
                    root=each.root,
                    entries=each.kinds,
                    first_at_s=each.first_at_s,
                    last_at_s=each.last_at_s,
                )
                for each in found.logs
            ],
            result=found.result,
            authorship=bool(trust.roots),
            findings=Counter(each.category.value for each in found.findings),
            counts={**found.deliveries, "undelivered_decisions": found.undelivered, "pruned_bundles": picked.pruned},
            sums=container.add_sums(),
        )
        statement = finish(container, stated, extras.signer)
    entries = sum(sum(each.kinds.values()) for each in found.logs)
    return Exported(entries=entries, pruned_bundles=picked.pruned, statement=statement)
