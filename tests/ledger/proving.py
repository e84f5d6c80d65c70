"""An application behind a socket, in a thread of the test: counts transactions, and answers queries that ask for it with a proof
of two steps. The proof proves nothing: it is for how answers travel."""
from __future__ import annotations

import socket
import threading
from pathlib import Path

from abci import messages
from abci.messages import METHODS, data, number, text, varint

NAMES = {field: name for name, field in METHODS.items()}
STEPS = [(b"ics23:iavl", b"key", b"\x0a\x01iavl"), (b"ics23:simple", b"store", b"\x0a\x01root")]
APP_HASH = bytes(range(32))


def read_frame(stream) -> bytes | None:
    size = shift = 0
    while True:
        try:
            byte = stream.read(1)
        except ConnectionError:
            return None
        if not byte:
            return None
        size |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return stream.read(size)


class Proving:
    """with Proving(folder) as app: node --proxy_app app.address"""

    def __init__(self, folder: Path):
        self.path = folder / "proving.sock"
        self.address = f"unix://{self.path}"
        self.height = self.next = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.sockets: list[socket.socket] = []
        self.lock = threading.Lock()

    def answer(self, name: str, fields: list[tuple[int, object]]) -> bytes:
        first = dict(reversed(fields))
        if name == "info":
            return text(1, b"proving") + number(4, self.height) + (text(5, APP_HASH) if self.height else b"")
        if name == "check_tx":
            return number(5, 1)
        if name == "prepare_proposal":
            return b"".join(data(1, value) for field, value in fields if field == 2)
        if name == "process_proposal":
            return number(1, 1)
        if name == "finalize_block":
            self.next = first[5]
            return b"".join(data(2, text(2, value)) for field, value in fields if field == 1) + text(5, APP_HASH)
        if name == "commit":
            self.height = self.next
        if name == "query":
            ops = b"".join(data(1, text(1, kind) + text(2, key) + text(3, proof)) for kind, key, proof in STEPS)
            key = first.get(1, b"")
            return (text(3, b"proven") + number(5, 7) + text(6, key) + text(7, b"value of " + key)
                    + (data(8, ops) if first.get(4) else b"") + number(9, self.height) + text(10, b"test"))
        return b""

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while (request := read_frame(stream)) is not None:
                (field, body), = messages.fields_of(request)
                with self.lock:
                    answer = self.answer(NAMES[field], list(messages.fields_of(body)))
                response = data(field + 1, answer)
                try:
                    connection.sendall(varint(len(response)) + response)
                except ConnectionError:
                    return

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        for connection in self.sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
