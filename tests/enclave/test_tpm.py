"""The backend `tpm` on swtpm: quotes that `caisson attest verify` takes, an attestation key that stays, and a sealing root that opens
only on a machine that booted the same."""
from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from enclave import manifests
from enclave.boundary import Enclave, Refused, insecure_bits, measurement, program
from lib import report, swtpm, tools

BITS = insecure_bits()
AT = "2026-02-20T00:00:00Z"


@pytest.fixture
def machine(tmp_path):
    if not (program().parent / "caisson-tpm-quoter").exists():
        pytest.skip("built without tpm2-tss: there is no caisson-tpm-quoter")
    if swtpm.missing():
        pytest.skip(swtpm.missing())
    with swtpm.Swtpm(tmp_path / "tpm") as tpm:
        tpm.start(b"firmware")
        yield tpm


@pytest.fixture
def start(tmp_path, machine):
    path = tmp_path / "m1.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())]))
    state = tmp_path / "state"
    state.mkdir()
    running = []

    def run(root: Path | None = None, folder: Path = state, binary: Path | None = None) -> Enclave:
        while running:
            running.pop().stop()
        running.append(Enclave(tmp_path, [path], lineage, None, binary=binary, options=[
            "--tee", "tpm", "--tee-state", str(folder), "--insecure-tee-root", str(root or machine.path)]))
        return running[-1]

    yield run
    while running:
        running.pop().stop()


def verified(tmp_path, evidence: bytes, *more) -> tuple[int, dict, dict]:
    (tmp_path / "evidence").write_bytes(evidence)
    done = subprocess.run([tools.find_build() / "bin" / "caisson", "attest", "verify", tmp_path / "evidence", "--json", "--at", AT,
                           *more], capture_output=True, text=True, timeout=60, check=False)
    out = json.loads(done.stdout)
    return done.returncode, out, {check["name"]: check["ok"] for check in out["checks"]}


def certified(tmp_path, state: Path, evidence: bytes) -> Path:
    """What an operator's CA does after it convinced itself of the key: a certificate beside the enclave."""
    from lib.pki import extension, seq, oid
    from lib.tee import Key, ca_extensions, certify, name, revocation_list
    area = base64.b64decode(json.loads(evidence)["ak_area"])
    x, y = area[-66:-34][:32], area[-32:]
    spki = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + x + y

    class Subject:
        kind, rsa = "p256", False
    subject = Subject()
    subject.spki = spki
    root = certify(Key("tpm operator's root", "p256"), name(("CN", "operator")), None, algorithm="ecdsa-sha256", serial=1,
                   start=1600000000, end=2300000000, extensions=ca_extensions())
    leaf = certify(subject, name(("CN", "machine 1")), root, algorithm="ecdsa-sha256", serial=2, start=1600000000, end=2300000000,
                   extensions=[extension("2.5.29.37", seq(oid("2.23.133.8.3")))])
    (state / "ak.der").write_bytes(leaf.der)
    folder = tmp_path / "ca"
    folder.mkdir(exist_ok=True)
    (folder / "root.der").write_bytes(root.der)
    (folder / "list.crl").write_bytes(revocation_list(root, start=1600000000, end=2300000000, revoked=()))
    return folder


def test_a_quote_about_the_enclave(start, tmp_path):
    hello = start().client().hello(b"\x31" * 32)
    assert hello["backend"] == "tpm" and hello["report_data"] == report.of_hello("bridge-enclave", hello)
    flags = hello["insecure_flags"]
    assert not flags & (BITS["simulated_backend"] | BITS["simulated_seal_root"]) and flags & BITS["tee_root"]
    code, out, by = verified(tmp_path, hello["evidence"])
    # Nobody vouches for the key yet; all else holds.
    assert code == 6 and out["kind"] == "tpm" and by["ak-trust"] is False
    assert by["quote-signature"] and by["pcr-digest"] and by["ak-attributes"]
    assert out["report_data"] == hello["report_data"][:32].hex()
    pcr0 = hashlib.sha256(bytes(32) + hashlib.sha256(b"firmware").digest()).hexdigest()
    assert out["measurements"]["pcr0"] == pcr0 and len(out["measurements"]) == 16


def test_an_enrolled_machine(start, tmp_path):
    first = start().client().hello()
    folder = certified(tmp_path, tmp_path / "state", first["evidence"])
    hello = start().client().hello(b"\x32" * 32)
    code, out, by = verified(tmp_path, hello["evidence"], "--root", folder / "root.der", "--collateral", folder / "list.crl",
                             "--report-data", hello["report_data"][:32].hex())
    assert code == 4 and out["whole_machine"] and by["ak-certificate"] and by["policy-report-data"], out
    # The same evidence under nobody's root, and for another hash.
    assert verified(tmp_path, hello["evidence"])[0] == 6
    code, _, by = verified(tmp_path, hello["evidence"], "--root", folder / "root.der", "--collateral", folder / "list.crl",
                           "--report-data", "00" * 32)
    assert code == 6 and by["policy-report-data"] is False


