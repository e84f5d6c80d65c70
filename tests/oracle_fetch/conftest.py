"""One public key infrastructure, one proxy and one sandboxed client for each module; servers are the tests' own."""
from __future__ import annotations

import pytest

from lib import fetch, pki

HOST = "api.example.test"
OTHER = "cdn.example.test"


class World:
    """private: a CA that no log knows; public: one whose certificates must be in two of the three logs."""

    def __init__(self, folder):
        self.folder = folder
        self.private, self.public = pki.authority("private root"), pki.authority("public root")
        self.middle = pki.authority("public intermediate", self.public)
        self.logs = [pki.Log(1), pki.Log(2), pki.Log(2)]
        self.anchors = [(self.private, True), (self.public, False)]
        self.leaf = pki.issue("leaf", self.private, names=[HOST])
        self.started = []
        self.client = self.start("client")

    def start(self, name: str, *, anchors=None, logs=None, proxy=None, **more) -> fetch.Fetcher:
        """Another client, with a proxy of its own: it is the one reader of its control socket."""
        proxy = proxy or fetch.Proxy(names={name: "127.0.0.1" for name in (HOST, OTHER, "localhost")})
        client = fetch.Fetcher(self.folder / name, proxy.end, anchors or self.anchors, self.logs if logs is None else logs, **more)
        client.proxy = proxy
        self.started.append(client)
        return client

    def server(self, handler=None, certificate=None, **more) -> fetch.Server:
        return fetch.Server(self.folder / "servers", certificate or self.leaf, handler or fetch.answering(fetch.ok()), **more)

    def close(self):
        for client in self.started:
            client.close()
            client.proxy.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("fetch"))
    yield made
    made.close()
