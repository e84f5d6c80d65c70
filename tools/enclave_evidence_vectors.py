#!/usr/bin/env python3
"""Makes tests/vectors/ledger/evidence.json: what contract 4 of the ledger says to evidence of enclaves, call by call; and affirming.json, the
same where the tests' roots stand in the place of the vendors' own.

Evidence and collateral are generated under roots of the tests (tests/lib/enclave_evidence.py); no hardware made them. Bindings, approvals
and calls are written from docs/protocol/enclaves.md and report.md, and share no code with the C.

    tools/enclave_evidence_vectors.py            write the files
    tools/enclave_evidence_vectors.py --check    fail if one differs from what would be written (77: pycryptodome is missing)
"""
import importlib.util
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "vectors" / "ledger"
PYTHON = ROOT / "build" / "tools" / "venv" / "bin" / "python"
QUOTE = ROOT / "tests" / "vectors" / "attestation" / "dcap" / "dcap-qvl" / "sgx_quote"


def text_word(text: str) -> bytes:
    return text.encode().ljust(32, b"\0")


def story() -> list[dict]:
    import register_vectors as rv

    from lib import dcap_evidence as d
    from lib import enclave_evidence as e
    from lib import tpm_evidence
    from lib.tee import Key

    sgx, tdx, snp, tpm = e.Sgx(), e.Tdx(), e.Snp(), e.Tpm()
    roots = [*sgx.roots, *snp.roots]
    both = e.policy(sgx, tdx, snp, tpm)
    s = rv.Story()

    def by(name, data, error=None, words=(), sender=rv.OTHER, output=None, value=0):
        s.add(name, rv.ENCLAVES, sender, data, value, output=output, error=error, words=words)

    def policy_refused(name, error, words=(), number=1, worst=1, text=both, tpm_roots=(), insecure=roots, **more):
        by(name, e.set_policy(number, worst, text, tpm_roots, insecure, **more), error, words)

    def bring(name, machine, error=None, words=(), approved=(), value=1000, sender=rv.BONDER, verdict=None, **over):
        r = e.registered(machine, **over)
        enclave = r["enclave"] if any(r["enclave"]) else rv.keys_hash(r["keys"])
        by(name, rv.register(r, approved), error, words, sender, None if error is not None else [enclave], value)
        return r, enclave

    def refused(name, machine, check, **over):
        return bring(name, machine, "EvidenceRefused(bytes32)", [text_word(check)], **over)

    # ---- who says what is accepted ----
    bring("no policy", sgx, "PolicyMissing()")
    policy_refused("a policy with a number too high", "PolicyNumberIs(uint64)", [rv.u(1)], number=2)
    policy_refused("a policy that one approved", "ApprovalsTooFew()", administrators=(1,))
    policy_refused("a policy approved for another tier", "ApprovalInvalid(uint8)", [rv.u(0)],
                   approved=e.policy_digest(1, 2, both, (), roots))
    policy_refused("a policy approved with other roots", "ApprovalInvalid(uint8)", [rv.u(0)], approved=e.policy_digest(1, 1, both, (), roots[:1]))
    policy_refused("a policy that names no build", "PolicyInvalid()", text=b'{"version": 1}')
    policy_refused("a policy that names report data", "PolicyInvalid()", text=e.policy(sgx, report_data="00"))
    policy_refused("a policy with a member that nobody knows", "PolicyInvalid()", text=e.policy(sgx, anything=1))
    policy_refused("a policy that is no JSON", "PolicyInvalid()", text=b"{")
    policy_refused("the worst tier none", "PolicyInvalid()", worst=0)
    policy_refused("the worst tier contraindicated", "PolicyInvalid()", worst=3)
    policy_refused("a root that is none", "PolicyInvalid()", tpm_roots=[b"\x30\x00"])
    by("set", e.set_policy(1, 1, both, (), roots))
    policy_refused("set again", "PolicyNumberIs(uint64)", [rv.u(2)])
    by("the policy", rv.plain("policy()"), output=[rv.u(1), rv.u(s.now), rv.u(1), rv.u(0), rv.u(2), rv.u(192), rv.u(len(both)),
                                                  both.ljust(-(-len(both) // 32) * 32, b"\0")])
    bring("a manifest that nobody approved", sgx, "ManifestUnknown()")
    by("a manifest that one approved", e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[1], (0,)), "ApprovalsTooFew()")
    by("manifest 0", e.approve_manifest(rv.LINEAGE, 0, rv.MANIFESTS[1]), "RegistrationInvalid()")
    by("the manifest", e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[1]), output=[rv.u(1)])
    by("the manifest again", e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[1]), output=[rv.u(1)])

    refused("what stands under test roots is a warning at best", sgx, "tier")
    by("the second policy", e.set_policy(2, 2, both, (), roots))

    # ---- what evidence is about ----
    good = rv.registration(kind=1, evidence=bytes(32), measurement=sgx.measurement, expires=sgx.now + 15 * rv.DAY)

    def asked_with(name, **other):
        refused(f"asked with another {name}", sgx, "policy-report-data", asked=good | other)

    asked_with("key", keys=[rv.key(rv.CHAIN_1, 1, rv.KEY_2, rv.GAS_1)])
    asked_with("identity", keys=[rv.key(rv.CHAIN_2, 1, rv.KEY_1, rv.GAS_1)])
    asked_with("epoch", keys=[rv.key(rv.CHAIN_1, 2, rv.KEY_1, rv.GAS_1)])
    asked_with("gas address", keys=[rv.key(rv.CHAIN_1, 1, rv.KEY_1)])
    asked_with("set of keys", keys=[rv.key(rv.CHAIN_1, 1, rv.KEY_1, rv.GAS_1), rv.key(rv.CHAIN_2, 1, rv.KEY_2)])
    asked_with("role", role=rv.ORACLE)
    asked_with("measurement", measurement=bytes(31) + b"\1")
    asked_with("lineage", lineage=b"\x29" * 32)
    asked_with("manifest", manifest=rv.MANIFESTS[2])
    asked_with("expiry", expires=good["expires"] + 1)
    asked_with("bond", bond=1001)
    asked_with("bonder", bonder=rv.OTHER)
    asked_with("name", enclave=b"\x77" * 32)
    own, rv.OWN = rv.OWN, rv.v.identity("cosmos:lab-2", rv.TAG, b"\0" * 17 + b"\xca\x15" + bytes([rv.ENCLAVES]))
    elsewhere = e.report_data(good)
    rv.OWN = own
    refused("asked for another chain", sgx, "policy-report-data", raw=sgx.evidence(elsewhere))
    refused("another schema", sgx, "policy-report-data", raw=sgx.evidence(e.report_data(good)), schema=b"\x46" * 32)
    refused("flags that it did not have", sgx, "policy-report-data", raw=sgx.evidence(e.report_data(good)), flags=1)
    refused("a recorded quote, which binds nothing of ours", sgx, "pck-chain", raw=QUOTE.read_bytes())
    refused("the role that has no report data", sgx, "role", role=rv.COMPUTE, raw=b"quote")
    bring("evidence of another than its bonder", sgx, "NotBonder()", sender=rv.OTHER)
    bring("a digest that is not asked for", sgx, "RegistrationInvalid()", changed={"evidence": rv.EVIDENCE})
    bring("evidence and approvals", sgx, "RegistrationInvalid()", approved=[(0, bytes(32), bytes(32))])
    bring("a measurement that the evidence has not", sgx, "MeasurementIs(bytes32)", [sgx.measurement], measurement=b"\x22" * 32)
    bring("a manifest of another number", sgx, "ManifestUnknown()", number=2)
    bring("another manifest of this number", sgx, "ManifestUnknown()", manifest=rv.MANIFESTS[2])

    # ---- whether it holds ----
    class Another(e.Sgx):
        def body(self, data: bytes) -> bytes:
            return d.sgx_report(report_data=data, enclave=b"\x66" * 32)

    refused("a build that the policy does not name", Another(), "policy-measurements")
    refused("an enclave for debugging", e.Sgx(attributes=0x7), "policy-debug")
    refused("a revoked platform", e.Sgx(revoked=(24,)), "pck-revocation")
    refused("a revoked TCB", e.Sgx(status="Revoked"), "policy-tcb")
    refused("an old TCB", e.Sgx(status="OutOfDate"), "policy-tcb")
    refused("collateral that has expired", sgx, "pck-revocation", collateral=e.Sgx(now=sgx.now - 21 * rv.DAY).collateral())
    refused("collateral of tomorrow", sgx, "pck-revocation", collateral=e.Sgx(now=sgx.now + 11 * rv.DAY).collateral())
    refused("no collateral", sgx, "pck-revocation", collateral=[])
    refused("no lists", sgx, "pck-revocation", collateral=sgx.collateral(pck_crl=1, root_ca_crl=1))
    refused("no TCB info", sgx, "tcb-info", collateral=sgx.collateral(tcb_info=1, tcb_info_signature=1))
    refused("no QE identity", sgx, "qe-identity", collateral=sgx.collateral(qe_identity=1, qe_identity_signature=1))
    refused("collateral of the other TEE", sgx, "tcb-info-platform", collateral=tdx.collateral())
    refused("a quote that was cut off", sgx, "evidence-form", raw=sgx.evidence(e.report_data(good))[:-1])
    changed = bytearray(sgx.evidence(e.report_data(good)))
    changed[440] ^= 1
    refused("a quote with a changed signature", sgx, "quote-signature", raw=bytes(changed))
    refused("no evidence", sgx, "evidence-form", raw=b"")
    refused("TDX as SGX", sgx, "evidence-kind", raw=tdx.evidence(e.report_data(good)))
    refused("SGX as TDX", tdx, "evidence-kind", raw=sgx.evidence(e.report_data(good)))
    bring("a registration beyond its collateral", sgx, "ExpiryAfterCollateral(uint64)", [rv.u(sgx.until)], expires=sgx.until + 1)
    refused("a TPM whose maker the policy does not name", tpm, "ak-certificate")
    refused("a guest for debugging", e.Snp(policy=0xB0000), "policy-debug")

    # ---- the bytes ----
    raw, one = sgx.evidence(e.report_data(good)), sgx.collateral()[0]
    link, quote, collateral = e.binding(), e.part(2, raw), e.part(3, one)
    transcript = json.dumps({"credential_blob": "00"}).encode()
    strangers = e.pem(*(tpm_evidence.Maker().endorse(Key(f"stranger {i}", "p256")).der for i in range(7))).encode()
    for name, content in (("no bytes", b""), ("no binding", quote + collateral), ("no evidence part", link), ("two bindings", link + link + quote),
                          ("two pieces of evidence", link + quote + quote), ("collateral first", link + collateral + quote),
                          ("a part of no kind", link + quote + e.part(4, b"")), ("kind 0", e.part(0, b"") + link + quote),
                          ("a part that was cut off", (link + quote)[:-1]), ("a size that was cut off", link + quote + b"\3\0"),
                          ("a binding that is short", e.part(1, bytes(39)) + quote), ("a binding that is long", e.part(1, bytes(41)) + quote),
                          ("collateral that is none", link + quote + e.part(3, b"none")),
                          ("a transcript of an activation", link + quote + e.part(3, transcript)),
                          ("a certificate too many", link + quote + e.part(3, strangers)),
                          ("thirteen pieces of collateral", link + quote + 13 * e.part(3, sgx.platform.root.der))):
        refused(name, sgx, "evidence-parts", changed={"bytes": content})
    bring("65,537 bytes", sgx, "", changed={"bytes": bytes(65537)})

    # ---- accepted ----
    r, enclave = bring("SGX", sgx)
    by("its row", rv.plain("enclaveOf(bytes32)", enclave),
       output=[rv.u(1), rv.u(rv.BRIDGE), sgx.measurement, rv.LINEAGE, rv.u(1), rv.MANIFESTS[1], rv.u(1), r["digest"], rv.u(s.now),
               rv.u(r["expires"]), rv.u(0), rv.u(1000), rv.v.word(rv.BONDER)])
    by("its verdict", rv.plain("verdictOf(bytes32)", enclave), output=[rv.u(e.WARNING), rv.u(e.UP_TO_DATE), rv.u(2), rv.u(sgx.until), rv.u(17)])
    by("its key", rv.plain("isActive(bytes32,uint8)", rv.v.public_x(rv.KEY_1), rv.BRIDGE), output=[rv.u(1)])
    by("the collateral's number", rv.plain("collateralOf(uint8)", 1), output=[rv.u(17)])
    bring("twice", sgx, "EnclaveKnown()")
    bring("by administrators, twice", sgx, "EnclaveKnown()", changed={"kind": 0, "bytes": b"", "evidence": rv.EVIDENCE})
    renewal = {"enclave": enclave, "value": 0}
    bring("renewed with its old evidence", sgx, "ExpiryNotLater()", **renewal)
    bring("renewed with its old evidence for longer", sgx, "EvidenceRefused(bytes32)", [text_word("policy-report-data")],
          expires=r["expires"] + 1, asked=r, **renewal)
    bring("renewed with older collateral", e.Sgx(evaluation=16), "CollateralTooOld(uint32)", [rv.u(17)], expires=r["expires"] + 1, **renewal)
    bring("renewed in the last second of its collateral", e.Sgx(evaluation=18), expires=sgx.until, **renewal)
    by("the collateral's number now", rv.plain("collateralOf(uint8)", 1), output=[rv.u(18)])
    tdx_key = [rv.key(rv.CHAIN_2, 1, rv.KEY_2)]
    r, enclave = bring("TDX", tdx, keys=tdx_key)
    by("TDX's verdict", rv.plain("verdictOf(bytes32)", enclave), output=[rv.u(e.WARNING), rv.u(e.UP_TO_DATE), rv.u(2), rv.u(tdx.until), rv.u(17)])
    snp_key = [rv.key(rv.CHAIN_3, 1, rv.KEY_3)]
    bring("SNP beyond its list", snp, "ExpiryAfterCollateral(uint64)", [rv.u(snp.until)], keys=snp_key, expires=snp.until + 1)
    r, enclave = bring("SNP", snp, keys=snp_key)
    by("SNP's verdict", rv.plain("verdictOf(bytes32)", enclave), output=[rv.u(e.WARNING), rv.u(e.UP_TO_DATE), rv.u(2), rv.u(snp.until), rv.u(0)])
    by("the third policy", e.set_policy(3, 2, both, tpm.tpm_roots, roots))
    oracle = {"role": rv.ORACLE, "keys": [rv.key(rv.ORACLE_ID, 1, rv.KEY_ORACLE)]}
    r, enclave = bring("TPM", tpm, **oracle)
    by("TPM's verdict", rv.plain("verdictOf(bytes32)", enclave), output=[rv.u(e.WARNING), rv.u(0), rv.u(3), rv.u(tpm.until), rv.u(0)])
    by("the oracle's key", rv.plain("isActive(bytes32,uint8)", rv.v.public_x(rv.KEY_ORACLE), rv.ORACLE), output=[rv.u(1)])
    weak = [rv.key(rv.CHAIN_4, 1, rv.KEY_TWICE)]
    bring("a TCB that is a warning", e.Sgx(status="SWHardeningNeeded", evaluation=18), keys=weak)

    # ---- administrators beside it ----
    word = rv.registration(enclave=enclave, expires=s.now + 21 * rv.DAY, **oracle)
    by("renewed by administrators", rv.register(word), sender=rv.BONDER, output=[enclave])
    by("it rests on their word", rv.plain("verdictOf(bytes32)", enclave), output=[bytes(160)])
    by("a second hash of the manifest", e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[2]), output=[rv.u(0)])
    bring("in a lineage that stands still", e.Sgx(evaluation=18), "LineageSuspended()", keys=[rv.key(b"\x47" * 32, 1, 207)])
    s.later(20 * rv.DAY)
    by("SGX has ended with its collateral", rv.plain("isActive(bytes32,uint8)", rv.v.public_x(rv.KEY_1), rv.BRIDGE), output=[rv.u(0)])
    return s.steps


