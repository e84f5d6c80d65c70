"""caisson-enclave as a process: start, refusals at the start, clients that come and go, SIGKILL, the sandbox."""
from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from enclave import manifests
from enclave.boundary import Client, Enclave, Refused, TYPES, encode, insecure_bits, measurement, program
from lib import crypto, report, tools

ROOT = b"r" * 32


@pytest.fixture
def setup(tmp_path):
    path = tmp_path / "m1.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())]))
    return tmp_path, path, lineage


@pytest.fixture
def enclave(setup):
    folder, path, lineage = setup
    with Enclave(folder, [path], lineage, ROOT) as e:
        yield e


BITS = insecure_bits()


def ended(e: Enclave) -> int:
    return e.popen.wait(20)


# --- hello and the rules of frames -----------------------------------------------------------------------------------


def test_hello_tells_what_it_is(enclave, setup):
    _, _, lineage = setup
    hello = enclave.client().hello(b"\x42" * 32)
    assert hello["measurement"].hex() == measurement(program())
    assert "0x" + hello["lineage"].hex() == "0x" + hello["manifest_hash"].hex() == lineage
    assert hello["nonce"] == b"\x42" * 32 and hello["backend"] == "simulated"
    digest = (tools.ROOT / "wire" / "schema.lock").read_text().split()[0]
    assert hello["schema_digest"].hex() == digest
    assert hello["insecure_flags"] & BITS["simulated_backend"]
    assert hello["evidence"].startswith(b"caisson/evidence/simulated/v1\0")
    assert hello["evidence"].endswith(hello["report_data"])


def test_report_data_is_the_documented_preimage(enclave):
    client = enclave.client()
    client.hello()
    client.call("Init")
    hello = client.hello(b"\x09" * 32)
    assert hello["keys"]
    assert hello["report_data"] == report.of_hello("bridge-enclave", hello)


def test_status_is_signed(enclave):
    client = enclave.client()
    client.hello()
    client.call("Init")
    status = client.call("Status", nonce=b"\x05" * 32)
    word = lambda number: number.to_bytes(32, "big")  # noqa: E731
    rows = b"".join(c["chain"] + word(c["head_height"]) + word(c["final_height"]) + c["final_hash"]
                    + word(c["final_time_s"]) + word(c["frozen"] | c["insecure_dev_head"] << 1)
                    for c in status["clients"])
    digest = crypto.keccak(crypto.keccak(b"caisson/status/v1/insecure") + status["nonce"] + status["manifest_hash"]
                           + word(status["manifest_number"]) + word(status["insecure_flags"]) + crypto.keccak(rows))
    assert status["digest"] == digest
    assert crypto.schnorr_verify(status["public_key"], digest, status["signature"])


def test_hello_comes_first_on_every_connection(enclave):
    for _ in range(2):
        client = enclave.client()
        with pytest.raises(Refused, match="UNAUTHORIZED"):
            client.call("Init")
        client.hello()
        client.call("PublicKeys")
        client.close()


def test_a_refusal_of_hello_does_not_greet(enclave):
    client = enclave.client()
    with pytest.raises(Refused, match="INVALID|MISSING_FIELD"):
        client.call("Hello", nonce=b"short")
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        client.call("PublicKeys")


def test_many_requests_in_flight_are_answered_in_order(enclave):
    client = enclave.client()
    client.hello()
    idents = [client.send_raw(TYPES["PublicKeys"], b"") for _ in range(100)]
    assert [client.receive()[1] for _ in idents] == idents


def test_a_frame_in_single_bytes(enclave):
    client = enclave.client()
    body = encode("HelloRequest", {"nonce": b"\x01" * 32})
    for byte in struct.pack(">IHHQ", len(body), 2, 0, 77) + body:
        client.socket.sendall(bytes([byte]))
    assert client.receive()[:2] == (3, 77)


@pytest.mark.parametrize("head", [
    struct.pack(">IHHQ", 2 * 1024 * 1024 + 1, 2, 0, 1),
    struct.pack(">IHHQ", 0xFFFFFFFF, 2, 0, 1),
    struct.pack(">IHHQ", 0, 2, 1, 1),
    struct.pack(">IHHQ", 0, 999, 0, 1),
], ids=["above the bound", "huge", "reserved bytes", "unknown type"])
def test_a_broken_frame_ends_the_connection_only(enclave, head):
    client = enclave.client()
    client.socket.sendall(head)
    with pytest.raises(ConnectionError):
        client.receive()
    enclave.client().hello()


