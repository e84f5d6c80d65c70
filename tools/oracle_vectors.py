#!/usr/bin/env python3
"""Makes tests/vectors/oracle/*.json: what docs/protocol/oracle.md hashes, signs and encodes.

It is written from that page alone, on the Keccak-256, BIP-340 and ABI encoder of envelope_vectors.py, which run on the
standard library: neither the C nor the Solidity that must reproduce the vectors can share a mistake with it.

    tools/oracle_vectors.py            write the files
    tools/oracle_vectors.py --check    fail if they differ from what would be written
"""
import json
import sys
from pathlib import Path

import envelope_vectors as v
from envelope_vectors import SECURE, W, hx, tag, u, word

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "oracle"
ANSWER = 4
ZERO = bytes(32)

TAGS = ["caisson/identity/oracle/v1", "caisson/identity/app/v1", "caisson/spec/v1", "caisson/arguments/v1", "caisson/request/v1",
        "caisson/leaf/answer/v1", "caisson/evidence/source/v1", "caisson/evidence/v1", "caisson/feed/v1", "caisson/leaf/feed/v1"]

# --- the page -----------------------------------------------------------------------------------------------------


def identity(lineage: bytes) -> bytes:
    return v.keccak(tag("caisson/identity/oracle/v1") + lineage)


def app_identity(audience: bytes) -> bytes:
    return v.keccak(tag("caisson/identity/app/v1") + v.keccak(audience))


def app_asker(audience: bytes) -> bytes:
    return v.keccak(b"app" + audience)


def spec_hash(spec: bytes) -> bytes:
    return v.keccak(tag("caisson/spec/v1") + v.keccak(spec))


def arguments_hash(arguments) -> bytes:
    return v.keccak(tag("caisson/arguments/v1") + b"".join(v.keccak(a) for a in arguments))


def secrets_hash(sealed: bytes) -> bytes:
    return v.keccak(sealed) if sealed else ZERO


def int256(number: int) -> bytes:
    return u(number % 2**256)


def request_id(receiver: bytes, r: dict) -> bytes:
    return v.keccak(tag("caisson/request/v1") + receiver + u(r["counter"]) + word(r["asker"]) + r["specHash"] + r["argumentsHash"]
                    + r["secretsHash"] + word(r["callback"]) + u(r["callbackGas"]) + u(r["fee"]) + u(r["maxAge"]) + u(r["time"])
                    + u(r["deadline"]))


def leaf_answer(rid: bytes, spec: bytes, code: int, observed_at: int, evidence: bytes, value: bytes) -> bytes:
    return v.keccak(tag("caisson/leaf/answer/v1") + rid + spec + u(code) + u(observed_at) + evidence + v.keccak(value))


def protocol(s: dict) -> int:
    return (s["version"] | s["h2"] << 16 | s["reused"] << 17 | s["stapled"] << 18 | s["redirected"] << 19 | s["timestamps"] << 24)


def evidence_source(s: dict) -> bytes:
    return v.keccak(tag("caisson/evidence/source/v1") + u(s["index"]) + u(s["code"]) + v.keccak(s["host"]) + s["leaf"] + s["issuer"]
                    + u(protocol(s)) + u(s["cipher"]) + s["response"] + u(s["completed"]))


def evidence(time_flags: int, sources) -> bytes:
    return v.keccak(tag("caisson/evidence/v1") + u(time_flags) + b"".join(evidence_source(s) for s in sources))


def feed_id(receiver: bytes, index: int) -> bytes:
    return v.keccak(tag("caisson/feed/v1") + receiver + u(index))


def leaf_feed(fid: bytes, spec: bytes, observed_at: int, evidence_hash: bytes, value: int) -> bytes:
    return v.keccak(tag("caisson/leaf/feed/v1") + fid + spec + u(observed_at) + evidence_hash + int256(value))


# --- ABI ----------------------------------------------------------------------------------------------------------

