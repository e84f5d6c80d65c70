"""The attested port of a gateway, from outside: whom a client talks to, what somebody in between can make of it, and what a client may cost.
`caisson attest connect` is the judge; pretenders are servers of Python's own TLS with simulated evidence, which nobody signs and anybody can
write."""
from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
import struct
import time

import pytest

from enclave.boundary import TYPES, Refused, encode, measurement
from lib import report, tools
from lib import ratls_evidence as ra
from lib.attested import AttestedPort, Pretender, Relay, context, pem
from lib.pki import bits, integer, octets, seq, tlv
from lib.rpc import wait_for
from lib.tee import Key

INSECURE, CONTRAINDICATED, FAILED = 3, 6, 1
NONCE = bytes(range(32))
SIMULATED = b"caisson/evidence/simulated/v1\0"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    build = tools.find_build()
    with AttestedPort(tmp_path_factory.mktemp("attested"), build) as made:
        yield made


@pytest.fixture
def program():
    return tools.find_build() / "bin" / "caisson-enclave"


def failed(out: dict) -> list[str]:
    """Checks of the evidence; that the policy then has nothing to judge goes with each of them."""
    return [check["name"] for check in out["checks"] if check["ok"] is False and check["name"] != "policy-evidence"]


def spki(der: bytes) -> bytes:
    """Of P-256, found by its head: no other value of a certificate of ours has it."""
    at = der.index(bytes.fromhex("3059301306072a8648ce3d0201"))
    return der[at:at + 91]


# ---- whom a client talks to ----

def test_it_is_the_enclave(port, program):
    code, out = port.connect("--lineage", port_lineage(port))
    assert code == INSECURE and out["status"] == "warning" and failed(out) == []
    assert out["kind"] == out["hardware"] == "simulated"
    assert out["measurements"]["measurement"] == measurement(program)
    names = [check["name"] for check in out["checks"]]
    assert {"tls", "certificate", "certificate-report", "channel-binding", "one-enclave", "nonce", "lineage"} <= set(names)
    assert out["hello"]["measurement"] == "0x" + measurement(program)
    assert out["hello"]["lineage"] == port_lineage(port) and out["report"]["role"] == "bridge-enclave"
    assert "simulated_backend" in out["report"]["insecure"]


def port_lineage(port) -> str:
    with port.visit() as visitor:
        return "0x" + visitor.call("Hello", nonce=NONCE)["lineage"].hex()


def test_without_a_policy_nobody_vouches(port):
    code, out = port.connect(policy={"insecure_accept_simulated": False})
    assert code == CONTRAINDICATED and failed(out) == ["policy-simulated"]


def test_the_certificate(port, tmp_path):
    """As another library reads it; its evidence as the page says."""
    with port.visit() as visitor:
        der, hello = visitor.certificate, visitor.call("Hello", nonce=NONCE)
    (tmp_path / "c.pem").write_text(pem("CERTIFICATE", der))
    read = ssl._ssl._test_decode_cert(str(tmp_path / "c.pem"))  # OpenSSL's own
    begin, end = (int(ssl.cert_time_to_seconds(read[name])) for name in ("notBefore", "notAfter"))
    assert read["subject"] == read["issuer"] == ((("commonName", "caisson attested port"),),)
    assert end - begin == 3600 and begin <= time.time() < end
    key = hashlib.sha256(spki(der)).digest()
    about = report.Report("bridge-enclave", key, report.issued(begin), hello["manifest_hash"], hello["manifest_number"], hello["lineage"],
                          hello["schema_digest"], hello["insecure_flags"])
    claims = ra.cbor({"pubkey-hash": ra.cbor([1, key]), "caisson-report": about.data()[:32]})
    evidence = SIMULATED + hello["measurement"] + ra.padded(claims)
    assert ra.tagged([evidence, claims]) in der
    assert ra.GRAMINE_ODD not in der  # its clients verify quotes of SGX alone


def test_the_key_is_of_one_process(port):
    """Connections share it while the certificate is young."""
    with port.visit() as one, port.visit() as two:
        assert one.certificate == two.certificate


