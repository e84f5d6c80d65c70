"""Machines for a key cluster's processes: swtpm, and stand-ins for the kernel's interfaces (lib.tee_tree) whose evidence has the layouts
of SGX, TDX and SEV-SNP and stands under test roots (lib.tee). No vendor signed any of it; the TPM's commands are real."""
from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

from lib import dcap_evidence as dcap, snp_evidence as snp
from lib.endorsement import INDEX, Admission, Endorsement, store
from lib.swtpm import Shared, Swtpm
from lib.tee import Key, ca_extensions, certify, name, revocation_list
from lib.tee_tree import Answer, Gramine, Tsm
from lib.tpm_evidence import Maker

DAY_S = 86400
START, END = 1600000000, 2300000000


class Machine:
    """kind and values: of a reference of a policy; prepare(folder): what a process in the folder is started with, as `enclave` of a
    configuration has it. roots: by the name of the manifest's member."""

    kind = ""
    values: dict[str, str] = {}
    roots: dict[str, bytes] = {}

    def reference(self, label: str) -> dict:
        return {"kind": self.kind, "label": label, "values": self.values}

    def prepare(self, folder: Path) -> dict:
        raise NotImplementedError

    def close(self) -> None:
        pass


def pem(kind: str, der: bytes) -> bytes:
    import base64
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (kind.encode(), base64.encodebytes(der), kind.encode())


# ---- SEV-SNP, TDX, SGX ----