REQUEST_T = "(uint64,address,bytes32,bytes32,bytes32,address,uint64,uint256,uint64,uint64,uint64)"
ANSWER_T = f"({REQUEST_T},uint8,uint64,bytes32,bytes)"
FEED_T = "(uint64,uint64,bytes32,bytes32,int256)"
SETTINGS_T = "(bytes32,uint8,uint24,uint24,uint32,uint8,string)"
FUNCTIONS = {
    "request": "request(bytes,string[],bytes,address,uint64,uint64,uint64)",
    "requestByHash": "requestByHash(bytes32,string[],bytes,address,uint64,uint64,uint64)",
    "quote": "quote(uint256,uint64)",
    "fulfil": f"fulfil(bytes32,{v.STATEMENT},{ANSWER_T}[])",
    "refund": f"refund({REQUEST_T})",
    "stateOf": "stateOf(bytes32)",
    "onAnswer": "onAnswer(bytes32,address,uint8,uint64,bytes)",
    "submit": f"submit(bytes32,{v.STATEMENT},{FEED_T}[])",
}
EVENTS = {
    "OracleRequested": f"OracleRequested(bytes32,address,{REQUEST_T},bytes,string[],bytes)",
    "OracleAnswered": "OracleAnswered(bytes32,address,uint8,uint64,bytes32,bytes)",
    "OracleRefunded": "OracleRefunded(bytes32,address,uint256)",
    "CallbackFailed": "CallbackFailed(bytes32)",
    "FeedUpdated": "FeedUpdated(uint64,int256,uint256)",
    "FeedAdded": f"FeedAdded(uint64,bytes32,address,address,{SETTINGS_T})",
}


def request_abi(r: dict):
    return "tuple", [W(r[k]) for k in ("counter", "asker", "specHash", "argumentsHash", "secretsHash", "callback", "callbackGas",
                                       "fee", "maxAge", "time", "deadline")]


def strings(values):
    return "array", [("bytes", s) for s in values]


# --- cases --------------------------------------------------------------------------------------------------------

LINEAGE = v.keccak(b"caisson vector manifest")
ORACLE, CONTRACT, FEEDS = identity(LINEAGE), v.ID1, v.ID2
SECRET = int.from_bytes(v.keccak(b"caisson vector oracle key"), "big") % v.N
SPECS = {
    "one source": b'{"result":{"decimals":8,"type":"int256"},"sources":[{"extract":{"pointer":"/data/{0}/usd"},'
                  b'"url":"https://api.example.org/v1/price?ids={0}"}],"version":1}',
    "median of three": b'{"aggregate":{"k":2,"kind":"median","spread_ppm":10000},"result":{"decimals":8,"rounding":"half_even",'
                       b'"type":"int256"},"sources":[' + b",".join(
                           b'{"extract":{"pointer":"/p"},"url":"https://%s.example.org/"}' % h for h in (b"a", b"b", b"c"))
                       + b'],"version":1}',
    "not ASCII": '{"result":{"type":"string"},"sources":[{"body":"é","extract":{"whole":true},"method":"POST",'
                 '"url":"https://a.example/"}],"version":1}'.encode(),
}
ARGUMENTS = {"none": [], "one": [b"bitcoin"], "empty": [b""], "two": [b"a", b"b"], "joined": [b"ab"],
             "eight": [bytes([0x61 + i]) * (i + 1) for i in range(8)], "largest": ["é".encode() * 256]}
SEALED = v.seq_bytes(3, 80)


def request(counter=1, spec="one source", arguments="one", sealed=b"", asker=v.APP1, callback=v.APP1, gas=100_000, fee=10**15,
            max_age=300, time=1_900_000_000, deadline=1_900_000_600) -> dict:
    return {"counter": counter, "asker": asker, "specHash": spec_hash(SPECS[spec]), "argumentsHash": arguments_hash(ARGUMENTS[arguments]),
            "secretsHash": secrets_hash(sealed), "callback": callback, "callbackGas": gas, "fee": fee, "maxAge": max_age,
            "time": time, "deadline": deadline}


# Receiver, request and what of it is not in the preimage itself.
REQUESTS = {
    "plain": (CONTRACT, request(), "one source", "one", b""),
    "secrets": (CONTRACT, request(2, sealed=SEALED), "one source", "one", SEALED),
    "no callback": (CONTRACT, request(3, "median of three", "none", callback=b"", gas=0, fee=0), "median of three", "none", b""),
    "another contract": (FEEDS, request(), "one source", "one", b""),
    "callback elsewhere": (CONTRACT, request(4, "not ASCII", "eight", callback=v.APP2), "not ASCII", "eight", b""),
    "largest fields": (CONTRACT, request(2**64 - 1, asker=b"\xff" * 20, callback=b"\xff" * 20, gas=2**64 - 1, fee=2**256 - 1,
                                         max_age=2**64 - 1, time=2**64 - 1, deadline=2**64 - 1), "one source", "one", b""),
    "by REST": (app_identity(b"shop"), request(0x0123456789abcdef, asker=app_asker(b"shop"), callback=b"", gas=0, fee=0),
                "one source", "one", b""),
    "by REST, empty audience": (app_identity(b""), request(7, asker=app_asker(b""), callback=b"", gas=0, fee=0),
                                "one source", "one", b""),
}


