"""What a receiver of webhooks does first: is this from our gateway, and of now? By the standard library alone."""
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import cast

from .errors import WebhookError
from .types import WebhookBody

PREFIX = "whsec_"
TOLERANCE_S = 300


def verify_webhook(body: bytes, headers: Mapping[str, str], secrets: str | Sequence[str], *, tolerance_s: int = TOLERANCE_S,
                   now_s: float | None = None) -> WebhookBody:
    """The body of a POST, once its signature (Standard Webhooks) is one of these secrets' and its time is within tolerance_s of ours;
    WebhookError otherwise.

    body: the bytes as they came, not as some framework wrote them again. headers: names in any case. An event may come twice, with the
    same header webhook-id: whoever must not act twice remembers it.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise WebhookError(f"the header {missing.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15):
        raise WebhookError("webhook-timestamp is not a number")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > tolerance_s:
        raise WebhookError("webhook-timestamp is not of now")
    offered = [s.removeprefix("v1,").encode() for s in signatures.split(" ") if s.startswith("v1,")]
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = [_sign(secret, signed) for secret in ([secrets] if isinstance(secrets, str) else secrets)]
    if not any([hmac.compare_digest(a, b) for a in wanted for b in offered]):  # a list: each is compared
        raise WebhookError("no signature is by a secret that is known here")
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookError("the body is not a JSON object")
    return cast(WebhookBody, event)


def _sign(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError("a secret is whsec_ and base64")  # without it: this may be logged
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
