"""PURE code takes bytes and gives bytes: what its archives import, and that they keep nothing between two calls."""
from __future__ import annotations

import re
import subprocess

import pytest

from lib import tools

ARCHIVES = ["core/libcore.a", "wire/libwire.a", "wire/libwire_schema.a", "verify/libverify.a", "verify/attest/libattest.a",
            "verify/attest/libattest_policy_check.a", "verify/cluster/libcluster.a", "relay_state/relay/librelay.a"]
# Memory, text into a buffer of the caller, cryptography, the protobuf runtime; and what compilers add. No file, socket, clock,
# environment, thread, random number, no log.
ALLOWED = re.compile(r"EVP_\w+|OSSL_PARAM_construct_(BN|end)|ERR_get_error|nettle_\w+|secp256k1_\w+|protobuf_c_\w+"
                     r"|BN_(bin2bn|clear_free|cmp|is_zero|set_flags)|EC_GROUP_(free|get0_order|new_by_curve_name)"  # core/nistp_dh, ADR 68
                     r"|EC_POINT_(clear_free|mul|new|oct2point|point2oct)"
                     r"|mem(chr|cmp|cpy|move|set)|str(chr|cmp|len|ncmp|nlen)"
                     r"|malloc|calloc|free|explicit_bzero|v?snprintf|abort|__(explicit_bzero|v?snprintf|memcpy|memset)_chk|__stack_chk_fail"
                     r"|__udivmodti4|__umodti3|__udivti3|__assert_fail|_GLOBAL_OFFSET_TABLE_")


def symbols(archive: str, *flags: str) -> list[list[str]]:
    text = subprocess.run(["nm", *flags, tools.find_build() / archive], capture_output=True, text=True, check=True).stdout
    return [line.split() for line in text.splitlines() if line and not line.endswith(":")]


def defined() -> set[str]:
    return {row[-1] for archive in ARCHIVES for row in symbols(archive, "--defined-only")}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_pure_code_imports_no_world(archive):
    imports = {row[-1] for row in symbols(archive, "--undefined-only")} - defined()
    assert not (foreign := {name for name in imports if not ALLOWED.fullmatch(name)}), foreign


@pytest.mark.parametrize("archive", ARCHIVES)
def test_pure_code_has_no_variables(archive):
    text = subprocess.run(["nm", "--format=sysv", "--defined-only", tools.find_build() / archive], capture_output=True, text=True, check=True).stdout
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.count("|") == 6]
    assert len(rows) > 5
    kept = [row[0] for row in rows if re.match(r"\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*", row[6])]
    assert not kept, kept
