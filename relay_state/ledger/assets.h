/* Contract 3: assets besides the native one. Each has a number of 20 bytes that follows from who made
 * it and its name, and functions that are ERC-20's with the asset as first argument. Knows no fee.
 *
 *     asset = the last 20 bytes of H( TAG("caisson/ledger/asset/v1") ‖ creator (32) ‖ H(name) )
 *
 *     function create(string name, string symbol, uint8 decimals, address minter) returns (address asset)
 *     function assetOf(address creator, string name) view returns (address asset)
 *     function mint(address asset, address to, uint256 amount)
 *     function burn(address asset, address from, uint256 amount)
 *     function setMinter(address asset, address minter)
 *     function transfer(address asset, address to, uint256 amount) returns (bool)
 *     function transferFrom(address asset, address from, address to, uint256 amount) returns (bool)
 *     function approve(address asset, address spender, uint256 amount) returns (bool)
 *     function balanceOf(address asset, address account) view returns (uint256)
 *     function allowance(address asset, address owner, address spender) view returns (uint256)
 *     function totalSupply(address asset) view returns (uint256)
 *     function info(address asset) view returns (string name, string symbol, uint8 decimals, address minter)
 *
 *     event AssetCreated(address indexed asset, address indexed creator, string name, string symbol,
 *                        uint8 decimals, address minter)
 *     event MinterSet(address indexed asset, address indexed minter)
 *     event Transfer(address indexed asset, address indexed from, address indexed to, uint256 value)
 *     event Approval(address indexed asset, address indexed owner, address indexed spender, uint256 value)
 *
 *     error AssetUnknown(address asset)
 *     error AssetKnown(address asset)
 *     error AssetInvalid()                  the name or the symbol: its size, its UTF-8
 *     error OnlyMinter()
 *     error SupplyOverflow()
 *     error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)
 *     error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)
 *     error ERC20InvalidReceiver(address receiver)     the zero address
 *
 * Who burns: the holder, the minter if it is a contract (one with rules, as a bridge; nobody has its
 * key), anybody else within the allowance that the holder gave. An allowance of 2^256 - 1 does not
 * shrink (OpenZeppelin ERC20.sol, v5). Who moves with transferFrom: who has an allowance, and the bridge
 * (contract 2) without one: it takes of its own caller alone, and what that one told it to. A minter of zero: nobody, for ever. */
#ifndef LEDGER_ASSETS_H
#define LEDGER_ASSETS_H

#include "relay_state/ledger/contract.h"

#define LEDGER_ASSETS_NUMBER 3u
#define LEDGER_ASSET_NAME_SIZE_MAX 64u
#define LEDGER_ASSET_SYMBOL_SIZE_MAX 16u

extern const struct ledger_contract ledger_assets;

/* The asset's number. */
struct cs_address ledger_asset_of(const struct cs_address *creator, struct cs_bytes name);

/* Of an asset's record and of balances, for genesis and audits: the key without the contract's
 * number, as ledger_get takes it. */
#define LEDGER_ASSET_BALANCE_KEY_SIZE 41u
void ledger_asset_balance_key(uint8_t key[LEDGER_ASSET_BALANCE_KEY_SIZE],
			      const struct cs_address *asset, const struct cs_address *account);

#endif
