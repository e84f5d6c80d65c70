"""Whose certificates are believed: by name, time, chain, strength, transparency, pins, revocation."""
from __future__ import annotations

import hashlib
import ssl
import time
from pathlib import Path

import pytest

from lib import fetch, pki, tools
from lib.tools import Missing

from .conftest import HOST

DAY = pki.DAY
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # old versions are what is refused


def refused(world, certificate, words: str, *, chain=None, **request):
    with world.server(certificate=certificate, chain=chain) as server:
        reply = world.client.get(HOST, server.port, **request)
    assert (reply.code, reply["status"], reply.body) == ("tls", 0, b""), reply
    assert words in reply["why"], reply["why"]
    return reply


def taken(world, certificate, **request):
    with world.server(certificate=certificate) as server:
        reply = world.client.get(HOST, server.port, **request)
    assert reply.code == "ok", reply
    return reply


def test_private_ca_and_what_the_evidence_says(world):
    before = int(time.time())
    reply = taken(world, world.leaf)
    assert reply.body == b'{"price":"1.25"}'
    assert reply["leaf"] == hashlib.sha256(world.leaf.key.spki).hexdigest()
    assert reply["issuer"] == hashlib.sha256(world.private.key.spki).hexdigest()
    assert (reply["version"], reply["http2"], reply["reused"], reply["stapled"], reply["scts"]) == (0x0304, 0, 0, 0, 0)
    assert reply["cipher"] in (0x1301, 0x1302, 0x1303) and before <= reply["completed"] <= time.time()


def test_tls_12_is_enough(world):
    with world.server(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)) as server:
        reply = world.client.get(HOST, server.port)
    assert reply.code == "ok" and reply["version"] == 0x0303 and reply["cipher"] >> 8 in (0xC0, 0xCC)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_tls_is_not(world, version):
    with world.server(versions=(version, version)) as server:
        assert world.client.get(HOST, server.port).code == "tls"


@pytest.mark.parametrize("cipher, code", [("ECDHE-ECDSA-AES128-SHA", "tls"), ("ECDHE-ECDSA-AES256-SHA384", "tls"), ("AECDH-AES128-SHA", "tls"),
                                          ("ECDHE-ECDSA-AES128-GCM-SHA256", "ok"), ("ECDHE-ECDSA-CHACHA20-POLY1305", "ok")])
def test_ciphers_of_tls_12(world, cipher, code):
    """Only with forward secrecy, authenticated encryption and a certificate."""
    with world.server(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)) as server:
        server.context.set_ciphers(f"{cipher}:@SECLEVEL=0")
        assert world.client.get(HOST, server.port).code == code


def test_expired(world):
    refused(world, pki.issue("old", world.private, names=[HOST], start=time.time() - 91 * DAY), "expired")


def test_not_yet_valid(world):
    refused(world, pki.issue("new", world.private, names=[HOST], start=time.time() + 3600), "not yet valid")


def test_dates_count_by_the_enclaves_interval(world):
    """The machine's own clock says that it is fine."""
    soon = pki.issue("soon", world.private, names=[HOST], start=time.time() - 60, days=(3600 + 60) / DAY)
    try:
        taken(world, soon)
        world.client.clock(-120, 0)
        refused(world, soon, "not yet valid")
        world.client.clock(0, 7200)
        refused(world, soon, "expired")
        world.client.clock(0, -1)
        refused(world, soon, "no source of time")
    finally:
        world.client.clock(0)


def test_wrong_name(world):
    refused(world, pki.issue("x", world.private, names=["other.example.test"]), "hostname mismatch")


def test_the_common_name_is_no_name(world):
    refused(world, pki.issue(HOST, world.private), "hostname mismatch")


@pytest.mark.parametrize("name", ["*.test", "a*.example.test", "*.api.example.test"])
def test_wildcards_that_do_not_match(world, name):
    refused(world, pki.issue("x", world.private, names=[name]), "hostname mismatch")


def test_wildcard_of_one_label(world):
    taken(world, pki.issue("x", world.private, names=["*.example.test"]))


def test_self_signed(world):
    certificate = pki.issue("self", names=[HOST])
    refused(world, certificate, "self-signed", chain=certificate.pem)


def test_unknown_root(world):
    refused(world, pki.issue("x", pki.authority("nobody's root"), names=[HOST]), "unable to get local issuer")


def test_a_leaf_does_not_issue(world):
    refused(world, pki.issue("x", pki.issue("no CA", world.private, names=[HOST]), names=[HOST]), "invalid CA")


def test_intermediate_is_needed_and_dated(world):
    leaf = pki.issue("x", world.middle, names=[HOST], logs=world.logs[:2])
    refused(world, leaf, "unable to get local issuer", chain=leaf.pem)
    late = pki.authority("late intermediate", world.public, start=time.time() - 20 * DAY, days=10)
    refused(world, pki.issue("x", late, names=[HOST], logs=world.logs[:2]), "expired")


