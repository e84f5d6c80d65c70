"""Finality by a quorum of RPC providers: caisson-enclave asks three TLS servers in front of a real anvil, each with a certificate of
a CA that the manifest trusts, through the egress proxy; and caisson-oracle-enclave, which asks sources too."""
from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import threading
import time

import pytest

import envelope_vectors as ev
from enclave import manifests
from enclave.boundary import Enclave, Refused, TYPES, encode, measurement, program
from enclave.relay import header_rlp
from enclave.test_process import BITS, PROBES, ROOT, ended
from lib import abi, chains, crypto, fetch, oracle, pki, provider
from lib.oracle import spec
from lib.rpc import wait_for
from oracle_enclave.world import Caller

HOSTS = ["one.example.test", "two.example.org", "three.example.net"]
UNREACHABLE, TIMEOUT, TLS, REDIRECT, HTTP_STATUS, MALFORMED, NOT_FOUND = 16, 17, 18, 19, 20, 22, 32
BLOCKS = 30  # anvil calls final what is two epochs of one slot old: --slots-in-an-epoch 1


class Branches:
    """An anvil with two branches that leave each other on top of block `base`; it serves the first one."""

    def __init__(self, folder):
        self.chain = chains.Anvil(folder, 31337, mining="none", extra=["--slots-in-an-epoch", "1"])
        self.rpc = self.chain.rpc
        self.chain.mine(10)
        self.base = self.rpc.block_number()
        snapshot = self.rpc.call("evm_snapshot")
        self.rpc.call("anvil_setCoinbase", "0x" + "66" * 20)
        self.chain.mine(BLOCKS - self.base)
        self.other = [self.rpc.block(n) for n in range(BLOCKS + 1)]
        assert self.rpc.call("evm_revert", snapshot)
        self.rpc.call("anvil_setCoinbase", "0x" + "77" * 20)
        self.chain.mine(BLOCKS - self.base)
        self.main = [self.rpc.block(n) for n in range(BLOCKS + 1)]
        assert self.main[self.base]["hash"] == self.other[self.base]["hash"]
        assert self.main[self.base + 1]["hash"] != self.other[self.base + 1]["hash"]
        self.final = int(self.rpc.block("finalized")["number"], 16)
        assert self.base < self.final < BLOCKS


@pytest.fixture(scope="module")
def branches(tmp_path_factory):
    made = Branches(tmp_path_factory.mktemp("branches"))
    yield made
    made.chain.stop()


class World:
    """Three providers, an enclave whose manifest names them, and its host."""

    def __init__(self, folder, branches: Branches):
        self.folder, self.branches = folder, branches
        self.ca, self.stranger = pki.authority("private root"), pki.authority("a root that nobody trusts")
        self.store = folder / "store.pem"
        self.store.write_text(self.ca.pem + "\n")
        self.providers = [self.provider(i) for i in range(3)]
        self.path = folder / "m.json"
        self.proxies, self.enclaves = [], []

    def provider(self, index: int, issuer=None, names=None) -> provider.Provider:
        leaf = pki.issue("leaf", issuer or self.ca, names=names or [HOSTS[index]])
        return provider.Provider(self.folder / "servers", leaf, self.branches.chain.url)

    def row(self, rpc=(), **finality) -> dict:
        urls = [{"url": f"https://{host}:{p.port}/v1"} for host, p in zip(HOSTS, self.providers)]
        main = self.branches.main
        return manifests.chain(caip2="eip155:31337", genesis=main[0]["hash"], finality={
            "mode": "rpc_quorum", "epoch": 0, "drift_max_s": 10**6, "anchor_height": 0, "anchor_hash": main[0]["hash"],
            "anchor_age_max_s": 10**6, "trusting_period_s": 10**6, "reorg_margin_s": 0,
            "rpc": {"age_max_s": 10**6, "quorum": 2, "tag": "finalized", "providers": urls} | dict(rpc)} | finality)

    def manifest(self, row: dict | None = None, trust=(), **over) -> str:
        row = row or self.row()
        self.chain = ev.identity(row["caip2"], abi.to_bytes(row["genesis"]), abi.to_bytes(row["gateway"]))
        inner = manifests.body(["0x" + measurement(program(n)) for n in ("caisson-enclave", "caisson-oracle-enclave")], chains=[row], rpc={
            "address_literals": False, "logs": "0x" + "00" * 32, "private_networks": True,
            "private_cas": ["0x" + hashlib.sha256(self.ca.der).hexdigest()],
            "trust_store": "0x" + hashlib.sha256(self.store.read_bytes()).hexdigest()} | dict(trust), **over)
        return manifests.write(self.path, inner)

    def start(self, lineage: str, name: str = "caisson-enclave", **more) -> Enclave:
        proxy = fetch.Proxy(names={host: "127.0.0.1" for host in HOSTS})
        self.proxies.append(proxy)
        options = ["--egress-fd", str(proxy.end.fileno()), "--trust-store", str(self.store)]
        enclave = Enclave(self.folder, [self.path], lineage, ROOT, binary=program(name),
                          **{"options": options, "fds": [proxy.end.fileno()]} | more)
        self.enclaves.append(enclave)
        return enclave

    def begin(self, headers: int = BLOCKS, **row) -> Caller:
        """A client of a new enclave whose light client holds these headers of the main branch."""
        self.enclave = self.start(self.manifest(self.row(**row)))
        caller = Caller(self.enclave.path)
        caller.hello()
        caller.call("Init")
        caller.call("ClientCreate", chain=self.chain, header=header_rlp(self.branches.main[0]))
        self.feed(caller, self.branches.main, 1, headers)
        return caller

    def feed(self, caller, branch, first: int, last: int) -> dict:
        return caller.call("ClientUpdate", chain=self.chain, headers=[header_rlp(b) for b in branch[first:last + 1]])["status"]

    def ask(self, caller) -> dict:
        return caller.call("ClientQuorum", chain=self.chain)

    def close(self) -> None:
        for one in self.enclaves:
            one.stop()
        for one in [*self.proxies, *self.providers]:
            one.close()


