"""How much memory a service took at most."""

from pathlib import Path

import psutil

MIB = 1024 * 1024


def peak_memory(pid: int) -> float:
    """The greatest resident sets so far of a process and of its children, added up, in MiB.

    They need not have been that large at the same time. By Linux's count (VmHWM), less what is
    others' of the memory that they have in common now: forked processes share most of it.
    """
    process = psutil.Process(pid)
    pids = [pid, *(child.pid for child in process.children(recursive=True))]
    return sum(_peak(Path(f"/proc/{each}")) for each in pids) / MIB


def _peak(process: Path) -> int:
    now = _kilobytes(process / "smaps_rollup")
    others = now["Rss"] - now["Pss"]
    return (_kilobytes(process / "status")["VmHWM"] - others) * 1024


def _kilobytes(path: Path) -> dict[str, int]:
    fields = (line.split(":", 1) for line in path.read_text().splitlines() if line.endswith("kB"))
    return {name: int(value.removesuffix("kB")) for name, value in fields}
