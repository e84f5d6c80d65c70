#!/usr/bin/env python3
"""Makes tests/vectors/ledger/transactions.json: transactions of the ledger with what is signed and who signed.

Written from the head of relay_state/ledger/tx.h (tests/lib/ledger_tx.py), with the Keccak-256, secp256k1 and Ed25519 of
tests/lib, which share no code with the C; refusals are made by changing good ones.

    tools/ledger_vectors.py            write the file
    tools/ledger_vectors.py --check    fail if it differs from what would be written
"""
import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.lib import crypto, ed25519, ledger_tx as lt  # noqa: E402

OUT = ROOT / "tests" / "vectors" / "ledger" / "transactions.json"

ALICE, BOB = lt.Secp256k1(0xA11CE), lt.Secp256k1(0xB0B)
CAROL, DAVE = lt.Ed25519(b"\x0c" * 32), lt.Ed25519(b"\x0d" * 32)
TWO_OF_THREE = lt.Multisig(2, [ALICE, BOB, CAROL])
ALL = lt.Multisig(16, [lt.Secp256k1(1000 + i) for i in range(16)])
CHAIN = lt.chain_tag("caisson-test-1", 1767225600, 1, bytes(range(32)))


def hx(data: bytes) -> str:
    return "0x" + data.hex()


def body(key, **over) -> lt.Body:
    values = {"chain": CHAIN, "sender": key.address, "sequence": 7, "calls": [lt.Call(lt.contract(3), 0, b"\1\2\3\4")]}
    return lt.Body(**values | over)


def good(name, key, made: lt.Body, signatures: bytes | None = None, count: int = 1):
    encoded = made.encode()
    signatures = key.sign(encoded) if signatures is None else signatures
    return {
        "name": name, "transaction": hx(encoded + signatures), "body_size": len(encoded),
        "digest": hx(lt.digest(encoded)), "hash": hx(hashlib.sha256(encoded + signatures).digest()),
        "signature_count": count, "chain": hx(made.chain), "sender": hx(made.sender), "sequence": str(made.sequence),
        "valid_until": str(made.valid_until), "gas_limit": str(made.gas_limit), "gas_price": str(made.gas_price),
        "calls": [{"to": hx(c.to), "value": str(c.value), "input": hx(c.input)} for c in made.calls],
    }


def good_ones():
    largest = {"sequence": 2**64 - 1, "valid_until": 2**64 - 1, "gas_limit": 2**64 - 1, "gas_price": 2**128 - 1}
    calls = [lt.Call(bytes([i]) * 20, i, bytes([i]) * i) for i in range(64)]
    plain = [lt.Call(BOB.address, 10**18)]
    two = body(TWO_OF_THREE)
    others = TWO_OF_THREE.sign(two.encode(), TWO_OF_THREE.members[1:])
    return [
        good("secp256k1", ALICE, body(ALICE)),
        good("Ed25519", CAROL, body(CAROL)),
        good("the largest numbers", ALICE, body(ALICE, **largest, calls=[lt.Call(b"\xff" * 20, 2**256 - 1, b"")])),
        good("a transfer to a key", DAVE, body(DAVE, calls=plain, valid_until=1767225700, gas_price=10**20)),
        good("64 calls", BOB, body(BOB, calls=calls)),
        good("2 of 3", TWO_OF_THREE, two, count=2),
        good("2 of 3, the last two", TWO_OF_THREE, two, others, count=2),
        good("16 of 16", ALL, body(ALL), count=16),
    ]


def refused(name, error, data: bytes, stage="verify"):
    return {"name": name, "error": error, "stage": stage, "transaction": hx(data)}


def body_refusals():
    whole = lt.transaction(ALICE, body(ALICE))
    size = len(body(ALICE).encode())
    return [refused(f"cut after {n}", "truncated", whole[:n], "decode") for n in (0, 1, 33, 53, 100, size - 5, size - 1)] + [
        refused("version 0", "unsupported", b"\0" + whole[1:], "decode"),
        refused("version 2", "unsupported", b"\2" + whole[1:], "decode"),
        refused("no call", "invalid", lt.transaction(ALICE, body(ALICE, calls=[])), "decode"),
        refused("65 calls", "too-large", lt.transaction(ALICE, body(ALICE, calls=[lt.Call(bytes(20))] * 65)), "decode"),
        refused("a call too few", "truncated", lt.transaction(ALICE, body(ALICE, count=3)), "decode"),
        refused("an input longer than the rest", "truncated", body(ALICE).encode()[:-8] + b"\xff\xff\xff\xff", "decode"),
    ]


