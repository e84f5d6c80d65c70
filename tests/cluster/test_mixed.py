"""One cluster of every kind of hardware: simulated, TPM (swtpm), and evidence in the layouts of SGX, TDX and SEV-SNP under test roots
behind stand-ins for the kernel's interfaces (lib.machines). What they share, what they do not learn of each other, and whom they refuse."""
from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from pathlib import Path

import pytest

from lib import swtpm, tools
from lib.cluster import Cluster, Refused
from lib.machines import Machine, Operator, Sgx, Snp, Tdx, Tpm
from lib.rpc import wait_for
from lib.tools import free_ports

SOON_S = 120
VECTORS = tools.ROOT / "tests" / "vectors" / "attestation"
KINDS = ("simulated", "tpm", "tdx", "snp", "sgx")


@pytest.fixture(scope="module", autouse=True)
def has_tpm():
    if not (tools.find_build() / "bin" / "caisson-tpm-quoter").exists():
        pytest.skip("built without tpm2-tss: there is no caisson-tpm-quoter")
    if swtpm.missing():
        pytest.skip(swtpm.missing())


class Relay:
    """TCP in between: what went each way of each connection."""

    def __init__(self, to: str):
        host, port = to.split(":")
        self.to, self.said = (host, int(port)), []
        self.server = socket.create_server(("127.0.0.1", free_ports(1)[0]))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            server, both = socket.create_connection(self.to), (bytearray(), bytearray())
            self.said.append(both)
            for source, sink, kept in ((client, server, both[0]), (server, client, both[1])):
                threading.Thread(target=self._carry, args=(source, sink, kept), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        try:
            while data := source.recv(65536):
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self.server.close()


class Mixed:
    """A simulated key server; on each kind of machine a guard and a worker. Workers reach each other through relays."""

    def __init__(self, folder: Path):
        self.operator = Operator()
        self.machines: list[Machine] = [Tpm(folder / "tpm", self.operator), Tdx(folder / "tdx"), Snp(folder / "snp"), Sgx(folder / "sgx")]
        self.folder = folder
        self.cluster = Cluster(folder / "cluster", machines=self.machines)
        self.relays: list[Relay] = []

    def start(self) -> "Mixed":
        cluster = self.cluster
        cluster.add_key_server().start().ready().ask("create")
        for machine in (None, *self.machines):
            cluster.add_worker(cluster.add_guard(machine=machine).start(), machine=machine)
        self.relays = [Relay(worker.settings["listen"]) for worker in cluster.workers]
        for worker in cluster.workers:
            worker.settings["peers"] = [relay.address for relay in self.relays]
            worker.start()
        for process in cluster.everybody():
            process.ready()
        for worker in cluster.workers:
            wait_for(worker.joined, SOON_S, f"{worker.name} to join ({worker.log})")
        return self

    def stop(self) -> None:
        self.cluster.stop()
        for relay in self.relays:
            relay.close()
        for machine in self.machines:
            machine.close()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    m = Mixed(tmp_path_factory.mktemp("mixed"))
    try:
        yield m.start()
    finally:
        m.stop()


@pytest.fixture
def stranger(mixed):
    """A worker more, for a machine of its own: it goes with the test."""
    made = []

    def add(machine: Machine, guard: int):
        made.append((mixed.cluster.add_worker(mixed.cluster.guards[guard], machine=machine), machine))
        return made[-1][0].start()
    yield add
    for worker, machine in made:
        worker.stop()
        mixed.cluster.workers.remove(worker)
        if machine not in mixed.machines:
            machine.close()


def refused_with(worker, *words: str) -> None:
    wait_for(lambda: worker.metric("refused") > 0, SOON_S, "a refusal")
    assert not worker.joined()
    with pytest.raises(Refused, match="no-key"):
        worker.seal(b"anything")
    log = worker.log.read_text()
    assert all(word in log for word in words), log


# ---- what they share ----

def test_the_key_server_has_seen_every_kind(mixed):
    peers = mixed.cluster.key_servers[0].status()["peers"]
    assert {peer["build"] for peer in peers} == {"guard 1"} | {f"guard on {kind}" for kind in KINDS[1:]}
    # Every maker names its machine, and nobody names a simulated one. SGX's and TDX's evidence are of one test platform, of two kinds.
    named = [peer["platform"] for peer in peers if peer["platform"]]
    assert len(named) == len(set(named)) == 4
    assert [peer["build"] for peer in peers if not peer["platform"]] == ["guard 1"]


def test_everybody_opens_what_everybody_seals(mixed):
    for worker in mixed.cluster.workers:
        sealed = worker.seal(b"of " + worker.name.encode())
        for other in mixed.cluster.workers:
            assert other.open(sealed) == b"of " + worker.name.encode()


def test_everything_is_marked_insecure(mixed):
    """Test roots and simulated peers shout, whatever hardware a process itself claims to have."""
    for process in mixed.cluster.everybody():
        assert process.status()["insecure"] is True
        assert "insecure: " in process.log.read_text()


# ---- what they do not learn ----

def certificate_of(worker) -> bytes:
    """As any client of its port is shown it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = worker.settings["listen"].split(":")
    with socket.create_connection((host, int(port)), 20) as s, context.wrap_socket(s) as tls:
        assert tls.version() == "TLSv1.3"
        return tls.getpeercert(binary_form=True)


def without_its_own(der: bytes) -> bytes:
    """The certificate with zeros for what is random, a date, or the key or its hash."""
    out = bytearray(der)

    def clear(at: int, size: int) -> None:
        out[at:at + size] = bytes(size)
    clear(der.index(bytes.fromhex("a0030201020210")) + 7, 16)  # serial
    for found in re.finditer(rb"\x17\x0d[0-9]{12}Z", der):
        clear(found.start() + 2, 13)
    clear(der.rindex(b"caisson ") + 8, 32)  # subject
    clear(der.index(bytes.fromhex("302a300506032b6570032100")) + 12, 32)
    at = der.index(bytes.fromhex("0603551d0e04")) + 9  # hash of the key
    clear(at, der[at - 1])
    clear(len(der) - 64, 64)  # signature
    return bytes(out)


def test_certificates_do_not_name_the_hardware(mixed):
    shown = [without_its_own(certificate_of(worker)) for worker in mixed.cluster.workers]
    assert len(set(shown)) == 1, "but for keys and dates they are one"
    assert not [word for word in (*KINDS, "worker on") if word.encode() in shown[0]]


def shape(stream: bytes) -> list[tuple[int, int]]:
    """Type and size of each TLS record."""
    out, at = [], 0
    while at + 5 <= len(stream):
        size = int.from_bytes(stream[at + 3:at + 5], "big")
        out.append((stream[at], size))
        at += 5 + size
    return out


def test_shares_look_the_same_between_all_kinds(mixed):
    """Mutual TLS with the issued certificates between every two: the same records of the same sizes."""
    plain, workers = b"over mutual TLS, under the cluster's key", mixed.cluster.workers
    for relay in mixed.relays:
        relay.said.clear()
    for worker in workers:
        for place, other in enumerate(workers):
            if other is not worker:
                assert worker.share(place, plain) == hashlib.sha256(plain).digest()
    said = [(shape(up), shape(down)) for relay in mixed.relays for up, down in relay.said]
    assert len(said) == len(workers) * (len(workers) - 1)
    # The end of a connection may be told by one side or by both, and is not counted.
    trimmed = {(tuple(up[:5]), tuple(down[:4])) for up, down in said}
    assert len(trimmed) == 1, trimmed
    sealed = [worker.seal(plain) for worker in workers]
    assert len({(data[:9], len(data)) for data in sealed}) == 1, "version and epoch stand in front, the rest is random"


def test_workers_know_their_own_kind_alone(mixed):
    """No log of a worker names another kind of hardware."""
    for kind, worker in zip(KINDS, mixed.cluster.workers):
        log = worker.log.read_text().replace("the backend is simulated", "").replace("cluster-enclave", "")
        others = [other for other in KINDS[1:] if other != kind and re.search(rf"\b{other}\b", log)]
        assert not others, log


# ---- who gets nothing ----

@pytest.mark.parametrize("kind, name", [(Tdx, "dcap/dcap-qvl/tdx_quote"), (Snp, "snp/go-sev-guest/attestation.bin"),
                                        (Sgx, "dcap/dcap-qvl/sgx_quote")])
def test_a_recorded_quote_cannot_bind_a_new_key(mixed, stranger, tmp_path, kind, name):
    """A real machine's quote, given by the interface whatever it is asked: the process starts on no such hardware. (Shown over the network by
    a program that is not ours it is `wrong-key`: tests/unit/enclave/cluster, a_recorded_quote_binds_no_key.)"""
    recorded = (VECTORS / name).read_bytes()
    machine = kind(tmp_path / "machine", answer=lambda data: recorded)
    worker = stranger(machine, 0)
    assert worker.process.popen.wait(SOON_S) == 1
    assert "not-bound" in worker.log.read_text()
    assert machine.served.asked and not (worker.folder / "state.sealed").exists()


def test_a_machine_that_is_not_enrolled(mixed, stranger, tmp_path):
    worker = stranger(Tpm(tmp_path / "tpm", mixed.operator, enrolled=False), 0).ready()
    refused_with(worker, "forbidden", "ak-trust")


def test_a_machine_that_another_operator_enrolled(mixed, stranger, tmp_path):
    class Other(Operator):
        def __init__(self):
            from lib.tee import Key, ca_extensions, certify, name
            super().__init__()
            self.root = certify(Key("another operator's root", "p256"), name(("CN", "operator")), None, algorithm="ecdsa-sha256",
                                serial=1, start=1600000000, end=2300000000, extensions=ca_extensions())
    worker = stranger(Tpm(tmp_path / "tpm", Other()), 0).ready()
    refused_with(worker, "forbidden", "ak-certificate")


def test_other_firmware_is_another_build(mixed, stranger, tmp_path):
    worker = stranger(Tpm(tmp_path / "tpm", mixed.operator, firmware=b"other firmware"), 0).ready()
    refused_with(worker, "unlisted-build")


def test_a_guard_vouches_for_its_own_machine(mixed, stranger, tmp_path):
    """The TPM's guard, for a worker whose quote is another TPM's. Where the guard cannot tell, the same machine joins."""
    elsewhere = Tpm(tmp_path / "tpm", mixed.operator)
    worker = stranger(elsewhere, 1).ready()
    refused_with(worker, "forbidden", "another machine")
    worker.stop()
    worker.settings["local"] = str(mixed.cluster.guards[0].folder / "guard.sock")
    worker.start().ready()
    wait_for(worker.joined, SOON_S, "joining beside a guard of no hardware")


def test_evidence_without_its_collateral(mixed, stranger, tmp_path):
    class Bare(Tdx):
        def collateral(self):
            return {}
    worker = stranger(Bare(tmp_path / "tdx"), 0).ready()
    refused_with(worker, "forbidden")


def test_a_root_that_the_manifest_does_not_name(mixed, stranger, tmp_path):
    class Milan(Snp):
        product = "Milan"
    worker = stranger(Milan(tmp_path / "snp"), 0).ready()
    refused_with(worker, "forbidden", "chain")


def test_hardware_that_is_not_there(mixed, stranger, tmp_path):
    class Missing(Machine):
        def prepare(self, folder):
            return {"tee": "tsm", "args": ["--insecure-tee-root", str(tmp_path / "nothing"), "--insecure-gateway-inside"]}
    worker = stranger(Missing(), 0)
    wait_for(lambda: "unavailable: there is no" in worker.log.read_text(), SOON_S, "the word of what was looked for")
    with pytest.raises(OSError):
        worker.joined()


# ---- what changes the cluster: each test has its own ----

def test_a_worker_on_a_tpm_comes_back(tmp_path):
    """Its sealed state opens under the TPM's sealing root, without asking anybody; another TPM does not open it."""
    operator = Operator()
    machine, other = Tpm(tmp_path / "tpm", operator), Tpm(tmp_path / "other", operator)
    try:
        with Cluster(tmp_path / "cluster", machines=[machine]) as cluster:
            cluster.add_key_server().start().ready().ask("create")
            worker = cluster.add_worker(cluster.add_guard(machine=machine).start().ready(), machine=machine).start().ready()
            wait_for(worker.joined, SOON_S, "joining")
            key = worker.status()["key"]
            for process in cluster.key_servers + cluster.guards:
                process.kill()
            worker.kill()
            worker.start().ready()
            assert worker.status()["key"] == key and worker.joined()
            worker.stop()
            worker.machine = other
            worker.start()
            wait_for(lambda: "seal-broken" in worker.log.read_text(), SOON_S, "the refusal")
    finally:
        machine.close()
        other.close()


