"""What the oracle's enclave refuses: at its start, on its socket, of a request, and what it signs as an error."""
from __future__ import annotations

import subprocess

import pytest

import oracle_vectors as ov
from enclave import manifests
from enclave.boundary import Enclave, Refused, TYPES, insecure_bits, measurement, program
from lib import fetch, report, tools
from oracle_enclave.world import Caller, HOST, NAME, OTHER, World, canonical, seal, source, spec

BITS = insecure_bits()


def coded(world, caller, text: bytes, **more) -> int:
    """The code of a signed answer; its signature and evidence are checked, and an error has no value."""
    result = world.check_app(world.key(caller.hello()), caller.app(text, **more), text, more.get("arguments", ()),
                             more.get("secrets", b""))
    assert (result["value"] == b"") == (result["code"] != 0)
    return result["code"]


# --- errors that are signed


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b'{ "version":1}', canonical({"version": 2}),
                                  spec(source(1), unknown=1), spec(source(1, host="API.example.test")),
                                  spec({"url": "http://api.example.test/", "extract": {"whole": True}}),
                                  spec({"url": "file:///etc/passwd", "extract": {"whole": True}})])
def test_spec_invalid(world, caller, text):
    assert coded(world, caller, text) == 1


@pytest.mark.parametrize("arguments", [[], [b"a", b"b"], [b"\xff"], [b".."]], ids=["none", "too many", "no UTF-8", "dots"])
def test_arguments_invalid(world, caller, arguments):
    text = spec(source(world.server().port, path="/a/{0}"))
    assert coded(world, caller, text, arguments=arguments) == 2


def test_secrets_invalid(world, caller):
    port = world.server().port
    text, other = (spec(source(port, path=f"/{n}?key={{secret:key}}")) for n in "ab")
    box, asker = world.box(caller.hello()), ov.app_asker(b"app")
    good = seal(box, asker, text, {"key": "x"})
    assert coded(world, caller, text, secrets=good) == 0
    for bad in (b"", b"x", good[:-1], good[:40] + bytes([good[40] ^ 1]) + good[41:],  # none, no box, cut, changed
                seal(b"\x09" + bytes(31), asker, text, {"key": "x"}),  # to another key
                seal(box, asker, other, {"key": "x"}),  # for another spec
                seal(box, ov.app_asker(b"another"), text, {"key": "x"}),  # of another asker
                seal(box, asker, text, {"other": "x"}), seal(box, asker, text, {"key": "x\n"})[:-1]):
        assert coded(world, caller, text, secrets=bad) == 3


@pytest.mark.parametrize("host", ["forbidden.example.test", "very.evil.test"])
def test_forbidden_hosts(world, caller, host):
    assert coded(world, caller, spec(source(443, host=host))) == 4
    assert coded(world, caller, spec(source(443, hosts=[host]))) == 4
    assert coded(world, caller, spec(source(443, host="127.0.0.1"))) == 4


def test_what_sources_do_wrong(world, caller):
    answer = lambda *pieces, **more: world.server(fetch.answering(*pieces, **more))  # noqa: E731
    stranger = world.server(issuer=world.stranger)
    wrong_name = world.server(names=["else.example.test"])
    body = lambda b: fetch.ok(b)  # noqa: E731
    for code, server in ((18, stranger), (18, wrong_name),
                         (19, answer(b"HTTP/1.1 302 F\r\nLocation: https://cdn.example.test/\r\nContent-Length: 0\r\n\r\n")),
                         (20, answer(b"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n")),
                         (21, answer(b"HTTP/1.1 200 O\r\nContent-Length: 9999999\r\n\r\n")),
                         (22, answer(body(b'{"price":1,"price":2}'))), (22, answer(body(b"\xff"))),
                         (32, answer(body(b'{"prize":1}'))), (33, answer(body(b'{"price":"dear"}'))),
                         (33, answer(body(b'{"price":1.123456789}')))):
        assert coded(world, caller, spec(source(server.port))) == code


def test_a_port_on_which_nobody_listens(world, caller):
    with tools.closed_port() as nobody:
        assert coded(world, caller, spec(source(nobody.getsockname()[1]))) == 16


def test_scripts_that_fail(world, caller):
    port = world.server().port
    for script in ("while true do end", "error('no')", "return nil", "local t = {} while true do t[#t + 1] = ('x'):rep(9999) end",
                   "return os.time()", "x x"):
        code = coded(world, caller, spec(source(port, extract={"script": script})))
        # On a machine that is too slow for all its instructions the clock ends a loop.
        assert code == 34 or code == 17 and "while true" in script


def test_disagreement(world, caller):
    ports = [world.server(fetch.answering(fetch.ok(b'{"price":%d}' % n))).port for n in (1, 2)]
    assert coded(world, caller, spec(source(ports[0]), source(ports[1], OTHER))) == 48