@pytest.mark.parametrize("body, error", [
    (b"\x0a\x20" + bytes(32) + b"\x10\x01", "UNKNOWN_FIELD"),
    (b"\x0a\x1f" + bytes(31), "INVALID"),
    (b"\x0a\x20" + bytes(30), "TRUNCATED"),
    (b"", "MISSING_FIELD"),
    ((b"\x0a\x20" + bytes(32)) * 2, "DUPLICATE"),
], ids=["unknown field", "wrong size", "truncated", "missing", "twice"])
def test_a_broken_body_is_answered(enclave, body, error):
    client = enclave.client()
    client.send_raw(2, body)
    kind, _, _ = client.receive()
    assert kind == 1
    client.send_raw(2, body)
    with pytest.raises(Refused, match=error):
        _, _, reply = client.receive()
        from enclave.boundary import decode
        refusal = decode("ErrorReply", reply)
        raise Refused(refusal["code"], refusal["why"])
    client.hello()


def test_replies_are_no_requests(enclave):
    client = enclave.client()
    client.hello()
    client.send_raw(3, b"")
    assert client.receive()[0] == 1


# --- clients that come and go, SIGKILL ------------------------------------------------------------------------------


def test_a_gateway_that_was_killed_comes_back_to_its_keys(enclave):
    client = enclave.client()
    client.hello()
    keys = client.call("Init")["keys"]
    client.send_raw(TYPES["PublicKeys"], b"")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # without reading the answer
    again = enclave.client()
    assert again.hello()["keys"] == keys
    assert enclave.popen.poll() is None


def test_the_next_client_waits_until_the_first_one_goes(enclave):
    first, second = enclave.client(), enclave.client()
    first.hello()
    second.send_raw(2, encode("HelloRequest", {"nonce": b"\x02" * 32}))
    first.call("PublicKeys")
    first.close()
    assert second.receive()[0] == 3


def test_killed_and_started_again_it_has_its_keys_from_the_sealed_state(setup):
    folder, path, lineage = setup
    with Enclave(folder, [path], lineage, ROOT) as e:
        client = e.client()
        client.hello()
        made = client.call("Init")
        e.popen.kill()
    with Enclave(folder, [path], lineage, ROOT) as e:
        client = e.client()
        assert client.hello()["keys"] == []
        assert client.call("Import", sealed=made["sealed"])["keys"] == made["keys"]
        assert client.call("Init")["keys"] == made["keys"]


def test_under_another_sealing_root_the_state_stays_shut(setup):
    folder, path, lineage = setup
    with Enclave(folder, [path], lineage, ROOT) as e:
        client = e.client()
        client.hello()
        sealed = client.call("Init")["sealed"]
    with Enclave(folder, [path], lineage, b"x" * 32) as e:
        client = e.client()
        client.hello()
        with pytest.raises(Refused, match="SEAL_BROKEN"):
            client.call("Import", sealed=sealed)


# --- refusals at the start -----------------------------------------------------------------------------------------


def test_a_build_that_the_manifest_does_not_list_does_not_start(tmp_path):
    path = tmp_path / "m.json"
    lineage = manifests.write(path, manifests.body(["0x" + "01" * 32]))
    with Enclave(tmp_path, [path], lineage, ROOT) as e:
        assert ended(e) == 65
        assert "unlisted-build" in e.log.read_text()


def test_another_lineage_does_not_start(setup):
    folder, path, _ = setup
    with Enclave(folder, [path], "0x" + "00" * 32, ROOT) as e:
        assert ended(e) == 65
        assert "wrong-lineage" in e.log.read_text()


def test_a_short_sealing_root_does_not_start(setup):
    folder, path, lineage = setup
    for root in (b"r" * 31, b"r" * 33):
        with Enclave(folder, [path], lineage, root) as e:
            assert ended(e) == 65


def test_a_manifest_with_a_space_does_not_start(setup):
    folder, path, lineage = setup
    path.write_bytes(path.read_bytes().replace(b'":', b'": ', 1))
    with Enclave(folder, [path], lineage, ROOT) as e:
        assert ended(e) == 65
        assert "non-canonical" in e.log.read_text()


