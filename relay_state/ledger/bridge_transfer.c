/* Transfers: out through the gateway, in from it, and what becomes of what was sent. */
#include "core/hash.h"
#include "relay_state/ledger/bridge_parts.h"
#include "relay_state/ledger/gas.h"
#include "wire/envelope.h"

#include <string.h>

/* Tag, token, amount, recipient. */
#define PAYLOAD_WORDS 4u
#define PAYLOAD_SIZE (PAYLOAD_WORDS * 32u)
#define REFUND_SIZE (4u + 32u)
/* receiveMessage(bytes32,bytes,bytes), which is also what it returns. */
#define SELECTOR_RECEIVE 0x2432ef26u

/* A transfer as it is asked for. */
struct transfer {
	struct cs_address asset;
	bridge_amount amount;
	struct cs_bytes recipient;
	struct cs_address refund_to;
	size_t attribute_count; /* the caller's; the refund's comes behind them */
	struct cs_bytes attributes[LEDGER_ATTRIBUTES_MAX];
	uint8_t refund[REFUND_SIZE];
	uint32_t chain;
	struct cs_hash payload[PAYLOAD_WORDS];
};

/* ---- calls of others ---- */

/* A call that must succeed: its revert is this one's. */
static enum cs_err call_or_revert(struct ledger_call *call, struct cs_bytes *output, uint8_t number,
				  const struct cs_u256 *value, struct cs_bytes input)
{
	const struct cs_address to = ledger_contract_address(number);
	bool success = false;
	CS_TRY(ledger_call_contract(call, &success, output, &to, value, input, 0));
	return success ? CS_OK : ledger_revert_with(call, *output);
}

/* A function of the assets with the asset, one or two accounts, and an amount. */
struct asset_call {
	uint8_t memory[4 + 4 * 32];
	struct cs_buf buf;
};

static struct cs_bytes asset_call(struct asset_call *made, const char *signature,
				  const struct cs_address *asset, const struct cs_address *a,
				  const struct cs_address *b, bridge_amount amount)
{
	struct cs_abi abi;
	const struct cs_u256 wide = bridge_wide(amount);
	cs_buf_init(&made->buf, made->memory, sizeof made->memory);
	cs_abi_call(&abi, &made->buf, signature);
	cs_abi_put_address(&abi, asset);
	cs_abi_put_address(&abi, a);
	if (b != NULL)
		cs_abi_put_address(&abi, b);
	cs_abi_put_u256(&abi, &wide);
	return cs_buf_view(&made->buf);
}

static enum cs_err move_asset(struct ledger_call *call, const char *signature,
			      const struct cs_address *asset, const struct cs_address *a,
			      const struct cs_address *b, bridge_amount amount)
{
	static const struct cs_u256 nothing;
	struct asset_call made;
	struct cs_bytes output;
	return call_or_revert(call, &output, LEDGER_ASSETS_NUMBER, &nothing,
			      asset_call(&made, signature, asset, a, b, amount));
}

static enum cs_err mint(struct ledger_call *call, const struct cs_address *asset,
			const struct cs_address *to, bridge_amount amount)
{
	return move_asset(call, "mint(address,address,uint256)", asset, to, NULL, amount);
}

static enum cs_err pay(struct ledger_call *call, const struct cs_address *asset,
		       const struct cs_address *to, bridge_amount amount)
{
	return move_asset(call, "transfer(address,address,uint256)", asset, to, NULL, amount);
}

/* ---- out ---- */

static enum cs_err read_amount(struct ledger_call *call, bridge_amount *amount,
			       const struct cs_u256 *wide)
{
	*amount = (bridge_amount)wide->limb[1] << 64 | wide->limb[0];
	return cs_u256_is_zero(wide) || cs_u256_size(wide) > sizeof *amount
		       ? ledger_revert_plain(call, "AmountInvalid()")
		       : CS_OK;
}

