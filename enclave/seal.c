/* Sealed state. In front, in the clear and authenticated:
 *   magic 8 · lineage 32 · measurement of the build that sealed 32 · manifest number 8 ·
 *   counter 8 · salt 32
 * then AES-256-GCM over the state. The key is HKDF-SHA-256 of the sealing root with the
 * salt (fresh for each blob, so that no nonce ever repeats under one key) and the lineage as
 * written in front: a blob is first proven to be untouched, then judged. An oracle's has another magic
 * and another key: the state of one role is nothing to the other. */
#include "core/aead.h"
#include "core/reader.h"
#include "enclave/state.h"

#include <string.h>

#define MAGIC_SIZE 8u
static const char *magic_of(const struct enclave *e)
{
	return e->role == ENCLAVE_ORACLE ? "CSSEAL\0\2" : "CSSEAL\0\1";
}
#define HEAD_SIZE (8 + 32 + 32 + 8 + 8 + 32)
/* 1 had no anchor. */
#define STATE_VERSION 2u

struct head {
	struct cs_hash lineage;
	struct cs_hash measurement;
	uint64_t manifest_number;
	uint64_t counter;
	struct cs_hash salt;
};

static void head_put(struct cs_buf *buf, const struct enclave *e, const struct head *head)
{
	cs_put(buf, cs_bytes(magic_of(e), MAGIC_SIZE));
	cs_put_word(buf, &head->lineage);
	cs_put_word(buf, &head->measurement);
	cs_put_u64(buf, head->manifest_number);
	cs_put_u64(buf, head->counter);
	cs_put_word(buf, &head->salt);
}

static void head_get(struct head *head, struct cs_bytes bytes)
{
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	(void)cs_get(&reader, 8);
	cs_get_copy(&reader, head->lineage.b, 32);
	cs_get_copy(&reader, head->measurement.b, 32);
	head->manifest_number = cs_get_u64(&reader);
	head->counter = cs_get_u64(&reader);
	cs_get_copy(&reader, head->salt.b, 32);
}

/* The nonce is constant because the key is not: one blob, one salt, one key. */
static const uint8_t nonce[CS_AEAD_NONCE_SIZE];

static void key_derive(struct cs_secret *key, const struct enclave *e, const struct head *head)
{
	uint8_t info[80];
	memcpy(info, "caisson/seal/v1\0", 16);
	memcpy(info + 16, head->lineage.b, 32);
	memcpy(info + 48, wire_tag(WIRE_TAG_ROLE_ORACLE_ENCLAVE)->b, 32);
	cs_hkdf(key->b, sizeof key->b, CS_BYTES_OF(e->secrets->seal_root.b),
		CS_BYTES_OF(head->salt.b), cs_bytes(info, e->role == ENCLAVE_ORACLE ? 80 : 48));
}

/* ---- writing ---- */

static void put_remotes(struct cs_buf *buf, const struct enclave_chain *chain)
{
	cs_put_u16(buf, (uint16_t)chain->manifest->remote_count);
	for (size_t i = 0; i < chain->manifest->remote_count; i++) {
		const struct enclave_remote *remote = &chain->remotes[i];
		cs_put_word(buf, &chain->manifest->remotes[i]);
		cs_put_u8(buf, (uint8_t)remote->key_count);
		for (size_t k = 0; k < remote->key_count; k++) {
			cs_put_u64(buf, remote->keys[k].epoch);
			cs_put_u64(buf, remote->keys[k].height);
			cs_put_word(buf, &remote->keys[k].key.x);
			cs_put_u8(buf, (uint8_t)remote->keys[k].key.state);
			cs_put_u64(buf, remote->keys[k].key.not_before_s);
			cs_put_u64(buf, remote->keys[k].key.not_after_s);
		}
	}
}

static enum cs_err put_client(struct enclave_call *call, struct cs_buf *buf,
			      const struct enclave_chain *chain)
{
	struct verify_status status;
	struct cs_buf client;
	if (enclave_chain_is_real(chain))
		verify_client_status(&chain->client, &status);
	else
		status = (struct verify_status){.created = false};
	if (!status.created && !status.frozen) {
		cs_put_u32(buf, 0);
		return CS_OK;
	}
	CS_TRY(cs_buf_init_arena(&client, &call->e->arena, chain->client.encoded_size_max));
	verify_client_encode(&chain->client, &client);
	CS_TRY(cs_buf_end(&client));
	cs_put_u32(buf, (uint32_t)client.n);
	cs_put(buf, cs_buf_view(&client));
	return CS_OK;
}

