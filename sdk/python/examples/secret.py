"""Reads a file that only this program may read: its secret comes from `caisson provision serve`, by the cluster's manifest.

    caisson provision encrypt report.csv --name reports --socket WORKER/ask.sock > report.csf
    python secret.py PROVISION_SOCKET reports report.csf

The manifest has to name this program: a script is its interpreter, so the rule (`caisson provision rule $(command -v python3)`) is one for
every script that the same user runs. Prints how much there was and its hash, not the text: what is secret stays here.
"""
from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from caisson.secret import Refused, decrypt, epoch_of, fetch_secret


def main(path: str, name: str, file: str) -> int:
    data = Path(file).read_bytes()
    try:
        text = decrypt(data, fetch_secret(path, name, epoch_of(data)))
    except Refused as refused:
        print(f"no secret: {refused}", file=sys.stderr)
        return 3
    print(f"{len(text)} bytes, SHA-256 {hashlib.sha256(text).hexdigest()}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