def test_what_a_visitor_may_ask(port):
    with port.visit() as visitor:
        with pytest.raises(Refused, match="UNAUTHORIZED"):
            visitor.call("Status", nonce=NONCE)
        hello = visitor.call("Hello", nonce=NONCE)
        assert hello["nonce"] == NONCE and hello["keys"]
        status = visitor.call("Status", nonce=NONCE)
        assert status["public_key"] in [key["public_key"] for key in hello["keys"]]
        with pytest.raises(Refused, match="DUPLICATE"):
            visitor.call("Hello", nonce=NONCE)
        for name in ("Init", "Export", "Rotate", "PublicKeys", "SignTransaction", "Attested", "Probe", "ClientCreate"):
            with pytest.raises(Refused, match="FORBIDDEN"):
                visitor.call(name)


# ---- somebody in between ----

def key_pem(key: Key, public: bytes | None = None) -> str:
    """SEC 1, with another public key in it where one is given."""
    secret = int(key.key.d).to_bytes(32, "big")
    point = b"\x04" + (public or key.point)
    return pem("EC PRIVATE KEY", seq(integer(1), octets(secret), tlv(0xA0, bytes.fromhex("06082a8648ce3d030107")), tlv(0xA1, bits(point))))


def peer(label: str, **more) -> ra.Peer:
    now = int(time.time())
    return ra.Peer(key=Key(label, "p256"), **({"start": now - 60, "end": now + 3000} | more))


def pretend(who: ra.Peer, of_measurement: bytes, **more) -> bytes:
    """A certificate with simulated evidence of its own, as anybody can write it."""
    of_claims = ra.claims(who.key, **more)
    return who.dice(SIMULATED + of_measurement + ra.padded(of_claims), of_claims)


def test_a_certificate_of_its_own(port, tmp_path):
    who = peer("in the middle")
    with Pretender(tmp_path, who.certificate(), key_pem(who.key)) as pretender:
        code, out = port.connect(number=pretender.number)
        assert code == CONTRAINDICATED and failed(out) and pretender.frames == []


def test_the_enclaves_certificate_and_another_key(port, tmp_path):
    """The certificate is public; to hold its key is what the handshake shows."""
    with port.visit() as visitor:
        stolen = visitor.certificate
    who = peer("thief")
    with Pretender(tmp_path, stolen, key_pem(who.key, spki(stolen)[-64:])) as pretender:
        code, out = port.connect(number=pretender.number)
        assert code == FAILED and "no TLS 1.3" in out["error"] and pretender.frames == []


def test_the_enclaves_evidence_in_another_certificate(port, tmp_path, program):
    with port.visit() as visitor:
        stolen = visitor.certificate
    who = peer("thief")
    at = stolen.index(ra.head(6, 60000) + ra.head(4, 2))
    claims = stolen[stolen.index(ra.cbor("pubkey-hash")) - 1:]
    claims = claims[:len(ra.cbor({"pubkey-hash": ra.key_hash(who.key), "caisson-report": bytes(32)}))]
    evidence = SIMULATED + bytes.fromhex(measurement(program)) + ra.padded(claims)
    assert stolen[at:].startswith(ra.tagged([evidence, claims]))
    with Pretender(tmp_path, who.dice(evidence, claims), key_pem(who.key)) as pretender:
        code, out = port.connect(number=pretender.number)
        assert code == CONTRAINDICATED and failed(out) == ["ratls-key"] and pretender.frames == []


def test_evidence_of_another_connection(port, tmp_path, program):
    """Whoever had a good certificate and a hello of the enclave, asked for over a connection of its own, would still be found: the exporter
    is another."""
    with port.visit() as visitor:
        visitor.send_raw(TYPES["Hello"], encode("HelloRequest", {"nonce": NONCE}))
        _, recorded = visitor.receive()
    who = peer("replay")
    with Pretender(tmp_path, pretend(who, bytes.fromhex(measurement(program))), key_pem(who.key), recorded) as pretender:
        code, out = port.connect(number=pretender.number)
        assert code == CONTRAINDICATED and [kind for kind, _ in pretender.frames] == [TYPES["Hello"]]
        assert {"channel-binding", "certificate-report", "nonce"} <= set(failed(out))


