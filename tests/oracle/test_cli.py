"""`caisson oracle …` against a running oracle, and `caisson verify` against what it wrote, without it."""
from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading

import pytest

import envelope_vectors as ev
import oracle_vectors as ov
from lib import fetch, tools
from lib.proc import Process
from lib.rpc import wait_for
from lib.service import START_TIMEOUT_S
from oracle.rest import ASK, OPERATE, READ, Oracle, check, unhex
from oracle_enclave.world import seal, source, spec

OK, FAILED, USAGE, REFUSED, UNREACHABLE, TIMEOUT, NO, CLAIMED = range(8)
SIMULATED = 3  # of evidence: accepted only by insecure_accept_simulated
ZERO_KEY = "0x" + "79" * 32
SECRET = "s3cr3t-value-of-a-test"


@pytest.fixture
def port(rest_world):
    return rest_world.server().port


@pytest.fixture
def write(tmp_path):
    def made(name: str, content, mode: int = 0o644):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path
    return made


def cli(oracle, *arguments, key: str = ASK, stdin: str | None = None, url: str | None = None) -> subprocess.CompletedProcess:
    file = oracle.folder / f"{key[:1]}.key"
    if not file.exists():
        file.touch(0o600)
        file.write_text(key + "\n")
    env = {**os.environ, "CAISSON_URL": url or oracle.url, "CAISSON_API_KEY_FILE": str(file)}
    return subprocess.run([str(tools.find_build() / "bin" / "caisson"), *map(str, arguments)], input=stdin, capture_output=True,
                          text=True, timeout=60, env=env)


def keys(oracle) -> dict:
    done = cli(oracle, "oracle", "key", "--json")
    assert done.returncode == OK, done.stderr
    return json.loads(done.stdout)


# ---- asking


def test_ask_verifies_and_writes_what_anybody_verifies(rest, rest_world, port, write, tmp_path):
    text = spec(source(port))
    path, out = write("s.json", json.dumps(json.loads(text), indent=3)), tmp_path / "answer.json"
    done = cli(rest, "oracle", "ask", path, "--audience", "shop", "--max-age", 77, "--timeout", 20, "--out", out)
    assert done.returncode == OK, (done.stdout, done.stderr)
    assert '"1.25000000"' in done.stdout and "api.example.test" in done.stdout and "verifies" in done.stdout
    assert "INSECURE" in done.stdout
    document = json.loads(out.read_text())
    check(document, rest_world.identity(), text, audience=b"shop")
    request = document["request"]
    assert request["max_age"] == 77 and request["time"] < request["deadline"] <= request["time"] + 20
    # Offline, with everything that is known from elsewhere.
    key = keys(rest)["answers"]["public_key"]
    known = ["--key", key, "--audience", "shop", "--spec", path, "--lineage", rest_world.lineage, "--manifest", rest_world.path]
    nowhere = "http://127.0.0.1:9"
    assert cli(rest, "verify", out, *known, url=nowhere).returncode == OK
    told = json.loads(cli(rest, "verify", out, *known, "--json", url=nowhere).stdout)
    assert told["ok"] is True and told["in_manifest"] is True and told["value"] == "1.25000000"
    assert told["statement"]["insecure"] is True and told["statement"]["insecure_host_time"] is True
    assert cli(rest, "verify", out, url=nowhere).returncode == CLAIMED
    assert cli(rest, "verify", out, "--key", ZERO_KEY, url=nowhere).returncode == NO
    assert cli(rest, "verify", out, "--key", key, "--audience", "", url=nowhere).returncode == NO


def test_an_answer_of_another_oracle_is_not_of_this_manifest(rest, rest_world, port, write, tmp_path):
    out = tmp_path / "answer.json"
    assert cli(rest, "oracle", "ask", write("s", spec(source(port))), "--out", out).returncode == OK
    document = json.loads(rest_world.path.read_text())
    document["manifest"]["name"] = "another"
    other = write("m.json", json.dumps(document, sort_keys=True, separators=(",", ":")))
    done = cli(rest, "verify", out, "--manifest", other, "--json")
    assert done.returncode == NO and json.loads(done.stdout)["in_manifest"] is False


