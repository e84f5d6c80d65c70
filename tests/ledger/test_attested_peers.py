"""Nodes that show each other evidence (RA-TLS) and nodes that ask for it: real processes, simulated evidence; a node that asks takes nobody
else, and says by which check."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from base64 import encodebytes
from pathlib import Path

import pytest

from ledger.net import DEADLINE_S, Network, Node, program
from ledger.stranger import Stranger
from lib import ed25519, report
from lib.pki import bits, distinguished, extension, integer, octets, oid, seq, tlv, when
from lib.proc import Process
from lib.rpc import wait_for
from lib.tools import find_build

SHOWS = '\nevidence = "simulated"'
ASKS = '\nevidence_policy = "policy.json"'
OID = "2.23.133.5.4.9"
ED25519 = seq(oid("1.3.101.112"))


def measure(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def write_policy(node: Node, accept: bool = True, until: str | None = None) -> None:
    build = {"kind": "simulated", "label": "node 1", "values": {"measurement": measure(program())}}
    policy = {"version": 1, "measurements": [{**build, "not_after": until} if until else build]}
    (node.home / "policy.json").write_text(json.dumps({**policy, "insecure_accept_simulated": True} if accept else policy))


def set_p2p(node: Node, more: str) -> None:
    path = node.home / "config" / "config.toml"
    path.write_text(path.read_text().replace("[p2p]", "[p2p]" + more, 1))


def events(node: Node, name: str) -> list[dict]:
    lines = (json.loads(line) for line in node.process.log_path.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line.get("event") == name]


def node_id(node: Node) -> str:
    return subprocess.run([program(), "show-node-id", "--home", node.home], check=True, capture_output=True, text=True).stdout.strip()


def refusals(node: Node, ident: str | None = None) -> set[str]:
    return {e["check"] for e in events(node, "peer.evidence_refused") if ident in (None, e["id"])}


def evidence_of(spki: bytes, genesis: bytes, issued: int) -> bytes:
    """What caisson-evidence says of this key, in the build that is accepted."""
    about = report.Report("ledger-node", hashlib.sha256(spki).digest(), report.issued(issued), bytes(32), 0, genesis, bytes(32), 0)
    command = [find_build() / "bin" / "caisson-evidence", "--tee", "simulated", "--spki", spki.hex(), "--report", about.data()[:32].hex(),
               "--measurement", measure(program())]
    done = subprocess.run(["sh", "-c", 'exec "$@" 3>&1', "sh", *command], check=True, capture_output=True, timeout=DEADLINE_S)
    return done.stdout


def pem(label: str, der: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(der).decode()}-----END {label}-----\n"


class Shown:
    """A TLS client with a key and a certificate of its own."""

    def __init__(self, folder: Path):
        self.folder, self.secret = folder, os.urandom(32)
        public = ed25519.public_key(self.secret)
        self.spki = seq(ED25519, bits(public))
        self.id = hashlib.sha256(public).hexdigest()[:40]

    def write(self, evidence: bytes | None, issued: int) -> Path:
        name = distinguished("stranger")
        more = [tlv(0xa3, seq(extension(OID, evidence)))] if evidence is not None else []
        body = seq(tlv(0xa0, integer(2)), integer(1), ED25519, name, seq(when(issued), when(issued + 3600)), name, self.spki, *more)
        path = self.folder / f"{self.id}.pem"
        path.write_text(pem("PRIVATE KEY", seq(integer(0), ED25519, octets(octets(self.secret)))) +
                        pem("CERTIFICATE", seq(body, ED25519, bits(ed25519.sign(self.secret, body)))))
        return path

    def is_greeted(self, port: int, evidence: bytes | None, issued: int) -> bool:
        """The node says HELLO; False: it ends the connection instead."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(self.write(evidence, issued))
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as plain, context.wrap_socket(plain) as tls:
            try:
                return tls.recv(1) != b""
            except (ConnectionError, ssl.SSLError):
                return False


@pytest.fixture
def made(tmp_path):
    """Networks that are stopped, whatever happens."""
    networks = []

    def make(count: int) -> Network:
        networks.append(Network(tmp_path / str(len(networks)), count))
        return networks[-1]

    (tmp_path / "0").mkdir()
    (tmp_path / "1").mkdir()
    yield make
    for network in networks:
        network.__exit__()


def start(node: Node) -> None:
    node.args = ["--log-json"]
    node.start()


def test_some_ask_and_all_show(made):
    """Two validators of four ask; the chain goes on among all, and with a follower that shows evidence."""
    net = made(4)
    for i, node in enumerate(net.nodes):
        write_policy(node)
        set_p2p(node, SHOWS + (ASKS if i < 2 else ""))
        start(node)
    net.wait_height(3)
    for node in net.nodes:
        wait_for(lambda: node.call("net_info")["n_peers"] == "3", DEADLINE_S, "all peers")
    for i, node in enumerate(net.nodes):
        seen = events(node, "peer.evidence")
        assert ({e["id"] for e in seen} == {node_id(n) for n in net.nodes if n is not node}) if i < 2 else not seen
        assert all((e["kind"], e["build"], e["insecure"]) == ("simulated", "node 1", True) for e in seen)
        # That it is worth nothing is said aloud, on both sides.
        assert len(events(node, "node.insecure")) == (2 if i < 2 else 1)
    follower = net.add_follower("follower")
    set_p2p(follower, SHOWS)
    start(follower)
    follower.wait_height(net.nodes[0].height())
    wait_for(lambda: follower.call("net_info")["n_peers"] == "4", DEADLINE_S, "its peers")


