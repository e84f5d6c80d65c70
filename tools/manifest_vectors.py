#!/usr/bin/env python3
"""Makes tests/vectors/manifest: two manifests of a lineage, what is in them, and files that must be refused.

    tools/manifest_vectors.py            write the files
    tools/manifest_vectors.py --check    fail if they differ from what would be written
"""
import copy
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import envelope_vectors as ev  # noqa: E402
import manifest as tool  # noqa: E402

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "manifest"
KEYS = [0xA1, 0xA2, 0xA3]
STRANGER = 0xBAD
ZERO = "0x" + "00" * 32
TRUST = {"address_literals": False, "logs": ZERO, "private_cas": ["0x" + "c1" * 32], "private_networks": False,
         "trust_store": "0x" + "c2" * 32}
PROVIDERS = [{"url": "https://one.example.org/v1?x=1"},
             {"url": "https://two.example.net:8443", "tls": {"pins": ["0x" + "d1" * 32], "sct_min": 0, "stapled": True}},
             {"url": "https://three.example.com/", "tls": {"lifetime_max_days": 90}}]


def x_of(key):
    return "0x" + ev.public_x(key).hex()


def hexed(byte, size):
    return "0x" + f"{byte:02x}" * size


def finality(mode, **over):
    base = {"mode": mode, "anchor_hash": hexed(0x11, 32), "anchor_height": 0, "anchor_age_max_s": 86400,
            "trusting_period_s": 86400, "seals_min": 0, "epoch": 0, "period_s": 0, "drift_max_s": 0, "confirmations": 0,
            "reorg_margin_s": 0}
    base |= {"clique": {"epoch": 30000, "reorg_margin_s": 30},
             "insecure_dev_head": {"confirmations": 2, "reorg_margin_s": 5}, "qbft": {"epoch": 30000},
             "rpc_quorum": {"rpc": {"age_max_s": 3600, "quorum": 2, "tag": "finalized", "providers": PROVIDERS}},
             "cometbft": {"anchor_height": 1, "trust_level": {"denominator": 3, "numerator": 1}}}[mode]
    return base | over


def identity(chain):
    return "0x" + ev.identity(chain["caip2"], bytes.fromhex(chain["genesis"][2:]), bytes.fromhex(chain["gateway"][2:])).hex()


def chains():
    rows = []
    for number, mode, byte in ((31337, "insecure_dev_head", 0x21), (1903, "clique", 0x31)):
        rows.append({"caip2": f"eip155:{number}", "genesis": hexed(byte, 32), "gateway": hexed(byte + 1, 20),
                     "code_hash": hexed(byte + 2, 32), "finality": finality(mode),
                     "policy": {"fee_cap_wei": 100000000000, "gas_limit_max": 12000000, "total_cap_wei": 2**64 - 1,
                                "sweep_to": hexed(byte + 3, 20)}})
    rows[0]["remotes"], rows[1]["remotes"] = [identity(rows[1])], [identity(rows[0])]
    return rows


def abandoned(**over):
    return {"headers": [hexed(0x51, 32), hexed(0x52, 32)], "height": 7, "since": 2,
            "messages": [hexed(0x61, 32), hexed(0x62, 32)]} | over


def second_of(inner):
    """Follows the first, and decides a conflict of its first chain."""
    second = copy.deepcopy(inner)
    second |= {"number": 2, "previous": "0x" + tool.manifest_hash(tool.canonical(inner)).hex(), "name": "second"}
    # The new one has administrators of its own: it is the old ones who sign.
    second["administrators"] = {"keys": [x_of(STRANGER)], "threshold": 1}
    second["chains"][0]["finality"] |= {"anchor_height": 9, "anchor_hash": hexed(0x53, 32)}
    second["chains"][0]["abandoned"] = abandoned()
    return second


def body():
    return {"version": 1, "name": "vector", "number": 1, "previous": ZERO,
            "administrators": {"keys": [x_of(k) for k in KEYS], "threshold": 2}, "batch_max": 64,
            "builds": [hexed(0xB1, 32)], "statement_manifest_min": 1, "time": ["insecure_host_time"], "chains": chains()}


def signature(inner, key):
    # Fixed randomness, so that the files are the same each time.
    rx, _, s = ev.schnorr_sign(key, tool.manifest_hash(tool.canonical(inner)), bytes(32))
    return {"key": x_of(key), "signature": "0x" + rx.to_bytes(32, "big").hex() + s.to_bytes(32, "big").hex()}