def test_a_feed_is_one_int256(world, caller):
    port = world.server(fetch.answering(fetch.ok(b'{"price":"1"}'))).port
    for kind, decimals in (("uint256", 0), ("string", None), ("int256[]", 0)):
        reply = caller.call("Feeds", receiver=world.feeds, claims=[{"index": 0, "spec": spec(source(port), kind=kind, decimals=decimals)}])
        assert reply["statement"] == b"" and reply["failed"][0]["code"] == 1


# --- requests that are refused


@pytest.mark.parametrize("name", ["SignMessages", "SignOutcomes", "LearnKey", "SignTransaction", "ClientQuorum"])
def test_what_a_bridge_signs_is_no_request(caller, name):
    ident = caller.send_raw(TYPES[name], b"")
    caller.names[ident] = name
    with pytest.raises(Refused, match="UNSUPPORTED"):
        caller.wait(ident)


def test_hello_and_keys_come_first(world):
    enclave = world.start()
    caller = world.caller(enclave, init=False)
    with pytest.raises(Refused, match="NO_KEY"):
        caller.app(spec(source(1)))
    caller.close()
    silent = Caller(enclave.path)
    with pytest.raises(Refused, match="UNAUTHORIZED"):
        silent.app(spec(source(1)))


@pytest.mark.parametrize("over, error", [
    ({"max_age": 0}, "INVALID"), ({"max_age": 86401}, "INVALID"), ({"timeout_s": 0}, "INVALID"), ({"timeout_s": 3601}, "INVALID"),
    ({"epoch": 9}, "WRONG_EPOCH"), ({"audience": b"x" * 65}, "TOO_LARGE"), ({"arguments": [b"x"] * 9}, "TOO_LARGE"),
    ({"arguments": [b"x" * 513]}, "TOO_LARGE"), ({"secrets": b"x" * 4145}, "TOO_LARGE")])
def test_requests_out_of_bounds(world, caller, over, error):
    with pytest.raises(Refused, match=error):
        caller.app(spec(source(world.server().port)), **over)
    with pytest.raises(Refused, match="TOO_LARGE"):
        caller.app(b"x" * 16385)


def test_receivers_are_the_manifests(world, caller):
    claim = {"index": 0, "spec": spec(source(1))}
    for receiver in (world.requests, world.chain, bytes(32), ov.app_identity(b"app")):
        with pytest.raises(Refused, match="NOT_IN_MANIFEST"):
            caller.call("Feeds", receiver=receiver, claims=[claim])
    with pytest.raises(Refused, match="DUPLICATE"):
        caller.call("Feeds", receiver=world.feeds, claims=[claim, claim])
    with pytest.raises(Refused, match="INVALID"):
        caller.call("Feeds", receiver=world.feeds)
    with pytest.raises(Refused, match="INVALID"):
        caller.call("AnswerChain", receiver=world.requests)
    for chain in (world.identity(), bytes(32)):
        with pytest.raises(Refused, match="NOT_IN_MANIFEST"):
            caller.call("ClientCreate", chain=chain, header=b"x")
    with pytest.raises(Refused, match="NOT_IN_MANIFEST"):
        caller.call("Rotate", chain=world.chain)


def test_a_client_that_goes_takes_its_requests_with_it(world):
    enclave = world.start()
    held = []

    def never(tls):
        fetch.read_head(tls)
        held.append(tls)
        tls.recv(1)

    server = world.server(never)
    for _ in range(3):
        caller = world.caller(enclave)
        for _ in range(100):
            caller.start("AnswerApp", audience=b"", query={"spec": spec(source(server.port))}, max_age=1, timeout_s=60)
        caller.hello()
        caller.close()
    good = spec(source(world.server().port))
    caller = world.caller(enclave)
    assert coded(world, caller, good) == 0


def test_more_requests_than_are_kept(world):
    enclave = world.start()
    caller = world.caller(enclave)

    def never(tls):
        fetch.read_head(tls)
        tls.recv(1)

    text = spec(source(world.server(never).port))
    idents = [caller.start("AnswerApp", audience=b"", query={"spec": text}, max_age=1, timeout_s=60) for _ in range(257)]
    with pytest.raises(Refused, match="FULL"):
        caller.wait(idents[-1])


# --- one role


