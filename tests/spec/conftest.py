"""Quint, which runs the specification."""
from __future__ import annotations

import os
import subprocess

import pytest
from lib import tools
from spec.model import SPEC

QUINT_SECONDS = 400


@pytest.fixture(scope="session")
def quint():
    """Runs the program in a folder: arguments -> (exit code, what it printed)."""
    script = SPEC / "node_modules" / "@informalsystems" / "quint" / "dist" / "src" / "cli.js"
    node = tools.find_tool("node")
    if not script.exists():
        raise tools.Missing("quint", "script/install test brings it")

    def run(*arguments: str, cwd=SPEC) -> tuple[int, str]:
        done = subprocess.run([node, str(script), *arguments, "--backend", "typescript"], cwd=cwd, text=True, timeout=QUINT_SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "NO_COLOR": "1"})
        return done.returncode, done.stdout

    run.program = [node, str(script)]
    return run
