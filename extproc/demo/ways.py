"""The ways to the regions of a world, each a relay (:mod:`extproc.demo.relay`) that is slowed, stopped or cut."""

from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, socket
from typing import Final

from extproc.demo.folder import Folder
from extproc.demo.ports import free_port
from extproc.demo.process import Child, ProcessFailedError, python

_PATIENCE_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The way to one region, from `port` to its cell; `rtt_s` is its round trip in seconds while nobody slows it."""

    port: int
    rtt_s: float
    control: Path
    relay: Child

    def slow(self, factor: float) -> None:
        """Make the round trip so many times as long."""
        self._order(f"delay {self.rtt_s * factor}")

    def pause(self) -> None:
        """Let nothing through, and break nothing: a black hole."""
        self._order("pause")

    def resume(self) -> None:
        """Let through again what a pause holds back."""
        self._order("resume")

    def cut(self) -> None:
        """Break every connection, and each new one."""
        self._order("cut")

    def mend(self) -> None:
        """Make the way as it was: as fast, open and whole."""
        for line in (f"delay {self.rtt_s}", "resume", "mend"):
            self._order(line)

    def _order(self, line: str) -> None:
        try:
            with socket(AF_UNIX) as control:
                control.settimeout(_PATIENCE_S)
                control.connect(str(self.control))
                control.sendall(f"{line}\n".encode())
                answer = control.makefile().readline().strip()
        except OSError as error:
            raise ProcessFailedError(f"{self.relay.name} does not obey: {error}") from None
        if answer != "ok":
            raise ProcessFailedError(f"{self.relay.name}: {line}: {answer or 'no answer'}")


def way_to(name: str, to_port: int, rtt_s: float, folder: Folder) -> Way:
    """Make the way to the region `name`, whose cell listens on `to_port`. Start and stop its relay."""
    port, control = free_port(), folder.root / f"{name}.way"
    command = python("extproc.demo.relay", str(port), str(to_port), str(rtt_s), control)
    relay = Child(f"way to {name}", command, folder.output(f"way-{name}"))
    return Way(port=port, rtt_s=rtt_s, control=control, relay=relay)
