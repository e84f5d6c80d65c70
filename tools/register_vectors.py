#!/usr/bin/env python3
"""Makes tests/vectors/ledger/register.json: what contracts 4, 5 and 9 of the ledger hash and verify, time answers,
and anchors of key clusters.

Written from docs/protocol/enclaves.md, time.md, cluster.md, oracle.md and envelope.md alone, on the Keccak-256, BIP-340 and ABI encoder of
envelope_vectors.py, which share no code with the C. Beside preimages it has a story: calls in a row, each with what it must
return or revert with.

    tools/register_vectors.py            write the file
    tools/register_vectors.py --check    fail if it differs from what would be written
"""
import json
import sys
from pathlib import Path

import envelope_vectors as v
import oracle_vectors as o
from envelope_vectors import W, hx, tag, u

OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "ledger" / "register.json"

# --- the ledger of the story ----------------------------------------------------------------------------------------

NOW = 1767225600  # 2026-01-01
DAY = 86400
CHAIN, TAG = "cosmos:lab-1", b"\x07" * 32
ENCLAVES, RECORDS, ANSWERS = 4, 5, 9
OWNER, GUARDIAN, BONDER, OTHER, GATEWAY = (bytes([b]) * 20 for b in (0x0a, 0x0b, 0x0c, 0x0d, 0x0e))
ADMINISTRATORS = [101, 102, 103]  # secrets; two of them approve
TERMS = {"delay": 3600, "rotation_delay": 7200, "overlap": 600, "bond_min": 1000, "bond_delay": DAY, "lifetime_max": 90 * DAY}
OWN = v.identity(CHAIN, TAG, b"\0" * 17 + b"\xca\x15" + bytes([ENCLAVES]))
LINEAGE, MEASUREMENT, EVIDENCE = b"\x21" * 32, b"\x22" * 32, b"\x23" * 32
MANIFESTS = {1: b"\x31" * 32, 2: b"\x32" * 32}
CHAIN_1, CHAIN_2, CHAIN_3, CHAIN_4 = (bytes([b]) * 32 for b in (0x41, 0x42, 0x43, 0x44))
BRIDGE, ORACLE, COMPUTE = 1, 2, 3
KEY_1, KEY_2, KEY_3, KEY_ORACLE, KEY_BAD, KEY_TWICE = 201, 202, 203, 204, 205, 206
GAS_1 = b"\x51" * 20
ORACLE_ID = o.identity(LINEAGE)
RECEIVER = b"\x61" * 32

# --- preimages ------------------------------------------------------------------------------------------------------


def hashed(text: str, words) -> bytes:
    return v.keccak(tag(text) + b"".join(words))


def keys_hash(keys) -> bytes:
    return hashed("caisson/keys/v1", [b"".join([k["identity"], u(k["epoch"]), k["x"], v.word(k["gas"])]) for k in keys])


def registration_digest(r) -> bytes:
    return hashed("caisson/ledger/registration/v1", [
        OWN, r["enclave"], keys_hash(r["keys"]), u(r["role"]), r["measurement"], r["lineage"], u(r["number"]), r["manifest"],
        u(r["kind"]), r["evidence"], u(r["expires"]), u(r["bond"]), v.word(r["bonder"])])


def time_key_digest(account: bytes) -> bytes:
    return hashed("caisson/time/key/v1", [OWN, v.word(account)])


def time_digest(nonce: bytes, time_ms: int) -> bytes:
    return hashed("caisson/time/v1", [nonce, u(time_ms)])


def record_words(r):
    return [r["message"], r["source"], r["destination"], u(r["side"]), u(r["index"]), u(r["from"]), u(r["event"]), u(r["height"]),
            r["block"], r["tx"], r["digest"]]


def records_digest(records) -> bytes:
    return hashed("caisson/ledger/records/v1", [OWN] + [w for r in records for w in record_words(r)])


def anchor_digest(lineage: bytes, identity: bytes, epoch: int, counter: int, digest: bytes) -> bytes:
    return hashed("caisson/ledger/anchor/v1", [OWN, lineage, identity, u(epoch), u(counter), digest])


def sign(secret: int, digest: bytes):
    """rx, s."""
    rx, _, s = v.schnorr_sign(secret, digest, bytes(32))
    return rx, s


# --- calls ----------------------------------------------------------------------------------------------------------

REGISTRATION = ("(bytes32,uint8,bytes32,bytes32,uint64,bytes32,uint8,bytes32,uint64,uint256,address,"
                "(bytes32,uint64,bytes32,address)[],bytes)")
RECORD = "(bytes32,bytes32,bytes32,uint8,uint8,uint8,uint8,uint64,bytes32,bytes32,bytes32)"
ANSWER = "(bytes32,bytes32,uint8,uint64,bytes32,bytes)"
FEED_VALUE = "(bytes32,uint64,bytes32,bytes32,int256)"


def key(identity: bytes, epoch: int, secret: int, gas: bytes = bytes(20)):
    return {"identity": identity, "epoch": epoch, "x": v.public_x(secret), "gas": gas}


def registration(**over):
    r = {"enclave": bytes(32), "role": BRIDGE, "measurement": MEASUREMENT, "lineage": LINEAGE, "number": 1, "manifest": MANIFESTS[1],
         "kind": 0, "evidence": EVIDENCE, "expires": NOW + 30 * DAY, "bond": 1000, "bonder": BONDER,
         "keys": [key(CHAIN_1, 1, KEY_1, GAS_1)], "bytes": b""}
    return r | over


def approvals(r, administrators=(0, 1), secrets=None):
    digest = registration_digest(r)
    secrets = secrets or [ADMINISTRATORS[a] for a in administrators]
    return [(a, *sign(s, digest)) for a, s in zip(administrators, secrets)]


