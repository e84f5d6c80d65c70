"""docker/nginx before a gateway, as an operator copies it: only ports and the address that it listens at are others. Once for everybody,
once for those who show a client certificate."""
from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import websocket

from lib import openapi, pki
from lib.events import ServerSentEvents, read_until
from lib.fetch import NginxServer, temporary_files
from lib.rpc import wait_for
from lib.tools import ROOT, free_ports
from lib.world import World, account

FILES = ROOT / "docker" / "nginx"
BODY_MAX = 6 * 1024 * 1024
HOST = "127.0.0.1"
EXIT_UNREACHABLE = 4


class Front:
    """nginx with our files, under what Debian's own nginx.conf says of TLS; `clients`: an authority, whose certificates are wanted."""

    def __init__(self, folder: Path, gateway, root: pki.Certificate, clients: pki.Certificate | None = None):
        folder.mkdir(mode=0o755)
        (folder / "caisson").mkdir()
        (folder / "conf.d").mkdir()
        certificate = pki.issue("gateway.example.org", root, names=["gateway.example.org", HOST])
        (folder / "caisson/chain.pem").write_text(certificate.chain_pem)
        (folder / "caisson/key.pem").write_text(certificate.key.pem + "\n")
        (folder / "root.pem").write_text(root.pem)
        if clients:
            (folder / "caisson/clients-ca.pem").write_text(clients.pem)
            shutil.copy(FILES / "clients.conf", folder / "caisson")
        self.port = free_ports(1)[0]
        text = (FILES / "caisson.conf").read_text()
        for given, here in (("listen 443 ssl;", f"listen {HOST}:{self.port} ssl;"), ("listen [::]:443 ssl;", ""),
                            ("server 127.0.0.1:8080;", f"server {HOST}:{gateway.port};"), ("server 127.0.0.1:8081;", f"server {HOST}:{gateway.events_port};")):
            assert text.count(given) == 1, given
            text = text.replace(given, here)
        (folder / "conf.d/caisson.conf").write_text(text)
        self.folder, self.gateway = folder, gateway
        self.nginx = NginxServer(folder, f"""
worker_processes 2;
events {{ worker_connections 768; }}
http {{
  access_log {folder}/access.log; default_type application/octet-stream; {temporary_files(folder)}
  ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on; gzip on;
  include conf.d/*.conf;
}}
""", self.port, HOST)

    def tls(self, client: pki.Certificate | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "root.pem"))
        if client:
            context.load_cert_chain(*self.files_of(client))
        return context

    def files_of(self, client: pki.Certificate) -> tuple[Path, Path]:
        chain, key = self.folder / f"{client.serial}.pem", self.folder / f"{client.serial}.key"
        chain.write_text(client.pem)
        key.write_text(client.key.pem + "\n")
        return chain, key

    def connect(self, client: pki.Certificate | None = None, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(HOST, self.port, timeout=30, context=context or self.tls(client))

    def ask(self, method: str, path: str, body: bytes | dict | None = None, key: str | None = "", client: pki.Certificate | None = None, **headers: str):
        """(status, headers, body as JSON where it is some); every answer is as the gateway's description has it. key: None for no header."""
        connection = self.connect(client)
        given = {"Authorization": f"Bearer {key or self.gateway.key}"} if key is not None else {}
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method, path, body, {**given, **headers})
        reply = connection.getresponse()
        raw = reply.read()
        connection.close()
        if openapi.is_installed():
            openapi.description().check(method, path, reply.status, reply.headers, raw)
        return reply.status, reply.headers, json.loads(raw) if "json" in (reply.headers["Content-Type"] or "") else raw

    def websocket(self, cursor: int | None = None, client: pki.Certificate | None = None, key: str | None = None) -> websocket.WebSocket:
        certificate = dict(zip(("certfile", "keyfile"), map(str, self.files_of(client)))) if client else {}
        return websocket.create_connection(f"wss://{HOST}:{self.port}/v1/events" + (f"?cursor={cursor}" if cursor is not None else ""), timeout=30,
                                           header=[f"Authorization: Bearer {key or self.gateway.key}"],
                                           sslopt={"ca_certs": str(self.folder / "root.pem"), **certificate})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.nginx.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("proxy"), "anvil", block_time=0.5) as w:
        yield w


