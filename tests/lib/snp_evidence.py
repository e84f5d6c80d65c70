"""Reports of AMD SEV-SNP and the certificates of AMD's three families, made under the test CA (lib.tee): what the firmware's ABI
(AMD 56860) and the key distribution service (AMD 57230) describe, field by field."""
from __future__ import annotations

from dataclasses import dataclass, field

from lib.pki import extension, integer, oid, tlv
from lib.tee import Certificate, Key, Stream, ca_extensions, certify, name, revocation_list

START, END = 1600000000, 2300000000  # 2020 to 2042
CPUID = {"Milan": b"\x19\x01\x01", "Genoa": b"\x19\x11\x01", "Turin": b"\x1a\x02\x01"}
GUIDS = {"vcek": "63da758de6644564adc5f4b93be8accd", "vlek": "a8074bc2a25a483eaae639c045a0b8a1",
         "ask": "4ab7b379bbac4fe4a02f05aef327c782", "ark": "c0b406a4a80349529743" "3fb6014cd0ae",
         "crl": "92f81bc358114d3d97ffd19f88dc67ea"}
AMD = "1.3.6.1.4.1.3704.1."


@dataclass
class Tcb:
    boot_loader: int = 4
    tee: int = 1
    snp: int = 24
    microcode: int = 219
    fmc: int = 0

    def raw(self, product: str) -> bytes:
        if product == "Turin":
            return bytes([self.fmc, self.boot_loader, self.tee, self.snp, 0, 0, 0, self.microcode])
        return bytes([self.boot_loader, self.tee, 0, 0, 0, 0, self.snp, self.microcode])


def amd_name(common: str) -> bytes:
    return name(("OU", "Engineering"), ("C", "US"), ("L", "Santa Clara"), ("ST", "CA"), ("O", "Advanced Micro Devices"), ("CN", common))


class Family:
    """The roots of one product, and its endorsement keys."""

    def __init__(self, product: str, label: str = "", kind: str = "rsa2048", end: int = END):
        self.product, self.label = product, f"snp {label}{product}"
        pss = {"algorithm": "pss-sha384", "start": START, "end": end}
        self.ark = certify(Key(self.label + " ark", kind), amd_name(f"ARK-{product}"), None, serial=0x10000, extensions=ca_extensions(), **pss)
        self.ask = certify(Key(self.label + " ask", kind), amd_name(f"SEV-{product}"), self.ark, serial=0x10001,
                           extensions=ca_extensions(0, b"\x04"), **pss)
        self.asvk = certify(Key(self.label + " asvk", kind), amd_name(f"SEV-VLEK-{product}"), self.ark, serial=0x10002,
                            extensions=ca_extensions(0, b"\x04"), **pss)
        self.chip_id = Stream(self.label + " chip")(8) + bytes(56) if product == "Turin" else Stream(self.label + " chip")(64)

    def _levels(self, tcb: Tcb) -> list[bytes]:
        def level(n: int, value: int) -> bytes:
            return extension(f"{AMD}3.{n}", integer(value))
        first = [level(9, tcb.fmc)] if self.product == "Turin" else [level(4, 0)]
        return first + [level(1, tcb.boot_loader), level(2, tcb.tee), level(3, tcb.snp), level(5, 0), level(6, 0), level(7, 0),
                        level(8, tcb.microcode)]

    def vcek(self, tcb: Tcb = Tcb(), *, hwid: bytes | None = None, wrapped: bool = False, issuer: Certificate | None = None,
             product_name: str | None = None, start: int = START, end: int = END, drop: str | None = None, extra: list[bytes] = (),
             kind: str = "p384", common: str = "SEV-VCEK", signer: Key | None = None) -> Certificate:
        hwid = (self.chip_id[:8] if self.product == "Turin" else self.chip_id) if hwid is None else hwid
        shown = product_name or (self.product if self.product == "Turin" else self.product + "-B0")
        listed = [extension(AMD + "1", integer(1)), extension(AMD + "2", tlv(0x16, shown.encode())), *self._levels(tcb),
                  extension(AMD + "4", tlv(0x04, hwid) if wrapped else hwid), *extra]
        listed = [e for e in listed if drop is None or oid(AMD + drop) not in e]
        return certify(Key(self.label + " vcek", kind), amd_name(common), issuer or self.ask, algorithm="pss-sha384", serial=0, start=start,
                       end=end, extensions=listed, trailer=self.product != "Turin", signer=signer)

    def vlek(self, tcb: Tcb = Tcb(), *, csp: str = "csp.example", issuer: Certificate | None = None, extra: list[bytes] = ()) -> Certificate:
        listed = [extension(AMD + "1", integer(1)), extension(AMD + "2", tlv(0x16, self.product.encode())), *self._levels(tcb),
                  extension(AMD + "5", tlv(0x16, csp.encode())), *extra]
        return certify(Key(self.label + " vlek", "p384"), amd_name("SEV-VLEK"), issuer or self.asvk, algorithm="pss-sha384", serial=7,
                       start=START, end=END, extensions=listed, trailer=self.product != "Turin")

    def crl(self, revoked: list[int] = (), start: int = START, end: int = END, signer: Key | None = None) -> bytes:
        return revocation_list(self.ark, start=start, end=end, revoked=revoked, signer=signer)