/* The caller's attributes, and the refund's. */
static void add_refund(struct transfer *transfer, const struct cs_address *refund_to)
{
	const struct cs_hash topic = cs_abi_topic("refundTo(address)");
	const struct cs_hash word = ledger_word_address(refund_to);
	memcpy(transfer->refund, topic.b, 4);
	memcpy(transfer->refund + 4, word.b, sizeof word.b);
	transfer->attributes[transfer->attribute_count] = CS_BYTES_OF(transfer->refund);
}

static enum cs_err read_transfer(struct ledger_call *call, struct transfer *transfer,
				 struct cs_u256 *amount, struct cs_abi_reader *in)
{
	CS_TRY(cs_abi_get_address(in, &transfer->asset));
	CS_TRY(cs_abi_get_u256(in, amount));
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &transfer->recipient));
	CS_TRY(cs_abi_get_address(in, &transfer->refund_to));
	return cs_abi_get_bytes_array(in, LEDGER_ATTRIBUTES_MAX - 1, LEDGER_ATTRIBUTE_SIZE_MAX,
				      transfer->attributes, &transfer->attribute_count);
}

static enum cs_err find_payload(struct ledger_call *call, struct transfer *transfer,
				const struct cs_u256 *amount)
{
	struct cs_bytes account;
	struct cs_hash remote;
	CS_TRY(bridge_chain_of(call, &transfer->chain, &account, transfer->recipient));
	if (account.n == 0)
		return ledger_revert_plain(call, "RecipientInvalid()");
	CS_TRY(read_amount(call, &transfer->amount, amount));
	CS_TRY(bridge_remote_token(call, &remote, &transfer->asset, transfer->chain));
	if (cs_hash_is_zero(&remote))
		return ledger_revert_plain(call, "TokenUnknown()");
	transfer->payload[0] = *wire_tag(WIRE_TAG_TRANSFER);
	transfer->payload[1] = remote;
	transfer->payload[2] = cs_u256_word(amount);
	transfer->payload[3] = wire_word(account);
	return CS_OK;
}

static enum cs_err take(struct ledger_call *call, struct bridge_token *token,
			const struct transfer *transfer)
{
	CS_TRY(bridge_token_get(call, token, &transfer->asset));
	CS_TRY(bridge_go_out(call, &transfer->asset, token, transfer->amount));
	if (token->mode == BRIDGE_MODE_MINT)
		return move_asset(call, "burn(address,address,uint256)", &transfer->asset,
				  &call->sender, NULL, transfer->amount);
	return move_asset(call, "transferFrom(address,address,address,uint256)", &transfer->asset,
			  &call->sender, &call->address, transfer->amount);
}

/* The peer of a chain: a view of the state. */
static enum cs_err get_peer(struct ledger_call *call, struct cs_bytes *peer, uint32_t chain)
{
	const struct ledger_key key = bridge_number_key(BRIDGE_KIND_PEER, chain);
	return ledger_get(call, peer, cs_bytes(key.b, key.n));
}

