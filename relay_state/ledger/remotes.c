#include "relay_state/ledger/remotes.h"

#include "core/hash.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/timelock.h"
#include "wire/envelope.h"

#include <string.h>

#define KIND_SELF 'c'
#define KIND_REMOTE 'r'
#define KIND_CHAIN 'h'
#define KIND_COUNT 'i'

/* identity ‖ rotation delay ‖ overlap ‖ insecure ‖ CAIP-2, zeros behind it */
#define SELF_SIZE (32u + 8u + 8u + 1u + CS_CAIP2_SIZE_MAX + 1u)
#define SELF_DELAY_AT 32u
#define SELF_OVERLAP_AT 40u
#define SELF_INSECURE_AT 48u
#define SELF_CAIP2_AT 49u
/* sequence ‖ first epoch ‖ manifest ‖ index ‖ hash of the chain */
#define REMOTE_SIZE (3u * 8u + 4u + 32u)
#define REMOTE_EPOCH_AT 8u
#define REMOTE_MANIFEST_AT 16u
#define REMOTE_INDEX_AT 24u
#define REMOTE_CHAIN_AT 28u

/* ---- what is stored ---- */

enum cs_err ledger_self_get(struct ledger_call *call, struct ledger_self *self)
{
	uint8_t value[SELF_SIZE];
	const struct ledger_key key = ledger_key(KIND_SELF);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(self->identity.b, value, sizeof self->identity.b);
	self->rotation_delay_s = cs_be64(value + SELF_DELAY_AT);
	self->overlap_s = cs_be64(value + SELF_OVERLAP_AT);
	self->insecure = value[SELF_INSECURE_AT] != 0;
	memcpy(self->caip2, value + SELF_CAIP2_AT, sizeof self->caip2);
	return CS_OK;
}

enum cs_err ledger_self_put(struct ledger_call *call, const struct ledger_self *self)
{
	uint8_t value[SELF_SIZE] = {0};
	const struct ledger_key key = ledger_key(KIND_SELF);
	memcpy(value, self->identity.b, sizeof self->identity.b);
	cs_put_be64(value + SELF_DELAY_AT, self->rotation_delay_s);
	cs_put_be64(value + SELF_OVERLAP_AT, self->overlap_s);
	value[SELF_INSECURE_AT] = self->insecure;
	memcpy(value + SELF_CAIP2_AT, self->caip2, strlen(self->caip2));
	return ledger_put_fixed(call, &key, value, sizeof value);
}

enum cs_err ledger_sentinel_put(struct ledger_call *call, const struct cs_hash *identity)
{
	const struct cs_hash slot = wire_evm_sentinel_slot();
	const struct cs_hash word = wire_evm_sentinel_value(identity);
	return ledger_store(call, &slot, &word);
}

enum cs_err ledger_remote_get(struct ledger_call *call, struct ledger_remote *remote,
			      const struct cs_hash *identity)
{
	uint8_t value[REMOTE_SIZE];
	const struct ledger_key key = ledger_key_of(KIND_REMOTE, CS_BYTES_OF(identity->b));
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	remote->sequence = cs_be64(value);
	remote->epoch_first = cs_be64(value + REMOTE_EPOCH_AT);
	remote->manifest_min = cs_be64(value + REMOTE_MANIFEST_AT);
	remote->index = cs_be32(value + REMOTE_INDEX_AT);
	memcpy(remote->chain_hash.b, value + REMOTE_CHAIN_AT, sizeof remote->chain_hash.b);
	return CS_OK;
}

enum cs_err ledger_remote_put(struct ledger_call *call, const struct cs_hash *identity,
			      const struct ledger_remote *remote)
{
	uint8_t value[REMOTE_SIZE];
	const struct ledger_key key = ledger_key_of(KIND_REMOTE, CS_BYTES_OF(identity->b));
	cs_put_be64(value, remote->sequence);
	cs_put_be64(value + REMOTE_EPOCH_AT, remote->epoch_first);
	cs_put_be64(value + REMOTE_MANIFEST_AT, remote->manifest_min);
	cs_put_be32(value + REMOTE_INDEX_AT, remote->index);
	memcpy(value + REMOTE_CHAIN_AT, remote->chain_hash.b, sizeof remote->chain_hash.b);
	return ledger_put_fixed(call, &key, value, sizeof value);
}

static enum cs_err hash_chain(struct ledger_call *call, struct cs_hash *hash, struct cs_bytes chain)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	*hash = cs_keccak256(chain);
	return CS_OK;
}

