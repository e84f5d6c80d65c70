"""What a gateway does between a chain and an enclave, in the fewest words: headers, proofs, requests. For tests alone."""
from __future__ import annotations

from enclave.boundary import Client
from lib import abi, crypto, deploy, rlp
from lib.rpc import wait_for
from lib.trie import Trie

HASHED = ("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty",
          "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot",
          "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash")
NUMBERS = {"difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"}
GAS_PRICE = 3 * 10**9


def header_rlp(block: dict) -> bytes:
    row = [int(block[f], 16) if f in NUMBERS else abi.to_bytes(block[f]) for f in HASHED if f in block]
    data = rlp.encode(row)
    assert crypto.keccak(data) == abi.to_bytes(block["hash"])
    return data


def receipt_rlp(receipt: dict) -> bytes:
    logs = [[abi.to_bytes(log["address"]), [abi.to_bytes(t) for t in log["topics"]], abi.to_bytes(log["data"])]
            for log in receipt["logs"]]
    data = rlp.encode([int(receipt["status"], 16), int(receipt["cumulativeGasUsed"], 16), abi.to_bytes(receipt["logsBloom"]),
                       logs])
    kind = int(receipt["type"], 16)
    return (bytes([kind]) if kind else b"") + data


def nodes(proof: list[bytes]) -> dict:
    if proof and len(proof[-1]) > 1024:
        return {"nodes": proof[:-1], "leaf": proof[-1]}
    return {"nodes": proof}