def signed(inner, keys=(KEYS[0], KEYS[2])):
    return tool.canonical({"manifest": inner, "signatures": [signature(inner, k) for k in keys]}).decode()


def at(document, path):
    for step in path[:-1]:
        document = document[step]
    return document, path[-1]


def changed(path, value):
    inner = copy.deepcopy(body())
    place, last = at(inner, path)
    place[last] = value
    return inner


def quorum(rpc=(), trust=(), **over):
    """A manifest of a chain whose final blocks are named by providers."""
    inner = changed(["chains", 0, "finality"], finality("rpc_quorum", **over))
    inner["chains"][0]["finality"]["rpc"] = {k: v for k, v in (inner["chains"][0]["finality"]["rpc"] | dict(rpc)).items() if v is not None}
    return inner | {"rpc": {k: v for k, v in (TRUST | dict(trust)).items() if v is not None}}


def ledger(chain=(), trust_level=(), drop=(), **over):
    """A manifest whose first chain is a ledger."""
    inner = body()
    first = inner["chains"][0]
    first |= {"caip2": "cosmos:caisson-1", "gateway": "0x" + "00" * 17 + "ca1501", "code_hash": ZERO, "finality": finality("cometbft", **over)}
    if trust_level:
        first["finality"]["trust_level"] |= dict(trust_level)
    first |= dict(chain)
    for field in drop:
        del first["finality"][field]
    return inner


def clock(drop=(), **over):
    """A manifest whose time is that of a ledger."""
    row = {"anchor_lag_max": 16, "caip2": "cosmos:caisson-ledger-1", "clock_error_s": 2, "finality": finality("cometbft"),
           "genesis": hexed(0x41, 32), "proof_age_max_s": 600, "quorum": 3, "time_keys": [hexed(i, 32) for i in range(1, 5)]}
    return body() | {"time": ["ledger"], "ledger": {k: v for k, v in (row | over).items() if k not in drop}}


def without(path):
    inner = copy.deepcopy(body())
    place, last = at(inner, path)
    del place[last]
    return inner


def bad_forms(good):
    """(name, file, error): the bytes are not the canonical form."""
    yield "nothing", "", "truncated"
    yield "a space", good.replace('":', '": ', 1), "non-canonical"
    yield "a line end behind", good + "\n", "non-canonical"
    yield "something behind", good + "0", "trailing"
    yield "cut", good[:-1], "truncated"
    yield "another order", good.replace('"batch_max":64,', "", 1).replace('"version":1', '"version":1,"batch_max":64', 1), "non-canonical"
    yield "a member twice", good.replace('"batch_max":64', '"batch_max":64,"batch_max":64', 1), "duplicate"
    yield "a fraction", good.replace('"batch_max":64', '"batch_max":64.0', 1), "invalid"
    yield "a leading zero", good.replace('"batch_max":64', '"batch_max":064', 1), "malformed"
    yield "an escaped letter", good.replace('"vector"', '"\\u0076ector"', 1), "non-canonical"
    yield "no object", "[]", "invalid"
    yield "no signatures member", good[:good.index(',"signatures"')] + "}", "missing-field"