/* sendMessage or quote of the gateway, to the peer of the transfer's chain. */
static enum cs_err call_gateway(struct ledger_call *call, struct cs_hash *word,
				const struct transfer *transfer, const char *signature, bool sends)
{
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_bytes peer, output;
	size_t slots[LEDGER_ATTRIBUTES_MAX], slot_payload = 0;
	const size_t count = transfer->attribute_count + 1;
	const struct cs_u256 nothing = cs_u256_u64(0);
	CS_TRY(get_peer(call, &peer, transfer->chain));
	/* Selector, three words and their lengths, what they lead to with its padding, each
	 * attribute with its offset and length. */
	CS_TRY(cs_buf_init_arena(&buf, call->arena,
				 4 + 32 * 6 + peer.n + 31 + PAYLOAD_SIZE +
					 count * (64 + LEDGER_ATTRIBUTE_SIZE_MAX + 31)));
	cs_abi_call(&abi, &buf, signature);
	size_t slot_recipient = cs_abi_slot(&abi);
	if (sends)
		slot_payload = cs_abi_slot(&abi);
	else
		cs_abi_put_u64(&abi, PAYLOAD_SIZE);
	size_t slot_attributes = cs_abi_slot(&abi);
	cs_abi_put_bytes(&abi, slot_recipient, peer);
	if (sends)
		cs_abi_put_bytes(&abi, slot_payload, cs_bytes(transfer->payload, PAYLOAD_SIZE));
	cs_abi_enter_array(&abi, slot_attributes, count);
	for (size_t i = 0; i < count; i++)
		slots[i] = cs_abi_slot(&abi);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_bytes(&abi, slots[i], transfer->attributes[i]);
	cs_abi_leave(&abi);
	CS_TRY(cs_buf_end(&buf));
	CS_TRY(call_or_revert(call, &output, LEDGER_GATEWAY_NUMBER, sends ? &call->value : &nothing,
			      cs_buf_view(&buf)));
	cs_assert(output.n == sizeof word->b);
	memcpy(word->b, output.p, sizeof word->b);
	return CS_OK;
}

static enum cs_err emit_sent(struct ledger_call *call, const struct cs_hash *send_id,
			     const struct transfer *transfer)
{
	struct cs_buf buf;
	struct cs_abi abi;
	const struct cs_u256 amount = bridge_wide(transfer->amount);
	const struct cs_hash topics[] = {
		cs_abi_topic("TransferSent(bytes32,address,address,bytes,uint256,address)"),
		*send_id, ledger_word_address(&transfer->asset),
		ledger_word_address(&call->sender)};
	CS_TRY(cs_buf_init_arena(&buf, call->arena, 32 * 4 + transfer->recipient.n + 31));
	cs_abi_init(&abi, &buf);
	size_t recipient = cs_abi_slot(&abi);
	cs_abi_put_u256(&abi, &amount);
	cs_abi_put_address(&abi, &transfer->refund_to);
	cs_abi_put_bytes(&abi, recipient, transfer->recipient);
	CS_TRY(cs_buf_end(&buf));
	return ledger_emit(call, topics, CS_LEN(topics), cs_buf_view(&buf));
}

static bool is_nobody(const struct cs_address *address)
{
	static const struct cs_address nobody;
	return cs_address_eq(address, &nobody);
}

/* Sends so much of an asset to a recipient on a chain with a peer. Attributes are the gateway's, but for
 * `refundTo`, which is the argument (zero: the caller). The value is the gateway's fee, exactly. */
enum cs_err bridge_transfer(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct transfer transfer;
	struct cs_u256 amount;
	struct bridge_token token;
	struct cs_hash send_id;
	CS_TRY(read_transfer(call, &transfer, &amount, in));
	CS_TRY(ledger_not_paused(call));
	if (is_nobody(&transfer.refund_to))
		transfer.refund_to = call->sender;
	if (cs_address_eq(&transfer.refund_to, &call->address))
		return ledger_revert_plain(call, "RecipientInvalid()");
	CS_TRY(find_payload(call, &transfer, &amount));
	CS_TRY(take(call, &token, &transfer));
	add_refund(&transfer, &transfer.refund_to);
	CS_TRY(call_gateway(call, &send_id, &transfer, "sendMessage(bytes,bytes,bytes[])", true));
	const struct bridge_pending pending = {.refund_to = transfer.refund_to,
					       .token = token.index,
					       .chain = transfer.chain,
					       .mode = token.mode,
					       .amount = transfer.amount};
	CS_TRY(bridge_pending_put(call, &send_id, &pending));
	cs_abi_put_word(out, &send_id);
	return emit_sent(call, &send_id, &transfer);
}

