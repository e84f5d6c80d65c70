"""The enclave's boundary from Python: its schema read from wire/*.proto, frames, a client, a running process.

Shares no code with the C: protobuf is encoded here from the schema's text, so that the tests say what the page says.
"""
from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

from lib import crypto, tools

TYPES = {"Hello": 2, "Init": 4, "Export": 6, "Import": 8, "ClientCreate": 10, "ClientUpdate": 12, "Conflict": 14,
         "SignMessages": 16, "SignOutcomes": 18, "LearnKey": 20, "SignTransaction": 22, "Rotate": 24, "PublicKeys": 26,
         "Status": 28, "Probe": 30, "ClientQuorum": 32, "ClockAsk": 34, "ClockAnswers": 36, "AnchorProve": 38, "AnchorSign": 40, "Attested": 42,
         "AnswerApp": 64, "AnswerChain": 66, "Feeds": 68, "DryRun": 70}
REPLIES = {"ClientCreate": "ClientReply", "ClientUpdate": "ClientReply", "SignMessages": "SignedReply",
           "SignOutcomes": "SignedOutcomesReply", "AnswerApp": "OracleReply", "AnswerChain": "OracleReply", "Feeds": "OracleReply",
           "DryRun": "OracleReply"}


def _schema() -> dict:
    text = "".join((tools.ROOT / "wire" / name).read_text() for name in ("enclave.proto", "oracle.proto"))
    text = re.sub(r"//[^\n]*", "", text)
    messages = {}
    for name, body in re.findall(r"message (\w+) \{(.*?)\}", text, re.S):
        messages[name] = [(int(n), field, kind, bool(repeated)) for repeated, kind, field, n in
                          re.findall(r"(repeated )?(\w+) (\w+) = (\d+);", body)]
    return messages


SCHEMA = _schema()
VARINTS = {"uint32", "uint64", "bool", "Action"}


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(name: str, values: dict) -> bytes:
    known = {field for _, field, _, _ in SCHEMA[name]}
    assert set(values) <= known, f"{name} has no {set(values) - known}"
    out = b""
    for number, field, kind, repeated in SCHEMA[name]:
        value = values.get(field)
        for one in (value or []) if repeated else [value]:
            out += _field(number, kind, one, repeated)
    return out


def _field(number: int, kind: str, value, repeated: bool) -> bytes:
    if kind in VARINTS:
        return _varint(number << 3) + _varint(int(value)) if value else b""
    if kind in SCHEMA:
        if value is None:
            return b""
        data = encode(kind, value)
    else:
        data = value.encode() if isinstance(value, str) else bytes(value or b"")
        if not data and not repeated:
            return b""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _take_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def decode(name: str, data: bytes) -> dict:
    fields = {number: (field, kind, repeated) for number, field, kind, repeated in SCHEMA[name]}
    out = {field: [] if repeated else 0 if kind in VARINTS or kind == "sint32" else "" if kind == "string" else b""
           for field, kind, repeated in fields.values()}
    at = 0
    while at < len(data):
        key, at = _take_varint(data, at)
        field, kind, repeated = fields[key >> 3]
        value, at = _take_varint(data, at)
        if key & 7 == 2:
            raw, at = data[at:at + value], at + value
            value = decode(kind, raw) if kind in SCHEMA else raw.decode() if kind == "string" else raw
        elif kind == "sint32":
            value = (value >> 1) ^ -(value & 1)
        if repeated:
            out[field].append(value)
        else:
            out[field] = value
    return out


def _errors() -> list[str]:
    text = (tools.ROOT / "core" / "err.def").read_text()
    return re.findall(r'^CS_ERR\((\w+),', text, re.M)


ERRORS = _errors()


def insecure_bits() -> dict[str, int]:
    text = (tools.ROOT / "enclave" / "insecure.def").read_text()
    return {name: 1 << int(bit) for bit, name in re.findall(r"^INSECURE\((\d+), (\w+),", text, re.M)}


class Refused(Exception):
    def __init__(self, code: int, why: str):
        super().__init__(f"{ERRORS[code]}: {why}")
        self.name, self.why = ERRORS[code], why


class Client:
    def __init__(self, path: Path, timeout_s: float = 20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        self.socket.connect(str(path))
        self.next_id = 1

    def close(self) -> None:
        self.socket.close()

    def send_raw(self, kind: int, body: bytes) -> int:
        self.next_id += 1
        self.socket.sendall(struct.pack(">IHHQ", len(body), kind, 0, self.next_id) + body)
        return self.next_id

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the enclave closed the connection")
            data += more
        return data

    def receive(self) -> tuple[int, int, bytes]:
        size, kind, zero, ident = struct.unpack(">IHHQ", self._read(16))
        assert zero == 0
        return kind, ident, self._read(size)

    def call(self, name: str, **values) -> dict:
        ident = self.send_raw(TYPES[name], encode(name + "Request", values))
        kind, got, body = self.receive()
        assert got == ident
        if kind == 1:
            error = decode("ErrorReply", body)
            raise Refused(error["code"], error["why"])
        assert kind == TYPES[name] + 1
        return decode(REPLIES.get(name, name + "Reply"), body)

    def hello(self, nonce: bytes = b"\x07" * 32) -> dict:
        return self.call("Hello", nonce=nonce)


def program(name: str = "caisson-enclave") -> Path:
    path = Path(os.environ.get("CAISSON_BUILD", tools.ROOT / "build" / "dev")) / "bin" / name
    if not path.exists():
        raise tools.Missing(name, "build it first")
    return path


def measurement(binary: Path) -> str:
    return subprocess.run([binary, "--measure"], check=True, capture_output=True, text=True).stdout.strip()


class Enclave:
    """A process of the enclave with its listening socket, as a gateway starts it. root None: the hardware's own."""

    def __init__(self, folder: Path, manifests: list[Path], lineage: str, root: bytes | None, flags: list[str] = (),
                 binary: Path | None = None, serve: list[str] = (), options: list[str] = (), fds: list[int] = ()):
        # Paths of Unix sockets are short: not in the folder of the test.
        self.folder = tempfile.TemporaryDirectory(prefix="cs")
        self.path = Path(self.folder.name) / "s"
        self.log = folder / "enclave.log"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(8)
        seal_read, seal_write = os.pipe()
        os.write(seal_write, root or b"")
        os.close(seal_write)
        argv = [str(binary or program()), "--listen-fd", str(listener.fileno()),
                *([] if root is None else ["--seal-root-fd", str(seal_read)]),
                "--lineage", lineage, *(f"--{f}" for f in flags), *options]
        for path in manifests:
            argv += ["--manifest", str(path)]
        for chain in serve:
            argv += ["--serve", chain]
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          pass_fds=[listener.fileno(), seal_read, *fds], env=os.environ | SANITIZER)
        os.close(seal_read)
        listener.close()

    def client(self) -> Client:
        return Client(self.path)

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# Under the filter a sanitizer can neither start a symbolizer nor look for leaks.
SANITIZER = {"ASAN_OPTIONS": "symbolize=0:detect_leaks=0", "UBSAN_OPTIONS": "symbolize=0"}


def keccak_hex(data: bytes) -> str:
    return "0x" + crypto.keccak(data).hex()
