"""`caisson attest verify` on recorded evidence (tests/vectors/attestation/README.md has each case's moment and verdict) and on
generated one: kinds, statuses, advisories, exit codes, policies, and what must be refused."""
from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lib import tools

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "attestation"
GENERATED = VECTORS / "generated"
AFFIRMED, FAILED, USAGE, INSECURE, WHOLE_MACHINE, WARNING, CONTRAINDICATED, NONE = range(8)
TIER = {AFFIRMED: "affirming", INSECURE: "warning", WHOLE_MACHINE: "warning", WARNING: "warning", CONTRAINDICATED: "contraindicated",
        NONE: "none"}
SGX, SGX_AT = "dcap/dcap-qvl/sgx_quote", 1750330571
TDX, TDX_AT = "dcap/dcap-qvl/tdx_quote", 1750330571
SIMULATED = b"caisson/evidence/simulated/v1\0" + bytes(range(32)) + b"\xaa\xbb".ljust(64, b"\0")


@pytest.fixture(scope="module")
def caisson():
    return tools.find_build() / "bin" / "caisson"


@pytest.fixture
def verify(caisson, tmp_path):
    """verify(evidence, at, collateral, …): the exit code and the JSON. Evidence: a path below the vectors, or bytes."""

    def run(evidence, at=None, collateral=None, *more, policy=None, code=None):
        path = evidence if isinstance(evidence, Path) else VECTORS / evidence if isinstance(evidence, str) else tmp_path / "evidence"
        if isinstance(evidence, bytes):
            path.write_bytes(evidence)
        words = [caisson, "attest", "verify", path, "--json", *more]
        words += ["--at", str(at)] if at else []
        words += ["--collateral", collateral if isinstance(collateral, Path) else VECTORS / collateral] if collateral else []
        if policy is not None:
            (tmp_path / "policy").write_text(policy if isinstance(policy, str) else json.dumps(policy))
            words += ["--policy", tmp_path / "policy"]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, check=False)
        assert code is None or done.returncode == code, done.stdout + done.stderr
        out = json.loads(done.stdout)
        if "status" in out:
            assert out["status"] == TIER[done.returncode]
        return out

    return run


def failed(out) -> list[str]:
    return [check["name"] for check in out["checks"] if check["ok"] is False]


def folder(tmp_path, *names) -> Path:
    """Files of the vectors, as an operator would lay them into one folder."""
    place = tmp_path / "collateral"
    place.mkdir()
    for name in names:
        shutil.copy(VECTORS / name, place / name.replace("/", "-"))
    return place


def bundled(tmp_path, bundle: str, *leave_out: str) -> Path:
    content = json.loads((VECTORS / bundle).read_text())
    for name in leave_out:
        del content[name]
    place = tmp_path / "bundle.json"
    place.write_text(json.dumps(content))
    return place


# ---- recorded: DCAP ----

OUTDATED = "dcap/dcap-qvl/tdx_quote_outdated_collateral.json"


@pytest.mark.parametrize("evidence, at, collateral, code, status, advisories", [
    (SGX, SGX_AT, "dcap/dcap-qvl/sgx_quote_collateral.json", WARNING, "ConfigurationAndSWHardeningNeeded",
     ["INTEL-SA-00289", "INTEL-SA-00615"]),
    (TDX, TDX_AT, "dcap/dcap-qvl/tdx_quote_collateral.json", AFFIRMED, "UpToDate", []),
    ("dcap/dcap-qvl/tdx_quote_outdated", 1771412331, OUTDATED, CONTRAINDICATED, "NotSupported", []),
    ("dcap/go-tdx-guest/quote_v5_sample.dat", "2026-02-20T00:00:00Z", OUTDATED, AFFIRMED, "UpToDate", []),
    ("dcap/automata/quotev5.dat", "2026-02-20T00:00:00Z", OUTDATED, CONTRAINDICATED, "OutOfDate",
     ["INTEL-SA-01036", "INTEL-SA-01079", "INTEL-SA-01099", "INTEL-SA-01103", "INTEL-SA-01111"]),
], ids=["D1", "D2", "D3", "D4", "D5"])
def test_bundles(verify, evidence, at, collateral, code, status, advisories):
    out = verify(evidence, at, collateral, code=code)
    assert (out["tcb_status"], sorted(out["advisories"])) == (status, advisories)
    assert out["kind"] == ("sgx" if evidence == SGX else "tdx") and out["revocation"]
    assert out["measurements"] and out["report_data"]
    assert not [name for name in failed(out) if not name.startswith("policy-")]


