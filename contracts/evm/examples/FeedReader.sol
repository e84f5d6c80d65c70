// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "caisson/ICaissonFeed.sol";

/// Reads a feed, and refuses what is old or paused. `feed` and `uptime` are the addresses that `FeedAdded` named.
contract FeedReader {
    AggregatorV3Interface public immutable feed;
    AggregatorV3Interface public immutable uptime;

    constructor(AggregatorV3Interface feed_, AggregatorV3Interface uptime_) {
        (feed, uptime) = (feed_, uptime_);
    }

    function price() external view returns (int256 value) {
        (, int256 down,,,) = uptime.latestRoundData();
        require(down == 0, "the feed is stale or paused");
        uint256 updatedAt; // when the data was observed, not when it was brought
        (, value,, updatedAt,) = feed.latestRoundData();
        require(value > 0 && block.timestamp - updatedAt <= 1 hours, "old");
    }
}
