#!/usr/bin/env python3
"""Makes tests/vectors/cometbft/generated.json by a program in Go that links CometBFT v0.38.26 (tools/cometbft_vectors): what CometBFT
itself encodes, hashes, signs, accepts and refuses.

    tools/cometbft_vectors.py            write the file
    tools/cometbft_vectors.py --check    fail if it differs from what would be written. Where it cannot be built the exit code is 77
                                         (1 with cometbft in $CAISSON_REQUIRE): `script/install cometbft` brings Go where there is none.
"""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "tools" / "cometbft_vectors"
FILE = ROOT / "tests" / "vectors" / "cometbft" / "generated.json"
BUILD_TIMEOUT_S = 540


def go_folders() -> list[str]:
    return [str(p) for p in (ROOT / "build" / "tools" / "venv-go" / "lib").glob("python3*/site-packages/go/bin")]


def generate() -> str | None:
    """None where there is no Go, or no CometBFT to link."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *go_folders()])
    environment = {**os.environ, "PATH": path, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -modcacherw"}
    try:
        run = subprocess.run(["go", "run", "-p", "2", "."], cwd=PROGRAM, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        print(f"no Go that builds it: {error}", file=sys.stderr)
        return None
    if run.returncode != 0:
        print(run.stderr, file=sys.stderr)
        return None
    return run.stdout


def main() -> int:
    text = generate()
    if text is None:
        return 1 if "cometbft" in os.environ.get("CAISSON_REQUIRE", "").split(",") else 77
    if sys.argv[1:] != ["--check"]:
        FILE.write_text(text)
        return 0
    if FILE.read_text() == text:
        return 0
    print(f"{FILE.relative_to(ROOT)} is not what CometBFT says", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