def test_arguments_and_json(rest, rest_world, write):
    requests: list[bytes] = []
    server = rest_world.server(fetch.answering(fetch.ok(b'{"a b":{"usd":3}}'), requests=requests))
    text = spec(source(server.port, path="/p?c={0}&d={1}", pointer="/{0}/usd"))
    done = cli(rest, "oracle", "ask", "-", "--arg", "a b", "--arg=x", "--json", stdin=text.decode())
    assert done.returncode == OK, done.stderr
    document = json.loads(done.stdout)
    check(document, rest_world.identity(), text, arguments=[b"a b", b"x"])
    assert document["value"] == "3.00000000" and b"c=a%20b&d=x" in requests[0]


def test_an_answer_that_is_an_error_is_no(rest, port, write, tmp_path):
    path, out = write("s", spec(source(port, pointer="/nothing/here"))), tmp_path / "a.json"
    done = cli(rest, "oracle", "ask", path, "--out", out)
    assert done.returncode == NO and "32 not_found" in done.stdout
    key = keys(rest)["answers"]["public_key"]
    assert cli(rest, "verify", out, "--key", key).returncode == OK  # it is the signed truth that there is none


def test_what_the_oracle_refuses(rest, port, write):
    path = write("s", spec(source(port)))
    assert cli(rest, "oracle", "ask", path, key=READ).returncode == REFUSED
    assert cli(rest, "oracle", "dry-run", path, key=READ).returncode == REFUSED
    assert cli(rest, "oracle", "ask", path, "--timeout", 3601).returncode == USAGE
    assert cli(rest, "oracle", "ask", path, "--audience", "x" * 65).returncode == USAGE
    assert cli(rest, "oracle", "ask", path, "--arg", "x" * 513).returncode == USAGE
    assert cli(rest, "oracle", "ask", path, *["--arg=x"] * 9).returncode == USAGE
    assert cli(rest, "oracle", "ask", write("bad", '{"version":1}')).returncode == USAGE
    assert cli(rest, "oracle", "ask", path, url="http://127.0.0.1:9").returncode == UNREACHABLE
    # Arguments that no placeholder takes are the enclave's to refuse: a signed error.
    assert cli(rest, "oracle", "ask", path, "--arg", "x").returncode == NO


def test_asked_again_under_one_key_is_asked_once(rest, port, write):
    path = write("s", spec(source(port)))
    first, second = (cli(rest, "oracle", "ask", path, "--idempotency-key", "one-and-only", "--json") for _ in range(2))
    assert first.returncode == second.returncode == OK and json.loads(first.stdout) == json.loads(second.stdout)


def test_it_waits_where_the_oracle_does_not(rest_world, tmp_path_factory, port, write):
    """202, and then the answer."""
    with Oracle(tmp_path_factory.mktemp("no-wait"), rest_world, wait_ms=0) as oracle:
        done = cli(oracle, "oracle", "ask", write("s", spec(source(port))), "--json")
        assert done.returncode == OK and json.loads(done.stdout)["value"] == "1.25000000", done.stderr


# ---- a host that lies


class Liar:
    """REST that answers every request with the same document."""

    def __init__(self, document: dict, status: int = 200):
        body = json.dumps(document).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = reply

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def answered(rest, port, write, tmp_path):
    path, out = write("asked.json", spec(source(port))), tmp_path / "asked.answer"
    assert cli(rest, "oracle", "ask", path, "--audience", "shop", "--out", out).returncode == OK
    return path, json.loads(out.read_text())