class Tree(Machine):
    """Processes of one machine share its interface, as they do there."""

    backend = "tsm"

    def __init__(self, folder: Path, answer: Answer | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.set_up()
        self.serve(folder / "tree", answer or self.answer)

    def set_up(self) -> None:
        raise NotImplementedError

    def answer(self, data: bytes) -> bytes:
        raise NotImplementedError

    def serve(self, tree: Path, answer: Answer) -> None:
        raise NotImplementedError

    def collateral(self) -> dict[str, bytes]:
        raise NotImplementedError

    def prepare(self, folder: Path) -> dict:
        paths = []
        for file, content in self.collateral().items():
            (self.folder / file).write_bytes(content)
            paths.append(str(self.folder / file))
        args = ["--insecure-tee-root", str(self.folder / "tree")]
        return {"tee": self.backend, "collateral": paths, "args": args + (["--insecure-gateway-inside"] if self.backend == "tsm" else [])}


class Snp(Tree):
    kind, product = "snp", "Genoa"

    def set_up(self) -> None:
        self.family = snp.Family(self.product)
        self.vcek = self.family.vcek()
        self.values = {"measurement": bytes(range(100, 148)).hex()}
        self.roots = {"insecure_amd": self.family.ark.der}

    def answer(self, data: bytes) -> bytes:
        return snp.Report(self.family, self.vcek.key, report_data=data).encode()

    def serve(self, tree: Path, answer: Answer) -> None:
        aux = snp.table(vcek=self.vcek.der, ask=self.family.ask.der, ark=self.family.ark.der)
        self.served = Tsm(tree, answer, "sev_guest", aux)

    def collateral(self) -> dict[str, bytes]:
        return {"list.crl": self.family.crl()}


class Dcap(Tree):
    tdx = False

    def set_up(self) -> None:
        self.platform = dcap.Platform()
        self.roots = {"insecure_intel": self.platform.root.der}

    def collateral(self) -> dict[str, bytes]:
        """Intel's responses as they come, with dates around now."""
        now = int(time.time())
        dates = {"issued": now - DAY_S, "until": now + 29 * DAY_S}
        level = dcap.level(tdx=dcap.TDX_SVNS) if self.tdx else dcap.level()

        def response(member: str, value: dict) -> bytes:
            signed = self.platform.signed(value)
            return f'{{"{member}":{signed["json"]},"signature":"{signed["signature"]}"}}'.encode()
        lists = [self.platform.root_crl(start=dates["issued"], end=dates["until"]),
                 self.platform.pck_crl(start=dates["issued"], end=dates["until"])]
        chain = [self.platform.signing.der, self.platform.issuer.der, self.platform.root.der]
        return {"tcb.json": response("tcbInfo", dcap.tcb_info([level], tdx=self.tdx, **dates)),
                "qe.json": response("enclaveIdentity", dcap.qe_identity(tdx=self.tdx, **dates)),
                "chain.pem": b"".join(pem("CERTIFICATE", der) for der in chain) + b"".join(pem("X509 CRL", der) for der in lists)}


class Tdx(Dcap):
    kind, tdx = "tdx", True
    values = {"mr_td": hashlib.sha384(b"td").hexdigest()}

    def answer(self, data: bytes) -> bytes:
        return dcap.Quote(self.platform, version=4, tdx=True, body=dcap.td_report(report_data=data)).encode()

    def serve(self, tree: Path, answer: Answer) -> None:
        self.served = Tsm(tree, answer)


class Sgx(Dcap):
    kind, backend = "sgx", "gramine"
    values = {"mr_enclave": hashlib.sha256(b"enclave").hexdigest()}

    def answer(self, data: bytes) -> bytes:
        return dcap.Quote(self.platform, body=dcap.sgx_report(report_data=data)).encode()

    def serve(self, tree: Path, answer: Answer) -> None:
        self.served = Gramine(tree, answer)


# ---- TPM ----

class Operator:
    """Certifies attestation keys of TPMs, each after its TPM has shown by the endorsement key of its maker that it holds it: `caisson
    attest challenge` and `certify`, caisson-tpm-quoter on the machine's side (lib.endorsement)."""

    def __init__(self):
        self.root = certify(Key("tpm operator's root", "p256"), name(("CN", "operator")), None, algorithm="ecdsa-sha256", serial=1,
                            start=START, end=END, extensions=ca_extensions())
        self.maker = Maker("cluster ")

    def enrol(self, folder: Path, tpm: Shared, kind: str) -> bytes:
        maker = self.maker
        store(tpm, INDEX[kind], maker.endorse(Endorsement(tpm, kind)).der)
        admission = Admission(folder / "admission", [maker.root.der],
                              [maker.ca.der, *(revocation_list(by, start=START, end=END) for by in (maker.ca, maker.root))], ca=self.root)
        return admission.enrol(tpm.path, kind)

    def crl(self) -> bytes:
        return revocation_list(self.root, start=START, end=END)


class Tpm(Machine):
    """A machine with a TPM that measured `firmware` into PCR 0."""

    kind = "tpm"
    made = 1

    def __init__(self, folder: Path, operator: Operator, firmware: bytes = b"firmware", enrolled: bool = True):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.operator, self.enrolled = folder, operator, enrolled
        self.firmware, self.tpm = firmware, Swtpm(folder / "tpm")
        self.tpm.start(firmware)
        self.shared = Shared(self.tpm)
        Tpm.made += 1
        self.certificate = operator.enrol(folder, self.shared, ("p256", "p384")[Tpm.made % 2]) if enrolled else b""
        self.values = {"pcr0": hashlib.sha256(bytes(32) + hashlib.sha256(firmware).digest()).hexdigest()}
        self.roots = {"tpm": operator.root.der}

    def prepare(self, folder: Path) -> dict:
        state = folder / "tpm"
        state.mkdir(exist_ok=True)
        if self.enrolled:
            (state / "ak.der").write_bytes(self.certificate)
        (self.folder / "list.crl").write_bytes(self.operator.crl())
        return {"tee": "tpm", "tee_state": str(state), "collateral": [str(self.folder / "list.crl")],
                "args": ["--insecure-tee-root", str(self.shared.path)]}

    def save(self) -> None:
        shutil.copytree(self.tpm.state, self.folder / "saved")

    def put_back(self) -> None:
        """What no TPM of hardware can do: everything that it keeps is as it was when it was saved."""
        self.shared.close()
        self.tpm.stop()
        shutil.rmtree(self.tpm.state)
        shutil.copytree(self.folder / "saved", self.tpm.state)
        self.tpm.start(self.firmware)
        self.shared = Shared(self.tpm)

    def close(self) -> None:
        self.shared.close()
        self.tpm.stop()
        self.tpm.folder.cleanup()


def roots_of(machines: list[Machine]) -> dict[str, list[str]]:
    """The manifest's member."""
    found: dict[str, list[str]] = {"insecure_amd": [], "insecure_intel": [], "tpm": []}
    for machine in machines:
        for member, der in machine.roots.items():
            text = "0x" + der.hex()
            if text not in found[member]:
                found[member].append(text)
    return found
