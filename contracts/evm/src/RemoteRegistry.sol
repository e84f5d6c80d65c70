// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Envelope} from "./Envelope.sol";
import {Interoperable} from "./Interoperable.sol";
import {Key, KeyRegistry} from "./KeyRegistry.sol";

/// The slots that enclaves prove: docs/protocol/envelope.md section 5. It is the first base of the gateway, so that
/// nothing is stored before it.
abstract contract GatewayLayout {
    bytes32 public sentinel; // slot 0
    mapping(bytes32 source => mapping(uint256 word => uint256 fields)) internal _statuses; // slot 1
    mapping(bytes32 remote => mapping(uint256 epoch => Key)) internal _keys; // slot 2
}

/// Which gateways of other chains a gateway knows, at most one for each chain.
abstract contract RemoteRegistry is GatewayLayout, KeyRegistry {
    using Interoperable for bytes;

    struct Remote {
        uint64 sequence; // of the last message sent there
        uint64 manifestMin;
        uint64 epochFirst; // 0: no key was ever registered
        uint32 index; // from 1; 0: not registered
    }

    /// What sending reads of a remote.
    struct Outbox {
        uint64 sequence;
        uint64 epochFirst;
        uint32 index;
    }

    /// What every statement of a remote is checked against, in one slot.
    struct Voice {
        uint64 manifestMin;
        uint160 chainTag; // the low bits of the hash of its chain
        uint32 index;
    }

    uint32 public remoteCount;
    mapping(bytes32 remote => Outbox) internal _outboxes;
    mapping(bytes32 remote => Voice) internal _voices;
    mapping(bytes32 chainHash => bytes32 remote) internal _remoteOfChain;

    event RemoteRegistered(
        bytes32 indexed remote, uint32 index, string caip2, bytes32 genesisHash, bytes gateway, bytes chain, uint64 manifestMin
    );

    error RemoteOwn();
    error RemoteChainMismatch();

    constructor() {
        sentinel = keccak256(abi.encode(Envelope.TAG_LAYOUT, identity));
    }

    /// Registers the one gateway of another chain. `chain` is its ERC-7930 form without an address. Recipients see only
    /// that chain and the sender, so a second identity under one chain reference is refused, and so is this chain's own.
    function registerRemote(
        string calldata caip2,
        bytes32 genesisHash,
        bytes calldata gateway,
        bytes calldata chain,
        uint64 manifestMin
    ) external onlyOwner returns (bytes32 remote) {
        (bytes calldata prefix, bytes calldata account) = chain.split();
        if (account.length != 0) revert RemoteChainMismatch();
        if (prefix.isEip155()) {
            if (keccak256(bytes(caip2)) != keccak256(Interoperable.caip2(prefix.number()))) revert RemoteChainMismatch();
        }
        remote = Envelope.identity(caip2, genesisHash, Envelope.word(gateway));
        bytes32 chainHash = keccak256(prefix);
        if (remote == identity || chainHash == keccak256(Interoperable.eip155(block.chainid))) revert RemoteOwn();
        if (_voices[remote].index != 0 || _remoteOfChain[chainHash] != 0) revert RemoteKnown();
        uint32 index = ++remoteCount;
        _outboxes[remote] = Outbox({sequence: 0, epochFirst: 0, index: index});
        _voices[remote] = Voice({manifestMin: manifestMin, chainTag: _chainTag(chainHash), index: index});
        _remoteOfChain[chainHash] = remote;
        emit RemoteRegistered(remote, index, caip2, genesisHash, gateway, chain, manifestMin);
    }

    function remoteInfo(bytes32 remote) external view returns (Remote memory) {
        Outbox storage entry = _outboxes[remote];
        return Remote({
            sequence: entry.sequence,
            manifestMin: _voices[remote].manifestMin,
            epochFirst: entry.epochFirst,
            index: entry.index
        });
    }

    /// The remote of a chain (ERC-7930 without an address), or 0.
    function remoteOf(bytes calldata chain) external view returns (bytes32) {
        (bytes calldata prefix,) = chain.split();
        return _remoteOfChain[keccak256(prefix)];
    }

    // --- for the gateway

    /// Whether `sender` is on the chain of this remote. A recipient knows nothing else of where a message came from, so
    /// that without this the key of one remote would speak for all of them.
    function _speaksFor(bytes32 remote, bytes calldata sender) internal view returns (bool) {
        if (sender.length < 6) return false;
        uint256 end = 5 + uint256(uint8(sender[4]));
        return sender.length > end && _chainTag(keccak256(sender[:end])) == _voices[remote].chainTag;
    }

    function _chainTag(bytes32 chainHash) private pure returns (uint160) {
        return uint160(uint256(chainHash));
    }

    function _remote(bytes32 remote) internal view returns (Outbox storage entry) {
        entry = _outboxes[remote];
        if (entry.index == 0) revert RemoteUnknown();
    }

    function _keyOf(bytes32 remote, uint256 epoch) internal view override returns (Key storage) {
        return _keys[remote][epoch];
    }

    function _epochFirst(bytes32 remote) internal view override returns (uint64) {
        return _remote(remote).epochFirst;
    }

    function _setEpochFirst(bytes32 remote, uint64 epoch) internal override {
        _outboxes[remote].epochFirst = epoch;
    }

    function _manifestMin(bytes32 remote) internal view override returns (uint64) {
        return _voices[remote].manifestMin;
    }

    function _setManifestMin(bytes32 remote, uint64 manifestMin) internal override {
        _voices[remote].manifestMin = manifestMin;
    }
}