@pytest.mark.parametrize("change", [
    lambda d: d.update(value="9.00000000"), lambda d: d.update(observed_at=d["observed_at"] + 1), lambda d: d.update(insecure=False),
    lambda d: d["evidence"][0].update(host="bank.example.test:443"), lambda d: d["statement"].update(s="0x" + "11" * 32),
    lambda d: d["statement"].update(epoch=2), lambda d: d.pop("lineage")])
def test_a_changed_answer_is_not_shown_as_one(rest, answered, change, tmp_path):
    path, document = answered
    change(document)
    out = tmp_path / "out"
    with Liar(document) as liar:
        for options in ([], ["--json"]):
            done = cli(rest, "oracle", "ask", path, "--audience", "shop", "--out", out, *options, url=liar.url)
            assert done.returncode == NO, done.stdout
            assert not out.exists()


# ---- an answer, and whose enclave it was

def policy_of(path, measurement: str, **more):
    path.write_text(json.dumps({"version": 1, "measurements": [{"kind": "simulated", "values": {"measurement": measurement[2:]}}],
                                "insecure_accept_simulated": True, **more}))
    return path


@pytest.fixture
def proven(rest, answered, tmp_path):
    """(answer, evidence, policy): files, with which an auditor who was given them needs nobody."""
    _, document = answered
    answer, evidence = tmp_path / "audited.answer", tmp_path / "evidence.json"
    answer.write_text(json.dumps(document))
    done = cli(rest, "enclave", "evidence", "--digest", document["enclave_evidence_digest"])
    assert done.returncode == OK, done.stderr
    evidence.write_text(done.stdout)
    return answer, evidence, policy_of(tmp_path / "policy.json", keys(rest)["measurement"])


def audit(oracle, answer, evidence, policy, *more) -> tuple[int, dict]:
    done = cli(oracle, "verify", answer, "--evidence", evidence, "--policy", policy, *more, "--json", url="http://127.0.0.1:9")
    return done.returncode, json.loads(done.stdout)


def test_an_answer_came_from_this_build_under_this_policy(rest, proven):
    answer, evidence, policy = proven
    code, told = audit(rest, *proven)
    assert code == SIMULATED and told["ok"] is False, told  # nobody vouches for the hardware: never 0
    assert told["evidence"]["unproven"] is None and told["statement"]["key_from"] == "evidence"
    assert told["evidence"]["verdict"]["status"] == "warning" and told["evidence"]["verdict"]["insecure"] is True
    assert told["evidence"]["named"] == told["evidence"]["given"] == keys(rest)["evidence_digest"]
    assert told["statement"]["key"] == keys(rest)["answers"]["public_key"]
    # With its key from elsewhere as well, and for people.
    assert audit(rest, *proven, "--key", told["statement"]["key"])[0] == SIMULATED
    shown = cli(rest, "verify", answer, "--evidence", evidence, "--policy", policy)
    assert shown.returncode == SIMULATED and "key, proven" in shown.stdout and "INSECURE" in shown.stdout


