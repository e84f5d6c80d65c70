"""Webhooks of a running gateway, to receivers over TLS: what a bridge's messages tell arrives, whatever dies on the way; and who
may not be reached is not."""
from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from lib import pki
from lib.receiver import Receiver
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, ApiError, World, toml

EXIT_USAGE, EXIT_REFUSED = 2, 3


class WithReceivers(World):
    """The first gateway may reach receivers of this machine, over TLS by an authority of the test's own."""

    def write_gateways(self) -> None:
        super().write_gateways()
        self.authority = pki.authority("authority of the receivers")
        (self.folder / "receivers.pem").write_text(self.authority.pem)
        with open(self.gateways[0].config, "a", encoding="utf-8") as config:
            config.write(f"\n[webhooks]\nnetworks = [\"127.0.0.0/8\", \"::1/128\"]\nca_file = {toml(str(self.folder / 'receivers.pem'))}\n"
                         "retry_min_ms = 100\nretry_max_ms = 1000\nattempts_max = 50\ntimeout_ms = 20000\n")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with WithReceivers(tmp_path_factory.mktemp("webhooks"), "anvil", block_time=0.5) as w:
        yield w


@pytest.fixture
def receiver(world, tmp_path):
    with Receiver(pki.issue("receiver", world.authority, names=["localhost"]), tmp_path) as r:
        yield r


def events_of(gateway, after: int, last: int) -> list[dict]:
    """As server-sent events tell them."""
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", f"/v1/events?cursor={after}", headers={"Authorization": f"Bearer {gateway.key}"})
    told, events = connection.getresponse(), []
    while not events or events[-1]["cursor"] < last:
        line = told.readline()
        if line.startswith(b"data: "):
            events.append(json.loads(line[6:]))
    connection.close()
    return events


def test_nothing_is_missing_whoever_dies(world, receiver):
    """Messages while receiver and gateway come and go: each event of the stream arrives, in order, twice only where a kill fell between
    an answer and its note."""
    gateway = world.gateways[0]
    made = gateway.post("/v1/webhooks", {"url": receiver.url})
    begin = made["cursor"]
    for turn in range(3):
        receiver.status = 503 if turn == 1 else 200
        sent = [world.send(f"message {turn} {i}".encode()) for i in range(3)]
        wait_for(lambda: gateway.message(sent[0]), END_TIMEOUT_S, "the first message of a turn")
        seen = len(receiver.deliveries)
        wait_for(lambda: len(receiver.deliveries) > seen, END_TIMEOUT_S, "a delivery")
        os.kill(gateway.pids()["caisson-gateway"], signal.SIGKILL)
        wait_for(gateway.healthy, END_TIMEOUT_S, "the gateway")
        receiver.status = 200
        for message_id in sent:
            gateway.ends(message_id)
    wait_for(lambda: (s := gateway.get("/v1/status")["event_cursor"]) and gateway.get(f"/v1/webhooks/{made['id']}")["cursor"] == s,
             END_TIMEOUT_S, "the end of the queue", 0.2)
    last = gateway.get(f"/v1/webhooks/{made['id']}")["cursor"]
    events = events_of(gateway, begin, last)
    taken, arrived = {}, []
    for d in receiver.deliveries:
        assert d.is_signed_by(made["secret"])
        assert taken.setdefault(d.id, d.raw) == d.raw  # the same event under the same id, each time
        if not arrived or d.cursor != arrived[-1]:
            arrived.append(d.cursor)
    assert arrived == [e["cursor"] for e in events] == list(range(begin + 1, last + 1))
    assert {d.cursor: d.body["data"] for d in receiver.deliveries} == {e["cursor"]: e for e in events}
    gateway.request("DELETE", f"/v1/webhooks/{made['id']}")