static enum cs_err put_chain(struct enclave_call *call, struct cs_buf *buf,
			     const struct enclave_chain *chain)
{
	const struct enclave_chain_secrets *secrets = enclave_secrets_of(call->e, chain);
	cs_put_word(buf, &chain->manifest->identity);
	cs_put_u8(buf, (uint8_t)chain->key_count);
	for (size_t k = 0; k < chain->key_count; k++) {
		cs_put_u64(buf, chain->keys[k].epoch);
		cs_put_u8(buf, chain->keys[k].insecure ? 1 : 0);
		cs_put(buf, CS_BYTES_OF(secrets->statement[k].b));
	}
	cs_put_u64(buf, chain->epoch_current);
	cs_put(buf, CS_BYTES_OF(secrets->gas.b));
	put_remotes(buf, chain);
	return put_client(call, buf, chain);
}

size_t enclave_sealed_size_max(const struct enclave *e)
{
	const size_t key = 8 + 1 + sizeof(struct cs_secret);
	const size_t remote_key = 8 + 8 + 32 + 1 + 8 + 8;
	const size_t remote = 32 + 1 + ENCLAVE_REMOTE_EPOCHS_MAX * remote_key;
	size_t size = HEAD_SIZE + 1 + 8 + 32 + 8 + 8 + 2 + CS_AEAD_TAG_SIZE;
	if (e->role == ENCLAVE_ORACLE)
		size += 1 + ENCLAVE_BOXES_MAX * (8 + 32 + sizeof(struct cs_secret));
	for (size_t i = 0; i < e->chain_count; i++)
		size += 32 + 1 + ENCLAVE_EPOCHS_MAX * key + 8 + sizeof(struct cs_secret) + 2 +
			e->chains[i].manifest->remote_count * remote + 4 +
			e->chains[i].client.encoded_size_max;
	return size;
}

static void put_boxes(struct cs_buf *buf, const struct enclave *e)
{
	cs_put_u8(buf, (uint8_t)e->box_count);
	for (size_t i = 0; i < e->box_count; i++) {
		cs_put_u64(buf, e->boxes[i].epoch);
		cs_put_word(buf, &e->boxes[i].x);
		cs_put(buf, CS_BYTES_OF(e->secrets->boxes[i].b));
	}
}

static enum cs_err put_state(struct enclave_call *call, struct cs_buf *buf)
{
	const struct enclave *e = call->e;
	cs_put_u8(buf, STATE_VERSION);
	cs_put_u64(buf, e->time_low_s);
	cs_put_word(buf, &e->anchor.identity);
	cs_put_u64(buf, e->anchor.epoch);
	cs_put_u64(buf, e->anchor.keys_counter);
	cs_put_u16(buf, (uint16_t)e->chain_count);
	for (size_t i = 0; i < e->chain_count; i++)
		CS_TRY(put_chain(call, buf, &e->chains[i]));
	if (e->role == ENCLAVE_ORACLE)
		put_boxes(buf, e);
	return cs_buf_end(buf);
}