def test_evidence_that_does_not_prove_an_answer(rest, proven, tmp_path):
    answer, evidence, policy = proven
    document, given = json.loads(answer.read_text()), json.loads(evidence.read_text())

    def refused(why: str, policy=policy, more=(), of_answer=(), of_evidence=(), code=NO):
        (tmp_path / "a").write_text(json.dumps({**document, **dict(of_answer)}))
        (tmp_path / "e").write_text(json.dumps({**given, **dict(of_evidence)}))
        got, told = audit(rest, tmp_path / "a", tmp_path / "e", policy, *more)
        assert got == code and why in json.dumps(told) and not told.get("ok"), (got, told)

    fresh = json.loads(cli(rest, "enclave", "evidence").stdout)  # of the same enclave, but not what the answer names
    assert fresh["evidence_digest"] != given["evidence_digest"]
    refused("names other evidence", of_evidence=fresh.items())
    refused("names no evidence", of_answer=[("enclave_evidence_digest", None)])
    refused("names other evidence", of_answer=[("enclave_evidence_digest", ZERO_KEY)])
    refused("binds another key than --key", more=["--key", ZERO_KEY])
    # Each word of the document that report data binds: it is not what the enclave said.
    forged = [{**k, "public_key": ZERO_KEY} for k in given["keys"]]
    refused("policy-report-data", of_evidence=[("keys", forged)])
    refused("policy-report-data", of_evidence=[("nonce", "0x" + "22" * 32)])
    refused("does not bind the key", of_evidence=[("keys", [{**k, "epoch": 9} for k in given["keys"]])])
    refused("another manifest", of_evidence=[("manifest_number", 2)])
    refused("another lineage", of_evidence=[("lineage", ZERO_KEY)])
    refused("not of an oracle's enclave", of_evidence=[("role", "bridge-enclave")])
    refused("another domain", of_evidence=[("insecure_flags", 0)])
    # Another build; nothing simulated; and no policy at all.
    refused('"executables": 96', policy=policy_of(tmp_path / "other", "0x" + "11" * 32))
    refused("contraindicated", policy=policy_of(tmp_path / "strict", keys(rest)["measurement"], insecure_accept_simulated=False))
    done = cli(rest, "verify", answer, "--evidence", evidence)
    assert done.returncode == NO
    bare = tmp_path / "bare"
    bare.write_text(given["evidence"])
    assert cli(rest, "verify", answer, "--evidence", bare, "--policy", policy).returncode == USAGE
    assert cli(rest, "verify", answer, "--policy", policy).returncode == USAGE
    assert cli(rest, "enclave", "evidence", "--digest", ZERO_KEY).returncode == REFUSED
    assert cli(rest, "enclave", "evidence", "--digest", "0x12").returncode == USAGE


def test_a_key_is_named_by_accepted_evidence_alone(rest, proven, tmp_path):
    _, evidence, policy = proven
    given, contract = json.loads(evidence.read_text()), "0x" + "ab" * 20

    def register(*more, evidence=evidence, policy=policy, code=OK):
        done = cli(rest, "keys", "register", "--evidence", evidence, "--contract", contract,
                   *(["--policy", policy] if policy else []), "--json", *more, url="http://127.0.0.1:9")
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    assert "--insecure-verdict" in register(code=NO).stderr
    done = register("--insecure-verdict")
    assert "INSECURE" in done.stderr
    told = json.loads(done.stdout)
    key = keys(rest)["answers"]
    words = [told["remote"], f"0x{key['epoch']:064x}", key["public_key"], given["evidence_digest"], given["manifest_hash"]]
    selector = ev.keccak(b"registerKey(bytes32,uint64,bytes32,bytes32,bytes32)")[:4].hex()
    assert told["to"] == contract and told["data"] == "0x" + selector + "".join(w[2:] for w in words)
    assert told["remote"] == keys(rest)["oracle"] and told["verdict"]["status"] == "warning"
    # Refused: no policy, one without measurements, another build, another key's words, no such epoch, bare evidence.
    register(policy=None, code=USAGE)
    loose = tmp_path / "loose"
    loose.write_text('{"version": 1, "insecure_accept_simulated": true}')
    register("--insecure-verdict", policy=loose, code=USAGE)
    register("--insecure-verdict", policy=policy_of(tmp_path / "other", "0x" + "11" * 32), code=NO)
    forged = tmp_path / "forged"
    forged.write_text(json.dumps({**given, "keys": [{**k, "public_key": ZERO_KEY} for k in given["keys"]]}))
    register("--insecure-verdict", evidence=forged, code=NO)
    register("--insecure-verdict", "--epoch", 9, code=NO)
    register("--insecure-verdict", "--remote", ZERO_KEY, code=NO)
    register("--insecure-verdict", "--nonce", "11" * 16, code=NO)
    register("--insecure-verdict", "--nonce", given["nonce"])
    bare = tmp_path / "bare"
    bare.write_text(given["evidence"])
    register("--insecure-verdict", evidence=bare, code=USAGE)