static enum cs_err get_of_chain(struct ledger_call *call, struct cs_hash *identity,
				const struct cs_hash *chain_hash)
{
	const struct ledger_key key = ledger_key_of(KIND_CHAIN, CS_BYTES_OF(chain_hash->b));
	return ledger_get_fixed(call, identity->b, sizeof identity->b, &key);
}

enum cs_err ledger_remote_of_chain(struct ledger_call *call, struct cs_hash *identity,
				   struct cs_bytes chain)
{
	struct cs_hash hash;
	CS_TRY(hash_chain(call, &hash, chain));
	return get_of_chain(call, identity, &hash);
}

enum cs_err ledger_remote_speaks_for(struct ledger_call *call, bool *speaks,
				     const struct ledger_remote *remote, struct cs_bytes sender)
{
	struct cs_hash hash;
	/* Version, type, a length and as many bytes, and at least the address's length. */
	if (sender.n < 6 || sender.n <= 5 + (size_t)sender.p[4]) {
		*speaks = false;
		return CS_OK;
	}
	CS_TRY(hash_chain(call, &hash, cs_bytes(sender.p, 5 + (size_t)sender.p[4])));
	*speaks = cs_hash_eq(&hash, &remote->chain_hash);
	return CS_OK;
}

/* ---- registration ---- */

/* Does the text name the chain of a namespace that we know? Of any other the owner says which
 * reference belongs to which identity. */
static bool is_named(struct cs_bytes chain_alone, struct cs_bytes caip2)
{
	struct cs_interop interop;
	char text[CS_CAIP2_SIZE_MAX + 1];
	if (cs_interop_decode(&interop, chain_alone) != CS_OK)
		return false;
	switch (interop.chain_type) {
	case CS_CHAIN_TYPE_EIP155: {
		uint64_t id = 0;
		for (size_t i = 0; i < interop.reference.n; i++)
			id = id << 8 | interop.reference.p[i];
		cs_caip2_write_eip155(text, id);
		return cs_bytes_eq(cs_bytes_str(text), caip2);
	}
	case CS_CHAIN_TYPE_COSMOS: {
		struct cs_caip2 parsed;
		return cs_caip2_parse(&parsed, caip2) == CS_OK &&
		       cs_bytes_eq(parsed.namespace, cs_bytes_str("cosmos")) &&
		       cs_bytes_eq(parsed.reference, interop.reference);
	}
	default:
		return true;
	}
}

