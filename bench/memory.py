"""How much memory a service took at most."""

from pathlib import Path

import psutil

MIB = 1024 * 1024


def peak_memory(pid: int) -> float:
    """The greatest resident sets so far of a process and of its children, added up, in MiB.

    They need not have been that large at the same time. By Linux's count (VmHWM).
    """
    process = psutil.Process(pid)
    pids = [pid, *(child.pid for child in process.children(recursive=True))]
    return sum(_high_water_mark(Path(f"/proc/{each}/status")) for each in pids) / MIB


def _high_water_mark(status: Path) -> int:
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].removesuffix("kB")) * 1024
