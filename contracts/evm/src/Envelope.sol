// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Message, Outcome} from "./ICaissonGateway.sol";

/// The preimages of docs/protocol/envelope.md, word by word.
library Envelope {
    bytes32 internal constant TAG_IDENTITY = keccak256("caisson/identity/v1");
    bytes32 internal constant TAG_ATTRIBUTES = keccak256("caisson/attributes/v1");
    bytes32 internal constant TAG_MESSAGE = keccak256("caisson/message/v1");
    bytes32 internal constant TAG_LEAF_MESSAGE = keccak256("caisson/leaf/message/v1");
    bytes32 internal constant TAG_LEAF_OUTCOME = keccak256("caisson/leaf/outcome/v1");
    bytes32 internal constant TAG_LEAF_ROTATION = keccak256("caisson/leaf/rotation/v1");
    bytes32 internal constant TAG_NODE = keccak256("caisson/node/v1");
    bytes32 internal constant TAG_STATEMENT = keccak256("caisson/statement/v1");
    bytes32 internal constant TAG_STATEMENT_INSECURE = keccak256("caisson/statement/v1/insecure");
    bytes32 internal constant TAG_LAYOUT = keccak256("caisson/layout/evm/v1");

    uint256 internal constant KIND_MESSAGE = 1;
    uint256 internal constant KIND_OUTCOME = 2;
    uint256 internal constant KIND_ROTATION = 3;

    function identity(string memory caip2, bytes32 genesis, bytes32 gateway) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_IDENTITY, keccak256(bytes(caip2)), genesis, gateway));
    }

    /// Raw address to word: left-padded up to 32 bytes, hashed above.
    function word(bytes memory raw) internal pure returns (bytes32) {
        if (raw.length > 32) return keccak256(raw);
        if (raw.length == 0) return 0;
        return bytes32(raw) >> (8 * (32 - raw.length));
    }

    function word(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function attributesHash(uint64 minGasLimit, bytes32 closer, bytes32 refundTo, uint8 finality)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(TAG_ATTRIBUTES, minGasLimit, closer, refundTo, finality));
    }

    function messageId(
        bytes32 source,
        bytes32 destination,
        uint64 sequence,
        bytes32 senderHash,
        bytes32 recipientHash,
        bytes32 payloadHash,
        bytes32 attributes,
        uint64 deadline
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TAG_MESSAGE, source, destination, sequence, senderHash, recipientHash, payloadHash, attributes, deadline
            )
        );
    }

    function leafOfMessage(bytes32 id) internal pure returns (bytes32) {
        return _hash(TAG_LEAF_MESSAGE, id);
    }

    function leafOfOutcome(Outcome calldata outcome) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_LEAF_OUTCOME, outcome.messageId, outcome.status));
    }

    function leafOfRotation(uint64 epoch, bytes32 key) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG_LEAF_ROTATION, epoch, key));
    }

    function node(bytes32 a, bytes32 b) internal pure returns (bytes32 result) {
        bytes32 tag = TAG_NODE;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let swap := lt(b, a)
            mstore(free, tag)
            mstore(add(free, add(0x20, mul(swap, 0x20))), a)
            mstore(add(free, sub(0x40, mul(swap, 0x20))), b)
            result := keccak256(free, 0x60)
        }
    }

    /// Folds the leaves in place into their root; an odd last one moves up unchanged.
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        uint256 count = leaves.length;
        while (count > 1) {
            uint256 half = count / 2;
            for (uint256 i = 0; i < half; ++i) leaves[i] = node(leaves[2 * i], leaves[2 * i + 1]);
            if (count % 2 == 1) leaves[half++] = leaves[count - 1];
            count = half;
        }
        return leaves[0];
    }

    /// Folds a subtree's root with the siblings of its path, from the bottom up.
    function fold(bytes32 hash, bytes32[] calldata path) internal pure returns (bytes32) {
        for (uint256 i = 0; i < path.length; ++i) hash = node(hash, path[i]);
        return hash;
    }

    function digest(
        bytes32 domain,
        uint256 kind,
        bytes32 signer,
        bytes32 receiver,
        uint64 epoch,
        uint64 manifest,
        bytes32 root_
    ) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, domain)
            mstore(add(free, 0x20), kind)
            mstore(add(free, 0x40), signer)
            mstore(add(free, 0x60), receiver)
            mstore(add(free, 0x80), and(epoch, 0xffffffffffffffff))
            mstore(add(free, 0xa0), and(manifest, 0xffffffffffffffff))
            mstore(add(free, 0xc0), root_)
            result := keccak256(free, 0xe0)
        }
    }

    function _hash(bytes32 a, bytes32 b) private pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0, a)
            mstore(0x20, b)
            result := keccak256(0, 0x40)
        }
    }
}
