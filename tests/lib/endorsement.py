"""Endorsement keys of a software TPM as its maker has them: the templates of TCG's EK Credential Profile 2.5, a certificate of a test maker
(lib.tpm_evidence) in the NV index where TPMs have it, and an operator's way to enrol the machine. Written apart from the C."""
from __future__ import annotations

import base64
import struct
import subprocess
from pathlib import Path

from lib import tools
from lib.swtpm import CREATE_PRIMARY, ENDORSEMENT, FLUSH_CONTEXT, PASSWORD, Shared, command
from lib.tee import Certificate
from lib.tpm_evidence import sized

PLATFORM = 0x4000000C
POLICY_A = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
POLICY_B = bytes.fromhex("b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12")
INDEX = {"rsa2048": 0x01C00002, "p256": 0x01C0000A, "p384": 0x01C00016, "rsa3072": 0x01C0001C}
SPKI = {"p256": "3059301306072a8648ce3d020106082a8648ce3d03010703420004", "p384": "3076301006072a8648ce3d020106052b8104002203620004"}
# fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt; the high ones: userWithAuth, too.
LOW, HIGH = 0x000300B2, 0x000300F2


def template(kind: str) -> bytes:
    high = kind in ("p384", "rsa3072")
    symmetric = struct.pack(">HHH", 6, 256 if high else 128, 0x43)
    head = struct.pack(">HHI", 0x23 if kind[0] == "p" else 1, 0x0C if high else 0x0B, HIGH if high else LOW) + sized(POLICY_B if high else POLICY_A)
    if kind[0] == "p":
        unique = sized(b"") * 2 if high else sized(bytes(32)) * 2
        return head + symmetric + struct.pack(">HHH", 0x10, 4 if high else 3, 0x10) + unique
    return head + symmetric + struct.pack(">HHI", 0x10, int(kind[3:]), 0) + sized(b"" if high else bytes(256))


class Endorsement:
    """What the maker certifies: a key by its SubjectPublicKeyInfo."""

    rsa = False

    def __init__(self, tpm: Shared, kind: str):
        self.kind = kind
        public = template(kind)
        body = struct.pack(">II", ENDORSEMENT, len(PASSWORD)) + PASSWORD + sized(sized(b"") * 2) + sized(public) + struct.pack(">HI", 0, 0)
        answer = tpm.ask(command(CREATE_PRIMARY, body, True))
        assert answer[6:10] == bytes(4), answer.hex()
        tpm.ask(command(FLUSH_CONTEXT, answer[10:14]))
        area = answer[20:20 + int.from_bytes(answer[18:20], "big")]
        if kind[0] == "p":
            size = int(kind[1:]) // 8
            self.spki = bytes.fromhex(SPKI[kind]) + area[-2 * size - 2:-size - 2] + area[-size:]
        else:
            from Crypto.PublicKey import RSA
            self.spki = RSA.construct((int.from_bytes(area[-int(kind[3:]) // 8:], "big"), 65537)).export_key(format="DER")


def store(tpm: Shared, index: int, data: bytes) -> None:
    """As a maker does, by the platform hierarchy (TPM2_NV_DefineSpace, TPM2_NV_Write); read by its own empty authorization or the owner."""
    attributes = sum(1 << bit for bit in (0, 16, 17, 18, 25, 30))
    form = struct.pack(">IHI", index, 0x0B, attributes) + sized(b"") + struct.pack(">H", len(data))
    answer = tpm.ask(command(0x12A, struct.pack(">II", PLATFORM, len(PASSWORD)) + PASSWORD + sized(b"") + sized(form), True))
    assert answer[6:10] == bytes(4), answer.hex()
    for at in range(0, len(data), 512):
        body = struct.pack(">III", PLATFORM, index, len(PASSWORD)) + PASSWORD + sized(data[at:at + 512]) + struct.pack(">H", at)
        answer = tpm.ask(command(0x137, body, True))
        assert answer[6:10] == bytes(4), answer.hex()


def run(*words, data: bytes = b"") -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in words], input=data, capture_output=True, timeout=180, check=False)


def quoter(*words, data: bytes = b"") -> subprocess.CompletedProcess:
    return run(tools.find_build() / "bin" / "caisson-tpm-quoter", *words, data=data)


class Admission:
    """The operator's side: a CA, and what is believed of makers, in a folder."""

    def __init__(self, folder: Path, roots: list[bytes], collateral: list[bytes], ca: Certificate | None = None):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.roots = self._write("root", roots)
        (folder / "collateral").mkdir()
        for i, der in enumerate(collateral):
            (folder / "collateral" / str(i)).write_bytes(der)
        self.ca = self.make_ca("ca") if ca is None else self.keep_ca(ca)

    def keep_ca(self, ca: Certificate) -> tuple[Path, Path]:
        """One that was made elsewhere."""
        certificate, secret = self.folder / "ca.pem", self.folder / "ca.key"
        text = base64.encodebytes(ca.der).decode()
        certificate.write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
        secret.write_text(ca.key.key.export_key(format="PEM"))
        secret.chmod(0o600)
        return certificate, secret

    def _write(self, name: str, ders: list[bytes]) -> list[Path]:
        paths = [self.folder / f"{name}{i}.der" for i in range(len(ders))]
        for path, der in zip(paths, ders):
            path.write_bytes(der)
        return paths

    def make_ca(self, name: str, *key: str) -> tuple[Path, Path]:
        """An operator's, by OpenSSL's command."""
        certificate, secret = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        words = key or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        done = run("openssl", "req", "-x509", *words, "-nodes", "-days", "3000", "-subj", f"/CN=operator {name}", "-keyout", secret, "-out",
                   certificate)
        assert done.returncode == 0, done.stderr
        secret.chmod(0o600)
        return certificate, secret

    @property
    def caisson(self) -> Path:
        return tools.find_build() / "bin" / "caisson"

    def challenge(self, request: bytes, name: str = "m", *more) -> subprocess.CompletedProcess:
        path = self.folder / f"{name}.request"
        path.write_bytes(request)
        words = [word for root in self.roots for word in ("--root", root)]
        return run(self.caisson, "attest", "challenge", path, *words, "--collateral", self.folder / "collateral", "--out",
                   self.folder / f"{name}.challenge", "--keep", self.folder / f"{name}.keep", *more)

    def certify(self, answer: bytes, name: str = "m", *more, ca: tuple[Path, Path] | None = None, out: str = "") -> subprocess.CompletedProcess:
        path = self.folder / f"{name}.answer"
        path.write_bytes(answer)
        certificate, key = ca or self.ca
        return run(self.caisson, "attest", "certify", path, "--keep", self.folder / f"{name}.keep", "--ca", certificate, "--ca-key", key,
                   "--out", self.folder / f"{out or name}.der", *more)

    def enrol(self, device: Path, kind: str, name: str = "m") -> bytes:
        """All of it: the attestation key's certificate."""
        request = quoter("--endorse", device, kind)
        assert request.returncode == 0, request.stderr
        done = self.challenge(request.stdout, name)
        assert done.returncode == 0, done.stderr
        answer = quoter("--activate", device, data=(self.folder / f"{name}.challenge").read_bytes())
        assert answer.returncode == 0, answer.stderr
        done = self.certify(answer.stdout, name, "--transcript", self.folder / f"{name}.transcript")
        assert done.returncode == 0, done.stderr
        return (self.folder / f"{name}.der").read_bytes()