@pytest.fixture
def world(tmp_path, branches):
    made = World(tmp_path, branches)
    yield made
    made.close()


def codes(reply: dict) -> list[int]:
    return [p["code"] for p in reply["providers"]]


# --- what is final


def test_all_agree(world, branches):
    caller = world.begin()
    assert caller.hello()["clients"][0]["final_height"] == 0
    reply = world.ask(caller)
    status, final = reply["status"], branches.main[branches.final]
    assert (status["final_height"], status["head_height"]) == (branches.final, BLOCKS)
    assert status["final_hash"] == abi.to_bytes(final["hash"]) and not status["frozen"] and not status["insecure_dev_head"]
    assert codes(reply) == [0, 0, 0] and reply["named_height"] == branches.final
    assert [(p["height"], p["hash"], p["time_s"]) for p in reply["providers"]] == [
        (branches.final, abi.to_bytes(final["hash"]), int(final["timestamp"], 16))] * 3
    # What a provider is asked is this, and nothing else.
    for one in world.providers:
        [(head, body)] = one.requests
        assert json.loads(body) == {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["finalized", False]}
        assert head.startswith(b"POST /v1 HTTP/1.1\r\n")
        names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
        assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"content-type", b"content-length"}, head
    # Connections are kept; another round says the same.
    assert world.ask(caller)["status"] == status
    assert [one.server.connections for one in world.providers] == [1, 1, 1]


def test_headers_may_come_after_the_answers(world, branches):
    caller = world.begin(headers=5)
    reply = world.ask(caller)
    assert reply["named_height"] == branches.final and reply["status"]["final_height"] == 0
    assert world.feed(caller, branches.main, 6, branches.final)["final_height"] == branches.final


def test_providers_that_are_apart_agree_on_what_they_have_in_common(world, branches):
    caller = world.begin()
    for one, height in zip(world.providers, (12, 18, 25)):
        one.block = branches.main[height]
    reply = world.ask(caller)
    assert reply["status"]["final_height"] == reply["named_height"] == 18


def test_one_lies(world, branches):
    caller = world.begin()
    world.providers[1].spoil = lambda answer: answer | {"result": answer["result"] | {"hash": "0x" + "ab" * 32}}
    assert world.ask(caller)["status"]["final_height"] == branches.final
    caller = world.begin()
    world.providers[1].spoil = lambda answer: answer | {"result": answer["result"] | {"number": hex(BLOCKS)}}
    reply = world.ask(caller)
    assert reply["status"]["final_height"] == branches.final and reply["providers"][1]["height"] == BLOCKS
    # Another branch: what it has in common with the others is no reason to wait, nor more.
    caller = world.begin()
    world.providers[1].spoil, world.providers[1].block = None, branches.other[25]
    world.providers[2].block = branches.main[5]
    world.feed(caller, branches.other, branches.base + 1, 25)
    assert world.ask(caller)["status"]["final_height"] == branches.base


