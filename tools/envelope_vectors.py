#!/usr/bin/env python3
"""Makes tests/vectors/envelope/*.json: what docs/protocol/envelope.md hashes, signs and encodes.

It is written from that page alone, with its own Keccak-256, secp256k1, BIP-340 and ABI encoder on the standard
library, so that neither the C nor the Solidity that must reproduce the vectors can share a mistake with it.

    tools/envelope_vectors.py            write the files
    tools/envelope_vectors.py --check    fail if they differ from what would be written
"""
import hashlib
import json
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "envelope"

# --- Keccak-256 (Keccak Team's reference description; padding 0x01) -----------------------------------------------

MASK = (1 << 64) - 1
ROUNDS = 24
RATE = 136


def _round_constants():
    constants, lfsr = [], 1
    for _ in range(ROUNDS):
        value = 0
        for j in range(7):
            if lfsr & 1:
                value |= 1 << ((1 << j) - 1)
            lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)
        constants.append(value)
    return constants


RC = _round_constants()


def _rol(value, by):
    by %= 64
    return ((value << by) | (value >> (64 - by))) & MASK if by else value


def _permute(a):
    for constant in RC:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rol(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _rol(current, (t + 1) * (t + 2) // 2)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y] & MASK) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def keccak(data: bytes) -> bytes:
    padded = bytearray(data) + bytearray(RATE - len(data) % RATE)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    a = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), RATE):
        for i in range(RATE // 8):
            a[i % 5][i // 5] ^= int.from_bytes(padded[start + 8 * i:start + 8 * i + 8], "little")
        a = _permute(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"

# --- secp256k1, BIP-340 -------------------------------------------------------------------------------------------

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def point_add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def point_mul(point, k):
    result = None
    while k:
        if k & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        k >>= 1
    return result


def tagged(tag: str, data: bytes) -> bytes:
    head = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(head + head + data).digest()


def public_x(secret: int) -> bytes:
    return point_mul(G, secret)[0].to_bytes(32, "big")


def schnorr_sign(secret: int, message: bytes, aux: bytes):
    """Returns (R.x, R.y, s) as integers, R.y even."""
    point = point_mul(G, secret)
    d = secret if point[1] % 2 == 0 else N - secret
    t = (d ^ int.from_bytes(tagged("BIP0340/aux", aux), "big")).to_bytes(32, "big")
    px = point[0].to_bytes(32, "big")
    k = int.from_bytes(tagged("BIP0340/nonce", t + px + message), "big") % N
    r = point_mul(G, k)
    if r[1] % 2:
        k, r = N - k, (r[0], P - r[1])
    e = int.from_bytes(tagged("BIP0340/challenge", r[0].to_bytes(32, "big") + px + message), "big") % N
    return r[0], r[1], (k + e * d) % N


# --- words and hashes of envelope.md ------------------------------------------------------------------------------


def u(number: int) -> bytes:
    return number.to_bytes(32, "big")


def tag(text: str) -> bytes:
    return keccak(text.encode())


def word(raw: bytes) -> bytes:
    return raw.rjust(32, b"\0") if len(raw) <= 32 else keccak(raw)


TAGS = ["caisson/identity/v1", "caisson/attributes/v1", "caisson/message/v1", "caisson/leaf/message/v1",
        "caisson/leaf/outcome/v1", "caisson/leaf/rotation/v1", "caisson/node/v1", "caisson/statement/v1",
        "caisson/statement/v1/insecure", "caisson/layout/evm/v1", "caisson/transfer/v1"]
SECURE, INSECURE = "caisson/statement/v1", "caisson/statement/v1/insecure"
MESSAGE, OUTCOME, ROTATION = 1, 2, 3


def identity(caip2: str, genesis: bytes, address: bytes) -> bytes:
    return keccak(tag("caisson/identity/v1") + keccak(caip2.encode()) + genesis + word(address))


def erc7930(chain_type: int, reference: bytes, address: bytes) -> bytes:
    return (b"\x00\x01" + chain_type.to_bytes(2, "big") + bytes([len(reference)]) + reference
            + bytes([len(address)]) + address)


def eip155(chain_id: int, address: bytes) -> bytes:
    return erc7930(0, chain_id.to_bytes((chain_id.bit_length() + 7) // 8, "big"), address)


def attributes_hash(m) -> bytes:
    return keccak(tag("caisson/attributes/v1") + u(m["minGasLimit"]) + m["closer"] + m["refundTo"] + u(m["finality"]))


def message_id(m) -> bytes:
    return keccak(tag("caisson/message/v1") + m["source"] + m["destination"] + u(m["sequence"]) + keccak(m["sender"])
                  + keccak(m["recipient"]) + keccak(m["payload"]) + attributes_hash(m) + u(m["deadline"]))


def leaf_message(mid: bytes) -> bytes:
    return keccak(tag("caisson/leaf/message/v1") + mid)


def leaf_outcome(mid: bytes, status: int) -> bytes:
    return keccak(tag("caisson/leaf/outcome/v1") + mid + u(status))


def leaf_rotation(epoch: int, x: bytes) -> bytes:
    return keccak(tag("caisson/leaf/rotation/v1") + u(epoch) + x)


def node(a: bytes, b: bytes) -> bytes:
    return keccak(tag("caisson/node/v1") + min(a, b) + max(a, b))


def levels(leaves):
    rows = [list(leaves)]
    while len(rows[-1]) > 1:
        row = rows[-1]
        up = [node(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        rows.append(up + ([row[-1]] if len(row) % 2 else []))
    return rows


def path_of(leaves, start: int, height: int):
    """Siblings, from the bottom up, of the aligned subtree that begins at leaf `start` and is `height` levels high."""
    rows, path, at = levels(leaves), [], start >> height
    for row in rows[height:-1]:
        if at ^ 1 < len(row):
            path.append(row[at ^ 1])
        at >>= 1
    return path


def digest(domain: str, kind: int, signer: bytes, receiver: bytes, epoch: int, manifest: int, root: bytes) -> bytes:
    return keccak(tag(domain) + u(kind) + signer + receiver + u(epoch) + u(manifest) + root)


# --- ABI ----------------------------------------------------------------------------------------------------------
# A value is (kind, content): "word" 32 bytes, "bytes", "array" of values, "tuple" of values.


def W(value):
    if isinstance(value, int):
        value = u(value)
    return "word", value.rjust(32, b"\0")


def is_dynamic(value):
    kind, content = value
    return kind in ("bytes", "array") or (kind == "tuple" and any(is_dynamic(v) for v in content))


def encode(value) -> bytes:
    kind, content = value
    if kind == "word":
        return content
    if kind == "bytes":
        return u(len(content)) + content + bytes(-len(content) % 32)
    if kind == "array":
        return u(len(content)) + encode_row(content)
    return encode_row(content)


def encode_row(values) -> bytes:
    head_size = sum(32 if is_dynamic(v) else len(encode(v)) for v in values)
    head, tail = b"", b""
    for v in values:
        if is_dynamic(v):
            head += u(head_size + len(tail))
            tail += encode(v)
        else:
            head += encode(v)
    return head + tail


def selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


def call(signature: str, values) -> bytes:
    return selector(signature) + encode_row(values)


STATEMENT = "(uint64,uint64,uint256,uint256,uint256,bytes32[])"
MESSAGE_T = "(uint64,uint64,uint64,uint8,bytes32,bytes32,address,bytes,bytes)"
OUTCOME_T = "(bytes32,uint8)"
FUNCTIONS = {
    "deliver": f"deliver(bytes32,{STATEMENT},{MESSAGE_T}[])",
    "retry": f"retry(bytes32,{STATEMENT},{MESSAGE_T})",
    "close": f"close(bytes32,{STATEMENT},{MESSAGE_T})",
    "expire": f"expire(bytes32,{STATEMENT},{MESSAGE_T}[])",
    "finalize": f"finalize(bytes32,{STATEMENT},{OUTCOME_T}[])",
    "announceRotation": f"announceRotation(bytes32,{STATEMENT},uint64,bytes32)",
    "sendMessage": "sendMessage(bytes,bytes,bytes[])",
    "receiveMessage": "receiveMessage(bytes32,bytes,bytes)",
    "onOutcome": "onOutcome(bytes32,uint8)",
    "transfer": "transfer(address,uint256,bytes,address,bytes[])",
}
EVENTS = {
    "MessageSent": "MessageSent(bytes32,bytes,bytes,bytes,uint256,bytes[])",
    "MessageCommitted": "MessageCommitted(bytes32,bytes32,uint64,uint64,uint64,bytes32,bytes32,uint8)",
    "MessageStatus": "MessageStatus(bytes32,bytes32,uint64,uint8)",
    "MessageFinalized": "MessageFinalized(bytes32,bytes32,uint8)",
}
ATTRIBUTES = {"deadline": "deadline(uint64)", "minGasLimit": "minGasLimit(uint256)", "closer": "closer(bytes)",
              "refundTo": "refundTo(address)", "finality": "finality(uint8)"}


def attribute(name: str, value) -> bytes:
    return selector(ATTRIBUTES[name]) + encode_row([("bytes", value) if name == "closer" else W(value)])


def statement(st):
    return "tuple", [W(st["epoch"]), W(st["manifest"]), W(st["rx"]), W(st["ry"]), W(st["s"]),
                     ("array", [W(p) for p in st["path"]])]


def message_abi(m):
    return "tuple", [W(m["sequence"]), W(m["deadline"]), W(m["minGasLimit"]), W(m["finality"]), W(m["closer"]),
                     W(m["refundTo"]), W(m["recipient_address"]), ("bytes", m["sender"]), ("bytes", m["payload"])]


# --- cases --------------------------------------------------------------------------------------------------------


def hx(data: bytes) -> str:
    return "0x" + data.hex()


def seq_bytes(first: int, size: int) -> bytes:
    return bytes((first + i) % 256 for i in range(size))


A1, A2 = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3"), bytes.fromhex("e7f1725e7734ce288f8367e1bb143e90bb3f0512")
APP1, APP2 = seq_bytes(0x10, 20), seq_bytes(0xa0, 20)
GEN1, GEN2 = keccak(b"genesis one"), keccak(b"genesis two")
ID1, ID2 = identity("eip155:31337", GEN1, A1), identity("eip155:777", GEN2, A2)
SECRET1 = int.from_bytes(keccak(b"caisson vector key 1"), "big") % N
SECRET2 = int.from_bytes(keccak(b"caisson vector key 2"), "big") % N
AUX = keccak(b"caisson vector aux")


def identities():
    cases = [("eip155:31337", GEN1, A1), ("eip155:777", GEN2, A2), ("eip155:777", GEN1, A2), ("eip155:1", GEN1, A1),
             ("eip155:1", bytes(32), bytes(20)), ("eip155:115792089237316195", b"\xff" * 32, b"\xff" * 20),
             ("cosmos:caisson-1", GEN2, seq_bytes(1, 32)), ("fabric:0123456789abcdef", GEN1, b"channel/chaincode"),
             ("fisco:0a", GEN1, seq_bytes(7, 33)), ("eip155:5", GEN1, b"")]
    return [{"caip2": c, "genesis": hx(g), "address": hx(a), "address_word": hx(word(a)),
             "identity": hx(identity(c, g, a))} for c, g, a in cases]


def addresses():
    good = [(0, b"\x01", A1), (0, (31337).to_bytes(2, "big"), A1), (0, (2**64 - 1).to_bytes(8, "big"), A2),
            (0, b"\x7f" + b"\xff" * 12, b"\xff" * 20), (0, b"\x01\x00", bytes(20)), (2, seq_bytes(1, 32), seq_bytes(9, 32)),
            (0xfff0, b"", b"a"), (0xffff, b"\xff" * 255, b"\xee" * 255)]
    base = eip155(31337, A1)
    bad = {"empty": b"", "version 0": b"\0\0" + base[2:], "version 2": b"\0\2" + base[2:], "one byte short": base[:-1],
           "one byte more": base + b"\0", "reference length past the end": base[:4] + b"\xff" + base[5:],
           "no address length": base[:7], "address length 0 with bytes": base[:7] + b"\0" + base[8:]}
    return {"good": [{"chain_type": t, "reference": hx(r), "address": hx(a), "bytes": hx(erc7930(t, r, a)),
                      "hash": hx(keccak(erc7930(t, r, a)))} for t, r, a in good],
            "bad": [{"why": k, "bytes": hx(v)} for k, v in bad.items()]}


def base_message(**over):
    m = {"source": ID1, "destination": ID2, "sequence": 1, "sender": eip155(31337, APP1), "recipient_address": APP2,
         "recipient": eip155(777, APP2), "payload": b"hello", "minGasLimit": 100000, "closer": bytes(32),
         "refundTo": bytes(32), "finality": 0, "deadline": 1900000000}
    m.update(over)
    if "recipient_address" in over and "recipient" not in over:
        m["recipient"] = eip155(777, over["recipient_address"])
    return m


MESSAGES = {
    "plain": base_message(),
    "empty payload": base_message(payload=b""),
    "payload of 31": base_message(payload=seq_bytes(1, 31)),
    "payload of 32": base_message(payload=seq_bytes(1, 32)),
    "payload of 33": base_message(payload=seq_bytes(1, 33)),
    "payload of one Keccak block": base_message(payload=seq_bytes(0, 136)),
    "payload of one Keccak block less one": base_message(payload=seq_bytes(0, 135)),
    "payload of 10,000": base_message(payload=seq_bytes(3, 10000)),
    "zeros": base_message(payload=bytes(64)),
    "closer and refundTo": base_message(closer=word(APP2), refundTo=word(APP1)),
    "closer longer than a word": base_message(closer=word(seq_bytes(1, 40)), finality=1),
    "largest fields": base_message(sequence=2**64 - 1, deadline=2**64 - 1, minGasLimit=2**64 - 1, finality=254,
                                   closer=b"\xff" * 32, refundTo=b"\xff" * 32, recipient_address=b"\xff" * 20),
    "smallest fields": base_message(sequence=1, deadline=1, minGasLimit=0, recipient_address=bytes(20), payload=b""),
    "sequence 127": base_message(sequence=127),
    "sequence 128": base_message(sequence=128),
    "back": base_message(source=ID2, destination=ID1, sender=eip155(777, APP2), recipient_address=APP1,
                         recipient=eip155(31337, APP1)),
    "sender of 40 bytes": base_message(sender=erc7930(0xfff0, b"chan", seq_bytes(1, 40))),
    "transfer": base_message(payload=tag("caisson/transfer/v1") + word(A1) + u(10**18) + word(APP2)),
}


def message_case(name, m):
    mid = message_id(m)
    return {"name": name, "source": hx(m["source"]), "destination": hx(m["destination"]), "sequence": str(m["sequence"]),
            "sender": hx(m["sender"]), "recipient": hx(m["recipient"]), "recipient_address": hx(m["recipient_address"]),
            "payload": hx(m["payload"]), "deadline": str(m["deadline"]), "min_gas_limit": str(m["minGasLimit"]),
            "closer": hx(m["closer"]), "refund_to": hx(m["refundTo"]), "finality": m["finality"],
            "sender_hash": hx(keccak(m["sender"])), "recipient_hash": hx(keccak(m["recipient"])),
            "payload_hash": hx(keccak(m["payload"])), "attributes_hash": hx(attributes_hash(m)), "message_id": hx(mid),
            "leaf": hx(leaf_message(mid)), "leaf_delivered": hx(leaf_outcome(mid, 2)), "leaf_dead": hx(leaf_outcome(mid, 3))}


def attribute_cases():
    values = [("deadline", 1), ("deadline", 1900000000), ("deadline", 2**64 - 1), ("minGasLimit", 0),
              ("minGasLimit", 2**64 - 1), ("minGasLimit", 2**256 - 1), ("closer", APP2), ("closer", b"\x01"),
              ("closer", seq_bytes(1, 32)), ("closer", seq_bytes(1, 40)), ("closer", seq_bytes(1, 64)), ("refundTo", APP1),
              ("finality", 0), ("finality", 254)]
    return {"selectors": {n: {"signature": s, "selector": hx(selector(s))} for n, s in ATTRIBUTES.items()},
            "encoded": [{"name": n, "value": hx(v) if isinstance(v, bytes) else str(v), "bytes": hx(attribute(n, v))}
                        | ({"word": hx(word(v))} if isinstance(v, bytes) else {}) for n, v in values]}


def tree_cases():
    out = []
    for size in list(range(1, 10)) + [25, 128]:
        ids = [message_id(base_message(sequence=i + 1)) for i in range(size)]
        leaves = [leaf_message(i) for i in ids]
        rows = levels(leaves)
        case = {"size": size, "leaves": [hx(v) for v in leaves], "root": hx(rows[-1][0])}
        if size <= 9:
            case["paths"] = [[hx(v) for v in path_of(leaves, i, 0)] for i in range(size)]
            case["subtrees"] = [{"start": at << height, "height": height, "count": min(1 << height, size - (at << height)),
                                 "root": hx(rows[height][at]), "path": [hx(v) for v in path_of(leaves, at << height, height)]}
                                for height in range(1, len(rows)) for at in range(len(rows[height]))]
        else:
            case["paths"] = [[hx(v) for v in path_of(leaves, i, 0)] if i in (0, size - 1) else None for i in range(size)]
        out.append(case)
    a, b = leaf_message(u(1)), leaf_message(u(2))
    x1, x2 = public_x(SECRET1), public_x(SECRET2)
    return {"trees": out,
            "nodes": [{"a": hx(p), "b": hx(q), "node": hx(node(p, q))}
                      for p, q in ((a, b), (b, a), (a, a), (bytes(32), b"\xff" * 32), (u(1), u(2)), (u(2), u(1)))],
            "rotation_leaves": [{"new_epoch": str(e), "new_key": hx(x), "leaf": hx(leaf_rotation(e, x))}
                                for e, x in ((1, x1), (2, x2), (2**64 - 1, x1), (2, u(P - 1)))],
            "outcome_leaves": [{"message_id": hx(i), "status": s, "leaf": hx(leaf_outcome(i, s))}
                               for i in (bytes(32), u(1), b"\xff" * 32) for s in (2, 3)]}


def digest_cases():
    roots = [leaf_message(message_id(MESSAGES["plain"])), bytes(32), b"\xff" * 32]
    cases = [(MESSAGE, ID1, ID2, 1, 1, roots[0]), (OUTCOME, ID2, ID1, 1, 1, leaf_outcome(message_id(MESSAGES["plain"]), 2)),
             (ROTATION, ID1, ID2, 1, 1, leaf_rotation(2, public_x(SECRET2))), (MESSAGE, ID1, ID2, 2**64 - 1, 2**64 - 1, roots[2]),
             (MESSAGE, bytes(32), bytes(32), 0, 0, roots[1]), (MESSAGE, ID2, ID1, 1, 2, roots[0]), (4, ID1, ID2, 7, 9, roots[0])]
    return [{"domain": d, "insecure": d == INSECURE, "kind": k, "signer": hx(s), "receiver": hx(r), "epoch": str(e),
             "manifest": str(m), "root": hx(root), "digest": hx(digest(d, k, s, r, e, m, root))}
            for k, s, r, e, m, root in cases for d in (SECURE, INSECURE)]


def storage_cases():
    def status_slot(source, sequence):
        return keccak(u(sequence >> 7) + keccak(source + u(1)))

    def key_base(remote, epoch):
        return int.from_bytes(keccak(u(epoch) + keccak(remote + u(2))), "big")

    return {"sentinel": [{"identity": hx(i), "slot": hx(u(0)), "value": hx(keccak(tag("caisson/layout/evm/v1") + i))}
                         for i in (ID1, ID2, bytes(32))],
            "status": [{"source": hx(s), "sequence": str(q), "word": str(q >> 7), "shift": 2 * (q & 127),
                        "slot": hx(status_slot(s, q))}
                       for s in (ID1, ID2) for q in (1, 2, 63, 64, 127, 128, 129, 255, 256, 2**32, 2**64 - 1)],
            "status_field": [{"sequence": str(q), "value": hx(u(v)), "status": v >> (2 * (q & 127)) & 3}
                             for q, v in ((1, 8), (1, 4), (1, 0), (1, 12), (127, 2 << 254), (128, 3), (129, 1 << 2),
                                          (5, 2**256 - 1), (0, 1), (64, 0x2 << 128))],
            "key": [{"remote": hx(r), "epoch": str(e), "slot_x": hx(u(key_base(r, e))), "slot_meta": hx(u((key_base(r, e) + 1) % 2**256))}
                    for r in (ID1, ID2) for e in (1, 2, 128, 2**64 - 1)],
            "sent": [{"message_id": hx(i), "slot": hx(keccak(i + u(3))), "sender": hx(a), "remote": str(r), "status": s,
                      "value": hx(u(int.from_bytes(a, "big") | r << 160 | s << 192))}
                     for i, a, r, s in ((ID1, bytes(range(1, 21)), 1, 0), (ID2, b"\xff" * 20, 2**32 - 1, 3), (bytes(32), bytes(20), 7, 2))],
            "key_meta": [{"state": s, "not_before": str(b), "not_after": str(a), "value": hx(u(s | b << 8 | a << 72))}
                         for s, b, a in ((0, 0, 0), (1, 1700000000, 0), (1, 1700000000, 1800000000), (2, 1, 2), (3, 2**64 - 1, 2**64 - 1))]}


def signature_cases():
    cases = []
    for secret in (1, 2, 3, SECRET1, SECRET2, N - 1):
        for text, aux in ((b"caisson", AUX), (b"", bytes(32))):
            message = digest(SECURE, MESSAGE, ID1, ID2, 1, 1, keccak(text))
            rx, ry, s = schnorr_sign(secret, message, aux)
            cases.append({"secret": hx(u(secret)), "public": hx(public_x(secret)), "aux": hx(aux), "digest": hx(message),
                          "rx": hx(u(rx)), "ry": hx(u(ry)), "s": hx(u(s)), "valid": True, "why": "signed"})
    good = cases[6]
    rx, ry, s = (int(good[k], 16) for k in ("rx", "ry", "s"))
    lx = next(x for x in range(5, 100) if pow(pow(x, 3, P) + 7, (P - 1) // 2, P) != 1)
    above_n = next(x for x in range(N, N + 100) if pow(pow(x, 3, P) + 7, (P - 1) // 2, P) == 1)
    wrong = {"R.y odd": {"ry": P - ry}, "R.y off by two": {"ry": (ry + 2) % P}, "R.y = 0": {"ry": 0}, "R.x + 1": {"rx": rx + 1},
             "R.x = p": {"rx": P}, "R.x + p of a small x": {"rx": P + 1}, "R.y = p": {"ry": P}, "s = n": {"s": N}, "s = 0": {"s": 0},
             "s negated": {"s": N - s}, "s largest": {"s": 2**256 - 1}, "s + 1": {"s": (s + 1) % N},
             "digest of another": {"digest": keccak(b"other")}, "key of another": {"public": public_x(SECRET2)},
             "R.x without a point": {"rx": lx}, "R all zero": {"rx": 0, "ry": 0}}
    for why, change in wrong.items():
        case = dict(good, valid=False, why=why)
        case.pop("secret"), case.pop("aux")
        case.update({k: hx(v if isinstance(v, bytes) else u(v)) for k, v in change.items()})
        cases.append(case)
    bad_keys = [{"public": hx(u(x)), "why": why, "valid": ok} for x, why, ok in
                ((int(good["public"], 16), "a point", True), (0, "zero", False), (lx, "no point has this x", False),
                 (above_n, "a point, but x is not below n: no r of ecrecover", False), (P, "x = p", False),
                 (2**256 - 1, "above p", False))]
    return {"signatures": cases, "keys": bad_keys}


def signed(kind, signer, receiver, secret, root, path=(), domain=SECURE, epoch=1, manifest=1):
    message = digest(domain, kind, signer, receiver, epoch, manifest, root)
    rx, ry, s = schnorr_sign(secret, message, AUX)
    return {"epoch": epoch, "manifest": manifest, "rx": rx, "ry": ry, "s": s, "path": list(path)}, message


def statement_case(st):
    return {"epoch": str(st["epoch"]), "manifest": str(st["manifest"]), "rx": hx(u(st["rx"])), "ry": hx(u(st["ry"])),
            "s": hx(u(st["s"])), "path": [hx(p) for p in st["path"]]}


def calldata_cases():
    out = []

    def add(function, values, **what):
        out.append({"function": function, **what, "calldata": hx(call(FUNCTIONS[function], values))})

    def messages(function, names, tree_of=None, start=0, height=0, domain=SECURE, epoch=1, manifest=1):
        chosen = [MESSAGES[n] for n in names]
        tree = [leaf_message(message_id(m)) for m in ([MESSAGES[n] for n in tree_of] if tree_of else chosen)]
        path = path_of(tree, start, height) if tree_of else []
        st, d = signed(MESSAGE, ID1, ID2, SECRET1, levels(tree)[-1][0], path, domain, epoch, manifest)
        listed = ("array", [message_abi(m) for m in chosen])
        add(function, [W(ID1), statement(st), listed if function in ("deliver", "expire") else message_abi(chosen[0])],
            source=hx(ID1), receiver=hx(ID2), domain=domain, statement=statement_case(st), digest=hx(d), messages=list(names))

    four = ["plain", "empty payload", "payload of 33", "transfer", "closer and refundTo"]
    messages("deliver", ["plain"])
    messages("deliver", ["plain"], domain=INSECURE)
    messages("deliver", ["empty payload"], epoch=2**64 - 1, manifest=2**64 - 1)
    messages("deliver", four)
    messages("deliver", ["payload of 33"], tree_of=four, start=2)
    messages("deliver", ["payload of 33", "transfer"], tree_of=four, start=2, height=1)
    messages("deliver", ["largest fields"])
    messages("deliver", ["payload of 10,000"])
    for function in ("retry", "close"):
        messages(function, ["closer and refundTo"])
        messages(function, ["transfer"], tree_of=four, start=3)
    messages("expire", ["plain"])
    messages("expire", ["plain", "empty payload"])

    mid = [message_id(MESSAGES[n]) for n in ("plain", "transfer", "empty payload")]
    for rows in ([(mid[0], 2)], [(mid[1], 3)], [(mid[0], 2), (mid[1], 3), (mid[2], 2)]):
        st, d = signed(OUTCOME, ID2, ID1, SECRET2, levels([leaf_outcome(i, s) for i, s in rows])[-1][0])
        add("finalize", [W(ID2), statement(st), ("array", [("tuple", [W(i), W(s)]) for i, s in rows])], destination=hx(ID2),
            receiver=hx(ID1), domain=SECURE, statement=statement_case(st), digest=hx(d),
            outcomes=[{"message_id": hx(i), "status": s} for i, s in rows])

    st, d = signed(ROTATION, ID1, ID2, SECRET1, leaf_rotation(2, public_x(SECRET2)))
    add("announceRotation", [W(ID1), statement(st), W(2), W(public_x(SECRET2))], remote=hx(ID1), receiver=hx(ID2), domain=SECURE,
        statement=statement_case(st), digest=hx(d), new_epoch="2", new_key=hx(public_x(SECRET2)))

    recipient, attrs = eip155(777, APP2), [attribute("deadline", 1900000000), attribute("minGasLimit", 100000),
                                           attribute("closer", APP2), attribute("refundTo", APP1), attribute("finality", 1)]
    for payload, chosen in ((b"hello", []), (b"", attrs[:1]), (seq_bytes(0, 65), attrs)):
        add("sendMessage", [("bytes", recipient), ("bytes", payload), ("array", [("bytes", a) for a in chosen])],
            recipient=hx(recipient), payload=hx(payload), attributes=[hx(a) for a in chosen])
    add("transfer", [W(A1), W(10**18), ("bytes", recipient), W(APP1), ("array", [("bytes", a) for a in attrs[:2]])], token=hx(A1),
        amount=str(10**18), recipient=hx(recipient), refund_to=hx(APP1), attributes=[hx(a) for a in attrs[:2]])
    add("receiveMessage", [W(mid[0]), ("bytes", MESSAGES["plain"]["sender"]), ("bytes", b"hello")], receive_id=hx(mid[0]),
        sender=hx(MESSAGES["plain"]["sender"]), payload=hx(b"hello"))
    add("onOutcome", [W(mid[0]), W(3)], send_id=hx(mid[0]), status=3)
    return {"functions": {n: {"signature": s, "selector": hx(selector(s))} for n, s in FUNCTIONS.items()},
            "events": {n: {"signature": s, "topic": hx(keccak(s.encode()))} for n, s in EVENTS.items()}, "calls": out}


def files():
    domains = {"tags": [{"ascii": t, "hash": hx(tag(t))} for t in TAGS]}
    return {"tags.json": domains, "identities.json": {"identities": identities()}, "addresses.json": addresses(),
            "attributes.json": attribute_cases(), "messages.json": {"messages": [message_case(n, m) for n, m in MESSAGES.items()]},
            "trees.json": tree_cases(), "digests.json": {"digests": digest_cases()}, "storage.json": storage_cases(),
            "signatures.json": signature_cases(), "calldata.json": calldata_cases()}


def main():
    check, stale = "--check" in sys.argv[1:], []
    OUT.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        text = json.dumps(content, indent=1) + "\n"
        path = OUT / name
        if check:
            if not path.is_file() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit("stale: " + ", ".join(stale))


if __name__ == "__main__":
    main()
