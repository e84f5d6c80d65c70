"""A gateway's REST API: create, look, watch."""
from __future__ import annotations

import json
import os
import re
import secrets
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack, cast
from urllib.parse import quote, urlencode

from .errors import ApiError, BadReply, ConfigurationError, TimedOut, Unreachable
from .transport import Reply, exchange, server_sent, split_url
from .types import Attributes, Chain, Close, Enclave, Envelope, Event, Filters, Message, MessageList, Mode, Quote, QuoteKind, Request, Side, Step, Webhook

# A list of 200 messages with the largest payloads is 7 MiB.
REPLY_SIZE_MAX = 16 << 20
PAUSE_MIN_S, PAUSE_MAX_S = 0.2, 5.0
WATCH_PAUSE_S = 0.25
# A gateway says something every 15 s.
STREAM_SILENCE_S = 45.0
EVENT_SIZE_MAX = 1 << 16
# What a proxy says while there is no gateway behind it.
AWAY = {502, 503, 504}


@dataclass(frozen=True)
class Update:
    """What changed: the message as it is now, and the steps that were not told before (after a retry some happen again)."""

    message: Message
    steps: list[Step]


class Gateway:
    """with the API key of a configuration: Gateway("https://gateway.example", key). Keeps no connection; may be used by threads.

    timeout_s: for each answer. patience_s: for so long a request that may be repeated is repeated, while the gateway is away or
    says that it is busy. Creating is repeated under one Idempotency-Key, so that nothing is sent twice.
    """

    def __init__(self, url: str, api_key: str, *, timeout_s: float = 30, patience_s: float = 10,
                 ssl_context: ssl.SSLContext | None = None):
        self._base = split_url(url)
        if not _is_key(api_key):
            raise ConfigurationError("the API key is empty, or has characters that no key has")
        self._authorization = f"Bearer {api_key}"
        self._timeout_s, self._patience_s, self._ssl_context = timeout_s, patience_s, ssl_context

    @classmethod
    def from_environment(cls, **options: Any) -> Gateway:
        """By CAISSON_URL and the file that CAISSON_API_KEY_FILE names, as the command line does."""
        url, key_file = _variable("CAISSON_URL"), _variable("CAISSON_API_KEY_FILE")
        try:
            key = Path(key_file).read_text(encoding="latin-1").strip()
        except OSError as error:
            raise ConfigurationError(f"the key file that CAISSON_API_KEY_FILE names cannot be read: {key_file}: {error.strerror}") from None
        if not _is_key(key):
            raise ConfigurationError(f"the file that CAISSON_API_KEY_FILE names holds no API key: {key_file}")
        return cls(url, key, **options)

    def __repr__(self) -> str:
        return f"Gateway({self._base.geturl()!r})"

    # ---- creating ----

    def send_message(self, *, to: str, payload: bytes, mode: Mode, from_chain: str | None = None, sender: str | None = None,
                     attributes: Attributes | None = None, transaction: str | None = None, idempotency_key: str | None = None,
                     traceparent: str | None = None, tracestate: str | None = None) -> Request:
        """`POST /v1/messages`. to: CAIP-10. mode prepare gives the transactions for the application to sign (sender, the address
        that will, is looked at then); submit has the gateway send what it signed, transaction; sponsored has the operator's account
        send them. from_chain: CAIP-2, needed where the gateway serves several.

        idempotency_key: of your own, where a request must survive even the death of this process; made anew otherwise.
        traceparent, tracestate: of W3C Trace Context, as your tracer gives them; the message and its webhooks carry them. A gateway ignores what is not right.
        """
        headers = _headers(idempotency_key, traceparent, tracestate)
        return self._create("/v1/messages", {"payload": "0x" + payload.hex()}, to, mode, from_chain, sender, attributes, transaction, headers)

    def transfer(self, *, to: str, amount: int, mode: Mode, token: str | None = None, from_chain: str | None = None,
                 sender: str | None = None, attributes: Attributes | None = None, transaction: str | None = None,
                 idempotency_key: str | None = None, traceparent: str | None = None, tracestate: str | None = None) -> Request:
        """`POST /v1/transfers`, as send_message. amount: in the token's smallest unit. token: default, the chain's of the configuration."""
        members: dict[str, object] = {"amount": str(amount)}
        if token is not None:
            members["token"] = token
        headers = _headers(idempotency_key, traceparent, tracestate)
        return self._create("/v1/transfers", members, to, mode, from_chain, sender, attributes, transaction, headers)

    def _create(self, path: str, members: dict[str, object], to: str, mode: Mode, from_chain: str | None, sender: str | None,
                attributes: Attributes | None, transaction: str | None, headers: Mapping[str, str]) -> Request:
        optional = {"from_chain": from_chain, "from": sender, "attributes": attributes, "transaction": transaction}
        body = {**members, "to": to, "mode": mode, **{name: value for name, value in optional.items() if value is not None}}
        return cast(Request, self._call("POST", path, body, headers=headers, repeat=True))

    # ---- looking ----

    def message(self, message_id: str, *, side: Side | None = None) -> Message:
        """`GET /v1/messages/{id}`: with its eighteen steps. message_id: the message's, or a request's."""
        return cast(Message, self._get(f"/v1/messages/{quote(message_id, safe='')}", side=side))

    def messages(self, *, limit: int | None = None, before: int | None = None, **filters: Unpack[Filters]) -> MessageList:
        """`GET /v1/messages`: one page, newest first, without steps. limit: 1 to 200. With filters it may be short: there is more until next is None."""
        return cast(MessageList, self._get("/v1/messages", limit=limit, before=before, **filters))

    def all_messages(self, **filters: Unpack[Filters]) -> Iterator[Message]:
        """All pages of it."""
        before: int | None = None
        while True:
            page = self.messages(limit=200, before=before, **filters)
            yield from page["messages"]
            before = page["next"]
            if before is None:
                return

    def envelope(self, message_id: str, *, side: Side | None = None) -> Envelope:
        """`GET /v1/messages/{id}/envelope`, for verify_envelope. ApiError `not-final` before the message is signed."""
        return cast(Envelope, self._get(f"/v1/messages/{quote(message_id, safe='')}/envelope", side=side))

    def quote(self, *, to: str, from_chain: str | None = None, kind: QuoteKind = "message", payload_size: int | None = None,
              min_gas_limit: int | None = None) -> Quote:
        """`GET /v1/quote`: what it costs now, and how long those before it took."""
        return cast(Quote, self._get("/v1/quote", to=to, from_chain=from_chain, kind=kind, payload_size=payload_size, min_gas_limit=min_gas_limit))

    def chains(self) -> list[Chain]:
        """`GET /v1/chains`"""
        return cast("list[Chain]", self._get("/v1/chains")["chains"])

    def enclave(self) -> Enclave:
        """`GET /v1/enclave`"""
        return cast(Enclave, self._get("/v1/enclave"))

    def status(self) -> dict[str, Any]:
        """`GET /v1/status`"""
        return self._get("/v1/status")

    def ready(self) -> bool:
        """`GET /healthz`: can a message move?"""
        try:
            return self._once("GET", "/healthz", None, {}).get("ready") is True
        except ApiError as error:
            if error.status == 503:
                return False
            raise

    # ---- watching ----

    def watch(self, message_id: str, *, side: Side | None = None, timeout_s: float = 600, pause_s: float = WATCH_PAUSE_S) -> Iterator[Update]:
        """Yields whenever something changed, the state as it is at first; ends after the update whose message has ended.

        Once the message was found, a gateway that goes away is waited for. TimedOut after timeout_s.
        """
        end = time.monotonic() + timeout_s
        told: dict[int, int | None] = {}
        last: tuple[object, ...] | None = None
        while True:
            message = self._again(message_id, side) if last else self.message(message_id, side=side)
            if message is not None:
                news, now = _news(message, told), (message["state"], message.get("why"), message["id"])
                if news or now != last:
                    yield Update(message, news)
                last = now
                if message["ended"]:
                    return
            if time.monotonic() >= end:
                raise TimedOut(f"{message_id} has not ended after {timeout_s:g} s")
            time.sleep(pause_s)

    def wait(self, message_id: str, *, side: Side | None = None, timeout_s: float = 600) -> Message:
        """The message once it has ended. Look at its state: finalized, refunded, abandoned, request_failed."""
        *_, last = self.watch(message_id, side=side, timeout_s=timeout_s)
        return last.message

    def events(self, *, cursor: int | None = None) -> Iterator[Event]:
        """`GET /v1/events`: every change of every message after the cursor, in order and without a gap; without one what is new from now.

        Goes on for ever, over gateways that go away. ApiError `conflict` when the journal does not keep the cursor.
        """
        at = int(self.status()["event_cursor"]) if cursor is None else cursor
        pause = PAUSE_MIN_S
        while True:
            try:
                for event in self._stream(at):
                    at, pause = event["cursor"], PAUSE_MIN_S
                    yield event
            except Unreachable:
                pass
            except ApiError as error:
                if not _is_passing(error):
                    raise
                pause = max(pause, error.retry_after_s or 0)
            time.sleep(pause)
            pause = min(2 * pause, PAUSE_MAX_S)

    def _stream(self, cursor: int) -> Iterator[Event]:
        """Until the connection ends."""
        headers = {"Authorization": self._authorization, "Accept": "text/event-stream, application/problem+json"}
        for told in server_sent(self._base, f"{self._base.path.rstrip('/')}/v1/events?cursor={cursor}", headers,
                                timeout_s=max(self._timeout_s, STREAM_SILENCE_S), reply_max=EVENT_SIZE_MAX, ssl_context=self._ssl_context):
            if isinstance(told, Reply):
                raise _problem(told, told.json())
            if "id" in told:  # others are about the stream itself
                yield _event(told, self._base.geturl())

    def _again(self, message_id: str, side: Side | None) -> Message | None:
        """None while there is no gateway that would say anything of the message: it was there, and will be again."""
        try:
            return self.message(message_id, side=side)
        except Unreachable:
            return None
        except ApiError as error:
            if _is_passing(error):
                return None
            raise

    # ---- doing ----

    def retry(self, message_id: str, *, side: Side | None = None) -> Message:
        """`POST /v1/messages/{id}/retry` (scope operate): the recipient of a failed message is called again."""
        return cast(Message, self._call("POST", _verb(message_id, "retry", side), {}))

    def abandon(self, message_id: str, *, side: Side | None = None) -> Message:
        """`POST /v1/messages/{id}/abandon` (scope operate): what nobody delivered by its deadline is proven so now, and brought back."""
        return cast(Message, self._call("POST", _verb(message_id, "abandon", side), {}))

    def close(self, message_id: str, *, side: Side | None = None) -> Close:
        """`POST /v1/messages/{id}/close`: the transaction by which the message's closer gives it up, for the closer to sign."""
        return cast(Close, self._call("POST", _verb(message_id, "close", side), {}))

    # ---- webhooks (scope webhook) ----

    def create_webhook(self, url: str, *, types: Sequence[str] = (), from_chain: str | None = None, to_chain: str | None = None,
                       message: str | None = None, cursor: int | None = None) -> Webhook:
        """`POST /v1/webhooks`: events from now on, or after the cursor, are posted to url. Keep `secret`: it is not shown again."""
        optional = {"from_chain": from_chain, "to_chain": to_chain, "message": message, "cursor": cursor}
        given = {name: value for name, value in optional.items() if value is not None}
        return cast(Webhook, self._call("POST", "/v1/webhooks", {"url": url, "types": list(types), **given}))

    def webhooks(self) -> list[Webhook]:
        """`GET /v1/webhooks`"""
        return cast("list[Webhook]", self._get("/v1/webhooks")["webhooks"])

    def enable_webhook(self, webhook_id: str) -> Webhook:
        """`POST /v1/webhooks/{id}/enable`: a disabled one goes on where it stopped."""
        return cast(Webhook, self._call("POST", f"/v1/webhooks/{quote(webhook_id, safe='')}/enable", {}))

    def rotate_webhook_secret(self, webhook_id: str) -> Webhook:
        """`POST /v1/webhooks/{id}/rotate`: with the new `secret`; the one before signs beside it until `old_secret_until_ms`."""
        return cast(Webhook, self._call("POST", f"/v1/webhooks/{quote(webhook_id, safe='')}/rotate", {}))

    def redeliver(self, webhook_id: str, event: int) -> None:
        """`POST /v1/webhooks/{id}/deliveries/{event}/redeliver`"""
        self._call("POST", f"/v1/webhooks/{quote(webhook_id, safe='')}/deliveries/{event}/redeliver", {})

    def delete_webhook(self, webhook_id: str) -> None:
        """`DELETE /v1/webhooks/{id}`"""
        self._call("DELETE", f"/v1/webhooks/{quote(webhook_id, safe='')}", None)

    # ---- requests ----

    def _get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", path + (f"?{urlencode(given)}" if given else ""), None, repeat=True)

    def _call(self, method: str, target: str, body: Mapping[str, object] | None, *, headers: Mapping[str, str] | None = None,
              repeat: bool = False) -> dict[str, Any]:
        end, pause = time.monotonic() + self._patience_s, PAUSE_MIN_S
        while True:
            wait = pause
            try:
                return self._once(method, target, body, headers or {})
            except Unreachable:
                if not repeat or time.monotonic() + wait > end:
                    raise
            except ApiError as error:
                wait = max(pause, error.retry_after_s or 0)
                if not repeat or not _is_passing(error) or time.monotonic() + wait > end:
                    raise
            time.sleep(wait)
            pause = min(2 * pause, PAUSE_MAX_S)

    def _once(self, method: str, target: str, body: Mapping[str, object] | None, headers: Mapping[str, str]) -> dict[str, Any]:
        sent = {"Authorization": self._authorization, "Accept": "application/json, application/problem+json", **headers}
        data = None
        if body is not None:
            data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        reply = exchange(self._base, method, self._base.path.rstrip("/") + target, data, sent, timeout_s=self._timeout_s,
                         reply_max=REPLY_SIZE_MAX, ssl_context=self._ssl_context)
        if reply.status == 204:
            return {}
        answer = reply.json()
        if reply.status in (200, 201, 202) and isinstance(answer, dict):
            return answer
        raise _problem(reply, answer)