/* The fee of a transfer to the chain of the recipient. Who asks and who is refunded do not matter. */
enum cs_err bridge_quote(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct transfer transfer = {.chain = 0};
	struct cs_bytes account;
	struct cs_hash fee;
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &transfer.recipient));
	CS_TRY(cs_abi_get_bytes_array(in, LEDGER_ATTRIBUTES_MAX - 1, LEDGER_ATTRIBUTE_SIZE_MAX,
				      transfer.attributes, &transfer.attribute_count));
	CS_TRY(bridge_chain_of(call, &transfer.chain, &account, transfer.recipient));
	add_refund(&transfer, &call->address);
	CS_TRY(call_gateway(call, &fee, &transfer, "quote(bytes,uint256,bytes[])", false));
	cs_abi_put_word(out, &fee);
	return CS_OK;
}

/* ---- what became of it ---- */

static struct ledger_key claimable_key(const struct cs_address *asset,
				       const struct cs_address *account)
{
	struct ledger_key key = ledger_key_of(BRIDGE_KIND_CLAIMABLE, CS_BYTES_OF(asset->b));
	ledger_key_add(&key, CS_BYTES_OF(account->b));
	return key;
}

static enum cs_err get_claimable(struct ledger_call *call, struct cs_u256 *amount,
				 const struct cs_address *asset, const struct cs_address *account)
{
	struct cs_hash word;
	const struct ledger_key key = claimable_key(asset, account);
	CS_TRY(ledger_get_fixed(call, word.b, sizeof word.b, &key));
	*amount = cs_u256_from_word(&word);
	return CS_OK;
}

static enum cs_err keep_for(struct ledger_call *call, const struct cs_address *asset,
			    const struct bridge_pending *pending)
{
	struct cs_u256 sum;
	const struct cs_u256 more = bridge_wide(pending->amount);
	const struct ledger_key key = claimable_key(asset, &pending->refund_to);
	CS_TRY(get_claimable(call, &sum, asset, &pending->refund_to));
	CS_TRY(cs_u256_add(&sum, &sum, &more));
	const struct cs_hash word = cs_u256_word(&sum);
	return ledger_put_fixed(call, &key, word.b, sizeof word.b);
}

/* What was locked is paid back, in a call of its own, so that one that fails leaves nothing behind;
 * what cannot be pushed is kept to be claimed. What was burned is minted again. */
static enum cs_err refund(struct ledger_call *call, bool *pushed, const struct cs_address *asset,
			  const struct bridge_pending *pending)
{
	static const struct cs_u256 nothing;
	const struct cs_address assets = ledger_contract_address(LEDGER_ASSETS_NUMBER);
	struct asset_call made;
	struct cs_bytes output;
	*pushed = true;
	if (pending->mode == BRIDGE_MODE_MINT)
		return mint(call, asset, &pending->refund_to, pending->amount);
	CS_TRY(ledger_call_contract(call, pushed, &output, &assets, &nothing,
				    asset_call(&made, "transfer(address,address,uint256)", asset,
					       &pending->refund_to, NULL, pending->amount),
				    0));
	return *pushed ? CS_OK : keep_for(call, asset, pending);
}

static enum cs_err settle(struct ledger_call *call, const struct cs_hash *send_id, uint64_t status)
{
	struct bridge_pending pending;
	struct cs_address asset;
	bool pushed = false;
	CS_TRY(bridge_pending_get(call, &pending, send_id));
	if (pending.token == 0)
		return ledger_revert_plain(call, "NotPending()");
	if (status != WIRE_STATUS_DELIVERED && status != WIRE_STATUS_DEAD)
		return ledger_revert_plain(call, "NotFinal()");
	CS_TRY(bridge_pending_remove(call, send_id));
	if (status == WIRE_STATUS_DELIVERED) {
		CS_TRY(bridge_arrive(call, &pending));
		return ledger_emit_words(call, "TransferCompleted(bytes32)", send_id, 1,
					 LEDGER_NO_WORDS);
	}
	CS_TRY(bridge_asset_at(call, &asset, pending.token));
	CS_TRY(refund(call, &pushed, &asset, &pending));
	const struct cs_u256 amount = bridge_wide(pending.amount);
	return ledger_emit_words(call, "TransferRefunded(bytes32,address,address,uint256,bool)",
				 LEDGER_WORDS(*send_id, ledger_word_address(&asset),
					      ledger_word_address(&pending.refund_to)),
				 LEDGER_WORDS(cs_u256_word(&amount), ledger_word_u64(pushed)));
}

