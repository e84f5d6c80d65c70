"""docker/tee without its hardware: images are what their files are, the template is what Gramine is told, and a guest boots."""
from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lib.enclave import sample_manifest
from lib.tools import ROOT, find_build

TEE = ROOT / "docker" / "tee"
BIN = find_build() / "bin"


def image(out: Path, *more, program: Path = BIN / "caisson-enclave", arguments: list[str] = (), **named) -> dict:
    run = subprocess.run([sys.executable, TEE / "image.py", "--out", out, "--init", BIN / "caisson-guest-init", "--program", program,
                          "--vsock", "5000", *map(str, more), "--", *arguments], capture_output=True, text=True, timeout=120, **named)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout)


def listing(path: Path) -> dict[str, tuple[int, bytes]]:
    """Place → mode and content, read by another reader of the form than the one that wrote it."""
    data, at, found = path.read_bytes(), 0, {}
    while True:
        assert data[at:at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        begin = at + (110 + fields[11] + 3 & ~3)
        if name == "TRAILER!!!":
            return found
        assert fields[2:4] == [0, 0] and fields[5] == 0, "an owner or a time"
        found["/" + name] = (fields[1], data[begin:begin + fields[6]])
        at = begin + (fields[6] + 3 & ~3)


# ---- images ----

def test_the_same_files_are_the_same_image(tmp_path):
    """Another folder, time, umask and time zone."""
    first = image(tmp_path / "a", "--file", f"{__file__}=/caisson/note", arguments=["--tee", "tsm"])
    other = tmp_path / "other"
    other.mkdir()
    note = shutil.copy(__file__, other / "note")
    os.utime(note, (1, 1))
    second = image(tmp_path / "b", "--file", f"{note}=/caisson/note", arguments=["--tee", "tsm"], cwd=other, umask=0o077,
                   env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() and first == second
    assert first["sha256"] == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()


def test_what_is_in_it_and_nothing_else(tmp_path):
    report = image(tmp_path / "a", "--seal-root", "/sys/x", arguments=["--tee", "tsm", "--lineage", "00"])
    found = listing(tmp_path / "a")
    files = {place: content for place, (mode, content) in found.items() if mode >> 12 == 8}
    assert {place: hashlib.sha256(content).hexdigest() for place, content in files.items()} == report["files"]
    assert {place for place in files if not re.match(r"(/usr)?/lib(64)?/", place)} == {"/init", "/caisson/enclave", "/caisson/start"}
    assert files["/caisson/start"].decode().splitlines() == [
        "vsock 5000", "seal-root /sys/x", "run /caisson/enclave", "arg --tee", "arg tsm", "arg --lineage", "arg 00"]
    assert files["/caisson/enclave"] == (BIN / "caisson-enclave").read_bytes()
    assert found["/dev/console"][0] == 0o020600
    # No shell and no tools: only libraries are executable besides the two.
    assert not [place for place in files if "/bin/" in place or place.endswith(("/sh", "busybox"))]


def test_another_byte_is_another_image(tmp_path):
    changed = shutil.copy(BIN / "caisson-enclave", tmp_path / "changed")
    with open(changed, "ab") as out:
        out.write(b"!")
    hashes = {image(tmp_path / "a")["sha256"], image(tmp_path / "a", program=changed)["sha256"],
              image(tmp_path / "a", arguments=["--tee"])["sha256"], image(tmp_path / "a", "--seal-root", "/x")["sha256"]}
    assert len(hashes) == 4


@pytest.mark.parametrize("more, arguments", [(["--file", "/etc/hostname"], []), (["--file", "/nowhere=/x"], []), ([], ["a\nrun /bin/sh"]), ([], [""])])
def test_what_no_image_is_made_of(tmp_path, more, arguments):
    with pytest.raises(RuntimeError):
        image(tmp_path / "a", *more, arguments=arguments)
    assert not (tmp_path / "a").exists()


# ---- the first process ----

def init(tmp_path: Path, text: str) -> subprocess.CompletedProcess:
    (tmp_path / "start").write_text(text)
    return subprocess.run([BIN / "caisson-guest-init", tmp_path / "start"], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("text, why", [
    ("", "neither a place"), ("vsock 5000\n", "neither a place"), ("run /bin/true\n", "neither a place"),
    ("listen 5\n", "a line that is none"), ("loopback\n", "a line that is none"), ("loopback 0\n", "no port"), ("loopback 70000\n", "no port"),
    ("loopback x\n", "no port"), ("arg x\n", "a line that is none"), ("loopback 0x10\n", "no port"), ("module /x\n", "a line that is none"),
    ("run /bin/true\nrun /bin/true\n", "a second program"), ("seal-root /nowhere\n", "seal root"),
    ("run /bin/true\n" + "arg x\n" * 80, "too many arguments"), ("arg x\n" * 20000, "cannot read")])
def test_a_start_that_is_none(tmp_path, text, why):
    run = init(tmp_path, text)
    assert run.returncode == 1 and why in run.stderr, run.stderr


def test_two_places_to_listen_at(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    run = init(tmp_path, f"loopback {port}\nloopback {port}\nrun /bin/true\n")
    assert run.returncode == 1 and "a second place" in run.stderr


def test_its_imports_are_the_allowed_ones():
    names = {line.split()[-1].split("@")[0] for line in subprocess.run(
        ["nm", "-D", "--undefined-only", BIN / "caisson-guest-init"], check=True, capture_output=True, text=True).stdout.splitlines()}
    if any(name.startswith(("__asan", "__ubsan", "__tsan")) for name in names):
        pytest.skip("an instrumented build imports its runtime")
    allowed = {line for line in (ROOT / "enclave" / "guest" / "symbols.allow").read_text().splitlines() if line and not line.startswith("#")}
    assert names <= allowed, f"new imports: {sorted(names - allowed)}: a design decision, see enclave/guest/symbols.allow"
    assert "connect" not in names and "accept" not in names


# ---- Gramine ----

def test_the_template_renders(tmp_path):
    """As gramine-manifest fills it in: every word is known, and what comes out says what README.md says."""
    words = {"log_level": "error", "arch_libdir": "/lib/x86_64-linux-gnu", "caisson": "/opt/caisson", "isvprodid": "1", "isvsvn": "1",
             "gramine.runtimedir()": "/usr/lib/gramine/runtime/glibc"}
    text = (TEE / "caisson-enclave.manifest.template").read_text()
    assert "{%" not in text
    rendered = tomllib.loads(re.sub(r"\{\{ (.+?) \}\}", lambda word: words[word[1]], text))
    sgx = rendered["sgx"]
    assert sgx["remote_attestation"] == "dcap" and sgx["debug"] is False
    assert "allowed_files" not in sgx and "insecure__use_cmdline_argv" not in rendered["loader"]
    trusted = {uri.removeprefix("file:/opt/caisson/") for uri in sgx["trusted_files"]}
    start = (TEE / "start.gramine").read_text()
    places = {word.removeprefix("/caisson/") for line in start.splitlines() for word in line.split() if word.startswith("/caisson/")}
    assert places | {"caisson-guest-init", "start"} <= trusted
    assert rendered["libos"]["entrypoint"] == "/caisson/caisson-guest-init" and rendered["loader"]["argv"][1] == "/caisson/start"
    mounts = {mount["path"]: mount["uri"] for mount in rendered["fs"]["mounts"]}
    assert all(any(f"{uri}/".startswith(t) or t.startswith(f"{uri}/") for t in sgx["trusted_files"]) for uri in mounts.values())


# ---- guests ----

def run_guest(*arguments, **named) -> subprocess.CompletedProcess:
    return subprocess.run([TEE / "run-guest", *map(str, arguments)], capture_output=True, text=True, **named)


@pytest.mark.parametrize("arguments", [[], ["sev"], ["none"], ["none", "--kernel", "x"], ["tdx", "--kernel", "x", "--image", "y"],
                                       ["snp", "--kernel", "x", "--image", "y", "--wrong", "z"]])
def test_arguments_of_run_guest(arguments):
    assert run_guest(*arguments).returncode == 64


def test_what_a_guest_of_hardware_is_started_with():
    """Printed, not run: there is no such hardware here."""
    tdx = run_guest("tdx", "--kernel", "k", "--image", "i", "--firmware", "f", "--cid", 7, "--print").stdout
    snp = run_guest("snp", "--kernel", "k", "--image", "i", "--firmware", "f", "--cid", 7, "--print").stdout
    for line in (tdx, snp):
        assert "guest-cid=7" in line and "confidential-guest-support=tee" in line and "rdinit=/init" in line and "-nodefaults" in line
    assert "tdx-guest" in tdx and "sev-snp-guest" in snp and "kernel-hashes=on" in snp


def find_kernel() -> tuple[Path, Path]:
    """A kernel of Debian's for clouds, as its package has it: its image and its modules."""
    root = Path(os.environ.get("CAISSON_GUEST_KERNEL", ROOT / "build" / "tools" / "kernel"))
    kernels, modules = sorted(root.glob("boot/vmlinuz-*")), sorted(root.glob("lib/modules/*/kernel"))
    if not kernels or not modules:
        pytest.skip("no kernel for a guest: script/install test brings build/tools/kernel")
    return kernels[-1], modules[-1]


def find_qemu() -> str:
    found = os.environ.get("QEMU") or shutil.which("qemu-system-x86_64")
    if found is None:
        pytest.skip("no qemu-system-x86_64")
    return found


VSOCK = ("vsock", "vmw_vsock_virtio_transport_common", "vsock_loopback")


def boot(tmp_path: Path, kernel: Path, made: Path) -> str:
    run = run_guest("none", "--kernel", kernel, "--image", made, env={**os.environ, "QEMU": find_qemu()}, timeout=300, stdin=subprocess.DEVNULL)
    return run.stdout + run.stderr


def modules_of(kernel: Path) -> list[str]:
    return [word for name in VSOCK for word in ("--module", str(next(kernel.rglob(f"{name}.ko"))))]


def test_a_guest_boots_and_its_enclave_answers_over_vsock(tmp_path):
    """Under QEMU without a TEE: init, modules, the listening vsock, the enclave in its sandbox; and a hello over the guest's loopback
    vsock by way of caisson-enclave-relay. The measurement is the simulated backend's."""
    kernel, modules = find_kernel()
    manifest, lineage = sample_manifest(tmp_path, BIN / "caisson-enclave")
    (tmp_path / "seal.root").write_bytes(bytes(32))
    image(tmp_path / "guest", *modules_of(modules), "--seal-root", "/caisson/seal.root", "--file", f"{BIN / 'caisson-enclave'}=/caisson/real",
          "--file", f"{BIN / 'caisson-enclave-relay'}=/relay", "--file", f"{manifest}=/caisson/manifest-1.json",
          "--file", f"{tmp_path / 'seal.root'}=/caisson/seal.root", program=BIN / "guest_probe",
          arguments=["/caisson/real", "--lineage", lineage, "--manifest", "/caisson/manifest-1.json", "--serve", "eip155:7001"])
    log = boot(tmp_path, kernel, tmp_path / "guest")
    assert "caisson-enclave: ready" in log, log
    assert re.search(r"probe: answer of type 3, \d+ bytes, simulated", log), log
    assert "insecure: the backend is simulated" in log and "secrets are in ordinary memory" not in log


def test_a_guest_without_its_hardware_ends(tmp_path):
    """The image as an operator would make it, on a machine that has no TEE: the enclave says so, and the machine goes off."""
    kernel, modules = find_kernel()
    manifest, lineage = sample_manifest(tmp_path, BIN / "caisson-enclave")
    image(tmp_path / "guest", *modules_of(modules), "--seal-root", "/caisson/manifest-1.json", "--file", f"{manifest}=/caisson/manifest-1.json",
          arguments=["--tee", "tsm", "--lineage", lineage, "--manifest", "/caisson/manifest-1.json"])
    log = boot(tmp_path, kernel, tmp_path / "guest")
    assert "caisson-enclave: unavailable" in log and "the enclave has ended: exit code 71" in log and "ready" not in log, log