@pytest.mark.parametrize("start, end", [(-7200, -1), (600, 3600)], ids=["expired", "not yet"])
def test_dates(port, tmp_path, program, start, end):
    now = int(time.time())
    who = peer("dates", start=now + start, end=now + end)
    with Pretender(tmp_path, pretend(who, bytes.fromhex(measurement(program))), key_pem(who.key)) as pretender:
        code, out = port.connect(number=pretender.number)
        assert code == CONTRAINDICATED and failed(out) == ["ratls-dates"] and pretender.frames == []


def test_another_enclave(port, program):
    """Genuine, but not the one that the policy names, or not of the lineage."""
    named = {"measurements": [{"kind": "simulated", "values": {"measurement": measurement(program)}}]}
    assert port.connect(policy=named)[0] == INSECURE
    named["measurements"][0]["values"]["measurement"] = "ab" * 32
    code, out = port.connect(policy=named)
    assert code == CONTRAINDICATED and "tls" not in [check["name"] for check in out["checks"]]
    code, out = port.connect("--lineage", "0x" + "ab" * 32)
    assert code == CONTRAINDICATED and failed(out) == ["lineage"]


def test_evidence_of_two_enclaves(port, tmp_path):
    """A certificate of one build in front of the hello of another."""
    with port.visit() as visitor:
        visitor.send_raw(TYPES["Hello"], encode("HelloRequest", {"nonce": NONCE}))
        _, recorded = visitor.receive()
    who = peer("two")
    with Pretender(tmp_path, pretend(who, b"\xee" * 32), key_pem(who.key), recorded) as pretender:
        code, out = port.connect(number=pretender.number)
        assert code == CONTRAINDICATED and "one-enclave" in failed(out)


def test_bytes_may_be_carried_by_anybody(port):
    relay = Relay(("127.0.0.1", port.number))
    code, out = port.connect(number=relay.number)
    assert code == INSECURE and failed(out) == []
    assert relay.seen and not relay.has(bytes.fromhex(out["hello"]["lineage"][2:]))
    relay.close()


def test_answers_that_are_none(port, tmp_path, program):
    for answer in (b"", b"\xff" * 40, b"\x08\x02"):
        who = peer("nonsense")
        with Pretender(tmp_path, pretend(who, bytes.fromhex(measurement(program))), key_pem(who.key), answer) as pretender:
            code, out = port.connect(number=pretender.number)
            assert code == FAILED and out["error"]
    listener = socket.create_server(("127.0.0.1", 0))
    number = listener.getsockname()[1]
    listener.close()
    code, out = port.connect(number=number)
    assert code == FAILED and "refused" in out["error"].lower()


# ---- TLS ----

def test_no_older_tls(port):
    with pytest.raises(ssl.SSLError):
        port.visit(tls=context(ssl.TLSVersion.TLSv1_2))
    with port.visit() as visitor:
        assert visitor.socket.version() == "TLSv1.3"


def test_nothing_is_resumed(port):
    tls = context()
    with port.visit(tls=tls) as visitor:
        visitor.call("Hello", nonce=NONCE)
        session = visitor.socket.session
        assert not session.has_ticket
    with port.visit(tls=tls, session=session) as again:
        assert not again.socket.session_reused
        with pytest.raises(Refused, match="UNAUTHORIZED"):
            again.call("Status", nonce=NONCE)


def test_nobody_on_the_way_reads(port):
    """The gateway's log and what goes through its pipe to the enclave: the host's own requests are there in the clear, the client's never."""
    marker = os.urandom(32)
    with port.visit() as visitor:
        assert visitor.call("Hello", nonce=marker)["nonce"] == marker
        status = visitor.call("Status", nonce=marker)
    assert port.pipe.has(b"caisson/evidence/simulated/v1")  # of the host's own hello
    for secret in (marker, status["signature"], status["digest"]):
        assert not port.pipe.has(secret)
        assert secret.hex() not in port.log.read_text()


# ---- what a client may cost ----

def hello_works(port) -> bool:
    try:
        with port.visit() as visitor:
            return visitor.call("Hello", nonce=NONCE)["nonce"] == NONCE
    except OSError:
        return False


def client_hello() -> bytes:
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context().wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