ENDORSEMENT, RELAUNCH = "dcap/openenclave/tdx_endorsement.bin", "dcap/openenclave/tdx_quote-moduleupdate-seamldr5.dat"


def test_the_buffer_of_intels_library(verify, tmp_path):
    """D15: collateral as tee_qv_get_collateral gives it, lists and all; alone, and in a folder beside what is no collateral."""
    place = folder(tmp_path, ENDORSEMENT, RELAUNCH)
    for given in (ENDORSEMENT, place):
        out = verify(RELAUNCH, "2025-02-27", given, code=WARNING)
        assert (out["tcb_status"], sorted(out["advisories"])) == ("TDRelaunchAdvised", ["INTEL-SA-01036", "INTEL-SA-01099"])
        assert out["revocation"] and out["at"] == "2025-02-27T00:00:00Z"


def test_a_buffer_that_was_changed(caisson, tmp_path):
    """Cut anywhere, with something behind it, its sizes and addresses moved: nothing of it is taken."""
    raw = (VECTORS / ENDORSEMENT).read_bytes()

    def number(at, value):
        return raw[:at] + value.to_bytes(8, "little") + raw[at + 8:]

    sizes = [int.from_bytes(raw[16 + 16 * i:24 + 16 * i], "little") for i in range(7)]
    changed = [raw[:n] for n in (8, 119, 120, 2024, 9832, 15993, len(raw) - 1)] + [raw + b"\0", raw[:-1] + b"x"]
    changed += [number(16 + 16 * i, size) for i in range(7) for size in (0, 1, sizes[i] - 1, sizes[i] + 1, 2**32, 2**64 - 1)]
    changed += [number(8 + 16 * i, 1) for i in range(1, 7)] + [raw.replace(b"{\"tcbInfo\"", b"\0\"tcbInfo\"", 1)]
    for bad in changed:
        (tmp_path / "bad").write_bytes(bad)
        done = subprocess.run([caisson, "attest", "verify", VECTORS / RELAUNCH, "--collateral", tmp_path / "bad"], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == USAGE and "bad: " in done.stderr and not done.stdout, done


def test_recovery_changes_the_verdict(verify, tmp_path):
    """D6: the quote of D5 half a year before; the PCK CRL of that time was not kept."""
    place = folder(tmp_path, "dcap/automata/0625/tcbinfov3_90C06F000000.json", "dcap/automata/0625/qe_td.json")
    shutil.copy(bundled(tmp_path, "dcap/dcap-qvl/tdx_quote_collateral.json", "tcb_info", "tcb_info_signature", "qe_identity",
                        "qe_identity_signature", "pck_crl"), place / "chains.json")
    out = verify("dcap/automata/quotev5.dat", 1749945600, place, "--no-revocation", code=WARNING)
    assert out["tcb_status"] == "UpToDate" and not out["revocation"] and failed(out) == ["policy-revocation"]
    assert "pck-revocation" in failed(verify("dcap/automata/quotev5.dat", 1749945600, place, code=CONTRAINDICATED))


def test_a_vendors_folder(verify, tmp_path):
    """D10: raw responses and PEM; its CRLs were not kept."""
    place = folder(tmp_path, "dcap/oasis-core/tcb_info_v3_fmspc_00606A000000.json", "dcap/oasis-core/qe_identity_v2.json",
                   "dcap/oasis-core/tcb_info_v3_fmspc_00606A000000_certs.pem")
    (place / "notes.txt").write_text("not collateral")
    out = verify("dcap/oasis-core/quote_v3_ecdsa_p256_pck_chain.bin", 1671497404, place, "--no-revocation", code=WARNING)
    assert (out["tcb_status"], out["advisories"]) == ("SWHardeningNeeded", ["INTEL-SA-00615", "INTEL-SA-00657"])


@pytest.mark.parametrize("at, failing", [("2025-03-20T11:21:56Z", True), ("2025-06-19T10:56:11Z", False), ("2025-07-19T10:01:18Z", False),
                                         ("2025-07-19T10:01:19Z", True)])
def test_dates(verify, at, failing):
    out = verify(SGX, at, "dcap/dcap-qvl/sgx_quote_collateral.json", code=CONTRAINDICATED if failing else WARNING)
    assert bool([name for name in failed(out) if not name.startswith("policy-")]) == failing
    assert failing or out["until"] == "2025-07-19T10:01:18Z", "the first end of all that it rests on"


def test_signatures_alone(verify):
    """No collateral: nothing is known to be wrong, and nothing is affirmed. Lists that were not said to be left out are missing."""
    assert failed(verify(TDX, TDX_AT, None, code=CONTRAINDICATED))[0] == "pck-revocation"
    out = verify(TDX, TDX_AT, None, "--no-revocation", code=NONE)
    assert out["tcb_status"] is None
    assert [check["name"] for check in out["checks"] if check["ok"] is None] == ["pck-revocation", "tcb-info", "qe-identity"]


def test_lists_alone(verify, tmp_path):
    """All but TCB info and QE identity: it verifies, and nobody judged the TCB."""
    bundle = bundled(tmp_path, "dcap/dcap-qvl/tdx_quote_collateral.json", "tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature")
    out = verify(TDX, TDX_AT, bundle, code=NONE)
    assert out["revocation"] and out["tcb_status"] is None and failed(out) == ["policy-tcb"]


def test_debug(verify):
    out = verify("dcap/trustee/tdx_quote_4.dat", "2024-06-01T00:00:00Z", None, "--no-revocation")
    assert out["debug"] and "policy-debug" in failed(out)


@pytest.mark.parametrize("evidence, kind, debug", [
    ("dcap/dcap-qvl/quote-from-tappd.hex", "tdx", False), ("dcap/trustee/occlum_quote.dat", "sgx", True),
    ("dcap/trustee/tdx_quote_4.dat", "tdx", True), ("dcap/trustee/tdx_quote_5.dat", "tdx", False),
    ("dcap/trustee/tdx_quote_6.dat", "tdx", False), ("dcap/openenclave/tdx_quote.bin", "tdx", False),
    ("dcap/openenclave/sgx_quote", "sgx", True), ("tpm/trustee-az-tdx/td-quote.bin", "tdx", False)])
def test_every_quote_without_collateral(verify, evidence, kind, debug):
    """Chain, quoting enclave and signatures of each that the vectors' README lists; of debug a policy's word makes no more than nothing known."""
    out = verify(evidence, "2026-02-20T00:00:00Z", None, "--no-revocation", code=CONTRAINDICATED if debug else NONE)
    assert (out["kind"], out["tcb_status"], out["debug"]) == (kind, None, debug)
    passed = [check["name"] for check in out["checks"] if check["ok"]]
    assert {"pck-chain", "qe-report-signature", "qe-report-data", "quote-signature"} <= set(passed), out
    if debug:
        verify(evidence, "2026-02-20T00:00:00Z", None, "--no-revocation", policy={"version": 1, "insecure_accept_debug": True}, code=NONE)


@pytest.mark.parametrize("evidence", ["dcap/oasis-core/quote_v3_ecdsa_p256_eppid.bin", "dcap/openenclave/sgx_report_bad.bin",
                                      "tpm/dstack/tpm_quote_sample.bin", "tpm/rust-keylime/test-quote.txt"])
def test_unreadable_is_a_verdict(verify, evidence):
    out = verify(evidence, 1700000000, code=CONTRAINDICATED)
    assert "evidence-form" in failed(out) and out["tcb_status"] is None and out["measurements"] == {}


# ---- recorded: SNP, TPM, RA-TLS ----

MILAN = "snp/roots/ask_ark_milan.pem"


@pytest.mark.parametrize("evidence, key", [("snp/virtee-sev/report_milan.hex", "snp/virtee-sev/vcek_milan.der"),
                                           ("snp/trustee/test-report.bin", "snp/trustee/test-vcek.der")], ids=["S2", "S3"])
def test_snp(verify, tmp_path, evidence, key):
    out = verify(evidence, "2025-01-01T00:00:00Z", folder(tmp_path, key, MILAN), "--no-revocation")
    assert out["kind"] == "snp" and len(out["measurements"]["measurement"]) == 96
    assert not [name for name in failed(out) if not name.startswith("policy-")]
    out = verify(evidence, "2025-01-01T00:00:00Z", tmp_path / "collateral", code=CONTRAINDICATED)
    assert "snp-crl" in failed(out)


def test_snp_at_an_offset(verify, tmp_path):
    """S5: a report within another program's file."""
    report = (VECTORS / "snp/dstack/sev_snp_attestation.bin").read_bytes()[4:1188]
    place = folder(tmp_path, "snp/dstack/sev_snp_vcek.pem", "snp/dstack/sev_snp_ask.pem", MILAN)
    out = verify(report, "2026-07-01T00:00:00Z", place, "--no-revocation", code=CONTRAINDICATED)
    assert out["tcb_status"] == "OutOfDate" and said(out, "tcb-level").startswith("OutOfDate: reported ")


@pytest.mark.parametrize("key", ["test-vcek-invalid-legacy.der", "test-vcek-invalid-new.der"])
def test_snp_of_another_key(verify, tmp_path, key):
    out = verify("snp/trustee/test-report.bin", "2025-01-01T00:00:00Z", folder(tmp_path, f"snp/trustee/{key}", MILAN), "--no-revocation",
                 code=CONTRAINDICATED)
    assert [name for name in failed(out) if not name.startswith("policy-")]


def test_vtpm_over_snp(verify):
    for version in ("v0", "v1"):
        out = verify(f"tpm/trustee-az-snp/evidence-{version}.json", 1750000000, MILAN, "--no-revocation", code=WARNING)
        assert (out["kind"], out["hardware"], out["whole_machine"]) == ("tpm", "snp", False)
        assert bytes.fromhex(out["report_data"]) == b"challenge"
    verify("tpm/trustee-az-snp/evidence-v1.json", 1750000000, MILAN, "--no-revocation", "--report-data", b"challenge".hex(), code=WARNING)
    out = verify("tpm/trustee-az-snp/evidence-v1.json", 1750000000, MILAN, "--no-revocation", "--report-data", b"another".hex(),
                 code=CONTRAINDICATED)
    assert "policy-report-data" in failed(out)


def test_tpm_of_nobody(verify):
    out = verify("tpm/trustee-tpm/tpm_evidence.json", 1700000000, code=CONTRAINDICATED)
    assert out["kind"] == "tpm" and "ak-trust" in failed(out)


@pytest.mark.parametrize("name", ["gramine-cert.pem", "rats-tls-cert.pem"])
def test_ratls(verify, name):
    out = verify(f"ratls/ccc/{name}", "2023-06-01T00:00:00Z", None, "--no-revocation")
    assert (out["kind"], out["hardware"]) == ("ratls", "sgx")
    assert not [check for check in failed(out) if not check.startswith("policy-")]


# ---- generated: under roots of ours ----

def objects(kind: str) -> dict:
    return json.loads((GENERATED / f"{kind}.json").read_text())["objects"]


def generated(kind: str, name: str, tmp_path) -> tuple[dict, list[str], bytes]:
    file = json.loads((GENERATED / f"{kind}.json").read_text())
    case = next(case for case in file["cases"] if case["name"] == name)
    place = tmp_path / "generated"
    place.mkdir()

    def lay(label, names):
        for i, value in enumerate(names):
            (place / f"{label}{i}.der").write_bytes(bytes.fromhex(file["objects"][value]))
    lay("certificate", case["certificates"])
    lay("crl", case["crls"])
    roots = []
    for i, value in enumerate(case["roots"]):
        path = tmp_path / f"root{i}.der"
        path.write_bytes(bytes.fromhex(file["objects"][value]))
        roots.append(str(path))
    if "text" in case:
        return {**case, "folder": place}, roots, case["text"].encode()
    parts = [file["objects"][part[1:]] if part.startswith("@") else part for part in case["evidence"]]
    return {**case, "folder": place}, roots, bytes.fromhex("".join(parts))


def test_test_roots(verify, tmp_path):
    case, roots, evidence = generated("snp", "Genoa version 5 VLEK", tmp_path)
    insecure = [word for root in roots for word in ("--insecure-root", root)]
    assert "snp-chain" in failed(verify(evidence, case["now"], case["folder"], "--no-revocation", code=CONTRAINDICATED))
    out = verify(evidence, case["now"], case["folder"], "--no-revocation", *insecure, code=CONTRAINDICATED)
    assert "policy-roots" in failed(out) and out["tcb_status"] == "UpToDate"
    out = verify(evidence, case["now"], case["folder"], "--no-revocation", *insecure, code=INSECURE,
                 policy={"version": 1, "insecure_accept_test_roots": True})
    assert out["insecure"]


def test_debug_that_a_policy_accepts(verify, tmp_path):
    """With collateral it is a warning, by the policy's word alone: exit 3."""
    case, roots, evidence = generated("dcap", "an enclave for debugging", tmp_path)
    given = [word for root in roots for word in ("--insecure-root", root)]
    collateral = case["folder"]
    for name, member in (("tcb_info", "tcbInfo"), ("qe_identity", "enclaveIdentity")):
        signed = case[name]
        (collateral / name).write_text('{"%s":%s,"signature":"%s"}' % (member, objects("dcap")[signed["json"]], signed["signature"]))
    accepted = {"version": 1, "insecure_accept_test_roots": True}
    out = verify(evidence, case["now"], collateral, "--no-revocation", *given, policy=accepted, code=CONTRAINDICATED)
    assert out["debug"] and out["tcb_status"] == "UpToDate" and "policy-debug" in failed(out)
    out = verify(evidence, case["now"], collateral, "--no-revocation", *given, policy={**accepted, "insecure_accept_debug": True}, code=INSECURE)
    assert out["insecure"] and out["debug"]


@pytest.mark.parametrize("kind, name, roots, good", [("snp", "revocation: none is", "--insecure-root", INSECURE),
                                                     ("tpm", "revocation: none is", "--root", WHOLE_MACHINE)])
def test_the_age_of_lists(verify, tmp_path, kind, name, roots, good):
    """AMD and makers of TPMs have no other dated collateral: a policy's bound is about it, and there has to be one."""
    case, files, evidence = generated(kind, name, tmp_path)
    given = [word for root in files for word in (roots, root)]
    policy = {"version": 1, "insecure_accept_test_roots": True}
    out = verify(evidence, case["now"], case["folder"], *given, policy=policy, code=good)
    assert out["revocation"] and out["collateral"]["issued"] and out["collateral"]["until"]
    verify(evidence, case["now"], case["folder"], *given, policy={**policy, "collateral_age_max_s": 10**9}, code=good)
    # The lists of the TPM's maker are of that very second.
    for age, more in ([(1, [])] if kind == "snp" else []) + [(10**9, ["--no-revocation"])]:
        out = verify(evidence, case["now"], case["folder"], *given, *more, policy={**policy, "collateral_age_max_s": age}, code=CONTRAINDICATED)
        assert failed(out)[0] == "policy-collateral-age", out


def test_whole_machine(verify, tmp_path):
    """A plain TPM whose key its maker's certificate vouches for: a class of its own, never affirmed."""
    case, roots, evidence = generated("ratls", "TPM", tmp_path)
    given = [word for root in roots for word in ("--root", root)]
    out = verify(evidence, case["now"], case["folder"], "--no-revocation", *given, code=WHOLE_MACHINE)
    assert out["whole_machine"] and (out["kind"], out["hardware"]) == ("ratls", "tpm")
    verify(evidence, case["now"], case["folder"], "--no-revocation", code=CONTRAINDICATED)


# ---- simulated, forms, policies ----

def test_simulated(verify):
    out = verify(SIMULATED, code=CONTRAINDICATED)
    assert failed(out) == ["policy-simulated"] and out["measurements"]["measurement"] == bytes(range(32)).hex()
    policy = {"version": 1, "insecure_accept_simulated": True}
    for form in (SIMULATED, SIMULATED.hex().encode(), b"0x" + SIMULATED.hex().encode(), base64.b64encode(SIMULATED)):
        out = verify(form, policy=policy, code=INSECURE)
        assert out["insecure"] and out["kind"] == "simulated"
    policy["measurements"] = [{"kind": "simulated", "values": {"measurement": bytes(range(32)).hex()}}]
    verify(SIMULATED, policy=policy, code=INSECURE)
    policy["measurements"][0]["values"]["measurement"] = bytes(32).hex()
    verify(SIMULATED, policy=policy, code=CONTRAINDICATED)
    verify(SIMULATED, None, None, "--report-data", "aabb", policy={"version": 1, "insecure_accept_simulated": True}, code=INSECURE)
    verify(SIMULATED, None, None, "--report-data", "aabc", policy={"version": 1, "insecure_accept_simulated": True}, code=CONTRAINDICATED)
    verify(SIMULATED[:-1], policy=policy, code=CONTRAINDICATED)
    verify(SIMULATED + b"\0", policy=policy, code=CONTRAINDICATED)


def test_policies(verify):
    td = verify(TDX, TDX_AT, "dcap/dcap-qvl/tdx_quote_collateral.json", code=AFFIRMED)["measurements"]["mr_td"]

    def judged(policy: dict, code: int) -> dict:
        return verify(TDX, TDX_AT, "dcap/dcap-qvl/tdx_quote_collateral.json", policy={"version": 1, **policy}, code=code)

    named = {"kind": "tdx", "values": {"mr_td": td}}
    judged({"measurements": [named]}, AFFIRMED)
    judged({"measurements": [{**named, "not_after": "2025-06-19T10:56:11Z"}]}, AFFIRMED)
    assert failed(judged({"measurements": [{**named, "not_after": "2025-06-19T10:56:10Z"}]}, CONTRAINDICATED)) == ["policy-measurements"]
    judged({"measurements": [{"kind": "sgx", "values": {"mr_enclave": td[:64]}}]}, CONTRAINDICATED)
    judged({"tcb_evaluation_number_min": 17}, AFFIRMED)
    assert failed(judged({"tcb_evaluation_number_min": 99}, CONTRAINDICATED)) == ["policy-tcb-evaluation-number"]
    assert failed(judged({"collateral_age_max_s": 1}, CONTRAINDICATED)) == ["policy-collateral-age"]
    judged({"tcb": [{"status": "UpToDate", "tier": "warning"}]}, WARNING)
    accepted = {"version": 1, "tcb": [{"status": "ConfigurationAndSWHardeningNeeded", "tier": "affirming", "until": "2025-06-20T00:00:00Z"}]}
    verify(SGX, SGX_AT, "dcap/dcap-qvl/sgx_quote_collateral.json", policy=accepted, code=AFFIRMED)
    verify(SGX, "2025-06-21T00:00:00Z", "dcap/dcap-qvl/sgx_quote_collateral.json", policy=accepted, code=WARNING)


def said(out, name: str) -> str:
    return next(check["detail"] for check in out["checks"] if check["name"] == name)


def test_what_was_compared_with_what(verify, tmp_path):
    """Each judgement says both values, dates as dates: nobody has to guess which build, and which of its values."""
    bundle = "dcap/dcap-qvl/tdx_quote_collateral.json"
    measured = verify(TDX, TDX_AT, bundle)["measurements"]
    data = verify(TDX, TDX_AT, bundle)["report_data"]
    right = {"kind": "tdx", "values": {"mr_td": measured["mr_td"]}}
    tail = measured["mr_td"][:-2] + f"{int(measured['mr_td'][-2:], 16) ^ 1:02x}"

    def detail(name: str, *more, **policy) -> str:
        return said(verify(TDX, TDX_AT, bundle, *more, policy={"version": 1, **policy}), name)

    assert detail("policy-measurements", measurements=[{**right, "label": "oracle 1.4"}]) == (
        "measurements[0] 'oracle 1.4': all of its values are the evidence's")
    assert detail("policy-measurements", measurements=[{"kind": "tdx", "label": "oracle 1.5", "values": {"mr_td": "00" * 48}}]) == (
        f"measurements[0] 'oracle 1.5': mr_td is {measured['mr_td'][:32]}..., the policy's {'00' * 16}...")
    assert detail("policy-measurements", measurements=[{"kind": "tdx", "values": {"mr_td": "00" * 48}}, {"kind": "tdx", "values": {"mr_td": tail}}]) == (
        f"none of 2 builds; measurements[1]: mr_td is ...{measured['mr_td'][64:]}, the policy's ...{tail[64:]}")
    assert detail("policy-measurements", measurements=[{**right, "at_least": {"quote_version": 5}}]) == (
        "measurements[0]: quote_version is 4, the policy's least 5")
    assert detail("policy-measurements", measurements=[{"kind": "sgx", "values": {"mr_enclave": "00" * 32}}]) == "the policy names no build of kind tdx"
    assert detail("policy-measurements", measurements=[{**right, "label": "x" * 30, "not_after": "2025-06-19T10:56:10Z"}]) == (
        f"measurements[0] '{'x' * 24}...' is this build, but was until 2025-06-19T10:56:10Z, judged as of 2025-06-19T10:56:11Z")
    assert detail("policy-tcb-evaluation-number", tcb_evaluation_number_min=99) == "the collateral's is 17, the policy's least 99"
    assert "s ago, and the policy's most is 1 s" in detail("policy-collateral-age", collateral_age_max_s=1)
    assert detail("policy-report-data", "--report-data", data) == f"{data[:32]}..., as expected"
    assert detail("policy-report-data", "--report-data", "0xaabb") == f"{data[:32]}..., expected is aabb and then zeros"
    rule = {"status": "UpToDate", "tier": "warning"}
    assert detail("policy-tcb", tcb=[rule]) == "UpToDate is warning by the policy's rule"
    assert detail("policy-tcb", tcb=[{**rule, "until": "2025-06-20T00:00:00Z"}]) == "UpToDate is warning by the policy's rule until 2025-06-20T00:00:00Z"
    assert detail("policy-tcb", tcb=[{**rule, "until": "2025-06-18T00:00:00Z"}]) == (
        "UpToDate is affirming, and the policy's rule, warning, was until 2025-06-18T00:00:00Z")


def test_what_failed_says_so(verify, tmp_path):
    """A check that failed is no sentence that reads as if it had not."""
    raw = (VECTORS / TDX).read_bytes()
    bundle = "dcap/dcap-qvl/tdx_quote_collateral.json"
    out = verify(raw[:100] + bytes([raw[100] ^ 1]) + raw[101:], TDX_AT, bundle, code=CONTRAINDICATED)
    assert said(out, "quote-signature") == "the attestation key did not sign the quote"
    assert said(out, "qe-report-signature") == "the platform's key signed the quoting enclave's report"
    assert said(out, "policy-evidence") == "the evidence does not verify: quote-signature"
    out = verify(raw[:12] + b"\0" + raw[13:], TDX_AT, bundle, code=CONTRAINDICATED)
    assert said(out, "qe-vendor") == "the quoting enclave's vendor is 009a7233f79c4ca9940a0db3957f0607, Intel's 939a7233f79c4ca9940a0db3957f0607"
    out = verify(SGX, SGX_AT, bundle, code=CONTRAINDICATED)
    platform = said(out, "tcb-info-platform")
    assert platform.startswith("TCB info is of TDX, FMSPC b0c06f000000, PCE-ID 0000; the platform is SGX, ") and "b0c06f" not in platform[60:]
    assert said(out, "tcb-info").startswith("signed by Intel, in force from 2025-")
    case, _, evidence = generated("snp", "Genoa version 5 VLEK", tmp_path)
    assert "policy-evidence" in failed(verify(evidence, case["now"], case["folder"], "--no-revocation", code=CONTRAINDICATED))


def test_dates_for_people(caisson):
    done = subprocess.run([caisson, "attest", "verify", VECTORS / "ratls/ccc/rats-tls-cert.pem", "--at", "2023-06-01", "--no-revocation"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert "certificate_not_after    2024-02-22T" in done.stdout, done.stdout


def test_policies_that_no_evidence_matches(caisson, tmp_path):
    """A name, a size or a number that evidence of the kind never has: a mistake of who wrote it, and said before anything is judged."""
    (tmp_path / "evidence").write_bytes(SIMULATED)
    build = {"kind": "simulated", "values": {"measurement": bytes(range(32)).hex()}}
    for measurements, why in (([], "an empty list accepts nothing"), ([build, {**build, "values": {"mesurement": "00" * 32}}], "measurements[1] can never match"),
                              ([{**build, "values": {"measurement": "00" * 48}}], "has 32 bytes, here are 48"),
                              ([{"kind": "sgx", "values": {"mr_signer": "00" * 32}, "at_least": {"isv_svn": 65536}}], "never above 65535")):
        (tmp_path / "policy").write_text(json.dumps({"version": 1, "measurements": measurements}))
        done = subprocess.run([caisson, "attest", "verify", tmp_path / "evidence", "--policy", tmp_path / "policy"], capture_output=True, text=True,
                              timeout=120, check=False)
        assert done.returncode == 2 and why in done.stderr and not done.stdout, done


def claimed(out: dict) -> dict:
    """A build of everything that the evidence says, as far as a policy can name it."""
    said = {**out["measurements"], **out["claims"]}
    texts = {name: value for name, value in said.items() if isinstance(value, str) and 0 < len(value) <= 128}
    numbers = {name: value for name, value in said.items() if isinstance(value, int)}
    return {"kind": out["hardware"], "values": dict(list(texts.items())[:32 - len(numbers)]), "at_least": numbers}


@pytest.mark.parametrize("evidence, at, collateral", [
    (SGX, SGX_AT, "dcap/dcap-qvl/sgx_quote_collateral.json"), (TDX, TDX_AT, "dcap/dcap-qvl/tdx_quote_collateral.json"), (SIMULATED, None, None)])
def test_whatever_evidence_says_a_policy_may_name(verify, evidence, at, collateral):
    """What is refused as impossible is not what evidence says: each of its values, under its own name."""
    policy = {"version": 1, "insecure_accept_simulated": True}
    build = claimed(verify(evidence, at, collateral, policy=policy))
    assert len(build["values"]) + len(build["at_least"]) >= (1 if evidence is SIMULATED else 10)
    out = verify(evidence, at, collateral, policy={**policy, "measurements": [build]})
    assert "policy-measurements" not in failed(out) and "policy-measurements" in [check["name"] for check in out["checks"]], out


def test_ear(caisson):
    done = subprocess.run([caisson, "attest", "verify", VECTORS / TDX, "--collateral", VECTORS / "dcap/dcap-qvl/tdx_quote_collateral.json",
                           "--at", str(TDX_AT), "--ear"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == AFFIRMED
    ear = json.loads(done.stdout)
    known = json.loads((VECTORS / "ear/ear-claims-tv-ok.json").read_text())
    assert ear["eat_profile"] == known["eat_profile"] and ear["iat"] == TDX_AT
    assert set(ear["ear.verifier-id"]) == set(known["ear.verifier-id"])
    submodule, of_known = ear["submods"]["tdx"], known["submods"]["test"]
    assert submodule["ear.status"] == "affirming"
    assert set(of_known) <= set(submodule)
    assert set(submodule["ear.trustworthiness-vector"]) <= set(of_known["ear.trustworthiness-vector"])


# ---- usage ----

def test_usage(caisson, tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("{")
    quote, bundle = VECTORS / TDX, VECTORS / "dcap/dcap-qvl/tdx_quote_collateral.json"
    for words in ([], [tmp_path / "nothing"], [quote, quote], [quote, "--policy", bad], [quote, "--policy", tmp_path / "nothing"],
                  [quote, "--collateral", bad], [quote, "--collateral", tmp_path / "nothing"], [quote, "--collateral", quote],
                  [quote, "--at", "yesterday"], [quote, "--at", "2025-02-30T00:00:00Z"], [quote, "--at", "2025-02-30"], [quote, "--at", "2025-2-3"],
                  [quote, "--at", "2025-02"], [quote, "--at", ""], [quote, "--at", "2025-02-20T"], [quote, "--report-data", "0x"],
                  [quote, "--report-data", "00" * 65], [quote, "--report-data", "zz"], [quote, "--root", bad],
                  [quote, "--insecure-root", quote], [quote, "--colateral", bundle]):
        done = subprocess.run([str(word) for word in [caisson, "attest", "verify", *words]], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == USAGE and done.stderr, (words, done.stdout)


def test_standard_input(caisson):
    """Evidence from a pipe is what it is in a file; nothing, and more than evidence can be, is refused."""
    words = [caisson, "attest", "verify", "-", "--collateral", VECTORS / "dcap/dcap-qvl/tdx_quote_collateral.json", "--at", str(TDX_AT), "--json"]
    for form in ((VECTORS / TDX).read_bytes(), (VECTORS / TDX).read_bytes().hex().encode()):
        done = subprocess.run(words, input=form, capture_output=True, timeout=60, check=False)
        assert done.returncode == AFFIRMED and json.loads(done.stdout)["tcb_status"] == "UpToDate", done
    for form in (b"", bytes(400_000)):
        done = subprocess.run(words[:-1], input=form, capture_output=True, timeout=60, check=False)
        assert done.returncode == USAGE and b"standard input" in done.stderr and not done.stdout, done


@pytest.mark.parametrize("day, second", [("2025-06-19", "2025-06-19T00:00:00Z"), ("2028-02-29", "2028-02-29T00:00:00Z")])
def test_a_day_is_its_first_second(verify, day, second):
    assert verify(SIMULATED, day)["at"] == verify(SIMULATED, second)["at"] == second


def test_two_tcb_infos(caisson, tmp_path):
    """Which one would count is not guessed."""
    place = folder(tmp_path, "dcap/go-tdx-guest/sample_tcbInfo_response", "dcap/go-tdx-guest/sample_tcbinfo_response_v5")
    done = subprocess.run([caisson, "attest", "verify", VECTORS / TDX, "--collateral", place], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == USAGE and "second one" in done.stderr


def test_report_for_people(caisson):
    done = subprocess.run([caisson, "attest", "verify", VECTORS / SGX, "--collateral", VECTORS / "dcap/dcap-qvl/sgx_quote_collateral.json",
                           "--at", str(SGX_AT)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == WARNING
    for line in ("kind     sgx", "status   warning", "TCB      ConfigurationAndSWHardeningNeeded", "         INTEL-SA-00289",
                 "no policy names measurements"):
        assert line in done.stdout