@pytest.fixture(scope="module")
def root() -> pki.Certificate:
    return pki.authority("of the server")


@pytest.fixture(scope="module")
def clients() -> pki.Certificate:
    return pki.authority("of clients")


@pytest.fixture(scope="module")
def front(world, root, tmp_path_factory):
    with Front(tmp_path_factory.mktemp("front") / "nginx", world.gateways[0], root) as f:
        yield f


@pytest.fixture(scope="module")
def guarded(world, root, clients, tmp_path_factory):
    with Front(tmp_path_factory.mktemp("guarded") / "nginx", world.gateways[0], root, clients) as f:
        yield f


# ---- what passes ----

def test_rest(world, front):
    gateway, abroad = world.gateways[0], world.sides[1]
    status, headers, told = front.ask("GET", "/v1/chains")
    assert status == 200 and told["chains"][0]["id"] == world.chains[0].caip2 and headers["Server"] in (None, "nginx")
    assert headers["Strict-Transport-Security"] and headers.get_all("X-Content-Type-Options") == ["nosniff"]
    body = {"to": account(abroad, abroad.app.address), "payload": "0x" + b"over TLS".hex(), "mode": "sponsored"}
    key = {"Idempotency-Key": "over TLS"}
    status, _, made = front.ask("POST", "/v1/messages", body, **key)
    assert status == 202
    status, headers, again = front.ask("POST", "/v1/messages", body, **key)
    assert (status, again) == (202, made) and headers["Idempotent-Replayed"] == "true"
    gateway.ends(made["request_id"])
    for path in ("/openapi.json", "/ui"):
        tag = front.ask("GET", path)[1]["ETag"]
        assert path == "/ui" or front.ask("GET", path, **{"If-None-Match": tag})[0] == 304
    # What the gateway refuses is its own to say.
    for key, status in (("x" * 40, 401), (gateway.peer_key, 403)):
        assert front.ask("GET", "/v1/chains", key=key)[0] == status
    assert front.ask("GET", "/v1/chains", key=None)[0] == 401


def test_figures_are_not_for_everybody(world, front):
    assert world.gateways[0].request("GET", "/metrics")[0] == 200
    for path in ("/metrics", "/metrics?x=1", "//metrics", "/%6Detrics", "/docs/../metrics", "/metrics/"):
        connection = front.connect()
        connection.request("GET", path)
        reply = connection.getresponse()
        assert b"caisson_" not in reply.read() and reply.status in (400, 404), path
        connection.close()


def is_end_of(message_id: str):
    return lambda event: event.get("id") == message_id and event["state"] == "finalized" and event["side"] == "source"


def test_events_resume(world, front):
    """As they happen, by both ways on the one port, from any cursor; the same as the gateway's own port tells."""
    gateway = world.gateways[0]
    cursor = gateway.get("/v1/status")["event_cursor"]
    live, socket_ = ServerSentEvents(front.connect(), gateway.key), front.websocket()
    assert live.reply.status == 200 and live.reply.headers["Content-Type"] == "text/event-stream" and next(live) == {"retry": "1000"}
    message_id = world.send(b"behind a proxy")
    # It is told though the stream goes on: nothing waits for a buffer to fill, or for the end.
    first = live.until(lambda event: event.get("id") == message_id)
    assert first[-1]["state"] == "observed"
    seen = read_until(socket_, is_end_of(message_id))
    assert seen[0]["cursor"] > cursor and [e["cursor"] for e in seen] == list(range(seen[0]["cursor"], seen[-1]["cursor"] + 1))
    at = first[-1]["cursor"]
    rest = [e for e in seen if e["cursor"] > at]
    assert rest and ServerSentEvents(front.connect(), gateway.key, **{"Last-Event-ID": str(at)}).until(is_end_of(message_id)) == rest
    assert read_until(front.websocket(at), is_end_of(message_id)) == rest
    direct = ServerSentEvents(http.client.HTTPConnection(HOST, gateway.port, timeout=30), gateway.key, f"?cursor={at}")
    assert direct.until(is_end_of(message_id)) == rest


