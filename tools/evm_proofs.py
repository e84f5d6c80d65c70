#!/usr/bin/env python3
"""Makes tests/vectors/evm/generated/{receipts,accounts,tries}.json: proofs under roots that are computed here, from the yellow
paper (tries, RLP), EIP-2718 (typed receipts) and docs/protocol/envelope.md section 5 (the gateway's storage).

    tools/evm_proofs.py            write the files
    tools/evm_proofs.py --check    fail if they differ from what would be written
"""
import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import envelope_vectors as ev  # noqa: E402
from evm_primitives import EMPTY_TRIE, ROOT, Trie, keccak, main, rlp, text_of  # noqa: E402

TRANSACTIONS = 100
GATEWAY_ADDRESS = keccak(b"gateway")[:20]
EMITTER = keccak(b"emitter")[:20]
BLOOM = bytes(256)
PARTS = {"b": rlp(BLOOM)}

# --- receipts -----------------------------------------------------------------------------------------------------


def receipt(kind: int, ok: bool, gas: int, logs) -> bytes:
    body = rlp([b"\1" if ok else b"", gas, BLOOM, logs])
    return body if kind == 0 else bytes([kind]) + body


def block_of_receipts():
    """Every kind, failures, no logs and many, data from nothing to a kilobyte. 0x7e stands for a type of the future."""
    rng = random.Random("caisson receipts")
    receipts, logs_of = [], []
    for i in range(TRANSACTIONS):
        kind = 0x7E if i == 77 else rng.choice((0, 0, 1, 2, 2, 2, 3, 4))
        ok = i in (0, 57, 77, 99) or rng.random() < 0.9
        count = {57: 5, 77: 1}.get(i, rng.choice((0, 1, 1, 2, 3))) if ok else 0
        logs = []
        for j in range(count):
            size = {(57, 2): 1024}.get((i, j), rng.choice((0, 1, 31, 32, 96)))
            topics = [keccak(bytes([i, j, t])) for t in range((i + j) % 5)]
            logs.append([EMITTER if j == 0 else keccak(bytes([i, j]))[:20], topics, rng.randbytes(size)])
        receipts.append(receipt(kind, ok, 21000 * (i + 1), logs))
        logs_of.append((kind, ok, logs))
    return receipts, logs_of


def log_row(log):
    return {"address": log[0], "topics": log[1], "data": log[2]}