def test_weak_keys(world):
    refused(world, pki.issue("x", world.private, key=pki.Key(1024), names=[HOST]), "key")
    refused(world, pki.issue("x", world.private, key=pki.Key("P-224"), names=[HOST]), "handshake")
    weak = pki.authority("weak intermediate", world.private, key=pki.Key("P-224"))
    refused(world, pki.issue("x", weak, names=[HOST]), "curve")


def test_rsa_2048_and_stronger_curves_are_fine(world):
    taken(world, pki.issue("x", world.private, key=pki.Key(2048), names=[HOST]))
    taken(world, pki.issue("x", world.private, key=pki.Key("P-384"), names=[HOST]))


def test_sha1_signature(world):
    middle = pki.authority("RSA intermediate", world.private, key=pki.Key(2048))
    taken(world, pki.issue("x", middle, names=[HOST]))
    refused(world, pki.issue("x", middle, names=[HOST], sha1=True), "weak")


def test_lifetime(world):
    year = pki.issue("x", world.private, names=[HOST], days=398)
    refused(world, pki.issue("x", world.private, names=[HOST], days=399), "lives longer")
    taken(world, year)
    refused(world, year, "lives longer", lifetime_max_days=90)
    taken(world, pki.issue("x", world.private, names=[HOST], days=800), lifetime_max_days=825)


def test_mozillas_bundle(world):
    """Every root that Debian ships is taken, and none of them vouches for our server."""
    bundle = [ssl.PEM_cert_to_DER_cert(path.read_text()) for path in sorted(Path("/usr/share/ca-certificates/mozilla").glob("*.crt"))]
    if len(bundle) < 50:
        raise Missing("ca-certificates", "apt-get install ca-certificates")
    client = world.start("mozilla", anchors=[(pki.Certificate(der, None, "", 0), False) for der in bundle])
    with world.server() as server:
        reply = client.get(HOST, server.port)
    assert reply.code == "tls" and "unable to get local issuer" in reply["why"]


# ---- transparency ----

def test_two_logs_of_two_operators(world):
    reply = taken(world, pki.issue("x", world.middle, names=[HOST], logs=[world.logs[0], world.logs[2]]))
    assert reply["scts"] == 2
    assert reply["issuer"] == hashlib.sha256(world.middle.key.spki).hexdigest()


def test_no_timestamps(world):
    refused(world, pki.issue("x", world.middle, names=[HOST]), "too few signed certificate timestamps")


def test_one_timestamp_is_too_few_and_asked_for_one_enough(world):
    one = pki.issue("x", world.middle, names=[HOST], logs=world.logs[:1])
    refused(world, one, "too few")
    assert taken(world, one, sct_min=1)["scts"] == 1


def test_two_logs_of_one_operator_count_once(world):
    refused(world, pki.issue("x", world.middle, names=[HOST], logs=world.logs[1:]), "too few")


def test_a_log_that_the_manifest_does_not_list(world):
    refused(world, pki.issue("x", world.middle, names=[HOST], logs=[world.logs[0], pki.Log(3)]), "too few")


def test_a_timestamp_under_another_key(world):
    forged = pki.Log(2, key=pki.Key())
    forged.key.spki_hash = world.logs[1].key.spki_hash
    refused(world, pki.issue("x", world.middle, names=[HOST], logs=[world.logs[0], forged]), "too few")


def test_timestamps_of_the_future(world):
    refused(world, pki.issue("x", world.middle, names=[HOST], logs=world.logs[:2], stamps_at=time.time() + 600), "too few")


def test_timestamps_of_another_certificate(world):
    """The list is right, for the same name at another issuer."""
    class Replayed(pki.Log):
        def timestamp(self, tbs, issuer, at=None):
            return super().timestamp(tbs + b"\x00", issuer, at)
    logs = [world.logs[0], Replayed(2, key=world.logs[1].key)]
    refused(world, pki.issue("x", world.middle, names=[HOST], logs=logs), "too few")


def test_none_asked_for_is_for_private_cas_alone(world):
    refused(world, pki.issue("x", world.middle, names=[HOST]), "not a private one", sct_min=0)
    taken(world, world.leaf, sct_min=0)
    refused(world, world.leaf, "too few", sct_min=1)


def test_a_log_that_was_retired(world):
    logs = [pki.Log(1), pki.Log(2, retired=int(time.time()) - 10 * DAY)]
    client = world.start("retired", logs=logs)
    for at, code in ((time.time() - 11 * DAY, "ok"), (time.time() - 9 * DAY, "tls")):
        leaf = pki.issue("x", world.middle, names=[HOST], logs=logs, stamps_at=at)
        with world.server(certificate=leaf) as server:
            assert client.get(HOST, server.port).code == code


# ---- pins ----

def test_pins(world):
    leaf = pki.issue("x", world.middle, names=[HOST], logs=world.logs[:2])
    for key in (leaf.key, world.middle.key, world.public.key):
        taken(world, leaf, pins=[world.private.key.spki_hash.hex(), key.spki_hash.hex()])
    refused(world, leaf, "pins", pins=[world.private.key.spki_hash.hex()])


