from __future__ import annotations

import pytest

from oracle.rest import Oracle
from oracle_enclave.world import World


@pytest.fixture(scope="module")
def rest_world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("rest"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def rest(rest_world, tmp_path_factory):
    """One process for a module."""
    with Oracle(tmp_path_factory.mktemp("oracle"), rest_world) as made:
        yield made
