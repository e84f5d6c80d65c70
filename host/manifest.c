#include "host/manifest.h"

#include "core/json.h"
#include "host/alloc.h"
#include "host/keyfile.h"
#include "wire/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tree of a manifest of the largest size, and the text written again for its hash. */
#define ARENA_SIZE (4u * 1024 * 1024)

static enum cs_err get_text(char *text, size_t size_max, const struct cs_json *object,
			    const char *name, struct cs_why *why)
{
	struct cs_bytes value;
	CS_TRY(cs_json_member_string(&value, object, name, size_max - 1, why));
	memcpy(text, value.p, value.n);
	text[value.n] = 0;
	return CS_OK;
}

static enum cs_err read_remotes(struct host_manifest_chain *chain, const struct cs_json *object,
				struct cs_why *why)
{
	const struct cs_json *remotes = NULL;
	CS_TRY(cs_json_member(&remotes, object, "remotes", CS_JSON_ARRAY, why));
	if (remotes->count > CS_LEN(chain->remotes))
		return cs_fail(why, CS_ERR_TOO_LARGE, "remotes: more than %zu",
			       CS_LEN(chain->remotes));
	for (const struct cs_json *at = remotes->child; at; at = at->next) {
		if (cs_json_hex(chain->remotes[chain->remote_count].b, 32, at) != CS_OK)
			return cs_fail(why, CS_ERR_MALFORMED, "remotes: not 32 bytes of hex");
		chain->remote_count++;
	}
	return CS_OK;
}

/* "policy.total_cap_wei: …" of what says "total_cap_wei: …". */
static enum cs_err within(enum cs_err err, const char *where, struct cs_why *why)
{
	struct cs_why inner = *why;
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s.%.150s", where, inner.text);
}

/* The amounts are the enclave's to keep to; here they are read so that one that it would refuse is
 * named before it starts. */
static enum cs_err read_policy(struct host_manifest_chain *chain, const struct cs_json *object,
			       struct cs_why *why)
{
	const struct cs_json *policy = NULL;
	uint64_t wei = 0;
	CS_TRY(cs_json_member(&policy, object, "policy", CS_JSON_OBJECT, why));
	CS_TRY(within(
		cs_json_member_u64(&chain->gas_limit_max, policy, "gas_limit_max", UINT64_MAX, why),
		"policy", why));
	CS_TRY(within(cs_json_member_u64(&wei, policy, "fee_cap_wei", UINT64_MAX, why), "policy",
		      why));
	CS_TRY(within(cs_json_member_u64(&wei, policy, "total_cap_wei", UINT64_MAX, why), "policy",
		      why));
	return within(cs_json_member_hex(chain->sweep_to.b, sizeof(chain->sweep_to.b), policy,
					 "sweep_to", why),
		      "policy", why);
}

static enum cs_err read_namespace(struct host_manifest_chain *chain, struct cs_why *why)
{
	struct cs_caip2 name;
	enum cs_err err = cs_caip2_eip155(&chain->chain_id, cs_bytes_str(chain->caip2));
	if (err == CS_ERR_UNSUPPORTED) {
		chain->chain_id = 0;
		err = cs_caip2_parse(&name, cs_bytes_str(chain->caip2));
		if (err == CS_OK && !cs_bytes_eq(name.namespace, cs_bytes_str("cosmos")))
			err = CS_ERR_UNSUPPORTED;
	}
	return err == CS_OK
		       ? CS_OK
		       : cs_fail(why, CS_ERR_UNSUPPORTED,
				 "caip2: %s is neither an EVM chain nor a ledger", chain->caip2);
}