def register(r, approved=None):
    approved = approvals(r) if approved is None else approved
    keys = [("tuple", [W(k["identity"]), W(k["epoch"]), W(k["x"]), W(k["gas"])]) for k in r["keys"]]
    tuple_ = [W(r["enclave"]), W(r["role"]), W(r["measurement"]), W(r["lineage"]), W(r["number"]), W(r["manifest"]), W(r["kind"]),
              W(r["evidence"]), W(r["expires"]), W(r["bond"]), W(r["bonder"]), ("array", keys), ("bytes", r["bytes"])]
    rows = [("tuple", [W(a), W(rx), W(s)]) for a, rx, s in approved]
    return v.call(f"register({REGISTRATION},(uint8,bytes32,bytes32)[])", [("tuple", tuple_), ("array", rows)])


def announce(identity: bytes, epoch: int, secret: int, new_epoch: int, new_secret: int, receiver: bytes = OWN, domain=v.SECURE):
    x = v.public_x(new_secret)
    st, _ = v.signed(v.ROTATION, identity, receiver, secret, v.leaf_rotation(new_epoch, x), domain=domain, epoch=epoch)
    return v.call(v.FUNCTIONS["announceRotation"], [W(identity), v.statement(st), W(new_epoch), W(x)])


def record(message: int, index: int, from_: int, event: int, side: int = 1, **over):
    r = {"message": bytes([message]) * 32, "source": CHAIN_1, "destination": CHAIN_2, "side": side, "index": index, "from": from_,
         "event": event, "height": 100 + index, "block": bytes([0x71]) * 32, "tx": bytes([0x72]) * 32, "digest": bytes(32)}
    return r | over


def record_signed(records, secret: int, signer: int | None = None):
    rx, s = sign(secret, records_digest(records))
    rows = [("tuple", [W(w) for w in record_words(r)]) for r in records]
    return v.call(f"recordSigned(bytes32,bytes32,bytes32,{RECORD}[])", [W(v.public_x(signer or secret)), W(rx), W(s), ("array", rows)])


def anchor(secret: int, identity: bytes, epoch: int, counter: int, digest: bytes, lineage: bytes = LINEAGE):
    rx, s = sign(secret, anchor_digest(lineage, identity, epoch, counter, digest))
    return v.call("anchor(bytes32,uint64,uint64,bytes32,bytes32,bytes32)",
                  [W(v.public_x(secret)), W(epoch), W(counter), W(digest), W(rx), W(s)])


def time_key(secret: int, account: bytes):
    rx, s = sign(secret, time_key_digest(account))
    return v.call("registerTimeKey(bytes32,bytes32,bytes32)", [W(v.public_x(secret)), W(rx), W(s)])


def answer(request: int, code: int = 0, observed: int = NOW, value: bytes = b"\x01" * 32):
    return {"request": bytes([request]) * 32, "spec": b"\x81" * 32, "code": code, "observed": observed, "evidence": b"\x82" * 32,
            "value": value}


def answer_leaf(a) -> bytes:
    return o.leaf_answer(a["request"], a["spec"], a["code"], a["observed"], a["evidence"], a["value"])


def answers(function: str, items, secret: int = KEY_ORACLE, oracle: bytes = ORACLE_ID, receiver: bytes = RECEIVER):
    root = v.levels([answer_leaf(a) for a in items])[-1][0] if items else bytes(32)
    st, _ = v.signed(o.ANSWER, oracle, receiver, secret, root)
    rows = [("tuple", [W(a["request"]), W(a["spec"]), W(a["code"]), W(a["observed"]), W(a["evidence"]), ("bytes", a["value"])])
            for a in items]
    return v.call(f"{function}(bytes32,bytes32,{v.STATEMENT},{ANSWER}[])", [W(oracle), W(RECEIVER), v.statement(st), ("array", rows)])


def feed(number: int, observed: int, value: int):
    return {"feed": bytes([number]) * 32, "observed": observed, "spec": b"\x83" * 32, "evidence": b"\x84" * 32, "value": value}


def submit(items, secret: int = KEY_ORACLE):
    leaves = [o.leaf_feed(f["feed"], f["spec"], f["observed"], f["evidence"], f["value"]) for f in items]
    st, _ = v.signed(o.ANSWER, ORACLE_ID, RECEIVER, secret, v.levels(leaves)[-1][0])
    rows = [("tuple", [W(f["feed"]), W(f["observed"]), W(f["spec"]), W(f["evidence"]), W(o.int256(f["value"]))]) for f in items]
    return v.call(f"submit(bytes32,bytes32,{v.STATEMENT},{FEED_VALUE}[])", [W(ORACLE_ID), W(RECEIVER), v.statement(st), ("array", rows)])


def outcomes(secret: int, delivered=None, dead=None, message: bytes = b"\x91" * 32, receiver: bytes = RECEIVER, x: int | None = None):
    """Both statements as they should be, but for what a test says otherwise of one: (message, status, receiver, identity, epoch, domain, secret)."""
    sts = []
    for status, over in ((2, delivered), (3, dead)):
        how = {"message": message, "status": status, "receiver": receiver, "identity": CHAIN_3, "epoch": 1, "domain": v.SECURE,
               "secret": secret} | (over or {})
        st, _ = v.signed(v.OUTCOME, how["identity"], how["receiver"], how["secret"], v.leaf_outcome(how["message"], how["status"]),
                         domain=how["domain"], epoch=how["epoch"])
        sts.append(v.statement(st))
    return v.call(f"reportOutcomes(bytes32,bytes32,bytes32,{v.STATEMENT},{v.STATEMENT})",
                  [W(v.public_x(x or secret)), W(receiver), W(message), *sts])


