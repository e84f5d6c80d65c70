#include "relay_state/ledger/assets.h"

#include "core/hash.h"
#include "core/utf8.h"
#include "relay_state/ledger/bridge.h"

#include <string.h>

/* Keys: kind ‖ asset ‖ what the kind says. */
#define KIND_RECORD 'a'
#define KIND_SUPPLY 't'
#define KIND_BALANCE 'b'
#define KIND_ALLOWANCE 'p'

/* ---- words ---- */

static struct cs_hash address_word(const struct cs_address *address)
{
	struct cs_hash word = {{0}};
	memcpy(word.b + sizeof word.b - sizeof address->b, address->b, sizeof address->b);
	return word;
}

static bool is_zero(const struct cs_address *address)
{
	static const struct cs_address zero;
	return cs_address_eq(address, &zero);
}

/* An event with the asset and up to two addresses as topics, one number as data. */
static enum cs_err emit(struct ledger_call *call, const char *event, const struct cs_address *asset,
			const struct cs_address *a, const struct cs_address *b,
			const struct cs_u256 *amount)
{
	struct cs_hash topics[4] = {cs_abi_topic(event), address_word(asset), address_word(a)};
	size_t count = 3;
	if (b != NULL)
		topics[count++] = address_word(b);
	if (amount == NULL)
		return ledger_emit(call, topics, count, CS_BYTES_NONE);
	struct cs_hash word = cs_u256_word(amount);
	return ledger_emit(call, topics, count, CS_BYTES_OF(word.b));
}

static enum cs_err revert_address(struct ledger_call *call, const char *error,
				  const struct cs_address *address)
{
	struct cs_hash word = address_word(address);
	return ledger_revert(call, error, &word, 1);
}

static enum cs_err revert_short(struct ledger_call *call, const char *error,
				const struct cs_address *who, const struct cs_u256 *has,
				const struct cs_u256 *needed)
{
	struct cs_hash words[3] = {address_word(who), cs_u256_word(has), cs_u256_word(needed)};
	return ledger_revert(call, error, words, CS_LEN(words));
}

/* ---- numbers of the state ---- */

struct key {
	uint8_t b[1 + 3 * sizeof(struct cs_address)];
	size_t n;
};

static struct key make_key(uint8_t kind, const struct cs_address *asset)
{
	struct key key = {.b = {kind}, .n = 1 + sizeof asset->b};
	memcpy(key.b + 1, asset->b, sizeof asset->b);
	return key;
}

static struct key with(struct key key, const struct cs_address *address)
{
	memcpy(key.b + key.n, address->b, sizeof address->b);
	key.n += sizeof address->b;
	return key;
}

/* Zero where there is none. */
static enum cs_err get_number(struct ledger_call *call, struct cs_u256 *number,
			      const struct key *key)
{
	struct cs_bytes value;
	enum cs_err err = ledger_get(call, &value, cs_bytes(key->b, key->n));
	if (err == CS_ERR_NOT_FOUND) {
		*number = cs_u256_u64(0);
		return CS_OK;
	}
	if (err != CS_OK)
		return err;
	struct cs_hash word;
	if (value.n != sizeof word.b)
		return cs_fail(call->why, CS_ERR_DAMAGED, "a balance has %zu bytes", value.n);
	memcpy(word.b, value.p, sizeof word.b);
	*number = cs_u256_from_word(&word);
	return CS_OK;
}

static enum cs_err put_number(struct ledger_call *call, const struct key *key,
			      const struct cs_u256 *number)
{
	struct cs_hash word = cs_u256_word(number);
	if (cs_u256_is_zero(number))
		return ledger_remove(call, cs_bytes(key->b, key->n));
	return ledger_put(call, cs_bytes(key->b, key->n), CS_BYTES_OF(word.b));
}

void ledger_asset_balance_key(uint8_t key[LEDGER_ASSET_BALANCE_KEY_SIZE],
			      const struct cs_address *asset, const struct cs_address *account)
{
	const struct key made = with(make_key(KIND_BALANCE, asset), account);
	cs_assert(made.n == LEDGER_ASSET_BALANCE_KEY_SIZE);
	memcpy(key, made.b, made.n);
}

/* ---- records: minter (20) ‖ decimals (1) ‖ size of the name (1) ‖ name ‖ symbol ---- */

struct record {
	struct cs_address minter;
	uint8_t decimals;
	struct cs_bytes name;
	struct cs_bytes symbol;
};
#define RECORD_HEAD_SIZE 22u
#define RECORD_SIZE_MAX \
	(RECORD_HEAD_SIZE + LEDGER_ASSET_NAME_SIZE_MAX + LEDGER_ASSET_SYMBOL_SIZE_MAX)

