from __future__ import annotations

import pytest

from oracle_enclave.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("oracle"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def enclave(world):
    return world.start()


@pytest.fixture
def caller(world, enclave):
    made = world.caller(enclave)
    yield made
    made.close()
