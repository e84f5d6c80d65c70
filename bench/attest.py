"""The bundle that bench_attest verifies: a recorded quote of TDX with Intel's collateral of its time (D2 of
tests/vectors/attestation/README.md), as lines of hex."""
from __future__ import annotations

import json
import ssl
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "attestation" / "dcap" / "dcap-qvl"
NOW = 1751000000


def certificates(pem: str) -> list[str]:
    end = "-----END CERTIFICATE-----"
    return [ssl.PEM_cert_to_DER_cert(part.strip() + "\n" + end).hex() for part in pem.split(end)[:-1]]


def bundle() -> str:
    collateral = json.loads((FOLDER / "tdx_quote_collateral.json").read_text())
    lines = [f"now {NOW}", f"quote {(FOLDER / 'tdx_quote').read_bytes().hex()}"]
    for chain in ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"):
        lines += [f"certificate {der}" for der in certificates(collateral[chain])]
    lines += [f"crl {collateral[name]}" for name in ("root_ca_crl", "pck_crl")]
    for name in ("tcb_info", "qe_identity"):
        lines += [f"{name} {collateral[name].encode().hex()}", f"{name}_signature {collateral[name + '_signature']}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(bundle(), end="")
