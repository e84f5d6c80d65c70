"""The committed artifacts are what the committed sources give, to the byte, and fit a chain."""
from __future__ import annotations

import json
import subprocess

import pytest

from lib import tools

FOLDER = tools.ROOT / "contracts" / "evm"
CODE_MAX = 24576  # EIP-170
ARTIFACT_MAX = 1 << 20


def opcodes(code: bytes) -> set[int]:
    """What the code can execute: everything but the data of pushes."""
    found, at = set(), 0
    while at < len(code):
        found.add(code[at])
        at += 1 + max(0, code[at] - 0x5f if 0x60 <= code[at] <= 0x7f else 0)
    return found


def every() -> list:
    return sorted((FOLDER / "artifacts").rglob("*.json"))


def compile_check(*sources: str) -> subprocess.CompletedProcess:
    if not (FOLDER / "node_modules" / "solc").is_dir():
        raise tools.Missing("solc", "script/install demo brings it")
    return subprocess.run([tools.find_tool("node"), "compile.mjs", "--check", *sources], cwd=FOLDER, capture_output=True, text=True, timeout=540)


def test_rebuilt_to_the_same_bytes():
    done = compile_check()
    assert done.returncode == 0, done.stderr[-2000:]


def test_one_source_alone_gives_the_same_bytes():
    done = compile_check("examples/CoinPrice.sol")
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_source_that_is_not_there():
    done = compile_check("examples/CoinPrice.sol", "examples/NoPrice.sol")
    assert done.returncode == 1 and "no such source here: examples/NoPrice.sol" in done.stderr


@pytest.mark.parametrize("path", every(), ids=lambda p: p.stem)
def test_artifact(path):
    text = path.read_text()
    artifact = json.loads(text)
    assert len(text) < ARTIFACT_MAX
    assert (len(artifact["deployedBytecode"]) - 2) // 2 <= CODE_MAX
    assert artifact["compiler"] == "0.8.37"
    assert str(tools.ROOT) not in text and "http" not in text
    code = bytes.fromhex(artifact["deployedBytecode"][2:])
    newer = opcodes(code) & {0x5c: "TLOAD", 0x5d: "TSTORE", 0x5e: "MCOPY", 0x5f: "PUSH0", 0x49: "BLOBHASH", 0x4a: "BLOBBASEFEE"}.keys()
    assert not newer, "opcodes that london does not have"


def test_lock_names_no_registry():
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    packages = {name: row for name, row in lock["packages"].items() if name}
    assert all("resolved" not in row and row["integrity"].startswith("sha512-") for row in packages.values())
    assert packages["node_modules/solc"]["version"] == "0.8.37"
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert all(packages[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())