def test_who_is_refused(made, tmp_path):
    """A validator alone that asks: no evidence, another build; then evidence that is not accepted, or no more."""
    net = made(1)
    asking = net.nodes[0]
    peers = f'persistent_peers = "{node_id(asking)}@127.0.0.1:{asking.p2p_port}"'
    write_policy(asking)
    set_p2p(asking, SHOWS + ASKS)
    start(asking)
    asking.wait_height(2)

    def follow(name: str, more: str) -> Node:
        node = net.add_follower(name)
        path = node.home / "config" / "config.toml"
        path.write_text(path.read_text().replace('persistent_peers = ""', peers))
        set_p2p(node, more)
        return node

    plain, other, same = follow("plain", ""), follow("other", SHOWS), follow("same", SHOWS)
    start(plain)
    start(same)
    # Another build: a byte more.
    (tmp_path / "bin").mkdir()
    shutil.copy(program(), tmp_path / "bin")
    with open(tmp_path / "bin" / "caisson-ledger", "ab") as file:
        file.write(b"\0")
    shutil.copy(find_build() / "bin" / "caisson-evidence", tmp_path / "bin")
    other.process = Process([tmp_path / "bin" / "caisson-ledger", "start", "--home", other.home, "--log-json"], other.home.parent / "other.log")
    wait_for(lambda: refusals(asking, node_id(plain)), DEADLINE_S, "a refusal")
    wait_for(lambda: "policy-measurements" in refusals(asking, node_id(other)), DEADLINE_S, "a refusal")
    same.wait_height(2)
    assert refusals(asking, node_id(plain)) == {"no-evidence"}
    # Until it has made some it has none.
    assert refusals(asking, node_id(other)) <= {"no-evidence", "policy-measurements"}
    assert [node.height() for node in (plain, other)] == [0, 0]
    assert [p["node_info"]["id"] for p in asking.call("net_info")["peers"]] == [node_id(same)]
    # The same evidence under other policies.
    for changes, word in (({"accept": False}, "policy-simulated"), ({"until": "2026-01-01T00:00:00Z"}, "policy-measurements")):
        asking.process.stop()
        asking.process.log_path.unlink()
        write_policy(asking, **changes)
        start(asking)
        wait_for(lambda: word in refusals(asking, node_id(same)), DEADLINE_S, word)
        assert asking.call("net_info")["n_peers"] == "0"


def test_evidence_of_others(made, tmp_path):
    """Evidence that is good in itself, in a certificate for which it was not made."""
    net = made(1)
    asking = net.nodes[0]
    # The chain as nodes name it: HELLO has it, while everybody hears it.
    start(asking)
    asking.wait_height(1)
    stranger = Stranger(tmp_path, asking.p2p_port).greet()
    stranger.close()
    genesis = stranger.hello[3]
    asking.process.stop()
    write_policy(asking)
    set_p2p(asking, SHOWS + ASKS)
    start(asking)
    wait_for(asking.is_up, DEADLINE_S, "its RPC")
    now = int(time.time())
    one, two = Shown(tmp_path), Shown(tmp_path)
    good = evidence_of(one.spki, genesis, now)
    assert one.is_greeted(asking.p2p_port, good, now)
    assert refusals(asking) == set()
    for client, extension, issued, check in (
            (two, None, now, "no-evidence"), (two, good, now, "ratls-key"), (one, good, now + 1, "node-report"),
            (one, evidence_of(one.spki, bytes(32), now), now, "node-report"),
            (one, evidence_of(one.spki, genesis, now - 3700), now - 3700, "node-age"),
            (one, evidence_of(one.spki, genesis, now + 3600), now + 3600, "node-age"),
            (one, good[:-1], now, "evidence-read"), (one, good[:-1] + bytes([good[-1] ^ 1]), now, "ratls-claims")):
        before = len(events(asking, "peer.evidence_refused"))
        assert not client.is_greeted(asking.p2p_port, extension, issued), check
        wait_for(lambda: len(events(asking, "peer.evidence_refused")) > before, DEADLINE_S, check)
        last = events(asking, "peer.evidence_refused")[-1]
        assert (last["check"], last["id"]) == (check, client.id)


def test_configuration(made):
    """What a node does not start with."""
    net, build = made(1), {"kind": "simulated", "values": {"measurement": measure(program())}}
    node = net.nodes[0]
    path = node.home / "config" / "config.toml"
    text = path.read_text()
    for more, policy, word in (('\nevidence = "sgx"', None, "is not simulated, gramine, tsm or tpm"),
                               ('\nevidence_collateral = "c"', None, "need evidence_policy"), (ASKS, None, "policy.json"),
                               (ASKS, {"version": 1}, "lists no measurements"),
                               (ASKS, {"version": 1, "measurements": []}, "an empty list accepts nothing"),
                               (ASKS, {"version": 1, "measurements": [{"kind": "simulated", "values": {"mesurement": "00" * 32}}]}, "can never match"),
                               (ASKS + '\nevidence_collateral = "nowhere"', {"version": 1, "measurements": [build]}, "nowhere")):
        path.write_text(text)
        set_p2p(node, more)
        if policy is not None:
            (node.home / "policy.json").write_text(json.dumps(policy))
        done = subprocess.run([program(), "start", "--home", node.home], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 1 and word in done.stderr, (more, done.stderr)
