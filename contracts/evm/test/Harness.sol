// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bip340} from "../src/Bip340.sol";
import {Envelope} from "../src/Envelope.sol";
import {Interoperable} from "../src/Interoperable.sol";

/// Opens the libraries to vectors and to the gas table.
contract Harness {
    using Interoperable for bytes;

    function verify(bytes32 px, uint256 rx, uint256 ry, uint256 s, bytes32 message) external view returns (bool) {
        return Bip340.verify(px, rx, ry, s, message);
    }

    /// Gas of one check, memory and all, without the call around it.
    function verifyGas(bytes32 px, uint256 rx, uint256 ry, uint256 s, bytes32 message)
        external
        view
        returns (bool valid, uint256 used)
    {
        uint256 before = gasleft();
        valid = Bip340.verify(px, rx, ry, s, message);
        used = before - gasleft();
    }

    function isKey(bytes32 px) external view returns (bool) {
        return Bip340.isKey(px);
    }

    function identity(string calldata chain, bytes32 genesis, bytes calldata gateway) external pure returns (bytes32) {
        return Envelope.identity(chain, genesis, Envelope.word(gateway));
    }

    function word(bytes calldata raw) external pure returns (bytes32) {
        return Envelope.word(raw);
    }

    function root(bytes32[] memory leaves) external pure returns (bytes32) {
        return Envelope.root(leaves);
    }

    function fold(bytes32 hash, bytes32[] calldata path) external pure returns (bytes32) {
        return Envelope.fold(hash, path);
    }

    function node(bytes32 a, bytes32 b) external pure returns (bytes32) {
        return Envelope.node(a, b);
    }

    function digest(
        bytes32 domain,
        uint256 kind,
        bytes32 signer,
        bytes32 receiver,
        uint64 epoch,
        uint64 manifest,
        bytes32 root_
    ) external pure returns (bytes32) {
        return Envelope.digest(domain, kind, signer, receiver, epoch, manifest, root_);
    }

    function split(bytes calldata raw) external pure returns (bytes memory chain, bytes memory account) {
        return raw.split();
    }

    function eip155(uint256 id) external pure returns (bytes memory) {
        return Interoperable.eip155(id);
    }

    function caip2(uint256 id) external pure returns (string memory) {
        return string(Interoperable.caip2(id));
    }
}