static enum cs_err read_chain(struct host_manifest_chain *chain, const struct cs_json *object,
			      struct cs_why *why)
{
	const struct cs_json *finality = NULL;
	const struct cs_json *abandoned = cs_json_find(object, "abandoned");
	CS_TRY(get_text(chain->caip2, sizeof(chain->caip2), object, "caip2", why));
	CS_TRY(read_namespace(chain, why));
	CS_TRY(cs_json_member_hex(chain->genesis.b, 32, object, "genesis", why));
	CS_TRY(cs_json_member_hex(chain->gateway.b, 20, object, "gateway", why));
	CS_TRY(cs_json_member(&finality, object, "finality", CS_JSON_OBJECT, why));
	CS_TRY(get_text(chain->mode, sizeof(chain->mode), finality, "mode", why));
	CS_TRY(cs_json_member_u64(&chain->anchor_height, finality, "anchor_height", INT64_MAX,
				  why));
	CS_TRY(cs_json_member_hex(chain->anchor_hash.b, 32, finality, "anchor_hash", why));
	CS_TRY(cs_json_member_u64(&chain->confirmations, finality, "confirmations", INT64_MAX,
				  why));
	CS_TRY(cs_json_member_u64(&chain->reorg_margin_s, finality, "reorg_margin_s", INT64_MAX,
				  why));
	CS_TRY(cs_json_member_u64(&chain->trusting_period_s, finality, "trusting_period_s",
				  INT64_MAX, why));
	if (abandoned)
		CS_TRY(within(cs_json_member_u64(&chain->abandoned_height, abandoned, "height",
						 INT64_MAX, why),
			      "abandoned", why));
	CS_TRY(read_policy(chain, object, why));
	CS_TRY(read_remotes(chain, object, why));
	chain->identity = wire_identity(cs_bytes_str(chain->caip2), &chain->genesis,
					CS_BYTES_OF(chain->gateway.b));
	return CS_OK;
}

/* The file is canonical: what is written again are the bytes that were hashed and signed. */
static enum cs_err hash_inner(struct cs_hash *hash, const struct cs_json *inner,
			      struct cs_arena *arena)
{
	struct cs_buf text;
	CS_TRY(cs_buf_init_arena(&text, arena, CS_MANIFEST_SIZE_MAX));
	CS_TRY(cs_json_write(&text, inner, arena));
	CS_TRY(cs_buf_end(&text));
	*hash = wire_manifest_hash(cs_buf_view(&text));
	return CS_OK;
}

static void read_time(struct host_manifest *manifest, const struct cs_json *inner)
{
	const struct cs_json *time = cs_json_find(inner, "time");
	for (const struct cs_json *at = time ? time->child : NULL; at; at = at->next) {
		if (at->type == CS_JSON_STRING &&
		    cs_bytes_eq(at->text, cs_bytes_str("insecure_host_time")))
			manifest->insecure_host_time = true;
	}
}

static enum cs_err read_ledger(struct host_manifest_ledger *ledger, const struct cs_json *inner,
			       struct cs_why *why)
{
	static const struct cs_address register_address = {{[17] = 0xca, [18] = 0x15, [19] = 0x04}};
	const struct cs_json *object = cs_json_find(inner, "ledger");
	const struct cs_json *finality = NULL;
	if (!object)
		return CS_OK;
	CS_TRY(get_text(ledger->caip2, sizeof(ledger->caip2), object, "caip2", why));
	CS_TRY(cs_json_member_hex(ledger->genesis.b, 32, object, "genesis", why));
	CS_TRY(cs_json_member(&finality, object, "finality", CS_JSON_OBJECT, why));
	CS_TRY(cs_json_member_u64(&ledger->anchor_height, finality, "anchor_height", INT64_MAX,
				  why));
	CS_TRY(cs_json_member_u64(&ledger->quorum, object, "quorum", INT64_MAX, why));
	CS_TRY(cs_json_member_u64(&ledger->proof_age_max_s, object, "proof_age_max_s", INT64_MAX,
				  why));
	CS_TRY(cs_json_member_u64(&ledger->anchor_lag_max, object, "anchor_lag_max", INT64_MAX,
				  why));
	ledger->registration_wanted = cs_json_find(object, "registration") != NULL;
	ledger->identity = wire_identity(cs_bytes_str(ledger->caip2), &ledger->genesis,
					 CS_BYTES_OF(register_address.b));
	ledger->is_there = true;
	return CS_OK;
}