def test_the_same_key_after_a_start_of_the_machine(start, machine):
    def key(hello):
        return json.loads(hello["evidence"])["ak_area"]
    first = start()
    before = first.client().hello()
    first.stop()
    machine.start(b"firmware")
    again = start()
    after = again.client().hello(b"\x34" * 32)
    assert key(after) == key(before) and after["evidence"] != before["evidence"]
    again.stop()
    with swtpm.Swtpm(machine.state.parent / "tpm2") as other:
        other.start(b"firmware")
        folder = machine.state.parent / "state2"
        folder.mkdir()
        theirs = start(other.path, folder)
        assert key(theirs.client().hello()) != key(before)
        theirs.stop()


def test_sealed_state_opens_after_the_same_boot_alone(start, machine):
    enclave = start()
    client = enclave.client()
    client.hello()
    sealed = client.call("Init")["sealed"]
    keys = client.call("PublicKeys")["keys"]
    enclave.stop()
    machine.start(b"firmware")
    enclave = start()
    client = enclave.client()
    client.hello()
    assert client.call("Import", sealed=sealed)["keys"] == keys
    enclave.stop()
    machine.start(b"other firmware")
    enclave = start()
    assert enclave.popen.wait(60) == 71 and "seal-broken" in enclave.log.read_text().splitlines()[-1]
    machine.start(b"firmware")
    machine.extend(7, b"another key of secure boot")
    enclave = start()
    assert enclave.popen.wait(60) == 71 and "seal-broken" in enclave.log.read_text().splitlines()[-1]
    machine.start(b"firmware")
    assert start().client().hello()["backend"] == "tpm"


def test_another_machines_sealed_root(start, machine, tmp_path):
    start().client().hello()
    with swtpm.Swtpm(tmp_path / "tpm2") as other:
        other.start(b"firmware")
        enclave = start(other.path)
        assert enclave.popen.wait(60) == 71 and "seal-broken" in enclave.log.read_text().splitlines()[-1]


@pytest.mark.parametrize("content, code", [(b"", "malformed"), (b"\0" * 10, "malformed"), (None, "malformed"), (b"x" * 3000, "malformed")])
def test_a_file_that_is_no_sealed_root(start, tmp_path, content, code):
    path = tmp_path / "state" / "tpm-sealed"
    if content is None:
        start().client().hello()
        content = path.read_bytes() + b"\0"
    path.write_bytes(content)
    enclave = start()
    assert enclave.popen.wait(60) == 71 and enclave.log.read_text().splitlines()[-1].split(": ")[1] == code
    assert path.read_bytes() == content  # nothing is lost by it


def test_a_changed_sealed_root(start, tmp_path):
    path = tmp_path / "state" / "tpm-sealed"
    start().client().hello()
    good = path.read_bytes()
    for at in (len(good) // 3, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1:])
        enclave = start()
        assert enclave.popen.wait(60) == 71
        assert enclave.log.read_text().splitlines()[-1].split(": ")[1] in ("seal-broken", "malformed")
    path.write_bytes(good)
    assert start().client().hello()["evidence"]


def test_the_tpm_goes_away(start, machine):
    client = start().client()
    client.hello()
    machine.stop()
    with pytest.raises(Refused, match="UNAVAILABLE"):
        client.hello()
    assert client.call("PublicKeys")["keys"] == []


def test_starts_without_one(start, tmp_path):
    for root in (tmp_path / "nothing", tmp_path / "state"):
        enclave = start(root)
        assert enclave.popen.wait(60) == 71 and "there is no TPM 2.0" in enclave.log.read_text().splitlines()[-1]


def test_arguments(start, tmp_path, machine):
    """Without a folder for its state; with one that nothing needs; its program by itself."""
    path = tmp_path / "m1.json"
    for options, root in ((["--tee", "tpm", "--insecure-tee-root", str(machine.path)], None),
                          (["--tee", "tpm", "--tee-state", str(tmp_path)], b"r" * 32),
                          (["--tee", "tsm", "--tee-state", str(tmp_path)], b"r" * 32)):
        with Enclave(tmp_path, [path], "00" * 32, root, options=options) as enclave:
            assert enclave.popen.wait(20) == 64
    done = subprocess.run([Path(program()).parent / "caisson-tpm-quoter"], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 64 and "started by an enclave" in done.stderr


def test_the_library_is_in_no_enclave(machine):
    """tpm2-tss is in one program, which opens no socket that somebody could connect to."""
    def imports(name: str) -> set[str]:
        shown = subprocess.run(["nm", "-D", "--undefined-only", program().parent / name], check=True, capture_output=True, text=True).stdout
        names = {line.split()[-1].split("@")[0] for line in shown.splitlines()}
        if any(one.startswith(("__asan", "__ubsan", "__tsan")) for one in names):
            pytest.skip("an instrumented build imports its runtime")
        return names
    for name in ("caisson-enclave", "caisson-oracle-enclave"):
        assert not [one for one in imports(name) if one.startswith(("Esys_", "Tss2_"))]
        needed = subprocess.run(["readelf", "-d", program().parent / name], check=True, capture_output=True, text=True).stdout
        assert "libtss2" not in needed
    quoter = imports("caisson-tpm-quoter")
    assert {one for one in quoter if one.startswith("Esys_")} and not quoter & {"bind", "listen", "accept", "accept4", "fork", "execve", "dlopen"}