def test_the_second_manifest_of_a_lineage(tmp_path):
    build = "0x" + measurement(program())
    first, second = tmp_path / "m1.json", tmp_path / "m2.json"
    lineage = manifests.write(first, manifests.body([build]))
    newest = manifests.write(second, manifests.body([build], number=2, previous=lineage))
    with Enclave(tmp_path, [first, second], lineage, ROOT) as e:
        hello = e.client().hello()
        assert hello["manifest_number"] == 2 and "0x" + hello["manifest_hash"].hex() == newest
        assert "0x" + hello["lineage"].hex() == lineage


def test_a_manifest_signed_by_a_stranger_does_not_follow(tmp_path):
    build = "0x" + measurement(program())
    stranger = 0xBAD
    first, second = tmp_path / "m1.json", tmp_path / "m2.json"
    lineage = manifests.write(first, manifests.body([build]))
    inner = manifests.body([build], number=2, previous=lineage)
    inner["administrators"] = {"keys": ["0x" + manifests.tool.ev.public_x(stranger).hex()], "threshold": 1}
    manifests.write(second, inner, [stranger])
    with Enclave(tmp_path, [first, second], lineage, ROOT) as e:
        assert ended(e) == 65
        assert "wrong-key" in e.log.read_text()


def test_a_chain_that_is_not_in_the_manifest_is_not_served(setup):
    folder, path, lineage = setup
    with Enclave(folder, [path], lineage, ROOT, serve=["eip155:4"]) as e:
        assert ended(e) == 65
        assert "not-in-manifest" in e.log.read_text()


def test_arguments_are_checked():
    for argv in ([], ["--listen-fd", "x"], ["--unknown", "1"], ["--seal-root-fd"]):
        assert subprocess.run([program(), *argv], capture_output=True).returncode == 64


@pytest.mark.parametrize("listens, code", [(False, 65), (True, 71)])
def test_a_descriptor_that_is_no_listening_unix_socket(setup, listens, code):
    folder, path, lineage = setup
    with socket.socket(socket.AF_INET) as other:
        other.bind(("127.0.0.1", 0))
        if listens:
            other.listen()
        read, write = os.pipe()
        os.write(write, ROOT)
        os.close(write)
        run = subprocess.run([program(), "--listen-fd", str(other.fileno()), "--seal-root-fd", str(read), "--lineage",
                              lineage, "--manifest", path], pass_fds=[other.fileno(), read], capture_output=True,
                             timeout=20)
        os.close(read)
        assert run.returncode == code


# --- the sandbox ----------------------------------------------------------------------------------------------------

PROBES = {"open": 1, "execve": 2, "network socket": 3, "ptrace": 4, "fork": 5, "writable code": 6}


def probing(enclave) -> Client:
    client = enclave.client()
    flags = client.hello()["insecure_flags"]
    if not flags & BITS["test_probes"]:
        pytest.skip("this build has no test probes")
    if flags & BITS["sanitizer"]:
        pytest.skip("an instrumented build has a wider filter")
    return client


def test_a_release_lacks_what_is_for_tests(enclave, tmp_path):
    """The program that is shipped neither tries what its sandbox refuses nor takes a development chain's word for finality."""
    client = enclave.client()
    hello = client.hello()
    if hello["insecure_flags"] & BITS["test_probes"]:
        pytest.skip("this build has test probes")
    with pytest.raises(Refused, match="UNSUPPORTED"):
        client.call("Probe", what=PROBES["open"])
    chain = manifests.chain(finality={"mode": "insecure_dev_head", "epoch": 0, "confirmations": 2})
    path = tmp_path / "dev.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())], chains=[chain]))
    with Enclave(tmp_path, [path], lineage, ROOT) as e:
        assert ended(e) == 65
        assert "insecure_dev_head" in e.log.read_text()


@pytest.mark.parametrize("what", PROBES)
def test_the_sandbox_kills_what_tries(enclave, what):
    client = probing(enclave)
    client.send_raw(TYPES["Probe"], encode("ProbeRequest", {"what": PROBES[what]}))
    with pytest.raises(ConnectionError):
        client.receive()
    assert ended(enclave) == -signal.SIGSYS


