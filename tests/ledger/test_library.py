"""The engine in a project of somebody else's: Caisson's folder is added to it, the example is its program."""
from __future__ import annotations

import subprocess

from lib.tools import ROOT

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(mine C)
add_subdirectory({root} caisson EXCLUDE_FROM_ALL)
add_executable(mine main.c)
target_link_libraries(mine PRIVATE bft)
"""
DEADLINE_S = 500


def run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_project_around_it(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(root=ROOT))
    (tmp_path / "main.c").write_text((ROOT / "relay_state" / "bft" / "example.c").read_text())
    build = tmp_path / "build"
    run("cmake", "-S", str(tmp_path), "-B", str(build), "-G", "Ninja")
    run("ninja", "-C", str(build), "-j2")
    # Of Caisson only what the program links.
    assert not list((build / "bin").glob("*")) and not list(build.rglob("libhost.a"))
    assert "validator 3: block 4" in run(str(build / "mine"))