def test_the_answer_to_another_question_is_no(rest, answered, port, write, tmp_path):
    path, document = answered
    key = document["key"]
    with Liar(document) as liar:
        assert cli(rest, "oracle", "ask", path, "--audience", "shop", "--key", key, url=liar.url).returncode == OK
        for wrong in (["--audience", "shop2"], [], ["--audience", "shop", "--arg", "x"], ["--audience", "shop", "--key", ZERO_KEY],
                      ["--audience", "shop", "--lineage", ZERO_KEY]):
            assert cli(rest, "oracle", "ask", path, *wrong, url=liar.url).returncode == NO, wrong
        other = write("other.json", spec(source(port), result={"type": "int256", "decimals": 7}, decimals=None))
        assert cli(rest, "oracle", "ask", other, "--audience", "shop", url=liar.url).returncode == NO


def test_a_host_that_never_answers(rest, write, port):
    with Liar({"id": "0x" + "12" * 32, "kind": "app", "state": "open"}, 202) as liar:
        assert cli(rest, "oracle", "ask", write("s", spec(source(port))), "--timeout", 1, url=liar.url).returncode == TIMEOUT
    with Liar({"id": "0x" + "12" * 32, "kind": "app", "state": "expired", "why": "nobody"}) as liar:
        assert cli(rest, "oracle", "ask", write("s", spec(source(port))), url=liar.url).returncode == NO
    with Liar({"id": "../../../etc", "kind": "app", "state": "open"}, 202) as liar:
        assert cli(rest, "oracle", "ask", write("s", spec(source(port))), url=liar.url).returncode == UNREACHABLE


# ---- secrets


def echo(tls):
    """Answers with the header x-key of the request."""
    while head := fetch.read_head(tls):
        value = next((line.split(b": ", 1)[1] for line in head.split(b"\r\n") if line.lower().startswith(b"x-key: ")), b"")
        tls.sendall(fetch.ok(json.dumps({"price": "1.25" if value == SECRET.encode() else "0"}).encode()))


def test_secrets_are_sealed_here_and_opened_there(rest, rest_world, write):
    server = rest_world.server(echo)
    text = spec(source(server.port, headers=[["accept", "application/json"], ["x-key", "{secret:k}"]]))
    path, secret = write("s", text), write("k", SECRET + "\n", 0o600)
    key = keys(rest)["secrets"]["public_key"]
    for given, stdin in ((f"k=@{secret}", None), ("k=@-", SECRET + "\n")):
        done = cli(rest, "oracle", "ask", path, "--audience", "shop", "--secret", given, "--secrets-key", key, "--json", stdin=stdin)
        assert done.returncode == OK, done.stderr
        document = json.loads(done.stdout)
        assert document["value"] == "1.25000000" and document["request"]["secrets_hash"] != "0x" + "00" * 32
        assert SECRET not in done.stdout + done.stderr
    assert SECRET.encode() not in rest.files()


def test_the_host_s_own_key_is_taken_only_when_that_is_said(rest, rest_world, write):
    server = rest_world.server(echo)
    path = write("s", spec(source(server.port, headers=[["accept", "application/json"], ["x-key", "{secret:k}"]])))
    secret = write("k", SECRET, 0o600)
    refused = cli(rest, "oracle", "ask", path, "--secret", f"k=@{secret}")
    assert refused.returncode == USAGE and "--secrets-key" in refused.stderr
    done = cli(rest, "oracle", "ask", path, "--secret", f"k=@{secret}", "--insecure-host-key", "--json")
    assert done.returncode == OK and "INSECURE" in done.stderr and json.loads(done.stdout)["value"] == "1.25000000"


