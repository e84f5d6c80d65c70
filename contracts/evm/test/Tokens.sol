// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token for tests and the demo: anyone mints; its deployer may freeze accounts (nothing moves to a frozen one).
contract TestToken is ERC20 {
    address public immutable issuer = msg.sender;
    mapping(address => bool) public frozen;

    constructor(string memory name_, string memory symbol_) ERC20(name_, symbol_) {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFrozen(address account, bool on) external {
        require(msg.sender == issuer, "issuer");
        frozen[account] = on;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!frozen[to], "frozen");
        super._update(from, to, amount);
    }
}

/// Keeps one percent of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : amount / 100;
        super._update(from, to, amount - fee);
        if (fee != 0) super._update(from, address(0xfee), fee);
    }
}

/// Lies as it is told.
contract LyingToken {
    enum Lie {
        NONE, // moves what it says
        STILL, // says true, moves nothing
        REFUSAL, // says false
        EXTRA, // moves one more from the payer
        BOMB, // reverts with a megabyte
        BURN_GAS
    }

    Lie public lie;
    mapping(address => uint256) public balanceOf;

    function setLie(Lie lie_) external {
        lie = lie_;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        return _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        if (lie == Lie.REFUSAL) return false;
        if (lie == Lie.STILL) return true;
        if (lie == Lie.BOMB) {
            assembly {
                revert(0, 1000000)
            }
        }
        if (lie == Lie.BURN_GAS) {
            assembly {
                invalid()
            }
        }
        balanceOf[from] -= lie == Lie.EXTRA ? amount + 1 : amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// Calls back while it moves, like an ERC-777.
contract HookToken is ERC20("Hook", "HOOK") {
    address public target;
    bytes public data;
    bool public result;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setHook(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
    }

    /// For what the hook needs before: approvals, mostly.
    function run(address to, bytes calldata call) external {
        (bool ok,) = to.call(call);
        require(ok, "call");
    }

    function _update(address from, address to, uint256 amount) internal override {
        address hook = target;
        if (hook != address(0)) {
            target = address(0);
            (result,) = hook.call(data);
        }
        super._update(from, to, amount);
    }
}