def source(index=0, code=0, host=b"api.example.org:443", h2=True, reused=False, stapled=False, version=0x0304, timestamps=2,
           cipher=0x1301, response=b'{"p":1}', completed=1_900_000_010, connected=True, redirected=False) -> dict:
    return {"index": index, "code": code, "host": host, "leaf": v.keccak(b"leaf" + host) if connected else ZERO,
            "issuer": v.keccak(b"issuer") if connected else ZERO, "version": version, "h2": h2, "reused": reused,
            "stapled": stapled, "redirected": redirected, "timestamps": timestamps, "cipher": cipher,
            "response": v.keccak(response) if response is not None else ZERO, "completed": completed}


NOTHING = {"connected": False, "h2": False, "version": 0, "timestamps": 0, "cipher": 0, "response": None}
EVIDENCE = {
    "one source": (0, [source()]),
    "insecure time": (1, [source()]),
    "http/1.1, TLS 1.2, reused, stapled": (0, [source(h2=False, version=0x0303, cipher=0xc02f, reused=True, stapled=True, timestamps=3)]),
    "from the host of a redirect": (0, [source(redirected=True)]),
    "empty response": (0, [source(response=b"")]),
    "three, one down": (0, [source(0, host=b"a.example.org:443"), source(1, 16, b"b.example.org:443", **NOTHING),
                            source(2, host=b"c.example.org:8443", completed=1_900_000_012)]),
    "none": (1, []),
    "largest fields": (1, [source(15, 48, b"x" * 253 + b":65535", timestamps=255, cipher=0xffff, version=0xffff, reused=True,
                                  stapled=True, redirected=True, completed=2**64 - 1)]),
}
VALUES = {"price": int256(6_712_345_000_000), "minus one": int256(-1), "nothing": b"", "text": v.encode_row([("bytes", b"hello")]),
          "true": u(1), "two numbers": v.encode_row([("array", [W(1), W(2)])])}
# Request, code, observedAt, evidence, value.
ANSWERS = {
    "price": ("plain", 0, 1_900_000_010, "one source", "price"),
    "negative": ("secrets", 0, 1_900_000_010, "insecure time", "minus one"),
    "text": ("callback elsewhere", 0, 1_900_000_011, "one source", "text"),
    "array": ("no callback", 0, 1_900_000_011, "three, one down", "two numbers"),
    "unreachable": ("plain", 16, 1_900_000_012, "none", "nothing"),
    "disagreement": ("no callback", 48, 1_900_000_012, "three, one down", "nothing"),
    "by REST": ("by REST", 0, 1_900_000_010, "one source", "true"),
    "largest": ("largest fields", 255, 2**64 - 1, "largest fields", "price"),
}
FEED_VALUES = {
    "first": (FEEDS, 0, "median of three", 1_900_000_010, "three, one down", 6_712_345_000_000),
    "second": (FEEDS, 1, "one source", 1_900_000_010, "one source", -5),
    "third": (FEEDS, 2, "median of three", 1_900_000_012, "three, one down", 0),
    "largest": (CONTRACT, 2**64 - 1, "one source", 2**64 - 1, "one source", 2**255 - 1),
    "smallest": (CONTRACT, 1, "one source", 1, "one source", -2**255),
}


def row(values: dict) -> dict:
    return {k: hx(x) if isinstance(x, bytes) else x for k, x in values.items()}


def request_case(name: str) -> dict:
    receiver, r, spec, arguments, sealed = REQUESTS[name]
    numbers = {k: str(r[k]) for k in ("counter", "callbackGas", "fee", "maxAge", "time", "deadline")}
    return {"name": name, "receiver": hx(receiver), **row({**r, **numbers, "asker": word(r["asker"]), "callback": word(r["callback"])}),
            "spec": hx(SPECS[spec]), "arguments": [hx(a) for a in ARGUMENTS[arguments]], "secrets": hx(sealed),
            "request_id": hx(request_id(receiver, r))}


