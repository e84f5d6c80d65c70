"""A whole old data folder that comes back: the node signs nothing a second time, at heights that the others have left either."""
from __future__ import annotations

import shutil

from ledger.net import Network
from ledger.votes import LogReader, Register

BEHIND = 40


def test_an_old_backup_signs_nothing_twice(tmp_path):
    register = Register()
    # At once: a node that is behind would not come to propose while it waits.
    with Network(tmp_path, 4, lambda text: text.replace('"50ms"', '"0s"')) as net:
        node = net.nodes[3]
        node.wait_height(5)
        address = node.call("status")["validator_info"]["address"]
        reader = LogReader(node.home / "data", address, register)
        node.kill()
        shutil.copytree(node.home / "data", tmp_path / "backup")
        node.start()
        node.wait_height(node_height := net.nodes[0].height() + BEHIND)
        reader.read()
        node.kill()
        reader.read()
        signed = {key for key in register.seen if key[0] == address and key[2] <= node_height}
        assert signed, "it validated"
        net.nodes[0].wait_height(node_height + 3)
        shutil.rmtree(node.home / "data")
        shutil.copytree(tmp_path / "backup", node.home / "data")
        node.start()
        node.wait_height(net.nodes[0].height() + 10)
        reader.read()
    reader.read()
    assert register.conflicts == []
    # It validates again, at heights where it never did before.
    assert max(key[2] for key in register.seen if key[0] == address) > node_height + 3
