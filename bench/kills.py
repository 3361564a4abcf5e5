"""Kills: a process that records is ended by SIGKILL at random moments, and what it had released must be in its log.

An episode is one log folder. A victim records under load and is killed; often the next one is killed while it still
recovers the log of the one before; then a start that nobody disturbs. After every kill the files are verified as they
lie. After the undisturbed start everything verifies without a finding, and every entry that a victim had released is at
its index in the log it named.
"""

import argparse
import asyncio
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.kill_writer import IDENTITY, OPEN, Mode, Supply, fork_writer, make_supply
from bench.markdown import table
from bench.report import machine
from extproc.audit.findings import Category
from extproc.audit.trust import Trust
from extproc.audit.verify import verify
from extproc.ledger.commit import Ledger
from extproc.ledger.entries import parse_entry
from extproc.ledger.log import WAL
from extproc.ledger.tiles import decode_entries
from extproc.ledger.wal import list_segments, read_frames
from extproc.notes.keys import SigningKey, generate_key

SEGMENTS: Final = (1 << 12, 1 << 14, 1 << 18, 1 << 22)
"""Preallocated bytes: in the smallest ones, every few batches turn to the next segment."""
_LOAD_S: Final = 0.12
_RECOVERY_S: Final = 0.05
_OPEN_S: Final = 60.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the kills came to. `recovering` of the kills came before the victim's own log had begun."""

    seed: int
    kills: int = 0
    recovering: int = 0
    torn: int = 0
    """Logs that ended in a torn write."""
    released: int = 0
    recorded: int = 0
    lost: int = 0
    by_mode: dict[str, int] = field(default_factory=dict)
    by_segment: dict[int, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Tell whether nothing was lost and every log verified."""
        return not self.lost and not self.failures


def kill_many(kills: int, work: Path, *, seed: int, limit_s: float, advance: Callable[[], None]) -> Tally:
    """Kill so many victims in episodes below `work`, or stop after `limit_s`; `advance` is called after each kill."""
    random = Random(seed)  # noqa: S311 - chance, not a secret
    tally = Tally(seed=seed)
    supply, key = make_supply(), generate_key()
    began_s = time.monotonic()
    modes = cycle(Mode)
    while tally.kills < kills and time.monotonic() - began_s < limit_s and tally.sound:
        root = Path(tempfile.mkdtemp(prefix="kills-", dir=work))
        _Episode(root, random, key, supply, tally, advance).run(
            mode=next(modes),
            segment_bytes=random.choice(SEGMENTS),
            kills=min(random.choice((1, 1, 2, 3)), kills - tally.kills),
        )
        if tally.sound:
            shutil.rmtree(root)
    tally.seconds = time.monotonic() - began_s
    return tally


class _Episode:
    """One folder of logs, from the first victim to the start that nobody disturbs."""

    def __init__(  # noqa: PLR0913, PLR0917 - what an episode works with
        self, root: Path, random: Random, key: SigningKey, supply: Supply, tally: Tally, advance: Callable[[], None]
    ) -> None:
        self._root = root
        self._random = random
        self._key = key
        self._supply = supply
        self._tally = tally
        self._advance = advance
        self._trust = Trust(keys=(key.verifier(IDENTITY.signer),))
        self._released: dict[tuple[str, int], int] = {}

    def run(self, *, mode: Mode, segment_bytes: int, kills: int) -> None:
        tally = self._tally
        for number in range(kills):
            opened = self._kill_one(mode, segment_bytes, under_load=number == 0)
            tally.kills += 1
            tally.recovering += not opened
            tally.by_mode[mode.value] = tally.by_mode.get(mode.value, 0) + 1
            tally.by_segment[segment_bytes] = tally.by_segment.get(segment_bytes, 0) + 1
            self._verify(f"after kill {tally.kills} ({mode}, {segment_bytes})", may_be_torn=True)
            self._advance()
        asyncio.run(self._start())
        self._verify(f"after the start that followed kill {tally.kills} ({mode}, {segment_bytes})")
        recorded = dict(_decisions(self._root))
        tally.recorded += len(recorded)
        tally.released += len(self._released)
        lost = [place for place, sequence in self._released.items() if recorded.get(place) != sequence]
        tally.lost += len(lost)
        if lost:
            tally.failures.append(
                f"{self._root}: {len(lost)} released entries are not recorded, the first is {lost[0]}"
            )

    def _kill_one(self, mode: Mode, segment_bytes: int, *, under_load: bool) -> bool:
        """Start a victim and kill it: some time after its log has begun, or about when it should."""
        pid, reading = fork_writer(
            self._root, key=self._key, mode=mode, segment_bytes=segment_bytes, supply=self._supply
        )
        said = bytearray()
        try:
            if under_load:
                _read_until(reading, said, time.monotonic() + _OPEN_S, wanted=OPEN)
                if OPEN not in said:
                    raise TimeoutError(f"{self._root}: the victim's log did not begin within {_OPEN_S:.0f} s")
            _read_until(
                reading, said, time.monotonic() + self._random.uniform(0, _LOAD_S if under_load else _RECOVERY_S)
            )
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        while piece := os.read(reading, 1 << 16):
            said += piece
        os.close(reading)
        lines = bytes(said).removeprefix(OPEN).split(b"\n")[:-1]  # the last one may be cut
        for line in lines:
            log, index, sequence = line.decode().split(" ")
            self._released[log, int(index)] = int(sequence)
        return said.startswith(OPEN)

    def _verify(self, when: str, *, may_be_torn: bool = False) -> None:
        if not any(self._root.rglob(WAL)):
            return  # killed before the first log had begun
        result = verify(self._root, self._trust)
        self._tally.torn += any("torn write" in each.message for each in result.findings)
        if result.worst not in ((None, Category.INCOMPLETE) if may_be_torn else (None,)):
            worst = [f"{each.file}: {each.message}" for each in result.findings if each.category is result.worst]
            self._tally.failures.append(f"{self._root}: {when}: {len(worst)} findings, the first: {worst[0]}")

    async def _start(self) -> None:
        await (await Ledger.open(self._root, identity=IDENTITY, key=self._key, segment_bytes=1 << 16)).close()


def _read_until(reading: int, said: bytearray, due: float, *, wanted: bytes | None = None) -> None:
    """Read what a victim says until a moment, or until it has said something."""
    while (left_s := due - time.monotonic()) > 0 and not (wanted is not None and wanted in said):
        if select.select([reading], [], [], left_s)[0]:
            piece = os.read(reading, 1 << 16)
            if not piece:
                return
            said += piece


def _decisions(root: Path) -> Iterator[tuple[tuple[str, int], int]]:
    """Give each decision's log and index, and the number that the victim gave it."""
    for log in sorted(IDENTITY.directory(root).glob("0*")):
        for segment in list_segments(log / WAL):
            for frame in read_frames(segment.read_bytes()):
                for index, entry in enumerate(decode_entries(frame.payload, frame.count), frame.first):
                    message = parse_entry(entry)
                    if message.HasField("decision"):
                        yield (log.name, index), message.decision.sequence


def write_results(directory: Path, tally: Tally) -> None:
    """Write `kills.json` and `kills.md`, in place of those of the last run."""
    directory.mkdir(parents=True, exist_ok=True)
    here = machine()
    plain = {"machine": here, **asdict(tally), "sound": tally.sound}
    (directory / "kills.json").write_text(json.dumps(plain, indent=1) + "\n")
    rows = [
        ("kills (SIGKILL)", f"{tally.kills:,}"),
        ("of these before the victim's own log had begun: in recovery, or at birth", f"{tally.recovering:,}"),
        ("logs found with a torn write at their end", f"{tally.torn:,}"),
        ("entries released before the kill", f"{tally.released:,}"),
        ("decisions found recorded", f"{tally.recorded:,}"),
        ("**released entries lost**", f"**{tally.lost:,}**"),
        ("**logs that did not verify after the restart**", f"**{len(tally.failures):,}**"),
    ]
    lines = [
        "# Kills",
        "",
        "Written by `python -m bench.kills`; what is done stands at the top of `bench/kills.py`.",
        "",
        *(f"- {name}: {value}" for name, value in here.items()),
        f"- seed {tally.seed}, {tally.seconds:.0f} s",
        "",
        *table(("", "number"), rows),
        "",
        *table(("mode", "kills"), [(mode, str(count)) for mode, count in sorted(tally.by_mode.items())]),
        "",
        *table(
            ("bytes of a segment", "kills"),
            [(f"{size:,}", str(count)) for size, count in sorted(tally.by_segment.items())],
        ),
        *([""] if tally.failures else []),
        *(f"- {failure}" for failure in tally.failures),
    ]
    (directory / "kills.md").write_text("\n".join(lines) + "\n")


def main() -> int:
    """Kill, write the results, and say what was lost."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.kills",
        description="Kill a recording process at random moments; nothing released is lost.",
    )
    parser.add_argument("--kills", type=int, default=1000, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="default: by the clock")
    parser.add_argument("--limit-s", type=float, default=1800, help="stop after so long (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/results"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--work", type=Path, default=Path("build"), metavar="DIR", help="default: %(default)s")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("kills"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # Drawn by this thread alone: a fork while another one draws would be a copy in the middle of a line.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False) as progress:
        task = progress.add_task("kills", total=args.kills)

        def advance() -> None:
            progress.update(task, advance=1)
            progress.refresh()

        tally = kill_many(args.kills, args.work, seed=args.seed, limit_s=args.limit_s, advance=advance)
    write_results(args.output, tally)
    for failure in tally.failures:
        print(failure, file=sys.stderr)
    print(f"{tally.kills} kills, {tally.released} released, {tally.lost} lost, {len(tally.failures)} failures")
    return 0 if tally.sound and tally.kills == args.kills else 1


if __name__ == "__main__":
    sys.exit(main())
