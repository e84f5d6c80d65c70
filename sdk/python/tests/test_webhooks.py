"""Signatures of webhooks: the vector of Standard Webhooks' reference libraries, and everything around it that is refused."""
from __future__ import annotations

import json
import unittest
from typing import Any

from caisson import WebhookError, verify_webhook

from .vectors import FOLDER

VECTOR: dict[str, str] = json.loads((FOLDER / "standard-webhooks" / "vector.json").read_text())
NOW = int(VECTOR["timestamp"])
BODY = VECTOR["body"].encode()
HEADERS = {"Webhook-Id": VECTOR["id"], "webhook-timestamp": VECTOR["timestamp"], "WEBHOOK-SIGNATURE": VECTOR["signature"]}
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def verify(body: bytes = BODY, secrets: Any = VECTOR["secret"], now_s: float = NOW, **headers: str | None) -> Any:
    given = {name.lower(): value for name, value in HEADERS.items()} | {f"webhook-{name}": value for name, value in headers.items()}
    return verify_webhook(body, {name: value for name, value in given.items() if value is not None}, secrets, now_s=now_s)


class Webhooks(unittest.TestCase):
    def test_the_published_vector(self) -> None:
        self.assertEqual(verify_webhook(BODY, HEADERS, VECTOR["secret"], now_s=NOW), {"test": 2432232314})

    def test_after_a_rotation(self) -> None:
        """One of the secrets, one of the signatures; those of other versions are passed over."""
        verify(secrets=[OTHER, VECTOR["secret"]])
        verify(signature=f"v1a,AAAA v1,{'A' * 43}= {VECTOR['signature']}")
        verify(secrets=VECTOR["secret"].removeprefix("whsec_"))

    def test_time(self) -> None:
        for shift in (-300, 300):
            verify(now_s=NOW + shift)
        for shift in (-301, 301, 10**9):
            self.assertRaisesRegex(WebhookError, "not of now", verify, now_s=NOW + shift)

    def test_refusals(self) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"body": BODY + b" "}, {"body": b""}, {"secrets": OTHER}, {"secrets": []}, {"id": "msg_other"}, {"signature": ""},
            {"signature": "v1,"}, {"signature": VECTOR["signature"][3:]}, {"signature": "v2," + VECTOR["signature"][3:]},
            {"signature": VECTOR["signature"][:-2]}, {"timestamp": str(NOW + 1)})
        for more in wrong:
            with self.subTest(more), self.assertRaisesRegex(WebhookError, "no signature"):
                verify(**more)
        for name in ("id", "timestamp", "signature"):
            self.assertRaisesRegex(WebhookError, f"webhook-{name} is missing", verify, **{name: None})
        for number in ("", "-1", "1.5", "x", "1" * 16, "١"):
            self.assertRaisesRegex(WebhookError, "not a number", verify, timestamp=number)

    def test_secrets_that_are_none(self) -> None:
        for secret in ("", "whsec_", "whsec_***", "whsec_abc"):
            with self.subTest(secret), self.assertRaises(ValueError) as told:
                verify(secrets=secret)
            self.assertNotIn(secret[6:] or "?", str(told.exception))
