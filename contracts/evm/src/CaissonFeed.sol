// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Envelope} from "./Envelope.sol";
import {FeedUptime, FeedView, IFeedStore} from "./FeedView.sol";
import {FeedSettings, FeedValue, ICaissonFeed} from "./ICaissonFeed.sol";
import {Statement} from "./ICaissonGateway.sol";
import {KeyRegistry} from "./KeyRegistry.sol";
import {OracleEnvelope} from "./OracleEnvelope.sol";
import {OracleRegistry} from "./OracleRegistry.sol";
import {Timelocked} from "./Timelocked.sol";

/// Feeds that one signature of an oracle's enclaves updates together. Each has a `FeedView` for its consumers. What is
/// hashed and signed is in docs/protocol/oracle.md section 8. It is not upgradeable and holds no money.
///
/// Where a feed's round is stored depends on its number and on its spec: a value under another spec finds no feed there.
/// The spec is therefore never read, and a feed's spec never changes.
contract CaissonFeed is Timelocked, KeyRegistry, OracleRegistry, IFeedStore, ICaissonFeed {
    struct Feed {
        bytes32 key;
        FeedView feed;
        FeedUptime uptime;
        FeedSettings settings;
    }

    // A round in one word, from the high end: its value (128 bits, signed), then what an update must know beside it.
    uint256 private constant VALUE = 128;
    uint256 private constant OBSERVED_AT = 96; // 32 bits
    uint256 private constant ROUND = 64; // 32 bits; 0: none yet
    uint256 private constant CHANGED_AT = 32; // 32 bits: when it last became fresh, or was paused or resumed
    uint256 private constant STALE_AFTER = 8; // 24 bits, seconds; 0: no such feed
    uint256 private constant PAUSED = 0x80;
    uint256 private constant HISTORY_BITS = 0x0f;
    uint256 private constant FIELD = type(uint32).max;

    /// Sets the slots of rounds apart from those of mappings, which are hashes of 64 bytes too.
    bytes32 private constant ROUNDS = keccak256("caisson/feed/rounds/v1");

    uint256 public constant DECIMALS_MAX = 36;
    uint256 public constant DESCRIPTION_MAX = 64;

    uint64 public feedCount;
    mapping(uint64 index => Feed) private _feeds;

    error FeedUnknown();
    error FeedStopped();
    error SettingsInvalid();
    error BatchEmpty();
    error NothingToDo();
    error ObservedNotNewer();
    error ObservedInFuture();
    error TooLarge();

    /// As of the gateway.
    constructor(
        string memory caip2,
        bytes32 genesisHash,
        address owner_,
        address guardian_,
        uint64 delay_,
        uint64 rotationDelay_,
        uint64 overlap_,
        bool insecure_
    ) Timelocked(owner_, guardian_, delay_) KeyRegistry(caip2, genesisHash, rotationDelay_, overlap_, insecure_) {}

    // --- updating

    function submit(bytes32 oracle, Statement calldata st, FeedValue[] calldata values) external {
        uint256 count = values.length;
        if (count == 1) {
            FeedValue calldata item = values[0];
            (bytes32 leaf, bytes32 key) = OracleEnvelope.leafOfFeed(identity, item);
            _check(OracleEnvelope.KIND_ANSWER, oracle, st, leaf);
            bytes4 refusal = _record(key, item);
            if (refusal != 0) _revert(refusal);
            return;
        }
        if (count == 0) revert BatchEmpty();
        bytes32[] memory keys = new bytes32[](count);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            (leaves[i], keys[i]) = OracleEnvelope.leafOfFeed(identity, values[i]);
        }
        _check(OracleEnvelope.KIND_ANSWER, oracle, st, Envelope.root(leaves));
        uint256 done = 0;
        for (uint256 i = 0; i < count; ++i) {
            if (_record(keys[i], values[i]) == 0) ++done;
        }
        if (done == 0) revert NothingToDo();
    }

    // --- reading

    function roundAt(bytes32 key, uint80 round) external view returns (uint80, int256, uint256) {
        uint256 word = _load(key);
        uint256 latest = _field(word, ROUND);
        if (round == 0) round = uint80(latest);
        require(round != 0 && round <= latest, "No data present");
        if (round < latest) {
            uint256 bits = word & HISTORY_BITS;
            word = bits == 0 ? 0 : _load(_place(key, round, bits));
            require(_field(word, ROUND) == round, "No data present");
        }
        return (round, int256(word) >> VALUE, _field(word, OBSERVED_AT));
    }

    function staleness(bytes32 key) external view returns (uint80 round, bool stale, uint256 since) {
        uint256 word = _load(key);
        (round, since) = (uint80(_field(word, ROUND)), _field(word, CHANGED_AT));
        if (word & PAUSED != 0) return (round, true, since);
        uint256 end = _end(word);
        // Before its first round a feed is stale since it was added.
        if (block.timestamp > end) return (round, true, round == 0 ? since : end);
    }

    function feedInfo(uint64 index)
        external
        view
        returns (bytes32 feedId, address feed, address uptime, bool paused, FeedSettings memory settings)
    {
        Feed storage entry = _feed(index);
        return (
            OracleEnvelope.feedId(identity, index),
            address(entry.feed),
            address(entry.uptime),
            _load(entry.key) & PAUSED != 0,
            entry.settings
        );
    }

    // --- owner, guardian

    /// Adds a feed, after the delay.
    function addFeed(FeedSettings calldata settings) external afterDelay returns (uint64 index) {
        if (settings.specHash == 0 || settings.decimals > DECIMALS_MAX) revert SettingsInvalid();
        if (settings.heartbeat == 0 || settings.staleAfter < settings.heartbeat) revert SettingsInvalid();
        if (settings.historyBits > HISTORY_BITS) revert SettingsInvalid();
        if (bytes(settings.description).length > DESCRIPTION_MAX) revert SettingsInvalid();
        index = feedCount++;
        bytes32 feedId = OracleEnvelope.feedId(identity, index);
        bytes32 key = keccak256(abi.encode(feedId, settings.specHash));
        FeedView feed = new FeedView(key, settings.decimals, settings.description);
        FeedUptime uptime = new FeedUptime(key, settings.description);
        _feeds[index] = Feed({key: key, feed: feed, uptime: uptime, settings: settings});
        _store(key, block.timestamp << CHANGED_AT | uint256(settings.staleAfter) << STALE_AFTER | settings.historyBits);
        emit FeedAdded(index, feedId, address(feed), address(uptime), settings);
    }

    /// No more rounds, at once. What is there stays readable and its uptime view says 1.
    function pauseFeed(uint64 index) external onlyOwnerOrGuardian {
        _setPaused(index, true);
    }

    function resumeFeed(uint64 index) external afterDelay {
        _setPaused(index, false);
    }

    // --- internals

    function _feed(uint64 index) private view returns (Feed storage entry) {
        entry = _feeds[index];
        if (entry.key == 0) revert FeedUnknown();
    }

    function _setPaused(uint64 index, bool paused) private {
        bytes32 key = _feed(index).key;
        uint256 word = _load(key);
        if ((word & PAUSED != 0) == paused) revert NothingToDo();
        word = (word ^ PAUSED) & ~(FIELD << CHANGED_AT) | block.timestamp << CHANGED_AT;
        _store(key, word);
        emit FeedPaused(index, paused);
    }

    function _revert(bytes4 refusal) private pure {
        assembly ("memory-safe") {
            mstore(0, refusal)
            revert(0, 4)
        }
    }

    /// Makes a value the latest round of its feed, or says why not.
    function _record(bytes32 key, FeedValue calldata item) private returns (bytes4) {
        uint256 word = _load(key);
        (uint256 observedAt, int256 value) = (item.observedAt, item.value);
        if (observedAt <= _field(word, OBSERVED_AT)) return ObservedNotNewer.selector;
        if (observedAt > block.timestamp) return ObservedInFuture.selector;
        if (int128(value) != value || observedAt > FIELD) return TooLarge.selector;
        unchecked {
            uint256 bits = word & (PAUSED | HISTORY_BITS);
            if (bits != 0) {
                if (bits >= PAUSED) return FeedStopped.selector;
                _store(_place(key, _field(word, ROUND), bits), word);
            }
            uint256 end = _end(word);
            if (end == 0) return FeedUnknown.selector;
            word = (word & type(uint96).max) + (1 << ROUND);
            if (block.timestamp > end) word = word & ~(FIELD << CHANGED_AT) | block.timestamp << CHANGED_AT;
            _store(key, uint256(value) << VALUE | observedAt << OBSERVED_AT | word);
        }
        emit FeedUpdated(item.index, value, observedAt);
        return 0;
    }

    /// Where a round that is no longer the latest is kept, until 2^bits later ones have come.
    function _place(bytes32 key, uint256 round, uint256 bits) private pure returns (bytes32) {
        return keccak256(abi.encode(key, round & ((1 << bits) - 1)));
    }

    /// When the latest round of a feed becomes stale.
    function _end(uint256 word) private pure returns (uint256) {
        return _field(word, OBSERVED_AT) + (word >> STALE_AFTER & type(uint24).max);
    }

    function _field(uint256 word, uint256 shift) private pure returns (uint256) {
        return word >> shift & FIELD;
    }

    /// Keys are hashes already: with `ROUNDS` they are the slots.
    function _load(bytes32 key) private view returns (uint256 word) {
        bytes32 slot = key ^ ROUNDS;
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    function _store(bytes32 key, uint256 word) private {
        bytes32 slot = key ^ ROUNDS;
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }
}