def affirming() -> list[dict]:
    """A register and a policy without anything insecure, for a program whose vendors' roots are the tests'."""
    import register_vectors as rv

    from lib import dcap_evidence as d
    from lib import enclave_evidence as e

    sgx, tdx, snp = e.Sgx(), e.Tdx(), e.Snp()
    strict = e.policy(sgx, tdx, snp, insecure_accept_test_roots=False)
    s = rv.Story()

    def by(name, data, output=None, error=None, sender=rv.OTHER, value=0, words=()):
        s.add(name, rv.ENCLAVES, sender, data, value, output=output, error=error, words=words)

    def bring(name, machine, number, refused_by=None, **over):
        """Each with a key of its own; the verdict of what is accepted: affirming, up to date, by evidence."""
        keys = [rv.key(bytes([0x60 + number]) * 32, 1, 300 + number)]
        r = e.registered(machine, keys=keys, **over)
        enclave = rv.keys_hash(keys)
        if refused_by:
            by(name, rv.register(r, ()), error="EvidenceRefused(bytes32)", words=[text_word(refused_by)], sender=rv.BONDER, value=1000)
            return
        by(name, rv.register(r, ()), [enclave], sender=rv.BONDER, value=1000)
        by(f"{name}: its verdict", rv.plain("verdictOf(bytes32)", enclave),
           [rv.u(e.AFFIRMING), rv.u(e.UP_TO_DATE), rv.u(1), rv.u(machine.until), rv.u(0 if machine is snp else 17)])
        by(f"{name}: its key", rv.plain("isActive(bytes32,uint8)", rv.v.public_x(300 + number), rv.BRIDGE), [rv.u(1)])

    by("roots of others", e.set_policy(1, 1, strict, (), sgx.roots), error="PolicyInsecure()")
    by("a policy that accepts test roots", e.set_policy(1, 1, e.policy(sgx)), error="PolicyInsecure()")
    by("the policy", e.set_policy(1, 1, strict))
    by("the manifest", e.approve_manifest(rv.LINEAGE, 1, rv.MANIFESTS[1]), [rv.u(1)])
    bring("SGX", sgx, 1)
    bring("TDX", tdx, 2)
    bring("SNP", snp, 3)
    bring("a TCB that is a warning", e.Sgx(status="SWHardeningNeeded"), 4, "tier")
    bring("an old TCB", e.Sgx(status="OutOfDate"), 5, "policy-tcb")
    bring("an enclave for debugging", e.Sgx(attributes=0x7), 6, "policy-debug")
    bring("another's root", e.Sgx(platform=d.Platform(label="somebody else's ")), 7, "pck-chain")
    bring("a recorded quote, which binds nothing of ours", sgx, 8, "pck-chain", raw=QUOTE.read_bytes())
    by("the second policy", e.set_policy(2, 2, strict), None)
    bring("flags of the enclave", sgx, 9, "insecure-flags", flags=1)
    return s.steps