class Relay:
    """One chain, its gateway contract and its enclave."""

    def __init__(self, side: deploy.Side, client: Client):
        self.side, self.client, self.rpc = side, client, side.chain.rpc
        self.identity, self.nonce = side.identity, 0

    # --- the light client

    def begin(self, anchor: int) -> None:
        made = self.client.call("Init")
        self.key, self.gas_address = made["keys"][0]["public_key"], "0x" + made["keys"][0]["gas_address"].hex()
        self.client.call("ClientCreate", chain=self.identity, header=header_rlp(self.rpc.block(anchor)))
        self.head = anchor

    def sync(self) -> dict:
        latest, status = self.rpc.block_number(), None
        while self.head < latest or status is None:
            numbers = range(self.head + 1, min(latest, self.head + 64) + 1) or [latest]
            headers = [header_rlp(self.rpc.block(n)) for n in numbers]
            status = self.client.call("ClientUpdate", chain=self.identity, headers=headers)["status"]
            self.head = numbers[-1]
        return status

    def make_final(self, height: int) -> int:
        """Blocks on top until the enclave calls this height final."""
        def final():
            if self.side.chain.kind == "anvil" and self.rpc.block_number() < height + 2:
                self.side.chain.mine(2)
            if self.rpc.block_number() <= self.head:
                return False
            return self.sync()["final_height"] >= height

        wait_for(final, 60, f"block {height} is final", 0.2)
        return height

    # --- proofs

    def receipt_claim(self, receipt: dict) -> dict:
        height = int(receipt["blockNumber"], 16)
        rows = [self.rpc.receipt(tx) for tx in self.rpc.block(height)["transactions"]]
        trie = Trie({rlp.encode(i): receipt_rlp(row) for i, row in enumerate(rows)})
        index = int(receipt["transactionIndex"], 16)
        return {"height": height, "block_hash": abi.to_bytes(receipt["blockHash"]), "tx_index": index,
                "proof": nodes(trie.proof(rlp.encode(index)))}

    def storage(self, height: int, slots: list[bytes]) -> list[dict]:
        """Proofs of the account and of each slot."""
        proof = self.rpc.call("eth_getProof", self.side.gateway.address, [abi.to_hex(s) for s in slots], hex(height))
        rows = [proof["accountProof"], *(p["proof"] for p in proof["storageProof"])]
        return [nodes([abi.to_bytes(n) for n in row]) for row in rows]

    # --- what is signed

    def message_of(self, receipt: dict) -> tuple[dict, int]:
        """The whole message of the first MessageCommitted, and the position of that log in the receipt."""
        gateway = self.side.gateway
        topic = abi.topic(gateway.entry("MessageCommitted", kind="event"))
        index = next(i for i, log in enumerate(receipt["logs"]) if log["topics"][0] == topic)
        sent, committed = gateway.events("MessageSent", receipt)[0], gateway.events("MessageCommitted", receipt)[0]
        parts = {f: abi.to_bytes(sent[f]) for f in ("sender", "recipient", "payload")}
        head = {"source": self.identity, "destination": abi.to_bytes(committed["destination"]), "sequence": committed["sequence"],
                "deadline": committed["deadline"], "min_gas_limit": committed["minGasLimit"],
                "closer": abi.to_bytes(committed["closer"]), "refund_to": abi.to_bytes(committed["refundTo"]),
                "finality": committed["finality"], **{f"{f}_hash": crypto.keccak(part) for f, part in parts.items()}}
        return {"head": head, **parts}, index

    def sign_message(self, receipt: dict, epoch: int = 0) -> tuple[dict, dict]:
        """The message and its statement."""
        message, log_index = self.message_of(receipt)
        self.make_final(int(receipt["blockNumber"], 16))
        claim = self.receipt_claim(receipt) | {"messages": [{"head": message["head"], "log_index": log_index}]}
        reply = self.client.call("SignMessages", chain=self.identity, receiver=message["head"]["destination"], epoch=epoch,
                                 receipts=[claim])
        committed = self.side.gateway.events("MessageCommitted", receipt)[0]
        assert reply["message_ids"] == [abi.to_bytes(committed["messageId"])]
        return message, reply["statement"]

    def sign_outcome(self, message: dict, height: int, epoch: int = 0) -> tuple[dict, dict]:
        """The outcome of a message at this destination, and its statement."""
        head = message["head"]
        word = (head["sequence"] >> 7).to_bytes(32, "big")
        slot = crypto.keccak(word + crypto.keccak(head["source"] + (1).to_bytes(32, "big")))
        account, sentinel, status = self.storage(height, [bytes(32), slot])
        reply = self.client.call("SignOutcomes", chain=self.identity, receiver=head["source"], epoch=epoch, height=height,
                                 account=account, sentinel=sentinel, claims=[{"head": head, "proof": status}])
        return reply["outcomes"][0], reply["statement"]

    def learn_key(self, remote: bytes, epoch: int) -> dict:
        height = self.make_final(self.rpc.block_number())
        base = crypto.keccak(epoch.to_bytes(32, "big") + crypto.keccak(remote + (2).to_bytes(32, "big")))
        after = (int.from_bytes(base, "big") + 1).to_bytes(32, "big")
        account, sentinel, key, window = self.storage(height, [bytes(32), base, after])
        return self.client.call("LearnKey", chain=self.identity, remote=remote, epoch=epoch, height=height, account=account,
                                sentinel=sentinel, key=key, window=window)

    # --- transactions

    def submit(self, action: int, legacy: bool = False, gas: int = 1_000_000, **values) -> dict:
        reply = self.client.call("SignTransaction", chain=self.identity, action=action, nonce=self.nonce, gas_limit=gas,
                                 max_fee_wei=GAS_PRICE, max_priority_fee_wei=0 if legacy else 10**9, legacy=legacy, **values)
        assert "0x" + reply["from"].hex() == self.gas_address
        tx = self.rpc.call("eth_sendRawTransaction", abi.to_hex(reply["raw"]))
        assert abi.to_bytes(tx) == reply["hash"]
        self.nonce += 1
        return self.rpc.wait_receipt(tx)


DELIVER, RETRY, EXPIRE, FINALIZE, ANNOUNCE, SWEEP, CANCEL = range(1, 8)
