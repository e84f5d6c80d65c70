// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bip340} from "./Bip340.sol";
import {Envelope} from "./Envelope.sol";
import {Statement} from "./ICaissonGateway.sol";
import {Interoperable} from "./Interoperable.sol";
import {Timelocked} from "./Timelocked.sol";

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

/// Which keys speak for whom, and who may change that. A *remote* is whoever signs elsewhere: the gateway of another
/// chain, or an oracle. What remotes there are, and where their keys are stored, is the contract's.
///
/// The first key of a remote is registered by the owner without delay; later ones by the owner after the delay, or by
/// the current key's own announcement after `rotationDelay`, which is longer. Guardian and owner suspend and revoke at
/// once. Only the owner, after the delay, enables a suspended key again; a revoked one never comes back.
abstract contract KeyRegistry is Timelocked {
    /// Who named a key. One that only its predecessor named falls with it.
    uint8 internal constant NAMED_BY_OWNER = 1;
    uint8 internal constant NAMED_BY_KEY = 2;

    bytes32 public immutable identity;
    bytes32 public immutable domain;
    bool public immutable insecure;
    uint64 public immutable rotationDelay;
    uint64 public immutable overlap;

    mapping(bytes32 remote => mapping(uint64 epoch => uint8 namers)) internal _namers;

    event ManifestRaised(bytes32 indexed remote, uint64 manifestMin);
    event KeyRegistered(bytes32 indexed remote, uint64 epoch, bytes32 x, bytes32 evidenceDigest, bytes32 manifestHash);
    event KeyAnnounced(bytes32 indexed remote, uint64 epoch, bytes32 x, uint64 byEpoch);
    event KeyChanged(bytes32 indexed remote, uint64 epoch, KeyState state, uint64 notBefore, uint64 notAfter);
    event RotationConflict(bytes32 indexed remote, uint64 epoch, bytes32 known, bytes32 announced);

    error WrongChain();
    error DelayTooShort();
    error RemoteKnown();
    error RemoteUnknown();
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
    }

    // --- what the contract says of its remotes

    function _keyOf(bytes32 remote, uint256 epoch) internal view virtual returns (Key storage);

    /// The epoch of the first key that was ever registered, 0 before; reverts where the remote is unknown.
    function _epochFirst(bytes32 remote) internal view virtual returns (uint64);

    function _setEpochFirst(bytes32 remote, uint64 epoch) internal virtual;

    function _manifestMin(bytes32 remote) internal view virtual returns (uint64);

    function _setManifestMin(bytes32 remote, uint64 manifestMin) internal virtual;

    // --- manifests

    /// Statements under older manifests are refused from now on.
    function raiseManifest(bytes32 remote, uint64 manifestMin) external afterDelay {
        _epochFirst(remote);
        if (manifestMin <= _manifestMin(remote)) revert ManifestNotHigher();
        _setManifestMin(remote, manifestMin);
        emit ManifestRaised(remote, manifestMin);
    }

    // --- keys

    /// Names a key: the first of a remote at once, any other after the delay. A key that was announced for this epoch
    /// and has the same x is confirmed, so that it no longer falls with its predecessor. `evidenceDigest` and
    /// `manifestHash` say in public what the owner verified before.
    function registerKey(bytes32 remote, uint64 epoch, bytes32 x, bytes32 evidenceDigest, bytes32 manifestHash) external {
        bool first = _epochFirst(remote) == 0;
        if (first) _onlyOwner();
        else _afterDelay();
        if (epoch == 0 || !Bip340.isKey(x)) revert KeyInvalid();
        Key storage key = _keyOf(remote, epoch);
        if (first) _setEpochFirst(remote, epoch);
        if (key.state == KeyState.ABSENT) {
            _name(key, x, uint64(block.timestamp));
        } else if (key.state == KeyState.REVOKED || key.x != x || _namers[remote][epoch] != NAMED_BY_KEY) {
            revert KeyKnown();
        }
        _namers[remote][epoch] |= NAMED_BY_OWNER;
        emit KeyRegistered(remote, epoch, x, evidenceDigest, manifestHash);
        _emitKey(remote, epoch, key);
    }

    /// Stops a key at once, with the successors that only it named and that are not in effect yet.
    function suspendKey(bytes32 remote, uint64 epoch) external onlyOwnerOrGuardian {
        if (_keyOf(remote, epoch).state != KeyState.ACTIVE) revert KeyNotActive();
        _suspend(remote, epoch);
    }

    /// Ends a key for ever, with all successors that lead back to it alone.
    function revokeKey(bytes32 remote, uint64 epoch) external onlyOwnerOrGuardian {
        Key storage key = _keyOf(remote, epoch);
        if (key.state == KeyState.ABSENT) revert KeyUnknown();
        if (key.state == KeyState.REVOKED) revert KeyRevoked();
        do {
            key.state = KeyState.REVOKED;
            _emitKey(remote, epoch, key);
            unchecked {
                ++epoch; // epoch 0 has no namers: the walk ends there
            }
            key = _keyOf(remote, epoch);
        } while (_namers[remote][epoch] == NAMED_BY_KEY && key.state != KeyState.REVOKED);
    }

    function enableKey(bytes32 remote, uint64 epoch) external afterDelay {
        Key storage key = _keyOf(remote, epoch);
        if (key.state != KeyState.SUSPENDED) revert KeyNotSuspended();
        key.state = KeyState.ACTIVE;
        _emitKey(remote, epoch, key);
    }

    /// Gives a key an end, or an earlier one. It can never be moved back.
    function retireKey(bytes32 remote, uint64 epoch, uint64 notAfter) external onlyOwner {
        Key storage key = _keyOf(remote, epoch);
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
        Key storage next = _keyOf(remote, newEpoch);
        uint8 namers = _namers[remote][newEpoch];
        if (namers == 0) {
            Key storage current = _keyOf(remote, st.epoch);
            uint64 notBefore = uint64(block.timestamp) + rotationDelay;
            uint64 end = notBefore + overlap;
            _name(next, newKey, notBefore);
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
        return (_keyOf(remote, epoch), _namers[remote][epoch]);
    }

    // --- for the contract

    /// Reverts unless `st` is a statement of this kind by a valid key of `signer`, made for this contract, over a tree
    /// that holds `subtree`.
    function _check(uint256 kind, bytes32 signer, Statement calldata st, bytes32 subtree) internal view {
        (uint64 epoch, uint64 manifest) = (st.epoch, st.manifest);
        Key storage key = _keyOf(signer, epoch);
        (KeyState state, uint256 notBefore, uint256 notAfter) = (key.state, key.notBefore, key.notAfter);
        if (state != KeyState.ACTIVE) revert KeyNotActive();
        if (block.timestamp < notBefore) revert KeyEarly();
        if (notAfter != 0 && block.timestamp >= notAfter) revert KeyExpired();
        if (manifest < _manifestMin(signer)) revert ManifestTooOld();
        bytes32 root = Envelope.fold(subtree, st.path);
        bytes32 digest = Envelope.digest(domain, kind, signer, identity, epoch, manifest, root);
        if (!Bip340.verify(key.x, st.rx, st.ry, st.s, digest)) revert SignatureInvalid();
    }

    /// Successors that are in effect already stay: they may be what the remote works with, and revoking is the answer
    /// where they are not.
    function _suspend(bytes32 remote, uint64 epoch) private {
        Key storage key = _keyOf(remote, epoch);
        do {
            key.state = KeyState.SUSPENDED;
            _emitKey(remote, epoch, key);
            unchecked {
                ++epoch; // epoch 0 has no namers: the walk ends there
            }
            key = _keyOf(remote, epoch);
        } while (
            _namers[remote][epoch] == NAMED_BY_KEY && key.state == KeyState.ACTIVE && block.timestamp < key.notBefore
        );
    }

    function _emitKey(bytes32 remote, uint64 epoch, Key storage key) private {
        emit KeyChanged(remote, epoch, key.state, key.notBefore, key.notAfter);
    }

    function _name(Key storage key, bytes32 x, uint64 notBefore) private {
        key.x = x;
        (key.state, key.notBefore, key.notAfter) = (KeyState.ACTIVE, notBefore, 0);
    }
}
