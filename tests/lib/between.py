"""A world in which somebody stands before the node of the first chain."""
from __future__ import annotations

import json

from adapters.proxies import RpcProxy

from .world import World


class Between(World):
    def write_gateways(self) -> None:
        super().write_gateways()
        self.proxy = RpcProxy(self.chains[0].url)
        config = self.gateways[0].config
        config.write_text(config.read_text().replace(f"rpc = [{json.dumps(self.chains[0].url)}]", f"rpc = [{json.dumps(self.proxy.url)}]"))

    def stop(self) -> None:
        super().stop()
        if hasattr(self, "proxy"):
            self.proxy.stop()