static enum cs_err only_gateway(struct ledger_call *call)
{
	const struct cs_address gateway = ledger_contract_address(LEDGER_GATEWAY_NUMBER);
	return cs_address_eq(&call->sender, &gateway) ? CS_OK
						      : ledger_revert_plain(call, "OnlyGateway()");
}

enum cs_err bridge_on_outcome(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_hash send_id;
	uint8_t status;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &send_id));
	CS_TRY(cs_abi_get_u8(in, &status));
	CS_TRY(only_gateway(call));
	return settle(call, &send_id, status);
}

/* Does what `onOutcome` should have done, from the gateway's record. Anyone may call it. */
enum cs_err bridge_settle(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	static const struct cs_u256 nothing;
	struct cs_hash send_id;
	uint8_t memory[4 + 32];
	struct cs_buf data;
	struct cs_abi abi;
	struct cs_bytes output;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &send_id));
	cs_buf_init(&data, memory, sizeof memory);
	cs_abi_call(&abi, &data, "outcomeOf(bytes32)");
	cs_abi_put_word(&abi, &send_id);
	CS_TRY(call_or_revert(call, &output, LEDGER_GATEWAY_NUMBER, &nothing, cs_buf_view(&data)));
	cs_assert(output.n == 32);
	return settle(call, &send_id, cs_be64(output.p + 24));
}

/* Takes out a refund that could not be pushed. */
enum cs_err bridge_claim(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address asset, to;
	struct cs_u256 amount;
	struct cs_bytes output;
	static const struct cs_u256 nothing;
	uint8_t memory[4 + 3 * 32];
	struct cs_buf data;
	struct cs_abi abi;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &to));
	CS_TRY(get_claimable(call, &amount, &asset, &call->sender));
	if (cs_u256_is_zero(&amount))
		return ledger_revert_plain(call, "NothingToClaim()");
	const struct ledger_key key = claimable_key(&asset, &call->sender);
	CS_TRY(ledger_remove(call, cs_bytes(key.b, key.n)));
	/* A sum of refunds may be above 128 bits. */
	cs_buf_init(&data, memory, sizeof memory);
	cs_abi_call(&abi, &data, "transfer(address,address,uint256)");
	cs_abi_put_address(&abi, &asset);
	cs_abi_put_address(&abi, &to);
	cs_abi_put_u256(&abi, &amount);
	CS_TRY(call_or_revert(call, &output, LEDGER_ASSETS_NUMBER, &nothing, cs_buf_view(&data)));
	return ledger_emit_words(
		call, "Claimed(address,address,address,uint256)",
		LEDGER_WORDS(ledger_word_address(&asset), ledger_word_address(&call->sender)),
		LEDGER_WORDS(ledger_word_address(&to), cs_u256_word(&amount)));
}

enum cs_err bridge_claimable(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_address asset, account;
	struct cs_u256 amount;
	CS_TRY(cs_abi_get_address(in, &asset));
	CS_TRY(cs_abi_get_address(in, &account));
	CS_TRY(get_claimable(call, &amount, &asset, &account));
	cs_abi_put_u256(out, &amount);
	return CS_OK;
}

enum cs_err bridge_pending_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_hash send_id;
	struct bridge_pending pending;
	struct cs_address asset = {{0}};
	CS_TRY(cs_abi_get_word(in, &send_id));
	CS_TRY(bridge_pending_get(call, &pending, &send_id));
	if (pending.token != 0)
		CS_TRY(bridge_asset_at(call, &asset, pending.token));
	const struct cs_u256 amount = bridge_wide(pending.amount);
	cs_abi_put_address(out, &asset);
	cs_abi_put_u256(out, &amount);
	cs_abi_put_address(out, &pending.refund_to);
	return CS_OK;
}

