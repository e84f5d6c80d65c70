#!/usr/bin/env python3
"""Makes and checks manifests (docs/protocol/manifest.md). Standard library only; shares no code with the enclave.

    manifest.py keygen KEYFILE                      an administrator's key (64 hex digits, mode 600); prints its x
    manifest.py canonical DRAFT                     the canonical bytes of "manifest", without signatures
    manifest.py sign DRAFT -o OUT --key KEYFILE…    the signed file from a draft, or more signatures to a signed file
    manifest.py hash FILE                           the hash (of a draft or of a signed file)
    manifest.py verify FILE [FILE…]                 a lineage, first to newest: form, links, k of n
    manifest.py identity CAIP2 GENESIS GATEWAY      the identity of a gateway
    manifest.py lift NEWEST CONFLICT… -o DRAFT --keep HASH --anchor HEIGHT:HASH
                                                    the draft that follows NEWEST and decides a conflict, as gateways tell it
                                                    (GET /v1/chains/{id}/conflict), for the branch of the header HASH

With --cluster before the verb: manifests of a key cluster (docs/protocol/cluster.md), which have another domain. Before it signs one
it has `caisson cluster manifest check` read it, as enclaves will; --caisson says where that is, if it is not on the PATH.
"""
import argparse
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import envelope_vectors as ev  # noqa: E402

DOMAIN = "caisson/manifest/v1"
CLUSTER_DOMAIN = "caisson/cluster/manifest/v1"
ABANDONED_MAX = 512  # of all chains together


class Bad(Exception):
    pass


def check_numbers(value, path: str = "manifest") -> None:
    """What no enclave reads must not be signed: numbers are integers below 2^64."""
    if isinstance(value, dict):
        for name, member in value.items():
            check_numbers(member, f"{path}.{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            check_numbers(member, f"{path}[{index}]")
    elif isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and not 0 <= value < 2**64):
        raise Bad(f"{path}: {value} is no integer from 0 to 2^64 - 1")


def canonical(value) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if "\\" in text:
        raise Bad("escapes are not canonical: use printable ASCII without quotes and backslashes")
    return text.encode()


domain = DOMAIN  # or CLUSTER_DOMAIN: whose manifests this run is about


def manifest_hash(inner: bytes) -> bytes:
    return ev.keccak(ev.tag(domain) + ev.keccak(inner))


def unhex(text: str, size: int) -> bytes:
    data = bytes.fromhex(text.removeprefix("0x"))
    if len(data) != size:
        raise Bad(f"{text}: {size} bytes expected")
    return data


def load(path):
    """(inner object, signatures, the file's bytes)"""
    raw = Path(path).read_bytes()
    document = json.loads(raw)
    if isinstance(document, dict) and "manifest" in document:
        return document["manifest"], list(document.get("signatures", [])), raw
    return document, [], raw


def sign(inner: bytes, key: int) -> dict:
    rx, _, s = ev.schnorr_sign(key, manifest_hash(inner), secrets.token_bytes(32))
    return {"key": "0x" + ev.public_x(key).hex(),
            "signature": "0x" + rx.to_bytes(32, "big").hex() + s.to_bytes(32, "big").hex()}


