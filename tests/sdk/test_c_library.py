"""libcaisson as somebody installs and links it: by pkg-config alone, shared and static, with no name but its own."""
from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from lib import sdk
from lib.tools import ROOT

ENVELOPES = ROOT / "tests" / "fuzz" / "corpus" / "sdk_envelope"
TDX = ROOT / "tests" / "vectors" / "attestation" / "dcap" / "dcap-qvl"
HEADER = sdk.C / "include" / "caisson" / "client.h"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return tmp_path_factory.mktemp("installed")


@pytest.fixture(scope="module")
def installed(prefix):
    return sdk.install_c(prefix)


def names(file, *options: str) -> set[str]:
    """Defined and visible outside of the file."""
    lines = sdk.run(["nm", "--defined-only", "--extern-only", *options, file], ROOT).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if len(line.split()) == 3 and line.split()[1] != "A"}


def test_only_the_names_of_the_header(prefix, installed):
    declared = set(re.findall(r"\b(?!caisson_on_)(caisson_\w+)\(", HEADER.read_text()))
    shared, = {file.resolve() for file in prefix.glob("**/libcaisson.so*")}
    static, = prefix.glob("**/libcaisson.a")
    assert len(declared) > 15 and names(shared, "--dynamic") == names(static) == declared


@pytest.mark.parametrize("static", [False, True])
def test_a_program_of_somebody_elses(tmp_path, prefix, installed, static):
    """Its source is outside of the repository; what it links is what was installed."""
    source = shutil.copy(sdk.C / "examples" / "verify.c", tmp_path / "mine.c")
    program = sdk.compile_c(source, tmp_path / "mine", installed, static)
    assert (str(prefix) in sdk.run(["ldd", program], tmp_path)) is not static
    envelope = json.loads((ENVELOPES / "delivered.json").read_text())
    key = envelope["keys"][0]["public_key"]
    for document, keys, code, said in (("plain", [key, key], 0, "not signed yet"), ("insecure", [key, key], 6, "simulated or insecure"),
                                       ("insecure", [key, key, "--insecure-domain"], 0, "INSECURE"),
                                       ("delivered", [key, key], 6, "outcome_statement: the signature"), ("plain", ["0x12", key], 6, "key: not 32 bytes")):
        run = subprocess.run([program, ENVELOPES / f"{document}.json", *keys], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == code and said in run.stdout, (document, run.stdout, run.stderr)


@pytest.mark.parametrize("static", [False, True])
def test_evidence_by_somebody_elses_program(tmp_path, prefix, installed, static):
    """The example on recorded evidence of a TD, with the collateral and at the moment of tests/vectors/attestation/README.md (D2)."""
    program = sdk.compile_c(sdk.C / "examples" / "evidence.c", tmp_path / "evidence", installed, static)
    quote, collateral = TDX / "tdx_quote", TDX / "tdx_quote_collateral.json"
    mine, other = tmp_path / "mine.json", tmp_path / "other.json"
    mr_td = quote.read_bytes()[48 + 136:48 + 184].hex()
    for path, value in ((mine, mr_td), (other, mr_td[::-1])):
        path.write_text(json.dumps({"version": 1, "measurements": [{"kind": "tdx", "values": {"mr_td": value}}]}))
    for policy, at, code, said in ((mine, 1751000000, 0, "affirming, tdx: TCB UpToDate"), (other, 1751000000, 6, "policy-measurements"),
                                   (mine, 1752919236, 6, "pck-revocation")):
        run = subprocess.run([str(word) for word in (program, quote, collateral, policy, at)], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == code and said in run.stdout, (run.stdout, run.stderr)


def test_every_example_compiles(tmp_path, installed):
    for example in (sdk.C / "examples").glob("*.c"):
        sdk.compile_c(example, tmp_path / example.stem, installed)


def test_from_cxx(tmp_path, installed):
    if not shutil.which("c++"):
        pytest.skip("no C++ compiler")
    (tmp_path / "mine.cc").write_text('#include <caisson/client.h>\nint main() { return caisson_version()[0] == 0; }\n')
    flags = sdk.run(["pkg-config", "--cflags", "--libs", "caisson"], tmp_path, **installed).split()
    sdk.run(["c++", "-Wall", "-Wextra", "-Werror", "mine.cc", *flags, "-o", "mine"], tmp_path)


def test_a_name_that_is_not_of_the_header_is_not_there(tmp_path, installed):
    """So that the check of names is one: what is inside cannot be linked."""
    for symbol in ("wire_signed_verify", "cs_keccak256", "http_call"):
        (tmp_path / "mine.c").write_text(f"int {symbol}(void);\nint main(void) {{ return {symbol}(); }}\n")
        for static in (False, True):
            with pytest.raises(AssertionError, match="undefined reference"):
                sdk.compile_c(tmp_path / "mine.c", tmp_path / "mine", installed, static)
