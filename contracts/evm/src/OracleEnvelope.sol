// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeedValue} from "./ICaissonFeed.sol";
import {Answer, Request} from "./ICaissonOracle.sol";

/// The preimages of docs/protocol/oracle.md, word by word; what it shares with messages is in Envelope.
library OracleEnvelope {
    bytes32 internal constant TAG_IDENTITY = keccak256("caisson/identity/oracle/v1");
    bytes32 internal constant TAG_SPEC = keccak256("caisson/spec/v1");
    bytes32 internal constant TAG_ARGUMENTS = keccak256("caisson/arguments/v1");
    bytes32 internal constant TAG_REQUEST = keccak256("caisson/request/v1");
    bytes32 internal constant TAG_FEED = keccak256("caisson/feed/v1");
    bytes32 internal constant TAG_LEAF_ANSWER = keccak256("caisson/leaf/answer/v1");
    bytes32 internal constant TAG_LEAF_FEED = keccak256("caisson/leaf/feed/v1");

    uint256 internal constant KIND_ANSWER = 4;

    function identity(bytes32 lineage) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_IDENTITY, lineage));
    }

    function specHash(bytes calldata spec) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_SPEC, keccak256(spec)));
    }

    function argumentsHash(string[] calldata arguments) internal pure returns (bytes32) {
        uint256 count = arguments.length;
        bytes32[] memory words = new bytes32[](count + 1);
        words[0] = TAG_ARGUMENTS;
        for (uint256 i = 0; i < count; ++i) words[i + 1] = keccak256(bytes(arguments[i]));
        return keccak256(abi.encodePacked(words));
    }

    function requestId(bytes32 receiver, Request memory request) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_REQUEST, receiver, request));
    }

    function leafOfAnswer(bytes32 id, Answer calldata answer) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TAG_LEAF_ANSWER,
                id,
                answer.request.specHash,
                answer.code,
                answer.observedAt,
                answer.evidenceHash,
                keccak256(answer.value)
            )
        );
    }

    function feedId(bytes32 receiver, uint64 index) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_FEED, receiver, index));
    }

    /// The leaf of a feed's value, and where the feed's round is stored: H( feedId ‖ specHash ).
    function leafOfFeed(bytes32 receiver, FeedValue calldata item) internal pure returns (bytes32 leaf, bytes32 key) {
        (bytes32 tag, bytes32 tagLeaf) = (TAG_FEED, TAG_LEAF_FEED);
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, tag)
            mstore(add(free, 0x20), receiver)
            mstore(add(free, 0x40), calldataload(item)) // index
            mstore(add(free, 0x20), keccak256(free, 0x60))
            mstore(add(free, 0x40), calldataload(add(item, 0x40))) // specHash
            key := keccak256(add(free, 0x20), 0x40)
            mstore(free, tagLeaf)
            mstore(add(free, 0x60), calldataload(add(item, 0x20))) // observedAt
            calldatacopy(add(free, 0x80), add(item, 0x60), 0x40) // evidenceHash, value
            leaf := keccak256(free, 0xc0)
        }
    }
}