def test_a_revoked_platform(tmp_path):
    """Its host starts the same build with another key, beside another guard: the machine itself is refused."""
    operator = Operator()
    machine = Tpm(tmp_path / "tpm", operator)
    try:
        with Cluster(tmp_path / "cluster", machines=[machine]) as cluster:
            ks = cluster.add_key_server().start().ready()
            ks.ask("create")
            guard = cluster.add_guard(machine=machine).start().ready()
            wait_for(lambda: guard.metric("met") > 0, SOON_S, "the key server")
            worker = cluster.add_worker(cluster.add_guard().start().ready(), machine=machine).start().ready()
            wait_for(worker.joined, SOON_S, "joining")
            platform = [peer["platform"] for peer in ks.status()["peers"] if peer["platform"]][0]
            ks.ask("revoke", bytes.fromhex(platform))
            worker.stop()
            (worker.folder / "state.sealed").unlink()
            worker.start().ready()
            wait_for(lambda: "revoked" in worker.log.read_text(), SOON_S, "the reason")
            assert not worker.joined()
            guard.stop()
            (guard.folder / "state.sealed").unlink()
            guard.start().ready()
            wait_for(lambda: "revoked" in guard.log.read_text(), SOON_S, "the guard's reason")
    finally:
        machine.close()


@pytest.fixture
def on_tpm(tmp_path):
    """A key server on a TPM, and its machine."""
    machine = Tpm(tmp_path / "tpm", Operator())
    with Cluster(tmp_path / "cluster", machines=[machine]) as cluster:
        ks = cluster.add_key_server(machine=machine).start().ready()
        ks.ask("create")
        yield ks, machine
    machine.close()


