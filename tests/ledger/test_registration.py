"""Enclaves that register with a ledger by evidence of hardware, and by k of n administrators, with the command: nodes verify quotes in their
blocks, come to one state over good and bad ones, and prove what they came to. The evidence is generated under roots of the tests, in a
register that says insecure: no hardware made it."""
from __future__ import annotations

import base64
import json
import subprocess
import sys
import time

import pytest

from ledger import accounts
from ledger.accounts import ALICE, BOB, CAROL
from ledger.net import CHAIN_ID, DEADLINE_S, Network, change_genesis, run
from ledger.staking import selector, words
from lib import ledger_tx as lt
from lib.ledger_tx import Call
from lib.rpc import wait_for
from lib.tools import ROOT, find_build

sys.path.insert(0, str(ROOT / "tools"))
import register_vectors as rv  # noqa: E402

from ledger.test_register import ADMINISTRATORS, Register  # noqa: E402
from lib import enclave_evidence as e  # noqa: E402

ENCLAVES, GAS, BOND, REVERTED = lt.contract(4), 40_000_000, 1000, 32
DONE, USAGE, REFUSED = 0, 2, 3


def found(genesis: dict) -> None:
    powers = {"owner": "0x" + ALICE.address.hex(), "guardian": "0x" + CAROL.address.hex(), "delay_s": 1}
    genesis["app_state"] = accounts.app_state() | {"contracts": {"enclaves": powers | {
        "rotation_delay_s": 2, "overlap_s": 1, "threshold": 2, "administrators": ADMINISTRATORS, "bond_min": str(BOND), "bond_delay_s": 1,
        "lifetime_max_s": 90 * rv.DAY, "insecure": True}}}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    network = Network(tmp_path_factory.mktemp("ledger"), 4, arguments=accounts.arguments())
    change_genesis(network, found)
    with network:
        network.wait_height(2)
        yield network


class Lab:
    """What an operator and administrators have: files, keys, the command."""

    def __init__(self, net, folder):
        self.net, self.folder, self.register = net, folder, Register(net.nodes[0])
        self.own = self.register.view(ENCLAVES, "identity()")
        self.url = f"http://127.0.0.1:{net.nodes[1].rpc_port}"
        self.now = int(time.time())
        for i, secret in enumerate(rv.ADMINISTRATORS):
            self.key(f"administrator{i}", secret)
        self.key("alice", 0xA11CE)
        self.key("bob", 0xB0B)

    def key(self, name: str, secret: int) -> None:
        path = self.folder / name
        path.write_text(secret.to_bytes(32, "big").hex())
        path.chmod(0o600)

    def file(self, name: str, content) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else json.dumps(content).encode())
        return str(path)

    def command(self, *arguments, code: int = DONE) -> subprocess.CompletedProcess:
        done = subprocess.run([str(a) for a in (find_build() / "bin" / "caisson", "ledger", *arguments)], capture_output=True, text=True,
                              timeout=180)
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def approve(self, *subject, administrators=(0, 1)) -> list[str]:
        out = []
        for i in administrators:
            line = self.command("approve", *subject, "--register", "0x" + self.own.hex(), "--administrator", i, "--key-file",
                                self.folder / f"administrator{i}").stdout.strip()
            out += ["--approval", line]
        return out

    def digest(self, *subject) -> bytes:
        return bytes.fromhex(self.command("approve", *subject, "--register", "0x" + self.own.hex()).stdout.strip()[2:])

    def send(self, *subject, key: str = "alice", code: int = DONE):
        return self.command("register", *subject, "--key-file", self.folder / key, "--tag", "0x" + self.register.chain.hex(), "--url", self.url,
                            code=code)


def enclave_file(r: dict, kind: str, **more) -> dict:
    def hexed(value: bytes) -> str:
        return "0x" + value.hex()
    out = {"role": {rv.BRIDGE: "bridge", rv.ORACLE: "oracle"}[r["role"]], "measurement": hexed(r["measurement"]),
           "lineage": hexed(r["lineage"]), "manifest_number": r["number"], "manifest_hash": hexed(r["manifest"]), "evidence_kind": kind,
           "expires": r["expires"], "bond": str(r["bond"]), "bonder": hexed(r["bonder"]),
           "keys": [{"identity": hexed(k["identity"]), "epoch": k["epoch"], "x": hexed(k["x"]), "gas": hexed(k["gas"])} for k in r["keys"]]}
    return out | ({"evidence_digest": hexed(r["evidence"])} if kind == "administrators" else {"schema_digest": hexed(e.SCHEMA)}) | more