def two_anchors(secret: int, identity: bytes, epoch: int, counter: int, digests, lineage: bytes = LINEAGE, signed_counter=None):
    rows = []
    for digest in digests:
        rx, s = sign(secret, anchor_digest(lineage, identity, epoch, counter if signed_counter is None else signed_counter, digest))
        rows += [W(digest), W(rx), W(s)]
    return v.call("reportAnchors(bytes32,uint64,uint64,(bytes32,bytes32,bytes32),(bytes32,bytes32,bytes32))",
                  [W(v.public_x(secret)), W(epoch), W(counter), *rows])


def two_answers(items, secret: int = KEY_ORACLE, oracle: bytes = ORACLE_ID, receiver: bytes = RECEIVER, x: int | None = None):
    rows = []
    for a in items:
        st, _ = v.signed(o.ANSWER, oracle, receiver, secret, answer_leaf(a))
        rows += [v.statement(st), ("tuple", [W(a["request"]), W(a["spec"]), W(a["code"]), W(a["observed"]), W(a["evidence"]),
                                             ("bytes", a["value"])])]
    return v.call(f"reportAnswers(bytes32,bytes32,{v.STATEMENT},{ANSWER},{v.STATEMENT},{ANSWER})",
                  [W(v.public_x(x or secret)), W(RECEIVER), *rows])


def plain(signature: str, *values):
    return v.call(signature, [W(x) for x in values])


# --- the story ------------------------------------------------------------------------------------------------------


class Story:
    def __init__(self):
        self.steps, self.now = [], NOW

    def add(self, name, contract, sender, data, value=0, output=None, error=None, words=()):
        step = {"name": name, "contract": contract, "from": hx(sender), "value": value, "calldata": hx(data)}
        if error is None:
            step["output"] = None if output is None else hx(b"".join(output))
        else:
            step["error"] = error
            step["words"] = [hx(w) for w in words]
        self.steps.append(step)

    def later(self, seconds: int):
        self.now += seconds
        self.steps.append({"name": "later", "seconds": seconds})


def registrations(s: Story):
    first = registration()
    enclave = keys_hash(first["keys"])

    def bad(name, error, words=(), approved=None, sender=BONDER, value=1000, **over):
        r = registration(**over)
        s.add(name, ENCLAVES, sender, register(r, approved(r) if approved else None), value, error=error, words=words)

    bad("no key", "RegistrationInvalid()", keys=[])
    bad("a key twice", "RegistrationInvalid()", keys=[key(CHAIN_1, 1, KEY_1), key(CHAIN_2, 1, KEY_1)])
    bad("an identity twice", "RegistrationInvalid()", keys=[key(CHAIN_1, 1, KEY_1), key(CHAIN_1, 2, KEY_2)])
    bad("role 0", "RegistrationInvalid()", role=0)
    bad("role 4", "RegistrationInvalid()", role=4)
    bad("epoch 0", "RegistrationInvalid()", keys=[key(CHAIN_1, 0, KEY_1)])
    bad("no measurement", "RegistrationInvalid()", measurement=bytes(32))
    bad("no lineage", "RegistrationInvalid()", lineage=bytes(32))
    bad("manifest 0", "RegistrationInvalid()", number=0)
    bad("no manifest", "RegistrationInvalid()", manifest=bytes(32))
    bad("brought by another", "NotBonder()", sender=OTHER)
    bad("it ends now", "ExpiryInvalid()", expires=NOW)
    bad("it ends too late", "ExpiryInvalid()", expires=NOW + 90 * DAY + 1)
    bad("the bond is too small", "BondTooSmall()", bond=999)
    bad("less is paid than the bond", "BondMissing()", value=999)
    for kind in (1, 2, 3, 4):
        bad(f"evidence of kind {kind} without a policy", "PolicyMissing()", kind=kind, bytes=b"\x01", evidence=bytes(32), approved=lambda r: [])
        bad(f"evidence of kind {kind} with approvals", "RegistrationInvalid()", kind=kind, bytes=b"\x01", evidence=bytes(32))
    for kind in (5, 6, 255):
        bad(f"evidence of kind {kind}", "EvidenceUnsupported(uint8)", [u(kind)], kind=kind, bytes=b"\x01")
    bad("bytes that nobody looks at", "EvidenceUnsupported(uint8)", [u(0)], bytes=b"\x01")
    bad("one approval", "ApprovalsTooFew()", approved=lambda r: approvals(r, (1,)))
    bad("none", "ApprovalsTooFew()", approved=lambda r: [])
    bad("one administrator twice", "ApprovalUnknown(uint8)", [u(1)], approved=lambda r: approvals(r, (1, 1)))
    bad("not in order", "ApprovalUnknown(uint8)", [u(0)], approved=lambda r: approvals(r, (1, 0)))
    bad("an administrator that there is not", "ApprovalUnknown(uint8)", [u(3)],
        approved=lambda r: approvals(r, (0, 3), (101, 102)))
    bad("another's signature", "ApprovalInvalid(uint8)", [u(1)], approved=lambda r: approvals(r, (0, 1), (101, 103)))
    bad("approved for another expiry", "ApprovalInvalid(uint8)", [u(0)],
        approved=lambda r: approvals(registration(expires=NOW + DAY)))
    bad("a key of zero", "KeyInvalid()", keys=[key(CHAIN_1, 1, KEY_1) | {"x": bytes(32)}])
    bad("a key that is no point", "KeyInvalid()", keys=[key(CHAIN_1, 1, KEY_1) | {"x": u(5)}])

    s.add("register", ENCLAVES, BONDER, register(first), 1000, output=[enclave])
    s.add("its key", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_1)),
          output=[enclave, CHAIN_1, u(1), u(BRIDGE), v.word(GAS_1), u(1)])
    s.add("an unknown key", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_2)), output=[bytes(192)])
    s.add("its row", ENCLAVES, OTHER, plain("enclaveOf(bytes32)", enclave),
          output=[u(1), u(BRIDGE), MEASUREMENT, LINEAGE, u(1), MANIFESTS[1], u(0), EVIDENCE, u(NOW), u(NOW + 30 * DAY), u(0), u(1000),
                  v.word(BONDER)])
    s.add("its manifest", ENCLAVES, OTHER, plain("manifestOf(bytes32,uint64)", LINEAGE, 1), output=[MANIFESTS[1], u(0)])
    s.add("again", ENCLAVES, BONDER, register(first), 1000, error="EnclaveKnown()")
    bad("the same key for another chain", "KeyTaken()", keys=[key(CHAIN_2, 1, KEY_1)])
    bad("another key for the same epoch", "EpochNotHigher()", keys=[key(CHAIN_1, 1, KEY_2)])
    renewals(s, enclave)
    return enclave


