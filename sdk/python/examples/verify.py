"""Verifies an envelope by the keys that the two contracts have: no gateway is asked, and none is believed.

    caisson envelope 0x… > envelope.json
    python verify.py envelope.json SOURCE_RPC SOURCE_GATEWAY DESTINATION_RPC DESTINATION_GATEWAY [--insecure-domain]

The destination's contract names the key of the source's enclave, and the other way round. Nodes that you trust, please: the
proof is as good as what they say the contracts hold. --insecure-domain takes what simulated enclaves signed.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path

from caisson import CaissonError, contract_key, verify_envelope


def key_of(rpc: str, gateway: str, statement: dict[str, str]) -> str:
    key = contract_key(rpc, gateway, statement["signer"], int(statement["epoch"]))
    if key.state == "revoked":
        sys.exit(f"{gateway} revoked the key {key.public_key}")
    return key.public_key


def main(insecure: bool, file: str, source_rpc: str, source: str, destination_rpc: str, destination: str) -> int:
    text = Path(file).read_text()
    envelope = json.loads(text)
    try:
        key = key_of(destination_rpc, destination, envelope["statement"])
        outcome_key = key_of(source_rpc, source, envelope["outcome_statement"]) if "outcome_statement" in envelope else None
        verified = verify_envelope(text, key=key, outcome_key=outcome_key, insecure_domain=insecure)
    except (CaissonError, KeyError) as refused:
        print(f"does NOT verify: {refused}")
        return 6
    print(f"message   {verified.id}\nsender    {verified.sender}\nrecipient {verified.recipient}")
    print(f"payload   0x{verified.message.payload.hex()}")
    print(f"outcome   {verified.outcome.name.lower() if verified.outcome else 'not signed yet'}")
    if verified.signed.insecure:
        print("INSECURE: signed under the domain of simulated or insecure enclaves")
    return 0


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--insecure-domain"]
    if len(arguments) != 5:
        sys.exit(__doc__)
    sys.exit(main("--insecure-domain" in sys.argv, *arguments))
