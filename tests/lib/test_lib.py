"""The tools of the tests, against published vectors and real nodes."""
import hashlib
import importlib.util
import json
import socket
import ssl
import subprocess
from types import SimpleNamespace

import pytest

from e2e.chaos import Chaos
from lib import abi, chains, crypto, ics23, rlp, sources
from lib.rpc import RpcError
from lib.tools import ROOT

FIRST_ANVIL_KEY = 0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80


@pytest.mark.parametrize("data, digest", [
    (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
])
def test_keccak(data, digest):
    assert crypto.keccak(data).hex() == digest
    assert crypto._keccak_plain(data).hex() == digest


def test_keccak_plain_and_fast_agree_at_block_edges():
    for size in (135, 136, 137, 272, 1000):
        assert crypto._keccak_plain(b"x" * size) == crypto.keccak(b"x" * size)


def test_schnorr_bip340_vector_0():
    want = ("e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
            "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0")
    signature = crypto.schnorr_sign(3, bytes(32))
    assert signature.hex() == want
    assert crypto.schnorr_verify(crypto.public_key(3)[:32], bytes(32), signature)
    assert not crypto.schnorr_verify(crypto.public_key(3)[:32], b"\1" * 32, signature)


def test_ecdsa_recovers():
    assert crypto.address(FIRST_ANVIL_KEY).hex() == "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    digest = crypto.keccak(b"x")
    assert crypto.ecdsa_recover(digest, *crypto.ecdsa_sign(FIRST_ANVIL_KEY, digest)) == crypto.address(FIRST_ANVIL_KEY)


def test_aes_ctr_of_sp800_38a():
    key, counter = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes(range(0xF0, 0x100))
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert chains.aes128_ctr(key, counter, plain).hex() == "874d6191b620e3261bef6864990db6ce"


def test_abi_round_trip():
    tuples = {"type": "tuple[]", "components": [{"name": "n", "type": "uint64"}, {"name": "data", "type": "bytes"}]}
    kinds = ["uint256", "bytes32[]", tuples, "address", "bool"]
    values = [7, [b"\1" * 32, b"\2" * 32], [{"n": 1, "data": b"abc"}, {"n": 2, "data": b""}], b"\3" * 20, True]
    assert abi.decode(kinds, abi.encode(kinds, values)) == values
    assert abi.selector("transfer(address,uint256)").hex() == "a9059cbb"


def test_rlp_round_trip_and_refusals():
    item = [b"", b"\x7f", b"\x80", b"x" * 60, [b"a", [b""]]]
    assert rlp.decode(rlp.encode(item)) == item
    for bad in (b"\x83ab", rlp.encode(item) + b"\0"):
        with pytest.raises(ValueError):
            rlp.decode(bad)


@pytest.mark.parametrize("sign", [rlp.sign_1559, rlp.sign_legacy])
def test_anvil_takes_our_transactions(anvil, sign):
    rpc = anvil.rpc
    nonce = int(rpc.call("eth_getTransactionCount", anvil.accounts[0], "pending"), 16)
    raw = sign(FIRST_ANVIL_KEY, anvil.chain_id, nonce, b"\1" * 20, value=5)
    assert rpc.wait_receipt(rpc.call("eth_sendRawTransaction", abi.to_hex(raw)))["status"] == "0x1"


def test_anvil_refuses_another_chains_transaction(anvil):
    raw = rlp.sign_1559(FIRST_ANVIL_KEY, anvil.chain_id + 1, 0, b"\1" * 20)
    with pytest.raises(RpcError):
        anvil.rpc.call("eth_sendRawTransaction", abi.to_hex(raw))


def test_clique_seals_by_all_signers(clique):
    rpc = clique.rpc
    assert rpc.wait_receipt(rpc.send(clique.accounts[0], clique.accounts[1], value=1))["status"] == "0x1"
    rpc.wait_blocks(4)
    head, sealers = rpc.block_number(), set()
    for height in range(1, head + 1):
        fields = rlp.decode(abi.to_bytes(rpc.call("debug_getRawHeader", hex(height))))
        extra = fields[12]
        fields[12] = extra[:-65]
        recovery, r, s = extra[-1], crypto.number(extra[-65:-33]), crypto.number(extra[-33:-1])
        sealers.add("0x" + crypto.ecdsa_recover(crypto.keccak(rlp.encode(fields)), recovery, r, s).hex())
    assert sealers <= set(clique.signers)
    assert len(sealers) >= 2


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with sources.Sources(tmp_path_factory.mktemp("sources"), ["one.example.test", "two.example.test"]) as made:
        yield made


def get(web, name: str, path: str, store=None, port: int | None = None) -> bytes:
    context = ssl.create_default_context(cafile=str(store or web.store))
    with socket.create_connection(("127.0.0.1", port or web.port)) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        tls.sendall(f"GET /{path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: tls.recv(65536), b"")).partition(b"\r\n\r\n")[2]


def test_sources_answer_by_name_and_change(web):
    for name, value in (("one.example.test", 1), ("two.example.test", 2), ("one.example.test", 3)):
        web.set(name, "value", {"value": value})
        assert get(web, name, "value") == b'{"value": %d}' % value
    assert web.url("one.example.test", "value") == f"https://one.example.test:{web.port}/value"


def test_sources_are_refused_under_another_name_or_authority(web, tmp_path):
    for name, store in (("three.example.test", None), ("one.example.test", sources.Authority(tmp_path).file)):
        with pytest.raises(ssl.SSLCertVerificationError):
            get(web, name, "value", store)


def ledger_trees():
    """(root, key, value or None, proof) of tests/vectors/ledger_tree, which cosmos/ics23 judged."""
    trees = json.loads((ROOT / "tests" / "vectors" / "ledger_tree" / "proofs.json").read_text())
    for tree in trees.values():
        for p in tree["proofs"]:
            yield tuple(None if t is None else bytes.fromhex(t) for t in (tree["root"], p["key"], p["value"], p["proof"]))


def test_ics23_of_the_ledgers_tree():
    count = 0
    for root, key, value, proof in ledger_trees():
        assert ics23.value_of(root, key, proof) == value
        count += 1
        lies = [(bytes(32), key, proof), (root, key, proof[:-1]), (root, key, bytes([26]) + proof[1:])]
        if value is not None:
            lies.append((root, key + b"x", proof))
        for wrong in lies:
            with pytest.raises(ics23.BadProof):
                ics23.value_of(*wrong)
    assert count > 50


def test_ics23_refuses_neighbours_that_are_none():
    """The proof of a key that is there, called one of absence of something between others."""
    known = [v for v in ledger_trees()]
    roots = {root for root, *_ in known}
    for tree in roots:
        there = [(k, p) for root, k, value, p in known if root == tree and value is not None]
        order = sorted(there, key=lambda row: hashlib.sha256(row[0]).digest())
        if len(order) < 3:
            continue
        (_, first), (middle, _), (_, last) = order[0], order[1], order[2]
        body = b"".join(bytes([tag]) + varint(len(part)) + part
                        for tag, part in ((10, middle), (18, ics23.fields(first)[0][1]), (26, ics23.fields(last)[0][1])))
        with pytest.raises(ics23.BadProof):
            ics23.value_of(tree, middle, b"\x12" + varint(len(body)) + body)


def varint(n: int) -> bytes:
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


@pytest.mark.parametrize("name", ["exist_left", "exist_middle", "exist_right", "nonexist_left", "nonexist_middle", "nonexist_right"])
def test_ics23_of_cosmos(name):
    vector = json.loads((ROOT / "tests" / "vectors" / "ics23" / "smt" / f"{name}.json").read_text())
    root, key, value, proof = (bytes.fromhex(vector[n]) for n in ("root", "key", "value", "proof"))
    assert ics23.value_of(root, key, proof) == (value or None)
    with pytest.raises(ics23.BadProof):
        ics23.value_of(root[::-1], key, proof)


# ---- reports ----

def test_a_report_never_takes_the_place_of_another(tmp_path):
    """script/lib/slow.py: two runs of one commit on one day."""
    spec = importlib.util.spec_from_file_location("slow", ROOT / "script" / "lib" / "slow.py")
    slow = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(slow)
    slow.ROOT = tmp_path
    written = [slow.report([], None, "", 10, [f"run {n}"], "0123abcd", "") for n in range(3)]
    stem = written[0].stem
    assert [path.name for path in written] == [f"{stem}.md", f"{stem}-2.md", f"{stem}-3.md"] and stem.endswith("-0123abcd")
    assert [path.read_text().splitlines()[-1] for path in written] == ["run 0", "run 1", "run 2"]


def test_what_was_skipped_is_named(tmp_path):
    """script/lib/skipped.awk, over the log of a real ctest: a suite that is skipped in part, one that is whole, one that is skipped whole."""
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_part.py").write_text("""
from lib import tools


def test_passes():
    pass


def test_needs():
    raise tools.Missing("quint", "script/install test brings it")
""")
    pytest_ = [str(ROOT / "tests" / "run-pytest"), "-q", "-c", str(ROOT / "tests" / "pytest.ini"), f"--rootdir={tmp_path}"]
    tests = {"spec/part": [*pytest_, str(tmp_path / "test_part.py")], "unit/whole": ["true"],
             "vectors/none": ["sh", "-c", "echo 'skipped: no environment'; exit 77"]}
    lines = [f"add_test({name} {' '.join(json.dumps(word) for word in words)})" for name, words in tests.items()]
    (tmp_path / "CTestTestfile.cmake").write_text("\n".join(lines) + "\nset_tests_properties(vectors/none PROPERTIES SKIP_RETURN_CODE 77)\n")
    done = subprocess.run(["ctest", "--test-dir", tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    log = tmp_path / "Testing" / "Temporary" / "LastTest.log"
    told = subprocess.run(["awk", "-f", ROOT / "script" / "lib" / "skipped.awk", log], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == ["spec/part: quint is missing: script/install test brings it", "vectors/none: no environment"], log.read_text()


def test_the_seed_of_a_storm_repeats_its_faults_whatever_is_sent_between():
    """e2e/chaos.py, whose faults here are only drawn: their order, whom they meet and for how long, not what they do."""
    class Rpc:
        def time(self) -> int:
            return 0

        def send(self, *_, **__):
            raise OSError("nobody is there")

    here = SimpleNamespace(bridge=Rpc(), user="", token=SimpleNamespace(address=""), friend="0x" + "11" * 20,
                           chain=SimpleNamespace(chain_id=1, rpc=Rpc()))

    def faults(seed: int, sent_between: int) -> list[str]:
        storm = Chaos(SimpleNamespace(all=["gateway1", "gateway2", "gateway3"], sides=[here, here]), seed)
        storm.kinds = {kind: lambda gateway: f"{gateway} {storm._later(0, 8, None)}" for kind in storm.kinds}
        drawn = []
        for _ in range(40):
            for _ in range(sent_between):
                storm.send()
            drawn.append(storm.one())
        assert storm.unsent == 40 * sent_between
        return drawn

    assert faults(7, 0) == faults(7, 3) != faults(8, 3)
