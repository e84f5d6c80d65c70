"""One anvil for all tests of contracts; each test begins from the same state."""
from __future__ import annotations


import pytest

from lib import chains
from oracle_world import OracleWorld
from world import World


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    with chains.Anvil(tmp_path_factory.mktemp("contracts"), mining="auto") as anvil:
        yield anvil


@pytest.fixture(scope="session")
def world_once(chain):
    world = World(chain)
    world.app = world.deploy("SampleApp", world.address)
    world.null = world.deploy("NullRecipient")
    world.hostile = world.deploy("HostileRecipient")
    world.harness = world.deploy("Harness")
    return world


@pytest.fixture
def world(world_once):
    """The shared world, put back afterwards."""
    rpc, sequence = world_once.rpc, world_once.remote.sequence
    snapshot = rpc.call("evm_snapshot")
    yield world_once
    assert rpc.call("evm_revert", snapshot)
    world_once.remote.sequence = sequence


@pytest.fixture(scope="session")
def oracle_once(chain):
    world = OracleWorld(chain)
    world.consumer = world.deploy("SampleConsumer", world.oracle.address)
    world.null = world.deploy("NullCallback")
    world.hostile = world.deploy("HostileConsumer")
    world.sequencer = world.deploy("Sequencer")
    return world


@pytest.fixture
def w(oracle_once):
    """The shared world of an oracle, put back afterwards."""
    snapshot = oracle_once.rpc.call("evm_snapshot")
    yield oracle_once
    assert oracle_once.rpc.call("evm_revert", snapshot)