def receipts_file():
    receipts, logs_of = block_of_receipts()
    trie = Trie({rlp(i): r for i, r in enumerate(receipts)})
    failed = next(i for i, (_, ok, _) in enumerate(logs_of) if not ok)
    rows = []
    for i in sorted({0, 1, 56, 57, 77, 99, failed}):
        kind, ok, logs = logs_of[i]
        rows.append({"index": i, "type": kind, "success": ok, "gas": 21000 * (i + 1), "nodes": trie.prove(rlp(i)),
                     "logs": [log_row(x) for x in logs]})
    absent = [{"index": i, "nodes": trie.prove(rlp(i))} for i in (100, 127, 128, 65536)]
    single = receipt(2, True, 50000, [[EMITTER, [keccak(b"t")], b"data"]])
    one = Trie({rlp(0): single})
    good = [EMITTER, [keccak(b"t")], b"data"]
    ok_body = [b"\1", 21000, BLOOM, [good]]
    bad = [
        ("no bytes", "truncated", b""), ("type 0", "malformed", b"\0" + rlp(ok_body)), ("type 0x80", "malformed", b"\x80" + rlp(ok_body)),
        ("type 0xbf", "malformed", b"\xbf" + rlp(ok_body)), ("a type alone", "truncated", b"\2"),
        ("before Byzantium", "unsupported", rlp([bytes(32)] + ok_body[1:])),
        ("status 2", "malformed", rlp([b"\2"] + ok_body[1:])), ("status 0x0001", "malformed", rlp([b"\0\1"] + ok_body[1:])),
        ("failed, with a log", "malformed", rlp([b""] + ok_body[1:])),
        ("a short bloom", "malformed", rlp([b"\1", 21000, bytes(255), [good]])),
        ("no logs field", "truncated", rlp(ok_body[:3])), ("a fifth field", "trailing", rlp(ok_body + [b""])),
        ("a fifth field in a type of the future", "unsupported", b"\x7e" + rlp(ok_body + [b""])),
        ("logs as a string", "malformed", rlp(ok_body[:3] + [b"logs"])),
        ("five topics", "too-large", rlp(ok_body[:3] + [[[EMITTER, [bytes(32)] * 5, b""]]])),
        ("a topic of 31 bytes", "malformed", rlp(ok_body[:3] + [[[EMITTER, [bytes(31)], b""]]])),
        ("an address of 21 bytes", "malformed", rlp(ok_body[:3] + [[[EMITTER + b"\0", [], b""]]])),
        ("a log of four fields", "trailing", rlp(ok_body[:3] + [[good + [b""]]])),
        ("a log of two fields", "truncated", rlp(ok_body[:3] + [[good[:2]]])),
        ("data as a list", "malformed", rlp(ok_body[:3] + [[[EMITTER, [], []]]])),
        ("gas with a leading zero", "non-canonical", rlp([b"\1", b"\0\1", BLOOM, [good]])),
        ("bytes after it", "trailing", rlp(ok_body) + b"\0"),
    ]
    return {"root": trie.root, "receipts": rows, "absent": absent, "all": [{"index": i, "nodes": trie.prove(rlp(i))} for i in (2, 50, 98)],
            "single": {"root": one.root, "nodes": one.prove(rlp(0)), "absent": one.prove(rlp(1))},
            "bad": [{"name": n, "error": e, "receipt": r} for n, e, r in bad]}


# --- accounts and storage -----------------------------------------------------------------------------------------


def slot_trie(slots: dict) -> Trie:
    return Trie({keccak(k): rlp(v.lstrip(b"\0")) for k, v in slots.items() if v.strip(b"\0")})


def gateway_storage(identity, source, remote):
    """docs/protocol/envelope.md section 5. Statuses: sequences 1..4 are 0, 1, 2, 3; 127..129, 4096 are 3, 2, 1, 2."""
    slots = {ev.u(0): keccak(ev.tag("caisson/layout/evm/v1") + identity)}
    statuses = {1: 0, 2: 1, 3: 2, 4: 3, 127: 3, 128: 2, 129: 1, 4096: 2, 2**64 - 1: 3}
    words = {}
    for sequence, status in statuses.items():
        words[sequence >> 7] = words.get(sequence >> 7, 0) | status << 2 * (sequence & 127)
    for word, value in words.items():
        slots[keccak(ev.u(word) + keccak(source + ev.u(1)))] = ev.u(value)
    base = keccak(ev.u(1) + keccak(remote + ev.u(2)))
    slots[base] = keccak(b"key of the remote")
    slots[ev.u(int.from_bytes(base, "big") + 1)] = ev.u(1 | 1_700_000_000 << 8 | 1_800_000_000 << 72)
    strange = keccak(ev.u(2) + keccak(remote + ev.u(2)))
    slots[strange] = keccak(b"key of a strange state")
    slots[ev.u(int.from_bytes(strange, "big") + 1)] = ev.u(4)
    for i in range(40):
        slots[keccak(b"other" + bytes([i]))] = keccak(bytes([i]))[:1 + i % 32].rjust(32, b"\0")
    return slots, statuses


def account(nonce, balance, storage, code) -> bytes:
    return rlp([nonce, balance, storage, code])