static enum cs_err seal_into(struct enclave_call *call, struct cs_buf *out, struct cs_buf *state,
			     uint64_t counter)
{
	struct enclave *e = call->e;
	struct cs_secret key;
	struct head head = {.lineage = e->manifest.lineage,
			    .measurement = e->measurement,
			    .manifest_number = e->manifest.number,
			    .counter = counter};
	CS_TRY(put_state(call, state));
	CS_TRY(enclave_random(e, head.salt.b, sizeof head.salt.b));
	if (state->n + HEAD_SIZE + CS_AEAD_TAG_SIZE > ENCLAVE_SEALED_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	CS_TRY(cs_buf_init_arena(out, &e->arena, HEAD_SIZE + state->n + CS_AEAD_TAG_SIZE));
	head_put(out, e, &head);
	key_derive(&key, e, &head);
	const enum cs_err err = cs_aead_seal(out->p + HEAD_SIZE, &key, nonce,
					     cs_bytes(out->p, HEAD_SIZE), cs_buf_view(state));
	cs_wipe(&key, sizeof key);
	out->n = HEAD_SIZE + state->n + CS_AEAD_TAG_SIZE;
	return err;
}

enum cs_err enclave_seal(struct enclave_call *call, struct cs_bytes *sealed)
{
	struct enclave *e = call->e;
	struct cs_buf state;
	struct cs_buf out;
	CS_TRY(enclave_may_seal(call));
	cs_buf_init(&state, e->secrets->scratch, sizeof e->secrets->scratch);
	const enum cs_err err = seal_into(call, &out, &state, e->counter + 1);
	cs_wipe(e->secrets->scratch, state.n);
	CS_TRY(err);
	e->counter++;
	enclave_anchor_keep(e, e->counter, cs_buf_view(&out));
	*sealed = cs_buf_view(&out);
	return CS_OK;
}

/* ---- reading ---- */

/* A key that no insecure build or option ever held is not opened by one that is. */
static enum cs_err get_key(struct enclave *e, struct enclave_chain *chain, struct cs_reader *reader)
{
	struct enclave_key key = {.epoch = cs_get_u64(reader)};
	struct cs_secret *secret = &enclave_secrets_of(e, chain)->statement[chain->key_count];
	key.insecure = cs_get_u8(reader) != 0;
	cs_get_copy(reader, secret->b, sizeof secret->b);
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	if (!key.insecure && e->insecure_flags != 0)
		return CS_ERR_INSECURE_REFUSED;
	CS_TRY(cs_key_x(e->sig, &key.x, secret));
	chain->keys[chain->key_count] = key;
	chain->key_count++;
	return CS_OK;
}

/* Remotes that the manifest no longer names are read over. */
static enum cs_err get_remote(struct enclave_chain *chain, struct cs_reader *reader)
{
	struct enclave_remote ignored;
	struct enclave_remote *remote = &ignored;
	struct cs_hash identity;
	cs_get_copy(reader, identity.b, sizeof identity.b);
	for (size_t i = 0; i < chain->manifest->remote_count; i++)
		if (cs_hash_eq(&chain->manifest->remotes[i], &identity))
			remote = &chain->remotes[i];
	memset(remote, 0, sizeof *remote);
	const size_t count = cs_get_u8(reader);
	if (count > ENCLAVE_REMOTE_EPOCHS_MAX)
		return CS_ERR_MALFORMED;
	for (size_t k = 0; k < count; k++) {
		struct enclave_remote_key *key = &remote->keys[k];
		key->epoch = cs_get_u64(reader);
		key->height = cs_get_u64(reader);
		cs_get_copy(reader, key->key.x.b, sizeof key->key.x.b);
		const uint8_t state = cs_get_u8(reader);
		if (state > WIRE_KEY_REVOKED)
			return CS_ERR_MALFORMED;
		key->key.state = (enum wire_key_state)state;
		key->key.not_before_s = cs_get_u64(reader);
		key->key.not_after_s = cs_get_u64(reader);
	}
	remote->key_count = count;
	return CS_OK;
}

static bool same_conflict(const struct manifest_abandoned *a, const struct verify_conflict *x)
{
	const size_t first = cs_hash_eq(&a->headers[0], &x->first_hash) ? 0 : 1;
	return a->height == x->height && cs_hash_eq(&a->headers[first], &x->first_hash) &&
	       cs_hash_eq(&a->headers[1 - first], &x->second_hash);
}

/* docs/adr/0007-lifting-a-freeze.md. What this enclave signed from either branch is of the manifest
 * that the state was sealed under or of one before: since is above it. NULL: the client may begin
 * anew. */
static const char *holds(const struct manifest_chain *chain, const struct verify_conflict *x,
			 uint64_t sealed_under)
{
	const struct manifest_abandoned *a = &chain->abandoned;
	if (chain->finality.anchor_height == x->anchor_height &&
	    cs_hash_eq(&chain->finality.anchor_hash, &x->anchor_hash))
		return "frozen, and the anchor is the one that it froze under";
	if (a->height == 0)
		return "frozen, and the manifest has no abandoned branch for it";
	if (!same_conflict(a, x))
		return "frozen, and abandoned names another conflict";
	if (a->since <= sealed_under)
		return "frozen, and abandoned.since is not above the manifest that it was sealed "
		       "under";
	return NULL;
}

/* A client of another anchor than the manifest's is left out, and begins anew under a higher
 * manifest. Under the same manifest the anchors are the same. */
static enum cs_err get_client(struct enclave_call *call, struct enclave_chain *chain,
			      struct cs_reader *reader, uint64_t sealed_under)
{
	struct verify_conflict conflict;
	const size_t size = cs_get_u32(reader);
	const struct cs_bytes bytes = cs_get(reader, size);
	if (size == 0 || reader->failed)
		return reader->failed ? CS_ERR_TRUNCATED : CS_OK;
	if (!enclave_chain_is_real(chain))
		return CS_ERR_MALFORMED;
	const enum cs_err err = verify_client_decode(&chain->client, bytes, &call->why);
	if (err == CS_ERR_ANCHOR_MISMATCH && sealed_under < call->e->manifest.number)
		return CS_OK;
	CS_TRY(err);
	if (verify_client_conflict(&chain->client, &conflict) != CS_OK)
		return CS_OK;
	chain->held = holds(chain->manifest, &conflict, sealed_under);
	return chain->held == NULL ? enclave_client_open(call->e, chain, &call->why) : CS_OK;
}

static enum cs_err get_keys(struct enclave *e, struct enclave_chain *chain,
			    struct cs_reader *reader)
{
	const size_t count = cs_get_u8(reader);
	if (count > ENCLAVE_EPOCHS_MAX)
		return CS_ERR_MALFORMED;
	for (size_t k = 0; k < count; k++)
		CS_TRY(get_key(e, chain, reader));
	struct enclave_chain_secrets *secrets = enclave_secrets_of(e, chain);
	chain->epoch_current = cs_get_u64(reader);
	cs_get_copy(reader, secrets->gas.b, sizeof secrets->gas.b);
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	return count == 0 || !enclave_chain_is_real(chain)
		       ? CS_OK
		       : cs_key_address(e->sig, &chain->gas_address, &secrets->gas);
}

/* Of the chain that comes; what is truncated is found when it is read. */
static size_t key_count_next(const struct cs_reader *reader)
{
	struct cs_reader ahead = *reader;
	return cs_get_u8(&ahead);
}

static enum cs_err skip_chain(struct cs_reader *reader)
{
	(void)cs_get(reader, 1 + 8 + sizeof(struct cs_secret));
	const bool has_remotes = cs_get_u16(reader) != 0;
	(void)cs_get(reader, cs_get_u32(reader));
	if (reader->failed)
		return CS_ERR_TRUNCATED;
	return has_remotes ? CS_ERR_MALFORMED : CS_OK;
}

static enum cs_err get_chain(struct enclave_call *call, struct cs_reader *reader,
			     uint64_t sealed_under)
{
	struct enclave *e = call->e;
	struct cs_hash identity;
	struct enclave_chain *chain = NULL;
	cs_get_copy(reader, identity.b, sizeof identity.b);
	for (size_t i = 0; i < e->chain_count; i++)
		if (cs_hash_eq(&e->chains[i].manifest->identity, &identity))
			chain = &e->chains[i];
	/* Reading over it would lose its keys with the next seal, but a ledger that the manifest does
	 * not name any more has none. */
	if (chain == NULL && key_count_next(reader) == 0)
		return skip_chain(reader);
	if (chain == NULL)
		return cs_fail(&call->why, CS_ERR_CONFLICT,
			       "the blob holds keys of a chain that this enclave does not serve");
	if (chain->key_count != 0)
		return CS_ERR_MALFORMED;
	CS_TRY(get_keys(e, chain, reader));
	const size_t remotes = cs_get_u16(reader);
	if (remotes > CS_MANIFEST_REMOTES_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < remotes; i++)
		CS_TRY(get_remote(chain, reader));
	return get_client(call, chain, reader, sealed_under);
}

static enum cs_err get_boxes(struct enclave *e, struct cs_reader *reader)
{
	const size_t count = cs_get_u8(reader);
	if (count > ENCLAVE_BOXES_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++) {
		e->boxes[i].epoch = cs_get_u64(reader);
		cs_get_copy(reader, e->boxes[i].x.b, 32);
		cs_get_copy(reader, e->secrets->boxes[i].b, 32);
	}
	e->box_count = count;
	return reader->failed ? CS_ERR_TRUNCATED : CS_OK;
}

static void get_anchor(struct enclave *e, struct cs_reader *reader, uint8_t version)
{
	struct enclave_anchor anchor = {.identity = enclave_own_identity(e), .epoch = 1};
	if (version != 1) {
		cs_get_copy(reader, anchor.identity.b, sizeof anchor.identity.b);
		anchor.epoch = cs_get_u64(reader);
		anchor.keys_counter = cs_get_u64(reader);
	}
	e->anchor = anchor;
}

static enum cs_err get_state(struct enclave_call *call, struct cs_bytes bytes,
			     uint64_t sealed_under)
{
	struct cs_reader reader;
	cs_reader_init(&reader, bytes);
	const uint8_t version = cs_get_u8(&reader);
	if (version != 1 && version != STATE_VERSION)
		return cs_fail(&call->why, CS_ERR_UNSUPPORTED, "sealed state of another version");
	const uint64_t low = cs_get_u64(&reader);
	get_anchor(call->e, &reader, version);
	const size_t count = cs_get_u16(&reader);
	if (count > CS_MANIFEST_CHAINS_MAX)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < count; i++)
		CS_TRY(get_chain(call, &reader, sealed_under));
	if (call->e->role == ENCLAVE_ORACLE)
		CS_TRY(get_boxes(call->e, &reader));
	CS_TRY(cs_reader_end(&reader));
	if (low > call->e->time_low_s)
		call->e->time_low_s = low;
	return CS_OK;
}