def id_of(name: str) -> bytes:
    return request_id(*REQUESTS[name][:2])


def answer_leaf(name: str) -> bytes:
    asked, code, observed_at, proof, value = ANSWERS[name]
    return leaf_answer(id_of(asked), REQUESTS[asked][1]["specHash"], code, observed_at, evidence(*EVIDENCE[proof]), VALUES[value])


def answer_case(name: str) -> dict:
    asked, code, observed_at, proof, value = ANSWERS[name]
    return {"name": name, "request": asked, "request_id": hx(id_of(asked)), "spec_hash": hx(REQUESTS[asked][1]["specHash"]), "code": code,
            "observed_at": str(observed_at), "evidence": hx(evidence(*EVIDENCE[proof])), "value": hx(VALUES[value]),
            "leaf": hx(answer_leaf(name))}


def feed_leaf(name: str) -> bytes:
    receiver, index, spec, observed_at, proof, value = FEED_VALUES[name]
    return leaf_feed(feed_id(receiver, index), spec_hash(SPECS[spec]), observed_at, evidence(*EVIDENCE[proof]), value)


def feed_case(name: str) -> dict:
    receiver, index, spec, observed_at, proof, value = FEED_VALUES[name]
    return {"name": name, "receiver": hx(receiver), "index": str(index), "feed_id": hx(feed_id(receiver, index)),
            "spec_hash": hx(spec_hash(SPECS[spec])), "observed_at": str(observed_at), "evidence": hx(evidence(*EVIDENCE[proof])),
            "value": str(value), "leaf": hx(feed_leaf(name))}


def answer_abi(name: str):
    asked, code, observed_at, proof, value = ANSWERS[name]
    return "tuple", [request_abi(REQUESTS[asked][1]), W(code), W(observed_at), W(evidence(*EVIDENCE[proof])), ("bytes", VALUES[value])]


def feed_abi(name: str):
    _, index, spec, observed_at, proof, value = FEED_VALUES[name]
    return "tuple", [W(index), W(observed_at), W(spec_hash(SPECS[spec])), W(evidence(*EVIDENCE[proof])), W(int256(value))]


def signed(receiver: bytes, root: bytes, path=(), domain=SECURE, epoch=1, manifest=1):
    return v.signed(ANSWER, ORACLE, receiver, SECRET, root, path, domain, epoch, manifest)


def statements() -> list:
    """One signature over answers, over feeds, over both, over a part of a batch, in both domains."""
    out = []

    def add(receiver, leaves, what, **over):
        st, digest = signed(receiver, v.levels(leaves)[-1][0], **over)
        out.append({"what": what, "domain": over.get("domain", SECURE), "signer": hx(ORACLE), "receiver": hx(receiver),
                    "public": hx(v.public_x(SECRET)), "leaves": [hx(x) for x in leaves], "digest": hx(digest),
                    "statement": v.statement_case(st)})

    add(CONTRACT, [answer_leaf("price")], "one answer")
    add(CONTRACT, [answer_leaf("price")], "one answer, insecure", domain=v.INSECURE)
    add(CONTRACT, [answer_leaf("price")], "largest epoch and manifest", epoch=2**64 - 1, manifest=2**64 - 1)
    add(CONTRACT, [answer_leaf(n) for n in ("price", "negative", "text", "array", "disagreement")], "five answers")
    add(app_identity(b"shop"), [answer_leaf("by REST")], "an answer by REST")
    add(FEEDS, [feed_leaf("first")], "one feed")
    add(FEEDS, [feed_leaf(n) for n in ("first", "second", "third")], "three feeds")
    add(CONTRACT, [feed_leaf("smallest"), answer_leaf("price")], "a feed's value and an answer of one receiver")
    return out