def test_one_is_down(world, branches):
    caller = world.begin()
    world.providers[2].close()
    reply = world.ask(caller)
    assert codes(reply) == [0, 0, UNREACHABLE] and reply["providers"][2]["why"]
    assert reply["providers"][2]["hash"] == b""
    assert reply["status"]["final_height"] == branches.final


def test_two_are_down(world):
    caller = world.begin()
    for one in world.providers[1:]:
        one.close()
    reply = world.ask(caller)
    assert codes(reply) == [0, UNREACHABLE, UNREACHABLE]
    assert reply["status"]["final_height"] == 0 and reply["named_height"] == 0


def test_two_lie_alike_and_are_believed(world, branches):
    """The trust of this mode (docs/trust.md): a quorum that lies is the chain. It is found out when it tells the truth again."""
    caller = world.begin()
    for one in world.providers[:2]:
        one.block = branches.other[20]
    world.feed(caller, branches.other, branches.base + 1, 20)
    status = world.ask(caller)["status"]
    assert status["final_hash"] == abi.to_bytes(branches.other[20]["hash"]) and not status["frozen"]
    for one in world.providers[:2]:
        one.block = None
    with pytest.raises(Refused, match="FROZEN"):
        world.ask(caller)


def test_a_depth_below_the_newest(world, branches):
    caller = world.begin(rpc={"tag": "latest"}, confirmations=4, reorg_margin_s=5)
    reply = world.ask(caller)
    assert reply["named_height"] == BLOCKS and reply["status"]["final_height"] == BLOCKS - 4
    assert json.loads(world.providers[0].requests[0][1])["params"] == ["latest", False]


# --- what has no vote