def bad_fields():
    """(name, inner, error): canonical and well signed, but not a manifest."""
    c = ["chains", 0]
    yield "a field that nobody knows", changed(["zzz"], 1), "unknown-field"
    yield "a finality that nobody knows", changed([*c, "finality", "zzz"], 1), "unknown-field"
    for field in body():
        yield f"without {field}", without([field]), "missing-field"
    for field in body()["chains"][0]:
        yield f"a chain without {field}", without([*c, field]), "missing-field"
    for field in finality("clique"):
        yield f"finality without {field}", without([*c, "finality", field]), "missing-field"
    for field in body()["chains"][0]["policy"]:
        yield f"policy without {field}", without([*c, "policy", field]), "missing-field"
    yield "version 2", changed(["version"], 2), "unsupported"
    yield "no time source", changed(["time"], []), "unsupported"
    yield "another time source", changed(["time"], ["roughtime"]), "unsupported"
    yield "two time sources", changed(["time"], ["insecure_host_time", "insecure_host_time"]), "unsupported"
    yield "an empty name", changed(["name"], ""), "invalid"
    yield "batch_max 0", changed(["batch_max"], 0), "invalid"
    yield "batch_max 65", changed(["batch_max"], 65), "overflow"
    yield "statement_manifest_min 0", changed(["statement_manifest_min"], 0), "invalid"
    yield "statement_manifest_min above the number", changed(["statement_manifest_min"], 2), "invalid"
    yield "no builds", changed(["builds"], []), "invalid"
    yield "a build twice", changed(["builds"], [hexed(1, 32)] * 2), "duplicate"
    yield "17 builds", changed(["builds"], [hexed(i, 32) for i in range(17)]), "too-large"
    yield "a short build", changed(["builds"], [hexed(1, 31)]), "malformed"
    yield "threshold 0", changed(["administrators", "threshold"], 0), "invalid"
    yield "threshold above the keys", changed(["administrators", "threshold"], 4), "invalid"
    yield "an administrator twice", changed(["administrators", "keys"], [x_of(KEYS[0])] * 2), "duplicate"
    yield "no chains", changed(["chains"], []), "invalid"
    yield "a chain twice", changed(["chains"], [chains()[0]] * 2), "duplicate"
    yield "another namespace", changed([*c, "caip2"], "cosmos:hub"), "unsupported"
    yield "a chain id with a zero in front", changed([*c, "caip2"], "eip155:01"), "non-canonical"
    yield "capital hex", changed([*c, "gateway"], "0x" + "AB" * 20), "non-canonical"
    yield "hex without 0x", changed([*c, "gateway"], "ab" * 20), "malformed"
    yield "a gateway of 32 bytes", changed([*c, "gateway"], hexed(1, 32)), "malformed"
    yield "no remotes", changed([*c, "remotes"], []), "invalid"
    yield "a remote twice", changed([*c, "remotes"], [hexed(7, 32)] * 2), "duplicate"
    yield "its own remote", changed([*c, "remotes"], [identity(chains()[0])]), "invalid"
    yield "another mode", changed([*c, "finality", "mode"], "latest"), "unsupported"
    yield "no confirmations", changed([*c, "finality", "confirmations"], 0), "invalid"
    yield "65 confirmations", changed([*c, "finality", "confirmations"], 65), "overflow"
    yield "no margin where finality is probable", changed([*c, "finality", "reorg_margin_s"], 0), "invalid"
    yield "no age of the anchor", changed([*c, "finality", "anchor_age_max_s"], 0), "invalid"
    yield "no trusting period", changed([*c, "finality", "trusting_period_s"], 0), "invalid"
    yield "clique without an epoch", changed([*c, "finality"], finality("clique", epoch=0)), "invalid"
    yield "clique between epochs", changed([*c, "finality"], finality("clique", anchor_height=1)), "invalid"
    yield "qbft with seals_min", changed([*c, "finality"], finality("qbft", seals_min=3)), "invalid"
    yield "qbft without an epoch", changed([*c, "finality"], finality("qbft", epoch=0)), "invalid"
    yield "qbft between epochs", changed([*c, "finality"], finality("qbft", anchor_height=30001)), "invalid"
    yield "a number above 64 bits", changed([*c, "policy", "fee_cap_wei"], 2**64), "overflow"
    yield "a negative number", changed([*c, "policy", "fee_cap_wei"], -1), "overflow"
    yield "a number as a string", changed([*c, "policy", "fee_cap_wei"], "1"), "invalid"
    yield "number 0", changed(["number"], 0), "invalid"
    yield "the first has number 2", changed(["number"], 2), "wrong-lineage"
    yield "the first has a previous", changed(["previous"], hexed(1, 32)), "wrong-lineage"