def test_one_message_and_its_end(world, receiver):
    """By the request's id, before there is a message; another message is not told of."""
    gateway, abroad = world.gateways[0], world.sides[1]
    request = gateway.post("/v1/messages", {"to": f"{abroad.chain.caip2}:{abroad.app.address.lower()}", "payload": "0x01", "mode": "sponsored"})
    gateway.post("/v1/webhooks", {"url": receiver.url, "message": request["request_id"], "types": ["message.finalized", "message.refunded"],
                                  "from_chain": world.sides[0].chain.caip2, "cursor": 0})
    gateway.post("/v1/webhooks", {"url": receiver.url + "/other", "from_chain": abroad.chain.caip2, "types": ["message.finalized"]})
    gateway.ends(world.send(b"another"))
    ended = gateway.ends(request["request_id"])
    wait_for(lambda: receiver.deliveries, END_TIMEOUT_S, "the end")
    time.sleep(1)
    assert [(d.path, d.body["type"], d.body["data"]["id"]) for d in receiver.deliveries] == [("/", "message.finalized", ended["id"])]
    for webhook in gateway.get("/v1/webhooks")["webhooks"]:
        gateway.request("DELETE", f"/v1/webhooks/{webhook['id']}")


def test_who_carries_a_request_is_told_all_the_way(world, receiver):
    """traceparent, and tracestate with it: on the message, at both gateways, and with what is posted; traceparent alone in their logs; one
    that is not right is ignored."""
    (gateway, other), abroad = world.gateways, world.sides[1]
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    body = {"to": f"{abroad.chain.caip2}:{abroad.app.address.lower()}", "payload": "0x74", "mode": "sponsored"}
    hook = gateway.post("/v1/webhooks", {"url": receiver.url, "types": ["message.finalized"]})
    sent = gateway.post("/v1/messages", body, traceparent="cc" + trace[2:] + "-and-more", tracestate="vendor=a b,\tother@vendor=2 ", **{"Idempotency-Key": "traced"})
    seen = gateway.get(f"/v1/messages/{sent['request_id']}")
    assert seen["traceparent"] == trace and seen["tracestate"] == "vendor=a b,other@vendor=2"
    # The same request again is the first one's.
    assert gateway.post("/v1/messages", body, traceparent=trace.replace("4", "5"), **{"Idempotency-Key": "traced"}) == sent
    ended = gateway.ends(sent["request_id"])
    assert ended["traceparent"] == other.message(ended["id"])["traceparent"] == trace
    assert ended["tracestate"] == other.message(ended["id"])["tracestate"] == seen["tracestate"]
    wait_for(lambda: receiver.deliveries, END_TIMEOUT_S, "the end")
    assert receiver.deliveries[0].headers["traceparent"] == trace and receiver.deliveries[0].is_signed_by(hook["secret"])
    assert receiver.deliveries[0].headers["tracestate"] == seen["tracestate"]
    for service, lines in ((gateway, ("request.taken", "message.observed", "message.ended")), (other, ("message.status",))):
        log = service.log.read_text().splitlines()
        for name in lines:
            assert any(name in line and trace in line and (ended["id"] in line or sent["request_id"] in line) for line in log), name
        assert "other@vendor" not in service.log.read_text()
    receiver.deliveries.clear()
    for wrong in (trace + ".", trace.upper(), "00-" + "0" * 32 + trace[35:], "ff" + trace[2:], ""):
        ignored = gateway.ends(gateway.post("/v1/messages", body, traceparent=wrong, tracestate="vendor=1")["request_id"])
        assert "traceparent" not in ignored and "tracestate" not in ignored, wrong
    wait_for(lambda: len(receiver.deliveries) == 5, END_TIMEOUT_S, "the others")
    assert all("traceparent" not in d.headers and "tracestate" not in d.headers for d in receiver.deliveries)
    receiver.deliveries.clear()
    for wrong in ("vendor=1,vendor=2", "Vendor=1", "vendor", "v=" + "x" * 257, "a=" + "x" * 256 + ",b=" + "x" * 252, ",".join(f"k{i}=1" for i in range(33))):
        partly = gateway.ends(gateway.post("/v1/messages", body, traceparent=trace, tracestate=wrong)["request_id"])
        assert partly["traceparent"] == trace and "tracestate" not in partly, wrong
    wait_for(lambda: len(receiver.deliveries) == 6, END_TIMEOUT_S, "the others")
    assert all(d.headers["traceparent"] == trace and "tracestate" not in d.headers for d in receiver.deliveries)
    gateway.request("DELETE", f"/v1/webhooks/{hook['id']}")


