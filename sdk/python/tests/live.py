"""Against two running gateways: python -m unittest tests.live, with CAISSON_SDK_WORLD naming a file that describes them
(tests/e2e/test_sdk.py of the repository makes it)."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from caisson import (ApiError, BadReply, Gateway, Status, TimedOut, VerificationError, Verified, WebhookError, contract_key, types, verify_envelope,
                     verify_webhook)
from caisson.transport import exchange

WORLD: dict[str, Any] = json.loads(Path(os.environ["CAISSON_SDK_WORLD"]).read_text())
SOURCE, DESTINATION = WORLD["sides"]
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
END_TIMEOUT_S = 90
UNIT = 10**18


def gateway_of(side: dict[str, Any], **options: Any) -> Gateway:
    return Gateway(side["url"], Path(side["key_file"]).read_text().strip(), **options)


def abroad(name: str) -> str:
    return f"{DESTINATION['chain']}:{DESTINATION[name]}"


def kill_gateway() -> None:
    """Its supervisor starts it again."""
    of = SOURCE["supervisor"]
    for child in Path(f"/proc/{of}/task/{of}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().startswith("caisson-gatewa"):
            os.kill(int(child), signal.SIGKILL)


def verified(gateway: Gateway, message_id: str, **options: Any) -> Verified:
    """By the keys that the contracts have."""
    envelope = gateway.envelope(message_id)
    signed, told = envelope["statement"], envelope.get("outcome_statement")
    key = contract_key(DESTINATION["rpc"], DESTINATION["gateway"], signed["signer"], signed["epoch"])
    back = contract_key(SOURCE["rpc"], SOURCE["gateway"], told["signer"], told["epoch"]) if told else None
    return verify_envelope(json.dumps(envelope), key=key.public_key, outcome_key=back.public_key if back else None, **options)


def rpc(side: dict[str, Any], method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    reply: Any = exchange(urlsplit(side["rpc"]), "POST", "/", body, {"Content-Type": "application/json"}, timeout_s=10,
                          reply_max=1 << 20, ssl_context=None).json()
    return reply["result"]


class Live(unittest.TestCase):
    gateway: Gateway
    finalized: types.Message
    updates: list[tuple[str, list[int]]]

    @classmethod
    def setUpClass(cls) -> None:
        """One sponsored transfer, watched to its end."""
        cls.gateway, cls.updates = gateway_of(SOURCE), []
        request = cls.gateway.transfer(to=abroad("friend"), amount=2 * UNIT, mode="sponsored")
        for update in cls.gateway.watch(request["request_id"], timeout_s=END_TIMEOUT_S):
            cls.updates.append((update.message["state"], [step["n"] for step in update.steps]))
        cls.finalized = update.message

    def test_webhooks(self) -> None:
        """To a receiver of this test, which believes nothing that is not signed."""
        taken: list[tuple[bytes, dict[str, str]]] = []

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append((self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers.items())))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            made = self.gateway.create_webhook(f"http://127.0.0.1:{server.server_address[1]}/", types=["message.finalized"], cursor=0,
                                               message=str(self.finalized["id"]))
            end = time.monotonic() + END_TIMEOUT_S
            while not taken and time.monotonic() < end:
                time.sleep(0.1)
            body, headers = taken[0]
            event = verify_webhook(body, headers, made["secret"])
            self.assertEqual((event["type"], event["data"].get("id")), ("message.finalized", self.finalized["id"]))
            fresh = self.gateway.rotate_webhook_secret(made["id"])
            self.gateway.redeliver(made["id"], event["data"]["cursor"])
            while len(taken) < 2 and time.monotonic() < end:
                time.sleep(0.1)
            for secret in (made["secret"], fresh["secret"]):
                self.assertEqual(verify_webhook(*taken[1], secret), event)
            self.assertRaises(WebhookError, verify_webhook, body, headers, fresh["secret"])
            self.assertEqual([w["id"] for w in self.gateway.webhooks()], [made["id"]])
            self.assertNotIn("secret", self.gateway.webhooks()[0])
            self.assertEqual(self.gateway.enable_webhook(made["id"])["state"], "active")
            self.gateway.delete_webhook(made["id"])
            self.assertEqual(self.gateway.webhooks(), [])
            self.refused(404, "not-found", "", self.gateway.delete_webhook, made["id"])
            self.refused(400, "invalid", "types", self.gateway.create_webhook, "https://a.example/", types=["surprise"])
            server.shutdown()

    def refused(self, status: int, code: str, detail: str, call: Any, *arguments: Any, **more: Any) -> None:
        with self.assertRaises(ApiError) as told:
            call(*arguments, **more)
        error = told.exception
        self.assertEqual((error.status, error.code), (status, code), error)
        self.assertIn(detail, error.detail or "")

    def fits(self, reply: Any, kind: Any, whole: bool = True) -> None:
        """The reply has the members that its type says, and, where that is whole, no other."""
        self.assertLessEqual(kind.__required_keys__, reply.keys())
        if whole:
            self.assertEqual(reply.keys() - kind.__required_keys__ - kind.__optional_keys__, set())

    # ---- watching ----

    def test_the_transfer_arrived(self) -> None:
        self.assertEqual((self.finalized["state"], self.finalized["outcome"]), ("finalized", "delivered"))
        steps = [n for _, told in self.updates for n in told]
        self.assertEqual(sorted(steps), list(range(1, 19)))  # each once
        self.assertEqual(self.gateway.wait(str(self.finalized["id"]))["state"], "finalized")

    def test_watching_outlives_the_gateway(self) -> None:
        request = self.gateway.send_message(to=abroad("app"), payload=b"the gateway dies", mode="sponsored")
        updates = self.gateway.watch(request["request_id"], timeout_s=END_TIMEOUT_S)
        next(updates)
        kill_gateway()
        *_, last = updates
        self.assertEqual(last.message["state"], "finalized")

    def test_events_outlive_the_gateway(self) -> None:
        """Each once, in order; another reader, from a cursor in the middle, gets the rest of the same."""
        stream = self.gateway.events()
        request = self.gateway.send_message(to=abroad("app"), payload=b"events", mode="sponsored")
        events = []
        for event in stream:
            events.append(event)
            self.fits(event, types.Event)
            if len(events) == 2:
                kill_gateway()
            if event["kind"] == "message" and event["state"] == "finalized" and event["id"] == self.gateway.message(request["request_id"])["id"]:
                break
        cursors = [event["cursor"] for event in events]
        self.assertEqual(cursors, list(range(cursors[0], cursors[0] + len(cursors))))
        again = self.gateway.events(cursor=cursors[1])
        self.assertEqual([next(again) for _ in events[2:]], events[2:])

    def test_events_that_are_not_kept(self) -> None:
        self.refused(409, "conflict", "cursor", next, self.gateway.events(cursor=10**12))

    def test_it_may_last_too_long(self) -> None:
        request = self.gateway.send_message(to=abroad("app"), payload=b"too long", mode="sponsored")
        with self.assertRaises(TimedOut):
            self.gateway.wait(request["request_id"], timeout_s=0)
        self.assertEqual(self.gateway.wait(request["request_id"], timeout_s=END_TIMEOUT_S)["state"], "finalized")

    # ---- creating ----

    def test_what_the_application_signs(self) -> None:
        """Prepared for an account of ours, which its node signs and sends."""
        request = self.gateway.send_message(to=abroad("app"), payload=b"prepared", mode="prepare", sender=SOURCE["user"],
                                            attributes={"min_gas_limit": 150_000, "refund_to": SOURCE["user"]})
        self.fits(request, types.Request)
        transaction, = request["transactions"]
        self.fits(transaction, types.Transaction)
        self.assertEqual((transaction["from"], transaction["to"]), (SOURCE["user"], SOURCE["gateway"]))
        self.assertEqual(self.gateway.message(request["request_id"])["state"], "requested")
        rpc(SOURCE, "eth_sendTransaction", {**{name: transaction[name] for name in ("from", "to", "data")},
                                            "value": hex(int(transaction["value"])), "gas": hex(transaction["gas"])})
        message = self.gateway.wait(request["request_id"], timeout_s=END_TIMEOUT_S)
        self.assertEqual((message["state"], message["min_gas_limit"], message["refund_to"]), ("finalized", 150_000, SOURCE["user"]))
        self.assertEqual(message["payload"], "0x" + b"prepared".hex())

    def test_what_the_application_signed(self) -> None:
        """Its node signs, the gateway sends."""
        call: dict[str, Any] = {"to": abroad("app"), "payload": b"submitted", "attributes": {"refund_to": SOURCE["user"]}}
        transaction, = self.gateway.send_message(**call, mode="prepare", sender=SOURCE["user"])["transactions"]
        signed = rpc(SOURCE, "eth_signTransaction", {
            **{name: transaction[name] for name in ("from", "to", "data")}, "value": hex(int(transaction["value"])), "gas": hex(transaction["gas"]),
            "nonce": rpc(SOURCE, "eth_getTransactionCount", SOURCE["user"], "latest"), "maxFeePerGas": hex(10**10), "maxPriorityFeePerGas": hex(10**9)})
        request = self.gateway.send_message(**call, mode="submit", transaction=signed)
        self.fits(request, types.Request)
        self.assertEqual(self.gateway.wait(request["request_id"], timeout_s=END_TIMEOUT_S)["state"], "finalized")
        self.refused(409, "conflict", "transaction", self.gateway.send_message, **call, mode="submit", transaction=signed)

    def test_an_idempotency_key_is_answered_once(self) -> None:
        options: dict[str, Any] = {"to": abroad("app"), "mode": "prepare", "idempotency_key": f"of the test {time.time_ns()}"}
        first = self.gateway.send_message(payload=b"once", **options)
        self.assertEqual(self.gateway.send_message(payload=b"once", **options), first)
        self.refused(409, "conflict", "Idempotency-Key", gateway_of(SOURCE, patience_s=0).send_message, payload=b"other", **options)
        self.refused(400, "invalid", "Idempotency-Key", self.gateway.send_message, **{**options, "payload": b"", "idempotency_key": "x" * 129})
        del options["idempotency_key"]
        self.assertNotEqual(self.gateway.send_message(payload=b"once", **options)["request_id"], first["request_id"])

    def test_a_lost_answer_makes_no_second_message(self) -> None:
        """Under keys of the SDK's own, one for each call. What the gateway got of it, whoever started this test looks at."""
        lossy = Gateway(WORLD["losing"], Path(SOURCE["key_file"]).read_text().strip())
        sent = [lossy.send_message(to=abroad("app"), payload=b"lost and sent again by Python", mode="sponsored")["request_id"] for _ in range(2)]
        self.assertEqual(len(set(sent)), 2)
        for request_id in sent:
            self.assertEqual(self.gateway.wait(request_id, timeout_s=END_TIMEOUT_S)["state"], "finalized")

    def test_who_carries_it(self) -> None:
        """The trace is on the message at both gateways; what of it is wrong is ignored, and the message goes all the same."""
        parent, many = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ",".join(f"k{i}=1" for i in range(33))
        call: dict[str, Any] = {"to": abroad("app"), "payload": b"traced", "mode": "sponsored"}
        for given, state, taken in ((parent, "vendor=1, other@vendor=2", (parent, "vendor=1,other@vendor=2")),
                                    (parent, many, (parent, None)), (parent + "-", "vendor=1", (None, None))):
            sent = self.gateway.send_message(**call, traceparent=given, tracestate=state)
            message = self.gateway.wait(sent["request_id"], timeout_s=END_TIMEOUT_S)
            for told in (message, gateway_of(DESTINATION).message(str(message["id"]))):
                self.assertEqual((told.get("traceparent"), told.get("tracestate")), taken)
        moved = self.gateway.transfer(to=abroad("friend"), amount=UNIT, mode="prepare", traceparent=parent, tracestate="vendor=1")
        self.assertEqual(self.gateway.message(moved["request_id"]).get("tracestate"), "vendor=1")
        for wrong in ("a=1\r\nX: 1", "a=\u00e9", "a=\x00"):
            self.assertRaises(ValueError, self.gateway.send_message, **call, traceparent=parent, tracestate=wrong)
            self.assertRaises(ValueError, self.gateway.send_message, **call, traceparent=wrong)

    def test_what_dies_is_refunded_and_proven_dead(self) -> None:
        """The bridge itself cannot receive tokens."""
        deadline = int(rpc(DESTINATION, "eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 8
        request = self.gateway.transfer(to=abroad("bridge"), amount=5, mode="sponsored", attributes={"deadline": max(deadline, int(time.time()) + 8)})
        message = self.gateway.wait(request["request_id"], timeout_s=END_TIMEOUT_S)
        self.assertEqual((message["state"], message["outcome"]), ("refunded", "dead"))
        self.assertEqual(verified(self.gateway, str(message["id"]), insecure_domain=True).outcome, Status.DEAD)

    def test_refusals(self) -> None:
        send, transfer = self.gateway.send_message, self.gateway.transfer
        self.refused(400, "malformed", "to", send, to="somebody", payload=b"", mode="prepare")
        self.refused(403, "not-in-manifest", "to", send, to=f"eip155:5:0x{'11' * 20}", payload=b"", mode="prepare")
        self.refused(400, "invalid", "mode", send, to=abroad("app"), payload=b"", mode="free")
        self.refused(413, "too-large", "payload", send, to=abroad("app"), payload=bytes(16385), mode="prepare")
        self.refused(404, "not-found", "from_chain", send, to=abroad("app"), payload=b"", mode="prepare", from_chain="eip155:5")
        self.refused(422, "reverted", "attributes.deadline", send, to=abroad("app"), payload=b"", mode="sponsored", attributes={"deadline": 1})
        self.refused(400, "unknown-field", "speed", send, to=abroad("app"), payload=b"", mode="prepare", attributes={"speed": 1})
        self.refused(400, "invalid", "amount", transfer, to=abroad("friend"), amount=0, mode="sponsored")
        self.refused(400, "malformed", "amount", transfer, to=abroad("friend"), amount=-1, mode="sponsored")
        self.refused(402, "no-funds", "amount", transfer, to=abroad("friend"), amount=2**127, mode="sponsored")
        self.refused(409, "conflict", "failed", self.gateway.retry, self.finalized["id"])
        self.refused(409, "conflict", "finalized", self.gateway.abandon, self.finalized["id"])
        self.refused(409, "conflict", "failed", self.gateway.close, self.finalized["id"])

    def test_keys(self) -> None:
        stranger = Gateway(SOURCE["url"], "not-a-key-of-this-gateway-at-all")
        self.refused(401, "unauthorized", "", stranger.chains)
        peer = Gateway(SOURCE["url"], SOURCE["peer_key"])
        self.refused(403, "forbidden", "scope", peer.messages)

    # ---- looking ----

    def test_one(self) -> None:
        message = self.gateway.message(str(self.finalized["id"]))
        self.fits(message, types.Message)
        for step in message["steps"]:
            self.fits(step, types.Step)
        for place in ("sent", "executed", "finalization"):
            self.fits(message[place], types.Place)
        self.assertEqual(gateway_of(DESTINATION).message(str(message["id"]))["side"], "destination")
        self.refused(404, "not-found", "", self.gateway.message, "0x" + "00" * 32)
        self.refused(404, "not-found", "", self.gateway.message, message["id"], side="destination")
        self.refused(400, "malformed", "id", self.gateway.message, "hello")
        self.refused(400, "malformed", "id", self.gateway.message, "../../healthz?x=#")

    def test_a_quote(self) -> None:
        quote = self.gateway.quote(to=abroad("app"), payload_size=5)
        self.fits(quote, types.Quote)
        self.fits(quote["finalized"], types.Latency)
        self.assertEqual((quote["kind"], quote["to_chain"]), ("message", DESTINATION["chain"]))
        self.assertEqual(self.gateway.quote(to=abroad("friend"), kind="transfer")["kind"], "transfer")

    def test_lists(self) -> None:
        page = self.gateway.messages(limit=1)
        self.fits(page, types.MessageList)
        self.assertEqual(len(page["messages"]), 1)
        for message in (every := list(self.gateway.all_messages(state="finalized"))):
            self.fits(message, types.Message)
            self.assertNotIn("steps", message)
        self.assertIn(self.finalized["id"], [message["id"] for message in every])
        self.refused(400, "invalid", "limit", self.gateway.messages, limit=201)
        self.refused(400, "invalid", "state", self.gateway.messages, state="happy")

    def test_what_the_gateway_says_of_itself(self) -> None:
        self.assertTrue(self.gateway.ready())
        chain, = self.gateway.chains()
        self.fits(chain, types.Chain, whole=False)
        self.fits(chain["routes"][0], types.Route)
        self.assertEqual(chain["id"], SOURCE["chain"])
        enclave = self.gateway.enclave()
        self.fits(enclave, types.Enclave)
        self.fits(enclave["keys"][0], types.EnclaveKey)
        self.assertTrue(self.gateway.status()["ready"])

    # ---- verifying ----

    def test_what_both_gateways_give_is_proven(self) -> None:
        for side in WORLD["sides"]:
            gateway, message_id = gateway_of(side), str(self.finalized["id"])
            envelope = gateway.envelope(message_id)
            self.fits(envelope, types.Envelope)
            self.fits(envelope["statement"], types.SignedStatement)
            self.fits(envelope["message"], types.EnvelopeMessage)
            proven = verified(gateway, message_id, insecure_domain=True)
            self.assertEqual((proven.id, proven.outcome, proven.signed.insecure), (message_id, Status.DELIVERED, True))
            self.assertEqual(proven.sender, self.finalized["sender"])
            claimed = verify_envelope(envelope, insecure_domain=True, insecure_file_keys=True)
            self.assertEqual(claimed.signed.key, proven.signed.key)

    def test_simulated_enclaves_prove_nothing_by_default(self) -> None:
        with self.assertRaisesRegex(VerificationError, "simulated or insecure"):
            verified(self.gateway, str(self.finalized["id"]))

    def test_the_keys_of_contracts(self) -> None:
        signer = self.gateway.envelope(str(self.finalized["id"]))["statement"]["signer"]
        key = contract_key(DESTINATION["rpc"], DESTINATION["gateway"], signer, 1)
        self.assertEqual((key.public_key, key.state), (SOURCE["public_key"], "active"))
        with self.assertRaisesRegex(VerificationError, "no key of epoch 9"):
            contract_key(DESTINATION["rpc"], DESTINATION["gateway"], signer, 9)
        with self.assertRaisesRegex(VerificationError, "no key"):
            contract_key(SOURCE["rpc"], SOURCE["gateway"], signer, 1)
        with self.assertRaises(BadReply):
            contract_key(DESTINATION["rpc"], "0x" + "11" * 20, signer, 1)
        with self.assertRaises(BadReply):
            contract_key(SOURCE["url"], DESTINATION["gateway"], signer, 1)

    # ---- examples ----

    def example(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CAISSON_URL": SOURCE["url"], "CAISSON_API_KEY_FILE": SOURCE["key_file"]}
        return subprocess.run([sys.executable, str(EXAMPLES / name), *arguments], capture_output=True, text=True, timeout=END_TIMEOUT_S,
                              env=environment)

    def test_example_transfer(self) -> None:
        run = self.example("transfer.py", abroad("friend"), "7")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("delivery_included", run.stdout)
        self.assertTrue(run.stdout.rstrip().endswith(": finalized"), run.stdout)

    def test_example_prepare(self) -> None:
        run = self.example("prepare.py", abroad("app"), "from the example", SOURCE["user"])
        self.assertEqual(run.returncode, 0, run.stderr)
        transaction, request_id = run.stdout.splitlines()
        self.assertEqual(json.loads(transaction)["what"], "sendMessage")
        self.assertEqual(self.gateway.message(request_id)["state"], "requested")
        self.assertEqual(self.example("prepare.py", "nobody", "x", SOURCE["user"]).returncode, 3)

    def test_example_verify(self) -> None:
        contracts = [SOURCE["rpc"], SOURCE["gateway"], DESTINATION["rpc"], DESTINATION["gateway"]]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(self.gateway.envelope(str(self.finalized["id"])), file)
            file.flush()
            good = self.example("verify.py", file.name, *contracts, "--insecure-domain")
            self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
            self.assertIn("outcome   delivered", good.stdout)
            bad = self.example("verify.py", file.name, *contracts)
            self.assertEqual(bad.returncode, 6, bad.stdout + bad.stderr)
            self.assertIn("does NOT verify", bad.stdout)


if __name__ == "__main__":
    unittest.main()