def _is_key(text: str) -> bool:
    """Of what a header may have."""
    return re.fullmatch("[!-~]+", text or "") is not None


def _variable(name: str) -> str:
    """Set to nothing is not set."""
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"{name} is not set")
    return value


def _verb(message_id: str, verb: str, side: Side | None) -> str:
    return f"/v1/messages/{quote(message_id, safe='')}/{verb}" + (f"?{urlencode({'side': side})}" if side else "")


def _problem(reply: Reply, answer: object) -> ApiError | BadReply | Unreachable:
    if reply.headers.get("content-type", "").startswith("application/problem+json") and isinstance(answer, dict):
        code, title, detail = (answer.get(name) for name in ("code", "title", "detail"))
        if isinstance(code, str) and isinstance(title, str):
            after = reply.headers.get("retry-after", "")
            return ApiError(reply.status, code, title, detail if isinstance(detail, str) else None, answer.get("retry") is True,
                            int(after) if after.isascii() and after.isdigit() and len(after) <= 9 else None)
    told = f"{reply.where}: HTTP {reply.status}"
    if reply.status in AWAY:
        return Unreachable(f"{told} of something in front of the gateway")
    if 300 <= reply.status < 400:
        return BadReply(f"{told}, a redirect: it is not followed, since the API key would go along")
    return BadReply(f"{told} without an answer that a gateway gives: is this the address of one?")