@pytest.fixture(scope="module")
def lab(net, tmp_path_factory):
    """A policy and a manifest are there: by the command, approved by two of three."""
    one = Lab(net, tmp_path_factory.mktemp("operator"))
    patch = pytest.MonkeyPatch()
    patch.setattr(rv, "OWN", one.own)
    assert one.own == rv.v.identity(f"cosmos:{CHAIN_ID}", one.register.chain, ENCLAVES)
    sgx = e.Sgx(now=one.now)
    policy = ("--policy", one.file("policy.json", e.policy(sgx, e.Snp(now=one.now))), "--number", 1, "--tier", "warning", "--insecure-root",
              one.file("root.pem", e.pem(*sgx.roots, *e.Snp(now=one.now).roots)))
    assert one.digest(*policy) == e.policy_digest(1, 2, e.policy(sgx, e.Snp(now=one.now)), (), [*sgx.roots, *e.Snp(now=one.now).roots])
    assert "ApprovalsTooFew()" in one.send(*policy, *one.approve(*policy, administrators=(2,)), code=REFUSED).stderr
    one.send(*policy, *one.approve(*policy, administrators=(2, 0)), key="bob")
    assert "PolicyNumberIs(2)" in one.send(*policy, *one.approve(*policy), code=REFUSED).stderr
    manifest = ("--manifest-hash", "0x" + rv.MANIFESTS[1].hex(), "--lineage", "0x" + rv.LINEAGE.hex(), "--number", 1)
    assert one.digest(*manifest) == e.manifest_digest(rv.LINEAGE, 1, rv.MANIFESTS[1])
    one.send(*manifest, *one.approve(*manifest))
    yield one
    patch.undo()


def registration(lab, machine, **over) -> dict:
    return rv.registration(**{"kind": machine.kind, "evidence": bytes(32), "measurement": machine.measurement, "expires": lab.now + 15 * rv.DAY,
                              "bonder": ALICE.address} | over)


def one_state(net) -> None:
    """Every node has the same application hash at one height."""
    height = max(node.height() for node in net.nodes) + 1
    for node in net.nodes:
        node.wait_height(height)
    hashes = {node.call("commit", height=str(height))["signed_header"]["header"]["app_hash"] for node in net.nodes}
    assert len(hashes) == 1


def test_an_enclave_by_its_evidence(net, lab):
    """As an operator does it: the digest is the nonce that the enclave is asked with."""
    sgx = e.Sgx(now=lab.now)
    r = registration(lab, sgx)
    file = lab.file("enclave.json", enclave_file(r, "sgx"))
    assert lab.digest(file) == rv.registration_digest(r)
    raw = sgx.evidence(e.report_data(r))
    given = ("--evidence", lab.file("quote", base64.b64encode(raw)), "--collateral", lab.file("bundle.json", sgx.collateral()[0]))
    lab.send(file, code=USAGE)
    lab.send(file, *given, *lab.approve(file), code=USAGE)
    assert "NotBonder()" in lab.send(file, *given, "--value", BOND, key="bob", code=REFUSED).stderr
    assert "BondMissing()" in lab.send(file, *given, code=REFUSED).stderr
    lab.send(file, *given, "--value", BOND)
    assert "EnclaveKnown()" in lab.send(file, *given, "--value", BOND, code=REFUSED).stderr

    enclave, x = rv.keys_hash(r["keys"]), rv.v.public_x(rv.KEY_1)
    for node in net.nodes:
        wait_for(lambda node=node: Register(node).view(ENCLAVES, "isActive(bytes32,uint8)", x, rv.BRIDGE) == words(1), DEADLINE_S,
                 "the key at every node")
    verdict = lab.register.view(ENCLAVES, "verdictOf(bytes32)", enclave)
    assert verdict == words(e.WARNING, e.UP_TO_DATE, 1, sgx.until, 17)
    row = lab.register.view(ENCLAVES, "enclaveOf(bytes32)", enclave)
    assert row[7 * 32:8 * 32] == e.hashlib.sha256(raw).digest() and row[2 * 32:3 * 32] == sgx.measurement
    proof = json.loads(lab.command("proof", "0x0471" + enclave.hex(), "--url", lab.url, "--json").stdout)
    assert proof["exists"]
    one_state(net)


def test_bad_evidence_fails_its_own_transaction(net, lab):
    """Sent past the command, into blocks: each is paid and has no other effect, and what comes after it goes on."""
    sgx, before = e.Sgx(now=lab.now), lab.register.balance(ENCLAVES)
    keys = [rv.key(rv.CHAIN_2, 1, rv.KEY_2)]
    good = registration(lab, sgx, keys=keys)

    def bring(machine=sgx, **over) -> dict:
        r = e.registered(machine, **{"bonder": ALICE.address, "keys": keys, "expires": lab.now + 15 * rv.DAY} | over)
        return lab.register.send(ALICE, [Call(ENCLAVES, BOND, rv.register(r, []))], gas_limit=GAS)

    def says(result: dict) -> str:
        data = base64.b64decode(result["data"])
        assert result["code"] == REVERTED and data[:4] == selector("EvidenceRefused(bytes32)"), result
        return data[4:].rstrip(b"\0").decode()

    assert says(bring(asked=good | {"keys": [rv.key(rv.CHAIN_2, 1, rv.KEY_3)]})) == "policy-report-data"
    assert says(bring(asked=good | {"bonder": BOB.address})) == "policy-report-data"
    own, rv.OWN = rv.OWN, b"\x11" * 32
    elsewhere = e.report_data(good)
    rv.OWN = own
    assert says(bring(raw=sgx.evidence(elsewhere))) == "policy-report-data"
    assert says(bring(e.Sgx(now=lab.now, attributes=0x7))) == "policy-debug"
    assert says(bring(e.Sgx(now=lab.now, revoked=(24,)))) == "pck-revocation"
    assert says(bring(e.Sgx(now=lab.now, status="Revoked"))) == "policy-tcb"
    assert says(bring(collateral=e.Sgx(now=lab.now - 21 * rv.DAY).collateral())) == "pck-revocation"
    assert says(bring(e.Tdx(now=lab.now))) == "policy-measurements"
    assert says(bring(raw=b"no quote")) == "evidence-form"
    assert says(bring(changed={"bytes": b"\x02" * 1000})) == "evidence-parts"
    long = bring(changed={"bytes": bytes(65537)})
    assert (long["code"], long["data"]) in ((REVERTED, None), (REVERTED, ""))
    assert lab.register.balance(ENCLAVES) == before
    assert bring()["code"] == 0 and lab.register.balance(ENCLAVES) == before + BOND
    result = bring(e.Snp(now=lab.now), keys=[rv.key(rv.CHAIN_3, 1, rv.KEY_3)])
    assert result["code"] == 0, result
    one_state(net)


