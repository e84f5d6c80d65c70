"""Usage records, lines and statements of the ledger, written from docs/protocol/usage.md alone."""
import hashlib
import time
from dataclasses import dataclass

from . import crypto

CHARGE, CREDIT = 1, 2
PROVIDER, CONSUMER = 1, 2
PRICE_DECIMALS = 18
RECORD = "(bytes32,address,address,bytes,bytes32,bytes32,uint256,uint256,uint64,uint64,bytes32,bytes32)"


def label(text: str) -> bytes:
    return text.encode().ljust(32, b"\0")


def period(time_s: int) -> int:
    date = time.gmtime(time_s)
    return date.tm_year * 100 + date.tm_mon


@dataclass
class Record:
    data_hash: bytes
    provider: bytes
    consumer: bytes
    purpose: bytes
    enclave: bytes
    metric: bytes
    quantity: int
    price: int
    observed_s: int
    nonce: int
    signature: bytes = b""

    def digest(self, chain: bytes, insecure: bool = False) -> bytes:
        domain = "caisson/usage/record/v1" + ("/insecure" if insecure else "")
        return crypto.keccak(b"".join([
            crypto.keccak(domain.encode()), chain, self.data_hash, self.provider.rjust(32, b"\0"),
            self.consumer.rjust(32, b"\0"), crypto.keccak(self.purpose), self.enclave, self.metric,
            crypto.word(self.quantity), crypto.word(self.price), crypto.word(self.observed_s), crypto.word(self.nonce)]))

    def sign(self, secret: int, chain: bytes, insecure: bool = False) -> "Record":
        self.enclave = crypto.public_key(secret)[:32]
        self.signature = crypto.schnorr_sign(secret, self.digest(chain, insecure))
        return self

    def amount(self, decimals: int) -> int:
        return self.quantity * self.price // 10 ** (decimals + PRICE_DECIMALS)

    def values(self) -> list:
        """The members of the tuple RECORD."""
        return [self.data_hash, self.provider, self.consumer, self.purpose, self.enclave, self.metric, self.quantity,
                self.price, self.observed_s, self.nonce, self.signature[:32], self.signature[32:]]


def _head(kind: int, height: int, time_s: int, amount: int, record: Record) -> bytes:
    return (bytes([kind]) + height.to_bytes(8, "big") + time_s.to_bytes(8, "big") + crypto.word(amount) + record.enclave +
            record.nonce.to_bytes(8, "big") + record.provider + record.consumer)


def charge(record: Record, decimals: int, height: int, time_s: int) -> bytes:
    return (_head(CHARGE, height, time_s, record.amount(decimals), record) + bytes([decimals]) + record.data_hash +
            record.metric + crypto.word(record.quantity) + crypto.word(record.price) + record.observed_s.to_bytes(8, "big") +
            record.signature + bytes([len(record.purpose)]) + record.purpose)


def credit(record: Record, amount: int, height: int, time_s: int, decided_by: bytes, reason: bytes) -> bytes:
    return _head(CREDIT, height, time_s, amount, record) + decided_by + reason


def record_of(line: bytes) -> Record:
    """What a charge is of (docs/protocol/usage.md, section 2)."""
    at = 1 + 8 + 8 + 32

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return line[at - size:at]

    assert line[0] == CHARGE
    enclave, nonce, provider, consumer, _ = take(32), take(8), take(20), take(20), take(1)
    data_hash, metric, quantity, price, observed, signature = take(32), take(32), take(32), take(32), take(8), take(64)
    numbers = [int.from_bytes(n, "big") for n in (quantity, price, observed, nonce)]
    return Record(data_hash, provider, consumer, take(take(1)[0]), enclave, metric, *numbers, signature)


def calldata(records: list[Record]) -> bytes:
    """record(Record[]), by hand: an array of dynamic tuples."""
    tails, heads, at = [], [], 32 * len(records)
    for record in records:
        values = record.values()
        words = [v.rjust(32, b"\0") if isinstance(v, bytes) else crypto.word(v) for v in values]
        words[3] = crypto.word(32 * len(values))
        tail = b"".join(words) + crypto.word(len(record.purpose)) + record.purpose + bytes(-len(record.purpose) % 32)
        heads.append(crypto.word(at))
        tails.append(tail)
        at += len(tail)
    selector = crypto.keccak(f"record({RECORD}[])".encode())[:4]
    return selector + crypto.word(32) + crypto.word(len(records)) + b"".join(heads + tails)


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def root(lines: list[bytes]) -> bytes:
    return _root(lines)


def root_by_path(line: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2: where an audit path leads; it must have as many steps as index and count ask for."""
    found, at, last = hashlib.sha256(b"\0" + line).digest(), index, count - 1
    for node in path:
        assert last > 0, "longer than a path"
        if at % 2 or at == last:
            found = hashlib.sha256(b"\1" + node + found).digest()
            while at and not at % 2:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + node).digest()
        at, last = at >> 1, last >> 1
    assert last == 0, "shorter than a path"
    return found


def statement(lines: list[bytes]) -> bytes:
    """The value of the state."""
    sums = [0, 0]
    for line in lines:
        sums[line[0] - 1] += int.from_bytes(line[17:49], "big")
    parts, at = [], 0
    for bit in reversed(range(32)):
        if len(lines) >> bit & 1:
            parts.append(_root(lines[at:at + (1 << bit)]))
            at += 1 << bit
    return crypto.word(sums[0]) + crypto.word(sums[1]) + len(lines).to_bytes(8, "big") + b"".join(parts)


def statement_key(party: bytes, role: int, month: int, pruned: bool = False) -> bytes:
    return b"\6" + (b"q" if pruned else b"a") + party + bytes([role]) + month.to_bytes(4, "big")