def _event(told: Mapping[str, str], where: str) -> Event:
    try:
        event = json.loads(told["data"])
    except (KeyError, ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("cursor"), int):
        raise BadReply(f"{where}: an event that no gateway sends")
    return cast(Event, event)


def _headers(idempotency_key: str | None, traceparent: str | None, tracestate: str | None) -> dict[str, str]:
    """Of a request that creates something."""
    headers = {"Idempotency-Key": idempotency_key if idempotency_key is not None else secrets.token_hex(16)}
    for name, value in (("traceparent", traceparent), ("tracestate", tracestate)):
        if value is not None:
            if not re.fullmatch(r"[\t -~]*", value):
                raise ValueError(f"{name}: has characters that no header has")
            headers[name] = value
    return headers


def _is_passing(error: ApiError) -> bool:
    """Another moment may change it, whatever is asked. in-progress: the first try under this Idempotency-Key is still being answered."""
    return error.retry and (error.status == 429 or error.status >= 500 or error.code == "in-progress")


def _news(message: Message, told: dict[int, int | None]) -> list[Step]:
    """Steps that happened since, by their time: after a retry some happen again. What is skipped is certain only at the end."""
    news = []
    for step in message.get("steps", []):
        happened = step.get("t_ms")
        if happened is None and not (message["ended"] and "skipped" in step):
            continue
        if step["n"] not in told or told[step["n"]] != happened:
            told[step["n"]] = happened
            news.append(step)
    return news