struct cs_address ledger_asset_of(const struct cs_address *creator, struct cs_bytes name)
{
	struct cs_address asset;
	struct cs_hash parts[3] = {cs_keccak256(cs_bytes_str("caisson/ledger/asset/v1")),
				   address_word(creator), cs_keccak256(name)};
	struct cs_hash hash = cs_keccak256(cs_bytes(parts[0].b, sizeof parts));
	memcpy(asset.b, hash.b + sizeof hash.b - sizeof asset.b, sizeof asset.b);
	return asset;
}

static enum cs_err get_record(struct ledger_call *call, struct record *record,
			      const struct cs_address *asset)
{
	const struct key key = make_key(KIND_RECORD, asset);
	struct cs_bytes value;
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	if (err == CS_ERR_NOT_FOUND)
		return revert_address(call, "AssetUnknown(address)", asset);
	if (err != CS_OK)
		return err;
	if (value.n < RECORD_HEAD_SIZE || value.p[21] > value.n - RECORD_HEAD_SIZE)
		return cs_fail(call->why, CS_ERR_DAMAGED, "an asset's record");
	memcpy(record->minter.b, value.p, sizeof record->minter.b);
	record->decimals = value.p[20];
	record->name = cs_bytes(value.p + RECORD_HEAD_SIZE, value.p[21]);
	record->symbol = cs_bytes(record->name.p + record->name.n,
				  value.n - RECORD_HEAD_SIZE - record->name.n);
	return CS_OK;
}

static enum cs_err put_record(struct ledger_call *call, const struct cs_address *asset,
			      const struct record *record)
{
	const struct key key = make_key(KIND_RECORD, asset);
	uint8_t bytes[RECORD_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, bytes, sizeof bytes);
	cs_put(&buf, CS_BYTES_OF(record->minter.b));
	cs_put_u8(&buf, record->decimals);
	cs_put_u8(&buf, (uint8_t)record->name.n);
	cs_put(&buf, record->name);
	cs_put(&buf, record->symbol);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return ledger_put(call, cs_bytes(key.b, key.n), cs_buf_view(&buf));
}

/* ---- balances ---- */

static enum cs_err take(struct ledger_call *call, const struct cs_address *asset,
			const struct cs_address *from, const struct cs_u256 *amount)
{
	const struct key key = with(make_key(KIND_BALANCE, asset), from);
	struct cs_u256 has, left;
	CS_TRY(get_number(call, &has, &key));
	if (cs_u256_sub(&left, &has, amount) != CS_OK)
		return revert_short(call, "ERC20InsufficientBalance(address,uint256,uint256)", from,
				    &has, amount);
	return put_number(call, &key, &left);
}

/* No sum of balances is above the supply, which is checked when it grows. */
static enum cs_err give(struct ledger_call *call, const struct cs_address *asset,
			const struct cs_address *to, const struct cs_u256 *amount)
{
	const struct key key = with(make_key(KIND_BALANCE, asset), to);
	struct cs_u256 has;
	if (is_zero(to))
		return revert_address(call, "ERC20InvalidReceiver(address)", to);
	CS_TRY(get_number(call, &has, &key));
	if (cs_u256_add(&has, &has, amount) != CS_OK)
		return ledger_revert_plain(call, "SupplyOverflow()");
	return put_number(call, &key, &has);
}

static enum cs_err move(struct ledger_call *call, const struct cs_address *asset,
			const struct cs_address *from, const struct cs_address *to,
			const struct cs_u256 *amount)
{
	CS_TRY(take(call, asset, from, amount));
	CS_TRY(give(call, asset, to, amount));
	return emit(call, "Transfer(address,address,address,uint256)", asset, from, to, amount);
}

static enum cs_err use_allowance(struct ledger_call *call, const struct cs_address *asset,
				 const struct cs_address *owner, const struct cs_u256 *amount)
{
	static const struct cs_u256 endless = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	const struct key key = with(with(make_key(KIND_ALLOWANCE, asset), owner), &call->sender);
	struct cs_u256 allowed, left;
	CS_TRY(get_number(call, &allowed, &key));
	if (cs_u256_cmp(&allowed, &endless) == 0)
		return CS_OK;
	if (cs_u256_sub(&left, &allowed, amount) != CS_OK)
		return revert_short(call, "ERC20InsufficientAllowance(address,uint256,uint256)",
				    &call->sender, &allowed, amount);
	return put_number(call, &key, &left);
}

/* ---- functions that change ---- */

