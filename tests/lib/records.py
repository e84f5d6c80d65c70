"""What the bridge's ledger has of messages (docs/ledger.md), beside what the journals of gateways have of them."""
from __future__ import annotations

from . import abi
from .bridge_ledger import RECORDS, BridgeLedger
from .observe import DESTINATION, SOURCE, Journal, relay_states
from .rpc import wait_for
from .world import Gateway

TIMEOUT_S = 120
NAMES = {n: name for name, n in relay_states().items()}


def words(answer: bytes) -> list[int]:
    return [int.from_bytes(answer[i:i + 32], "big") for i in range(0, len(answer), 32)]


def history(bridge: BridgeLedger, message_id: str, side: int) -> list[int]:
    """States in the order of the records."""
    found = words(bridge.view(RECORDS, "messageOf(bytes32,uint8)", abi.to_bytes(message_id), side))
    return [words(bridge.view(RECORDS, "recordOf(bytes32,uint8,uint8)", abi.to_bytes(message_id), side, i))[2] for i in range(found[1])]


def conflicts(bridge: BridgeLedger, message_id: str, side: int) -> int:
    return words(bridge.view(RECORDS, "messageOf(bytes32,uint8)", abi.to_bytes(message_id), side))[2]


def journal_history(gateway: Gateway, message_id: str, side: int) -> list[int]:
    with Journal(gateway.folder) as journal:
        return [row[0] for row in journal.connection.execute(
            "SELECT state FROM events WHERE kind='message' AND id=? AND side=? ORDER BY n", (abi.to_bytes(message_id), side))]


def in_flight(gateway: Gateway) -> tuple | None:
    with Journal(gateway.folder) as journal:
        return journal.connection.execute("SELECT kind, sequence, hash FROM ledger_sent").fetchone()


def status(gateway: Gateway) -> dict:
    return gateway.get("/v1/status")["ledger"]


def wait_written(*gateways: Gateway) -> None:
    """Until the ledger has everything that their journals have."""
    for gateway in gateways:
        wait_for(lambda g=gateway: (s := status(g))["state"] == "fine" and s["backlog"] == 0, TIMEOUT_S,
                 f"{gateway.name} writes ({gateway.log})", 0.1)


def check_records(bridge: BridgeLedger, ids: list[str], source: Gateway, destination: Gateway) -> None:
    """Both sides of each message: every move of the journal of its gateway, once, in its order."""
    wait_written(source, destination)
    for message_id in ids:
        for gateway, side in ((source, SOURCE), (destination, DESTINATION)):
            there, own = history(bridge, message_id, side), journal_history(gateway, message_id, side)
            assert there == own, (gateway.name, [NAMES[s] for s in there], [NAMES[s] for s in own])
            assert NAMES[there[-1]] == "finalized" and conflicts(bridge, message_id, side) == 0


def wait_leases(*gateways: Gateway) -> None:
    for gateway in gateways:
        wait_for(lambda g=gateway: (s := status(g))["leases"] and all(lease["ours"] for lease in s["leases"]), TIMEOUT_S,
                 f"leases of {gateway.name} ({gateway.log})", 0.1)