def bad_quorums():
    """(name, inner, error)"""
    def providers(*rows, **over):
        return quorum({"providers": list(rows), "quorum": len(rows), **over})

    def urls(count, *more):
        return [{"url": f"https://h{i}.example.org/"} for i in range(count)] + list(more)

    many = quorum({"providers": urls(16), "quorum": 9})
    many["chains"] = [copy.deepcopy(many["chains"][0]) | {"gateway": hexed(0x80 + i, 20)} for i in range(5)]
    none = quorum()
    del none["rpc"]
    unused = body() | {"rpc": TRUST}
    of_clique = changed(["chains", 0, "finality"], finality("clique", rpc=finality("rpc_quorum")["rpc"])) | {"rpc": TRUST}
    yield "rpc_quorum without a trust store", none, "missing-field"
    yield "a trust store of rpc that no chain needs", unused, "invalid"
    yield "providers of a sealed chain", of_clique, "invalid"
    for field in TRUST:
        yield f"rpc without {field}", quorum(trust={field: None}), "missing-field"
    yield "rpc with a field that nobody knows", quorum(trust={"zzz": 1}), "unknown-field"
    yield "finality.rpc with a field that nobody knows", quorum({"zzz": 1}), "unknown-field"
    for field in finality("rpc_quorum")["rpc"]:
        yield f"finality.rpc without {field}", quorum({field: None}), "missing-field"
    yield "no providers", providers(), "invalid"
    yield "a quorum of none", quorum({"quorum": 0}), "invalid"
    yield "a quorum of one of three", quorum({"quorum": 1}), "invalid"
    yield "a quorum of half", providers(*urls(4), quorum=2), "invalid"
    yield "a quorum above all", quorum({"quorum": 4}), "invalid"
    yield "17 providers", providers(*urls(17), quorum=16), "too-large"
    yield "80 providers of all chains", many, "too-large"
    yield "a provider twice", providers(*urls(2, PROVIDERS[0], PROVIDERS[0])), "duplicate"
    yield "a host twice, with another port", providers({"url": "https://a.example.org"}, {"url": "https://a.example.org:444/x"}), "duplicate"
    yield "a provider over plain HTTP", providers({"url": "http://a.example.org"}), "invalid"
    yield "a provider with a user", providers({"url": "https://u@a.example.org"}), "invalid"
    yield "a provider in capital letters", providers({"url": "https://A.example.org"}), "invalid"
    yield "a provider by its address", providers({"url": "https://192.0.2.1"}), "invalid"
    yield "a placeholder in a provider", providers({"url": "https://a.example.org/{0}"}), "invalid"
    yield "a secret in a provider", providers({"url": "https://a.example.org/?k={secret:k}"}), "invalid"
    yield "a provider without a url", providers({}), "missing-field"
    yield "a provider with a field that nobody knows", providers({"url": "https://a.example.org", "weight": 2}), "unknown-field"
    yield "a provider that is no object", providers("https://a.example.org"), "invalid"
    yield "a long path of a provider", providers({"url": "https://a.example.org/" + "x" * 512}), "too-large"
    yield "a fourth timestamp", providers({"url": "https://a.example.org", "tls": {"sct_min": 4}}), "overflow"
    yield "another tag", quorum({"tag": "pending"}), "unsupported"
    yield "no age of answers", quorum({"age_max_s": 0}), "invalid"
    yield "rpc_quorum with seals_min", quorum(seals_min=1), "invalid"
    yield "rpc_quorum with an epoch", quorum(epoch=1), "invalid"
    yield "finalized with confirmations", quorum(confirmations=1), "invalid"
    yield "latest without confirmations", quorum({"tag": "latest"}, reorg_margin_s=1), "invalid"
    yield "latest without a margin", quorum({"tag": "latest"}, confirmations=1), "invalid"
    yield "safe without a margin", quorum({"tag": "safe"}), "invalid"


def bad_ledgers():
    """(name, inner, error)"""
    asked = ledger() | {"oracle": {"address_literals": False, "contracts": [
        {"address": hexed(5, 20), "chain": identity(ledger()["chains"][0]), "kind": "requests"}], "hosts_allowed": [],
        "hosts_forbidden": [], "logs": ZERO, "private_cas": [], "private_networks": False, "trust_store": hexed(1, 32)}}
    yield "a ledger without a trust level", ledger(drop=["trust_level"]), "missing-field"
    for field in ("denominator", "numerator"):
        inner = ledger()
        del inner["chains"][0]["finality"]["trust_level"][field]
        yield f"a trust level without {field}", inner, "missing-field"
    yield "a trust level with a field that nobody knows", ledger(trust_level={"zzz": 1}), "unknown-field"
    yield "a trust level below a third", ledger(trust_level={"denominator": 4}), "invalid"
    yield "a trust level above one", ledger(trust_level={"numerator": 4}), "invalid"
    yield "a trust level of nothing", ledger(trust_level={"denominator": 0, "numerator": 0}), "invalid"
    yield "a trust level of an EVM chain", changed(["chains", 0, "finality", "trust_level"], {"denominator": 3, "numerator": 1}), "invalid"
    for field in ("seals_min", "epoch", "period_s", "confirmations", "reorg_margin_s"):
        yield f"a ledger with {field}", ledger(**{field: 1}), "invalid"
    yield "a ledger with providers", ledger(rpc=finality("rpc_quorum")["rpc"]) | {"rpc": TRUST}, "invalid"
    yield "an anchor at height 0", ledger(anchor_height=0), "invalid"
    yield "a ledger without a trusting period", ledger(trusting_period_s=0), "invalid"
    yield "a ledger with a code hash", ledger({"code_hash": hexed(1, 32)}), "invalid"
    yield "a ledger that is an EVM chain", ledger({"caip2": "eip155:7"}), "unsupported"
    yield "a hashed chain id", ledger({"caip2": "cosmos:hashed-0123456789abcdef"}), "unsupported"
    yield "a chain id with an underscore", ledger({"caip2": "cosmos:a_b"}), "malformed"
    yield "an oracle's contract on a ledger", asked, "unsupported"