static bool is_text(struct cs_bytes text)
{
	return text.n > 0 && cs_utf8_is_valid(text);
}

static enum cs_err emit_created(struct ledger_call *call, const struct cs_address *asset,
				const struct record *record)
{
	struct cs_hash topics[3] = {cs_abi_topic("AssetCreated(address,address,string,string,"
						 "uint8,address)"),
				    address_word(asset), address_word(&call->sender)};
	uint8_t bytes[4 * 32 + 2 * 32 + RECORD_SIZE_MAX + 64];
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, bytes, sizeof bytes);
	cs_abi_init(&abi, &buf);
	const size_t name = cs_abi_slot(&abi), symbol = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, record->decimals);
	cs_abi_put_address(&abi, &record->minter);
	cs_abi_put_bytes(&abi, name, record->name);
	cs_abi_put_bytes(&abi, symbol, record->symbol);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return ledger_emit(call, topics, CS_LEN(topics), cs_buf_view(&buf));
}

static enum cs_err run_create(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct record record;
	struct cs_bytes before;
	CS_TRY(cs_abi_get_bytes(in, SIZE_MAX, &record.name));
	CS_TRY(cs_abi_get_bytes(in, SIZE_MAX, &record.symbol));
	CS_TRY(cs_abi_get_u8(in, &record.decimals));
	CS_TRY(cs_abi_get_address(in, &record.minter));
	if (record.name.n > LEDGER_ASSET_NAME_SIZE_MAX || !is_text(record.name) ||
	    record.symbol.n > LEDGER_ASSET_SYMBOL_SIZE_MAX || !is_text(record.symbol))
		return ledger_revert_plain(call, "AssetInvalid()");
	const struct cs_address asset = ledger_asset_of(&call->sender, record.name);
	const struct key key = make_key(KIND_RECORD, &asset);
	enum cs_err err = ledger_get(call, &before, cs_bytes(key.b, key.n));
	if (err == CS_OK)
		return revert_address(call, "AssetKnown(address)", &asset);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	CS_TRY(put_record(call, &asset, &record));
	cs_abi_put_address(out, &asset);
	return emit_created(call, &asset, &record);
}

static enum cs_err run_mint(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	static const struct cs_address nobody;
	struct cs_address asset, to;
	struct cs_u256 amount, supply;
	struct record record;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(get_record(call, &record, &asset));
	if (is_zero(&call->sender) || !cs_address_eq(&record.minter, &call->sender))
		return ledger_revert_plain(call, "OnlyMinter()");
	const struct key key = make_key(KIND_SUPPLY, &asset);
	CS_TRY(get_number(call, &supply, &key));
	if (cs_u256_add(&supply, &supply, &amount) != CS_OK)
		return ledger_revert_plain(call, "SupplyOverflow()");
	CS_TRY(put_number(call, &key, &supply));
	CS_TRY(give(call, &asset, &to, &amount));
	return emit(call, "Transfer(address,address,address,uint256)", &asset, &nobody, &to,
		    &amount);
}

static enum cs_err run_burn(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	static const struct cs_address nobody;
	struct cs_address asset, from;
	struct cs_u256 amount, supply;
	struct record record;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &from));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(get_record(call, &record, &asset));
	const bool is_bridge = cs_address_eq(&record.minter, &call->sender) &&
			       ledger_is_contract(call, &call->sender);
	if (!is_bridge && !cs_address_eq(&from, &call->sender))
		CS_TRY(use_allowance(call, &asset, &from, &amount));
	CS_TRY(take(call, &asset, &from, &amount));
	const struct key key = make_key(KIND_SUPPLY, &asset);
	CS_TRY(get_number(call, &supply, &key));
	if (cs_u256_sub(&supply, &supply, &amount) != CS_OK)
		return cs_fail(call->why, CS_ERR_DAMAGED, "a balance is above the supply");
	CS_TRY(put_number(call, &key, &supply));
	return emit(call, "Transfer(address,address,address,uint256)", &asset, &from, &nobody,
		    &amount);
}

static enum cs_err run_set_minter(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct cs_address asset, minter;
	struct record record;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &minter));
	CS_TRY(get_record(call, &record, &asset));
	if (is_zero(&call->sender) || !cs_address_eq(&record.minter, &call->sender))
		return ledger_revert_plain(call, "OnlyMinter()");
	record.minter = minter;
	CS_TRY(put_record(call, &asset, &record));
	return emit(call, "MinterSet(address,address)", &asset, &minter, NULL, NULL);
}

