"""Sends tokens from the operator's account of a gateway, and shows each of the eighteen steps as it happens.

    python transfer.py eip155:31338:0x… 1000000000000000000

CAISSON_URL is the gateway, CAISSON_API_KEY_FILE holds a key with the scopes read, send and sponsor.
"""
from __future__ import annotations

import sys

from caisson import CaissonError, Gateway


def main(to: str, amount: str) -> int:
    if not amount.isdecimal():
        raise CaissonError(f"{amount!r} is no amount: a whole number of the token's smallest unit")
    gateway = Gateway.from_environment()
    request = gateway.transfer(to=to, amount=int(amount), mode="sponsored")
    print(f"request {request['request_id']} on {request['chain']}")
    for update in gateway.watch(request["request_id"]):
        for step in update.steps:
            print(f"{step['n']:3}  {step['name']:24}  {step.get('skipped') or step.get('tx') or ''}")
    print(f"{update.message['id']}: {update.message['state']}")
    return 0 if update.message["state"] == "finalized" else 6


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except CaissonError as error:
        sys.exit(f"transfer.py: {error}")
