"""A machine is enrolled by its TPM's endorsement key, live, on swtpm: its maker's certificate, a challenge that `caisson attest challenge`
makes, TPM2_ActivateCredential by caisson-tpm-quoter, and a certificate of the operator's by which the enclave's quotes are believed."""
from __future__ import annotations

import base64
import json
import subprocess

import pytest
from Crypto.PublicKey import ECC

from enclave import manifests
from enclave.boundary import Enclave, measurement, program
from lib import swtpm, tools
from lib.endorsement import INDEX, Admission, Endorsement, quoter, run, store
from lib.tee import revocation_list
from lib.tpm_evidence import Maker, key_name, make_credential, short_coordinate

START, END = 1600000000, 2300000000
KINDS = ("p256", "p384", "rsa2048")
FORBIDDEN, USAGE, NO = 1, 2, 6


@pytest.fixture(scope="module")
def maker():
    return Maker("live ")


def lists(maker: Maker, revoked=()) -> list[bytes]:
    return [maker.ca.der, revocation_list(maker.ca, start=START, end=END, revoked=list(revoked)), revocation_list(maker.root, start=START, end=END)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory, maker):
    """A TPM with three certificates of endorsement keys in it."""
    if not (program().parent / "caisson-tpm-quoter").exists():
        pytest.skip("built without tpm2-tss: there is no caisson-tpm-quoter")
    if swtpm.missing():
        pytest.skip(swtpm.missing())
    with swtpm.Swtpm(tmp_path_factory.mktemp("tpm") / "state") as tpm:
        tpm.start(b"firmware")
        shared = swtpm.Shared(tpm)
        shared.certificates = {kind: maker.endorse(Endorsement(shared, kind)).der for kind in KINDS}
        for kind, der in shared.certificates.items():
            # Makers' indices may be longer than the certificate in them.
            store(shared, INDEX[kind], der + bytes(16 if kind == "p256" else 0))
        yield shared
        shared.close()


@pytest.fixture
def other(tmp_path):
    with swtpm.Swtpm(tmp_path / "other") as tpm:
        tpm.start(b"firmware")
        shared = swtpm.Shared(tpm)
        yield shared
        shared.close()


@pytest.fixture
def operator(tmp_path, maker):
    return Admission(tmp_path / "operator", [maker.root.der], lists(maker))


@pytest.fixture(scope="module")
def requests(machine):
    made = {}
    for kind in KINDS:
        done = quoter("--endorse", machine.path, kind)
        assert done.returncode == 0, done.stderr
        made[kind] = done.stdout
    return made