def schnorr_verify(x: bytes, message: bytes, signature: bytes) -> bool:
    """BIP-340 Verify."""
    px, r, s = int.from_bytes(x, "big"), int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if px >= ev.P or r >= ev.P or s >= ev.N:
        return False
    square = (pow(px, 3, ev.P) + 7) % ev.P
    y = pow(square, (ev.P + 1) // 4, ev.P)
    if y * y % ev.P != square:
        return False
    if y & 1:
        y = ev.P - y
    e = int.from_bytes(ev.tagged("BIP0340/challenge", signature[:32] + x + message), "big") % ev.N
    point = ev.point_add(ev.point_mul(ev.G, s), ev.point_mul((px, y), (ev.N - e) % ev.N))
    return point is not None and point[1] % 2 == 0 and point[0] == r


def read_key(path) -> int:
    return int.from_bytes(unhex(Path(path).read_text().strip(), 32), "big")


def check_for_cluster(program: str, raw: bytes) -> None:
    """The rules of a cluster's manifest are the enclave's: what reads it there reads it here, before anybody signs."""
    try:
        done = subprocess.run([program, "cluster", "manifest", "check", "-"], input=raw, capture_output=True, check=False)
    except OSError as problem:
        raise Bad(f"nothing is signed: `{program} cluster manifest check` has to read it first ({problem.strerror}): --caisson PROGRAM") from None
    if done.returncode:
        raise Bad(f"nothing is signed: {done.stderr.decode(errors='replace').strip().removeprefix('caisson cluster manifest check: -: ')}")


def signed_by(inner: bytes, signatures, administrators) -> set:
    message, good = manifest_hash(inner), set()
    for entry in signatures:
        key = entry["key"]
        if key not in administrators["keys"]:
            raise Bad(f"{key} is not an administrator")
        if key in good:
            raise Bad(f"{key} signed twice")
        if not schnorr_verify(unhex(key, 32), message, unhex(entry["signature"], 64)):
            raise Bad(f"the signature of {key} does not verify")
        good.add(key)
    return good


def verify(paths):
    before, before_hash = None, bytes(32)
    for number, path in enumerate(paths, 1):
        inner, signatures, raw = load(path)
        if canonical({"manifest": inner, "signatures": signatures}) != raw:
            raise Bad(f"{path}: not canonical")
        if inner["number"] != number or unhex(inner["previous"], 32) != before_hash:
            raise Bad(f"{path}: does not follow")
        body = canonical(inner)
        administrators = (before or inner)["administrators"]
        good = signed_by(body, signatures, administrators)
        if len(good) < administrators["threshold"]:
            raise Bad(f"{path}: {len(good)} of {administrators['threshold']} signatures")
        before, before_hash = inner, manifest_hash(body)
    return before_hash


def identity_of(chain) -> str:
    return "0x" + ev.identity(chain["caip2"], unhex(chain["genesis"], 32), unhex(chain["gateway"], 20)).hex()


def lift(inner, conflicts, keep: str, anchor: str) -> dict:
    """The manifest after `inner`. A gateway whose enclave followed the branch that is kept signed nothing from the other."""
    facts = {(c["identity"], c["height"], *sorted((c["first_hash"], c["second_hash"]))) for c in conflicts}
    if len(facts) != 1:
        raise Bad("these are several conflicts")
    identity, height, *headers = facts.pop()
    signed = set().union(*(c["messages"] + c["outcomes"] for c in conflicts if c["first_hash"] != keep))
    if not all(c["complete"] for c in conflicts if c["first_hash"] != keep):
        raise Bad("a gateway did not list all that was signed")
    anchor_height, _, anchor_hash = anchor.partition(":")
    draft = json.loads(json.dumps(inner))
    chain = next((c for c in draft["chains"] if identity_of(c) == identity), None)
    if chain is None:
        raise Bad(f"{identity} is no chain of the manifest")
    if int(anchor_height) < height or len(unhex(keep, 32) + unhex(anchor_hash, 32)) != 64:
        raise Bad(f"the anchor must be at block {height} or above it")
    chain["finality"] |= {"anchor_height": int(anchor_height), "anchor_hash": anchor_hash}
    chain["abandoned"] = {"headers": headers, "height": height, "messages": sorted(signed), "since": inner["number"] + 1}
    draft |= {"number": inner["number"] + 1, "previous": "0x" + manifest_hash(canonical(inner)).hex()}
    if sum(len(c.get("abandoned", {}).get("messages", [])) for c in draft["chains"]) > ABANDONED_MAX:
        raise Bad(f"more than {ABANDONED_MAX} messages: see docs/protocol/manifest.md")
    return draft


def run(args):
    if args.verb == "keygen":
        key = secrets.randbelow(ev.N - 1) + 1
        fd = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as out:
            out.write(f"{key:064x}\n")
        print("0x" + ev.public_x(key).hex())
    elif args.verb == "canonical":
        print(canonical(load(args.file)[0]).decode(), end="")
    elif args.verb == "hash":
        print("0x" + manifest_hash(canonical(load(args.file)[0])).hex())
    elif args.verb == "identity":
        print(identity_of(vars(args)))
    elif args.verb == "lift":
        conflicts = [json.loads(Path(path).read_bytes()) for path in args.conflict]
        draft = lift(load(args.newest)[0], conflicts, args.keep, args.anchor)
        Path(args.output).write_text(json.dumps(draft, indent=1) + "\n")
    elif args.verb == "sign":
        inner, signatures, _ = load(args.file)
        check_numbers(inner)
        if args.cluster:
            check_for_cluster(args.caisson, canonical({"manifest": inner, "signatures": signatures}))
        for path in args.key:
            entry = sign(canonical(inner), read_key(path))
            signatures = [s for s in signatures if s["key"] != entry["key"]] + [entry]
        Path(args.output).write_bytes(canonical({"manifest": inner, "signatures": signatures}))
        print("0x" + manifest_hash(canonical(inner)).hex())
    elif args.verb == "verify":
        print("0x" + verify(args.files).hex())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--caisson", metavar="PROGRAM", default="caisson")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("keygen", "canonical", "hash"):
        verbs.add_parser(verb).add_argument("file")
    p = verbs.add_parser("sign")
    p.add_argument("file")
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--key", action="append", required=True)
    verbs.add_parser("verify").add_argument("files", nargs="+")
    p = verbs.add_parser("lift")
    p.add_argument("newest")
    p.add_argument("conflict", nargs="+")
    for name in ("-o/--output", "--keep", "--anchor"):
        p.add_argument(*name.split("/"), required=True)
    p = verbs.add_parser("identity")
    for name in ("caip2", "genesis", "gateway"):
        p.add_argument(name)
    args = parser.parse_args()
    if args.cluster:
        global domain
        domain = CLUSTER_DOMAIN
    try:
        run(args)
    except (Bad, OSError, ValueError, KeyError, TypeError) as problem:
        print(f"manifest: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
