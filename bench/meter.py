"""What a process has used, by the kernel's own account."""

import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER: Final = 11
_SYSTEM: Final = 12
"""Fields 14 and 15 of /proc/<pid>/stat, counted from the one after the name."""


def cpu_s(pid: int) -> float:
    """Give the user and system time of a process in seconds, all threads together, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS


def rss_mib(pid: int) -> float:
    """Give the memory that a process holds now."""
    return _status_mib(pid, "VmRSS:")


def peak_rss_mib(pid: int) -> float:
    """Give the most memory that a process has held so far."""
    return _status_mib(pid, "VmHWM:")


def _status_mib(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no {field}")


def machine_busy_s() -> float:
    """Give the time that all cores together have been busy since the machine started, stolen time included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, _cpu_line().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _cpu_line() -> str:
    with Path("/proc/stat").open() as file:
        return file.readline()
