// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICaissonOracle} from "caisson/ICaissonOracle.sol";
import {OracleConsumer} from "caisson/OracleConsumer.sol";

/// Asks what one coin costs and keeps the answer. Anybody may ask, so what is asked stands here and not in the call.
contract CoinPrice is OracleConsumer {
    uint64 private constant CALLBACK_GAS = 100_000;

    /// Where to look and what to take: canonical JSON, as `caisson oracle spec-hash FILE --out` writes it.
    bytes private constant SPEC =
        '{"result":{"decimals":8,"type":"int256"},"sources":[{"extract":{"pointer":"/{0}/usd"},'
        '"url":"https://api.example.org/coins?id={0}&in=usd"}],"version":1}';

    string public constant COIN = "bitcoin"; // {0} of the spec

    int256 public price; // in USD, 8 decimals
    uint64 public observedAt; // Unix seconds, by the enclave's clock

    event Unanswered(bytes32 indexed requestId, uint8 code);

    constructor(ICaissonOracle oracle_) OracleConsumer(oracle_) {}

    /// Fees of requests that were not answered come back, and pay for the next ones.
    receive() external payable {}

    /// What `ask` costs.
    function fee() public view returns (uint256) {
        return oracle.quote(SPEC.length + bytes(COIN).length, CALLBACK_GAS);
    }

    /// Send what `fee` tells, or nothing where the balance has it: what is sent beyond it stays here for the next one.
    function ask() external payable returns (bytes32 requestId) {
        require(address(this).balance >= fee(), "fee");
        string[] memory arguments = new string[](1);
        arguments[0] = COIN;
        // No secrets; data of the last 5 minutes; refunded when nobody answers within 10.
        return _ask(SPEC, arguments, "", CALLBACK_GAS, 5 minutes, 10 minutes);
    }

    /// Called with exactly CALLBACK_GAS. What it does to a request of somebody else, `OracleConsumer` has refused.
    function _onAnswer(bytes32 requestId, uint8 code, uint64 observedAt_, bytes calldata value) internal override {
        if (code != 0) {
            emit Unanswered(requestId, code);
        } else if (observedAt_ > observedAt) {
            (price, observedAt) = (abi.decode(value, (int256)), observedAt_);
        }
    }
}