def test_a_secret_of_another_spec_or_asker_is_refused_by_the_enclave(rest, rest_world, write):
    server = rest_world.server(echo)
    text = spec(source(server.port, headers=[["accept", "application/json"], ["x-key", "{secret:k}"]]))
    key = keys(rest)["secrets"]["public_key"]
    path, secret = write("s", text), write("k", SECRET, 0o600)
    sealed = cli(rest, "oracle", "seal", path, "--audience", "shop", "--secret", f"k=@{secret}", "--secrets-key", key, "--json")
    assert sealed.returncode == OK
    box = json.loads(sealed.stdout)["secrets"]
    status, document = rest.ask(text, secrets=box, audience="shop")
    assert status == 200 and document["code_name"] == "ok" and document["value"] == "1.25000000"
    for audience in ("shop2", ""):
        status, document = rest.ask(text, secrets=box, audience=audience)
        assert status == 200 and document["code_name"] == "secrets_invalid"
    # What another program seals the same way is the same: the enclave opens both.
    other = seal(unhex(key), ov.app_asker(b"shop"), text, {"k": SECRET})
    status, document = rest.ask(text, secrets="0x" + other.hex(), audience="shop")
    assert status == 200 and document["code_name"] == "ok"


def test_a_box_opens_until_two_keys_later(rest_world, tmp_path_factory, write):
    server = rest_world.server(echo)
    text = spec(source(server.port, headers=[["accept", "application/json"], ["x-key", "{secret:k}"]]))
    path, secret = write("s", text), write("k", SECRET, 0o600)
    with Oracle(tmp_path_factory.mktemp("rotated"), rest_world) as oracle:
        first = keys(oracle)["secrets"]

        def ask() -> dict:
            done = cli(oracle, "oracle", "ask", path, "--secret", f"k=@{secret}", "--secrets-key", first["public_key"], "--json")
            return json.loads(done.stdout)

        assert ask()["value"] == "1.25000000"
        assert cli(oracle, "oracle", "rotate", "secrets").returncode == REFUSED  # without the scope
        for epoch, code in ((2, "ok"), (3, "secrets_invalid")):
            rotated = cli(oracle, "oracle", "rotate", "secrets", "--json", key=OPERATE)
            assert rotated.returncode == OK and json.loads(rotated.stdout)["epoch"] == epoch, rotated.stderr
            wait_for(lambda: keys(oracle)["secrets"]["epoch"] == epoch, 20, f"key {epoch}", 0.1)
            assert ask()["code_name"] == code


# ---- looking


def test_dry_run(rest, rest_world, port, write):
    bad = rest_world.server(lambda tls: None).port
    text = spec(source(port), source(bad), aggregate={"kind": "median", "k": 1})
    done = cli(rest, "oracle", "dry-run", write("s", text))
    assert done.returncode == OK and '"1.25000000"' in done.stdout and "unsigned" in done.stdout, done.stdout
    assert f"api.example.test:{bad}" in done.stdout
    wrong = cli(rest, "oracle", "dry-run", write("s", spec(source(port, pointer="/x"))), "--json")
    assert wrong.returncode == NO and json.loads(wrong.stdout)["code_name"] == "not_found"


def test_requests_and_one_of_them(rest, port, write, tmp_path):
    out = tmp_path / "again.json"
    document = json.loads(cli(rest, "oracle", "ask", write("s", spec(source(port))), "--json").stdout)
    listed = json.loads(cli(rest, "oracle", "requests", "--kind", "app", "--limit", 3, "--json").stdout)["requests"]
    assert document["id"] in [row["request_id"] for row in listed] and len(listed) <= 3
    people = cli(rest, "oracle", "requests", "--state", "done")
    assert people.returncode == OK and "ok" in people.stdout
    assert cli(rest, "oracle", "requests", "--kind", "chain", "--json").returncode == OK
    assert cli(rest, "oracle", "requests", "--state", "nonsense").returncode == REFUSED
    got = cli(rest, "oracle", "get", document["id"], "--out", out, "--json")
    assert got.returncode == OK and json.loads(got.stdout) == document == json.loads(out.read_text())
    assert cli(rest, "oracle", "get", "0x" + "00" * 32).returncode == REFUSED