SPOILED = {
    "an error": (lambda answer: {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no"}}, NOT_FOUND),
    "no such block": (lambda answer: answer | {"result": None}, NOT_FOUND),
    "another id": (lambda answer: answer | {"id": 2}, MALFORMED),
    "no JSON": (lambda answer: fetch.ok(b"<html>"), MALFORMED),
    "a number without 0x": (lambda answer: answer | {"result": answer["result"] | {"number": "20"}}, MALFORMED),
    "duplicate keys": (lambda answer: fetch.ok(json.dumps(answer).encode()[:-1] + b',"id":1}'), MALFORMED),
    "too large": (lambda answer: fetch.ok(json.dumps(answer).encode() + b" " * (1 << 20)), 21),
    "a redirect to itself": (lambda answer: b"HTTP/1.1 307 T\r\nLocation: /v2\r\nContent-Length: 0\r\n\r\n", REDIRECT),
    "a redirect away": (lambda answer: b"HTTP/1.1 307 T\r\nLocation: https://evil.example.test/\r\nContent-Length: 0\r\n\r\n", REDIRECT),
    "status 500": (lambda answer: b"HTTP/1.1 500 T\r\nContent-Length: 0\r\n\r\n", HTTP_STATUS),
    "a cut body": (lambda answer: b"HTTP/1.1 200 T\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", MALFORMED),
}


@pytest.mark.parametrize("what", SPOILED)
def test_an_answer_that_is_no_vote(world, branches, what):
    caller = world.begin()
    spoil, code = SPOILED[what]
    world.providers[0].spoil = spoil
    reply = world.ask(caller)
    assert codes(reply) == [code, 0, 0], reply["providers"]
    assert reply["status"]["final_height"] == branches.final
    # And two of them are too many.
    caller = world.begin()
    world.providers[1].spoil = spoil
    reply = world.ask(caller)
    assert codes(reply) == [code, code, 0] and reply["status"]["final_height"] == 0


def test_one_redirect_that_works_is_none(world, branches):
    """On its own host, to an answer that would count: the manifest names one place."""
    caller = world.begin()
    answers = iter([b"HTTP/1.1 307 T\r\nLocation: /v2\r\nContent-Length: 0\r\n\r\n"])
    world.providers[0].spoil = lambda answer: next(answers, answer)
    reply = world.ask(caller)
    assert codes(reply) == [REDIRECT, 0, 0] and len(world.providers[0].requests) >= 1
    assert reply["status"]["final_height"] == branches.final


def test_another_chains_block(world, branches, tmp_path):
    caller = world.begin()
    with chains.Anvil(tmp_path / "another", 31337, mining="none", extra=["--slots-in-an-epoch", "1"]) as other:
        other.mine(BLOCKS)
        for one in world.providers[:2]:
            one.url = other.url
        reply = world.ask(caller)
    assert codes(reply) == [0, 0, 0] and reply["status"]["final_height"] == 0


def test_a_stale_provider(world, branches):
    old = int(branches.main[branches.final]["timestamp"], 16)
    caller = world.begin(rpc={"age_max_s": max(1, int(time.time()) - old + 60)})
    for one in world.providers[:2]:
        one.spoil = lambda answer: answer | {"result": answer["result"] | {"timestamp": hex(old - 1000)}}
    reply = world.ask(caller)
    assert codes(reply) == [0, 0, 0] and reply["status"]["final_height"] == 0
    world.providers[1].spoil = None
    assert world.ask(caller)["status"]["final_height"] == branches.final


def test_a_wrong_certificate(world, branches):
    good = world.providers[:2]
    world.providers[0].close()
    world.providers[0] = world.provider(0, issuer=world.stranger)
    caller = world.begin()
    reply = world.ask(caller)
    assert codes(reply) == [TLS, 0, 0] and reply["status"]["final_height"] == branches.final
    good[1].close()
    world.providers[1] = world.provider(1, names=["other.example.test"])
    caller = world.begin()
    reply = world.ask(caller)
    assert codes(reply) == [TLS, TLS, 0] and reply["status"]["final_height"] == 0
    assert not world.providers[0].requests and not world.providers[1].requests


def test_a_pin_that_is_not_there(world, branches):
    row = world.row()
    row["finality"]["rpc"]["providers"][0]["tls"] = {"pins": ["0x" + "99" * 32]}
    row["finality"]["rpc"]["providers"][1]["tls"] = {"pins": ["0x" + hashlib.sha256(world.ca.key.spki).hexdigest()]}
    caller = world.begin(rpc=row["finality"]["rpc"])
    assert codes(world.ask(caller)) == [TLS, 0, 0]


# --- conflicts


def test_another_final_block_of_a_height_freezes(world, branches):
    caller = world.begin()
    world.ask(caller)
    world.providers[0].block = branches.other[20]
    assert not world.ask(caller)["status"]["frozen"]
    world.providers[1].block = branches.other[20]
    # The header was never brought: the answers alone tell.
    with pytest.raises(Refused, match="FROZEN"):
        world.ask(caller)
    conflict = caller.call("Conflict", chain=world.chain)
    assert (conflict["height"], conflict["first_hash"], conflict["second_hash"]) == (
        20, abi.to_bytes(branches.main[20]["hash"]), abi.to_bytes(branches.other[20]["hash"]))
    assert conflict["first"] == [header_rlp(branches.main[20])] and conflict["second"] == []
    sealed = caller.call("Export")["sealed"]
    caller.close()
    # It stays with the sealed state, whatever the providers say now.
    for one in world.providers:
        one.block = None
    again = Caller(world.start(world.manifest()).path)
    again.hello()
    again.call("Import", sealed=sealed)
    with pytest.raises(Refused, match="FROZEN"):
        world.ask(again)


def test_a_branch_that_becomes_final_too_freezes(world, branches):
    caller = world.begin()
    world.ask(caller)
    for one in world.providers[:2]:
        one.block = branches.other[BLOCKS]
    world.ask(caller)
    with pytest.raises(Refused, match="FROZEN"):
        world.feed(caller, branches.other, branches.base + 1, BLOCKS)
    conflict = caller.call("Conflict", chain=world.chain)
    assert conflict["height"] == branches.base + 1 and conflict["second"] == [header_rlp(branches.other[branches.base + 1])]


# --- anchors, order, hosts that go


def test_an_old_anchor_begins_no_client(world, branches):
    age = int(time.time()) - int(branches.main[0]["timestamp"], 16)
    time.sleep(max(0, 2 - age))
    with pytest.raises(Refused, match="ANCHOR_TOO_OLD"):
        world.begin(anchor_age_max_s=1)
    caller = Caller(world.enclave.path)
    caller.hello()
    with pytest.raises(Refused, match="NOT_FOUND"):
        world.ask(caller)


def test_hello_first_and_a_chain_that_has_providers(world):
    caller = world.begin()
    with pytest.raises(Refused, match="NOT_IN_MANIFEST"):
        caller.call("ClientQuorum", chain=b"\x01" * 32)
    with pytest.raises(Refused, match="INVALID"):
        caller.call("ClientQuorum", chain=b"short")
    caller.close()
    caller = Caller(world.enclave.path)
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        world.ask(caller)


def test_a_slow_provider_delays_nobody(world, branches):
    caller = world.begin()
    world.providers[0].pause_s = 3
    begun = time.monotonic()
    asked = caller.start("ClientQuorum", chain=world.chain)
    assert caller.call("Status", nonce=bytes(32))["clients"][0]["final_height"] == 0
    with pytest.raises(Refused, match="FULL"):
        world.ask(caller)
    assert time.monotonic() - begun < 2.5 and asked not in caller.kept
    assert caller.wait(asked)["status"]["final_height"] == branches.final


def test_a_provider_that_hangs_holds_nothing_up(world, branches):
    caller = world.begin()
    world.providers[2].pause_s = 20
    begun = time.monotonic()
    reply = world.ask(caller)
    assert time.monotonic() - begun < 5
    assert codes(reply) == [0, 0, TIMEOUT] and reply["status"]["final_height"] == branches.final
    # Without a quorum they are waited for.
    caller = world.begin()
    world.providers[1].pause_s = 3
    begun = time.monotonic()
    reply = world.ask(caller)
    assert codes(reply) == [0, 0, TIMEOUT] and 3 <= time.monotonic() - begun < 8


def test_one_lies_and_one_is_slow(world, branches):
    caller = world.begin()
    world.providers[1].spoil = lambda answer: answer | {"result": answer["result"] | {"hash": "0x" + "ab" * 32}}
    world.providers[2].pause_s = 3
    reply = world.ask(caller)
    assert codes(reply) == [0, 0, 0] and reply["status"]["final_height"] == branches.final


def test_a_host_that_goes_while_providers_are_asked(world, branches):
    caller = world.begin()
    world.providers[0].pause_s = 1
    caller.start("ClientQuorum", chain=world.chain)
    caller.close()
    again = Caller(world.enclave.path)
    again.hello()
    assert world.ask(again)["status"]["final_height"] == branches.final


def test_a_proxy_that_is_gone(world):
    caller = world.begin()
    world.proxies[-1].popen.terminate()
    world.proxies[-1].popen.wait(10)
    assert codes(world.ask(caller)) == [UNREACHABLE] * 3
    assert caller.hello()


# --- the door


def refused_at_start(enclave: Enclave, text: str) -> None:
    assert ended(enclave) == 65
    assert text in enclave.log.read_text()


def test_options_are_for_this_mode_alone(world):
    lineage = world.manifest()
    refused_at_start(world.start(lineage, options=[]), "--trust-store is needed")
    refused_at_start(world.start(lineage, options=["--trust-store", str(world.store)]), "--egress-fd")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        refused_at_start(world.start(lineage, options=["--egress-fd", str(stream.fileno()), "--trust-store", str(world.store)],
                                     fds=[stream.fileno()]), "SOCK_SEQPACKET")
    world.store.write_text(world.ca.pem + "\n" + world.stranger.pem + "\n")
    refused_at_start(world.start(lineage), "not the one that the manifest names")
    other = manifests.write(world.path, manifests.body(["0x" + measurement(program())]))
    refused_at_start(world.start(other), "no chain that is served is of that mode")


def test_a_chain_that_is_not_served_opens_no_door(world):
    """The manifest has a chain with providers; this enclave serves the other one, asks nobody and keeps the narrow filter."""
    rows = [world.row(), manifests.chain(caip2="eip155:5")]
    lineage = world.manifest(rows[0])
    inner = json.loads(world.path.read_bytes())["manifest"] | {"chains": rows}
    lineage = manifests.write(world.path, inner)
    enclave = world.start(lineage, options=[], serve=["eip155:5"])
    caller = Caller(enclave.path)
    caller.hello()
    with pytest.raises(Refused, match="UNSUPPORTED"):
        caller.call("ClientQuorum", chain=world.chain)
    refused_at_start(world.start(lineage, serve=["eip155:5"]), "no chain that is served is of that mode")


def probing(caller: Caller) -> None:
    flags = caller.hello()["insecure_flags"]
    if not flags & BITS["test_probes"]:
        pytest.skip("this build has no test probes")
    if flags & BITS["sanitizer"]:
        pytest.skip("an instrumented build has a wider filter")


@pytest.mark.parametrize("what", PROBES)
def test_the_wider_filter_kills_what_tries(world, what):
    caller = world.begin()
    probing(caller)
    world.ask(caller)
    caller.send_raw(TYPES["Probe"], encode("ProbeRequest", {"what": PROBES[what]}))
    with pytest.raises(ConnectionError):
        caller.receive()
    assert ended(world.enclave) == -signal.SIGSYS


def test_waiting_for_descriptors_is_of_this_mode_alone(world):
    caller = world.begin()
    probing(caller)
    assert caller.call("Probe", what=8)["result"] == 0
    lineage = manifests.write(world.path, manifests.body(["0x" + measurement(program())]))
    enclave = world.start(lineage, options=[], fds=[])
    caller = Caller(enclave.path)
    caller.hello()
    caller.send_raw(TYPES["Probe"], encode("ProbeRequest", {"what": 8}))
    with pytest.raises(ConnectionError):
        caller.receive()
    assert ended(enclave) == -signal.SIGSYS


def test_the_kernel_sees_no_network(world):
    caller = world.begin()
    world.ask(caller)
    with open(f"/proc/{world.enclave.popen.pid}/net/dev") as f:
        assert {line.split(":")[0].strip() for line in f.readlines()[2:]} <= {"lo"}


def test_what_is_signed_says_what_it_always_said(world):
    """The report and the status have the preimages of boundary.md in this mode too: time is not the providers' to push."""
    caller = world.begin()
    before = caller.hello()["now_low_s"]
    world.ask(caller)
    assert abs(caller.hello()["now_low_s"] - before) < 60
    status = caller.call("Status", nonce=b"\x05" * 32)
    assert crypto.schnorr_verify(status["public_key"], status["digest"], status["signature"])


# --- the oracle's enclave


SOURCE = "source.example.test"
CONTRACT = "0x" + "ac" * 20
ORACLE = "caisson-oracle-enclave"
PLACES = 192  # that those who ask share: enclave/oracle/share.h


class OracleWorld(World):
    """A contract of an oracle on the chain of the three providers. Sources have a CA of their own, and each kind a proxy."""

    def __init__(self, folder, branches: Branches):
        super().__init__(folder, branches)
        self.sources_ca = pki.authority("a root of sources")
        self.sources_store = folder / "sources.pem"
        self.sources_store.write_text(self.sources_ca.pem + "\n")
        self.servers = []

    def oracle(self, row: dict | None = None, contracts: bool = True) -> str:
        identity = self._identity(row or self.row())
        contract = {"address": CONTRACT, "chain": "0x" + identity.hex(), "kind": "requests"}
        section = oracle.manifest_section([contract] if contracts else [], self.sources_store,
                                          hashlib.sha256(self.sources_ca.der).digest())
        return self.manifest(row, oracle=section)

    @staticmethod
    def _identity(row: dict) -> bytes:
        return ev.identity(row["caip2"], abi.to_bytes(row["genesis"]), abi.to_bytes(row["gateway"]))

    def start(self, lineage: str, name: str = ORACLE, providers: list | None = None, **more) -> Enclave:
        """providers: the options of that way, where they are not the right ones."""
        ways = [fetch.Proxy(names={SOURCE: "127.0.0.1"}), fetch.Proxy(names={host: "127.0.0.1" for host in HOSTS})]
        self.proxies += ways
        sources, rpc = (way.end.fileno() for way in ways)
        if providers is None:
            providers = ["--rpc-egress-fd", str(rpc), "--rpc-trust-store", str(self.store)]
        options = ["--egress-fd", str(sources), "--trust-store", str(self.sources_store), *providers]
        enclave = Enclave(self.folder, [self.path], lineage, ROOT, binary=program(name), options=options, fds=[sources, rpc], **more)
        self.enclaves.append(enclave)
        return enclave

    def begin(self, headers: int = BLOCKS, **row) -> Caller:
        self.enclave = self.start(self.oracle(self.row(**row)))
        caller = Caller(self.enclave.path)
        caller.hello()
        caller.call("Init")
        caller.call("ClientCreate", chain=self.chain, header=header_rlp(self.branches.main[0]))
        self.feed(caller, self.branches.main, 1, headers)
        return caller

    def source(self, handler=None, issuer=None) -> fetch.Server:
        leaf = pki.issue("leaf", issuer or self.sources_ca, names=[SOURCE])
        made = fetch.Server(self.folder / "sources", leaf, handler or fetch.answering(fetch.ok(b'{"price":"7"}')))
        self.servers.append(made)
        return made

    @staticmethod
    def spec(server: fetch.Server, path: str = "price") -> bytes:
        return spec(oracle.source(f"https://{SOURCE}:{server.port}/{path}"))

    def close(self) -> None:
        super().close()
        for one in self.servers:
            one.close()


@pytest.fixture
def oracles(tmp_path, branches):
    made = OracleWorld(tmp_path, branches)
    yield made
    made.close()


def test_an_oracle_asks_them_too(oracles, branches):
    caller = oracles.begin()
    served = oracles.source()
    reply = oracles.ask(caller)
    assert codes(reply) == [0, 0, 0] and reply["named_height"] == branches.final
    assert reply["status"]["final_hash"] == abi.to_bytes(branches.main[branches.final]["hash"])
    [result] = caller.app(oracles.spec(served))["results"]
    assert result["code"] == 0 and int.from_bytes(result["value"], "big") == 7 * 10**8
    # Each through its own proxy, which knows the names of its own.
    sources, rpc = (proxy.counters() for proxy in oracles.proxies)
    assert (sources["connected"], rpc["connected"]) == (1, 3) and sources["unresolved"] == rpc["unresolved"] == 0


def test_an_oracle_believes_as_few_as_a_bridge(oracles, branches):
    """One lies: the others are enough. One lies and one is down: nothing is final. Two are down: neither."""
    lie = lambda answer: answer | {"result": answer["result"] | {"hash": "0x" + "ab" * 32}}  # noqa: E731
    caller = oracles.begin()
    oracles.providers[1].spoil = lie
    oracles.providers[2].spoil = SPOILED["status 500"][0]
    reply = oracles.ask(caller)
    assert codes(reply) == [0, 0, HTTP_STATUS] and reply["status"]["final_height"] == 0
    oracles.providers[1].spoil = oracles.providers[2].spoil
    assert oracles.ask(caller)["status"]["final_height"] == 0
    oracles.providers[1].spoil, oracles.providers[2].spoil = lie, None
    assert oracles.ask(caller)["status"]["final_height"] == branches.final


def test_an_oracle_and_another_chains_block(oracles, tmp_path):
    caller = oracles.begin()
    with chains.Anvil(tmp_path / "another", 31337, mining="none", extra=["--slots-in-an-epoch", "1"]) as other:
        other.mine(BLOCKS)
        for one in oracles.providers[:2]:
            one.url = other.url
        reply = oracles.ask(caller)
    assert codes(reply) == [0, 0, 0] and reply["status"]["final_height"] == 0
    with pytest.raises(Refused, match="NOT_IN_MANIFEST"):
        caller.call("ClientQuorum", chain=b"\x01" * 32)


def test_an_oracles_providers_and_sources_have_a_trust_of_their_own(oracles, branches):
    """Who may issue certificates of sources says nothing about finality, and who may those of providers nothing about prices."""
    for i in range(2):
        oracles.providers[i].close()
        oracles.providers[i] = oracles.provider(i, issuer=oracles.sources_ca)
    caller = oracles.begin()
    reply = oracles.ask(caller)
    assert codes(reply) == [TLS, TLS, 0] and reply["status"]["final_height"] == 0
    [result] = caller.app(oracles.spec(oracles.source(issuer=oracles.ca)))["results"]
    assert result["code"] == TLS
    [result] = caller.app(oracles.spec(oracles.source()))["results"]
    assert result["code"] == 0


def test_an_oracles_slow_sources_do_not_hold_its_chain_up(oracles, branches):
    """All that those who ask may have under way at a time hangs; the providers are asked meanwhile, and so are feeds."""
    caller = oracles.begin()
    hanging = threading.Event()
    held = []

    def hang(tls) -> None:
        if fetch.read_head(tls):
            held.append(1)
            hanging.wait(30)

    servers = [oracles.source(hang) for _ in range(PLACES // 32)]
    try:
        asked = [caller.start("AnswerApp", audience=b"app", max_age=600, timeout_s=60, query={
            "spec": oracles.spec(servers[i % len(servers)], f"p{i}"), "arguments": [], "secrets": b""}) for i in range(PLACES + 8)]
        wait_for(lambda: caller.call("Status", nonce=bytes(32)) and len(held) == PLACES, 9, "that many connections", 0.1)
        begun = time.monotonic()
        reply = oracles.ask(caller)
        assert codes(reply) == [0, 0, 0] and reply["status"]["final_height"] == branches.final
        assert time.monotonic() - begun < 3 and not caller.kept
    finally:
        hanging.set()
    assert len(asked) == PLACES + 8


def test_an_oracles_contradiction_freezes(oracles, branches):
    caller = oracles.begin()
    oracles.ask(caller)
    for one in oracles.providers[:2]:
        one.block = branches.other[20]
    with pytest.raises(Refused, match="FROZEN"):
        oracles.ask(caller)
    assert caller.call("Conflict", chain=oracles.chain)["second_hash"] == abi.to_bytes(branches.other[20]["hash"])
    with pytest.raises(Refused, match="FROZEN"):
        oracles.ask(caller)


def test_a_host_that_leaves_an_oracle_while_providers_are_asked(oracles, branches):
    caller = oracles.begin()
    oracles.providers[0].pause_s = 1
    caller.start("ClientQuorum", chain=oracles.chain)
    caller.close()
    again = Caller(oracles.enclave.path)
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        oracles.ask(again)
    again.hello()
    assert oracles.ask(again)["status"]["final_height"] == branches.final


def test_an_oracles_options_are_for_such_contracts_alone(oracles):
    lineage = oracles.oracle()
    refused_at_start(oracles.start(lineage, providers=[]), "of the providers: --trust-store is needed")
    refused_at_start(oracles.start(lineage, providers=["--rpc-trust-store", str(oracles.store)]), "of the providers: --egress-fd")
    refused_at_start(oracles.start(lineage, providers=["--rpc-trust-store", str(oracles.sources_store)]), "of the providers: ")
    sources = oracles.proxies[-1].end.fileno()
    refused_at_start(oracles.start(lineage, providers=["--rpc-egress-fd", str(sources + 100), "--rpc-trust-store", str(oracles.store)]),
                     "SOCK_SEQPACKET")
    # A trust store that the manifest names for sources is none for providers.
    other = oracles.store
    oracles.store = oracles.sources_store
    refused_at_start(oracles.start(lineage), "of the providers: --trust-store is not the one that the manifest names")
    oracles.store = other
    without = oracles.oracle(contracts=False)
    refused_at_start(oracles.start(without), "no contract is on a chain of that mode")
    caller = Caller(oracles.start(without, providers=[]).path)
    caller.hello()
    with pytest.raises(Refused, match="UNSUPPORTED"):
        caller.call("ClientQuorum", chain=oracles.chain)
    # One way for both would have each read what the other is told.
    lineage = oracles.oracle()
    proxy = fetch.Proxy(names={})
    oracles.proxies.append(proxy)
    one = str(proxy.end.fileno())
    enclave = Enclave(oracles.folder, [oracles.path], lineage, ROOT, binary=program(ORACLE), fds=[int(one)], options=[
        "--egress-fd", one, "--trust-store", str(oracles.sources_store), "--rpc-egress-fd", one, "--rpc-trust-store", str(oracles.store)])
    oracles.enclaves.append(enclave)
    refused_at_start(enclave, "--rpc-egress-fd is --egress-fd")
    # A bridge has one.
    enclave = oracles.start(lineage, "caisson-enclave")
    assert ended(enclave) == 64


def test_an_oracle_closes_what_else_it_inherits(oracles):
    """Two ways stay open beside the listening socket, and nothing between them."""
    lineage = oracles.oracle()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as leak:
        ways = [fetch.Proxy(names={}) for _ in range(2)]
        oracles.proxies += ways
        fds = [way.end.fileno() for way in ways]
        enclave = Enclave(oracles.folder, [oracles.path], lineage, ROOT, binary=program(ORACLE), fds=[*fds, leak.fileno()], options=[
            "--egress-fd", str(fds[0]), "--trust-store", str(oracles.sources_store),
            "--rpc-egress-fd", str(fds[1]), "--rpc-trust-store", str(oracles.store)])
        oracles.enclaves.append(enclave)
        Caller(enclave.path).hello()
        assert not probed_descriptor(enclave, leak.fileno())
        for fd in fds:
            assert probed_descriptor(enclave, fd)


def probed_descriptor(enclave: Enclave, fd: int) -> bool:
    """Is it a socket of the process? What /proc says to its parent; a process that cannot be dumped says it to nobody else."""
    try:
        return os.readlink(f"/proc/{enclave.popen.pid}/fd/{fd}").startswith("socket:")
    except FileNotFoundError:
        return False
    except PermissionError:
        pytest.skip("descriptors of a process that cannot be dumped are root's to see")
