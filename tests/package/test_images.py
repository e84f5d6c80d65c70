"""The images, built without an engine, and the bridge of compose.yml run from them: images.py, which says what that is and what it is not."""
from __future__ import annotations

import subprocess
import sys

import pytest

from lib.tools import ROOT, Missing

PROGRAM = ROOT / "tests" / "package" / "images.py"
# The stage that compiles, on a machine that does other things too.
BUILD_S, RUN_S = 7200, 1800


def images(*arguments, timeout_s: float) -> str:
    done = subprocess.run([sys.executable, PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode == 77:
        raise Missing("images", done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_bridge_of_containers_relays_and_each_that_is_killed_comes_back(tmp_path):
    images("build", "--folder", tmp_path, timeout_s=BUILD_S)
    said = images("run", "--folder", tmp_path, timeout_s=RUN_S)
    assert "10 containers, all healthy" in said and said.count("transfer, finalized") == 5 and "all ended by SIGTERM" in said