def ends_with(process, code: str) -> None:
    process.start()
    assert process.process.popen.wait(SOON_S) == 1
    assert f": {code}: " in process.log.read_text()


def test_a_key_server_s_old_state_is_refused_at_its_start(on_tpm):
    """No guard has met it: the TPM alone knows."""
    ks, machine = on_tpm
    state = ks.folder / "state.sealed"
    old = state.read_bytes()
    ks.ask("rotate")
    new = state.read_bytes()
    ks.kill()
    state.write_bytes(old)
    ends_with(ks, "rolled-back")
    state.write_bytes(new)
    ks.start().ready()
    assert ks.status()["epochs"][-1]["number"] == 2 and ks.status()["state"] == "serving"


def test_a_state_that_was_kept_and_not_recorded(on_tpm):
    """The process ended in between: the newer state is good, and after it the older one is not."""
    ks, machine = on_tpm
    state = ks.folder / "state.sealed"
    old = state.read_bytes()
    machine.save()
    ks.ask("rotate")
    ks.kill()
    # As if epoch 2 had not been recorded: the machine's TPM of before, with the state of after.
    machine.put_back()
    ks.start().ready()
    assert ks.status()["epochs"][-1]["number"] == 2
    ks.kill()
    state.write_bytes(old)
    ends_with(ks, "rolled-back")


def test_a_record_that_was_taken_away(on_tpm):
    """The owner of a TPM can take an index away and make another; nobody else's has the authorization, and none the number."""
    ks, machine = on_tpm
    (index,) = machine.shared.indices()
    assert machine.shared.write(index, bytes(80)) != 0, "not even the owner writes it"
    ks.kill()
    machine.shared.undefine(index)
    ends_with(ks, "rolled-back")
    # Without a state it begins a record of its own, to which the old state does not belong.
    state = (ks.folder / "state.sealed").read_bytes()
    (ks.folder / "state.sealed").unlink()
    ks.start().ready()
    assert machine.shared.indices() == [index] and ks.status()["state"] == "none"
    ks.kill()
    (ks.folder / "state.sealed").write_bytes(state)
    ends_with(ks, "rolled-back")
