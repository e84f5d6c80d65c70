// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// BIP-340 Schnorr signatures over secp256k1, checked with ecrecover and SHA-256.
///
/// With r = P.x, v = 27 (P has even y), z = -s*P.x and s' = -e*P.x, ecrecover computes r^-1 (s'P - zG) = sG - eP, which
/// must be R. It returns only 160 bits of a hash of R: were the caller free in R.y, a forger could try y until a
/// truncated hash matches (about 2^80 work). So R = (rx, ry) must be a point of the curve, which leaves two values of y,
/// and y must be even, which leaves one.
library Bip340 {
    uint256 internal constant P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;
    uint256 internal constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    /// SHA-256 of "BIP0340/challenge"
    uint256 private constant CHALLENGE = 0x7bb52d7a9fef58323eb1bf7a407db382d2f3f2d81bb1224f49fe518f6d48d37c;

    /// Whether (rx, ry, s) signs `message` under the key `px`, for which `isKey` must hold.
    function verify(bytes32 px, uint256 rx, uint256 ry, uint256 s, bytes32 message) internal view returns (bool valid) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, CHALLENGE)
            mstore(add(free, 0x20), CHALLENGE)
            mstore(add(free, 0x40), rx)
            mstore(add(free, 0x60), px)
            mstore(add(free, 0x80), message)
            valid := staticcall(gas(), 2, free, 0xa0, 0, 0x20)
            let e := mod(mload(0), N)

            mstore(free, sub(N, mulmod(s, px, N)))
            mstore(add(free, 0x20), 27)
            mstore(add(free, 0x40), px)
            mstore(add(free, 0x60), sub(N, mulmod(e, px, N)))
            mstore(0, 0)
            valid := and(valid, staticcall(gas(), 1, free, 0x80, 0, 0x20))
            let recovered := mload(0)

            mstore(0, rx)
            mstore(0x20, ry)
            let expected := and(keccak256(0, 0x40), 0xffffffffffffffffffffffffffffffffffffffff)
            valid := and(valid, and(iszero(iszero(recovered)), eq(recovered, expected)))
            valid := and(valid, and(lt(rx, P), lt(ry, P)))
            valid := and(valid, and(iszero(and(ry, 1)), lt(s, N)))
            valid := and(valid, eq(mulmod(ry, ry, P), addmod(mulmod(rx, mulmod(rx, rx, P), P), 7, P)))
        }
    }

    /// Whether `px` may be registered: 0 < px < n (it becomes the r of ecrecover) and a point has this x.
    function isKey(bytes32 px) internal view returns (bool) {
        uint256 x = uint256(px);
        if (x == 0 || x >= N) return false;
        uint256 square = addmod(mulmod(x, mulmod(x, x, P), P), 7, P);
        uint256 y = _power(square, (P + 1) / 4);
        return mulmod(y, y, P) == square;
    }

    /// base^exponent mod p, by the precompile of EIP-198
    function _power(uint256 base, uint256 exponent) private view returns (uint256 result) {
        bool done;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 0x20)
            mstore(add(free, 0x20), 0x20)
            mstore(add(free, 0x40), 0x20)
            mstore(add(free, 0x60), base)
            mstore(add(free, 0x80), exponent)
            mstore(add(free, 0xa0), P)
            done := staticcall(gas(), 5, free, 0xc0, 0, 0x20)
            done := and(done, eq(returndatasize(), 0x20)) // apart: arguments are evaluated from the right
            result := mload(0)
        }
        assert(done);
    }
}