static enum cs_err run_transfer(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct cs_address asset, to;
	struct cs_u256 amount;
	struct record record;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(get_record(call, &record, &asset));
	cs_abi_put_u64(out, 1);
	return move(call, &asset, &call->sender, &to, &amount);
}

static enum cs_err run_transfer_from(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	struct cs_address asset, from, to;
	struct cs_u256 amount;
	struct record record;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &from));
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(get_record(call, &record, &asset));
	const struct cs_address bridge = ledger_contract_address(LEDGER_BRIDGE_NUMBER);
	if (!cs_address_eq(&call->sender, &bridge))
		CS_TRY(use_allowance(call, &asset, &from, &amount));
	cs_abi_put_u64(out, 1);
	return move(call, &asset, &from, &to, &amount);
}

static enum cs_err run_approve(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_address asset, spender;
	struct cs_u256 amount;
	struct record record;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &spender));
	CS_TRY(cs_abi_get_u256(in, &amount));
	CS_TRY(get_record(call, &record, &asset));
	const struct key key =
		with(with(make_key(KIND_ALLOWANCE, &asset), &call->sender), &spender);
	CS_TRY(put_number(call, &key, &amount));
	cs_abi_put_u64(out, 1);
	return emit(call, "Approval(address,address,address,uint256)", &asset, &call->sender,
		    &spender, &amount);
}

/* ---- questions ---- */

static enum cs_err run_asset_of(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct cs_address creator;
	struct cs_bytes name;
	(void)call;
	CS_TRY(cs_abi_get_address(in, &creator));
	CS_TRY(cs_abi_get_bytes(in, LEDGER_ASSET_NAME_SIZE_MAX, &name));
	const struct cs_address asset = ledger_asset_of(&creator, name);
	cs_abi_put_address(out, &asset);
	return CS_OK;
}

/* The number under a key of so many addresses after the asset. */
static enum cs_err answer_number(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out, uint8_t kind, size_t address_count)
{
	struct cs_address asset, parts[2];
	struct cs_u256 number;
	struct record record;
	CS_TRY(cs_abi_get_address(in, &asset));
	for (size_t i = 0; i < address_count; i++)
		CS_TRY(cs_abi_get_address(in, &parts[i]));
	CS_TRY(get_record(call, &record, &asset));
	struct key key = make_key(kind, &asset);
	for (size_t i = 0; i < address_count; i++)
		key = with(key, &parts[i]);
	CS_TRY(get_number(call, &number, &key));
	cs_abi_put_u256(out, &number);
	return CS_OK;
}

static enum cs_err run_balance_of(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	return answer_number(call, in, out, KIND_BALANCE, 1);
}

static enum cs_err run_allowance(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	return answer_number(call, in, out, KIND_ALLOWANCE, 2);
}

static enum cs_err run_total_supply(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	return answer_number(call, in, out, KIND_SUPPLY, 0);
}

static enum cs_err run_info(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address asset;
	struct record record = {.decimals = 0};
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(get_record(call, &record, &asset));
	const size_t name = cs_abi_slot(out), symbol = cs_abi_slot(out);
	cs_abi_put_u64(out, record.decimals);
	cs_abi_put_address(out, &record.minter);
	cs_abi_put_bytes(out, name, record.name);
	cs_abi_put_bytes(out, symbol, record.symbol);
	return CS_OK;
}

static const struct ledger_function functions[] = {
	{"create(string,string,uint8,address)", 0x61c6bc82, 4, false, 0, run_create},
	{"assetOf(address,string)", 0xfc367d74, 2, false, 0, run_asset_of},
	{"mint(address,address,uint256)", 0xc6c3bbe6, 3, false, 0, run_mint},
	{"burn(address,address,uint256)", 0xf6b911bc, 3, false, 0, run_burn},
	{"setMinter(address,address)", 0x9f122d6c, 2, false, 0, run_set_minter},
	{"transfer(address,address,uint256)", 0xbeabacc8, 3, false, 0, run_transfer},
	{"transferFrom(address,address,address,uint256)", 0x15dacbea, 4, false, 0,
	 run_transfer_from},
	{"approve(address,address,uint256)", 0xe1f21c67, 3, false, 0, run_approve},
	{"balanceOf(address,address)", 0xf7888aec, 2, false, 0, run_balance_of},
	{"allowance(address,address,address)", 0x927da105, 3, false, 0, run_allowance},
	{"totalSupply(address)", 0xe4dc2aa4, 1, false, 0, run_total_supply},
	{"info(address)", 0x0aae7a6b, 1, false, 0, run_info},
};

const struct ledger_contract ledger_assets = {"assets", LEDGER_ASSETS_NUMBER, functions,
					      CS_LEN(functions)};