static enum cs_err read_root(struct host_manifest *manifest, const struct cs_json *root,
			     struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *inner = NULL;
	const struct cs_json *chains = NULL;
	CS_TRY(cs_json_member(&inner, root, "manifest", CS_JSON_OBJECT, why));
	CS_TRY(get_text(manifest->name, sizeof(manifest->name), inner, "name", why));
	CS_TRY(cs_json_member_u64(&manifest->number, inner, "number", INT64_MAX, why));
	CS_TRY(cs_json_member_hex(manifest->previous.b, 32, inner, "previous", why));
	CS_TRY(cs_json_member_u64(&manifest->batch_max, inner, "batch_max", CS_BATCH_MAX, why));
	CS_TRY(cs_json_member(&chains, inner, "chains", CS_JSON_ARRAY, why));
	if (chains->count == 0 || chains->count > CS_LEN(manifest->chains))
		return cs_fail(why, CS_ERR_TOO_LARGE, "chains: not 1 to %zu",
			       CS_LEN(manifest->chains));
	for (const struct cs_json *at = chains->child; at; at = at->next) {
		char where[32];
		snprintf(where, sizeof(where), "chains[%zu]", manifest->chain_count);
		CS_TRY(within(read_chain(&manifest->chains[manifest->chain_count++], at, why),
			      where, why));
	}
	read_time(manifest, inner);
	CS_TRY(within(read_ledger(&manifest->ledger, inner, why), "ledger", why));
	return hash_inner(&manifest->hash, inner, arena);
}

enum cs_err host_manifest_read(struct host_manifest *manifest, struct cs_bytes file,
			       struct cs_why *why)
{
	struct host_manifest out = {0};
	const struct cs_json *root = NULL;
	struct cs_arena arena;
	if (file.n > CS_MANIFEST_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "above %u bytes", CS_MANIFEST_SIZE_MAX);
	uint8_t *block = host_alloc(ARENA_SIZE);
	cs_arena_init(&arena, block, ARENA_SIZE);
	enum cs_err err = cs_json_parse_canonical(&root, file, &arena, why);
	if (err == CS_OK)
		err = read_root(&out, root, &arena, why);
	free(block);
	if (err == CS_OK)
		*manifest = out;
	return err;
}

enum cs_err host_manifest_load(struct host_manifest *manifest, const char *path, struct cs_why *why)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	CS_TRY(host_file_load(&bytes, &size, path, CS_MANIFEST_SIZE_MAX, why));
	enum cs_err err = host_manifest_read(manifest, cs_bytes(bytes, size), why);
	free(bytes);
	return err;
}

enum cs_err host_manifest_follows(const struct host_manifest *next,
				  const struct host_manifest *before, struct cs_why *why)
{
	if (next->number != before->number + 1)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST, "number %llu does not follow %llu",
			       (unsigned long long)next->number,
			       (unsigned long long)before->number);
	if (!cs_hash_eq(&next->previous, &before->hash))
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "number %llu does not name the %llu before it: another bridge's, or "
			       "another branch",
			       (unsigned long long)next->number,
			       (unsigned long long)before->number);
	return CS_OK;
}

const struct host_manifest_chain *host_manifest_chain(const struct host_manifest *manifest,
						      const struct cs_hash *identity)
{
	for (size_t i = 0; i < manifest->chain_count; i++) {
		if (cs_hash_eq(&manifest->chains[i].identity, identity))
			return &manifest->chains[i];
	}
	return NULL;
}

const struct host_manifest_chain *host_manifest_named(const struct host_manifest *manifest,
						      const char *caip2)
{
	for (size_t i = 0; i < manifest->chain_count; i++) {
		if (strcmp(manifest->chains[i].caip2, caip2) == 0)
			return &manifest->chains[i];
	}
	return NULL;
}

bool host_manifest_lists(const struct host_manifest_chain *chain, const struct cs_hash *remote)
{
	for (size_t i = 0; i < chain->remote_count; i++) {
		if (cs_hash_eq(&chain->remotes[i], remote))
			return true;
	}
	return false;
}