/* Everything as after the start. Only a fresh enclave reads sealed state, so this loses nothing. */
static void state_clear(struct enclave_call *call)
{
	struct enclave *e = call->e;
	enclave_boxes_wipe(e);
	e->anchor = (struct enclave_anchor){.epoch = 0};
	for (size_t i = 0; i < e->chain_count; i++) {
		struct cs_why ignored;
		enclave_keys_wipe(e, &e->chains[i]);
		e->chains[i].held = NULL;
		memset(e->chains[i].remotes, 0, sizeof e->chains[i].remotes);
		/* The same configuration was opened at the start. */
		const enum cs_err err = enclave_client_open(e, &e->chains[i], &ignored);
		cs_assert(err == CS_OK);
	}
}

static enum cs_err judge(struct enclave_call *call, const struct head *head)
{
	const struct enclave *e = call->e;
	if (!cs_hash_eq(&head->lineage, &e->manifest.lineage))
		return cs_fail(&call->why, CS_ERR_WRONG_LINEAGE,
			       "sealed under another first manifest");
	if (!manifest_lists_build(&e->manifest, &head->measurement))
		return cs_fail(&call->why, CS_ERR_UNLISTED_BUILD,
			       "sealed by a build that the manifest does not list");
	if (head->manifest_number > e->manifest.number)
		return cs_fail(&call->why, CS_ERR_ROLLED_BACK,
			       "sealed under manifest %llu, this is %llu",
			       (unsigned long long)head->manifest_number,
			       (unsigned long long)e->manifest.number);
	if (e->started && head->counter < e->counter)
		return cs_fail(&call->why, CS_ERR_ROLLED_BACK, "counter %llu is below %llu",
			       (unsigned long long)head->counter, (unsigned long long)e->counter);
	if (e->started)
		return cs_fail(&call->why, CS_ERR_CONFLICT, "the state is there already");
	return CS_OK;
}

