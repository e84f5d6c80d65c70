"""One HTTP request, by the standard library. Follows no redirect: the API key would go along."""
from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from .errors import BadReply, ConfigurationError, Unreachable


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    where: str  # for errors

    def json(self) -> object:
        """None where the body is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def split_url(url: str) -> SplitResult:
    """ConfigurationError for what is no http:// or https:// address, and for one with a name and password in it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("the address does not begin with http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("the address has a name or password in it, which would show in logs")
    if parts.query or parts.fragment:
        raise ConfigurationError("the address has a query or fragment")
    return parts


def _connect(base: SplitResult, timeout_s: float, ssl_context: ssl.SSLContext | None) -> tuple[http.client.HTTPConnection, str]:
    """And its name for errors."""
    host = base.hostname or ""
    connection = (http.client.HTTPSConnection(host, base.port, timeout=timeout_s, context=ssl_context)
                  if base.scheme == "https" else http.client.HTTPConnection(host, base.port, timeout=timeout_s))
    return connection, f"{base.scheme}://{host}:{base.port}" if base.port else f"{base.scheme}://{host}"


def exchange(base: SplitResult, method: str, target: str, body: bytes | None, headers: Mapping[str, str], *, timeout_s: float,
             reply_max: int, ssl_context: ssl.SSLContext | None) -> Reply:
    """Unreachable when there was no whole answer, BadReply when it is above reply_max bytes."""
    connection, where = _connect(base, timeout_s, ssl_context)
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        raw = response.read(reply_max + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{where}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    if len(raw) > reply_max:
        raise BadReply(f"{where}: the answer is above {reply_max} bytes")
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, raw, where)


def server_sent(base: SplitResult, target: str, headers: Mapping[str, str], *, timeout_s: float, reply_max: int,
                ssl_context: ssl.SSLContext | None) -> Iterator[Reply | dict[str, str]]:
    """The fields of each server-sent event; or one Reply, where it is none. Ends where the connection does, after timeout_s of silence too."""
    connection, where = _connect(base, timeout_s, ssl_context)
    try:
        connection.request("GET", target, None, dict(headers))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        if response.status != 200 or not found.get("content-type", "").startswith("text/event-stream"):
            yield Reply(response.status, found, response.read(reply_max), where)
            return
        fields: dict[str, str] = {}
        while line := response.readline(reply_max):
            name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            elif fields and line.strip() == b"":
                yield fields
                fields = {}
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{where}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
