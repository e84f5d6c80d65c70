"""What nobody may read where people look: API keys, account keys, those of the enclave too, webhooks' secrets and providers' tokens are searched for, in every form that they
might have, in logs, answers, figures, events, the command line's words, arguments, environments, and core files made by force."""
from __future__ import annotations

import base64
import http.client
import json
import os
import resource
import secrets
import signal
import sqlite3
import subprocess
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

from adapters.proxies import Raw, RpcProxy
from lib import crypto, dumps, pki
from lib.proc import Process
from lib.receiver import Receiver
from lib.rpc import wait_for
from lib.service import write_secret
from lib.world import END_TIMEOUT_S, ApiError, Gateway, World, account, toml

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def forms(secret: str) -> list[bytes]:
    """The text, its bytes, and what they become in base64, hexadecimal and a URL."""
    raw = [secret.encode()]
    try:
        raw.append(bytes.fromhex(secret.removeprefix("0x")))
    except ValueError:
        pass
    found = {r for r in raw}
    for r in raw:
        found |= {base64.b64encode(r).rstrip(b"="), base64.urlsafe_b64encode(r).rstrip(b"="), r.hex().encode(), r.hex().upper().encode(),
                  quote(r).encode()}
    return [f for f in found if len(f) >= 8]


class Plain(Gateway):
    """With no more rights than a neighbour that looks at it."""

    def start(self) -> None:
        self.process = Process([*dumps.PLAIN, self.world.build / "bin" / "caisson", "up", self.config], self.log, cwd=self.folder)


class Guarded(World):
    """The first gateway's nodes want tokens: in the path, in the query, in that of the websocket, and one that is not there."""

    gateway_class = Plain

    def write_gateways(self) -> None:
        self.tokens = {name: secrets.token_hex(16) for name in ("path", "query", "websocket", "dead")}
        self.proxy = RpcProxy(self.chains[0].url)
        super().write_gateways()
        gateway, chain = self.gateways[0], self.chains[0]
        rpc = [f"{self.proxy.url}/{self.tokens['path']}?key={self.tokens['query']}", f"http://127.0.0.1:1/v3/{self.tokens['dead']}"]
        self.authority = pki.authority("authority of the receivers")
        (self.folder / "receivers.pem").write_text(self.authority.pem)
        text = gateway.config.read_text().replace(f"rpc = [{toml(chain.url)}]", f"rpc = {toml(rpc)}")
        text = text.replace(f"ws = [{toml(chain.ws_url)}]", f"ws = [{toml(chain.ws_url + '/?apikey=' + self.tokens['websocket'])}]")
        assert all(token in text for token in self.tokens.values())
        gateway.config.write_text(text + f"\n[webhooks]\nnetworks = [\"127.0.0.0/8\", \"::1/128\"]\nretry_min_ms = 100\nretry_max_ms = 500\n"
                                  f"ca_file = {toml(str(self.folder / 'receivers.pem'))}\n")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Guarded(tmp_path_factory.mktemp("secrets"), "anvil", block_time=0.5, log_level="debug") as w:
        yield w


SEAL_HEAD, SEAL_SALT, SEAL_TAG = 120, slice(88, 120), 16


def sealed_keys(gateway) -> dict[str, bytes]:
    """What an enclave holds and nobody else may see: gas accounts and keys of statements, from its sealed state. The simulated backend's
    sealing root is a file, and opens it (enclave/seal.c has the layout)."""
    with sqlite3.connect(f"file:{gateway.folder / 'journal.db'}?mode=ro", uri=True, timeout=30) as journal:
        blob, = journal.execute("SELECT value FROM meta WHERE name='sealed'").fetchone()
    head, body = blob[:SEAL_HEAD], blob[SEAL_HEAD:]
    root = bytes.fromhex((gateway.folder / "seal.root").read_text().strip())
    key = HKDF(root, 32, head[SEAL_SALT], SHA256, context=b"caisson/seal/v1\0" + head[8:40])
    state = BytesIO(AES.new(key, AES.MODE_GCM, nonce=bytes(12)).update(head).decrypt_and_verify(body[:-SEAL_TAG], body[-SEAL_TAG:]))

    def number(size: int) -> int:
        return int.from_bytes(state.read(size), "big")

    found = {}
    state.read(1 + 8 + 32 + 8 + 8)
    for chain in range(number(2)):
        state.read(32)
        for _ in range(number(1)):
            epoch, _ = number(8), state.read(1)
            found[f"key of epoch {epoch}, chain {chain}"] = state.read(32)
        state.read(8)
        found[f"gas account, chain {chain}"] = state.read(32)
        for _ in range(number(2)):
            state.read(32)
            state.read(number(1) * (8 + 8 + 32 + 1 + 8 + 8))
        state.read(number(4))
    assert state.read() == b""
    return {name: secret for name, secret in found.items() if any(secret)}


