// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bip340} from "./Bip340.sol";
import {Envelope} from "./Envelope.sol";
import {Statement} from "./ICaissonGateway.sol";
import {Interoperable} from "./Interoperable.sol";
import {Timelocked} from "./Timelocked.sol";

/// The slots that enclaves prove: docs/protocol/envelope.md section 5. It is the first base of the gateway, so that
/// nothing is stored before it.
abstract contract GatewayLayout {
    enum KeyState {
        ABSENT,
        ACTIVE,
        SUSPENDED,
        REVOKED
    }

    struct Key {
        bytes32 x;
        KeyState state;
        uint64 notBefore;
        uint64 notAfter;
    }

    bytes32 public sentinel; // slot 0
    mapping(bytes32 source => mapping(uint256 word => uint256 fields)) internal _statuses; // slot 1
    mapping(bytes32 remote => mapping(uint256 epoch => Key)) internal _keys; // slot 2
}

/// Which remote gateways exist, which keys speak for them, and who may change that.
///
/// The first key of a remote is registered by the owner without delay; later ones by the owner after the delay, or by
/// the current key's own announcement after `rotationDelay`, which is longer. Guardian and owner suspend and revoke at
/// once. Only the owner, after the delay, enables a suspended key again; a revoked one never comes back.
abstract contract KeyRegistry is GatewayLayout, Timelocked {
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

    /// Who named a key. One that only its predecessor named falls with it.
    uint8 internal constant NAMED_BY_OWNER = 1;
    uint8 internal constant NAMED_BY_KEY = 2;

    bytes32 public immutable identity;
    bytes32 public immutable domain;
    bool public immutable insecure;
    uint64 public immutable rotationDelay;
    uint64 public immutable overlap;

    uint32 public remoteCount;
    mapping(bytes32 remote => Outbox) internal _outboxes;
    mapping(bytes32 remote => Voice) internal _voices;
    mapping(bytes32 chainHash => bytes32 remote) internal _remoteOfChain;
    mapping(bytes32 remote => mapping(uint64 epoch => uint8 namers)) internal _namers;

    event RemoteRegistered(
        bytes32 indexed remote, uint32 index, string caip2, bytes32 genesisHash, bytes gateway, bytes chain, uint64 manifestMin
    );
    event ManifestRaised(bytes32 indexed remote, uint64 manifestMin);
    event KeyRegistered(bytes32 indexed remote, uint64 epoch, bytes32 x, bytes32 evidenceDigest, bytes32 manifestHash);
    event KeyAnnounced(bytes32 indexed remote, uint64 epoch, bytes32 x, uint64 byEpoch);
    event KeyChanged(bytes32 indexed remote, uint64 epoch, KeyState state, uint64 notBefore, uint64 notAfter);
    event RotationConflict(bytes32 indexed remote, uint64 epoch, bytes32 known, bytes32 announced);

    error WrongChain();
    error DelayTooShort();
    error RemoteOwn();
    error RemoteKnown();
    error RemoteUnknown();
    error RemoteChainMismatch();
    error ManifestNotHigher();
    error ManifestTooOld();
    error KeyInvalid();
    error KeyKnown();
    error KeyUnknown();
    error KeyNotActive();
    error KeyNotSuspended();
    error KeyRevoked();
    error KeyEarly();
    error KeyExpired();
    error KeyNotShortened();
    error EpochNotNext();
    error EpochReserved();
    error SignatureInvalid();

    constructor(string memory caip2, bytes32 genesisHash, uint64 rotationDelay_, uint64 overlap_, bool insecure_) {
        if (keccak256(bytes(caip2)) != keccak256(Interoperable.caip2(block.chainid))) revert WrongChain();
        if (rotationDelay_ <= delay) revert DelayTooShort();
        identity = Envelope.identity(caip2, genesisHash, Envelope.word(address(this)));
        domain = insecure_ ? Envelope.TAG_STATEMENT_INSECURE : Envelope.TAG_STATEMENT;
        insecure = insecure_;
        rotationDelay = rotationDelay_;
        overlap = overlap_;
        sentinel = keccak256(abi.encode(Envelope.TAG_LAYOUT, identity));
    }

    // --- remotes

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

    /// Statements under older manifests are refused from now on.
    function raiseManifest(bytes32 remote, uint64 manifestMin) external afterDelay {
        _remote(remote);
        Voice storage entry = _voices[remote];
        if (manifestMin <= entry.manifestMin) revert ManifestNotHigher();
        entry.manifestMin = manifestMin;
        emit ManifestRaised(remote, manifestMin);
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

    // --- keys

    /// Names a key: the first of a remote at once, any other after the delay. A key that was announced for this epoch
    /// and has the same x is confirmed, so that it no longer falls with its predecessor. `evidenceDigest` and
    /// `manifestHash` say in public what the owner verified before.
    function registerKey(bytes32 remote, uint64 epoch, bytes32 x, bytes32 evidenceDigest, bytes32 manifestHash) external {
        Outbox storage entry = _remote(remote);
        if (entry.epochFirst == 0) _onlyOwner();
        else _afterDelay();
        if (epoch == 0 || !Bip340.isKey(x)) revert KeyInvalid();
        Key storage key = _keys[remote][epoch];
        if (entry.epochFirst == 0) entry.epochFirst = epoch;
        if (key.state == KeyState.ABSENT) {
            _keys[remote][epoch] = Key({x: x, state: KeyState.ACTIVE, notBefore: uint64(block.timestamp), notAfter: 0});
        } else if (key.state == KeyState.REVOKED || key.x != x || _namers[remote][epoch] != NAMED_BY_KEY) {
            revert KeyKnown();
        }
        _namers[remote][epoch] |= NAMED_BY_OWNER;
        emit KeyRegistered(remote, epoch, x, evidenceDigest, manifestHash);
        _emitKey(remote, epoch, key);
    }

    /// Stops a key at once, with the successors that only it named and that are not in effect yet.
    function suspendKey(bytes32 remote, uint64 epoch) external onlyOwnerOrGuardian {
        if (_keys[remote][epoch].state != KeyState.ACTIVE) revert KeyNotActive();
        _suspend(remote, epoch);
    }

    /// Ends a key for ever, with all successors that lead back to it alone.
    function revokeKey(bytes32 remote, uint64 epoch) external onlyOwnerOrGuardian {
        Key storage key = _keys[remote][epoch];
        if (key.state == KeyState.ABSENT) revert KeyUnknown();
        if (key.state == KeyState.REVOKED) revert KeyRevoked();
        do {
            key.state = KeyState.REVOKED;
            _emitKey(remote, epoch, key);
            unchecked {
                ++epoch; // epoch 0 has no namers: the walk ends there
            }
            key = _keys[remote][epoch];
        } while (_namers[remote][epoch] == NAMED_BY_KEY && key.state != KeyState.REVOKED);
    }

    function enableKey(bytes32 remote, uint64 epoch) external afterDelay {
        Key storage key = _keys[remote][epoch];
        if (key.state != KeyState.SUSPENDED) revert KeyNotSuspended();
        key.state = KeyState.ACTIVE;
        _emitKey(remote, epoch, key);
    }

    /// Gives a key an end, or an earlier one. It can never be moved back.
    function retireKey(bytes32 remote, uint64 epoch, uint64 notAfter) external onlyOwner {
        Key storage key = _keys[remote][epoch];
        if (key.state == KeyState.ABSENT) revert KeyUnknown();
        if (notAfter == 0 || (key.notAfter != 0 && notAfter >= key.notAfter)) revert KeyNotShortened();
        key.notAfter = notAfter;
        _emitKey(remote, epoch, key);
    }

    /// The current key names the next one. It takes effect after `rotationDelay`; the current one ends `overlap` later.
    /// A second, different announcement for one epoch means that two parties hold the key: both keys are suspended.
    function announceRotation(bytes32 remote, Statement calldata st, uint64 newEpoch, bytes32 newKey) external {
        _check(Envelope.KIND_ROTATION, remote, st, Envelope.leafOfRotation(newEpoch, newKey));
        if (newEpoch == 0 || newEpoch - 1 != st.epoch) revert EpochNotNext();
        if (!Bip340.isKey(newKey)) revert KeyInvalid();
        Key storage next = _keys[remote][newEpoch];
        uint8 namers = _namers[remote][newEpoch];
        if (namers == 0) {
            Key storage current = _keys[remote][st.epoch];
            uint64 notBefore = uint64(block.timestamp) + rotationDelay;
            uint64 end = notBefore + overlap;
            _keys[remote][newEpoch] = Key({x: newKey, state: KeyState.ACTIVE, notBefore: notBefore, notAfter: 0});
            _namers[remote][newEpoch] = NAMED_BY_KEY;
            if (current.notAfter == 0 || end < current.notAfter) current.notAfter = end;
            emit KeyAnnounced(remote, newEpoch, newKey, st.epoch);
            _emitKey(remote, newEpoch, next);
            _emitKey(remote, st.epoch, current);
            return;
        }
        if (next.x == newKey) revert KeyKnown();
        if (namers & NAMED_BY_KEY == 0) revert EpochReserved();
        emit RotationConflict(remote, newEpoch, next.x, newKey);
        _suspend(remote, st.epoch);
        if (namers == NAMED_BY_KEY && next.state == KeyState.ACTIVE) _suspend(remote, newEpoch);
    }

    function keyOf(bytes32 remote, uint64 epoch) external view returns (Key memory key, uint8 namers) {
        return (_keys[remote][epoch], _namers[remote][epoch]);
    }

    // --- for the gateway

    /// Reverts unless `st` is a statement of this kind by a valid key of `signer`, made for this gateway, over a tree
    /// that holds `subtree`.
    function _check(uint256 kind, bytes32 signer, Statement calldata st, bytes32 subtree) internal view {
        Key storage key = _keys[signer][st.epoch];
        (KeyState state, uint256 notBefore, uint256 notAfter) = (key.state, key.notBefore, key.notAfter);
        if (state != KeyState.ACTIVE) revert KeyNotActive();
        if (block.timestamp < notBefore) revert KeyEarly();
        if (notAfter != 0 && block.timestamp >= notAfter) revert KeyExpired();
        if (st.manifest < _voices[signer].manifestMin) revert ManifestTooOld();
        bytes32 root = Envelope.fold(subtree, st.path);
        bytes32 digest = Envelope.digest(domain, kind, signer, identity, st.epoch, st.manifest, root);
        if (!Bip340.verify(key.x, st.rx, st.ry, st.s, digest)) revert SignatureInvalid();
    }

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

    /// Successors that are in effect already stay: they may be what the remote works with, and revoking is the answer
    /// where they are not.
    function _suspend(bytes32 remote, uint64 epoch) private {
        Key storage key = _keys[remote][epoch];
        do {
            key.state = KeyState.SUSPENDED;
            _emitKey(remote, epoch, key);
            unchecked {
                ++epoch; // epoch 0 has no namers: the walk ends there
            }
            key = _keys[remote][epoch];
        } while (
            _namers[remote][epoch] == NAMED_BY_KEY && key.state == KeyState.ACTIVE && block.timestamp < key.notBefore
        );
    }

    function _emitKey(bytes32 remote, uint64 epoch, Key storage key) private {
        emit KeyChanged(remote, epoch, key.state, key.notBefore, key.notAfter);
    }
}
