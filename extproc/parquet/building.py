"""Building the tables: which parts there are, which are complete, and the jobs for the others.

What is built is under the root of each log's checkpoint, whose signature is not asked here: for that there is
`situs audit verify`, and for single rows `situs audit query --verify`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from extproc.archive import Archive
from extproc.audit.published import PublishedLog, find_published, tree_of
from extproc.engine import Engine, SerialEngine
from extproc.ledger.log import LOG
from extproc.ledger.tiles import TILE_WIDTH, Tile, format_tile_path
from extproc.parquet.context import Context
from extproc.parquet.part import (
    PART_ENTRIES,
    DerivationError,
    Manifest,
    Part,
    PartJob,
    build_part,
    is_complete,
    load_manifest,
    scan_part,
)
from extproc.parquet.place import TablePlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What was built, or was there already.

    `files` are the files of each table, relative to the place; `pruned` counts entries that are no longer in the logs;
    `contexts` has what the entries of each log say, by its folder's name.
    """

    place: TablePlace
    logs: tuple[PublishedLog, ...]
    files: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, int]
    parts_built: int
    parts_kept: int
    pruned: int
    contexts: Mapping[str, Context]


def build(
    archive: Archive,
    out: Path | str,
    engine: Engine | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    logs: Sequence[PublishedLog] | None = None,
) -> Built:
    """Build the tables of all published logs of an archive, or of `logs` among them, at `out`.

    Parts that are complete are kept. `progress` is called with the number of entries done since the last call. With an
    engine on other machines, they must reach archive and `out` by the same names. Memory is that of one part for each
    worker, about 200 MB.

    Raises DerivationError, MalformedError, ArchiveError, MissingExtraError, and OSError where `out` cannot be written.
    """
    engine, place = engine or SerialEngine(), TablePlace.of(out)
    logs = find_published(archive) if logs is None else tuple(logs)
    parts = [part for log in logs for part in _parts_of(archive, log)]
    slugs: dict[str, str] = {}
    for part in parts:
        # The files of one would take the place of the other's, and half of the records would be gone from the tables.
        other = slugs.setdefault(part.slug, part.log.name)
        if other != part.log.name:
            raise DerivationError(
                f"{part.log.name} and {other} are logs of one name, {part.log.origin}: a fork, or a copy. Mend: run"
                " `situs audit verify`, and take one of them away"
            )
    # 1. What is complete, and what the rest must know: a scan of those, in parallel.
    found = {part.slug: load_manifest(place, part) for part in parts}
    manifests: dict[str, Manifest] = {}
    for part in parts:
        manifest = found[part.slug]
        if manifest is not None and is_complete(place, manifest, part):
            manifests[part.slug] = manifest
            if progress is not None:
                progress(part.end - part.start)
    kept = len(manifests)
    todo = [part for part in parts if part.slug not in manifests]
    if todo:
        jobs = [PartJob(archive=archive, place=place, part=part, context=Context()) for part in todo]
        later = [part.log.name for part in todo if part.start]
        scans = {job.part.slug: job for job in jobs if job.part.log.name in later and job.part.end < job.part.log.size}
        said = dict(zip(scans, engine.run(scan_part, list(scans.values())), strict=True))
        said |= {slug: manifest.context for slug, manifest in manifests.items()}
        # 2. The parts themselves.
        ready = list(_with_contexts(jobs, parts, said))
        for job, manifest in zip(ready, engine.run(build_part, ready), strict=True):
            manifests[job.part.slug] = manifest
            if progress is not None:
                progress(job.part.end - job.part.start)
    return _summarise(place, logs, parts, manifests, kept)


def _parts_of(archive: Archive, log: PublishedLog) -> Iterator[Part]:
    """Cut a log into its parts. Raises DerivationError where its tiles do not give the root of its checkpoint."""
    if not log.size:
        return
    tree = tree_of(archive, log)
    if tree.root() != log.root:
        raise DerivationError(
            f"{log.name or log.origin}: the tiles do not give the root of the checkpoint. Mend: run"
            " `situs audit verify`, which names the tile"
        )
    pruned = _pruned_before(archive, log)
    for number, start in enumerate(range(0, log.size, PART_ENTRIES)):
        end = min(start + PART_ENTRIES, log.size)
        present = min(max(start, pruned), end)
        yield Part(log=log, number=number, start=start, end=end, present=present, root=tree.subtree(start, end))


def _pruned_before(archive: Archive, log: PublishedLog) -> int:
    """Give the index of the first entry that is still there: pruning takes away a beginning, and nothing else."""

    def is_there(number: int) -> bool:
        width = min(TILE_WIDTH, log.size - number * TILE_WIDTH)
        tile = Tile(level=None, index=number, width=width)
        return any(archive.exists(log.path(LOG, format_tile_path(each))) for each in {tile, tile.full})

    bundles = -(-log.size // TILE_WIDTH)
    if is_there(0):
        return 0
    low, high = 0, bundles
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_there(middle) else (middle, high)
    return min(high * TILE_WIDTH, log.size)


def _with_contexts(jobs: Sequence[PartJob], parts: Sequence[Part], said: Mapping[str, Context]) -> Iterator[PartJob]:
    """Give each job what the parts before it in its log say."""
    before: dict[str, Context] = {}
    contexts: dict[str, Context] = {}
    for part in parts:
        context = before.get(part.log.name, Context())
        contexts[part.slug] = context
        before[part.log.name] = context.with_later(said.get(part.slug, Context()))
    for job in jobs:
        yield PartJob(archive=job.archive, place=job.place, part=job.part, context=contexts[job.part.slug])


def _summarise(
    place: TablePlace,
    logs: tuple[PublishedLog, ...],
    parts: Sequence[Part],
    manifests: Mapping[str, Manifest],
    kept: int,
) -> Built:
    files: dict[str, list[str]] = {}
    rows: dict[str, int] = {}
    contexts: dict[str, Context] = {}
    for part in parts:
        manifest = manifests[part.slug]
        for name, paths in manifest.files.items():
            files.setdefault(name, []).extend(paths)
        for name, count in manifest.rows.items():
            rows[name] = rows.get(name, 0) + count
        contexts[part.log.name] = contexts.get(part.log.name, Context()).with_later(manifest.context)
    return Built(
        place=place,
        logs=logs,
        files={name: tuple(sorted(paths)) for name, paths in files.items()},
        rows=rows,
        parts_built=len(parts) - kept,
        parts_kept=kept,
        pruned=sum(part.present - part.start for part in parts),
        contexts=contexts,
    )