class Search:
    """What must be nowhere, and where it was looked for: at least once each."""

    def __init__(self):
        self.secrets: dict[str, list[bytes]] = {}
        self.places: list[str] = []

    def never(self, name: str, secret: str) -> None:
        self.secrets[name] = forms(secret)

    def look(self, place: str, what: bytes | str) -> None:
        data = what if isinstance(what, bytes) else what.encode()
        assert data, place
        found = [name for name, all_forms in self.secrets.items() if any(form in data for form in all_forms)]
        assert not found, (place, found)
        self.places.append(place)


def answers(gateway) -> dict[str, str]:
    """Every GET of the description without a parameter in its path, with the key that opens the most."""
    paths = [path for path, item in gateway.get("/openapi.json")["paths"].items() if "get" in item and "{" not in path and path != "/v1/events"]
    assert {"/v1/chains", "/v1/status", "/metrics", "/v1/webhooks", "/ui", "/v1/routes", "/healthz"} <= set(paths)
    return {path: json.dumps(gateway.request("GET", path)[1]) for path in paths}


def stream(gateway, last: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", "/v1/events?cursor=0", headers={"Authorization": f"Bearer {gateway.key}"})
    told, lines = connection.getresponse(), b""
    while f"id: {last}\n".encode() not in lines:
        lines += told.readline()
    connection.close()
    return lines


def refusals(gateway, search: Search) -> str:
    """Requests that are wrong, with the secrets of their senders in them."""
    stranger, body = "not-a-key-" + secrets.token_hex(16), "not-a-body-" + secrets.token_hex(16)
    search.never("a key that is not known", stranger)
    told = [gateway.request("GET", "/v1/status", key=stranger), gateway.request("GET", f"/v1/{stranger}", key=stranger),
            gateway.request("POST", "/v1/messages", {"to": "eip155:1:0x00", "payload": body}, key=stranger)]
    assert [status for status, _ in told] == [401, 404, 401]
    told[1] = ("", "")  # its path names it: that is the asker's own word, given back to nobody else
    return json.dumps(told)


def test_secrets_are_nowhere(world, tmp_path):
    gateway, other, abroad = *world.gateways, world.sides[1]
    search = Search()
    for name, secret in {"api key": gateway.key, "peer key": gateway.peer_key, "peer key of the other": other.peer_key,
                         "operator": f"{gateway.operator_secret:064x}", "seal root": (gateway.folder / "seal.root").read_text().strip(),
                         **{f"token in the {k}": v for k, v in world.tokens.items()}, "token of the proxy": "secret-of-the-provider"}.items():
        search.never(name, secret)
    for service in world.gateways:
        keys = sealed_keys(service)
        addresses = {"0x" + crypto.address(int.from_bytes(secret, "big")).hex() for name, secret in keys.items() if name.startswith("gas")}
        assert world.enclave_key(service)["gas_address"].lower() in addresses and len(keys) >= 2, "these are they"
        for name, secret in keys.items():
            search.never(f"{name}, of {service.name}'s enclave", secret.hex())
    with Receiver(pki.issue("receiver", world.authority, names=["localhost"]), tmp_path) as receiver:
        made = gateway.post("/v1/webhooks", {"url": f"{receiver.url}/?token=of-the-receiver-4711", "cursor": 0})
        rotated = gateway.post(f"/v1/webhooks/{made['id']}/rotate")
        for name, secret in (("webhook", made["secret"]), ("rotated webhook", rotated["secret"])):
            search.never(name, base64.b64decode(secret.removeprefix("whsec_")).hex())
            search.never(name + " as text", secret.removeprefix("whsec_"))
        search.never("webhooks' key", (gateway.folder / "webhooks.key").read_text().strip())
        # Good times: a transfer that arrives, and one that dies; its receiver is told.
        sent = gateway.post("/v1/transfers", {"to": account(abroad, abroad.friend), "amount": "5", "mode": "sponsored"})
        gateway.ends(sent["request_id"])
        wait_for(lambda: receiver.deliveries, END_TIMEOUT_S, "a delivery")
        receiver.status = 500
        # Bad times: the provider repeats the key that it does not take, in JSON and in what is none.
        said = {"invalid project id": json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": f"invalid project id {world.tokens['path']}"}}),
                "no JSON": f"<p>{world.tokens['query']}</p>"}
        for told, text in said.items():
            def refuse(calls, text=text):
                raise Raw(text.encode())
            world.proxy.before = refuse
            why = wait_for(lambda: (w := gateway.get("/v1/chains")["chains"][0]["endpoints"][0]["why"]) and told in w and w, END_TIMEOUT_S,
                           "the node's words")
            assert "****" in why, why
        with pytest.raises(ApiError) as failed:
            gateway.post("/v1/messages", {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored"})
        search.look("an error of a node", str(failed.value))
        world.proxy.before = lambda calls: None
        wait_for(gateway.healthy, END_TIMEOUT_S, "health with its node")
        search.look("refusals", refusals(gateway, search))
        # A file that is refused names the path of what is wrong, not what stands there.
        good, password = gateway.config.read_text(), "password-" + secrets.token_hex(12)
        search.never("password of a URL", password)
        for scheme, url in (("http", "rpc"), ("ws", "ws")):
            line = next(row for row in good.splitlines() if row.startswith(f"{url} = ["))
            gateway.config.write_text(good.replace(line, f"{url} = [\"{scheme}://user:{password}@127.0.0.1:8545/{password}\"]"))
            reloaded = gateway.request("POST", "/v1/operator/reload", {})
            search.look(f"a reload with a password in {url}", json.dumps(reloaded))
            search.look(f"doctor with a password in {url}", gateway.caisson("doctor", str(gateway.config)).stdout)
            run = subprocess.run([world.build / "bin" / "caisson-gateway", "--config", gateway.config], capture_output=True, cwd=gateway.folder,
                                 timeout=60, check=False)
            assert run.returncode != 0
            search.look(f"a start with a password in {url}", run.stdout + run.stderr)
        gateway.config.write_text(good)
        gateway.post("/v1/operator/reload")
        wait_for(gateway.healthy, END_TIMEOUT_S, "health after reloads")
        # Everything that is shown.
        body = {"to": account(abroad, abroad.app.address), "payload": "0x00", "mode": "sponsored"}
        sent = wait_for(lambda: (told := gateway.request("POST", "/v1/messages", body))[0] == 202 and told[1], END_TIMEOUT_S, "its node to be asked again")
        message = gateway.ends(sent["request_id"])
        for path, text in answers(gateway).items():
            search.look(path, text)
        for path in (f"/v1/messages/{message['id']}", f"/v1/messages/{message['id']}/envelope", f"/v1/webhooks/{made['id']}/deliveries"):
            search.look(path, json.dumps(gateway.get(path)))
        search.look("/v1/events", stream(gateway, gateway.get("/v1/status")["event_cursor"]))
        for words in (("doctor", str(gateway.config)), ("status",), ("status", "--json"), ("messages", message["id"]), ("keys", "enclave"),
                      ("webhooks",), ("transactions", "--json"), ("routes",), ("journal", "export", str(gateway.config))):
            run = gateway.caisson(*words)
            search.look("caisson " + words[0], run.stdout + run.stderr)
        for delivery in receiver.deliveries:
            search.look("a delivery", delivery.raw + json.dumps(delivery.headers).encode())
        gateway.request("DELETE", f"/v1/webhooks/{made['id']}")
    for service in world.gateways:
        for name, pid in service.pids().items():
            search.look(f"arguments of {name}", Path(f"/proc/{pid}/cmdline").read_bytes())
            search.look(f"environment of {name}", Path(f"/proc/{pid}/environ").read_bytes())
    no_core_files(world, search, tmp_path)
    # The journal has the receiver's URL, which its owner is shown again, and the hash of no key.
    search.look("journal", b"".join(p.read_bytes() for p in gateway.folder.glob("journal.db*")))
    search.never("token of the receiver", "of-the-receiver-4711")
    for service in world.gateways:
        log = service.log.read_text()
        assert "chain.endpoint" in log and "keys.loaded" in log  # it says what it should
        search.look("log", log)
    search.look("metrics", gateway.request("GET", "/metrics")[1])


def test_nobody_looks_into_them(world):
    """Wherever the kernel puts core files. The enclave's filter lets nobody ask it, and its namespace closes it to neighbours anyway: it looks itself, and
    what it misses is in its flags (enclave/test_process)."""
    for gateway in world.gateways:
        insecure = gateway.get("/v1/enclave")["insecure"]
        assert "core_dumps" not in insecure and dumps.limit(gateway.pids()["caisson-enclave"]) == ["0", "0"]
        if dumps.stays_open(world.build / "bin" / "caisson-gateway"):
            pytest.skip("a build with AddressSanitizer")
        for name in ("caisson", "caisson-gateway"):
            dumps.assert_closed(gateway.pids()[name], name)


def test_a_dumpable_process_is_found_out():
    """One of the same rights and without core files, which is dumpable."""
    with subprocess.Popen([*dumps.PLAIN, "sleep", "60"], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))) as process:
        try:
            wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n", 30, "it")
            with pytest.raises(AssertionError, match="is dumpable"):
                dumps.assert_closed(process.pid, "sleep")
        finally:
            process.kill()


def dump(pid: int) -> bool:
    """By a fault, with the limit lifted where that is allowed. False: it is not."""
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, UNLIMITED)
        lifted = True
    except PermissionError:
        lifted = False
    os.kill(pid, signal.SIGABRT)
    return lifted


