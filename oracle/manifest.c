#include "oracle/manifest.h"

#include "core/json.h"
#include "host/alloc.h"
#include "host/keyfile.h"
#include "wire/envelope.h"
#include "wire/oracle.h"

#include <stdlib.h>
#include <string.h>

/* The tree of a manifest of the largest size. */
#define ARENA_SIZE (4u * 1024 * 1024)

static enum cs_err read_contract(struct oracle_manifest *manifest, const struct cs_json *object,
				 struct cs_why *why)
{
	struct oracle_manifest_contract *contract = &manifest->contracts[manifest->contract_count];
	struct cs_hash chain;
	struct cs_bytes kind;
	CS_TRY(cs_json_member_hex(contract->address.b, sizeof(contract->address.b), object,
				  "address", why));
	CS_TRY(cs_json_member_hex(chain.b, sizeof(chain.b), object, "chain", why));
	CS_TRY(cs_json_member_string(&kind, object, "kind", 16, why));
	contract->feeds = cs_bytes_eq(kind, cs_bytes_str("feeds"));
	if (!contract->feeds && !cs_bytes_eq(kind, cs_bytes_str("requests")))
		return cs_fail(why, CS_ERR_INVALID, "kind: neither requests nor feeds");
	contract->chain = host_manifest_chain(&manifest->base, &chain);
	if (!contract->chain)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "chain: of none of chains");
	contract->identity =
		wire_identity(cs_bytes_str(contract->chain->caip2), &contract->chain->genesis,
			      CS_BYTES_OF(contract->address.b));
	manifest->contract_count++;
	return CS_OK;
}

static enum cs_err read_oracle(struct oracle_manifest *manifest, const struct cs_json *root,
			       struct cs_why *why)
{
	const struct cs_json *inner = NULL;
	const struct cs_json *contracts = NULL;
	CS_TRY(cs_json_member(&inner, root, "manifest", CS_JSON_OBJECT, why));
	const struct cs_json *oracle = cs_json_find(inner, "oracle");
	if (!oracle)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "oracle: the manifest names none");
	CS_TRY(cs_json_member(&contracts, oracle, "contracts", CS_JSON_ARRAY, why));
	if (contracts->count > ORACLE_CONTRACTS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "oracle.contracts: above %u",
			       ORACLE_CONTRACTS_MAX);
	for (const struct cs_json *at = contracts->child; at; at = at->next) {
		enum cs_err err = read_contract(manifest, at, why);
		if (err != CS_OK) {
			struct cs_why part = *why;
			return cs_fail(why, err, "oracle.contracts[%zu].%.120s",
				       manifest->contract_count, part.text);
		}
	}
	return CS_OK;
}

static enum cs_err load_newest(struct oracle_manifest *manifest, const char *path,
			       struct cs_why *why)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	const struct cs_json *root = NULL;
	struct cs_arena arena;
	CS_TRY(host_file_load(&bytes, &size, path, CS_MANIFEST_SIZE_MAX, why));
	enum cs_err err = host_manifest_read(&manifest->base, cs_bytes(bytes, size), why);
	uint8_t *block = host_alloc(ARENA_SIZE);
	cs_arena_init(&arena, block, ARENA_SIZE);
	if (err == CS_OK)
		err = cs_json_parse_canonical(&root, cs_bytes(bytes, size), &arena, why);
	if (err == CS_OK)
		err = read_oracle(manifest, root, why);
	free(block);
	free(bytes);
	return err;
}

enum cs_err oracle_manifest_load(struct oracle_manifest *manifest, const char *const *paths,
				 size_t count, struct cs_why *why)
{
	struct host_manifest first;
	cs_assert(count > 0);
	memset(manifest, 0, sizeof(*manifest));
	CS_TRY(host_manifest_load(&first, paths[0], why));
	CS_TRY(load_newest(manifest, paths[count - 1], why));
	manifest->lineage = first.hash;
	manifest->identity = wire_oracle_identity(&first.hash);
	return CS_OK;
}
