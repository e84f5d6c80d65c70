"""Where the SDKs are, and the interpreters that they are tested with."""
from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .tools import ROOT, Missing, find_build, find_tool

PYTHON = ROOT / "sdk" / "python"
TYPESCRIPT = ROOT / "sdk" / "typescript"
C = ROOT / "sdk" / "c"


def python() -> str:
    """With the dependencies of sdk/python, and nothing of the tests."""
    found = ROOT / "build" / "tools" / "venv-sdk" / "bin" / "python"
    if not os.access(found, os.X_OK):
        raise Missing("sdk", "script/install test brings build/tools/venv-sdk")
    return str(found)


def node() -> str:
    if not (TYPESCRIPT / "node_modules" / ".bin" / "tsc").exists():
        raise Missing("sdk", "script/install test brings the npm packages of sdk/typescript")
    return find_tool("node")


def run(argv: list, folder: Path, timeout_s: float = 300, **environment: str) -> str:
    """What it printed; it must end well."""
    ended = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=timeout_s, env={**os.environ, **environment})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def tsc(*arguments) -> None:
    run([node(), TYPESCRIPT / "node_modules" / "typescript" / "bin" / "tsc", *arguments], TYPESCRIPT)


def build_typescript(folder: Path) -> Path:
    """Tests and examples of sdk/typescript compiled into a folder, beside the package as npm packs it; its path."""
    out = folder / "typescript"
    tsc("-p", "tsconfig.json")
    tsc("-p", "tsconfig.test.json", "--outDir", out)
    (out / "package.json").write_text('{"type": "module"}\n')
    packages = out / "node_modules"
    (packages / "@caisson").mkdir(parents=True)
    for package in (TYPESCRIPT / "node_modules").iterdir():
        (packages / package.name).symlink_to(package)
    packed = run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", out], TYPESCRIPT).strip()
    shutil.unpack_archive(out / packed, out)
    (out / "package").rename(packages / "@caisson" / "sdk")
    return out


def install_c(prefix: Path) -> dict[str, str]:
    """libcaisson as somebody installs it, and the environment in which pkg-config finds it there."""
    run(["cmake", "--install", find_build(), "--component", "sdk-c", "--prefix", prefix], ROOT)
    found, = prefix.glob("**/caisson.pc")
    return {"PKG_CONFIG_PATH": str(found.parent)}


def compile_c(source: Path, out: Path, installed: dict[str, str], static: bool = False) -> Path:
    """A program of one file, by the compiler and pkg-config alone."""
    def pkg_config(*arguments: str) -> list[str]:
        return run(["pkg-config", *arguments], out.parent, **installed).split()

    flags = pkg_config("--cflags", "--libs", "caisson")
    if static:
        # Of libcaisson alone: Debian has no static form of all that libcurl needs.
        needed = pkg_config("--libs", *pkg_config("--print-requires-private", "caisson"))
        flags = ["-l:libcaisson.a" if flag == "-lcaisson" else flag for flag in flags] + needed
    else:
        flags.append(f"-Wl,-rpath,{Path(installed['PKG_CONFIG_PATH']).parent}")
    run(["cc", "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, *flags, "-o", out], out.parent)
    return out
