// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AggregatorV3Interface, FeedValue} from "../src/ICaissonFeed.sol";
import {Answer, ICaissonCallback, ICaissonOracle, Request} from "../src/ICaissonOracle.sol";
import {OracleConsumer} from "../src/OracleConsumer.sol";
import {OracleEnvelope} from "../src/OracleEnvelope.sol";

/// Opens the oracle's preimages to vectors.
contract OracleHarness {
    function identity(bytes32 lineage) external pure returns (bytes32) {
        return OracleEnvelope.identity(lineage);
    }

    function specHash(bytes calldata spec) external pure returns (bytes32) {
        return OracleEnvelope.specHash(spec);
    }

    function argumentsHash(string[] calldata arguments) external pure returns (bytes32) {
        return OracleEnvelope.argumentsHash(arguments);
    }

    function requestId(bytes32 receiver, Request calldata request) external pure returns (bytes32) {
        return OracleEnvelope.requestId(receiver, request);
    }

    function leafOfAnswer(bytes32 id, Answer calldata answer) external pure returns (bytes32) {
        return OracleEnvelope.leafOfAnswer(id, answer);
    }

    function feedId(bytes32 receiver, uint64 index) external pure returns (bytes32) {
        return OracleEnvelope.feedId(receiver, index);
    }

    function leafOfFeed(bytes32 receiver, FeedValue calldata item) external pure returns (bytes32 leaf, bytes32 key) {
        return OracleEnvelope.leafOfFeed(receiver, item);
    }
}

/// Asks for a price and keeps it: what a contract developer writes.
contract SampleConsumer is OracleConsumer {
    int256 public price;
    uint64 public observedAt;
    uint8 public lastCode;
    bytes32 public lastId;
    bytes public lastValue;
    uint256 public answers;

    constructor(ICaissonOracle oracle_) OracleConsumer(oracle_) {}

    receive() external payable {}

    function ask(bytes calldata spec, string[] calldata arguments, uint64 callbackGas, uint64 maxAge, uint64 lifetime)
        external
        payable
        returns (bytes32)
    {
        return _ask(spec, arguments, "", callbackGas, maxAge, lifetime);
    }

    function _onAnswer(bytes32 requestId, uint8 code, uint64 observedAt_, bytes calldata value) internal override {
        ++answers;
        (lastId, lastCode, lastValue) = (requestId, code, value);
        if (code == 0) (price, observedAt) = (abi.decode(value, (int256)), observedAt_);
    }
}

/// Takes no money, so that its refunds wait for it.
contract ProudConsumer is OracleConsumer {
    address public immutable owner;

    constructor(ICaissonOracle oracle_) OracleConsumer(oracle_) {
        owner = msg.sender;
    }

    function ask(bytes calldata spec, uint64 callbackGas) external payable returns (bytes32) {
        return _ask(spec, new string[](0), "", callbackGas, 5 minutes, 10 minutes);
    }

    function claimRefunds(address payable to) external {
        require(msg.sender == owner, "owner");
        _claimRefunds(to);
    }

    function _onAnswer(bytes32, uint8, uint64, bytes calldata) internal override {}
}

/// Hears answers and does nothing: for measuring what the oracle itself costs.
contract NullCallback is ICaissonCallback {
    function onAnswer(bytes32, address, uint8, uint64, bytes calldata) external {}
}

/// Misbehaves as it is told, as a callback and as one who is paid back.
contract HostileConsumer is ICaissonCallback {
    enum Mode {
        FINE,
        REVERT,
        REVERT_BOMB,
        RETURN_BOMB,
        INVALID, // burns all gas
        CALL, // calls `target` with `data` and remembers how that went
        USE_GAS // fails unless it got at least `gasWanted`
    }

    Mode public callbackMode;
    Mode public receiveMode;
    uint256 public gasWanted;
    uint256 public calls;
    address public target;
    bytes public data;
    bool public callSucceeded;
    bytes public callResult;

    function set(Mode callback, Mode receiving, uint256 gasWanted_, address target_, bytes calldata data_) external {
        (callbackMode, receiveMode, gasWanted, target, data) = (callback, receiving, gasWanted_, target_, data_);
    }

    /// Asks and claims as this contract.
    function run(address target_, bytes calldata data_) external payable returns (bytes memory result) {
        bool ok;
        (ok, result) = target_.call{value: msg.value}(data_);
        require(ok, "call");
    }

    function onAnswer(bytes32, address, uint8, uint64, bytes calldata) external {
        uint256 got = gasleft();
        _act(callbackMode, got);
    }

    receive() external payable {
        uint256 got = gasleft();
        _act(receiveMode, got);
    }

    function _act(Mode how, uint256 got) private {
        if (how == Mode.FINE) return;
        if (how == Mode.USE_GAS) {
            require(got >= gasWanted, "gas");
            ++calls;
            return;
        }
        assembly {
            switch how
            case 1 { revert(0, 0) }
            case 2 { revert(0, 1000000) }
            case 3 { return(0, 1000000) }
            case 4 { invalid() }
        }
        ++calls;
        (callSucceeded, callResult) = target.call(data);
    }
}

/// A lending market's use of a feed, written for Chainlink's: refuses prices that are old, and all of them for a while
/// after an outage.
contract FeedConsumer {
    AggregatorV3Interface public immutable feed;
    AggregatorV3Interface public immutable uptime;
    uint256 public immutable ageMax;
    uint256 public immutable grace;

    constructor(AggregatorV3Interface feed_, AggregatorV3Interface uptime_, uint256 ageMax_, uint256 grace_) {
        (feed, uptime, ageMax, grace) = (feed_, uptime_, ageMax_, grace_);
    }

    function price() external view returns (uint256) {
        (, int256 down, uint256 since,,) = uptime.latestRoundData();
        require(down == 0, "down");
        require(block.timestamp - since > grace, "grace");
        (uint80 round, int256 answer,, uint256 updatedAt, uint80 answeredInRound) = feed.latestRoundData();
        require(answer > 0, "answer");
        require(updatedAt != 0 && block.timestamp - updatedAt <= ageMax, "old");
        require(answeredInRound >= round, "round");
        return uint256(answer) * 10 ** (18 - feed.decimals());
    }
}