def test_who_hangs_holds_up_nobody(world, receiver):
    """Neither another receiver nor the gateway's messages."""
    gateway, go = world.gateways[0], threading.Event()
    receiver.wait = lambda path: path == "/hang" and go.wait(60)
    hooks = [gateway.post("/v1/webhooks", {"url": receiver.url + path, "cursor": 0}) for path in ("/hang", "/hang", "/good")]
    try:
        gateway.ends(world.send(b"meanwhile"))
        last = gateway.get("/v1/status")["event_cursor"]
        wait_for(lambda: gateway.get(f"/v1/webhooks/{hooks[2]['id']}")["cursor"] >= last, END_TIMEOUT_S, "the good one", 0.2)
        assert sum(d.path == "/hang" for d in receiver.deliveries) <= 4
    finally:
        go.set()
    for hook in hooks:
        gateway.request("DELETE", f"/v1/webhooks/{hook['id']}")


@pytest.mark.parametrize("name, issuer, part", [("example.org", "ours", "localhost"), ("localhost", "other", "certificate")])
def test_another_certificate_is_not_sent_to(world, tmp_path, name, issuer, part):
    gateway = world.gateways[0]
    certificate = pki.issue("receiver", world.authority if issuer == "ours" else pki.authority("another"), names=[name])
    with Receiver(certificate, tmp_path) as stranger:
        made = gateway.post("/v1/webhooks", {"url": stranger.url, "cursor": 0})
        row = wait_for(lambda: gateway.get(f"/v1/webhooks/{made['id']}/deliveries")["deliveries"], END_TIMEOUT_S, "an attempt")[0]
        assert not row["delivered"] and row["status"] is None and row["why"].startswith("unavailable") and part in row["why"], row
        assert stranger.deliveries == []
        gateway.request("DELETE", f"/v1/webhooks/{made['id']}")


def test_addresses_that_are_not_configured(world):
    """The second gateway has no [webhooks]: a name of a loopback address is refused when it is connected."""
    gateway = world.gateways[1]
    gateway.ends(world.send(b"so that there is an event"))
    with Receiver() as plain:
        for url, code in ((plain.url, "invalid"), ("https://127.0.0.1/", "forbidden"), ("https://[::1]/", "forbidden")):
            with pytest.raises(ApiError) as refused:
                gateway.post("/v1/webhooks", {"url": url})
            assert refused.value.body["code"] == code
        made = gateway.post("/v1/webhooks", {"url": f"https://localhost:{plain.port}/", "cursor": 0})
        row = wait_for(lambda: gateway.get(f"/v1/webhooks/{made['id']}/deliveries")["deliveries"], END_TIMEOUT_S, "an attempt")[0]
        assert row["why"].startswith("forbidden: ") and plain.deliveries == []
        gateway.request("DELETE", f"/v1/webhooks/{made['id']}")


