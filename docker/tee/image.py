#!/usr/bin/env python3
"""The initramfs of a guest that holds one enclave and nothing else: the same files give the same bytes, on any machine and day.

    image.py --out IMAGE --init caisson-guest-init --program caisson-enclave --vsock PORT [--module FILE…] [--seal-root PATH]
             [--file SOURCE=PLACE…] [-- ARGUMENT…]

Programs bring the libraries that they link (ldd), modules are loaded in the order given, and what is behind -- are arguments of the
enclave. Prints the image's hashes and every file with its own, as JSON: what an auditor compares. No compression: a
compressor's version would be part of the measurement. A root is not needed.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import re
import stat
import subprocess
import sys
from pathlib import Path, PurePosixPath

FOLDERS = ("/dev", "/proc", "/sys", "/caisson", "/lib/modules")
PROGRAM, START = "/caisson/enclave", "/caisson/start"


def libraries(program: Path) -> dict[str, Path]:
    """Place in the image → file. The loader stands where the program looks for it."""
    run = subprocess.run(["ldd", program], capture_output=True, text=True)
    if run.returncode != 0:
        if "not a dynamic executable" in run.stdout + run.stderr or "statically linked" in run.stdout:
            return {}
        raise SystemExit(f"ldd {program}: {run.stderr.strip()}")
    found = {}
    for line in run.stdout.splitlines():
        if "not found" in line:
            raise SystemExit(f"{program}: {line.strip()}")
        for path in re.findall(r"(/\S+) \(0x", line):
            found[path] = Path(path).resolve()
    return found


def entry(place: str, mode: int, data: bytes, number: int, device: tuple[int, int] = (0, 0)) -> bytes:
    """One file in the "newc" form (Documentation/driver-api/early-userspace/buffer-format.rst of Linux): no owner, no time."""
    name = place.lstrip("/").encode() + b"\0"
    fields = [number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data), 0, 0, *device, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def parents(places: list[str]) -> list[str]:
    all_parents = {str(parent) for place in places for parent in PurePosixPath(place).parents}
    return sorted((all_parents | set(FOLDERS) | {str(p) for f in FOLDERS for p in PurePosixPath(f).parents}) - {"/"})


def build(files: dict[str, tuple[bytes, bool]]) -> bytes:
    """files: place → content, executable? Sorted by place: nothing of the machine that builds is in the order."""
    out, number = b"", 1
    for folder in parents(list(files)):
        out += entry(folder, stat.S_IFDIR | 0o755, b"", number)
        number += 1
    # The kernel opens it for its first process before that can mount anything.
    out += entry("/dev/console", stat.S_IFCHR | 0o600, b"", number, (5, 1))
    for place in sorted(files):
        data, executable = files[place]
        number += 1
        out += entry(place, stat.S_IFREG | (0o755 if executable else 0o644), data, number)
    out += entry("TRAILER!!!", 0, b"", 0)
    return out + bytes(-len(out) % 512)


def word(text: str) -> str:
    if "\n" in text or not text:
        raise SystemExit(f"{text!r} does not fit into a line of {START}")
    return text


def main() -> int:
    own, _, enclave = (sys.argv[1:], None, []) if "--" not in sys.argv else (
        sys.argv[1:sys.argv.index("--")], None, sys.argv[sys.argv.index("--") + 1:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, required=True)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--vsock", type=int, required=True, metavar="PORT")
    parser.add_argument("--seal-root", metavar="PATH", help="in the guest: 32 bytes of the operator's, where the hardware has no sealing root")
    parser.add_argument("--module", type=Path, action="append", default=[])
    parser.add_argument("--file", action="append", default=[], metavar="SOURCE=PLACE", help="a program, if it may be executed: its libraries come too")
    options = parser.parse_args(own)

    files: dict[str, tuple[bytes, bool]] = {}

    def add(place: str, source: Path) -> None:
        program = source.stat().st_mode & stat.S_IXUSR != 0
        files[place] = (source.read_bytes(), program)
        for at, library in libraries(source).items() if program else ():
            files[at] = (library.read_bytes(), True)

    add("/init", options.init)
    add(PROGRAM, options.program)
    for pair in options.file:
        source, _, place = pair.partition("=")
        if not place.startswith("/"):
            parser.error(f"--file {pair}: SOURCE=/PLACE")
        add(place, Path(source))
    lines = []
    for module in options.module:
        place = f"/lib/modules/{module.name}"
        files[place] = (module.read_bytes(), False)
        lines.append(f"module {word(place)}")
    lines.append(f"vsock {options.vsock}")
    if options.seal_root:
        lines.append(f"seal-root {word(options.seal_root)}")
    lines.append(f"run {PROGRAM}")
    lines += [f"arg {word(argument)}" for argument in enclave]
    files[START] = ("".join(line + "\n" for line in lines).encode(), False)

    image = build(files)
    options.out.write_bytes(image)
    print(json.dumps({"size": len(image), "sha256": hashlib.sha256(image).hexdigest(), "sha384": hashlib.sha384(image).hexdigest(),
                      "files": {place: hashlib.sha256(data).hexdigest() for place, (data, _) in sorted(files.items())}}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
