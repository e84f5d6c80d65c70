// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICaissonCallback, ICaissonOracle} from "./ICaissonOracle.sol";

/// The base of a contract that asks an oracle for itself and hears the answers: it lets through only what this oracle
/// says about what this contract asked.
abstract contract OracleConsumer is ICaissonCallback {
    ICaissonOracle public immutable oracle;

    error NotOracle();
    error NotAsked();

    constructor(ICaissonOracle oracle_) {
        oracle = oracle_;
    }

    function onAnswer(bytes32 requestId, address asker, uint8 code, uint64 observedAt, bytes calldata value) external {
        if (msg.sender != address(oracle)) revert NotOracle();
        if (asker != address(this)) revert NotAsked();
        _onAnswer(requestId, code, observedAt, value);
    }

    /// `code` 0: `value` is `abi.encode` of the one value; else see the codes of docs/protocol/oracle.md section 4.
    function _onAnswer(bytes32 requestId, uint8 code, uint64 observedAt, bytes calldata value) internal virtual;

    /// Asks and pays from this contract's balance.
    function _ask(
        bytes memory spec,
        string[] memory arguments,
        bytes memory secrets,
        uint64 callbackGas,
        uint64 maxAge,
        uint64 lifetime
    ) internal returns (bytes32 requestId) {
        uint256 size = spec.length + secrets.length;
        for (uint256 i = 0; i < arguments.length; ++i) size += bytes(arguments[i]).length;
        uint256 fee = oracle.quote(size, callbackGas);
        return oracle.request{value: fee}(
            spec, arguments, secrets, address(this), callbackGas, maxAge, uint64(block.timestamp) + lifetime
        );
    }

    /// Sends `to` the refunds that this contract did not take when they came: the oracle keeps them for it alone. Who may
    /// call what calls this, and with which `to`, decides who gets them.
    function _claimRefunds(address payable to) internal {
        oracle.claim(to);
    }
}