enum cs_err enclave_unseal(struct enclave_call *call, struct cs_bytes sealed)
{
	struct enclave *e = call->e;
	struct head head;
	struct cs_secret key;
	if (sealed.n < HEAD_SIZE + CS_AEAD_TAG_SIZE ||
	    memcmp(sealed.p, magic_of(e), MAGIC_SIZE) != 0)
		return cs_fail(&call->why, CS_ERR_SEAL_BROKEN,
			       "no sealed state of an enclave of this role");
	head_get(&head, cs_bytes(sealed.p, HEAD_SIZE));
	key_derive(&key, e, &head);
	const struct cs_bytes box = cs_bytes(sealed.p + HEAD_SIZE, sealed.n - HEAD_SIZE);
	enum cs_err err =
		cs_aead_open(e->secrets->scratch, &key, nonce, cs_bytes(sealed.p, HEAD_SIZE), box);
	cs_wipe(&key, sizeof key);
	CS_TRY(err);
	const size_t size = box.n - CS_AEAD_TAG_SIZE;
	err = judge(call, &head);
	if (err == CS_OK) {
		err = get_state(call, cs_bytes(e->secrets->scratch, size), head.manifest_number);
		if (err == CS_OK) {
			e->counter = head.counter;
			enclave_anchor_keep(e, e->counter, sealed);
		} else {
			state_clear(call);
		}
	}
	cs_wipe(e->secrets->scratch, size);
	return err;
}
