"""The verifier of evidence is PURE: what it takes from outside is a list, and files, sockets and clocks are not on it."""
from __future__ import annotations

import subprocess

import pytest

from lib import tools

ALLOWED = tools.ROOT / "verify" / "attest" / "symbols.allow"
OF_CORE = ("base64", "cbor", "der", "digest", "nistp", "rsa", "utc")
OWN = ("core/libcore.a", "wire/libwire.a", "verify/libverify.a", "verify/attest/libattest.a")


def names(*words) -> list[list[str]]:
    done = subprocess.run(["nm", *map(str, words)], capture_output=True, text=True, timeout=60, check=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_imports_are_the_allowed_ones():
    build = tools.find_build()
    parts = [build / "verify" / "attest" / "libattest.a", *(build / "core" / "CMakeFiles" / "core.dir" / f"{name}.c.o" for name in OF_CORE)]
    if not all(part.exists() for part in parts):
        pytest.skip("no build folder with objects")
    defined = {line[2] for library in OWN for line in names("--defined-only", build / library) if len(line) == 3}
    imports = {line[1] for part in parts for line in names("-u", part) if len(line) == 2 and line[0] == "U"}
    imports -= defined | {"_GLOBAL_OFFSET_TABLE_"}
    if any(name.startswith(("__asan", "__ubsan", "__tsan")) for name in imports):
        pytest.skip("an instrumented build imports its runtime")
    allowed = {line for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")}
    assert imports <= allowed, f"new imports: {sorted(imports - allowed)}: a design decision, see verify/attest/symbols.allow"
    assert {"EVP_PKEY_verify", "memcpy"} <= imports
