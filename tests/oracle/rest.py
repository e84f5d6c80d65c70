"""caisson-oracle without chains: its enclave, sources with their own CA, and what a verifier does offline with a document."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import envelope_vectors as ev
import oracle_vectors as ov
from enclave.boundary import program
from lib import crypto, service, tools
from lib.proc import Process
from lib.rpc import wait_for
from lib.service import Service, toml, write_secret
from oracle_enclave.world import HOST, NAME, OTHER, THIRD, World

ASK, SHOP, READ, OPERATE = "a" * 40, "s" * 40, "r" * 40, "o" * 40


class Oracle(Service):
    """One process over the manifest, the store and the sources of a World."""

    program = "oracle"

    def __init__(self, folder: Path, world: World, **api):
        super().__init__("oracle", folder, tools.find_build(), tools.free_ports(1)[0])
        self.world, self.api = world, {"port": self.port, **api}
        self.key = ASK
        self.write()

    def write(self, manifests=None, relay: dict | None = None) -> None:
        self.write_keys(("desk", "read,ask", ASK), ("shop", "read,ask", SHOP), ("eyes", "read", READ), ("crew", "read,operate", OPERATE))
        names = [f"{n}=127.0.0.1" for n in (HOST, OTHER, THIRD)]
        sections = {"api": self.api, "log": {"level": "debug"},
                    "enclave": {"program": str(program(NAME)), "manifests": [str(m) for m in manifests or [self.world.path]],
                                "trust_store": str(self.world.store), "export_ms": 500},
                    "egress": {"networks": ["127.0.0.0/8"], "names": names},
                    "relay": {"retry_min_ms": 100, "retry_max_ms": 1000, **(relay or {})}}
        lines = ['name = "test"']
        for name, values in sections.items():
            lines += [f"[{name}]", *(f"{k} = {toml(v)}" for k, v in values.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        self.process = Process([self.build / "bin" / "caisson-oracle", "--config", self.config], self.log, cwd=self.folder)

    def up(self) -> Oracle:
        self.restart()
        return self

    def __enter__(self):
        return self.up()

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            self.check_log()

    # ---- what tests do ----

    def ask(self, spec: bytes, key: str | None = None, headers: dict | None = None, **more):
        return self.request("POST", "/v1/oracle/requests", {"spec": json.loads(spec), **more}, headers, key)

    def answer(self, ident: str, timeout_s: float = 30) -> dict:
        def answered():
            status, body = self.request("GET", f"/v1/oracle/requests/{ident}")
            assert status == 200, body
            return body if body["kind"] == "oracle-answer" else None
        return wait_for(answered, timeout_s, f"the answer of {ident}", 0.05)

    def state(self, ident: str) -> dict:
        status, body = self.request("GET", f"/v1/oracle/requests/{ident}/state")
        assert status == 200, body
        return body

    def metric(self, name: str) -> float:
        status, text = self.request("GET", "/metrics")
        assert status == 200
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def files(self) -> bytes:
        """Everything that it wrote: journal, log."""
        return b"".join(p.read_bytes() for p in self.folder.iterdir() if p.is_file() and p.name not in ("demo.key", "seal.root"))


def unhex(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def check(document: dict, identity: bytes, spec: bytes, arguments=(), secrets: bytes = b"", audience: bytes = b"") -> bytes:
    """Every hash of the document from its parts, down to the signature; the value's ABI bytes."""
    u, request, statement = ov.u, document["request"], document["statement"]
    assert document["kind"] == "oracle-answer" and document["audience"].encode() == audience
    assert json.loads(spec) == document["spec"] and [a.encode() for a in document["arguments"]] == list(arguments)
    assert unhex(document["spec_hash"]) == ov.spec_hash(spec)
    assert unhex(request["asker"]) == ov.app_asker(audience) and unhex(request["secrets_hash"]) == ov.secrets_hash(secrets)
    rid = ov.v.keccak(ov.tag("caisson/request/v1") + ov.app_identity(audience) + u(int(request["counter"])) + unhex(request["asker"])
                      + ov.spec_hash(spec) + ov.arguments_hash(list(arguments)) + ov.secrets_hash(secrets) + bytes(32) + u(0) + bytes(32)
                      + u(request["max_age"]) + u(request["time"]) + u(request["deadline"]))
    assert unhex(document["id"]) == rid
    value = unhex(document["value_abi"])
    leaf = ov.leaf_answer(rid, ov.spec_hash(spec), document["code"], document["observed_at"], unhex(document["evidence_hash"]), value)
    assert unhex(statement["signer"]) == identity and unhex(statement["receiver"]) == ov.app_identity(audience)
    assert unhex(statement["root"]) == leaf and statement["path"] == [] and statement["kind"] == 4
    digest = ev.digest(ev.INSECURE, 4, identity, ov.app_identity(audience), statement["epoch"], statement["manifest"], leaf)
    assert crypto.schnorr_verify(unhex(document["key"]), digest, unhex(statement["rx"]) + unhex(statement["s"]))
    return value
