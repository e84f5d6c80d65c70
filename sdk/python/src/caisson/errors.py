"""What can go wrong, one class for each thing that a caller would do about it."""
from __future__ import annotations


class CaissonError(Exception):
    """All of the below."""


class ConfigurationError(CaissonError, ValueError):
    """The client cannot be made of what it was given: an address, an API key, or the environment that should name them."""


class ApiError(CaissonError):
    """The gateway refused: its problem (RFC 9457). `code` is stable, `retry` says whether the same request may succeed later, `retry_after_s`
    how long to wait before, where the gateway said it."""

    def __init__(self, status: int, code: str, title: str, detail: str | None, retry: bool, retry_after_s: int | None = None):
        super().__init__(f"{code} ({status}): {detail or title}")
        self.status, self.code, self.title, self.detail, self.retry = status, code, title, detail, retry
        self.retry_after_s = retry_after_s


class Unreachable(CaissonError):
    """No answer: the gateway is not there, or the connection ended. Whether it took the request is not known."""


class BadReply(CaissonError):
    """Something answered that is no gateway, or not one of this version."""


class TimedOut(CaissonError):
    """What was waited for did not come in time. It may still come."""


class VerificationError(CaissonError):
    """The envelope does not prove what it says."""


class WebhookError(CaissonError):
    """What was posted is not a webhook of ours, or not of now: answer 400 and do nothing."""
