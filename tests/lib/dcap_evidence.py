"""Quotes of Intel SGX and TDX with all of their collateral, made under the test CA (lib.tee): the layouts of Intel's DCAP quoting
library (quotes 3, 4 and 5) and of the provisioning certification service (TCB info 3, QE identity 2)."""
from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field

from lib.pki import extension, integer, octets, oid, seq, tlv
from lib.tee import Certificate, Key, ca_extensions, certify, leaf_extensions, name, revocation_list

START, END = 1700000000, 2300000000  # certificates: 2023 to 2042
NOW = 1760000000  # 2025-10-09T08:53:20Z
ISSUED, NEXT = NOW - 10 * 86400, NOW + 20 * 86400
SGX = "1.2.840.113741.1.13.1"
VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
FMSPC = bytes.fromhex("00a0b0c0d0e0")
CPU_SVNS = [5, 5, 2, 2, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]
TDX_SVNS = [5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]  # module TDX_01, its ISV SVN 5
PCE_SVN, QE_SVN = 11, 8
QE_SIGNER = hashlib.sha256(b"signer of the tests' quoting enclaves").digest()


def intel_name(common: str) -> bytes:
    return name(("CN", common), ("O", "Intel Corporation"), ("L", "Santa Clara"), ("ST", "CA"), ("C", "US"))


