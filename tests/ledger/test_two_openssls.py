"""Nodes with Debian's OpenSSL and nodes with another one (its source built without assembly, and often another version) judge the same
registrations, good and bad, and come to the same results and application hashes. `script/test` builds it."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ledger import accounts
from ledger.accounts import ALICE
from ledger.net import Network, change_genesis
from lib.ledger_tx import Call
from lib.tools import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import register_vectors as rv  # noqa: E402

from ledger.test_registration import BOND, ENCLAVES, GAS, Lab, found  # noqa: E402
from lib import dcap_evidence as d  # noqa: E402
from lib import enclave_evidence as e  # noqa: E402

OTHER = Path(os.environ.get("CAISSON_OTHER_OPENSSL", ROOT / "build" / "tools" / "openssl-other")).resolve()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
pytestmark = pytest.mark.skipif(not (OTHER / "libcrypto.so.3").exists(), reason="no other OpenSSL is built (script/install openssl)")


def libcrypto(node) -> Path:
    maps = Path(f"/proc/{node.process.pid}/maps").read_text()
    return Path(next(line.split()[-1] for line in maps.splitlines() if "libcrypto.so.3" in line))


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    network = Network(tmp_path_factory.mktemp("ledger"), 4, arguments=accounts.arguments())
    change_genesis(network, found)
    for i, node in enumerate(network.nodes):
        node.start({"LD_LIBRARY_PATH": str(OTHER)} if i % 2 else None)
    try:
        network.wait_height(2)
        yield network
    finally:
        for node in network.nodes:
            node.kill()


@pytest.fixture(scope="module")
def lab(net, tmp_path_factory):
    one = Lab(net, tmp_path_factory.mktemp("operator"))
    patch = pytest.MonkeyPatch()
    patch.setattr(rv, "OWN", one.own)
    machines = (e.Sgx(now=one.now), e.Tdx(now=one.now), e.Snp(now=one.now), e.Tpm(now=one.now))
    roots = [*machines[0].roots, *machines[2].roots]

    def call(data: bytes) -> None:
        assert one.register.send(ALICE, [Call(ENCLAVES, 0, data)], gas_limit=GAS)["code"] == 0
    call(e.set_policy(1, 2, e.policy(*machines), machines[3].tpm_roots, roots))
    call(e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[1]))
    yield one
    patch.undo()


def forged(quote: bytes, now: int) -> list[tuple[str, bytes]]:
    """A quote whose signature, attestation key or quoting enclave's signature is at the edges of what arithmetic takes."""
    sig, key, qe = 436, 436 + 64, 436 + 64 + 64 + 384
    r, s = quote[sig:sig + 32], int.from_bytes(quote[sig + 32:sig + 64], "big")

    def word(n: int) -> bytes:
        return (n % 2**256).to_bytes(32, "big")

    def put(at: int, value: bytes) -> bytes:
        return quote[:at] + value + quote[at + len(value):]
    return [("the other s", put(sig + 32, word(ORDER - s))), ("r of 0", put(sig, word(0))), ("s of 0", put(sig + 32, word(0))),
            ("r of the order", put(sig, word(ORDER))), ("s of the order", put(sig + 32, word(ORDER))), ("r and s of 0", put(sig, bytes(64))),
            ("r of all ones", put(sig, word(-1))), ("s of all ones", put(sig + 32, word(-1))), ("r and s exchanged", put(sig, word(s) + r)),
            ("s and the order", put(sig + 32, word(s + ORDER))), ("a key of zeros", put(key, bytes(64))), ("a key of ones", put(key, b"\xff" * 64)),
            ("a key that is no point", put(key, quote[key:key + 63] + bytes([quote[key + 63] ^ 1]))),
            ("x of the prime", put(key, word(2**256 - 2**224 + 2**192 + 2**96 - 1))),
            ("a quoting enclave's r of 0", put(qe, word(0))), ("a quoting enclave's s of the order", put(qe + 32, word(ORDER)))]


def registrations(now: int):
    """(name, registration): by kind, good and bad."""
    keys = (([rv.key(bytes([0x60 + i]) * 32, 1, 300 + i)]) for i in range(90))
    sgx, snp, tpm = e.Sgx(now=now), e.Snp(now=now), e.Tpm(now=now)

    def made(name, machine, **over):
        return name, e.registered(machine, **{"bonder": ALICE.address, "keys": next(keys), "expires": now + 15 * rv.DAY} | over)
    for machine in (sgx, e.Tdx(now=now), snp, tpm):
        yield made(f"good {e.KINDS[machine.kind]}", machine)
    for status in ("SWHardeningNeeded", "ConfigurationNeeded", "OutOfDate", "Revoked"):
        yield made(status, e.Sgx(now=now, status=status))
    yield made("debug", e.Sgx(now=now, attributes=0x7))
    yield made("revoked", e.Sgx(now=now, revoked=(24,)))
    yield made("expired", sgx, collateral=e.Sgx(now=now - 21 * rv.DAY).collateral())
    yield made("another root", e.Sgx(now=now, platform=d.Platform(label="somebody else's ")))
    mine = next(keys)
    r = rv.registration(kind=1, evidence=bytes(32), measurement=sgx.measurement, bonder=ALICE.address, keys=mine, expires=now + 15 * rv.DAY)
    for name, raw in forged(sgx.evidence(e.report_data(r)), now):
        yield made(name, sgx, keys=mine, raw=raw)
    report = snp.evidence(bytes(64))
    for name, raw in (("SNP's r of 0", report[:672] + bytes(72) + report[744:]), ("SNP's r of ones", report[:672] + b"\xff" * 48 + report[720:])):
        yield made(name, snp, raw=raw)
    chain = snp.collateral()
    for at in range(8):  # bits of the RSA signatures and moduli, and of an ECDSA key, in the certificates
        spoiled = bytearray(chain[0])
        spoiled[(len(spoiled) - 1) * at // 8 + 40] ^= 1 << at
        yield made(f"a VCEK with another bit {at}", snp, collateral=[bytes(spoiled), *chain[1:]])


def test_one_state(net, lab):
    kinds = [libcrypto(node) for node in net.nodes]
    assert {path.is_relative_to(OTHER) for path in kinds} == {True, False}, kinds
    codes = []
    for name, r in registrations(lab.now):
        result = lab.register.send(ALICE, [Call(ENCLAVES, BOND, rv.register(r, []))], gas_limit=GAS)
        codes.append((name, result["code"]))
    accepted = [name for name, code in codes if code == 0]
    # The other s of a signature is one, too.
    assert accepted == ["good sgx", "good tdx", "good snp", "good tpm", "SWHardeningNeeded", "ConfigurationNeeded", "the other s"], codes
    assert {code for _, code in codes} == {0, 32}
    height = max(node.height() for node in net.nodes) + 1
    for node in net.nodes:
        node.wait_height(height)
    for at in range(2, height + 1):
        seen = {(h["app_hash"], h["last_results_hash"]) for h in (
            node.call("commit", height=str(at))["signed_header"]["header"] for node in net.nodes)}
        assert len(seen) == 1