def content(steps: list[dict], **more) -> str:
    """Texts that come again are said once: calldata is hex and names of what stands between."""
    from lib import enclave_evidence as e
    objects = {}
    platform = e.Sgx().platform
    known = {"chain": platform.chain_pem()} | {
        f"collateral {i}": one for i, one in enumerate(m.collateral()[0] for m in (e.Sgx(), e.Tdx(), e.Sgx(evaluation=18)))}
    for step in steps:
        row = step.get("calldata", "0x")[2:]
        for name, value in known.items():
            if value.hex() in row:
                objects[name] = value.hex()
                row = row.replace(value.hex(), f" @{name.replace(' ', '-')} ")
        if "calldata" in step:
            step["calldata"] = row.split()
    about = "Generated by tools/enclave_evidence_vectors.py under roots of the tests: no hardware made any of it."
    return json.dumps({"about": about, **more, "objects": {k.replace(" ", "-"): v for k, v in objects.items()}, "story": steps}, indent=1) + "\n"


def main() -> int:
    if importlib.util.find_spec("Crypto") is None:
        if PYTHON.exists() and Path(sys.executable) != PYTHON:
            os.execv(PYTHON, [str(PYTHON), *sys.argv])
        print("skipped: pycryptodome is missing (script/install test)")
        return 77
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / "tests"))
    from lib import enclave_evidence as e
    vendors = {"intel": [root.hex() for root in e.Sgx().roots], "amd": [root.hex() for root in e.Snp().roots]}
    wrong = 0
    for name, text in (("evidence.json", content(story())), ("affirming.json", content(affirming(), vendors=vendors))):
        out = FOLDER / name
        if "--check" not in sys.argv[1:]:
            out.write_text(text)
        elif not out.exists() or out.read_text() != text:
            print(f"{out.relative_to(ROOT)} is not what would be written")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