def renewals(s: Story, enclave: bytes):
    keys = [key(CHAIN_1, 1, KEY_1, GAS_1)]

    def renew(name, error=None, words=(), sender=BONDER, value=0, **over):
        base = {"enclave": enclave, "expires": NOW + 40 * DAY, "number": 2, "manifest": MANIFESTS[2], "keys": keys}
        r = registration(**base | over)
        s.add(name, ENCLAVES, sender, register(r), value, output=[enclave] if error is None else None, error=error, words=words)

    renew("renewed by another bonder", "NotBonder()", sender=OTHER, bonder=OTHER, value=1000)
    renew("renewed in another role", "RegistrationInvalid()", role=ORACLE)
    renew("renewed for another lineage", "RegistrationInvalid()", lineage=b"\x29" * 32)
    renew("renewed, not for longer", "ExpiryNotLater()", expires=NOW + 30 * DAY)
    renew("renewed with another gas address", "KeyTaken()", keys=[key(CHAIN_1, 1, KEY_1)])
    renew("renewed with a larger bond, which nobody pays", "BondMissing()", bond=1500)
    renew("one that is not registered", "EnclaveNotActive()", enclave=b"\x99" * 32)
    renew("renew", value=500, bond=1500)
    renew("renewed with an older manifest", "ManifestTooOld()", expires=NOW + 41 * DAY, number=1, manifest=MANIFESTS[1])


def rotations(s: Story, enclave: bytes):
    s.add("announced by nobody's key", ENCLAVES, OTHER, announce(CHAIN_2, 1, KEY_1, 2, KEY_2), error="KeyNotActive()")
    s.add("announced by another key", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_3, 2, KEY_2), error="SignatureInvalid()")
    s.add("announced for another register", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 2, KEY_2, receiver=RECEIVER),
          error="SignatureInvalid()")
    s.add("announced in the insecure domain", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 2, KEY_2, domain=v.INSECURE),
          error="SignatureInvalid()")
    s.add("announced for an epoch too far", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 3, KEY_2), error="EpochNotNext()")
    s.add("the same key announced", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 2, KEY_1), error="KeyTaken()")
    s.add("announce", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 2, KEY_2))
    s.add("announced again", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 2, KEY_2), error="KeyKnown()")
    s.add("its epoch", ENCLAVES, OTHER, plain("epochOf(bytes32)", CHAIN_1), output=[u(2)])
    s.add("the next key waits", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_2)),
          output=[enclave, CHAIN_1, u(2), u(BRIDGE), v.word(GAS_1), u(0)])
    s.later(7199)
    s.add("one second before", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_2)),
          output=[enclave, CHAIN_1, u(2), u(BRIDGE), v.word(GAS_1), u(0)])
    s.later(1)
    s.add("the next key counts", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_2)),
          output=[enclave, CHAIN_1, u(2), u(BRIDGE), v.word(GAS_1), u(1)])
    s.add("the old one too", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_1)),
          output=[enclave, CHAIN_1, u(1), u(BRIDGE), v.word(GAS_1), u(1)])
    s.later(600)
    s.add("the old one has ended", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_1)),
          output=[enclave, CHAIN_1, u(1), u(BRIDGE), v.word(GAS_1), u(0)])
    s.add("a rotation by a key that ended", ENCLAVES, OTHER, announce(CHAIN_1, 1, KEY_1, 2, KEY_3), error="KeyExpired()")


def records(s: Story):
    first, second = record(1, 0, 0, 0), record(1, 1, 1, 2)
    other = second | {"tx": b"\x73" * 32}
    batch = [first, second]
    s.add("records by a key that ended", RECORDS, OTHER, record_signed(batch, KEY_1), error="KeyNotActive()")
    s.add("records by an unknown key", RECORDS, OTHER, record_signed(batch, KEY_3), error="KeyNotActive()")
    s.add("records by another key", RECORDS, OTHER, record_signed(batch, KEY_3, KEY_2), error="SignatureInvalid()")
    s.add("records of another's side", RECORDS, OTHER, record_signed([record(1, 0, 0, 4, side=2)], KEY_2), error="NotReporter()")
    s.add("records by an enclave", RECORDS, OTHER, record_signed(batch, KEY_2), output=[])
    s.add("what is recorded", RECORDS, OTHER, plain("messageOf(bytes32,uint8)", first["message"], 1),
          output=[u(2), u(2), u(0), CHAIN_1, CHAIN_2])
    s.add("a record", RECORDS, OTHER, plain("recordOf(bytes32,uint8,uint8)", first["message"], 1, 1),
          output=[u(1), u(2), u(2), u(101), b"\x71" * 32, b"\x72" * 32, bytes(32), u(2), v.public_x(KEY_2), u(s.now)])
    s.add("another fact", RECORDS, OTHER, record_signed([other], KEY_2), output=[])
    s.add("both are visible", RECORDS, OTHER, plain("conflictOf(bytes32,uint8,uint8)", first["message"], 1, 0),
          output=[u(1), u(1), u(2), u(2), u(101), b"\x71" * 32, b"\x73" * 32, bytes(32), u(2), v.public_x(KEY_2), u(s.now)])
    s.add("the backlog", RECORDS, OTHER, plain("backlog(bytes32,bytes32,uint8)", CHAIN_1, CHAIN_2, 1),
          output=[u(0), u(1)] + [u(0)] * 11)


