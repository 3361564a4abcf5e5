"""What is done to a live system, and undone: by its own files, and by commands of its operator."""

import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extproc.core.ids import OverrideId, RegionId
from extproc.drill.errors import DrillError
from extproc.drill.orders import resume, suspend
from extproc.drill.system import Fault

COMMAND_S: Final = 120.0
"""How long a command of the operator's may take."""
_TOUCHES: Final = 3
_TOUCH_EACH_S: Final = 0.5


@dataclass(slots=True, kw_only=True)
class _LiveFault:
    async def seen(self) -> Sequence[str]:
        return ()

    async def settled(self) -> Sequence[str]:
        return ()


@dataclass(slots=True, kw_only=True)
class _Ordered(_LiveFault):
    path: Path
    region: RegionId
    approved_by: tuple[str, ...]
    order: OverrideId | None = None

    @property
    def done(self) -> str:
        return f"a legal order in {self.path} suspends {self.region}"

    def strike(self) -> float:
        at_s = time.monotonic()
        self.order = suspend(self.path, self.region, self.approved_by)
        return at_s

    def mend(self) -> None:
        if self.order is not None:
            resume(self.path, self.order, self.approved_by)


@dataclass(slots=True, kw_only=True)
class _Touched(_LiveFault):
    """The policy stays what it is, and is read, checked and compiled anew under load."""

    path: Path

    @property
    def done(self) -> str:
        return f"{self.path} is touched {_TOUCHES} times, so that the sidecar reads it anew"

    def strike(self) -> float:
        at_s = time.monotonic()
        for _ in range(_TOUCHES):
            os.utime(self.path)
            time.sleep(_TOUCH_EACH_S)
        return at_s

    def mend(self) -> None:
        """Nothing is to be undone: not a byte of the file was changed."""


@dataclass(slots=True, kw_only=True)
class _Commanded(_LiveFault):
    break_command: str
    mend_command: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> str:
        return f"the operator's command `{self.break_command}` was run"

    def strike(self) -> float:
        at_s = time.monotonic()
        _run(self.break_command, self.environment, "nothing more was done, and --mend was run")
        return at_s

    def mend(self) -> None:
        _run(self.mend_command, self.environment, "the system may still be broken: mend it by hand, now")


def ordered(path: Path, region: RegionId, approved_by: tuple[str, ...]) -> Fault:
    """Suspend a region by an order in the override file at `path`, and lift that order."""
    return _Ordered(path=path, region=region, approved_by=approved_by)


def touched(policy: Path) -> Fault:
    """Have the sidecar read its policy anew, a few times."""
    return _Touched(path=policy)


def commanded(break_command: str, mend_command: str, environment: Mapping[str, str]) -> Fault:
    """Run the operator's commands, with more in their environment. Both raise DrillError where they fail."""
    return _Commanded(break_command=break_command, mend_command=mend_command, environment=environment)


def _run(command: str, environment: Mapping[str, str], otherwise: str) -> None:
    """Run a command of the operator's, without a shell and apart from our terminal, so that Ctrl-C reaches only us."""
    try:
        done = subprocess.run(  # noqa: S603 - what the operator gave, as they gave it
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_S,
            check=False,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise DrillError(f"`{command}`: {error}; {otherwise}") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise DrillError(f"`{command}`: exit code {done.returncode}; {otherwise}. It said: {said or 'nothing'}")
