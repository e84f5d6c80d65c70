#!/usr/bin/env python3
"""Records what real nodes answer: python record.py FOLDER. Needs anvil, geth and the contracts' artifacts (script/install test)."""
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from adapters.driver import Gateway  # noqa: E402
from lib import abi, chains, rlp  # noqa: E402

COUNT = 20


def record(chain, raw: bool) -> dict:
    gateway, rpc = Gateway(chain), chain.rpc
    nonce = int(rpc.call("eth_getTransactionCount", gateway.sender, "latest"), 16)
    txs = []
    for i in range(COUNT):
        call = {"from": gateway.sender, "to": gateway.contract.address, "data": abi.to_hex(gateway.message_data(b"%d" % i * 40)),
                "gas": hex(300_000), "nonce": hex(nonce + i)}
        kind = i % 3
        if kind == 0:
            call["gasPrice"] = hex(3 * 10**9)
        elif kind == 1:
            call |= {"gasPrice": hex(3 * 10**9), "accessList": [{"address": gateway.contract.address, "storageKeys": ["0x" + "00" * 32]}]}
        else:
            call |= {"maxFeePerGas": hex(3 * 10**9), "maxPriorityFeePerGas": hex(10**9)}
        if i == 7:
            call["data"] = "0xdeadbeef"  # reverts: no logs, status 0
        txs.append(rpc.call("eth_sendTransaction", call))
    if chain.kind == "anvil":
        chain.mine()
    receipts = [rpc.wait_receipt(tx, accept_revert=True) for tx in txs]
    block_hash = receipts[-1]["blockHash"]
    receipts = rpc.call("eth_getBlockReceipts", block_hash)
    block = rpc.call("eth_getBlockByHash", block_hash, False)
    out = {"client": rpc.call("web3_clientVersion"), "chainId": chain.chain_id, "genesisHash": chain.genesis_hash,
           "gateway": gateway.contract.address, "identity": "0x" + gateway.identity.hex(), "block": block, "receipts": receipts,
           "logs": rpc.call("eth_getLogs", {"address": gateway.contract.address, "fromBlock": block["number"], "toBlock": block["number"]}),
           "proof": rpc.call("eth_getProof", gateway.contract.address, ["0x" + "00" * 32, "0x" + "ab" * 32], block["hash"])}
    if raw:
        out["rawReceipts"] = rpc.call("debug_getRawReceipts", block_hash)
        out["rawHeader"] = rpc.call("debug_getRawHeader", block_hash)
    return out


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        chain = chains.Anvil(Path(work) / "anvil", mining="none")
        chain.mining = "none"
        with chain:
            (folder / "anvil.json").write_text(json.dumps(record(chain, False), indent=1) + "\n")
        with chains.Clique(Path(work) / "clique") as chain:
            (folder / "geth.json").write_text(json.dumps(record(chain, True), indent=1) + "\n")


main(Path(sys.argv[1]))
