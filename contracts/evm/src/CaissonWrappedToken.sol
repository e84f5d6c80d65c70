// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// What stands here for a token that is locked on its home chain. Only its bridge mints and burns; the bridge burns
/// only what its own caller holds, so it needs no allowance.
contract CaissonWrappedToken is ERC20 {
    address public immutable bridge;
    uint8 private immutable _decimals;

    error OnlyBridge();

    constructor(address bridge_, string memory name_, string memory symbol_, uint8 decimals_) ERC20(name_, symbol_) {
        bridge = bridge_;
        _decimals = decimals_;
    }

    modifier onlyBridge() {
        if (msg.sender != bridge) revert OnlyBridge();
        _;
    }

    function mint(address to, uint256 amount) external onlyBridge {
        _mint(to, amount);
    }

    function burn(address from, uint256 amount) external onlyBridge {
        _burn(from, amount);
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}