def calldata() -> dict:
    calls = []

    def add(function, values, **what):
        calls.append({"function": function, **what, "calldata": hx(v.call(FUNCTIONS[function], values))})

    def fulfil(names, tree_of=None, start=0):
        leaves = [answer_leaf(n) for n in tree_of or names]
        path = v.path_of(leaves, start, 0) if tree_of else ()
        st, digest = signed(CONTRACT, v.levels(leaves)[-1][0], path)
        add("fulfil", [W(ORACLE), v.statement(st), ("array", [answer_abi(n) for n in names])], oracle=hx(ORACLE), receiver=hx(CONTRACT),
            statement=v.statement_case(st), digest=hx(digest), answers=list(names))

    def update(names):
        st, digest = signed(FEEDS, v.levels([feed_leaf(n) for n in names])[-1][0])
        add("submit", [W(ORACLE), v.statement(st), ("array", [feed_abi(n) for n in names])], oracle=hx(ORACLE), receiver=hx(FEEDS),
            statement=v.statement_case(st), digest=hx(digest), feeds=list(names))

    for name in ("plain", "secrets", "no callback", "callback elsewhere"):
        _, r, spec, arguments, sealed = REQUESTS[name]
        tail = [strings(ARGUMENTS[arguments]), ("bytes", sealed), W(r["callback"]), W(r["callbackGas"]), W(r["maxAge"]), W(r["deadline"])]
        add("request", [("bytes", SPECS[spec]), *tail], request=name)
        add("requestByHash", [W(r["specHash"]), *tail], request=name)
        add("refund", [request_abi(r)], request=name)
    fulfil(["price"])
    fulfil(["unreachable"])
    fulfil(["price", "negative", "text"])
    fulfil(["array"], ["price", "negative", "text", "array", "disagreement"], 3)
    update(["first"])
    update(["first", "second", "third"])
    for name in ("price", "unreachable"):
        asked, code, observed_at, _, value = ANSWERS[name]
        add("onAnswer", [W(id_of(asked)), W(REQUESTS[asked][1]["asker"]), W(code), W(observed_at), ("bytes", VALUES[value])], answer=name)
    logs = []
    for name in ("plain", "secrets", "no callback", "callback elsewhere"):
        _, r, spec, arguments, sealed = REQUESTS[name]
        data = v.encode_row([request_abi(r), ("bytes", SPECS[spec]), strings(ARGUMENTS[arguments]), ("bytes", sealed)])
        logs.append({"event": "OracleRequested", "request": name, "topics": [hx(v.keccak(EVENTS["OracleRequested"].encode())),
                                                                             hx(id_of(name)), hx(word(r["asker"]))], "data": hx(data)})
    return {"functions": {n: {"signature": s, "selector": hx(v.selector(s))} for n, s in FUNCTIONS.items()},
            "events": {n: {"signature": s, "topic": hx(v.keccak(s.encode()))} for n, s in EVENTS.items()}, "calls": calls, "logs": logs}


def files() -> dict:
    audiences = [b"", b"shop", b"x" * 64]
    return {
        "tags.json": {"tags": [{"ascii": t, "hash": hx(tag(t))} for t in TAGS]},
        "identities.json": {"oracles": [{"lineage": hx(x), "identity": hx(identity(x))} for x in (LINEAGE, ZERO, b"\xff" * 32)],
                            "apps": [{"audience": hx(a), "identity": hx(app_identity(a)), "asker": hx(app_asker(a))} for a in audiences]},
        "specs.json": {"specs": [{"name": n, "bytes": hx(s), "hash": hx(spec_hash(s))} for n, s in SPECS.items()],
                       "arguments": [{"name": n, "values": [hx(x) for x in a], "hash": hx(arguments_hash(a))}
                                     for n, a in ARGUMENTS.items()],
                       "secrets": [{"bytes": hx(s), "hash": hx(secrets_hash(s))} for s in (b"", SEALED, b"\0")]},
        "requests.json": {"requests": [request_case(n) for n in REQUESTS]},
        "evidence.json": {"evidence": [
            {"name": n, "time_flags": flags, "hash": hx(evidence(flags, rows)), "sources": [
                {**row({**s, "completed": str(s["completed"]), "host": s["host"].decode()}),
                 "protocol": str(protocol(s)),
                 "hash": hx(evidence_source(s))} for s in rows]} for n, (flags, rows) in EVIDENCE.items()]},
        "answers.json": {"answers": [answer_case(n) for n in ANSWERS]},
        "feeds.json": {"feeds": [feed_case(n) for n in FEED_VALUES]},
        "statements.json": {"statements": statements()},
        "calldata.json": calldata(),
    }


def main():
    check, stale = "--check" in sys.argv[1:], []
    OUT.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        text = json.dumps(content, indent=1, ensure_ascii=True) + "\n"
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