def test_cut_bytes(port):
    first = client_hello()
    for n in (1, 5, 6, len(first) // 2, len(first) - 1, len(first)):
        with socket.create_connection(("127.0.0.1", port.number), timeout=30) as half:
            half.sendall(first[:n])
    assert wait_for(lambda: hello_works(port), 30, "an answer after cut handshakes")


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x00" * 100],
                         ids=["HTTP", "a long record", "zeros"])
def test_no_tls(port, first):
    with socket.create_connection(("127.0.0.1", port.number), timeout=30) as other:
        try:
            other.sendall(first)
            while other.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert hello_works(port)
    wait_for(lambda: re.search(r"attested\.ended .*why=crypto", port.log.read_text()), 10, "the reason in the log")


def test_a_broken_frame(port):
    for head in (struct.pack(">IHHQ", 65537, 2, 0, 1), struct.pack(">IHHQ", 0, 3, 0, 1), struct.pack(">IHHQ", 0, 2, 1, 1)):
        with port.visit() as visitor:
            visitor.socket.sendall(head)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                visitor.receive()


def test_silent_clients_make_room(port):
    """More of them than there are places; whoever speaks is served at once."""
    silent = [socket.create_connection(("127.0.0.1", port.number), timeout=30) for _ in range(4 * port.settings["connections_max"])]
    began = time.monotonic()
    assert wait_for(lambda: hello_works(port), 30, "an answer beside silent clients")
    assert time.monotonic() - began < port.settings["idle_ms"] / 1000
    for one in silent:
        one.close()


def test_slow_clients_are_cut(port):
    """They hold every place with half a handshake, until their time is over."""
    first = client_hello()
    slow = [socket.create_connection(("127.0.0.1", port.number), timeout=60) for _ in range(port.settings["connections_max"])]
    for one in slow:
        one.sendall(first[:100])
    for one in slow:
        try:
            assert one.recv(1) == b""
        except ConnectionResetError:
            pass
        one.close()
    assert wait_for(lambda: hello_works(port), 30, "an answer after slow clients")


def test_a_flood(tmp_path):
    """Two new connections in a second are let in; the host's own session never waits."""
    with AttestedPort(tmp_path, tools.find_build(), connections_per_s=2) as port:
        began, served = time.monotonic(), 0
        first = client_hello()
        for _ in range(150):
            try:
                with socket.create_connection(("127.0.0.1", port.number), timeout=30) as one:
                    one.sendall(first)
                    served += len(one.recv(1))
            except (ConnectionResetError, BrokenPipeError):
                pass
        seconds = time.monotonic() - began
        assert served <= 2 * (seconds + 2)
        wait_for(lambda: "attested.turned_away" in port.log.read_text(), 30, "a word of it in the log")
        assert wait_for(lambda: hello_works(port), 60, "an answer after the flood")
        assert "enclave.lost" not in port.log.read_text()


def test_no_more_requests_than_that(port):
    with port.visit() as visitor:
        visitor.call("Hello", nonce=NONCE)
        for _ in range(63):
            visitor.call("Status", nonce=NONCE)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            visitor.call("Status", nonce=NONCE)


# ---- starts ----

def test_the_gateway_comes_back(tmp_path):
    with AttestedPort(tmp_path, tools.find_build()) as port:
        with port.visit() as visitor:
            before = visitor.certificate
            port.process.kill()
            with pytest.raises((OSError, ssl.SSLError)):
                visitor.call("Hello", nonce=NONCE)
        port.start()
        with port.visit() as visitor:
            assert visitor.certificate == before  # the enclave is the same
        assert port.connect()[0] == INSECURE
        port.enclave.stop()
        with pytest.raises((OSError, ssl.SSLError)):
            wait_for(lambda: not port.visit(), 5, "the end of the port")


def test_an_enclave_without_it(tmp_path):
    """The host says that there is a port, the enclave has none: clients are cut, and the log says why."""
    with AttestedPort(tmp_path, tools.find_build(), enclave_arguments=()) as port:
        with pytest.raises((OSError, ssl.SSLError)):
            port.visit()
        wait_for(lambda: "without --attested" in port.log.read_text(), 10, "the reason in the log")