def single_refusals():
    made = body(ALICE).encode()
    signed = ALICE.sign(made)
    r, s, parity = signed[1:33], crypto.number(signed[33:65]), signed[65]
    high = b"\1" + r + crypto.word(crypto.N - s) + bytes([parity ^ 1])
    carol = body(CAROL).encode()
    edward = CAROL.sign(carol)
    s_ed = int.from_bytes(edward[65:], "little")
    malleable = edward[:65] + (s_ed + ed25519.L).to_bytes(32, "little")
    small = b"\2" + b"\1" + bytes(31) + b"\1" + bytes(31) + bytes(32)
    return [
        refused("no signature", "truncated", made), refused("kind 0", "unsupported", made + b"\0" + signed[1:]),
        refused("kind 4", "unsupported", made + b"\4" + signed[1:]), refused("cut", "truncated", made + signed[:-1]),
        refused("a byte too many", "trailing", made + signed + b"\0"), refused("s in the upper half", "non-canonical", made + high),
        refused("parity 2", "non-canonical", made + signed[:-1] + b"\2"),
        refused("the other parity", "wrong-key", made + signed[:-1] + bytes([parity ^ 1])),
        refused("r of 0", "bad-signature", made + b"\1" + bytes(32) + signed[33:]),
        refused("s of 0", "bad-signature", made + signed[:33] + bytes(32) + signed[65:]),
        refused("of another key", "wrong-key", made + BOB.sign(made)),
        refused("of another body", "wrong-key", made + ALICE.sign(body(ALICE, sequence=8).encode())),
        refused("of the body as it is", "wrong-key", made + raw_signature(ALICE, crypto.keccak(made))),
        refused("Ed25519 of another key", "wrong-key", carol + DAVE.sign(carol)),
        refused("Ed25519 of another body", "bad-signature", carol + CAROL.sign(made)),
        refused("Ed25519 with another s", "bad-signature", carol + malleable),
        refused("Ed25519 cut", "truncated", carol + edward[:-1]),
        refused("Ed25519, a key that is no point", "bad-signature", carol + b"\2" + b"\2" + bytes(31) + edward[33:]),
        refused("Ed25519, a key of small order of another account", "wrong-key", carol + small),
    ]


def raw_signature(key, message: bytes) -> bytes:
    recovery, r, s = crypto.ecdsa_sign(key.secret, message)
    return b"\1" + crypto.word(r) + crypto.word(s) + bytes([recovery & 1])


def multisig_refusals():
    made = body(TWO_OF_THREE).encode()
    a, b, c = TWO_OF_THREE.members
    signed = TWO_OF_THREE.sign(made)

    def rows(*items):
        return b"".join(m.address + s for m, s in items)

    def many(threshold, count, row):
        return made + bytes([3, threshold, count]) + row

    full = rows((a, a.sign(made)), (b, b.sign(made)), (c, b"\0"))
    three = rows((a, a.sign(made)), (b, b.sign(made)), (c, c.sign(made)))
    return [
        refused("one signature of two", "bad-signature", many(2, 3, rows((a, a.sign(made)), (b, b"\0"), (c, b"\0")))),
        refused("three signatures of two", "non-canonical", many(2, 3, three)),
        refused("threshold 0", "non-canonical", many(0, 3, full)), refused("threshold 4 of 3", "non-canonical", many(4, 3, full)),
        refused("another threshold", "wrong-key", many(3, 3, three)),
        refused("no member", "non-canonical", many(1, 0, b"")),
        refused("17 members", "too-large", many(2, 17, full)),
        refused("members not ascending", "non-canonical", many(2, 3, rows((b, b.sign(made)), (a, a.sign(made)), (c, b"\0")))),
        refused("a member twice", "non-canonical", many(2, 3, rows((a, a.sign(made)), (a, a.sign(made)), (c, b"\0")))),
        refused("a member's signature by another", "wrong-key", many(2, 3, rows((a, a.sign(made)), (b, c.sign(made)), (c, b"\0")))),
        refused("a multisignature as member", "unsupported", many(2, 3, rows((a, a.sign(made)), (b, b"\3"), (c, b"\0")))),
        refused("other members", "wrong-key", made + lt.Multisig(2, [ALICE, BOB, DAVE]).sign(made)),
        refused("cut", "truncated", made + signed[:-1]), refused("cut in a member", "truncated", made + signed[:30]),
        refused("cut before the count", "truncated", made + b"\3\2"), refused("a byte too many", "trailing", made + signed + b"\0"),
    ]


def content():
    return {
        "chain": {"chain_id": "caisson-test-1", "genesis_time_s": "1767225600", "initial_height": "1",
                  "root": hx(bytes(range(32))), "tag": hx(CHAIN)},
        "multisig": {"threshold": 2, "members": [hx(m.address) for m in TWO_OF_THREE.members],
                     "address": hx(TWO_OF_THREE.address)},
        "transactions": good_ones(), "refusals": body_refusals() + single_refusals() + multisig_refusals(),
    }


def main():
    text = json.dumps(content(), indent=1) + "\n"
    if "--check" in sys.argv[1:]:
        if not OUT.is_file() or OUT.read_text() != text:
            sys.exit(f"stale: {OUT.name}")
        return
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(text)


if __name__ == "__main__":
    main()
