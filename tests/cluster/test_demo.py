"""script/demo --cluster: its JSON, its warning, and nothing left running."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lib import tools
from lib.rpc import wait_for

DEMO_TIMEOUT_S = 600


def running(folder: Path) -> list[str]:
    """Command lines of processes that were started in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if entry.name.isdigit() and str(folder) in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


def test_the_demo(tmp_path):
    out, folder = tmp_path / "demo.json", tmp_path / "folder"
    done = subprocess.run([tools.ROOT / "script" / "demo", "--cluster", "--json", out, "--folder", folder], capture_output=True, text=True,
                          timeout=DEMO_TIMEOUT_S, env={**os.environ, "CAISSON_BUILD": str(tools.find_build())})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stdout.count("INSECURE") == 2 and "insecure_accept_simulated" in done.stdout
    told = json.loads(out.read_text())
    steps = {step["name"]: step for step in told["steps"]}
    assert list(steps) == ["join", "share", "rotate", "wrong_build", "revoke", "restart"]
    assert told["insecure"] is True
    assert steps["rotate"]["epoch"] == steps["rotate"]["epoch_before"] + 1
    assert steps["rotate"]["records_under_load"] > 40 and steps["rotate"]["failures"] == 0
    assert steps["wrong_build"] == {**steps["wrong_build"], "refused_by_the_guard": True, "its_answer": "no-key"}
    assert steps["revoke"]["joined"] is False and steps["revoke"]["new_data"] in ("wrong-epoch", "no-key")
    assert steps["restart"]["processes"] == 6
    wait_for(lambda: not running(folder), 30, "the end of every process of the demo")
