"""How much memory services take, now and at most."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

MIB = 1024 * 1024


def peak_memory(pid: int) -> float:
    """The greatest resident sets so far of a process and of its children, added up, in MiB.

    They need not have been that large at the same time. By Linux's count (VmHWM), less what is
    others' of the memory that they have in common now: forked processes share most of it.
    """
    return sum(_peak(Path(f"/proc/{each.pid}")) for each in processes_of(pid)) / MIB


def shared_memory(processes: Iterable[psutil.Process]) -> float:
    """Their proportional sets, in MiB: what several have in common is counted once, in parts."""
    return sum(each.memory_full_info().pss for each in processes) / MIB


def processes_of(pid: int) -> Sequence[psutil.Process]:
    """A process and all below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _peak(process: Path) -> int:
    now = _kilobytes(process / "smaps_rollup")
    others = now["Rss"] - now["Pss"]
    return (_kilobytes(process / "status")["VmHWM"] - others) * 1024


def _kilobytes(path: Path) -> dict[str, int]:
    fields = (line.split(":", 1) for line in path.read_text().splitlines() if line.endswith("kB"))
    return {name: int(value.removesuffix("kB")) for name, value in fields}