def moment(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Platform:
    """Intel's authorities and one machine's PCK certificate. ca: platform or processor."""

    def __init__(self, ca: str = "platform", label: str = ""):
        self.label, self.ca = f"dcap {label}", ca
        common = {"algorithm": "ecdsa-sha256", "start": START, "end": END}
        self.root = certify(Key(self.label + "root", "p256"), intel_name("Intel SGX Root CA"), None, serial=21, extensions=ca_extensions(1), **common)
        self.issuer = certify(Key(self.label + ca, "p256"), intel_name(f"Intel SGX PCK {ca.capitalize()} CA"), self.root, serial=22,
                              extensions=ca_extensions(0), **common)
        self.signing = certify(Key(self.label + "tcb", "p256"), intel_name("Intel SGX TCB Signing"), self.root, serial=23,
                               extensions=leaf_extensions(), **common)
        self.pck = self.pck_certificate()

    def pck_certificate(self, svns: list[int] = CPU_SVNS, pce_svn: int = PCE_SVN, fmspc: bytes = FMSPC, *, pce_id: bytes = bytes(2),
                        sgx_type: int = 1, start: int = START, end: int = END, serial: int = 24, signer: Key | None = None,
                        drop: int | None = None) -> Certificate:
        def pair(tail: str, value: bytes) -> bytes:
            return seq(oid(f"{SGX}.{tail}"), value)
        components = [pair(f"2.{i + 1}", integer(svn)) for i, svn in enumerate(svns)]
        tcb = seq(*components, pair("2.17", integer(pce_svn)), pair("2.18", octets(bytes(svns[:16]))))
        inner = [pair("1", octets(hashlib.sha256(b"ppid").digest()[:16])), pair("2", tcb), pair("3", octets(pce_id)),
                 pair("4", octets(fmspc)), pair("5", tlv(0x0A, bytes([sgx_type])))]
        if self.ca == "platform":
            inner += [pair("6", octets(hashlib.sha256(b"platform").digest()[:16])),
                      pair("7", seq(*(pair(f"7.{i}", tlv(0x01, b"\xff" if i == 1 else b"\0")) for i in (1, 2, 3))))]
        inner = [value for i, value in enumerate(inner, 1) if i != drop]
        return certify(Key(self.label + "pck", "p256"), intel_name("Intel SGX PCK Certificate"), self.issuer, algorithm="ecdsa-sha256",
                       start=start, end=end, serial=serial, signer=signer, extensions=[*leaf_extensions(), extension(SGX, seq(*inner))])

    def chain_pem(self, pck: Certificate | None = None) -> bytes:
        import base64
        out = b""
        for certificate in (pck or self.pck, self.issuer, self.root):
            text = base64.encodebytes(certificate.der).replace(b"\n", b"")
            lines = b"\n".join(text[i:i + 64] for i in range(0, len(text), 64))
            out += b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"
        return out

    def root_crl(self, revoked: list[int] = (), start: int = ISSUED, end: int = NEXT) -> bytes:
        return revocation_list(self.root, start=start, end=end, revoked=revoked)

    def pck_crl(self, revoked: list[int] = (), start: int = ISSUED, end: int = NEXT, signer: Key | None = None) -> bytes:
        return revocation_list(self.issuer, start=start, end=end, revoked=revoked, signer=signer)

    def signed(self, value: dict, key: Key | None = None) -> dict[str, str]:
        """Compact JSON and the signature over exactly its bytes, r and s in hex."""
        text = json.dumps(value, separators=(",", ":"))
        return {"json": text, "signature": (key or self.signing.key).ecdsa(text.encode()).hex()}


def components(svns: list[int]) -> list[dict]:
    return [{"svn": svn} for svn in svns]


def level(status: str = "UpToDate", svns: list[int] = CPU_SVNS, pce_svn: int = PCE_SVN, tdx: list[int] | None = None,
          advisories: list[str] = (), date: int = START) -> dict:
    tcb: dict = {"sgxtcbcomponents": components(svns), "pcesvn": pce_svn}
    if tdx is not None:
        tcb["tdxtcbcomponents"] = components(tdx)
    out = {"tcb": tcb, "tcbDate": moment(date), "tcbStatus": status}
    return {**out, "advisoryIDs": list(advisories)} if advisories else out


def module_level(status: str = "UpToDate", svn: int = 5, advisories: list[str] = ()) -> dict:
    out = {"tcb": {"isvsvn": svn}, "tcbDate": moment(START), "tcbStatus": status}
    return {**out, "advisoryIDs": list(advisories)} if advisories else out


def module_identity(number: int = 1, levels: list[dict] | None = None, signer: bytes = bytes(48)) -> dict:
    return {"id": f"TDX_{number:02X}", "mrsigner": signer.hex().upper(), "attributes": "00" * 8, "attributesMask": "FF" * 8,
            "tcbLevels": levels or [module_level()]}


def tcb_info(levels: list[dict], *, tdx: bool = False, issued: int = ISSUED, until: int = NEXT, fmspc: bytes = FMSPC, pce_id: str = "0000",
             evaluation: int = 17, modules: list[dict] | None = None, version: int = 3) -> dict:
    out = {"id": "TDX" if tdx else "SGX", "version": version, "issueDate": moment(issued), "nextUpdate": moment(until),
           "fmspc": fmspc.hex().upper(), "pceId": pce_id, "tcbType": 0, "tcbEvaluationDataNumber": evaluation}
    if tdx:
        out["tdxModule"] = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
        out["tdxModuleIdentities"] = modules or [module_identity()]
    return {**out, "tcbLevels": levels}


def qe_identity(levels: list[dict] | None = None, *, tdx: bool = False, issued: int = ISSUED, until: int = NEXT, evaluation: int = 17,
                identifier: str | None = None, signer: bytes = QE_SIGNER, product: int | None = None, version: int = 2) -> dict:
    return {"id": identifier or ("TD_QE" if tdx else "QE"), "version": version, "issueDate": moment(issued), "nextUpdate": moment(until),
            "tcbEvaluationDataNumber": evaluation, "miscselect": "00000000", "miscselectMask": "FFFFFFFF",
            "attributes": "11" + "00" * 15, "attributesMask": "FBFFFFFFFFFFFFFF" + "00" * 8, "mrsigner": signer.hex().upper(),
            "isvprodid": (2 if tdx else 1) if product is None else product, "tcbLevels": levels or [module_level(svn=QE_SVN)]}


def sgx_report(*, svns: list[int] = CPU_SVNS, attributes: int = 0x5, enclave: bytes = hashlib.sha256(b"enclave").digest(),
               signer: bytes = hashlib.sha256(b"enclave's signer").digest(), product: int = 3, svn: int = 4, misc: int = 0,
               report_data: bytes = bytes(range(64))) -> bytes:
    out = bytearray(384)
    out[0:16] = bytes(svns)
    out[16:20] = misc.to_bytes(4, "little")
    out[48:56] = attributes.to_bytes(8, "little")
    out[56:64] = (0xE7).to_bytes(8, "little")
    out[64:96], out[128:160] = enclave, signer
    out[256:258], out[258:260] = product.to_bytes(2, "little"), svn.to_bytes(2, "little")
    out[320:384] = report_data
    return bytes(out)


def td_report(*, svns: list[int] = TDX_SVNS, attributes: int = 1 << 28, seam_attributes: int = 0, seam_signer: bytes = bytes(48),
              report_data: bytes = bytes(range(64)), svns2: list[int] | None = None, service_td: bytes = bytes(48)) -> bytes:
    def digest(text: str) -> bytes:
        return hashlib.sha384(text.encode()).digest()
    out = bytearray(584)
    out[0:16] = bytes(svns)
    out[16:64], out[64:112] = digest("module"), seam_signer
    out[112:120], out[120:128] = seam_attributes.to_bytes(8, "little"), attributes.to_bytes(8, "little")
    out[128:136] = (0x61AE7).to_bytes(8, "little")
    out[136:184] = digest("td")
    for i in range(4):
        out[328 + 48 * i:376 + 48 * i] = digest(f"rtmr{i}")
    out[520:584] = report_data
    return bytes(out) + (bytes(svns2) + service_td if svns2 is not None else b"")


@dataclass
class Quote:
    """version 3: SGX alone; 4: by body; 5: with a descriptor. Fields can be wrong on purpose."""

    platform: Platform
    version: int = 3
    body: bytes = field(default_factory=sgx_report)
    tdx: bool = False
    key_type: int = 2
    vendor: bytes = VENDOR
    tee_type: int | None = None
    key: Key | None = None
    qe: bytes | None = None  # its report, but for the hash of the key
    qe_svn: int = QE_SVN
    qe_signer: bytes = QE_SIGNER
    qe_attributes: int = 0x11
    auth: bytes = bytes(range(32))
    pck: Certificate | None = None
    certification_type: int = 5
    certification: bytes | None = None
    outer_type: int = 6
    trailing: bytes = b""
    hash_name: str = "sha256"
    bind: bytes | None = None

    def encode(self) -> bytes:
        key = self.key or Key("dcap attestation key", "p256")
        tee = (0x81 if self.tdx else 0) if self.tee_type is None else self.tee_type

        def le(value: int, size: int) -> bytes:
            return value.to_bytes(size, "little")
        header = le(self.version, 2) + le(self.key_type, 2) + le(tee, 4) + le(8, 2) + le(PCE_SVN, 2) + self.vendor + bytes(20)
        described = b""
        if self.version == 5:
            described = le({384: 1, 584: 2, 648: 3}[len(self.body)], 2) + le(len(self.body), 4)
        signed = header + described + self.body
        bound = hashlib.sha256(key.point + self.auth).digest() + bytes(32) if self.bind is None else self.bind
        qe = self.qe or sgx_report(attributes=self.qe_attributes, enclave=hashlib.sha256(b"qe").digest(), signer=self.qe_signer,
                                   product=2 if self.tdx else 1, svn=self.qe_svn, report_data=bound)
        chain = self.platform.chain_pem(self.pck) if self.certification is None else self.certification
        inner = (qe + (self.pck or self.platform.pck).key.ecdsa(qe) + le(len(self.auth), 2) + self.auth
                 + le(self.certification_type, 2) + le(len(chain), 4) + chain)
        if self.version > 3:
            inner = le(self.outer_type, 2) + le(len(inner), 4) + inner
        data = key.ecdsa(signed, self.hash_name) + key.point + inner
        return signed + le(len(data), 4) + data + self.trailing