def test_events_by_the_command_line(world, front):
    """With the URL alone: the stream is where the rest is, not at the gateway's own port. Whom the authority is not known to trusts nobody."""
    gateway = world.gateways[0]
    argv = [world.build / "bin" / "caisson", "events", "--url", f"https://{HOST}:{front.port}", "--key-file", gateway.key_file]
    cursor = ["--cursor", str(gateway.get("/v1/status")["event_cursor"])]
    message_id = world.send(b"for the command line")
    with subprocess.Popen([*argv, *cursor, "--ca-file", front.folder / "root.pem"], stdout=subprocess.PIPE, text=True) as program:
        try:
            assert any(is_end_of(message_id)(json.loads(line)) for line in program.stdout)
        finally:
            program.kill()
    run = subprocess.run([*argv, *cursor], capture_output=True, text=True, timeout=60)
    assert run.returncode == EXIT_UNREACHABLE and "certificate" in run.stderr, run.stderr


def test_events_that_are_refused(front):
    for more, status in (({"key": "x" * 40}, 401), ({"cursor": 10**9}, 409)):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            front.websocket(**more)
        assert refused.value.status_code == status
    stream = ServerSentEvents(front.connect(), "x" * 40)
    assert stream.reply.status == 401
    stream = ServerSentEvents(front.connect(), front.gateway.key, "?cursor=1000000000")
    assert stream.reply.status == 409 and json.loads(stream.reply.read())["code"] == "conflict"


# ---- TLS ----

def handshake(port: int, version: ssl.TLSVersion) -> str:
    """The version that was agreed, of a client that has no other and would take any cipher."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((HOST, port), 30) as plain, context.wrap_socket(plain) as over:
        return over.version()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_not(front, root, tmp_path):
    assert handshake(front.port, ssl.TLSVersion.TLSv1_2) == "TLSv1.2" and handshake(front.port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
            handshake(front.port, version)
    # The same client gets it from a server that has it.
    port = free_ports(1)[0]
    for name in ("chain.pem", "key.pem"):
        shutil.copy(front.folder / "caisson" / name, tmp_path)
    with NginxServer(tmp_path, f"""
events {{ }}
http {{
  access_log off; {temporary_files(tmp_path)}
  server {{ listen {HOST}:{port} ssl; ssl_certificate chain.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; }}
}}
""", port):
        assert handshake(port, ssl.TLSVersion.TLSv1_1) == "TLSv1.1"


def test_no_answer_in_the_clear(front):
    connection = http.client.HTTPConnection(HOST, front.port, timeout=30)
    connection.request("GET", "/v1/chains", headers={"Authorization": f"Bearer {front.gateway.key}"})
    assert connection.getresponse().status == 400


def test_clients_certificates(world, guarded, clients):
    gateway, one = world.gateways[0], pki.issue("an application", clients, client=True)
    assert guarded.ask("GET", "/v1/chains", client=one)[0] == 200
    assert guarded.ask("GET", "/v1/chains", client=one, key="x" * 40)[0] == 401  # it is no API key
    message_id = world.send(b"with a certificate")
    gateway.ends(message_id)
    assert read_until(guarded.websocket(0, one), is_end_of(message_id))
    assert ServerSentEvents(guarded.connect(one), gateway.key, "?cursor=0").until(is_end_of(message_id))


def stranger(kind: str, clients: pki.Certificate) -> pki.Certificate | None:
    other = pki.authority("of clients")  # of the same name
    return {"none": lambda: None,
            "of another authority": lambda: pki.issue("an application", other, client=True),
            "signed by itself": lambda: pki.issue("an application", client=True),
            "expired": lambda: pki.issue("an application", clients, client=True, start=1_700_000_000, days=1),
            "of a server": lambda: pki.issue("an application", clients)}[kind]()


@pytest.mark.parametrize("kind", ["none", "of another authority", "signed by itself", "expired", "of a server"])
def test_clients_certificates_that_are_refused(guarded, clients, kind):
    """With an API key that is right: the gateway does not hear of it."""
    client = stranger(kind, clients)
    for method, path, body in (("GET", "/v1/chains", None), ("POST", "/v1/messages", {}), ("GET", "/healthz", None), ("GET", "/ui", None)):
        connection = guarded.connect(client)
        connection.request(method, path, json.dumps(body) if body is not None else None, {"Authorization": f"Bearer {guarded.gateway.key}"})
        reply = connection.getresponse()
        problem = json.loads(reply.read())
        assert reply.status == 403 and problem["code"] == "forbidden" and "certificate" in problem["detail"]
        assert reply.headers["Content-Type"] == "application/problem+json"
    assert ServerSentEvents(guarded.connect(client), guarded.gateway.key).reply.status == 403
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        guarded.websocket(client=client)
    assert refused.value.status_code == 403


# ---- bounds ----

def test_a_body_that_is_too_large(front):
    """The gateway's own bound is the same: what is just below it gets there."""
    for size, status, code in ((BODY_MAX + 1, 413, "too-large"), (BODY_MAX, 400, "malformed")):
        got, headers, problem = front.ask("POST", "/v1/messages", b" " * size)
        assert (got, problem["code"]) == (status, code) and headers["Content-Type"] == "application/problem+json"


