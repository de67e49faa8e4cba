"""What processes use, from /proc."""

import contextlib
import os
import pathlib

PROC = pathlib.Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PPID, UTIME, STIME = 1, 11, 12     # fields of stat behind the name


def stat(pid):
    return (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()


def tree(pid):
    """The process and all its descendants."""
    children = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):      # it has just ended
                children.setdefault(int(stat(entry.name)[PPID]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def process_cpu_seconds(pid):
    """Run time of all threads: to the nanosecond from the scheduler, else in clock ticks."""
    try:
        threads = (PROC / str(pid) / "task").glob("*/schedstat")
        nanoseconds = [int(thread.read_text().split()[0]) for thread in threads]
        if nanoseconds:
            return sum(nanoseconds) / 1e9
    except OSError:
        pass
    fields = stat(pid)
    return (int(fields[UTIME]) + int(fields[STIME])) / TICKS


def cpu_seconds(pid):
    """CPU time so far of the process and its descendants."""
    return sum(map(process_cpu_seconds, tree(pid)))


def resident_bytes(pid):
    """Resident memory of the process and its descendants."""
    total = 0
    for one in tree(pid):
        for line in (PROC / str(one) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total