def test_sealed_state_is_of_one_role(world, caller):
    bridge = Enclave(world.folder, [world.path], world.lineage, b"o" * 32, binary=program())
    with bridge:
        other = bridge.client()
        hello = other.hello()
        other.call("Init")
        theirs, ours = other.call("Export")["sealed"], caller.call("Export")["sealed"]
        for name in ("AnswerApp", "AnswerChain", "Feeds", "DryRun"):
            ident = other.send_raw(TYPES[name], b"")
            kind, got, _ = other.receive()
            assert (kind, got) == (1, ident)
    relabelled = ours[:7] + b"\1" + ours[8:]
    with Enclave(world.folder, [world.path], world.lineage, b"o" * 32, binary=program()) as fresh:
        other = fresh.client()
        other.hello()
        for blob in (ours, relabelled):
            with pytest.raises(Refused, match="SEAL_BROKEN"):
                other.call("Import", sealed=blob)
    mine = world.caller(world.start(), init=False)
    for blob in (theirs, theirs[:7] + b"\2" + theirs[8:]):
        with pytest.raises(Refused, match="SEAL_BROKEN"):
            mine.call("Import", sealed=blob)
    mine.call("Import", sealed=ours)
    assert hello["schema_digest"] != mine.hello()["schema_digest"]


def test_the_report_says_which_role(world, caller):
    hello = caller.hello()
    assert hello["schema_digest"].hex() == (tools.ROOT / "wire" / "oracle.lock").read_text().split()[0]
    assert hello["report_data"] == report.of_hello("oracle-enclave", hello)
    assert len({k["public_key"] for k in hello["keys"]}) == 2 and not any(hello["keys"][0]["gas_address"])


# --- the start


def refused_start(world, **more) -> str:
    enclave = world.start(**more)
    assert enclave.popen.wait(20) == 65
    return enclave.log.read_text().splitlines()[-1]


def test_a_trust_store_that_the_manifest_does_not_name(world):
    other = world.folder / "other.pem"
    other.write_text(world.stranger.pem + "\n")
    assert "not-in-manifest" in refused_start(world, store=other)
    assert "cannot be read" in refused_start(world, store=world.folder / "none.pem")


@pytest.mark.parametrize("over, why", [
    ({"private_cas": ["0x" + "11" * 32]}, "private_cas"), ({"logs": "0x" + "11" * 32}, "--logs"),
    ({"contracts": [{"address": "0x" + "11" * 20, "chain": "0x" + "22" * 32, "kind": "feeds"}]}, "chain"),
    ({"hosts_allowed": ["UPPER.test"]}, "hosts_allowed"), ({"hosts_forbidden": [1]}, "hosts_forbidden"),
    ({"hosts_allowed": [f"h{i}.test" for i in range(65)]}, "hosts_allowed"), ({"more": 1}, "unknown"),
    ({"private_networks": 1}, "private_networks"), ({"trust_store": "0x11"}, "trust_store")])
def test_manifests_with_a_bad_oracle(tmp_path, over, why):
    made = World(tmp_path, **over)
    try:
        assert why in refused_start(made)
    finally:
        made.close()


def test_contracts_of_a_bad_kind_or_twice(tmp_path):
    good = World(tmp_path)
    one = good.oracle["contracts"][0]
    for name, contracts in (("kind", [one | {"kind": "both"}]), ("twice", [one, one]), ("more than 16", [one] * 17)):
        made = World(tmp_path, contracts=contracts)
        assert name in refused_start(made)
        made.close()
    good.close()


def test_a_manifest_without_an_oracle(world, tmp_path):
    made = World(tmp_path)
    made.lineage = manifests.write(made.path, manifests.body(["0x" + measurement(program(NAME))]))
    try:
        assert "names no oracle" in refused_start(made)
    finally:
        made.close()


@pytest.mark.parametrize("time", [[], ["roughtime"], ["insecure_host_time", "roughtime"]], ids=["none", "another", "more"])
def test_a_manifest_that_demands_another_source_of_time(tmp_path, time):
    """It does not start on the host's clock where the manifest wants another one that this build does not know."""
    made = World(tmp_path)
    made.lineage = manifests.write(made.path, manifests.body(["0x" + measurement(program(NAME))], oracle=made.oracle, time=time))
    try:
        assert "unsupported: time" in refused_start(made)
    finally:
        made.close()


def test_only_allowed_hosts(tmp_path):
    made = World(tmp_path, hosts_allowed=[".example.test"], hosts_forbidden=[HOST])
    try:
        caller = made.caller(made.start())
        port = made.server().port
        assert coded(made, caller, spec(source(port, OTHER))) == 0
        assert coded(made, caller, spec(source(port, HOST))) == 4
        assert coded(made, caller, spec(source(port, "example.org"))) == 4
    finally:
        made.close()


def test_usage(world):
    for arguments in ([], ["--listen-fd", "5"], ["--serve", "x"]):
        assert subprocess.run([program(NAME), *arguments], capture_output=True).returncode == 64


@pytest.mark.parametrize("what", [1, 2, 3, 4, 5, 6])
def test_the_sandbox(world, what):
    enclave = world.start()
    caller = world.caller(enclave)
    if not caller.hello()["insecure_flags"] & BITS["test_probes"]:
        pytest.skip("this build has no test probes")
    with pytest.raises(ConnectionError):
        caller.call("Probe", what=what)
    assert enclave.popen.wait(20) == -31