@dataclass
class Report:
    family: Family
    key: Key
    version: int = 3
    vlek: bool = False
    tcb: Tcb = field(default_factory=Tcb)
    committed: Tcb | None = None
    policy: int = 0x30000
    vmpl: int = 0
    algorithm: int = 1
    signer_info: int | None = None
    report_data: bytes = bytes(range(64))
    measurement: bytes = bytes(range(100, 148))
    chip_id: bytes | None = None
    cpuid: bytes | None = None
    mitigations: tuple[int, int] = (0x11, 0x13)

    def body(self) -> bytes:
        product = self.family.product
        out = bytearray(0x2A0)

        def put(at: int, value: bytes | int, size: int = 4):
            value = value.to_bytes(size, "little") if isinstance(value, int) else value
            out[at:at + len(value)] = value
        put(0x00, self.version)
        put(0x04, 3)
        put(0x08, self.policy, 8)
        put(0x10, b"family of guests")
        put(0x20, b"image of a guest")
        put(0x30, self.vmpl)
        put(0x34, self.algorithm)
        put(0x38, self.tcb.raw(product))
        put(0x40, 3, 8)
        put(0x48, (4 if self.vlek else 0) if self.signer_info is None else self.signer_info)
        put(0x50, self.report_data)
        put(0x90, self.measurement)
        put(0xC0, bytes(range(32)))
        put(0x140, Stream("report id")(32))
        put(0x160, b"\xff" * 32)
        put(0x180, self.tcb.raw(product))
        if self.version >= 3:
            put(0x188, CPUID[product] if self.cpuid is None else self.cpuid)
        chip = (bytes(64) if self.vlek else self.family.chip_id) if self.chip_id is None else self.chip_id
        put(0x1A0, chip)
        put(0x1E0, (self.committed or self.tcb).raw(product))
        put(0x1E8, bytes([29, 55, 1]))
        put(0x1EC, bytes([29, 55, 1]))
        put(0x1F0, self.tcb.raw(product))
        if self.version >= 5:
            put(0x1F8, self.mitigations[0], 8)
            put(0x200, self.mitigations[1], 8)
        return bytes(out)

    def encode(self, rs: bytes | None = None) -> bytes:
        body = self.body()
        rs = self.key.ecdsa(body, "sha384") if rs is None else rs
        half = len(rs) // 2
        fields = b"".join(part[::-1].ljust(72, b"\0") for part in (rs[:half], rs[half:]))
        return (body + fields).ljust(0x4A0, b"\0")


def table(**found: bytes) -> bytes:
    """What an extended guest request puts after a report."""
    at, head, body = 24 * (len(found) + 1), b"", b""
    for kind, value in found.items():
        head += bytes.fromhex(GUIDS[kind]) + (at + len(body)).to_bytes(4, "little") + len(value).to_bytes(4, "little")
        body += value
    return head + bytes(24) + body
