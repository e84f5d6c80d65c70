"""caisson-oracle-enclave with a proxy, sources and a client of its own; what it signs is checked by tools/oracle_vectors.py's
preimages, which share no code with it."""
from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
from pathlib import Path

import envelope_vectors as ev
import oracle_vectors as ov
from enclave import manifests
from enclave.boundary import Client, Enclave, Refused, REPLIES, TYPES, decode, encode, measurement, program
from lib import crypto, fetch, oracle, pki, tools
from lib.oracle import canonical, spec

HOST, OTHER, THIRD = "api.example.test", "cdn.example.test", "third.example.test"
ROOT = b"o" * 32
NAME = "caisson-oracle-enclave"
FEED_CONTRACT, REQUEST_CONTRACT = "0x" + "fe" * 20, "0x" + "ac" * 20


def source(port: int, host: str = HOST, path: str = "/price", pointer: str = "/price", **over) -> dict:
    return oracle.source(f"https://{host}:{port}{path}", pointer, **over)


class Caller(Client):
    """Answers come in whatever order; they are kept for whoever waits."""

    def __init__(self, path: Path):
        super().__init__(path, 60)
        self.kept: dict[int, tuple[str, int, bytes]] = {}
        self.names: dict[int, str] = {}

    def start(self, name: str, **values) -> int:
        ident = self.send_raw(TYPES[name], encode(name + "Request", values))
        self.names[ident] = name
        return ident

    def next(self) -> int:
        kind, ident, body = self.receive()
        self.kept[ident] = (kind, body)
        return ident

    def wait(self, ident: int) -> dict:
        while ident not in self.kept:
            self.next()
        kind, body = self.kept.pop(ident)
        name = self.names.pop(ident)
        if kind == 1:
            error = decode("ErrorReply", body)
            raise Refused(error["code"], error["why"])
        assert kind == TYPES[name] + 1
        return decode(REPLIES.get(name, name + "Reply"), body)

    def call(self, name: str, **values) -> dict:
        return self.wait(self.start(name, **values))

    def app(self, spec_bytes: bytes, arguments=(), secrets: bytes = b"", audience: bytes = b"app", **over) -> dict:
        return self.call("AnswerApp", audience=audience, query={"spec": spec_bytes, "arguments": list(arguments), "secrets": secrets},
                         **{"max_age": 600, "timeout_s": 60} | over)