def test_by_administrators(net, lab):
    """Simulated backends have no evidence that anybody signed: two of three say what they have seen."""
    r = rv.registration(expires=lab.now + rv.DAY, bonder=ALICE.address, keys=[rv.key(rv.CHAIN_4, 1, rv.KEY_TWICE)])
    file = lab.file("simulated.json", enclave_file(r, "administrators"))
    assert lab.digest(file) == rv.registration_digest(r)
    lab.send(file, code=USAGE)
    lab.send(file, "--evidence", file, *lab.approve(file), code=USAGE)
    assert "ApprovalsTooFew()" in lab.send(file, *lab.approve(file, administrators=(1,)), "--value", BOND, code=REFUSED).stderr
    other = lab.file("other.json", enclave_file(r | {"expires": r["expires"] + 1}, "administrators"))
    assert "ApprovalInvalid(0)" in lab.send(other, *lab.approve(file), "--value", BOND, code=REFUSED).stderr
    lab.send(file, *lab.approve(file, administrators=(1, 0)), "--value", BOND)
    assert lab.register.view(ENCLAVES, "verdictOf(bytes32)", rv.keys_hash(r["keys"])) == bytes(160)


@pytest.mark.parametrize("change", [{"role": "king"}, {"keys": []}, {"measurement": "0x00"}, {"anything": 1}, {"bond": 5}, {"expires": "soon"},
                                    {"evidence_kind": "simulated"}, {"manifest_number": 0}, {"evidence_digest": "0x" + "00" * 32},
                                    {"schema_digest": "0x"}, {"insecure_flags": -1}])
def test_files_that_are_none(lab, change):
    file = lab.file("bad.json", enclave_file(registration(lab, e.Sgx(now=lab.now)), "sgx") | change)
    done = lab.command("approve", file, "--register", "0x" + lab.own.hex(), code=USAGE)
    assert next(iter(change)) in done.stderr or "epoch" in done.stderr


def test_usage(lab):
    own = ("--register", "0x" + lab.own.hex())
    file = lab.file("enclave.json", enclave_file(registration(lab, e.Sgx(now=lab.now)), "sgx"))
    for words_ in ((), (file, "--manifest-hash", "0x" + "11" * 32), ("--manifest-hash", "0x11", *own), ("--manifest-hash", "0x" + "11" * 32, *own),
                   ("--policy", file, "--number", "1", "--tier", "none", *own), ("--policy", file, "--number", "1", "--tier", "warning", *own),
                   (file,), (file, *own, "--administrator", "0"), (file, *own, "--key-file", lab.folder / "alice"),
                   (file, *own, "--administrator", "16", "--key-file", lab.folder / "alice")):
        lab.command("approve", *words_, code=USAGE)
    for approval in ("", "0", "0:", "0:00", "x:" + "00" * 64, "16:" + "00" * 64, "0:" + "00" * 65):
        lab.send(file, "--approval", approval, code=USAGE)
    lab.send(file, "--evidence", file, code=USAGE)


def test_a_time_key_by_the_command(net, lab):
    """What show-time-key prints goes out by `ledger send`."""
    node = net.nodes[2]
    key, data = run("show-time-key", "--home", str(node.home), "--register", "0x" + lab.own.hex(), "--account",
                    "0x" + BOB.address.hex()).stdout.split()
    three = ["0x" + data[2 + 8 + 64 * i:2 + 8 + 64 * (i + 1)] for i in range(3)]
    assert three[0] == key
    sent = ("send", "enclaves.registerTimeKey", *three, "--tag", "0x" + lab.register.chain.hex(), "--url", lab.url)
    assert "SignatureInvalid" in lab.command(*sent, "--key-file", lab.folder / "alice", code=REFUSED).stderr
    lab.command(*sent, "--key-file", lab.folder / "bob")
    assert "0x" + lab.register.view(ENCLAVES, "timeKeyOf(address)", BOB.address)[:32].hex() == key
