"""The verifier of evidence and the cluster's machines are PURE: what each takes from outside is a list, and files, sockets and clocks are
not on it."""
from __future__ import annotations

import subprocess

import pytest

from lib import tools

CHECK = "verify/attest/libattest_policy_check.a"
# Each folder of verify/, what else it alone uses: its parts of core, an archive; and a name without which nothing was compared.
LIBRARIES = {
    "attest": ((), ("base64", "cbor", "der", "digest", "nistp", "nistp_dh", "ossl", "rsa", "utc"), "EVP_PKEY_verify"),
    "cluster": ((CHECK,), ("shamir", "x25519"), "EVP_PKEY_derive"),
}
OWN = ("core/libcore.a", "wire/libwire.a", "wire/libwire_schema.a", "verify/libverify.a", "verify/attest/libattest.a",
       "verify/cluster/libcluster.a", CHECK)


def names(*words) -> list[list[str]]:
    done = subprocess.run(["nm", *map(str, words)], capture_output=True, text=True, timeout=60, check=True)
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("library", LIBRARIES)
def test_imports_are_the_allowed_ones(library):
    archives, of_core, expected = LIBRARIES[library]
    build = tools.find_build()
    parts = [build / "verify" / library / f"lib{library}.a", *(build / archive for archive in archives),
             *(build / "core" / "CMakeFiles" / "core.dir" / f"{name}.c.o" for name in of_core)]
    if not all(part.exists() for part in [*parts, *(build / own for own in OWN)]):
        pytest.skip("no build folder with objects")
    defined = {line[2] for own in OWN for line in names("--defined-only", build / own) if len(line) == 3}
    imports = {line[1] for part in parts for line in names("-u", part) if len(line) == 2 and line[0] == "U"}
    imports -= defined | {"_GLOBAL_OFFSET_TABLE_"}
    if any(name.startswith(("__asan", "__ubsan", "__tsan")) for name in imports):
        pytest.skip("an instrumented build imports its runtime")
    allow = tools.ROOT / "verify" / library / "symbols.allow"
    allowed = {line for line in allow.read_text().splitlines() if line and not line.startswith("#")}
    assert imports <= allowed, f"new imports: {sorted(imports - allowed)}: a design decision, see {allow}"
    assert {expected, "memcpy"} <= imports