def anchors(s: Story):
    digest, other = b"\x74" * 32, b"\x75" * 32

    def place(known, since):
        return known + [u(since)]

    s.add("no anchor yet", RECORDS, OTHER, plain("anchorOf(bytes32,bytes32)", LINEAGE, CHAIN_1), output=[bytes(128)])
    s.add("an anchor for another lineage", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 1, 5, digest, lineage=b"\x29" * 32),
          error="SignatureInvalid()")
    s.add("an anchor by a key that ended", RECORDS, OTHER, anchor(KEY_1, CHAIN_1, 1, 5, digest), error="KeyNotActive()")
    s.add("anchor", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 1, 5, digest), output=[])
    since = s.now
    s.later(10)
    s.add("the same anchor", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 1, 5, digest), output=[])
    s.add("its time stays", RECORDS, OTHER, plain("anchorOf(bytes32,bytes32)", LINEAGE, CHAIN_1),
          output=place([u(1), u(5), digest], since))
    s.add("an anchor that goes back", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 1, 4, digest), error="AnchorNotHigher(uint64,uint64)",
          words=[u(1), u(5)])
    s.add("an anchor of epoch 0", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 0, 9, digest), error="AnchorNotHigher(uint64,uint64)",
          words=[u(1), u(5)])
    s.add("another digest at one place", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 1, 5, other), output=[])
    s.add("which is visible", RECORDS, OTHER, plain("anchorConflictOf(bytes32,bytes32)", LINEAGE, CHAIN_1),
          output=[u(1), u(5), digest, other, u(s.now)])
    s.add("and changes nothing", RECORDS, OTHER, plain("anchorOf(bytes32,bytes32)", LINEAGE, CHAIN_1),
          output=place([u(1), u(5), digest], since))
    s.add("a new epoch", RECORDS, OTHER, anchor(KEY_2, CHAIN_1, 2, 1, other), output=[])
    s.add("counts", RECORDS, OTHER, plain("anchorOf(bytes32,bytes32)", LINEAGE, CHAIN_1), output=place([u(2), u(1), other], s.now))


def oracle(s: Story):
    r = registration(role=ORACLE, keys=[key(ORACLE_ID, 1, KEY_ORACLE)], expires=s.now + 20 * DAY)
    price = answer(1, observed=s.now)
    failed = answer(2, code=17, observed=s.now, value=b"")
    s.add("an answer by nobody's key", ANSWERS, OTHER, answers("record", [price]), error="KeyNotActive()")
    s.add("register an oracle", ENCLAVES, BONDER, register(r), 1000, output=[keys_hash(r["keys"])])
    s.add("an answer by a bridge's key", ANSWERS, OTHER, answers("record", [price], KEY_2, CHAIN_1), error="KeyNotActive()")
    s.add("an answer by another key", ANSWERS, OTHER, answers("record", [price], KEY_2), error="SignatureInvalid()")
    s.add("an answer for another receiver", ANSWERS, OTHER, answers("record", [price], receiver=OWN), error="SignatureInvalid()")
    s.add("no answer", ANSWERS, OTHER, answers("record", []), error="BatchEmpty()")
    for name, wrong in (("a code that there is not", answer(1, code=5, value=b"")), ("no value", answer(1, value=b"")),
                        ("a value with an error", answer(1, code=17))):
        s.add(name, ANSWERS, OTHER, answers("record", [wrong]), error="AnswerInvalid()")
    s.add("an answer of the future", ANSWERS, OTHER, answers("record", [answer(1, observed=s.now + 1)]), error="ObservedInFuture()")
    s.add("answers", ANSWERS, OTHER, answers("record", [price, failed]), output=[])
    s.add("an answer", ANSWERS, OTHER, plain("answerOf(bytes32,bytes32)", ORACLE_ID, price["request"]),
          output=[u(0), u(s.now), price["spec"], price["evidence"], RECEIVER, u(1), u(s.now), u(256), u(32), price["value"]])
    s.add("an error", ANSWERS, OTHER, plain("answerOf(bytes32,bytes32)", ORACLE_ID, failed["request"]),
          output=[u(17), u(s.now), failed["spec"], failed["evidence"], RECEIVER, u(1), u(s.now), u(256), u(0)])
    other = price | {"value": b"\x02" * 32}
    s.add("the same answer", ANSWERS, OTHER, answers("record", [price]), output=[])
    s.add("no other one", ANSWERS, OTHER, plain("othersOf(bytes32,bytes32)", ORACLE_ID, price["request"]), output=[bytes(96)])
    s.add("another answer", ANSWERS, OTHER, answers("record", [other]), output=[])
    s.add("is seen", ANSWERS, OTHER, plain("othersOf(bytes32,bytes32)", ORACLE_ID, price["request"]),
          output=[u(1), answer_leaf(other), u(s.now)])
    feeds(s)


