// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Timelocked} from "./Timelocked.sol";

/// Owner and guardian stop what begins at a contract, never what has begun.
abstract contract Pausable is Timelocked {
    bool public paused;

    event Paused(bool paused);

    error InPause();

    modifier notPaused() {
        if (paused) revert InPause();
        _;
    }

    /// Stops what begins here; what has begun is still delivered, finalized and refunded.
    function pause() external onlyOwnerOrGuardian {
        paused = true;
        emit Paused(true);
    }

    function unpause() external onlyOwner {
        paused = false;
        emit Paused(false);
    }
}