class World:
    """private: a CA that no log knows; public: one whose certificates must be in logs of two operators, of which there are
    some with transparency alone."""

    def __init__(self, folder: Path, row: dict | None = None, transparency: bool = False, **over):
        self.folder = folder
        self.private, self.stranger = pki.authority("private root"), pki.authority("a root that nobody trusts")
        self.public = pki.authority("public root")
        self.store, self.logs_file = folder / "store.pem", None
        self.store.write_text("the trust store of a test\n" + self.private.pem + "\nand\n" + self.public.pem)
        self.logs = [pki.Log(n) for n in (1, 2)]
        if transparency:
            self.logs_file = folder / "logs.json"
            self.logs_file.write_bytes(canonical({"version": 1, "logs": [
                {"key": "0x" + log.key.spki.hex(), "operator": f"operator {log.operator}", "retired_at_s": 0} for log in self.logs]}))
            over = {"logs": "0x" + hashlib.sha256(self.logs_file.read_bytes()).hexdigest()} | over
        row = row or manifests.chain()
        self.chain = ev.identity(row["caip2"], bytes.fromhex(row["genesis"][2:]), bytes.fromhex(row["gateway"][2:]))
        contracts = [{"address": address, "chain": "0x" + self.chain.hex(), "kind": kind}
                     for address, kind in ((FEED_CONTRACT, "feeds"), (REQUEST_CONTRACT, "requests"))]
        self.oracle = oracle.manifest_section(contracts, self.store, hashlib.sha256(self.private.der).digest(),
                                              hosts_forbidden=["forbidden.example.test", ".evil.test"]) | over
        self.feeds, self.requests = (ev.identity(row["caip2"], bytes.fromhex(row["genesis"][2:]), bytes.fromhex(a[2:]))
                                     for a in (FEED_CONTRACT, REQUEST_CONTRACT))
        self.path = folder / "m.json"
        builds = ["0x" + measurement(program(n)) for n in (NAME, "caisson-enclave")]
        self.lineage = manifests.write(self.path, manifests.body(builds, chains=[row], oracle=self.oracle))
        self.proxies, self.enclaves, self.servers = [], [], []

    def start(self, *, store: Path | None = None, flags=(), root: bytes = ROOT, proxy=None) -> Enclave:
        proxy = proxy or fetch.Proxy(names={n: "127.0.0.1" for n in (HOST, OTHER, THIRD)})
        logs = ["--logs", str(self.logs_file)] if self.logs_file else []
        enclave = Enclave(self.folder, [self.path], self.lineage, root, flags, program(NAME), fds=[proxy.end.fileno()],
                          options=["--egress-fd", str(proxy.end.fileno()), "--trust-store", str(store or self.store), *logs])
        self.proxies.append(proxy)
        self.enclaves.append(enclave)
        return enclave

    def caller(self, enclave: Enclave, init: bool = True) -> Caller:
        caller = Caller(enclave.path)
        caller.hello()
        if init:
            caller.call("Init")
        return caller

    def server(self, handler=None, names=(HOST, OTHER, THIRD), issuer=None, certificate=None, plain=None) -> fetch.Server:
        leaf = certificate or pki.issue("leaf", issuer or self.private, names=list(names))
        made = fetch.Server(self.folder / "servers", leaf, handler or fetch.answering(fetch.ok()), plain=plain)
        self.servers.append(made)
        return made

    def close(self) -> None:
        for enclave in self.enclaves:
            enclave.stop()
        for proxy in self.proxies:
            proxy.close()
        for server in self.servers:
            server.close()

    # --- what a verifier does, offline

    def identity(self) -> bytes:
        return ov.identity(bytes.fromhex(self.lineage[2:]))

    def key(self, hello: dict) -> bytes:
        return [k for k in hello["keys"] if k["chain"] == self.identity()][-1]["public_key"]

    def box(self, hello: dict) -> bytes:
        name = ov.v.keccak(ov.tag("caisson/identity/oracle/secrets/v1") + bytes.fromhex(self.lineage[2:]))
        return [k for k in hello["keys"] if k["chain"] == name][-1]["public_key"]

    def check(self, key: bytes, statement: dict, receiver: bytes, leaves: list[bytes]) -> None:
        assert statement["kind"] == 4 and statement["signer"] == self.identity() and statement["receiver"] == receiver
        assert statement["root"] == ev.levels(leaves)[-1][0] and statement["path"] == []
        digest = ev.digest(ev.INSECURE, 4, statement["signer"], receiver, statement["epoch"], statement["manifest_number"],
                           statement["root"])
        assert crypto.schnorr_verify(key, digest, statement["rx"] + statement["s"])

    def check_evidence(self, result: dict) -> None:
        u = ov.u
        rows = b"".join(ov.v.keccak(ov.tag("caisson/evidence/source/v1") + u(s["index"]) + u(s["code"])
                                    + ov.v.keccak(s["host_port"].encode()) + s["leaf_spki"] + s["issuer_spki"] + u(s["protocol"])
                                    + u(s["cipher"]) + s["response"] + u(s["completed"])) for s in result["sources"])
        assert result["evidence_hash"] == ov.v.keccak(ov.tag("caisson/evidence/v1") + u(result["time_flags"]) + rows)

    def check_app(self, key: bytes, reply: dict, spec_bytes: bytes, arguments=(), secrets: bytes = b"", audience: bytes = b"app",
                  max_age: int = 600) -> dict:
        [result] = reply["results"]
        head = result["head"]
        assert head["asker"] == ov.app_asker(audience) and head["max_age"] == max_age
        assert head["callback"] == head["fee"] == bytes(32) and head["callback_gas"] == 0
        assert result["spec_hash"] == ov.spec_hash(spec_bytes)
        receiver = ov.app_identity(audience)
        u = ov.u
        rid = ov.v.keccak(ov.tag("caisson/request/v1") + receiver + u(head["counter"]) + head["asker"] + ov.spec_hash(spec_bytes)
                          + ov.arguments_hash(list(arguments)) + ov.secrets_hash(secrets) + head["callback"] + u(0) + head["fee"]
                          + u(max_age) + u(head["time"]) + u(head["deadline"]))
        assert result["request_id"] == rid
        self.check_evidence(result)
        leaf = ov.leaf_answer(rid, result["spec_hash"], result["code"], result["observed_at"], result["evidence_hash"], result["value"])
        self.check(key, reply["statement"], receiver, [leaf])
        return result


def sodium():
    name = ctypes.util.find_library("sodium")
    if name is None:
        raise tools.Missing("libsodium", "script/install demo brings it")
    return ctypes.CDLL(name)


def seal(box: bytes, asker: bytes, spec_bytes: bytes, values: dict, arguments=None) -> bytes:
    """arguments: those that the box is good for; None: any."""
    bound = {} if arguments is None else {"arguments": "0x" + ov.arguments_hash(list(arguments)).hex()}
    plain = canonical({"asker": "0x" + asker.hex(), "spec": "0x" + ov.spec_hash(spec_bytes).hex(), "values": values} | bound)
    out = ctypes.create_string_buffer(len(plain) + 48)
    assert sodium().crypto_box_seal(out, plain, ctypes.c_ulonglong(len(plain)), box) == 0
    return out.raw
