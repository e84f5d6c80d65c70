"""What an oracle asks, for the demo and whole worlds: nginx over TLS under a certificate authority of its own, whose answers are files.

Certificates are made by openssl's command, so that this needs no library beside Python's.
"""
from __future__ import annotations

import hashlib
import json
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .fetch import Nginx
from .tools import Missing, free_ports

DAYS_AUTHORITY, DAYS_LEAF = 3650, 90


@dataclass
class Pem:
    pem: str


@dataclass
class Leaf:
    """As fetch.Nginx takes a certificate."""

    chain_pem: str
    key: Pem


def openssl(*arguments) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise Missing("openssl", "script/install demo brings it")
    run = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"openssl {arguments[0]}: {run.stderr.strip()}")


class Authority:
    """A private root: .pem, .hash (SHA-256 of its DER)."""

    def __init__(self, folder: Path, name: str = "a private root"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.key, self.file = folder / "root.key", folder / "root.pem"
        openssl("req", "-x509", *_new_key(self.key), "-out", self.file, "-days", DAYS_AUTHORITY, "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.pem = self.file.read_text()
        self.hash = hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem)).digest()

    def leaf(self, *names: str) -> Leaf:
        key, file = self.folder / f"{names[0]}.key", self.folder / f"{names[0]}.pem"
        listed = ",".join(f"DNS:{name}" for name in names)
        openssl("req", "-x509", *_new_key(key), "-out", file, "-days", DAYS_LEAF, "-subj", f"/CN={names[0]}",
                "-CA", self.file, "-CAkey", self.key, "-addext", "basicConstraints=critical,CA:FALSE",
                "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=serverAuth",
                "-addext", f"subjectAltName={listed}")
        return Leaf(file.read_text(), Pem(key.read_text()))


def _new_key(file: Path) -> list:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file]


class Sources:
    """One nginx that is every host of `names` at one port; each answers with its own files."""

    def __init__(self, folder: Path, names: list[str]):
        self.folder, self.names = folder, names
        self.authority = Authority(folder / "authority")
        self.store = folder / "store.pem"
        self.store.write_text(self.authority.pem)
        for name in names:
            self.root(name).mkdir(parents=True)
        self.port = free_ports(1)[0]
        files = f"location / {{ root {folder}/www/$host; add_header cache-control no-store; }}"
        self.nginx = Nginx(folder / "nginx", self.port, self.authority.leaf(*names), extra=files)

    def root(self, name: str) -> Path:
        return self.folder / "www" / name

    def set(self, name: str, path: str, value) -> None:
        """What GET /path of that host answers from now on; never half of it."""
        file = self.root(name) / path
        half = file.with_suffix(".new")
        half.write_text(json.dumps(value))
        half.rename(file)

    def url(self, name: str, path: str) -> str:
        return f"https://{name}:{self.port}/{path}"

    @property
    def pid(self) -> int:
        return self.nginx.popen.pid

    def close(self) -> None:
        self.nginx.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
