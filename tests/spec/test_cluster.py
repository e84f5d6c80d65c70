"""docs/spec/cluster.pml: the handshake of the key cluster holds in every order of events; each flaw put into it is found."""
from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from lib import tools
from spec.model import SPEC

# What Spin must say no to, with the flaw of this number.
FLAWS = {
    1: "peer==2",              # evidence names no channel: the key server takes the attacker's connection for the guard's
    2: "!(stolen)",            # a worker's evidence does not cover its request
    3: "box==request",         # a grant does not name the request that it answers
    4: "authority==1",         # the worker does not look at who the authority is
    5: "!(spent[challenge])",  # a challenge may be answered twice
    6: "good",                 # the key server does not look at the guard's build
    7: "!(stolen)",            # the worker's request is signed without its box key
    8: "((8!=8)||(taken<2))",  # no flaw: a run in which the worker gets its keys twice exists
}


@pytest.fixture
def explore(tmp_path):
    """Every state of the model with a flaw: (errors, the assertion that failed, states)."""
    programs = [shutil.which(name) for name in ("spin", "gcc")]
    if None in programs:
        raise tools.Missing("spin", "script/install test brings it")

    def run(flaw: int) -> tuple[int, str, int]:
        for words in (["spin", f"-DFLAW={flaw}", "-a", str(SPEC / "cluster.pml")],
                      ["gcc", "-O1", "-DSAFETY", "-DMEMLIM=512", "-o", "pan", "pan.c"]):
            subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=300)
        # -E: a process that waits for ever is no error; the depth is far above what the model reaches.
        done = subprocess.run(["./pan", "-E", "-m100000"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=300)
        assert "max search depth too small" not in done.stdout and "memory" not in done.stderr
        failed = re.search(r"assertion violated\s+(.*?) \(at depth", done.stdout)
        return (int(re.search(r"errors: (\d+)", done.stdout)[1]), failed[1] if failed else "",
                int(re.search(r"(\d+) states, stored", done.stdout)[1]))

    return run


def test_the_handshake_holds(explore):
    errors, failed, states = explore(0)
    assert (errors, failed) == (0, "") and states > 100_000


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_found(explore, flaw):
    errors, failed, _ = explore(flaw)
    assert errors == 1 and failed.replace("(", "").replace(")", "") == FLAWS[flaw].replace("(", "").replace(")", "")