static enum cs_err own_chain(struct ledger_call *call, struct cs_hash *hash,
			     const struct ledger_self *self)
{
	uint8_t memory[CS_INTEROP_SIZE_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	CS_TRY(cs_interop_encode_account(&buf, self->caip2, NULL));
	CS_TRY(cs_buf_end(&buf));
	/* Without the address's length. */
	return hash_chain(call, hash, cs_bytes(buf.p, buf.n - 1));
}

static enum cs_err check_new(struct ledger_call *call, const struct cs_hash *identity,
			     const struct cs_hash *chain_hash)
{
	struct ledger_self self;
	struct ledger_remote known;
	struct cs_hash own, other;
	CS_TRY(ledger_self_get(call, &self));
	CS_TRY(own_chain(call, &own, &self));
	if (cs_hash_eq(identity, &self.identity) || cs_hash_eq(chain_hash, &own))
		return ledger_revert_plain(call, "RemoteOwn()");
	CS_TRY(ledger_remote_get(call, &known, identity));
	CS_TRY(get_of_chain(call, &other, chain_hash));
	return known.index != 0 || !cs_hash_is_zero(&other)
		       ? ledger_revert_plain(call, "RemoteKnown()")
		       : CS_OK;
}

struct registration {
	struct cs_bytes caip2;
	struct cs_hash genesis;
	struct cs_bytes gateway;
	struct cs_bytes chain; /* ERC-7930, without an address */
	uint64_t manifest_min;
};

static enum cs_err emit_registered(struct ledger_call *call, const struct cs_hash *identity,
				   uint32_t index, const struct registration *new)
{
	struct cs_buf buf;
	struct cs_abi abi;
	struct cs_hash topics[] = {
		cs_abi_topic("RemoteRegistered(bytes32,uint32,string,bytes32,bytes,bytes,uint64)"),
		*identity};
	/* Six words, and a length and padding of each of the three rows of bytes. */
	CS_TRY(cs_buf_init_arena(&buf, call->arena,
				 6 * sizeof *identity + 3 * 64 + new->caip2.n + new->gateway.n +
					 new->chain.n));
	cs_abi_init(&abi, &buf);
	cs_abi_put_u64(&abi, index);
	size_t caip2 = cs_abi_slot(&abi);
	cs_abi_put_word(&abi, &new->genesis);
	size_t gateway = cs_abi_slot(&abi);
	size_t chain = cs_abi_slot(&abi);
	cs_abi_put_u64(&abi, new->manifest_min);
	cs_abi_put_bytes(&abi, caip2, new->caip2);
	cs_abi_put_bytes(&abi, gateway, new->gateway);
	cs_abi_put_bytes(&abi, chain, new->chain);
	return ledger_emit(call, topics, CS_LEN(topics), cs_buf_view(&buf));
}

static enum cs_err put_new(struct ledger_call *call, const struct cs_hash *identity,
			   const struct cs_hash *chain_hash, const struct registration *new)
{
	struct ledger_remote remote = {.manifest_min = new->manifest_min,
				       .chain_hash = *chain_hash};
	const struct ledger_key count = ledger_key(KIND_COUNT);
	const struct ledger_key chain = ledger_key_of(KIND_CHAIN, CS_BYTES_OF(chain_hash->b));
	CS_TRY(ledger_get_u32(call, &remote.index, &count));
	if (remote.index == UINT32_MAX)
		return CS_ERR_OVERFLOW;
	remote.index++;
	CS_TRY(ledger_put_u32(call, &count, remote.index));
	CS_TRY(ledger_remote_put(call, identity, &remote));
	CS_TRY(ledger_put_fixed(call, &chain, identity->b, sizeof identity->b));
	return emit_registered(call, identity, remote.index, new);
}

/* Registers the one gateway of another chain. Recipients see only that chain and the sender, so a
 * second identity under one chain reference is refused, and so is this chain's own. */
enum cs_err ledger_remotes_register(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	struct registration new;
	struct cs_bytes prefix, account;
	struct cs_hash chain_hash;
	CS_TRY(cs_abi_get_bytes(in, CS_CAIP2_SIZE_MAX, &new.caip2));
	CS_TRY(cs_abi_get_word(in, &new.genesis));
	CS_TRY(cs_abi_get_bytes(in, CS_INTEROP_SIZE_MAX, &new.gateway));
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &new.chain));
	CS_TRY(cs_abi_get_u64(in, &new.manifest_min));
	CS_TRY(ledger_only_owner(call));
	CS_TRY(ledger_split(call, &prefix, &account, new.chain));
	if (account.n != 0 || !is_named(new.chain, new.caip2))
		return ledger_revert_plain(call, "RemoteChainMismatch()");
	CS_TRY(ledger_use_gas(call, 2 * LEDGER_GAS_HASH));
	const struct cs_hash identity = wire_identity(new.caip2, &new.genesis, new.gateway);
	CS_TRY(hash_chain(call, &chain_hash, prefix));
	CS_TRY(check_new(call, &identity, &chain_hash));
	CS_TRY(put_new(call, &identity, &chain_hash, &new));
	cs_abi_put_word(out, &identity);
	return CS_OK;
}

/* ---- views ---- */

enum cs_err ledger_remotes_sentinel(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	const struct cs_hash slot = wire_evm_sentinel_slot();
	struct cs_hash word;
	(void)in;
	CS_TRY(ledger_load(call, &word, &slot));
	cs_abi_put_word(out, &word);
	return CS_OK;
}

enum cs_err ledger_remotes_info(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct cs_hash identity;
	struct ledger_remote remote;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(ledger_remote_get(call, &remote, &identity));
	cs_abi_put_u64(out, remote.sequence);
	cs_abi_put_u64(out, remote.manifest_min);
	cs_abi_put_u64(out, remote.epoch_first);
	cs_abi_put_u64(out, remote.index);
	return CS_OK;
}

enum cs_err ledger_remotes_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_bytes raw, chain, account;
	struct cs_hash identity;
	CS_TRY(cs_abi_get_bytes(in, call->input.n, &raw));
	CS_TRY(ledger_split(call, &chain, &account, raw));
	CS_TRY(ledger_remote_of_chain(call, &identity, chain));
	cs_abi_put_word(out, &identity);
	return CS_OK;
}

enum cs_err ledger_remotes_count(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	uint32_t count;
	const struct ledger_key key = ledger_key(KIND_COUNT);
	(void)in;
	CS_TRY(ledger_get_u32(call, &count, &key));
	cs_abi_put_u64(out, count);
	return CS_OK;
}
