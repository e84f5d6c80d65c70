"""Readers of a gateway's stream of events."""
from __future__ import annotations

import http.client
import json


class ServerSentEvents:
    """A reader of GET /v1/events, as the HTML standard (9.2.5, 9.2.6) has it, of fields that are one line each."""

    def __init__(self, connection: http.client.HTTPConnection, key: str, query: str = "", **headers: str):
        self.connection = connection
        connection.request("GET", f"/v1/events{query}", headers={"Authorization": f"Bearer {key}", "Accept": "text/event-stream", **headers})
        self.reply = connection.getresponse()

    def __next__(self) -> dict[str, str]:
        fields = {}
        while (line := self.reply.readline()) not in (b"", b"\n"):
            name, _, value = line.decode().rstrip("\n").partition(":")
            fields[name] = value.removeprefix(" ")
        if not line:
            raise ConnectionError("the stream has ended")
        return fields

    def until(self, done) -> list[dict]:
        events = []
        while not events or not done(events[-1]):
            fields = next(self)
            if "data" in fields:
                events.append(json.loads(fields["data"]))
                assert fields.keys() == {"id", "data"} and fields["id"] == str(events[-1]["cursor"])
        self.connection.close()
        return events


def events_after(gateway, cursor: int) -> list[dict]:
    """By GET /v1/events: up to the newest of this moment, which there must be."""
    newest = gateway.get("/v1/status")["event_cursor"]
    assert newest > cursor
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    return ServerSentEvents(connection, gateway.key, f"?cursor={cursor}").until(lambda event: event["cursor"] >= newest)


def told_after(gateway, cursor: int, *kinds: str) -> list[tuple[str, str]]:
    """Of those events the ones of these kinds, each with its detail."""
    return [(e["kind"], e["detail"]) for e in events_after(gateway, cursor) if e["kind"] in kinds]


def read_until(stream, done) -> list[dict]:
    """Of a WebSocket: every event to the first one that is done; then it is closed."""
    events = []
    while not events or not done(events[-1]):
        events.append(json.loads(stream.recv()))
    stream.close()
    return events
