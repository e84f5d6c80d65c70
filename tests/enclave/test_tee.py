"""Backends of hardware, over stand-ins for the kernel's interfaces (lib.tee_tree): the enclave's own report data comes back in
evidence that `caisson attest verify` takes under a test root, a recorded quote is refused because it cannot be about it, and a
process starts on no hardware that is not there."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from enclave import manifests
from enclave.boundary import Enclave, Refused, insecure_bits, measurement, program
from lib import report, tools
from lib.tee_tree import Gramine, Tsm

BITS = insecure_bits()
VECTORS = tools.ROOT / "tests" / "vectors" / "attestation"
ROOT = b"r" * 32
AT = "2026-02-20T00:00:00Z"


@pytest.fixture
def start(tmp_path):
    path = tmp_path / "m1.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())]))
    running = []

    def run(backend: str, tree: Path | None, root: bytes | None, inside: bool = True) -> Enclave:
        options = ["--tee", backend] + (["--insecure-gateway-inside"] if backend == "tsm" and inside else []) + (["--insecure-tee-root", str(tree)] if tree else [])
        running.append(Enclave(tmp_path, [path], lineage, root, options=options))
        return running[-1]

    yield run
    for enclave in running:
        enclave.stop()


def generated(kind: str):
    """answer(report data) of a machine under the test CA, the bytes of auxblob, and its roots."""
    from lib import dcap_evidence as d, snp_evidence as s
    if kind == "snp":
        family = s.Family("Genoa")
        vcek = family.vcek()
        aux = s.table(vcek=vcek.der, ask=family.ask.der, ark=family.ark.der)
        return lambda data: s.Report(family, vcek.key, report_data=data).encode(), aux, family.ark.der
    platform = d.Platform()
    if kind == "tdx":
        return lambda data: d.Quote(platform, version=4, tdx=True, body=d.td_report(report_data=data)).encode(), None, platform.root.der
    return lambda data: d.Quote(platform, body=d.sgx_report(report_data=data)).encode(), None, platform.root.der


def verified(tmp_path, evidence: bytes, root: bytes, data: bytes) -> dict:
    (tmp_path / "evidence").write_bytes(evidence)
    (tmp_path / "root").write_bytes(root)
    done = subprocess.run([tools.find_build() / "bin" / "caisson", "attest", "verify", tmp_path / "evidence", "--json", "--at", AT,
                           "--insecure-root", tmp_path / "root", "--no-revocation", "--report-data", data.hex()],
                          capture_output=True, text=True, timeout=60, check=False)
    return json.loads(done.stdout)


def passed(out: dict, name: str) -> bool:
    return [check["ok"] for check in out["checks"] if check["name"] == name] == [True]


@pytest.mark.parametrize("kind, check", [("sgx", "quote-signature"), ("tdx", "quote-signature"), ("snp", "report-signature")])
def test_evidence_is_about_the_enclave(start, tmp_path, kind, check):
    answer, aux, root = generated(kind)
    tree = tmp_path / "tree"
    served = Gramine(tree, answer) if kind == "sgx" else Tsm(tree, answer, "sev_guest" if aux else "tdx_guest", aux)
    enclave = start("gramine" if kind == "sgx" else "tsm", tree, None if kind == "sgx" else ROOT)
    client = enclave.client()
    client.hello()
    client.call("Init")
    hello = client.hello(b"\x21" * 32)
    assert hello["report_data"] == report.of_hello("bridge-enclave", hello) == served.asked[-1]
    assert hello["backend"] == ("gramine" if kind == "sgx" else "tsm")
    out = verified(tmp_path, hello["evidence"], root, hello["report_data"])
    assert out["kind"] == kind and passed(out, check) and passed(out, "policy-report-data"), out
    assert not passed(verified(tmp_path, hello["evidence"], root, bytes(64)), "policy-report-data")
    flags = hello["insecure_flags"]
    assert flags & BITS["tee_root"] and not flags & BITS["simulated_backend"]
    assert bool(flags & BITS["simulated_seal_root"]) == bool(flags & BITS["gateway_inside"]) == (kind != "sgx")


@pytest.mark.parametrize("backend, name", [("gramine", "dcap/dcap-qvl/sgx_quote"), ("tsm", "dcap/dcap-qvl/tdx_quote"),
                                           ("tsm", "dcap/go-tdx-guest/quote_v5_sample.dat"), ("snp", "snp/go-sev-guest/attestation.bin")])
def test_a_recorded_quote_is_about_something_else(start, tmp_path, backend, name):
    recorded = (VECTORS / name).read_bytes()
    tree = tmp_path / "tree"
    if backend == "gramine":
        Gramine(tree, lambda data: recorded)
    elif backend == "tsm":
        Tsm(tree, lambda data: recorded)
    else:
        Tsm(tree, lambda data: recorded, "sev_guest", b"")
    enclave = start("tsm" if backend == "snp" else backend, tree, None if backend == "gramine" else ROOT)
    for _ in range(2):
        with pytest.raises(Refused, match="NOT_BOUND"):
            enclave.client().hello()


def test_sealed_state_opens_under_the_same_signer_alone(start, tmp_path):
    answer, _, _ = generated("sgx")
    sealed = None
    for i, key in enumerate((bytes(16), bytes(16), bytes(range(16)))):
        Gramine(tmp_path / f"tree{i}", answer, key=key)
        enclave = start("gramine", tmp_path / f"tree{i}", None)
        client = enclave.client()
        client.hello()
        if sealed is None:
            sealed = client.call("Init")["sealed"]
        elif key == bytes(16):
            assert client.call("Import", sealed=sealed)["keys"]
        else:
            with pytest.raises(Refused, match="SEAL_BROKEN"):
                client.call("Import", sealed=sealed)
        enclave.stop()


def test_somebody_else_writes_meanwhile(start, tmp_path):
    """Once: asked again. Always: refused, and the next asking works."""
    answer, _, _ = generated("tdx")
    served = Tsm(tmp_path / "tree", answer, others=lambda turn: int(turn == 0 or 2 <= turn < 6))
    enclave = start("tsm", tmp_path / "tree", ROOT)
    client = enclave.client()
    assert client.hello()["evidence"] and len(served.asked) == 2
    with pytest.raises(Refused, match="CONFLICT"):
        client.hello()
    assert client.hello()["evidence"]


def test_evidence_that_is_too_long(start, tmp_path):
    Tsm(tmp_path / "tree", lambda data: bytes(8193))
    with pytest.raises(Refused, match="TOO_LARGE"):
        start("tsm", tmp_path / "tree", ROOT).client().hello()


def quoter_of(enclave: Enclave) -> int:
    children = Path(f"/proc/{enclave.popen.pid}/task/{enclave.popen.pid}/children")
    return int(children.read_text().split()[0])


def test_the_quoting_process_is_sandboxed_and_may_die(start, tmp_path):
    answer, _, _ = generated("tdx")
    Tsm(tmp_path / "tree", answer)
    enclave = start("tsm", tmp_path / "tree", ROOT)
    client = enclave.client()
    client.hello()
    quoter = quoter_of(enclave)
    for pid in (enclave.popen.pid, quoter):
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
    assert quoter != enclave.popen.pid
    os.kill(quoter, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(Refused, match="UNAVAILABLE"):
            client.hello()
    assert client.call("PublicKeys")["keys"] == []


def test_the_quoting_process_ends_with_the_enclave(start, tmp_path):
    answer, _, _ = generated("tdx")
    Tsm(tmp_path / "tree", answer)
    enclave = start("tsm", tmp_path / "tree", ROOT)
    enclave.client().hello()
    quoter = quoter_of(enclave)
    enclave.popen.kill()
    enclave.popen.wait()
    handle = None
    try:
        handle = os.pidfd_open(quoter)
        import select
        assert select.select([handle], [], [], 20)[0]
    except ProcessLookupError:
        pass
    finally:
        if handle is not None:
            os.close(handle)


# ---- the start ----


def refused(enclave: Enclave) -> tuple[int, str]:
    code = enclave.popen.wait(20)
    return code, enclave.log.read_text()


@pytest.mark.parametrize("backend, root, words", [("gramine", None, "/dev/attestation"), ("tsm", ROOT, "/sys/kernel/config/tsm/report")])
def test_no_hardware(start, backend, root, words):
    """On a machine that has none: the word says what was looked for."""
    if Path(words).exists():
        pytest.skip(f"this machine has {words}")
    code, log = refused(start(backend, None, root))
    assert code == 71 and "unavailable: there is no " + words in log


def test_other_providers_and_kinds_are_refused(start, tmp_path):
    (tmp_path / "empty").mkdir()
    Tsm(tmp_path / "arm", bytes, "arm_cca_guest")
    Gramine(tmp_path / "epid", bytes, "epid")
    Gramine(tmp_path / "none", bytes, "none")
    Gramine(tmp_path / "long", bytes, "d" * 100)
    for backend, tree, root, word in (("tsm", "arm", ROOT, "arm_cca_guest"), ("gramine", "epid", None, '"epid"'),
                                      ("gramine", "none", None, '"none"'), ("gramine", "long", None, "malformed"),
                                      ("gramine", "empty", None, "attestation_type"), ("tsm", "empty", ROOT, "report")):
        code, log = refused(start(backend, tmp_path / tree, root))
        assert code == 71 and word in log.splitlines()[-1], log


def test_a_sealing_key_that_is_none(start, tmp_path):
    for i, key in enumerate((None, b"", bytes(15), bytes(17))):
        Gramine(tmp_path / f"tree{i}", bytes, key=key)
        code, log = refused(start("gramine", tmp_path / f"tree{i}", None))
        assert code == 65 and "_sgx_mrsigner" in log.splitlines()[-1], log


def test_a_gateway_inside_of_the_measured_machine(start, tmp_path):
    """It could ask for whatever the hardware gives to the machine. A Unix socket is on the same one."""
    Tsm(tmp_path / "tree", generated("tdx")[0])
    code, log = refused(start("tsm", tmp_path / "tree", ROOT, inside=False))
    assert code == 71 and "insecure-refused" in log and "--insecure-gateway-inside" in log


def test_arguments(start, tmp_path):
    (tmp_path / "tree").mkdir()
    for backend, tree, root in (("sgx", None, ROOT), ("gramine", None, ROOT), ("tsm", None, None), ("simulated", None, None),
                                ("simulated", tmp_path / "tree", ROOT)):
        code, log = refused(start(backend, tree, root))
        assert code == 64 and "usage" in log.splitlines()[-1]


def test_simulated_by_name(start):
    hello = start("simulated", None, ROOT).client().hello()
    assert hello["backend"] == "simulated" and hello["insecure_flags"] & BITS["simulated_backend"]
