#!/usr/bin/env python3
"""A receipt proof of a message for bench_verify, made from scratch: proofs.py TRANSACTIONS > proof.txt

The block holds as many transactions as asked, each with the two logs of one message; the proof is of the middle one.
Lines of `name value`, hex without 0x.
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from lib import abi, deploy, rlp, trie  # noqa: E402
from lib.crypto import keccak  # noqa: E402

GATEWAY = bytes(range(1, 21))
COMMITTED = "MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)"
SENT = "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])"
SOURCE, DESTINATION = b"\x11" * 32, b"\x22" * 32
DEADLINE, GAS = 1_900_000_000, 200_000
SENDER, RECIPIENT, PAYLOAD = deploy.erc7930(31337, "0x" + "33" * 20), deploy.erc7930(31338, "0x" + "44" * 20), b"\x55" * 128


def word(n: int) -> bytes:
    return n.to_bytes(32, "big")


def message_id(sequence: int) -> bytes:
    attributes = keccak(deploy.tag("caisson/attributes/v1") + word(GAS) + word(0) + word(0) + word(0))
    return keccak(deploy.tag("caisson/message/v1") + SOURCE + DESTINATION + word(sequence) + keccak(SENDER) + keccak(RECIPIENT)
                  + keccak(PAYLOAD) + attributes + word(DEADLINE))


def receipt(sequence: int) -> bytes:
    identifier = message_id(sequence)
    committed = [GATEWAY, [keccak(COMMITTED.encode()), identifier, DESTINATION],
                 abi.encode(["uint64"] * 3 + ["bytes32"] * 2 + ["uint8"], [sequence, DEADLINE, GAS, bytes(32), bytes(32), 0])]
    sent = [GATEWAY, [keccak(SENT.encode()), identifier],
            abi.encode(["bytes", "bytes", "bytes", "uint256", "bytes[]"], [SENDER, RECIPIENT, PAYLOAD, 0, []])]
    return b"\2" + rlp.encode([b"\1", 85_000 * sequence, b"\0" * 256, [sent, committed]])


def main() -> None:
    count = int(sys.argv[1])
    index = count // 2
    tree = trie.Trie({rlp.encode(i): receipt(i + 1) for i in range(count)})
    print("transactions", count)
    print("index", index)
    print("log_index", 1)
    print("sequence", index + 1)
    print("deadline", DEADLINE)
    print("gas", GAS)
    print("root", tree.root.hex())
    print("gateway", GATEWAY.hex())
    print("topic", keccak(COMMITTED.encode()).hex())
    print("message_id", message_id(index + 1).hex())
    print("source", SOURCE.hex())
    print("destination", DESTINATION.hex())
    for name, data in (("sender", SENDER), ("recipient", RECIPIENT), ("payload", PAYLOAD)):
        print(name, keccak(data).hex())
    for node in tree.proof(rlp.encode(index)):
        print("node", node.hex())


main()
