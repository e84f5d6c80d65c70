"""Evidence that registers an enclave on a ledger, as docs/protocol/enclaves.md says: made under roots of the tests (lib.tee), for
registrations of tools/register_vectors.py. No hardware made it."""
from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field

import register_vectors as rv

from lib import dcap_evidence as d
from lib import report, snp_evidence, tpm_evidence
from lib.tee import Key

SGX, TDX, SNP, TPM, SIMULATED = 1, 2, 3, 4, 5
AFFIRMING = 1
WARNING = 2  # what stands under roots of the tests is never more
UP_TO_DATE = 1
ROLES = {rv.BRIDGE: "bridge-enclave", rv.ORACLE: "oracle-enclave"}
SCHEMA = b"\x45" * 32
NOW, DAY = rv.NOW, rv.DAY


def pem(*certificates: bytes) -> str:
    out = ""
    for der in certificates:
        text = base64.b64encode(der).decode()
        out += "-----BEGIN CERTIFICATE-----\n" + "\n".join(text[i:i + 64] for i in range(0, len(text), 64)) + "\n-----END CERTIFICATE-----\n"
    return out


def part(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(4, "big") + content


def binding(schema: bytes = SCHEMA, flags: int = 0) -> bytes:
    return part(1, schema + flags.to_bytes(8, "big"))


def parts(raw: bytes, *collateral: bytes, schema: bytes = SCHEMA, flags: int = 0) -> bytes:
    return binding(schema, flags) + part(2, raw) + b"".join(part(3, one) for one in collateral)


def report_data(r: dict, schema: bytes = SCHEMA, flags: int = 0) -> bytes:
    """The enclave was asked with the registration's digest as a nonce; its evidence digest is zero there."""
    nonce = rv.registration_digest(r | {"evidence": bytes(32)})
    return report.Report(ROLES[r["role"]], rv.keys_hash(r["keys"]), report.nonce(nonce), r["manifest"], r["number"], r["lineage"], schema,
                         flags).data()


@dataclass
class Sgx:
    """A machine of Intel's with its collateral, which holds from ten days before `now` to twenty after."""

    now: int = NOW
    platform: d.Platform = field(default_factory=lambda: d.Platform(label="register "))
    evaluation: int = 17
    status: str = "UpToDate"
    revoked: tuple = ()
    attributes: int = 0x5
    tdx: bool = False
    kind: int = SGX

    def __post_init__(self):
        self.issued, self.until = self.now - 10 * DAY, self.now + 20 * DAY

    @property
    def roots(self) -> list[bytes]:
        return [self.platform.root.der]

    def body(self, data: bytes) -> bytes:
        return d.td_report(report_data=data) if self.tdx else d.sgx_report(report_data=data, attributes=self.attributes)

    @property
    def values(self) -> dict:
        body = self.body(bytes(64))
        return {"mr_td": body[136:184].hex()} if self.tdx else {"mr_enclave": body[64:96].hex()}

    @property
    def measurement(self) -> bytes:
        value = bytes.fromhex(next(iter(self.values.values())))
        return hashlib.sha256(value).digest() if self.tdx else value

    def evidence(self, data: bytes) -> bytes:
        return d.Quote(self.platform, version=4 if self.tdx else 3, body=self.body(data), tdx=self.tdx).encode()

    def collateral(self, **leave_out) -> list[bytes]:
        p, dates = self.platform, {"issued": self.issued, "until": self.until, "evaluation": self.evaluation}
        level = d.level(self.status, tdx=d.TDX_SVNS if self.tdx else None)
        info, qe = p.signed(d.tcb_info([level], tdx=self.tdx, **dates)), p.signed(d.qe_identity(tdx=self.tdx, **dates))
        signing = pem(p.signing.der, p.root.der)
        bundle = {"tcb_info": info["json"], "tcb_info_signature": info["signature"], "tcb_info_issuer_chain": signing,
                  "qe_identity": qe["json"], "qe_identity_signature": qe["signature"], "qe_identity_issuer_chain": signing,
                  "pck_crl": p.pck_crl(list(self.revoked), self.issued, self.until).hex(),
                  "root_ca_crl": p.root_crl(start=self.issued, end=self.until).hex(), "pck_crl_issuer_chain": pem(p.issuer.der, p.root.der)}
        return [json.dumps({k: v for k, v in bundle.items() if k not in leave_out}, separators=(",", ":")).encode()]


def Tdx(**over) -> Sgx:  # noqa: N802: it makes one
    return Sgx(tdx=True, kind=TDX, **over)


@dataclass
class Snp:
    kind: int = SNP
    policy: int = 0x30000
    now: int = NOW

    def __post_init__(self):
        self.family = snp_evidence.Family("Milan")
        self.key, self.until = self.family.vcek(), self.now + 20 * DAY

    @property
    def roots(self) -> list[bytes]:
        return [self.family.ark.der]

    values = {"measurement": bytes(range(100, 148)).hex()}
    measurement = hashlib.sha256(bytes(range(100, 148))).digest()

    def evidence(self, data: bytes) -> bytes:
        return snp_evidence.Report(self.family, self.key.key, policy=self.policy, report_data=data).encode()

    def collateral(self) -> list[bytes]:
        return [self.key.der, pem(self.family.ask.der, self.family.ark.der).encode(),
                self.family.crl(start=self.now - DAY, end=self.until)]


@dataclass
class Tpm:
    kind: int = TPM
    now: int = NOW

    def __post_init__(self):
        self.maker, self.key = tpm_evidence.Maker(), Key("register ak", "p256")
        self.until = self.now + 20 * DAY

    @property
    def tpm_roots(self) -> list[bytes]:
        return [self.maker.root.der]

    roots: list[bytes] = field(default_factory=list)

    @property
    def values(self) -> dict:
        return {"pcr11": tpm_evidence.Quote().values()[11].hex()}

    @property
    def measurement(self) -> bytes:
        return hashlib.sha256(b"".join(tpm_evidence.Quote().values())).digest()

    def evidence(self, data: bytes) -> bytes:
        quote = tpm_evidence.Quote(extra_data=data[:32])
        signed = tpm_evidence.signature(self.key, quote.encode(), "ecdsa")
        return json.dumps(tpm_evidence.evidence(quote, signed, ak_certificate=self.maker.attest_key(self.key).der)).encode()

    def collateral(self) -> list[bytes]:
        from lib.tee import revocation_list
        lists = [revocation_list(ca, start=self.now - DAY, end=self.until, revoked=[]) for ca in (self.maker.ca, self.maker.root)]
        return [pem(self.maker.ca.der, self.maker.root.der).encode(), *lists]


KINDS = {SGX: "sgx", TDX: "tdx", SNP: "snp", TPM: "tpm"}


def policy(*machines, **members) -> bytes:
    """Names the builds of these machines, under test roots."""
    named = [{"kind": KINDS[m.kind], "label": f"the tests' {KINDS[m.kind]}", "values": m.values} for m in machines]
    return json.dumps({"version": 1, "measurements": named, "insecure_accept_test_roots": True} | members).encode()


def registered(machine, *, changed: dict | None = None, schema: bytes = SCHEMA, flags: int = 0, raw=None, collateral=None, asked=None,
               **over) -> dict:
    """A registration with evidence of exactly it; `changed` are members of what is sent, after the enclave was asked. `asked`: the
    registration that it was asked with."""
    r = rv.registration(**{"kind": machine.kind, "evidence": bytes(32), "measurement": machine.measurement,
                           "expires": machine.now + 15 * DAY} | over)
    raw = machine.evidence(report_data(asked or r, schema, flags)) if raw is None else raw
    r["bytes"] = parts(raw, *(machine.collateral() if collateral is None else collateral), schema=schema, flags=flags)
    r["digest"] = hashlib.sha256(raw).digest()
    return r | (changed or {})


# ---- what administrators approve ----

def roots_hash(roots) -> bytes:
    return rv.v.keccak(b"".join(rv.v.keccak(root) for root in roots))


def policy_digest(number: int, worst: int, text: bytes, tpm=(), insecure=()) -> bytes:
    return rv.hashed("caisson/ledger/policy/v1", [rv.OWN, rv.u(number), rv.u(worst), rv.v.keccak(text), roots_hash(tpm), roots_hash(insecure)])


def signed(digest: bytes, administrators=(0, 1)):
    W = rv.W
    return ("array", [("tuple", [W(a), *(W(w) for w in rv.sign(rv.ADMINISTRATORS[a], digest))]) for a in administrators])


def set_policy(number: int, worst: int, text: bytes, tpm=(), insecure=(), administrators=(0, 1), approved=None) -> bytes:
    W = rv.W
    approvals = signed(approved or policy_digest(number, worst, text, tpm, insecure), administrators)
    return rv.v.call("setPolicy(uint64,uint8,bytes,bytes[],bytes[],(uint8,bytes32,bytes32)[])",
                     [W(number), W(worst), ("bytes", text), ("array", [("bytes", c) for c in tpm]),
                      ("array", [("bytes", c) for c in insecure]), approvals])


def manifest_digest(lineage: bytes, number: int, hashed: bytes) -> bytes:
    return rv.hashed("caisson/ledger/manifest/v1", [rv.OWN, lineage, rv.u(number), hashed])


def approve_manifest(lineage: bytes, number: int, hashed: bytes, administrators=(0, 1)) -> bytes:
    W = rv.W
    return rv.v.call("approveManifest(bytes32,uint64,bytes32,(uint8,bytes32,bytes32)[])",
                     [W(lineage), W(number), W(hashed), signed(manifest_digest(lineage, number, hashed), administrators)])
