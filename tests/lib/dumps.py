"""Whether a process's memory is closed to its neighbours: what PR_SET_DUMPABLE 0 does, which a core file shows only where the kernel
writes one (core_pattern may be a program, which gets what RLIMIT_CORE forbids)."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .rpc import wait_for

# Root with CAP_SYS_PTRACE looks into everything, and into root's processes that have it nobody looks without it. So where tests are root's, who
# is looked into and who looks are both started by this; elsewhere nobody has it.
PLAIN = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"] if os.geteuid() == 0 else []


def limit(pid: int) -> list[str]:
    """Soft and hard, of core files."""
    rows = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(row for row in rows if row.startswith("Max core file size")).split()[4:6]


def rights(pid: int) -> dict[str, str]:
    """By which the kernel decides who may look into it, but for its being dumpable (ptrace(2), access mode checking)."""
    rows = dict(row.split(":\t", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: rows[name] for name in ("Uid", "Gid", "CapPrm")}


def may_look(pid: int) -> bool:
    """By PTRACE_MODE_READ, which no Yama restricts: the link is there for whoever may look into the process."""
    assert Path(f"/proc/{pid}").exists(), pid
    return subprocess.run([*PLAIN, "readlink", f"/proc/{pid}/exe"], capture_output=True, timeout=30).returncode == 0


def stays_open(program: Path) -> bool:
    """LeakSanitizer looks at its own process as a debugger does: host/dumps.c leaves it that."""
    return b"__asan_init" in program.read_bytes()


def assert_closed(pid: int, name: str) -> None:
    """Started by PLAIN: no core file, and none of its neighbours may look into it, who may into one with the very same rights."""
    assert limit(pid) == ["0", "0"], name
    with subprocess.Popen([*PLAIN, "sleep", "600"]) as control:
        try:
            wait_for(lambda: Path(f"/proc/{control.pid}/comm").read_text() == "sleep\n", 30, "the control")
            assert may_look(control.pid), "nothing is shown by a neighbour who may look into nobody"
            assert rights(pid) == rights(control.pid), f"{name} is closed by its rights already"
            assert not may_look(pid), f"{name} is dumpable"
        finally:
            control.kill()
