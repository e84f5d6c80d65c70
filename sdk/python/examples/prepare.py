"""Prepares a message, for a wallet to sign: prints the transactions as JSON, one a line, and then its request id.

    python prepare.py eip155:31338:0x… "some text" 0xSENDER

What the gateway says of the request later: gateway.watch(request_id).
"""
from __future__ import annotations

import json
import sys

from caisson import ApiError, CaissonError, Gateway


def main(to: str, text: str, sender: str) -> int:
    gateway = Gateway.from_environment()
    try:
        request = gateway.send_message(to=to, payload=text.encode(), mode="prepare", sender=sender)
    except ApiError as refused:
        print(refused, file=sys.stderr)
        return 3
    for transaction in request["transactions"]:
        print(json.dumps(transaction))
    print(request["request_id"])
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except CaissonError as error:
        sys.exit(f"prepare.py: {error}")
