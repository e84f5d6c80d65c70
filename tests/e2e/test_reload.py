"""The configuration read again under a running gateway, and the drain before its stop."""
from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sqlite3
import time

import pytest

from adapters.proxies import Raw, RpcProxy
from lib.between import Between
from lib.rpc import wait_for
from lib.world import END_TIMEOUT_S, account

EXIT_REFUSED = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Between(tmp_path_factory.mktemp("reload"), "anvil", block_time=0.5, relay={"drain_ms": 8000}) as w:
        yield w


@pytest.fixture
def file(world):
    """The configuration of the first gateway, which is as it was afterwards, and in force."""
    gateway = world.gateways[0]
    before = gateway.config.read_text()
    yield gateway.config
    gateway.config.write_text(before)
    assert gateway.request("POST", "/v1/operator/reload")[0] == 200


def change(file, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def reload(gateway, status: int = 200) -> dict:
    got, answer = gateway.request("POST", "/v1/operator/reload")
    assert got == status, answer
    return answer


def told(gateway, kind: str) -> list[str]:
    with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        return [detail for detail, in journal.execute("SELECT detail FROM events WHERE kind=? ORDER BY n", (kind,))]


def endpoints(gateway) -> list[str]:
    return [e["url"] for e in gateway.get("/v1/chains")["chains"][0]["endpoints"]]


# ---- what is taken ----

def test_the_same_file_changes_nothing(world):
    gateway = world.gateways[0]
    before = told(gateway, "operator.reload")
    assert reload(gateway) == {"changed": []} and told(gateway, "operator.reload") == before
    assert "in force" in gateway.caisson("reload").stdout


def test_another_node_under_live_messages(world, file):
    """The node is exchanged while messages are on their way, in both directions: each arrives once."""
    gateway, other = world.gateways
    sent = [world.send(b"before %d" % i, source=i % 2) for i in range(6)]
    with RpcProxy(world.chains[0].url) as second:
        change(file, json.dumps(world.proxy.url), json.dumps(second.url))
        assert reload(gateway)["changed"] == ["chains[0].rpc"]
        sent += [world.send(b"after %d" % i, source=i % 2) for i in range(6)]
        for i, message in enumerate(sent):
            (gateway, other)[i % 2].ends(message)
        assert endpoints(gateway)[0] in second.url and gateway.healthy()
        asked = len(world.proxy.methods)
        gateway.ends(world.send(b"by the second node"))
        assert len(world.proxy.methods) == asked, "the node that was taken out is asked"
        assert told(gateway, "operator.reload")[-1] == "demo chains[0].rpc"
        file.write_text(file.read_text().replace(json.dumps(second.url), json.dumps(world.proxy.url)))
        reload(gateway)
    gateway.ends(world.send(b"by the first node again"))


def test_a_node_that_is_down_is_replaced(world, file):
    """What is stuck on a dead node goes on with the next, without a restart: transactions that were sent, too."""
    gateway = world.gateways[0]
    pid = gateway.pids()["caisson-gateway"]

    def dead(calls: list[dict]) -> None:
        raise Raw(b"<html>gone</html>", 500)

    world.proxy.before = dead
    try:
        message = world.send(b"while the node is dead")
        with RpcProxy(world.chains[0].url) as second:
            change(file, json.dumps(world.proxy.url), json.dumps(second.url))
            os.kill(gateway.process.pid, signal.SIGHUP)  # `caisson up` passes it on
            wait_for(lambda: endpoints(gateway)[0] in second.url, 20, "the new node")
            gateway.ends(message)
            assert told(gateway, "operator.reload")[-1] == "SIGHUP chains[0].rpc" and gateway.pids()["caisson-gateway"] == pid
            world.proxy.before = lambda calls: None
            change(file, json.dumps(second.url), json.dumps(world.proxy.url))
            reload(gateway)
    finally:
        world.proxy.before = lambda calls: None


def test_caps_on_fees(world, file):
    """Below what the chain asks nothing is sent; with the cap taken back what waited goes."""
    gateway, abroad = world.gateways[0], world.sides[1]
    world.chains[0].rpc.call("anvil_setNextBlockBaseFeePerGas", hex(5 * 10**9))
    file.write_text(file.read_text().replace("[[chains]]", "[[chains]]\nmax_fee_gwei = 1\nmin_priority_fee_gwei = 0", 1))
    assert set(reload(gateway)["changed"]) == {"chains[0].max_fee_gwei", "chains[0].min_priority_fee_gwei"}
    wait_for(lambda: gateway.get("/v1/chains")["chains"][0]["endpoints"][0]["state"] == "ok", 20, "an answer of the node")
    stop = time.monotonic() + 3
    sent = gateway.post("/v1/messages", {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored"})
    while time.monotonic() < stop:
        world.chains[0].rpc.call("anvil_setNextBlockBaseFeePerGas", hex(5 * 10**9))
        assert gateway.get(f"/v1/messages/{sent['request_id']}")["state"] == "requested"
    file.write_text(file.read_text().replace("max_fee_gwei = 1\nmin_priority_fee_gwei = 0\n", ""))
    reload(gateway)
    gateway.ends(sent["request_id"])


def test_peers_limits_and_the_log(world, file):
    """One more peer, another key for the one that there is, and keys that are nobody's part of the chains."""
    gateway, other = world.gateways
    (gateway.folder / "stranger.key").write_text("k" * 40 + "\n")
    os.chmod(gateway.folder / "stranger.key", 0o600)
    text = file.read_text().replace('level = "info"', 'level = "debug"').replace("[relay]", "[journal]\nevents_kept = 5000\n\n[relay]\nbatch_max = 3", 1)
    file.write_text(text + f'\n[[peers]]\nname = "stranger"\nurl = "http://127.0.0.1:9"\napi_key_file = "stranger.key"\nchains = ["{world.chains[1].caip2}"]\n')
    changed = set(reload(gateway)["changed"])
    assert {"log.level", "journal.events_kept", "relay.batch_max", "peers[1].name", "peers[1].url"} <= changed
    assert {p["name"]: p["reachable"] for p in gateway.get("/v1/status")["peers"]}.keys() == {other.name, "stranger"}
    message = world.send(b"told to both")
    gateway.ends(message)
    wait_for(lambda: next(p["waiting"] for p in gateway.get("/v1/status")["peers"] if p["name"] == "stranger") > 0, END_TIMEOUT_S, "what waits for it")
    assert " DEBUG " in gateway.log.read_text().upper() or "debug" in gateway.log.read_text()
    file.write_text(text)
    reload(gateway)
    assert [p["name"] for p in gateway.get("/v1/status")["peers"]] == [other.name]
    gateway.ends(world.send(b"told to one"))


def test_how_a_message_dies(world, file):
    change(file, 'expire = "tombstone"', 'expire = "absence"')
    assert reload(world.gateways[0])["changed"] == ["routes[0].expire"]


# ---- how often one may ask ----

def answer_of(gateway, path: str, key: str | None) -> tuple[int, http.client.HTTPMessage, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
    reply = connection.getresponse()
    raw = reply.read()
    connection.close()
    gateway.check_reply("GET", path, reply.status, reply.headers, raw)
    return reply.status, reply.headers, json.loads(raw) if "json" in reply.headers["Content-Type"] else {}


def test_who_asks_too_often_waits(world, file):
    """Each key for itself, all strangers of an address together; health and figures are everybody's, whatever happens."""
    gateway, other = world.gateways
    change(file, "rate_per_s = 0", "rate_per_s = 1\nburst = 5")
    assert set(reload(gateway)["changed"]) == {"api.rate_per_s", "api.burst"}
    statuses = [answer_of(gateway, "/v1/status", gateway.key)[0] for _ in range(8)]
    assert statuses[:5] == [200] * 5 and 429 in statuses[5:], statuses
    status, headers, problem = answer_of(gateway, "/v1/status", gateway.key)
    while status != 429:  # a slow machine earns a token between two requests
        status, headers, problem = answer_of(gateway, "/v1/status", gateway.key)
    assert problem["code"] == "rate-limited" and problem["retry"] is True and headers["Retry-After"] == "1"
    # Nothing was done: what was refused can be asked again, under the same Idempotency-Key too.
    assert answer_of(gateway, "/v1/messages", gateway.peer_key)[0] == 403  # another key's, and without the scope: its address pays
    strangers = [answer_of(gateway, path, key) for path, key in (("/v1/status", "unknown"), ("/nowhere", None), ("/ui", None), ("/openapi.json", None),
                                                                 ("/docs", None), ("/v1/chains", "unknown"), ("/ui", None))]
    assert [s[0] for s in strangers[:2]] == [401, 404] and strangers[-1][0] == 429, [s[0] for s in strangers]
    for _ in range(20):
        assert answer_of(gateway, "/healthz", None)[0] == 200
    metrics = gateway.request("GET", "/metrics")[1]
    for who in ("key", "address"):
        assert int(re.search(rf'caisson_api_limited_total{{of="{who}"}} (\d+)', metrics)[1]) >= 1, who
    # The other gateway's key has a bucket of its own: messages go on.
    time.sleep(1.1)
    assert answer_of(gateway, "/v1/status", gateway.key)[0] == 200
    sent = world.send(b"while somebody asks too often")
    assert other.ends(sent)["state"] == "finalized"
    change(file, "rate_per_s = 1\nburst = 5", "rate_per_s = 0")
    wait_for(lambda: gateway.request("POST", "/v1/operator/reload")[0] == 200, 20, "the reload")
    assert all(answer_of(gateway, "/v1/status", gateway.key)[0] == 200 for _ in range(50))


# ---- what is refused, and leaves everything as it was ----

@pytest.mark.parametrize("old, new, what", [
    ("[relay]", "[relay]\nhurry = true", "relay.hurry"), ("block_time_ms = 500", "block_time_ms = \"soon\"", "chains[0].block_time_ms"),
    ("[[chains]]", "[[chains", "2"), ("[relay]", "[relay]\nretry_max_ms = 100000000", "relay.retry_max_ms"),
    ('name = "gateway1"', 'name = "gateway9"', "name: changes with a start alone"), ("[[chains]]", "[[chains]]\noperator_key_file = \"none\"", "operator_key_file"),
    ("manifest.json", "manifests.json", "enclave.manifests"), ('api_key_file = "gateway2.key"', 'api_key_file = "nobody.key"', "peers[0]"),
    ('name = "gateway2"', 'name = "gateway1"', "peers[0].name"), ("port = ", "port = 1", "api."), ("[enclave]", "[enclave]\ntrust_store = \"x.pem\"", "enclave.trust_store")])
def test_files_that_are_refused(world, file, old, new, what):
    """With a change beside it that could be taken: it is not."""
    gateway = world.gateways[0]
    before, kept = endpoints(gateway), told(gateway, "operator.reload")
    change(file, old, new)
    change(file, json.dumps(world.proxy.url), json.dumps(world.chains[0].url))
    problem = reload(gateway, 409)
    assert problem["code"] == "conflict" and what in problem["detail"], problem
    assert endpoints(gateway) == before and told(gateway, "operator.reload") == kept
    assert gateway.healthy()
    run = gateway.caisson("reload")
    assert run.returncode == EXIT_REFUSED and what in run.stderr


def test_a_chain_that_no_manifest_names(world, file):
    """One that a manifest names comes with it: test_rollover.py. It stands behind the others."""
    gateway, before = world.gateways[0], file.read_text()
    chain = f'[[chains]]\nid = "eip155:999"\nrpc = [{json.dumps(world.chains[1].url)}]\n'
    file.write_text(before + "\n" + chain)
    assert "eip155:999 is not in the manifest" in reload(gateway, 409)["detail"]
    named = chain.replace("eip155:999", world.chains[1].caip2)
    file.write_text(before.replace("[[chains]]", named + "\n[[chains]]", 1))
    assert "chains[0].id: a chain goes, or takes another place, with a start alone" in reload(gateway, 409)["detail"]
    assert [c["id"] for c in gateway.get("/v1/chains")["chains"]] == [world.chains[0].caip2]


def test_a_broken_file_by_signal_is_told_in_the_log(world, file):
    gateway = world.gateways[0]
    pid = gateway.pids()["caisson-gateway"]
    change(file, "[relay]", "[relay]\nspeed = 1")
    os.kill(pid, signal.SIGHUP)
    wait_for(lambda: "relay.speed" in gateway.log.read_text(), 20, "the refusal in the log")
    assert gateway.pids()["caisson-gateway"] == pid
    gateway.ends(world.send(b"as before"))


def test_who_may(world):
    gateway = world.gateways[0]
    for method, path in (("POST", "/v1/operator/reload"), ("POST", "/v1/operator/drain"), ("DELETE", "/v1/operator/drain")):
        assert gateway.request(method, path, key=gateway.peer_key)[0] == 403
    for path, body in (("/v1/operator/reload", {"file": "x"}), ("/v1/operator/drain", {"timeout_s": 3601}), ("/v1/operator/drain", {"timeout_s": "1"}),
                       ("/v1/operator/drain", {"for": 1})):
        assert gateway.request("POST", path, body)[0] == 400, path
    assert gateway.get("/v1/operator/drain")["draining"] is False


# ---- doctor ----

def doctor(gateway, *more: str) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """Exit status, and by what was looked at: verdict and text."""
    run = gateway.caisson("doctor", str(gateway.config), "--json", *more)
    told_ = json.loads(run.stdout)
    assert told_["ok"] == (run.returncode == 0) and all((c["remedy"] is None) == (c["verdict"] == "ok") for c in told_["checks"])
    found = {}
    for check in told_["checks"]:
        found.setdefault(check["what"], []).append((check["verdict"], check["text"]))
    return run.returncode, found


def verdicts(found: dict, what: str) -> list[str]:
    return [verdict for verdict, _ in found[what]]


def test_a_gateway_that_is_well(world):
    gateway = world.gateways[0]
    wait_for(gateway.healthy, END_TIMEOUT_S, "health")
    code, found = doctor(gateway)
    assert code == 0, found
    assert verdicts(found, "config") == verdicts(found, "gateway") == verdicts(found, "manifest") == verdicts(found, "chain") == ["ok"]
    assert verdicts(found, "account") == ["ok", "ok"] and verdicts(found, "clock") == ["ok"] and verdicts(found, "peer") == ["ok"]
    flags = gateway.get("/v1/enclave")["insecure"]
    assert verdicts(found, "enclave") == ["warn"] and len(flags) > 1 and found["enclave"][0][1].endswith(f"insecure: {', '.join(flags)}")
    assert "disk" in found and "paused" not in found
    shown = gateway.caisson("doctor", str(gateway.config))
    assert shown.returncode == 0 and "ok    config" in shown.stdout and "→ nothing of it is for production" in shown.stdout


def test_a_gateway_that_is_not_well(world, file):
    gateway, other = world.gateways
    ask = gateway.request("POST", "/v1/operator/pause", {"chain": world.chains[0].caip2, "reason": "for the doctor"})
    assert ask[0] == 200
    gas = world.enclave_key(gateway)["gas_address"]
    rpc = world.chains[0].rpc
    before = rpc.call("eth_getBalance", gas, "latest")
    rpc.call("anvil_setBalance", gas, "0x0")
    other.stop()
    sent = world.send(b"for a peer that is down", source=0)
    try:
        gateway.request("POST", "/v1/operator/resume", {"chain": world.chains[0].caip2})
        gateway.reaches(sent, "signed")
        gateway.request("POST", "/v1/operator/pause", {"chain": world.chains[0].caip2, "reason": "for the doctor"})
        wait_for(lambda: not gateway.get("/v1/status")["peers"][0]["reachable"], 30, "the peer to be missed")
        code, found = doctor(gateway)
        assert code == 1 and ("bad", True) in [(v, gas in t) for v, t in found["account"]]
        assert verdicts(found, "peer") == ["warn"] and "for the doctor" in found["paused"][0][1]
    finally:
        rpc.call("anvil_setBalance", gas, before)
        gateway.request("POST", "/v1/operator/resume", {"chain": world.chains[0].caip2})
        other.restart()
    gateway.ends(sent)


def test_what_the_doctor_cannot_ask(world, file):
    gateway = world.gateways[0]
    code, found = doctor(gateway, "--url", "http://127.0.0.1:1")
    assert code == 1 and verdicts(found, "gateway") == ["bad"]
    change(file, "[relay]", "[relay]\nhurry = true")
    code, found = doctor(gateway)
    assert code == 1 and "relay.hurry" in found["config"][0][1] and "gateway" not in found
    assert gateway.caisson("doctor").returncode == 2
    assert gateway.caisson("doctor", str(gateway.folder / "none.toml")).returncode == 1


# ---- drain ----

def test_a_drain_lets_what_is_under_way_end(world):
    gateway, abroad = world.gateways[0], world.sides[1]
    body = {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored"}
    sent = gateway.post("/v1/messages", body)
    run = gateway.caisson("drain", "--wait", "--timeout", "30")
    assert run.returncode == 0 and "ready to stop" in run.stdout, run.stderr
    now = gateway.get("/v1/operator/drain")
    assert (now["draining"], now["ready"], now["transactions"], now["flights"], now["who"]) == (True, True, 0, 0, "demo")
    status, problem = gateway.request("POST", "/v1/messages", body)
    assert (status, problem["code"], problem["retry"]) == (503, "unavailable", True) and "drained" in problem["detail"]
    assert gateway.request("GET", "/healthz")[0] == 503
    held = world.send(b"not begun")
    time.sleep(3)
    assert gateway.message(held)["state"] in ("observed", "final")
    assert told(gateway, "operator.drain")[-1] == "demo for 30 s" and told(gateway, "operator.drained")[-1].startswith("demo 0 ")
    # The same again is the same drain; its end lets everything go on.
    assert gateway.post("/v1/operator/drain", {"timeout_s": 1})["since_ms"] == now["since_ms"]
    assert gateway.caisson("undrain").returncode == 0
    assert gateway.request("DELETE", "/v1/operator/drain")[1]["draining"] is False
    gateway.ends(held)
    gateway.ends(sent["request_id"])


def test_a_drain_whose_time_has_passed_is_ready_all_the_same(world):
    """No block takes the transaction: it is left to the next start, where it goes on."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x01", "mode": "sponsored"}
    home.chain.rpc.call("evm_setIntervalMining", 0)
    try:
        sent = gateway.post("/v1/messages", body)
        wait_for(lambda: gateway.get("/v1/operator/drain")["transactions"] == 1, 20, "the transaction")
        now = gateway.post("/v1/operator/drain", {"timeout_s": 2})
        assert now["draining"] and not now["ready"]
        wait_for(lambda: gateway.get("/v1/operator/drain")["ready"], 10, "its end")
        assert gateway.get("/v1/operator/drain")["transactions"] == 1
        gateway.stop()
    finally:
        home.chain.rpc.call("evm_setIntervalMining", 1)
    gateway.restart()
    assert gateway.get("/v1/operator/drain")["draining"] is False
    gateway.ends(sent["request_id"])


def test_a_stop_waits_for_the_block(world):
    """SIGTERM while a transaction is on its way: it is in a block before the process ends, and is not sent again."""
    gateway, (home, abroad) = world.gateways[0], world.sides
    body = {"to": account(abroad, abroad.app.address), "payload": "0x02", "mode": "sponsored"}
    home.chain.rpc.call("evm_setIntervalMining", 0)
    sent = gateway.post("/v1/messages", body)
    wait_for(lambda: gateway.get("/v1/operator/drain")["transactions"] == 1 and gateway.get(f"/v1/messages/{sent['request_id']}")["tx"], 20, "the transaction")
    tx = gateway.get(f"/v1/messages/{sent['request_id']}")["tx"]
    wait_for(lambda: home.chain.rpc.call("eth_getTransactionByHash", tx), 20, "the node's word of it")
    try:
        os.kill(gateway.pids()["caisson-gateway"], signal.SIGTERM)
        wait_for(lambda: "gateway.draining" in gateway.log.read_text().rsplit("gateway.started", 1)[-1], 10, "the drain")

        def has_stopped() -> bool:
            home.chain.mine(1)  # a sender that was just asking looks again at the next block
            return "gateway.stopped" in gateway.log.read_text().rsplit("gateway.draining", 1)[-1]

        wait_for(has_stopped, 10, "the stop", 0.5)
        with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
            state, = journal.execute("SELECT state FROM submissions ORDER BY n DESC LIMIT 1").fetchone()
        assert state in (1, 2), "included when the process ended"
    finally:
        home.chain.rpc.call("evm_setIntervalMining", 1)
    wait_for(gateway.healthy, 60, "the next start")
    gateway.ends(sent["request_id"])


# ---- the journal, out and in ----

def test_a_journal_on_another_disk(world):
    """Exported from the stopped gateway, imported into a new file: it goes on with what was under way, and has what was."""
    gateway = world.gateways[0]
    ended = world.send(b"before the move")
    gateway.ends(ended)
    before = gateway.message(ended)
    lines, journal = gateway.folder / "journal.jsonl", gateway.folder / "journal.db"
    run = gateway.caisson("journal", "export", str(gateway.config), "--out", str(lines))
    assert run.returncode == 1 and "stopped" in run.stderr and not lines.exists()
    gateway.stop()
    under_way = world.send(b"while it is moved")
    run = gateway.caisson("journal", "export", str(gateway.config), "--out", str(lines), "--json")
    assert run.returncode == 0 and lines.stat().st_mode & 0o777 == 0o600, run.stderr
    rows = json.loads(run.stdout)["rows"]
    assert len(lines.read_text().splitlines()) > rows > 10
    assert gateway.caisson("journal", "export", str(gateway.config), "--out", str(lines)).returncode == 1, "a file that is there is kept"
    run = gateway.caisson("journal", "import", str(gateway.config), "--from", str(lines))
    assert run.returncode == 1 and "not empty" in run.stderr
    for path in gateway.folder.glob("journal.db*"):
        path.rename(gateway.folder / f"old-{path.name}")
    broken = gateway.folder / "broken.jsonl"
    broken.write_text(lines.read_text().replace("eip155:31338", "eip155:31339", 1))
    run = gateway.caisson("journal", "import", str(gateway.config), "--from", str(broken))
    assert run.returncode == 1 and "changed" in run.stderr
    run = gateway.caisson("journal", "import", str(gateway.config), "--from", str(lines), "--json")
    assert run.returncode == 0 and json.loads(run.stdout)["rows"] == rows, run.stderr
    assert journal.exists()
    gateway.restart()
    assert gateway.message(ended) == before
    gateway.ends(under_way)