def test_pins_hold_on_a_connection_that_is_already_open(world):
    requests = []
    with world.server(fetch.answering(fetch.ok(), requests=requests)) as server:
        assert world.client.get(HOST, server.port, "/open").code == "ok"
        reply = world.client.get(HOST, server.port, "/secret", pins=["00" * 32])
    assert reply.code == "tls" and "pins" in reply["why"]
    assert len(requests) == 1 and b"/secret" not in requests[0], "the request went out before its pins were checked"


# ---- revocation ----

@pytest.fixture(scope="module")
def stapling(world):
    """A function: what a real nginx with this staple gives."""
    count = iter(range(1000))

    def ask(staple, leaf, **request):
        folder = world.folder / f"nginx-{next(count)}"
        with fetch.Nginx(folder, tools.free_ports(1)[0], leaf, staple=staple) as server:
            return world.client.get(HOST, server.port, "/price", **request)
    return ask


def test_good_staple(world, stapling):
    reply = stapling(pki.ocsp(world.leaf), world.leaf, stapled=True)
    assert (reply.code, reply["stapled"]) == ("ok", 1)


def test_staple_of_an_appointed_responder(world, stapling):
    responder = pki.issue("responder", world.private, responder=True)
    assert stapling(pki.ocsp(world.leaf, signer=responder), world.leaf)["stapled"] == 1


def test_no_staple(world, stapling):
    assert stapling(None, world.leaf)["stapled"] == 0
    reply = stapling(None, world.leaf, stapled=True)
    assert reply.code == "tls" and "no OCSP" in reply["why"]


def test_certificate_that_demands_a_staple(world, stapling):
    leaf = pki.issue("x", world.private, names=[HOST], must_staple=True)
    assert stapling(None, leaf).code == "tls"
    assert stapling(pki.ocsp(leaf), leaf).code == "ok"


def test_bad_staples(world, stapling):
    now = time.time()
    leaf, other = world.leaf, pki.issue("other", world.private, names=[HOST])
    imposter = pki.issue("imposter", world.private, names=[HOST])
    bad = {"revoked": pki.ocsp(leaf, "revoked"), "does not know": pki.ocsp(leaf, "unknown"),
           "out of date": pki.ocsp(leaf, start=now - 8 * DAY), "of the future": pki.ocsp(leaf, start=now + 3600),
           "no end": pki.ocsp(leaf, days=None), "another certificate": pki.ocsp(leaf, serial=other.serial),
           "not signed by the issuer": pki.ocsp(leaf, signer=imposter)}
    for words, staple in bad.items():
        reply = stapling(staple, leaf)
        assert reply.code == "tls" and words in reply["why"], (words, reply)


# ---- sessions ----

@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_evidence_of_a_connection_that_is_reused_and_of_a_session_that_is_resumed(world, version):
    leaf = pki.issue("x", world.middle, names=[HOST], logs=world.logs[:2])
    with fetch.Nginx(world.folder / f"resumed-{version}", tools.free_ports(1)[0], leaf, staple=pki.ocsp(leaf), http2=False, protocols=version,
                     extra="location = /close { keepalive_timeout 0; return 200 '$ssl_session_reused'; }") as server:
        first = world.client.get(HOST, server.port, "/price", stapled=True)
        second = world.client.get(HOST, server.port, "/close", stapled=True)
        third = world.client.get(HOST, server.port, "/close", stapled=True)
    assert [r.code for r in (first, second, third)] == ["ok"] * 3, (first, second, third)
    assert [r["reused"] for r in (first, second, third)] == [0, 1, 1]
    assert third.body == b"r", "the session was not resumed"
    for reply in (second, third):
        assert {k: reply[k] for k in ("leaf", "issuer", "scts", "stapled", "version")} == \
            {k: first[k] for k in ("leaf", "issuer", "scts", "stapled", "version")}


def test_old_evidence_is_renewed(world):
    """An hour later neither the open connection nor the session is good enough."""
    with world.server() as server:
        assert world.client.get(HOST, server.port)["reused"] == 0
        assert world.client.get(HOST, server.port)["reused"] == 1
        assert server.connections == 1
        try:
            world.client.clock(3700)
            assert world.client.get(HOST, server.port)["reused"] == 0
            assert server.connections == 2
        finally:
            world.client.clock(0)


def test_a_connection_does_not_outlive_its_certificate(world):
    short = pki.issue("short", world.private, names=[HOST], start=time.time() - 60, days=(600 + 60) / DAY)
    with world.server(certificate=short) as server:
        assert world.client.get(HOST, server.port).code == "ok"
        try:
            world.client.clock(900)
            reply = world.client.get(HOST, server.port)
        finally:
            world.client.clock(0)
    assert reply.code == "tls" and "expired" in reply["why"]