/* ---- in ---- */

struct arrival {
	uint32_t chain;
	struct cs_address asset;
	bridge_amount amount;
	struct cs_address to;
};

/* An address in a word: nothing may stand before it. */
static enum cs_err get_address(struct cs_address *address, const struct cs_hash *word)
{
	const struct cs_u256 wide = cs_u256_from_word(word);
	if (cs_u256_size(&wide) > sizeof *address)
		return CS_ERR_OVERFLOW;
	*address = ledger_address_of(word);
	return CS_OK;
}

static enum cs_err read_arrival(struct ledger_call *call, struct arrival *arrival,
				struct cs_bytes sender, struct cs_bytes payload)
{
	struct cs_hash words[PAYLOAD_WORDS], remote;
	const struct cs_hash hash = cs_keccak256(sender);
	const struct ledger_key key = ledger_key_of(BRIDGE_KIND_CHAIN_OF_PEER, CS_BYTES_OF(hash.b));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	CS_TRY(ledger_get_u32(call, &arrival->chain, &key));
	if (arrival->chain == 0)
		return ledger_revert_plain(call, "PeerUnknown()");
	if (payload.n != PAYLOAD_SIZE)
		return ledger_revert_plain(call, "PayloadInvalid()");
	memcpy(words, payload.p, sizeof words);
	if (!cs_hash_eq(&words[0], wire_tag(WIRE_TAG_TRANSFER)))
		return ledger_revert_plain(call, "PayloadInvalid()");
	CS_TRY(get_address(&arrival->asset, &words[1]));
	CS_TRY(get_address(&arrival->to, &words[3]));
	CS_TRY(bridge_remote_token(call, &remote, &arrival->asset, arrival->chain));
	if (cs_hash_is_zero(&remote))
		return ledger_revert_plain(call, "TokenUnknown()");
	const struct cs_u256 amount = cs_u256_from_word(&words[2]);
	CS_TRY(read_amount(call, &arrival->amount, &amount));
	return cs_address_eq(&arrival->to, &call->address)
		       ? ledger_revert_plain(call, "RecipientInvalid()")
		       : CS_OK;
}

enum cs_err bridge_receive(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash id;
	struct cs_bytes sender, payload;
	struct arrival arrival;
	struct bridge_token token;
	CS_TRY(cs_abi_get_word(in, &id));
	CS_TRY(cs_abi_get_bytes(in, CS_INTEROP_SIZE_MAX, &sender));
	CS_TRY(cs_abi_get_bytes(in, CS_PAYLOAD_SIZE_MAX, &payload));
	CS_TRY(only_gateway(call));
	if (!cs_u256_is_zero(&call->value))
		return ledger_revert_plain(call, "ValueUnexpected()");
	CS_TRY(read_arrival(call, &arrival, sender, payload));
	CS_TRY(bridge_token_get(call, &token, &arrival.asset));
	CS_TRY(bridge_come_in(call, &arrival.asset, &token, arrival.chain, arrival.amount));
	CS_TRY(token.mode == BRIDGE_MODE_MINT
		       ? mint(call, &arrival.asset, &arrival.to, arrival.amount)
		       : pay(call, &arrival.asset, &arrival.to, arrival.amount));
	const struct cs_u256 amount = bridge_wide(arrival.amount);
	const struct cs_hash magic = ledger_word_bytes4(SELECTOR_RECEIVE);
	cs_abi_put_word(out, &magic);
	return ledger_emit_words(call, "TransferReceived(bytes32,address,address,uint256)",
				 LEDGER_WORDS(id, ledger_word_address(&arrival.asset),
					      ledger_word_address(&arrival.to)),
				 LEDGER_WORDS(cs_u256_word(&amount)));
}