def accounts_file():
    identity, source, remote = keccak(b"own identity"), keccak(b"source identity"), keccak(b"remote identity")
    slots, statuses = gateway_storage(identity, source, remote)
    storage, code = slot_trie(slots), keccak(b"code of the gateway")
    state = {keccak(keccak(bytes([i]))[:20]): account(i, 10**i, EMPTY_TRIE, keccak(b"")) for i in range(60)}
    state[keccak(GATEWAY_ADDRESS)] = account(1, 7, storage.root, code)
    trie = Trie(state)

    def slot(key):
        return storage.prove(keccak(key))

    def status_slot(sequence):
        return keccak(ev.u(sequence >> 7) + keccak(source + ev.u(1)))

    def key_rows(epoch):
        base = keccak(ev.u(epoch) + keccak(remote + ev.u(2)))
        return slot(base), slot(ev.u(int.from_bytes(base, "big") + 1))

    rows = [{"sequence": str(s), "status": v, "nodes": slot(status_slot(s))} for s, v in (statuses | {300: 0, 5: 0}).items()]
    keys = []
    for epoch, error in ((1, "ok"), (2, "malformed"), (3, "ok")):
        x, window = key_rows(epoch)
        keys.append({"epoch": epoch, "error": error, "x_nodes": x, "window_nodes": window})
    bare = account(3, 5, EMPTY_TRIE, code)
    empty = Trie(state | {keccak(GATEWAY_ADDRESS): bare})
    foreign_slots = slots | {ev.u(0): keccak(ev.tag("caisson/layout/evm/v1") + source)}
    foreign = slot_trie(foreign_slots)
    other = Trie(state | {keccak(GATEWAY_ADDRESS): account(1, 7, foreign.root, code)})
    gone = Trie({k: v for k, v in state.items() if k != keccak(GATEWAY_ADDRESS)})
    return {
        "identity": identity, "source": source, "remote": remote, "address": GATEWAY_ADDRESS, "code": code,
        "state_root": trie.root, "storage_root": storage.root, "account": trie.prove(keccak(GATEWAY_ADDRESS)),
        "sentinel": slot(ev.u(0)), "sentinel_word": slots[ev.u(0)], "statuses": rows, "keys": keys,
        "key": {"x": keccak(b"key of the remote"), "not_before": 1_700_000_000, "not_after": 1_800_000_000},
        "empty_storage": {"state_root": empty.root, "account": empty.prove(keccak(GATEWAY_ADDRESS))},
        "foreign_sentinel": {"state_root": other.root, "account": other.prove(keccak(GATEWAY_ADDRESS)), "sentinel": foreign.prove(keccak(ev.u(0)))},
        "absent_account": {"state_root": gone.root, "account": gone.prove(keccak(GATEWAY_ADDRESS))}}


# --- tries of ethereum/tests --------------------------------------------------------------------------------------


def content_of(case) -> dict:
    pairs = case["in"].items() if isinstance(case["in"], dict) else case["in"]
    content = {}
    for key, value in pairs:
        key, value = ((bytes.fromhex(x[2:]) if x.startswith("0x") else x.encode()) if x is not None else None for x in (key, value))
        if value is None:
            content.pop(key, None)
        else:
            content[key] = value
    return content


def tries_file():
    """Their roots must come out; the proofs are ours: of every key, and of keys that are not there."""
    folder, rows = ROOT / "tests" / "vectors" / "evm" / "ethereum-tests", []
    for path in sorted(folder.glob("*trie*.json")):
        if path.stem == "trietestnextprev":
            continue
        for name, case in json.loads(path.read_text()).items():
            content = content_of(case)
            secure = "secure" in path.stem.lower()
            absent = [k[:-1] for k in content] + [k + b"\0" for k in content] + [b"absent", b""]
            absent = [k for k in dict.fromkeys(absent) if k not in content]
            if secure:
                content, absent = {keccak(k): v for k, v in content.items()}, [keccak(k) for k in absent]
            trie = Trie(content)
            assert "0x" + trie.root.hex() == case["root"], (path.name, name)
            rows.append({"name": f"{path.stem}/{name}", "root": trie.root,
                         "proofs": [[k, v, trie.prove(k)] for k, v in content.items()],
                         "absent": [[k, trie.prove(k)] for k in absent[:12]]})
    return {"cases": rows, "bad": bad_tries()}


