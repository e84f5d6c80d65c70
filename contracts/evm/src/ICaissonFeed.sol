// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Statement} from "./ICaissonGateway.sol";

/// Chainlink's interface of a price feed, to the byte: existing consumers read a `FeedView` unchanged.
interface AggregatorV3Interface {
    function decimals() external view returns (uint8);
    function description() external view returns (string memory);
    function version() external view returns (uint256);
    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}

/// One feed's value of a statement. `specHash` is that of the feed: no other leads to its storage.
struct FeedValue {
    uint64 index;
    uint64 observedAt;
    bytes32 specHash;
    bytes32 evidenceHash;
    int256 value;
}

/// What an owner fixes when a feed is added; none of it ever changes.
struct FeedSettings {
    bytes32 specHash;
    uint8 decimals; // as in the spec
    uint24 heartbeat; // seconds: a value is due at least so often
    uint24 staleAfter; // seconds: the age from which the uptime view says 1; at least the heartbeat
    uint32 deviation; // millionths: a value is due when it moved so far
    uint8 historyBits; // 2^historyBits rounds before the latest can be read; 0: none, which saves a slot for each update
    string description; // such as "ETH / USD"
}

/// Many feeds over one signature. A consumer addresses one feed by the address of its view.
interface ICaissonFeed {
    event FeedAdded(uint64 indexed index, bytes32 indexed feedId, address feed, address uptime, FeedSettings settings);
    /// A new round: one more than the last.
    event FeedUpdated(uint64 indexed index, int256 value, uint256 observedAt);
    event FeedPaused(uint64 indexed index, bool paused);

    /// Brings one value for each of several feeds under one signature of `oracle`. A value that is not strictly newer than
    /// the last, of the future, too large, or of a paused or unknown feed is skipped; a call in which nothing is left to do
    /// reverts, and so does a single bad value.
    function submit(bytes32 oracle, Statement calldata st, FeedValue[] calldata values) external;

    function feedCount() external view returns (uint64);

    /// The identifier that a leaf names, the feed's view, its uptime view (0 fresh, 1 stale), whether it is paused, and
    /// what the owner fixed.
    function feedInfo(uint64 index)
        external
        view
        returns (bytes32 feedId, address feed, address uptime, bool paused, FeedSettings memory settings);
}