def test_a_crash_leaves_no_core(enclave):
    client = probing(enclave)
    client.send_raw(TYPES["Probe"], encode("ProbeRequest", {"what": 7}))
    with pytest.raises(ConnectionError):
        client.receive()
    _, status = os.waitpid(enclave.popen.pid, 0)
    enclave.popen.returncode = -os.WTERMSIG(status)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGILL
    assert not os.WCOREDUMP(status)


def test_the_kernel_sees_the_properties(enclave):
    enclave.client().hello()
    pid = enclave.popen.pid
    with open(f"/proc/{pid}/status") as f:
        status = f.read()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    with open(f"/proc/{pid}/limits") as f:
        core = next(line for line in f if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    with open(f"/proc/{pid}/net/dev") as f:
        names = {line.split(":")[0].strip() for line in f.readlines()[2:]}
    assert names <= {"lo"}
    with open(f"/proc/{pid}/maps") as f:
        assert "secretmem" in f.read()


def test_nothing_but_hello_lines_is_printed(enclave):
    client = enclave.client()
    client.hello()
    sealed = client.call("Init")["sealed"]
    lines = enclave.log.read_text().splitlines()
    assert lines[-1] == "caisson-enclave: ready"
    assert all(line.startswith("caisson-enclave: insecure: ") for line in lines[:-1])
    assert ROOT not in sealed


def test_a_missing_filter_needs_its_flag_and_is_told(setup):
    folder, path, lineage = setup
    with Enclave(folder, [path], lineage, ROOT, flags=["insecure-no-seccomp"]) as e:
        flags = e.client().hello()["insecure_flags"]
        assert flags & BITS["no_seccomp"] and not flags & BITS["network"]
        assert "no seccomp filter" in e.log.read_text()


# What a wrapper's own filter answers with EPERM before it becomes the enclave; and the option that tolerates it.
MISSING = {
    "network": ("SCMP_SYS(unshare), 0", "insecure-network"),
    "plain_memory": ("447, 0", "insecure-plain-memory"),  # memfd_secret
    "core_dumps": ("SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE, 0)", "insecure-core-dumps"),
    "new_privileges": ("SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS, 0)", "insecure-new-privileges"),
    "no_seccomp": ("SCMP_SYS(seccomp), 0", "insecure-no-seccomp"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_property_needs_its_own_flag(setup, name):
    if os.geteuid() != 0:
        pytest.skip("only root can take a property away without setting no_new_privs")
    folder, path, lineage = setup
    rule, flag = MISSING[name]
    wrapper, source = folder / "without", folder / "without.c"
    source.write_text(WITHOUT.replace("RULE", rule))
    build = subprocess.run(["cc", "-o", wrapper, source, "-lseccomp"], capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    others = [f for _, f in MISSING.values() if f != flag]
    # All the other options do not help: each property has its own. (Without a filter nothing needs its load to work.)
    others = [f for f in others if f != "insecure-no-seccomp"]
    with Wrapped(folder, path, lineage, wrapper, others) as e:
        assert ended(e) == 69
        assert f"--{flag}" in e.log.read_text()
    with Wrapped(folder, path, lineage, wrapper, [flag]) as e:
        flags = e.client().hello()["insecure_flags"]
        assert flags & BITS[name]
        assert not any(flags & BITS[other] for other in MISSING if other != name)


def test_an_ordinary_user_has_the_same_sandbox(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("it is one already")
    with tempfile.TemporaryDirectory(prefix="cs") as open_folder:
        os.chmod(open_folder, 0o755)
        path = Path(open_folder) / "m.json"
        lineage = manifests.write(path, manifests.body(["0x" + measurement(program())]))
        copy = Path(open_folder) / "caisson-enclave"
        shutil.copy(program(), copy)
        real = subprocess.Popen

        def as_nobody(argv, **options):
            return real(argv, **{**options, "user": 65534, "group": 65534, "extra_groups": []})

        subprocess.Popen = as_nobody
        try:
            e = Enclave(tmp_path, [path], lineage, ROOT, binary=copy)
        finally:
            subprocess.Popen = real
        with e:
            flags = e.client().hello()["insecure_flags"]
            assert not any(flags & BITS[name] for name in MISSING)


def test_other_descriptors_are_closed(setup):
    folder, path, lineage = setup
    with socket.socket(socket.AF_INET) as other:
        real = subprocess.Popen

        def inheriting(argv, **options):
            return real(argv, **{**options, "pass_fds": [*options["pass_fds"], other.fileno()]})

        subprocess.Popen = inheriting
        try:
            e = Enclave(folder, [path], lineage, ROOT)
        finally:
            subprocess.Popen = real
    with e:
        client = e.client()  # held: its end is one of the two
        client.hello()
        links = {os.readlink(f"/proc/{e.popen.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{e.popen.pid}/fd") if int(fd) > 2}
        assert len(links) == 2 and all(link.startswith("socket:") for link in links)
        client.close()


def test_a_listening_socket_that_does_not_wait(setup):
    """As an event loop makes it."""
    folder, path, lineage = setup
    real = socket.socket.listen

    def listen(self, backlog):
        self.setblocking(False)
        real(self, backlog)

    socket.socket.listen = listen
    try:
        e = Enclave(folder, [path], lineage, ROOT)
    finally:
        socket.socket.listen = real
    with e:
        e.client().hello()


WITHOUT = """
#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (argc < 2 || filter == NULL || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) != 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), RULE) != 0 || seccomp_load(filter) != 0)
		return 99;
	execv(argv[1], argv + 1);
	return 99;
}
"""


class Wrapped(Enclave):
    """Started through a program that takes something away first."""

    def __init__(self, folder, path, lineage, wrapper, flags):
        self.wrapper = wrapper
        real = subprocess.Popen

        def through(argv, **options):
            return real([str(wrapper), *argv], **options)

        subprocess.Popen = through
        try:
            super().__init__(folder, [path], lineage, ROOT, flags)
        finally:
            subprocess.Popen = real


# --- what it imports ------------------------------------------------------------------------------------------------


# Which lines of enclave/symbols.allow beside those of every enclave, and which libraries.
PROGRAMS = {"caisson-enclave": ({"attested", "fetch", "tls"}, {"libssl", "libnghttp2"}),
            "caisson-oracle-enclave": ({"attested", "fetch", "oracle", "tls"}, {"libssl", "libnghttp2", "libsodium"}),
            "caisson-cluster-enclave": ({"cluster", "tls"}, {"libssl"})}


def imports_of(binary: Path) -> set[str]:
    shown = subprocess.run(["nm", "-D", "--undefined-only", binary], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in shown.splitlines()}
    if any(name.startswith(("__asan", "__ubsan", "__tsan")) for name in names):
        pytest.skip("an instrumented build imports its runtime")
    return names


@pytest.mark.parametrize("name", PROGRAMS)
def test_imports_are_the_allowed_ones(name):
    binary = program(name)
    imports = imports_of(binary)
    parts = set(PROGRAMS[name][0])
    if "CAISSON_TEST_PROBES:BOOL=ON" in (binary.parent.parent / "CMakeCache.txt").read_text():
        parts.add("probes")
    lines = [line.split() for line in (tools.ROOT / "enclave" / "symbols.allow").read_text().splitlines()
             if line and not line.startswith("#")]
    assert {line[0] for line in lines if len(line) == 2} == {"attested", "cluster", "fetch", "oracle", "probes", "tls"}
    allowed = {line[-1] for line in lines if len(line) == 1 or line[0] in parts}
    assert imports <= allowed, f"new imports: {sorted(imports - allowed)}: a design decision, see enclave/symbols.allow"


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_enclave_can_connect(name):
    """The sandbox forbids it; the program does not even have the call."""
    assert not imports_of(program(name)) & {"connect", "listen"}


def test_a_bridge_links_no_scripts():
    """Fetches for providers of a chain it has (rpc_quorum); nothing that reads specs, runs scripts or opens secrets of others."""
    symbols = subprocess.run(["nm", program()], check=True, capture_output=True, text=True).stdout
    assert " enclave_step" in symbols
    assert not re.search(r" (lua_newstate|luaV_execute|vm_run|service_request|lookup_open|crypto_box_seal_open)$", symbols, re.MULTILINE)


@pytest.mark.parametrize("name", PROGRAMS)
def test_libraries_are_the_allowed_ones(name):
    shown = subprocess.run(["readelf", "-d", program(name)], check=True, capture_output=True, text=True).stdout
    needed = set(re.findall(r"NEEDED.*\[(\S+?)\.so", shown))
    imports_of(program(name))
    assert needed <= {"libc", "libcrypto", "libsecp256k1", "libnettle", "libprotobuf-c", "libseccomp"} | PROGRAMS[name][1]
