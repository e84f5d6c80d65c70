// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Key, KeyRegistry} from "./KeyRegistry.sol";
import {OracleEnvelope} from "./OracleEnvelope.sol";

/// The one oracle whose answers a contract takes. It is named after the contract is deployed, because the manifest whose
/// hash names the oracle names the contract; and once, because a request does not say whom it asks.
abstract contract OracleRegistry is KeyRegistry {
    bytes32 public oracle; // its identity; 0: none yet
    uint64 public manifestMin;
    uint64 private _first;
    mapping(bytes32 oracle => mapping(uint256 epoch => Key)) private _keys;

    event OracleRegistered(bytes32 indexed oracle, bytes32 lineage, uint64 manifestMin);

    error LineageInvalid();

    /// `lineage`: the hash of the oracle's first manifest.
    function registerOracle(bytes32 lineage, uint64 manifestMin_) external onlyOwner returns (bytes32 registered) {
        if (oracle != 0) revert RemoteKnown();
        if (lineage == 0) revert LineageInvalid();
        registered = OracleEnvelope.identity(lineage);
        (oracle, manifestMin) = (registered, manifestMin_);
        emit OracleRegistered(registered, lineage, manifestMin_);
    }

    function _keyOf(bytes32 remote, uint256 epoch) internal view override returns (Key storage) {
        return _keys[remote][epoch];
    }

    function _epochFirst(bytes32 remote) internal view override returns (uint64) {
        if (remote == 0 || remote != oracle) revert RemoteUnknown();
        return _first;
    }

    function _setEpochFirst(bytes32, uint64 epoch) internal override {
        _first = epoch;
    }

    function _manifestMin(bytes32) internal view override returns (uint64) {
        return manifestMin;
    }

    function _setManifestMin(bytes32, uint64 manifestMin_) internal override {
        manifestMin = manifestMin_;
    }
}