def feeds(s: Story):
    one, two = feed(1, s.now - 5, -7), feed(2, s.now - 4, 9)
    s.add("feeds", ANSWERS, OTHER, submit([one, two]), output=[])
    s.add("a round", ANSWERS, OTHER, plain("roundOf(bytes32,bytes32,uint64)", ORACLE_ID, one["feed"], 1),
          output=[u(s.now - 5), one["spec"], one["evidence"], o.int256(-7), RECEIVER, u(1), u(s.now)])
    s.add("the same feed", ANSWERS, OTHER, submit([one]), error="ObservedNotNewer()")
    s.add("an older one", ANSWERS, OTHER, submit([feed(1, s.now - 6, 1)]), error="ObservedNotNewer()")
    s.add("one of the future", ANSWERS, OTHER, submit([feed(1, s.now + 1, 1)]), error="ObservedInFuture()")
    s.add("nothing new", ANSWERS, OTHER, submit([one, two]), error="NothingToDo()")
    s.add("one of two is new", ANSWERS, OTHER, submit([one, feed(2, s.now - 3, 10)]), output=[])
    s.add("rounds", ANSWERS, OTHER, plain("feedOf(bytes32,bytes32)", ORACLE_ID, two["feed"]), output=[u(2), u(s.now - 3)])
    s.add("of the other", ANSWERS, OTHER, plain("feedOf(bytes32,bytes32)", ORACLE_ID, one["feed"]), output=[u(1), u(s.now - 5)])
    gone = answer(1, code=16, observed=s.now, value=b"")
    s.add("a round that failed", ANSWERS, OTHER, answers("reportFailed", [gone]), output=[])
    s.add("is reported once", ANSWERS, OTHER, answers("reportFailed", [gone]), error="ObservedNotNewer()")
    s.add("a round that did not fail", ANSWERS, OTHER, answers("reportFailed", [answer(1, observed=s.now)]), error="AnswerInvalid()")
    s.add("failures", ANSWERS, OTHER, plain("failuresOf(bytes32,bytes32)", ORACLE_ID, gone["request"]),
          output=[u(1), u(16), u(s.now), gone["evidence"], u(s.now)])


def time_keys(s: Story):
    s.add("another's time key", ENCLAVES, OTHER, time_key(301, OWNER), error="SignatureInvalid()")
    s.add("a time key", ENCLAVES, OTHER, time_key(301, OTHER), output=[])
    s.add("of an account", ENCLAVES, OWNER, plain("timeKeyOf(address)", OTHER), output=[v.public_x(301), u(s.now)])
    s.add("the next time key", ENCLAVES, OTHER, time_key(302, OTHER), output=[])
    s.add("is in its place", ENCLAVES, OWNER, plain("timeKeyOf(address)", OTHER), output=[v.public_x(302), u(s.now)])
    s.add("no time key to remove", ENCLAVES, OWNER, plain("removeTimeKey()"), error="KeyUnknown()")
    s.add("remove a time key", ENCLAVES, OTHER, plain("removeTimeKey()"), output=[])
    s.add("it is gone", ENCLAVES, OWNER, plain("timeKeyOf(address)", OTHER), output=[bytes(64)])


def conflicts(s: Story):
    """Two manifests of one number, approved both: the lineage stands still until the owner says which it is."""
    false = b"\x3f" * 32
    wrong = registration(number=2, manifest=false, keys=[key(CHAIN_2, 1, KEY_3)], expires=s.now + 10 * DAY)
    s.add("two manifests of one number", ENCLAVES, BONDER, register(wrong), 1000, output=[bytes(32)])
    s.add("are a conflict", ENCLAVES, OTHER, plain("conflictOf(bytes32)", LINEAGE), output=[u(2), MANIFESTS[2], false, u(s.now)])
    s.add("which suspends", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_ORACLE)),
          output=[keys_hash([key(ORACLE_ID, 1, KEY_ORACLE)]), ORACLE_ID, u(1), u(ORACLE), bytes(32), u(0)])
    s.add("no answer now", ANSWERS, OTHER, answers("record", [answer(9, observed=s.now)]), error="KeyNotActive()")
    s.add("no registration now", ENCLAVES, BONDER, register(wrong), 1000, error="LineageSuspended()")
    settle = plain("settleManifest(bytes32,bytes32)", LINEAGE, MANIFESTS[2])
    s.add("settled without delay", ENCLAVES, OWNER, settle, error="OperationUnknown()")
    s.add("settled by another", ENCLAVES, GUARDIAN, settle, error="NotOwner()")
    neither = plain("settleManifest(bytes32,bytes32)", LINEAGE, b"\x3e" * 32)
    for call in (settle, neither):
        s.add("schedule", ENCLAVES, OWNER, v.call("schedule(bytes)", [("bytes", call)]))
    s.later(3600)
    s.add("settled as neither", ENCLAVES, OWNER, neither, error="ManifestUnknown()")
    s.add("settle", ENCLAVES, OWNER, settle, output=[])
    s.add("no conflict", ENCLAVES, OTHER, plain("conflictOf(bytes32)", LINEAGE), output=[bytes(128)])
    s.add("it goes on", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(KEY_ORACLE)),
          output=[keys_hash([key(ORACLE_ID, 1, KEY_ORACLE)]), ORACLE_ID, u(1), u(ORACLE), bytes(32), u(1)])
    s.add("the other one is refused from now on", ENCLAVES, BONDER, register(wrong), 1000, error="ManifestSettled()")


def announce_conflict(s: Story, enclave: bytes):
    s.add("suspend the enclave", ENCLAVES, GUARDIAN, plain("suspendEnclave(bytes32)", enclave))
    s.add("announced by a suspended enclave", ENCLAVES, OTHER, announce(CHAIN_1, 2, KEY_2, 3, KEY_3), error="EnclaveNotActive()")
    enable = plain("enableEnclave(bytes32)", enclave)
    s.add("schedule the end of it", ENCLAVES, OWNER, v.call("schedule(bytes)", [("bytes", enable)]))
    s.later(3600)
    s.add("enable the enclave", ENCLAVES, OWNER, enable)
    s.add("announce the third", ENCLAVES, OTHER, announce(CHAIN_1, 2, KEY_2, 3, KEY_3))
    s.add("and another third", ENCLAVES, OTHER, announce(CHAIN_1, 2, KEY_2, 3, 299))
    s.add("suspends the key", ENCLAVES, OTHER, plain("keyOf(bytes32,uint64)", CHAIN_1, 2))
    s.add("which announces no more", ENCLAVES, OTHER, announce(CHAIN_1, 2, KEY_2, 3, 298), error="KeyNotActive()")
    s.add("the other one was never named", ENCLAVES, OTHER, plain("holderOf(bytes32)", v.public_x(299)), output=[bytes(192)])