def test_a_body_of_no_told_size_that_is_too_large(front):
    connection = front.connect()
    connection.request("POST", "/v1/messages", (b" " * 65536 for _ in range(BODY_MAX // 65536 + 1)), {"Authorization": f"Bearer {front.gateway.key}"},
                       encode_chunked=True)
    reply = connection.getresponse()
    assert reply.status == 413 and json.loads(reply.read())["code"] == "too-large"


def test_limits_of_api_keys_hold(world, front):
    """Each key has its own at the gateway though all come from one address; those who show none share one, and nginx keeps them few."""
    gateway = world.gateways[0]
    was = gateway.config.read_text()
    gateway.config.write_text(was.replace("rate_per_s = 0", "rate_per_s = 1\nburst = 5"))
    assert set(gateway.post("/v1/operator/reload")["changed"]) == {"api.rate_per_s", "api.burst"}
    try:
        def limited():
            status, headers, problem = front.ask("GET", "/v1/status")
            return status == 429 and headers.get_all("Retry-After") == ["1"] and problem["code"] == "rate-limited"

        wait_for(limited, 30, "the end of the key's tokens", 0)
        assert front.ask("GET", "/v1/status", key=gateway.peer_key)[0] == 403
        # An unknown key's bucket is that of the proxy's address, which everybody without a key shares.
        wait_for(lambda: front.ask("GET", "/v1/chains", key="x" * 40)[0] == 429, 30, "the end of the address's tokens", 0)
        assert front.ask("GET", "/healthz", key=None)[0] == 200
    finally:
        gateway.config.write_text(was)
        wait_for(lambda: gateway.request("POST", "/v1/operator/reload")[0] == 200, 20, "the reload")
    connection, statuses = front.connect(), []
    for _ in range(2000):
        connection.request("GET", "/healthz")
        reply = connection.getresponse()
        raw = reply.read()
        statuses.append(reply.status)
        if reply.status == 429:
            break
    assert statuses[:50] == [200] * 50 and statuses[-1] == 429 and reply.headers["Retry-After"] == "1", len(statuses)
    assert json.loads(raw)["code"] == "rate-limited" and reply.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert front.ask("GET", "/v1/status")[0] == 200  # who shows a key is not held up by those


def test_a_gateway_that_is_down(world, front):
    gateway = world.gateways[0]
    gateway.stop()
    try:
        connection = front.connect()
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {gateway.key}"})
        reply = connection.getresponse()
        problem = json.loads(reply.read())
        assert reply.status == 502 and problem["code"] == "closed" and problem["retry"] is True
    finally:
        gateway.restart()
    assert front.ask("GET", "/v1/status")[0] == 200


def test_no_secret_in_its_logs(front, guarded):
    for one in (front, guarded):
        logged = (one.folder / "access.log").read_text() + (one.folder / "error.log").read_text()
        assert "/v1/chains" in logged and one.gateway.key not in logged and one.gateway.peer_key not in logged