def no_core_files(world, search: Search, folder: Path) -> None:
    """A program that is not ours leaves a core file, with its secret in it, where the kernel writes one into its folder; ours leave none."""
    secret = secrets.token_hex(16)
    control = subprocess.Popen(["sleep", "60"], cwd=folder, env={"SECRET": secret}, preexec_fn=os.setsid)
    lifted = dump(control.pid)
    control.wait(30)
    cores = list(folder.glob("core*"))
    writes = lifted and len(cores) == 1
    if writes:
        assert secret.encode() in cores[0].read_bytes()
    gateway = world.gateways[0]
    for name in ("caisson-gateway", "caisson-enclave"):
        pid = gateway.pids()[name]
        assert dumps.limit(pid) == ["0", "0"], name
        dump(pid)
        wait_for(lambda: gateway.pids().get(name) not in (None, pid), END_TIMEOUT_S, f"another {name}", 0.1)
        assert not list(gateway.folder.rglob("core*")), name
        wait_for(gateway.healthy, END_TIMEOUT_S, "health after a fault", 0.1)
    search.places.append("core files" if writes else "limits of core files: this kernel writes none here")
    print(search.places[-1])


def test_the_search_finds(tmp_path):
    """Each form of a secret, wherever it stands."""
    secret = secrets.token_hex(32)
    raw = bytes.fromhex(secret)
    for hidden in (secret, secret.upper(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(secret.encode()).decode(), quote(raw)):
        search = Search()
        search.never("it", secret)
        with pytest.raises(AssertionError):
            search.look("there", f"before {hidden} after")
        with pytest.raises(AssertionError):
            search.look("there", b"\xff" + hidden.encode())
    search = Search()
    search.never("it", secret)
    with pytest.raises(AssertionError):
        search.look("there", b"\x00" + raw + b"\x00")
    search.look("elsewhere", secrets.token_hex(32))
    write_secret(tmp_path / "file", secret)
    with pytest.raises(AssertionError):
        search.look("a file", (tmp_path / "file").read_bytes())