def test_publish(rest, port, write):
    text = spec(source(port, path="/published"))
    done = cli(rest, "oracle", "publish", write("s", json.dumps(json.loads(text), indent=1)))
    assert done.returncode == OK, done.stderr
    identifier = done.stdout.strip()
    assert identifier == "0x" + ov.spec_hash(text).hex()
    status, body = rest.request("GET", f"/v1/oracle/specs/{identifier}")
    assert status == 200 and body == json.loads(text)
    assert cli(rest, "oracle", "publish", write("s", "{}")).returncode == USAGE


def test_key_is_the_enclave_s(rest, rest_world):
    told = keys(rest)
    status, hello = rest.request("GET", "/v1/enclave")
    assert status == 200 and told["oracle"] == "0x" + rest_world.identity().hex() and told["lineage"] == rest_world.lineage
    assert told["answers"]["public_key"] in [k["public_key"] for k in hello["keys"]]
    people = cli(rest, "oracle", "key")
    assert told["secrets"]["public_key"] in people.stdout and "INSECURE" in people.stdout


def test_status(rest):
    told = cli(rest, "oracle", "status", "--json")
    assert told.returncode == OK and json.loads(told.stdout)["enclave"]["ready"] is True and json.loads(told.stdout)["chains"] == []
    assert "ready" in cli(rest, "oracle", "status").stdout
    assert cli(rest, "oracle", "status", url="http://127.0.0.1:9").returncode == UNREACHABLE


def test_feeds_of_nobody(rest):
    """The list is there; what is not listed is refused; without the scope nothing changes."""
    assert json.loads(cli(rest, "oracle", "feeds", "--json").stdout) == {"feeds": []}
    for verb in ("show", "pause", "resume", "remove"):
        assert cli(rest, "oracle", "feeds", verb, "0x" + "fe" * 20, 0, key=OPERATE).returncode == REFUSED
    assert cli(rest, "oracle", "feeds", "pause", "0x" + "fe" * 20, 0).returncode == REFUSED


# ---- running one


def test_up_starts_it_again(rest_world, tmp_path_factory, port, write):
    oracle = Oracle(tmp_path_factory.mktemp("up"), rest_world)
    good = cli(oracle, "config", "check", oracle.config)
    assert good.returncode == OK and "oracle" in good.stdout, good.stderr
    oracle.process = Process([oracle.build / "bin" / "caisson", "up", oracle.config], oracle.log, cwd=oracle.folder)
    try:
        wait_for(oracle.healthy, START_TIMEOUT_S, f"health ({oracle.log})", 0.1)
        path = write("s", spec(source(port)))
        assert cli(oracle, "oracle", "ask", path).returncode == OK
        before = oracle.pids()["caisson-oracle"]
        os.kill(before, 9)
        wait_for(lambda: oracle.pids().get("caisson-oracle", before) != before and oracle.healthy(), START_TIMEOUT_S, "the next one", 0.1)
        assert cli(oracle, "oracle", "ask", path).returncode == OK
    finally:
        oracle.stop()
    oracle.check_log()


def test_an_api_key_made_here_opens_it(rest, rest_world, tmp_path, port, write):
    made = cli(rest, "keys", "create", "fresh", "--scopes", "read,ask", "--config", rest.config, "--out", tmp_path / "fresh.key")
    assert made.returncode == OK, made.stderr
    key = (tmp_path / "fresh.key").read_text().strip()
    wait_for(lambda: rest.request("GET", "/v1/oracle/key", key=key)[0] == 200, 10, "the new key", 0.1)
    assert cli(rest, "keys", "revoke", "fresh", "--config", rest.config).returncode == OK
    wait_for(lambda: rest.request("GET", "/v1/oracle/key", key=key)[0] == 401, 10, "its end", 0.1)
