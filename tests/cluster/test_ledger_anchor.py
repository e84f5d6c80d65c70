"""A key server's anchor on a ledger: everything that a host has is put back, and the key server is refused."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from lib import abi
from lib.bridge_ledger import BridgeLedger
from lib.cluster import Cluster, Process_
from lib.crypto import keccak, schnorr_verify
from lib.rpc import RpcError, wait_for

SOON_S = 90
QUORUM = 3


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    with BridgeLedger(tmp_path_factory.mktemp("ledger"), gateways=("payer",), oracles=()) as it:
        yield it


def make(folder: Path, ledger: BridgeLedger, pays: bool = True) -> Cluster:
    table = {"id": ledger.caip2, "tag": abi.to_hex(ledger.tag), "nodes": ledger.urls}
    if pays:
        table["key_file"] = str(ledger.accounts["payer"].key_file)
    time = {"time": ["ledger"], "ledger": {"anchor": True, "clock_error_s": 1, "quorum": QUORUM, "time_keys": ledger.time_keys}}
    return Cluster(folder, time=time, ledger=table, worker_s=16, key_server_s=120)


def is_up(process: Process_) -> bool:
    try:
        return process.health()
    except OSError:
        return False


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def test_everything_is_put_back(ledger, tmp_path):
    with make(tmp_path / "c", ledger) as cluster:
        cluster.start(guards=1, workers=1)
        ks, worker = cluster.key_servers[0], cluster.workers[0]
        sealed = worker.seal(b"a row")
        for process in cluster.everybody():
            process.kill()
        copies = {process.name: (process.folder / "state.sealed").read_bytes() for process in cluster.everybody()}
        # Of an honest restart nothing is refused.
        for process in cluster.everybody():
            process.start().ready()
        wait_for(worker.joined, SOON_S, "the worker")
        assert worker.open(sealed) == b"a row"
        ks.ask("rotate")
        wait_for(lambda: worker.status()["epoch"] == 2, SOON_S, "the second epoch")
        for process in cluster.everybody():
            process.kill()
        for process in cluster.everybody():
            (process.folder / "state.sealed").write_bytes(copies[process.name])
        for process in cluster.everybody():
            process.start()
        wait_for(lambda: "rolled-back" in ks.log.read_text(), SOON_S, "the refusal")
        assert not is_up(ks)


def test_without_an_account_nothing_is_issued(ledger, tmp_path):
    with make(tmp_path / "c", ledger, pays=False) as cluster:
        ks = cluster.add_key_server().start().ready()
        with pytest.raises((TimeoutError, OSError)):
            ks.ask("create")
        wait_for(lambda: "there is no ledger.key_file" in ks.log.read_text(), SOON_S, "the complaint")
        wait_for(lambda: "does not show this state's anchor" in ks.log.read_text(), SOON_S, "the enclave's complaint")


def test_what_nodes_sign(ledger):
    """Checked by code that shares none with theirs: of nobody there is no anchor, and every field is signed."""
    node = ledger.running[0]
    nonce, lineage, key = os.urandom(32), os.urandom(32), os.urandom(32)
    answer = node.rpc.ask("caisson_time", nonce=abi.to_hex(nonce), lineage=abi.to_hex(lineage), key=abi.to_hex(key))
    anchor = answer["anchor"]
    assert (int(anchor["manifest_number"]), int(anchor["epoch"])) == (0, 0)

    def digest(epoch: int) -> bytes:
        return keccak(keccak(b"caisson/time/anchor/v1") + nonce + int(answer["time_ms"]).to_bytes(32, "big") + lineage + key
                      + int(0).to_bytes(32, "big") + epoch.to_bytes(32, "big") + unhex(anchor["authority"]) + unhex(anchor["start"]))
    assert schnorr_verify(unhex(answer["key"]), digest(0), unhex(answer["signature"]))
    assert not schnorr_verify(unhex(answer["key"]), digest(1), unhex(answer["signature"]))
    with pytest.raises(RpcError, match="lineage and a key"):
        node.rpc.ask("caisson_time", nonce=abi.to_hex(nonce), key=abi.to_hex(key))
