// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "./ICaissonFeed.sol";

/// What a view reads of the feeds' contract.
interface IFeedStore {
    /// A round of a feed; reverts with "No data present" where there is none. `round` 0: the latest.
    function roundAt(bytes32 key, uint80 round) external view returns (uint80 id, int256 value, uint256 observedAt);

    /// Whether a feed is stale, and since when that is so.
    function staleness(bytes32 key) external view returns (uint80 round, bool stale, uint256 since);
}

/// One feed by its own address, as Chainlink's consumers know it. It keeps nothing and nobody can change it.
contract FeedView is AggregatorV3Interface {
    uint256 public constant version = 1;

    IFeedStore public immutable store;
    bytes32 public immutable key;
    uint8 public immutable decimals;
    string public description;

    constructor(bytes32 key_, uint8 decimals_, string memory description_) {
        (store, key, decimals) = (IFeedStore(msg.sender), key_, decimals_);
        description = description_;
    }

    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80) {
        require(roundId != 0, "No data present");
        return _round(roundId);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _round(0);
    }

    function _round(uint80 asked) private view returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 id, int256 value, uint256 observedAt) = store.roundAt(key, asked);
        return (id, value, observedAt, observedAt, id);
    }
}

/// Says of one feed what Chainlink's L2 sequencer feeds say of a sequencer: answer 0, it is up; 1, it is down (stale or
/// paused); startedAt, since when.
contract FeedUptime is AggregatorV3Interface {
    uint8 public constant decimals = 0;
    uint256 public constant version = 1;

    IFeedStore public immutable store;
    bytes32 public immutable key;
    string public description;

    constructor(bytes32 key_, string memory description_) {
        (store, key) = (IFeedStore(msg.sender), key_);
        description = string.concat(description_, " uptime");
    }

    /// Only what is so now is known.
    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 round,,) = store.staleness(key);
        require(roundId == round, "No data present");
        return latestRoundData();
    }

    function latestRoundData() public view returns (uint80, int256, uint256, uint256, uint80) {
        (uint80 round, bool stale, uint256 since) = store.staleness(key);
        return (round, stale ? int256(1) : int256(0), since, block.timestamp, round);
    }
}