def verified(evidence, *more) -> tuple[int, dict]:
    done = subprocess.run([tools.find_build() / "bin" / "caisson", "attest", "verify", evidence, "--json", *map(str, more)],
                          capture_output=True, text=True, timeout=60, check=False)
    out = json.loads(done.stdout)
    return done.returncode, {check["name"]: check["ok"] for check in out["checks"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_is_enrolled(machine, operator, tmp_path, kind):
    certificate = operator.enrol(machine.path, kind)
    state = tmp_path / "state"
    state.mkdir()
    path = tmp_path / "m1.json"
    lineage = manifests.write(path, manifests.body(["0x" + measurement(program())]))
    options = ["--tee", "tpm", "--tee-state", str(state), "--insecure-tee-root", str(machine.path)]
    # Before: nobody vouches. By the transcript, which the operator alone has: its own endorsement.
    with Enclave(tmp_path, [path], lineage, None, options=options) as enclave:
        bare = json.loads(enclave.client().hello()["evidence"])
    evidence = tmp_path / "evidence"
    evidence.write_text(json.dumps(bare))
    assert verified(evidence)[1]["ak-trust"] is False
    bare["ek_certificate"] = base64.b64encode(machine.certificates[kind]).decode()
    evidence.write_text(json.dumps(bare))
    (operator.folder / "collateral" / "transcript").write_bytes((operator.folder / "m.transcript").read_bytes())
    code, checks = verified(evidence, "--root", operator.roots[0], "--collateral", operator.folder / "collateral")
    assert code == 4 and checks["activation"] and checks["ek-certificate"], checks
    # After: everybody who believes the operator's CA.
    (state / "ak.der").write_bytes(certificate)
    with Enclave(tmp_path, [path], lineage, None, options=options) as enclave:
        evidence.write_bytes(enclave.client().hello()["evidence"])
    code, checks = verified(evidence, "--root", operator.ca[0], "--no-revocation")
    assert code == 4 and checks["ak-certificate"] and checks["quote-signature"] and checks["tpm-crl"] is None, checks
    crl = operator.folder / "ca.crl"
    make_crl(operator, crl)
    code, checks = verified(evidence, "--root", operator.ca[0], "--collateral", crl)
    assert code == 4 and checks["tpm-crl"], checks


def make_crl(operator: Admission, path) -> None:
    """The operator's list, by OpenSSL's command."""
    (operator.folder / "index.txt").write_text("")
    (operator.folder / "openssl.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={operator.folder}/index.txt\ndefault_md=sha256\n"
                                                 "default_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n")
    done = run("openssl", "ca", "-gencrl", "-config", operator.folder / "openssl.cnf", "-cert", operator.ca[0], "-keyfile", operator.ca[1],
               "-out", path)
    assert done.returncode == 0, done.stderr


def test_the_first_certificate_that_is_there(machine):
    done = quoter("--endorse", machine.path)
    assert done.returncode == 0 and json.loads(done.stdout)["ek"] == "p384"


def test_many_challenges(machine, operator, requests):
    for i in range(8):
        kind = KINDS[i % 2]
        assert operator.challenge(requests[kind], f"n{i}").returncode == 0
        sent = json.loads((operator.folder / f"n{i}.challenge").read_text())
        assert sent["ek"] == kind
        answer = quoter("--activate", machine.path, data=json.dumps(sent).encode())
        assert json.loads(answer.stdout)["answer"] == json.loads((operator.folder / f"n{i}.keep").read_text())["secret"]


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_zeros_in_front(machine, requests, kind):
    """Of the ephemeral x and of the common one; by the generator of the vectors, which so is what a TPM understands."""
    class Seen:
        rsa, size = False, int(kind[1:]) // 8
        key = ECC.import_key(Endorsement(machine, kind).spki)
    Seen.kind = kind
    area = base64.b64decode(json.loads(requests[kind])["ak_area"])
    shared = next(i for i in range(1, 100000) if int((Seen.key.pointQ * i).x) >> (8 * Seen.size - 8) == 0).to_bytes(Seen.size, "big")
    for ephemeral in (short_coordinate(Seen), shared):
        blob, secret = make_credential(Seen, key_name(area), b"s" * 32, ephemeral, b"")
        answer = quoter("--activate", machine.path,
                        data=json.dumps({"ek": kind, "credential_blob": blob.hex(), "encrypted_secret": secret.hex()}).encode())
        assert json.loads(answer.stdout)["answer"] == (b"s" * 32).hex(), answer.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_another_machine_does_not_open_it(other, operator, requests, kind):
    assert operator.challenge(requests[kind]).returncode == 0
    sent = (operator.folder / "m.challenge").read_bytes()
    done = quoter("--activate", other.path, data=sent)
    assert done.returncode == FORBIDDEN and b"does not open it" in done.stderr and not done.stdout


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("member", ["credential_blob", "encrypted_secret"])
def test_a_changed_challenge(machine, operator, requests, kind, member):
    assert operator.challenge(requests[kind]).returncode == 0
    sent = json.loads((operator.folder / "m.challenge").read_text())
    changed = bytearray.fromhex(sent[member])
    changed[-1] ^= 1
    done = quoter("--activate", machine.path, data=json.dumps({**sent, member: changed.hex()}).encode())
    assert done.returncode == FORBIDDEN and not done.stdout


def test_what_is_no_challenge(machine, operator, requests):
    assert operator.challenge(requests["p256"]).returncode == 0
    sent = json.loads((operator.folder / "m.challenge").read_text())
    for changed, why in (({**sent, "ek": "p521"}, b"unsupported"), ({**sent, "more": ""}, b"unknown-field"), ({"ek": "p256"}, b"missing-field"),
                         ({**sent, "credential_blob": "00"}, b"malformed"), ({**sent, "encrypted_secret": sent["encrypted_secret"] + "00"}, b"malformed"),
                         ({**sent, "credential_blob": "zz"}, b"malformed"), ({**sent, "ek": "p384"}, b"forbidden")):
        done = quoter("--activate", machine.path, data=json.dumps(changed).encode())
        assert done.returncode == 1 and why in done.stderr, (changed, done.stderr)
    assert quoter("--activate", machine.path, data=b"{").returncode == 1
    assert b"too-large" in quoter("--activate", machine.path, data=b" " * 5000).stderr
    assert quoter("--activate").returncode == 64 and quoter("--other", machine.path).returncode == 64


@pytest.mark.parametrize("what, code, why", [
    ("nobody's root", NO, "ek-certificate"), ("revoked", NO, "tpm-crl"), ("no lists", NO, "tpm-crl"), ("another purpose", NO, "another purpose"),
    ("two keys", NO, "one key"), ("no attestation key", NO, "ak-attributes"), ("a large key", NO, "ek-template"), ("a member less", USAGE, "ek_certificate"),
    ("a member more", USAGE, "more"), ("no base64", USAGE, "base64"), ("no certificate", USAGE, "FILE"),
])
def test_who_is_not_challenged(machine, maker, operator, tmp_path, requests, what, code, why):
    request = json.loads(requests["p256"])
    if what == "nobody's root":
        operator = Admission(tmp_path / "stranger", [Maker("stranger ").root.der], lists(maker))
    elif what == "revoked":
        operator = Admission(tmp_path / "late", [maker.root.der], lists(maker, revoked=[13]))
    elif what == "no lists":
        operator = Admission(tmp_path / "careless", [maker.root.der], [maker.ca.der])
    elif what in ("another purpose", "a large key"):
        from lib.tee import Key
        key = Endorsement(machine, "p256") if what == "another purpose" else Key("a large ek", "rsa4096")
        der = maker.endorse(key, usage="2.23.133.8.3" if what == "another purpose" else "2.23.133.8.1").der
        request["ek_certificate"] = base64.b64encode(der).decode()
    elif what == "two keys":
        spki = bytearray(base64.b64decode(request["ak_public"]))
        spki[-1] ^= 1
        request["ak_public"] = base64.b64encode(spki).decode()
    elif what == "no attestation key":
        area = bytearray(base64.b64decode(request["ak_area"]))
        area[5] &= ~1  # not restricted: it would sign anything
        request["ak_area"] = base64.b64encode(area).decode()
    elif what == "a member less":
        del request["ek_certificate"]
    elif what == "a member more":
        request["more"] = ""
    elif what == "no base64":
        request["ak_area"] += "?"
    elif what == "no certificate":
        request["ek_certificate"], why = "AAAA", "request"
    done = operator.challenge(json.dumps(request).encode())
    assert done.returncode == code and why.encode() in done.stderr, done.stderr
    assert not (operator.folder / "m.challenge").exists() and not (operator.folder / "m.keep").exists()


def test_what_is_not_certified(machine, operator, requests):
    assert operator.challenge(requests["p256"]).returncode == 0
    keep = operator.folder / "m.keep"
    assert keep.stat().st_mode & 0o777 == 0o600
    answer = quoter("--activate", machine.path, data=(operator.folder / "m.challenge").read_bytes()).stdout
    good = json.loads(keep.read_text())

    def refused(code: int, why: str, sent: bytes = answer, *more, **options) -> None:
        done = operator.certify(sent, "m", *more, **options)
        assert done.returncode == code and why.encode() in done.stderr, done.stderr
        assert not (operator.folder / "m.der").exists()
        assert good["secret"].encode() not in done.stderr + done.stdout
    refused(NO, "not certified", b'{"answer":"%s"}' % (b"00" * 32))
    refused(NO, "not certified", b'{"answer":"%s"}' % good["secret"][:-2].encode())
    refused(NO, "not certified", b'{"answer":""}')
    refused(USAGE, "no JSON", b"")
    refused(USAGE, "more", b'{"answer":"00","more":1}')
    refused(USAGE, "--days", answer, "--days", "0")
    refused(USAGE, "ends before", answer, "--days", "3650")
    refused(USAGE, "P-256", ca=operator.make_ca("edwards", "-newkey", "ed25519"))
    refused(USAGE, "P-256", ca=(operator.ca[0], operator.make_ca("other")[1]))
    operator.ca[1].chmod(0o644)
    refused(USAGE, str(operator.ca[1]))
    operator.ca[1].chmod(0o600)
    keep.chmod(0o640)
    refused(USAGE, "m.keep")
    for changed in ({**good, "made": good["made"] - 90000}, {**good, "made": good["made"] + 90000}):
        keep.write_text(json.dumps(changed))
        keep.chmod(0o600)
        refused(NO, "older than a day")
    keep.write_text(json.dumps(good))
    assert operator.certify(answer).returncode == 0
    # Nothing is written over.
    assert operator.certify(answer).returncode == 1
    done = operator.challenge(requests["p256"])
    assert done.returncode == 1 and json.loads(keep.read_text()) == good


def test_a_tpm_without_a_certificate(other, maker, tmp_path):
    """Makers give it elsewhere: a file."""
    done = quoter("--endorse", other.path)
    assert done.returncode == 1 and b"not-found" in done.stderr
    assert b"not-found" in quoter("--endorse", other.path, "p256").stderr
    assert b"unsupported" in quoter("--endorse", other.path, "p521").stderr
    path = tmp_path / "ek.der"
    assert quoter("--endorse", other.path, "p256", path).returncode == 1
    path.write_bytes(maker.endorse(Endorsement(other, "p256")).der)
    done = quoter("--endorse", other.path, "p256", path)
    assert base64.b64decode(json.loads(done.stdout)["ek_certificate"]) == path.read_bytes()
    assert Admission(tmp_path / "operator", [maker.root.der], lists(maker)).challenge(done.stdout).returncode == 0
    store(other, INDEX["p384"], b"no certificate")
    assert b"malformed" in quoter("--endorse", other.path, "p384").stderr