def bad_clocks():
    """(name, inner, error)"""
    bare = clock()
    del bare["ledger"]
    yield "the ledger's time without a ledger", bare, "missing-field"
    yield "a ledger beside the host's time", clock() | {"time": ["insecure_host_time"]}, "invalid"
    yield "two sources of time", clock() | {"time": ["insecure_host_time", "ledger"]}, "unsupported"
    for field in clock()["ledger"]:
        yield f"the ledger without {field}", clock([field]), "missing-field"
    yield "the ledger with a field that nobody knows", clock(zzz=1), "unknown-field"
    yield "the ledger that is no object", clock() | {"ledger": []}, "invalid"
    yield "the ledger of another mode", clock(finality=finality("qbft")), "invalid"
    yield "the ledger's anchor at height 0", clock(finality=finality("cometbft", anchor_height=0)), "invalid"
    yield "the ledger that is an EVM chain", clock(caip2="eip155:7"), "unsupported"
    yield "the ledger's hashed chain id", clock(caip2="cosmos:hashed-0123456789abcdef"), "unsupported"
    yield "no time keys", clock(time_keys=[], quorum=0), "invalid"
    yield "a time key twice", clock(time_keys=[hexed(1, 32)] * 2, quorum=2), "duplicate"
    yield "17 time keys", clock(time_keys=[hexed(i, 32) for i in range(17)], quorum=16), "too-large"
    yield "a short time key", clock(time_keys=[hexed(1, 31)], quorum=1), "malformed"
    yield "time by half of the keys", clock(quorum=2), "invalid"
    yield "time by more than all keys", clock(quorum=5), "invalid"
    yield "time by nobody", clock(quorum=0), "invalid"
    yield "clocks that are wrong by more than an hour", clock(clock_error_s=3601), "overflow"
    yield "proofs of no age", clock(proof_age_max_s=0), "invalid"
    yield "no state beyond the anchor", clock(anchor_lag_max=0), "invalid"
    yield "65 states beyond the anchor", clock(anchor_lag_max=65), "overflow"
    rule = {"bond_min": "1000", "evidence": True}
    for field in rule:
        yield f"a registration without {field}", clock(registration={k: v for k, v in rule.items() if k != field}), "missing-field"
    yield "a registration with a field that nobody knows", clock(registration=rule | {"zzz": 1}), "unknown-field"
    yield "a registration that is no object", clock(registration=True), "invalid"
    yield "a bond that is a number", clock(registration=rule | {"bond_min": 1000}), "invalid"
    yield "a bond below nothing", clock(registration=rule | {"bond_min": "-1"}), "malformed"
    yield "evidence, perhaps", clock(registration=rule | {"evidence": 1}), "invalid"