def test_on_the_command_line(world, receiver, tmp_path):
    gateway = world.gateways[0]
    run = gateway.caisson("webhooks", "create", receiver.url, "--type", "message.finalized", "--cursor", "0", "--out", str(tmp_path / "secret"))
    assert run.returncode == 0, run.stderr
    secret, webhook = (tmp_path / "secret").read_text().strip(), run.stdout.split()[0]
    assert secret not in run.stdout and (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    gateway.ends(world.send(b"by hand"))
    wait_for(lambda: receiver.deliveries, END_TIMEOUT_S, "a delivery")
    assert receiver.deliveries[0].is_signed_by(secret)
    wait_for(lambda: "delivered" in gateway.caisson("webhooks", "log", webhook).stdout, END_TIMEOUT_S, "the log")
    first = receiver.deliveries[0]
    assert gateway.caisson("webhooks", "redeliver", webhook, str(first.cursor)).returncode == 0
    wait_for(lambda: [d.id for d in receiver.deliveries].count(first.id) == 2, END_TIMEOUT_S, "the same again")
    assert json.loads(gateway.caisson("webhooks", webhook, "--json").stdout)["id"] == webhook
    assert webhook in gateway.caisson("webhooks").stdout
    fresh = json.loads(gateway.caisson("webhooks", "rotate", webhook, "--json").stdout)["secret"]
    assert fresh != secret and fresh.startswith("whsec_")
    assert gateway.caisson("webhooks", "enable", webhook).returncode == 0
    assert gateway.caisson("webhooks", "redeliver", webhook, "0").returncode == EXIT_REFUSED
    assert gateway.caisson("webhooks", "create", "ftp://a.example/").returncode == EXIT_REFUSED
    assert gateway.caisson("webhooks", "delete", "../messages").returncode == EXIT_USAGE
    assert gateway.caisson("webhooks", "delete", webhook).returncode == 0
    assert gateway.caisson("webhooks", webhook).returncode == EXIT_REFUSED


def test_a_stream_ends_with_its_api_key(world):
    """Both ways of reading, and one that does not read by this key goes on."""
    import http.client
    import websocket
    gateway = world.gateways[0]
    key = json.loads(gateway.caisson("keys", "create", "leaver", "--scopes", "read", "--config", str(gateway.config), "--json").stdout)["key"]
    wait_for(lambda: gateway.request("GET", "/v1/messages", key=key)[0] == 200, 10, "the new key")
    streams = []
    for k in (key, gateway.key):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {k}"})
        streams.append(connection.getresponse())
    sockets = [websocket.create_connection(gateway.events_url, header=[f"Authorization: Bearer {k}"], timeout=30) for k in (key, gateway.key)]
    assert gateway.caisson("keys", "revoke", "leaver", "--config", str(gateway.config)).returncode == 0
    text = streams[0].read().decode()
    assert "event: dropped" in text and "revoked" in text
    opcode, frame = sockets[0].recv_data()
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, frame = sockets[0].recv_data()
    assert int.from_bytes(frame[:2], "big") == 1008 and b"revoked" in frame
    world.send(b"for who stays")
    assert json.loads(sockets[1].recv())["kind"] == "message"
    while not (line := streams[1].readline()).startswith(b"data: "):
        assert line
    for s in sockets:
        s.close()


def test_no_secret_where_people_look(world, receiver):
    """Not in logs, figures, later answers or the journal; nor is a receiver's URL, which may hold a token."""
    gateway = world.gateways[0]
    made = gateway.post("/v1/webhooks", {"url": receiver.url + "/?token=of-the-receiver", "cursor": 0})
    rotated = gateway.post(f"/v1/webhooks/{made['id']}/rotate")
    wait_for(lambda: receiver.deliveries, END_TIMEOUT_S, "a delivery")
    master = (gateway.folder / "webhooks.key").read_text().strip()
    assert (gateway.folder / "webhooks.key").stat().st_mode & 0o777 == 0o600
    metrics = gateway.request("GET", "/metrics")[1]
    assert 'caisson_webhooks{state="active"} 1' in metrics
    journal = b"".join(p.read_bytes() for p in gateway.folder.glob("journal.db*"))
    later = json.dumps([gateway.get("/v1/webhooks"), gateway.get(f"/v1/webhooks/{made['id']}/deliveries")])
    for secret in (made["secret"], rotated["secret"], made["secret"].removeprefix("whsec_"), master, bytes.fromhex(master).hex()):
        for text in (gateway.log.read_text(), metrics, later):
            assert secret not in text
        assert secret.encode() not in journal
    assert bytes.fromhex(master) not in journal
    assert "of-the-receiver" not in gateway.log.read_text() + metrics
    gateway.request("DELETE", f"/v1/webhooks/{made['id']}")
