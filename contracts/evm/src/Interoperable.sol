// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// ERC-7930 binary addresses, version 1: version 2 bytes, chain type 2, reference length 1, reference, address length 1,
/// address. (OpenZeppelin's InteroperableAddress needs `mcopy`; these contracts run on chains before Cancun.)
library Interoperable {
    uint256 private constant VERSION = 1;
    uint256 private constant EIP155 = 0;
    uint256 private constant EIP155_ADDRESS = 20;
    uint256 private constant ADDRESS_MAX = 64;
    /// The longest that enclaves and gateways take (CS_INTEROP_SIZE_MAX).
    uint256 private constant SIZE_MAX = 96;

    error BadInteroperableAddress();

    /// Splits into the chain (version, type and reference) and the address. Nothing may follow the address; one of
    /// eip155 has 20 bytes, or none where only a chain is meant.
    function split(bytes calldata raw) internal pure returns (bytes calldata chain, bytes calldata account) {
        if (raw.length < 6 || raw.length > SIZE_MAX) revert BadInteroperableAddress();
        if (uint16(bytes2(raw)) != VERSION) revert BadInteroperableAddress();
        uint256 digits = uint8(raw[4]);
        uint256 end = 5 + digits;
        if (raw.length <= end) revert BadInteroperableAddress();
        uint256 size = uint8(raw[end]);
        if (raw.length != end + 1 + size || size > ADDRESS_MAX) revert BadInteroperableAddress();
        if (uint16(bytes2(raw[2:4])) == EIP155) {
            if (digits == 0 || raw[5] == 0) revert BadInteroperableAddress();
            if (size != 0 && size != EIP155_ADDRESS) revert BadInteroperableAddress();
        }
        return (raw[:end], raw[end + 1:]);
    }

    function isEip155(bytes calldata chain) internal pure returns (bool) {
        return uint16(bytes2(chain[2:4])) == EIP155;
    }

    /// The chain's reference as a number.
    function number(bytes calldata chain) internal pure returns (uint256) {
        if (chain.length > 5 + 32) revert BadInteroperableAddress();
        return uint256(bytes32(chain[5:])) >> (8 * (32 - (chain.length - 5)));
    }

    /// The chain of an eip155 id: the bytes before the address length.
    function eip155(uint256 id) internal pure returns (bytes memory) {
        uint256 size = 0;
        for (uint256 rest = id; rest != 0; rest >>= 8) ++size;
        bytes memory digits = new bytes(size);
        for (uint256 i = 0; i < size; ++i) digits[i] = bytes1(uint8(id >> (8 * (size - 1 - i))));
        return abi.encodePacked(uint16(VERSION), uint16(EIP155), uint8(size), digits);
    }

    /// CAIP-2 of an eip155 id. (OpenZeppelin's Strings needs `mcopy` too.)
    function caip2(uint256 id) internal pure returns (bytes memory) {
        uint256 size = 1;
        for (uint256 rest = id / 10; rest != 0; rest /= 10) ++size;
        bytes memory digits = new bytes(size);
        for (; size != 0; id /= 10) digits[--size] = bytes1(uint8(48 + (id % 10)));
        return abi.encodePacked("eip155:", digits);
    }
}