def bad_abandoned(second):
    """(name, inner, error) of manifests that follow the first."""
    def entry(value, anchor=9):
        inner = copy.deepcopy(second)
        inner["chains"][0]["abandoned"] = value
        inner["chains"][0]["finality"]["anchor_height"] = anchor
        return inner

    def without(field):
        return {k: v for k, v in abandoned().items() if k != field}

    many = [hexed(0x70, 30) + f"{i:04x}" for i in range(513)]
    both = entry(abandoned(messages=many[:300]))
    both["chains"][1] |= {"abandoned": abandoned(height=30000, messages=many[:213])}
    both["chains"][1]["finality"]["anchor_height"] = 30000
    yield "an abandoned branch that is no object", entry([]), "invalid"
    yield "an abandoned branch with a field that nobody knows", entry(abandoned(zzz=1)), "unknown-field"
    for field in abandoned():
        yield f"an abandoned branch without {field}", entry(without(field)), "missing-field"
    yield "no headers of the conflict", entry(abandoned(headers=[])), "invalid"
    yield "one header of the conflict", entry(abandoned(headers=[hexed(0x51, 32)])), "invalid"
    yield "three headers of the conflict", entry(abandoned(headers=[hexed(b, 32) for b in (1, 2, 3)])), "too-large"
    yield "one header twice", entry(abandoned(headers=[hexed(0x51, 32)] * 2)), "duplicate"
    yield "headers out of order", entry(abandoned(headers=abandoned()["headers"][::-1])), "non-canonical"
    yield "a conflict at height 0", entry(abandoned(height=0)), "invalid"
    yield "an anchor below the conflict", entry(abandoned(), anchor=6), "invalid"
    yield "since 1", entry(abandoned(since=1)), "invalid"
    yield "since above the number", entry(abandoned(since=3)), "invalid"
    yield "a message twice", entry(abandoned(messages=[hexed(0x61, 32)] * 2)), "duplicate"
    yield "messages out of order", entry(abandoned(messages=abandoned()["messages"][::-1])), "non-canonical"
    yield "a short message id", entry(abandoned(messages=[hexed(0x61, 31)])), "malformed"
    yield "messages that are no list", entry(abandoned(messages=hexed(0x61, 32))), "invalid"
    yield "513 messages", entry(abandoned(messages=many)), "too-large"
    yield "513 messages of two chains", both, "too-large"
    old = copy.deepcopy(second)
    old["number"] = 1
    yield "an abandoned branch in a first manifest", old, "invalid"


def bad_signatures(second):
    """(name, file, error, follows)"""
    inner = body()
    yield "one of two signatures", signed(inner, KEYS[:1]), "unauthorized", False
    yield "no signature", signed(inner, []), "unauthorized", False
    yield "one signature twice", signed(inner, [KEYS[0], KEYS[0]]), "duplicate", False
    yield "a stranger beside two good ones", signed(inner, [*KEYS[:2], STRANGER]), "wrong-key", False
    other = changed(["name"], "other")
    lie = tool.canonical({"manifest": inner, "signatures": [signature(inner, KEYS[0]), signature(other, KEYS[1])]})
    yield "a signature of another manifest", lie.decode(), "bad-signature", False
    swap = copy.deepcopy(second)
    swap["administrators"] = {"keys": [x_of(STRANGER)], "threshold": 1}
    yield "signed by its own new administrators", signed(swap, [STRANGER]), "wrong-key", True
    skip = copy.deepcopy(second)
    skip["number"] = 3
    yield "a number left out", signed(skip), "wrong-lineage", True
    stray = copy.deepcopy(second)
    stray["previous"] = hexed(9, 32)
    yield "another previous", signed(stray), "wrong-lineage", True
    yield "the first again", signed(inner), "wrong-lineage", True


def files():
    inner = body()
    good = signed(inner)
    second = second_of(inner)
    full = copy.deepcopy(second)
    full["chains"][0]["abandoned"]["messages"] = [hexed(0x70, 30) + f"{i:04x}" for i in range(512)]
    bad = [{"name": n, "file": f, "error": e} for n, f, e in bad_forms(good)]
    bad += [{"name": n, "file": signed(i), "error": e} for n, i, e in bad_fields()]
    bad += [{"name": n, "file": signed(i), "error": e} for n, i, e in bad_quorums()]
    bad += [{"name": n, "file": signed(i), "error": e} for n, i, e in bad_ledgers()]
    bad += [{"name": n, "file": signed(i), "error": e} for n, i, e in bad_clocks()]
    bad += [{"name": n, "file": signed(i), "error": e, "follows": True} for n, i, e in bad_abandoned(second)]
    bad += [{"name": n, "file": f, "error": e, "follows": follows} for n, f, e, follows in bad_signatures(second)]
    facts = {"first_hash": tool.manifest_hash(tool.canonical(inner)).hex(), "identity": identity(inner["chains"][0])[2:],
             "second_hash": tool.manifest_hash(tool.canonical(second)).hex(), "full": signed(full), "latest": signed(quorum({"tag": "latest", "quorum": 3}, confirmations=20, reorg_margin_s=60)), "bad": bad}
    return {"first.json": good, "second.json": signed(second), "quorum.json": signed(quorum()),
            "ledger.json": signed(ledger()), "clock.json": signed(clock()), "facts.json": json.dumps(facts, indent=1) + "\n"}


def main():
    check = "--check" in sys.argv[1:]
    for name, text in files().items():
        path = OUT / name
        if check and (not path.exists() or path.read_text() != text):
            print(f"{path.name} differs: run tools/manifest_vectors.py", file=sys.stderr)
            return 1
        if not check:
            OUT.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
