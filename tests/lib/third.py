"""Two chains under messages, and a third one that comes while the first gateway runs: the manifest that names it, the file that serves it."""
from __future__ import annotations

import json
import secrets
from pathlib import Path

from . import abi, chains, deploy, manifests, naming
from .rpc import begin_create, end_create
from .world import GAS_MONEY_WEI, SEND_GAS, TRANSFER_GAS, Gateway, World


class Third(World):
    """Two chains under messages, and a third one with its contracts, which no manifest names yet."""

    def start(self) -> None:
        super().start()
        self.lineage = [self.manifest]
        self.more = chains.Anvil(self.folder / "chain3", 31339, self.block_time)
        self.chains.append(self.more)
        self.third, = deploy.deploy_gateways([self.more])
        self.connect()
        code = deploy.artifact("test/SampleApp")
        self.third.app = end_create(self.more.rpc, code, begin_create(self.more.rpc, self.third.owner, code, self.third.gateway.address))
        self.kept = self.gateways[0].config.read_text()

    def connect(self) -> None:
        """Whose contract knows whom, before there is a manifest."""
        deploy.register_remotes([self.sides[0], self.third])

    def draft(self, third: bool = True) -> dict:
        """Of the manifest that follows the newest; with the third chain, which the first gateway's chain may talk with."""
        newest = json.loads(self.lineage[-1].read_text())["manifest"]
        draft = {**newest, "number": newest["number"] + 1, "previous": manifests.tool("hash", self.lineage[-1])}
        if third and len(draft["chains"]) == 2:
            home = self.sides[0]
            draft["chains"][0]["remotes"].append(abi.to_hex(self.third.identity))
            finality = manifests.finality(self.more, self.confirmations)
            draft["chains"].append(manifests.row(self.more, finality, self.third.gateway.address, abi.to_hex(self.third.code_hash),
                                                 [abi.to_hex(home.identity)], home.owner, self.gas_limit))
        return draft

    def sign(self, draft: dict, name: str, key: Path | None = None) -> Path:
        path = self.folder / f"{name}.json"
        path.with_suffix(".draft").write_text(json.dumps(draft))
        manifests.tool("sign", path.with_suffix(".draft"), "-o", path, "--key", key or self.folder / "administrator.key")
        return path

    def config(self, files: list[Path], third: bool = True) -> str:
        """The first gateway's file under these manifests."""
        lines = [f"manifests = {json.dumps([str(f) for f in files])}" if line.startswith("manifests = ") else line for line in self.kept.splitlines()]
        return "\n".join(lines) + "\n" + (self.chain_lines() if third else "")

    def chain_lines(self) -> str:
        lines = ["", "[[chains]]", f'id = "{self.more.caip2}"', f"rpc = [{json.dumps(self.more.url)}]", f"ws = [{json.dumps(self.more.ws_url)}]",
                 "start_height = 0", f"block_time_ms = {self.block_time_ms}", 'operator_key_file = "operator.key"']
        return "\n".join(lines) + "\n"

    def commit_between(self, source: deploy.Side, other: deploy.Side, payload: bytes) -> str:
        receipt = source.gateway.write(source.user, "sendMessage", other.chain.erc7930(other.app.address), payload, [], gas=SEND_GAS)
        return abi.to_hex(source.gateway.events("MessageCommitted", receipt)[0]["messageId"])

    def name_key(self, side: deploy.Side, other: deploy.Side, gateway: Gateway) -> None:
        """The owner of one contract names the key of the enclave of the other chain, which is this gateway's."""
        nonce = secrets.token_hex(32)
        evidence = gateway.get(f"/v1/enclave/evidence?nonce={nonce}")
        data = naming.call(self.build, self.folder, evidence, self.measurement(), side.gateway.address, other.identity, nonce)
        side.chain.rpc.wait_receipt(side.chain.rpc.send(side.owner, side.gateway.address, data))

    def name_keys(self) -> None:
        """The owners of the two contracts name the enclave's keys of the other chain, and fill the accounts of the third."""
        gateway, home, third = self.gateways[0], self.sides[0], self.third
        keys = {k["chain"]: k for k in gateway.enclave()["keys"]}
        for side, other in ((home, third), (third, home)):
            self.name_key(side, other, gateway)
        for address in (keys[self.more.caip2]["gas_address"], gateway.operator):
            self.more.rpc.wait_receipt(self.more.rpc.send(third.owner, address, value=GAS_MONEY_WEI, gas=TRANSFER_GAS))


def reload(gateway, status: int = 200) -> dict:
    got, answer = gateway.request("POST", "/v1/operator/reload")
    assert got == status, answer
    return answer


def numbers(gateway) -> tuple[int, int]:
    """Of the manifests that the gateway and its enclave run under."""
    return gateway.get("/v1/status")["manifest_number"], gateway.enclave()["manifest_number"]