def bad_tries():
    """Proofs whose hashes are right and whose nodes are not: only who makes the trie could make them."""
    long, other = b"v" * 40, b"w" * 40
    key = b"\x12\x34"
    rows = []

    def put(name, error, *nodes, key=key):
        rows.append({"name": name, "error": error, "root": keccak(nodes[0]), "key": key, "nodes": list(nodes)})

    leaf = rlp([b"\x20\x12\x34", long])
    below = rlp([b"\x32\x34", long])
    branch = [b""] * 17
    put("a branch of one child", "non-canonical", rlp(branch[:1] + [keccak(below)] + branch[2:]), below)
    full = branch[:1] + [keccak(below), keccak(leaf)] + branch[3:]
    put("a branch of 16 items", "malformed", rlp(full[:16]), below)
    put("a branch of 18 items", "too-large", rlp(full + [b""]), below)
    put("a list of three", "malformed", rlp([b"\x20\x12\x34", long, b""]))
    put("a string for a node", "malformed", rlp(long))
    put("a leaf without value", "malformed", rlp([b"\x20\x12\x34", b""]))
    put("a leaf with a list", "malformed", rlp([b"\x20\x12\x34", [long]]))
    put("a path with flag 4", "malformed", rlp([b"\x40\x12\x34", long]))
    put("an even path with a filled nibble", "non-canonical", rlp([b"\x21\x12\x34", long]))
    put("no path at all", "malformed", rlp([b"", long]))
    put("a path that is a list", "malformed", rlp([[b"\x20"], long]))
    put("an extension of no nibbles", "non-canonical", rlp([b"\x00", keccak(rlp(full))]), rlp(full), below)
    put("an extension to a leaf", "malformed", rlp([b"\x11", keccak(below)]), below)
    put("an extension to an extension", "non-canonical", rlp([b"\x11", keccak(rlp([b"\x12", keccak(leaf)]))]), rlp([b"\x12", keccak(leaf)]), leaf)
    put("an extension to nothing", "non-canonical", rlp([b"\x11", b""]))
    put("a child of 31 bytes", "malformed", rlp(branch[:1] + [keccak(below)[1:], keccak(leaf)] + branch[3:]), below)
    small = rlp([b"\x32\x34", b"v"])
    put("a small node behind a hash", "non-canonical", rlp(branch[:1] + [keccak(small), keccak(leaf)] + branch[3:]), small)
    put("a large node inside", "non-canonical", rlp(branch[:1] + [[b"\x32\x34", long], keccak(leaf)] + branch[3:]))
    put("a value that is a list", "malformed", rlp(full[:16] + [[other]]), below)
    put("one node too many", "bad-proof", leaf, leaf)
    put("one node too many behind a branch", "bad-proof", rlp(full), below, below)
    put("one node too few", "bad-proof", rlp(full))
    put("the wrong node", "bad-proof", rlp(full), leaf)
    put("a longer head than needed", "non-canonical", b"\xf8" + bytes([len(rlp([b"\x20\x12\x34", b"v"])) - 1]) + rlp([b"\x20\x12\x34", b"v"])[1:])
    put("bytes after the node", "trailing", leaf + b"\0")
    put("a key above the bound", "too-large", leaf, key=bytes(65))
    return rows


def files():
    return {"receipts.json": text_of(receipts_file(), PARTS), "accounts.json": text_of(accounts_file(), {"e": EMPTY_TRIE}),
            "tries.json": text_of(tries_file(), {"e": EMPTY_TRIE})}


if __name__ == "__main__":
    sys.exit(main(files(), sys.argv))