def digest_of(kind: int, identity: bytes, leaf: bytes) -> bytes:
    return v.digest(v.SECURE, kind, identity, RECEIVER, 1, 1, leaf)


def slashed(s: Story, name: str, enclave: bytes, kind: int, secret: int, bond: int, digests):
    """Half of the bond, rounded down, is burnt: the parameters are the defaults here."""
    s.add(f"{name}: its tombstone", ENCLAVES, OTHER, plain("tombstoneOf(bytes32)", enclave),
          output=[u(kind), v.public_x(secret), u(s.now), u(bond * 500_000 // 10**6), u(0), v.word(OTHER),
                  hashed("caisson/ledger/contradiction/v1", digests)])


def report_outcomes(s: Story):
    r = registration(number=2, manifest=MANIFESTS[2], keys=[key(CHAIN_3, 1, KEY_BAD)], expires=s.now + 10 * DAY, bond=1001)
    enclave = keys_hash(r["keys"])
    good = outcomes(KEY_BAD)

    def bad(name, data, error):
        s.add(f"outcomes {name}", ENCLAVES, OTHER, data, error=error)

    bad("of a key that nobody has", good, "KeyUnknown()")
    s.add("register one that will lie", ENCLAVES, BONDER, register(r), 1001, output=[enclave])
    bad("that are one", outcomes(KEY_BAD, dead={"status": 2}), "SignatureInvalid()")
    bad("in the other order", outcomes(KEY_BAD, {"status": 3}, {"status": 2}), "SignatureInvalid()")
    bad("of two messages", outcomes(KEY_BAD, dead={"message": b"\x92" * 32}), "SignatureInvalid()")
    bad("for two receivers", outcomes(KEY_BAD, dead={"receiver": OWN}), "SignatureInvalid()")
    bad("of the insecure domain", outcomes(KEY_BAD, dead={"domain": v.INSECURE}), "SignatureInvalid()")
    bad("as another identity", outcomes(KEY_BAD, {"identity": CHAIN_1}), "SignatureInvalid()")
    bad("by two keys", outcomes(KEY_BAD, dead={"secret": KEY_3}), "SignatureInvalid()")
    bad("by another key", outcomes(KEY_3, x=KEY_BAD), "SignatureInvalid()")
    bad("of another epoch", outcomes(KEY_BAD, dead={"epoch": 2}), "EvidenceInvalid()")
    bad("by an oracle's key", outcomes(KEY_ORACLE), "WrongRole()")
    s.add("no tombstone yet", ENCLAVES, OTHER, plain("tombstoneOf(bytes32)", enclave), output=[bytes(7 * 32)])
    s.add("two outcomes of one message", ENCLAVES, OTHER, good, output=[])
    slashed(s, "outcomes", enclave, 1, KEY_BAD, 1001,
            [digest_of(v.OUTCOME, CHAIN_3, v.leaf_outcome(b"\x91" * 32, status)) for status in (2, 3)])
    s.add("its key is revoked", ENCLAVES, OTHER, plain("keyOf(bytes32,uint64)", CHAIN_3, 1),
          output=[v.public_x(KEY_BAD), u(3), u(s.now), u(0), u(1)])
    s.add("and so is it", ENCLAVES, OTHER, plain("enclaveOf(bytes32)", enclave),
          output=[u(3), u(BRIDGE), MEASUREMENT, LINEAGE, u(2), MANIFESTS[2], u(0), EVIDENCE, u(s.now), u(s.now + 10 * DAY), u(s.now),
                  u(501), v.word(BONDER)])
    bad("again", good, "EnclaveTombstoned()")
    bad("of another message", outcomes(KEY_BAD, message=b"\x93" * 32), "EnclaveTombstoned()")
    s.add("it is not renewed", ENCLAVES, BONDER, register(r | {"enclave": enclave, "expires": s.now + 11 * DAY}), 0,
          error="EnclaveNotActive()")
    s.add("nor revoked", ENCLAVES, GUARDIAN, plain("revokeEnclave(bytes32)", enclave), error="EnclaveRevoked()")
    s.add("what is left of the bond waits", ENCLAVES, BONDER, plain("withdrawBond(bytes32)", enclave), error="BondLocked(uint64)",
          words=[u(s.now + DAY)])


def report_anchors(s: Story):
    # Revoked before it is reported: the bond is there still.
    r = registration(number=2, manifest=MANIFESTS[2], role=COMPUTE, keys=[key(CHAIN_4, 1, KEY_TWICE)], expires=s.now + 10 * DAY)
    enclave, one, two = keys_hash(r["keys"]), b"\x76" * 32, b"\x77" * 32

    def bad(name, data, error):
        s.add(f"anchors {name}", ENCLAVES, OTHER, data, error=error)

    s.add("register one that runs twice", ENCLAVES, BONDER, register(r), 1000, output=[enclave])
    bad("that are one", two_anchors(KEY_TWICE, CHAIN_4, 1, 5, (one, one)), "EvidenceInvalid()")
    bad("of another place", two_anchors(KEY_TWICE, CHAIN_4, 1, 5, (one, two), signed_counter=6), "SignatureInvalid()")
    bad("of another identity", two_anchors(KEY_TWICE, CHAIN_1, 1, 5, (one, two)), "SignatureInvalid()")
    bad("of another lineage", two_anchors(KEY_TWICE, CHAIN_4, 1, 5, (one, two), lineage=b"\x29" * 32), "SignatureInvalid()")
    s.add("revoke it", ENCLAVES, GUARDIAN, plain("revokeEnclave(bytes32)", enclave))
    revoked = s.now
    s.later(60)
    s.add("two anchors of one place", ENCLAVES, OTHER, two_anchors(KEY_TWICE, CHAIN_4, 1, 5, (one, two)), output=[])
    slashed(s, "anchors", enclave, 2, KEY_TWICE, 1000, [anchor_digest(LINEAGE, CHAIN_4, 1, 5, d) for d in (one, two)])
    bad("again", two_anchors(KEY_TWICE, CHAIN_4, 1, 5, (two, one)), "EnclaveTombstoned()")
    s.add("the delay goes on from the revocation", ENCLAVES, BONDER, plain("withdrawBond(bytes32)", enclave),
          error="BondLocked(uint64)", words=[u(revoked + DAY)])


def report_answers(s: Story):
    enclave = keys_hash([key(ORACLE_ID, 1, KEY_ORACLE)])
    one = answer(7, observed=s.now)
    two = one | {"observed": s.now + 5, "value": b"\x02" * 32}
    failed = answer(1, code=16, observed=s.now, value=b"")

    def bad(name, data, error):
        s.add(f"answers {name}", ENCLAVES, OTHER, data, error=error)

    bad("that are one", two_answers([one, one]), "EvidenceInvalid()")
    bad("to two requests", two_answers([one, two | {"request": b"\x08" * 32}]), "EvidenceInvalid()")
    bad("that are rounds of a feed that failed", two_answers([failed, failed | {"observed": s.now + 5, "code": 17}]), "EvidenceInvalid()")
    bad("for another receiver", two_answers([one, two], receiver=OWN), "SignatureInvalid()")
    bad("by another key", two_answers([one, two], KEY_2, x=KEY_ORACLE), "SignatureInvalid()")
    bad("by a bridge's key", two_answers([one, two], KEY_2, CHAIN_1), "WrongRole()")
    s.add("two answers to one request", ENCLAVES, OTHER, two_answers([one, two]), output=[])
    slashed(s, "answers", enclave, 3, KEY_ORACLE, 1000, [digest_of(o.ANSWER, ORACLE_ID, answer_leaf(a)) for a in (one, two)])
    s.add("no answer any more", ANSWERS, OTHER, answers("record", [answer(10, observed=s.now)]), error="KeyNotActive()")
    bad("again", two_answers([two, one]), "EnclaveTombstoned()")
    s.later(DAY)
    s.add("what is left is paid", ENCLAVES, BONDER, plain("withdrawBond(bytes32)", enclave))


def story():
    s = Story()
    enclave = registrations(s)
    rotations(s, enclave)
    records(s)
    anchors(s)
    oracle(s)
    time_keys(s)
    conflicts(s)
    announce_conflict(s, enclave)
    report_outcomes(s)
    report_anchors(s)
    report_answers(s)
    return s.steps


# --- the file -------------------------------------------------------------------------------------------------------


def time_cases():
    cases = []
    for name, secret, nonce, time_ms in (("a", 301, bytes(range(32)), NOW * 1000), ("b", 302, b"\xff" * 32, 1), ("c", 303, bytes(range(32)), NOW * 1000 + 1999),
                                         ("the largest time", 304, bytes(range(32)), 2**64 - 1)):
        digest = time_digest(nonce, time_ms)
        rx, s = sign(secret, digest)
        cases.append({"name": name, "key": hx(v.public_x(secret)), "nonce": hx(nonce), "time_ms": str(time_ms), "digest": hx(digest),
                      "signature": hx(u(rx) + u(s))})
    return cases


def cluster_anchors():
    """What a key server signs of itself, and what a node of the ledger answers about it."""
    cases = []
    for name, lineage, number, epoch, authority, start, time_ms in (
            ("the first epoch", LINEAGE, 1, 1, b"\x71" * 32, b"\x72" * 32, NOW * 1000),
            ("a later one", LINEAGE, 7, 12, b"\x73" * 32, bytes(range(32)), NOW * 1000 + 999),
            ("the largest numbers", b"\xff" * 32, 2**64 - 1, 2**64 - 1, b"\xff" * 32, b"\xff" * 32, 2**64 - 1),
            ("there is none", LINEAGE, 0, 0, bytes(32), bytes(32), NOW * 1000)):
        server, nonce, node = bytes([0x24]) * 32, bytes(range(32, 64)), 305
        words = [lineage, server, u(number), u(epoch), authority, start]
        answer = hashed("caisson/time/anchor/v1", [nonce, u(time_ms), *words])
        rx, s = sign(node, answer)
        cases.append({"name": name, "lineage": hx(lineage), "key": hx(server), "manifest_number": str(number), "epoch": str(epoch),
                      "authority": hx(authority), "start": hx(start), "digest": hx(hashed("caisson/cluster/ledger-anchor/v1", words)),
                      "state_key": hx(bytes([RECORDS]) + b"c" + lineage + server), "nonce": hx(nonce), "time_ms": str(time_ms),
                      "answer": hx(answer), "node": hx(v.public_x(node)), "signature": hx(u(rx) + u(s))})
    return cases


def content():
    r = registration()
    two = [record(1, 0, 0, 0), record(1, 1, 1, 2)]
    return {
        "chain_tag": hx(TAG), "identity": hx(OWN), "terms": {k: str(n) for k, n in TERMS.items()},
        "administrators": [hx(v.public_x(a)) for a in ADMINISTRATORS],
        "preimages": {
            "keys": hx(keys_hash(r["keys"])), "registration": hx(registration_digest(r)), "time_key": hx(time_key_digest(OTHER)),
            "records": hx(records_digest(two)), "anchor": hx(anchor_digest(LINEAGE, CHAIN_1, 1, 5, b"\x74" * 32)),
        },
        "time": time_cases(), "cluster_anchors": cluster_anchors(), "story": story(),
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
