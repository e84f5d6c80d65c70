#include "gateway/manifest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/keyfile.h"
#include "wire/envelope.h"

static enum cs_err get_u64(uint64_t *value, const json_t *object, const char *name, struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!json_is_integer(field) || json_integer_value(field) < 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "manifest: %s is not a number", name);
	*value = (uint64_t)json_integer_value(field);
	return CS_OK;
}

static enum cs_err get_text(char *text, size_t size_max, const json_t *object, const char *name,
			    struct cs_why *why)
{
	const json_t *field = json_object_get(object, name);
	if (!json_is_string(field) || json_string_length(field) >= size_max)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "manifest: %s is not a text", name);
	memcpy(text, json_string_value(field), json_string_length(field) + 1);
	return CS_OK;
}

static enum cs_err unhex_field(uint8_t *p, size_t n, const json_t *field, const char *name, struct cs_why *why)
{
	if (!json_is_string(field) || cs_unhex(p, n, cs_bytes_str(json_string_value(field))) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "manifest: %s is not %zu bytes of hex", name, n);
	return CS_OK;
}

static enum cs_err read_remotes(struct gateway_manifest_chain *chain, const json_t *object, struct cs_why *why)
{
	const json_t *remotes = json_object_get(object, "remotes");
	if (!json_is_array(remotes) || json_array_size(remotes) > CS_LEN(chain->remotes))
		return cs_fail(why, CS_ERR_MISSING_FIELD, "manifest: remotes is not a list of at most %zu",
			       CS_LEN(chain->remotes));
	chain->remote_count = json_array_size(remotes);
	for (size_t i = 0; i < chain->remote_count; i++) {
		CS_TRY(unhex_field(chain->remotes[i].b, sizeof(chain->remotes[i].b),
				   json_array_get(remotes, i), "remotes[]", why));
	}
	return CS_OK;
}

static enum cs_err read_chain(struct gateway_manifest_chain *chain, const json_t *object, struct cs_why *why)
{
	const json_t *finality = json_object_get(object, "finality");
	CS_TRY(get_text(chain->caip2, sizeof(chain->caip2), object, "caip2", why));
	if (cs_caip2_eip155(&chain->chain_id, cs_bytes_str(chain->caip2)) != CS_OK)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "manifest: caip2 %s is no EVM chain", chain->caip2);
	CS_TRY(unhex_field(chain->genesis.b, 32, json_object_get(object, "genesis"), "genesis", why));
	CS_TRY(unhex_field(chain->gateway.b, 20, json_object_get(object, "gateway"), "gateway", why));
	CS_TRY(get_text(chain->mode, sizeof(chain->mode), finality, "mode", why));
	CS_TRY(get_u64(&chain->anchor_height, finality, "anchor_height", why));
	CS_TRY(unhex_field(chain->anchor_hash.b, 32, json_object_get(finality, "anchor_hash"), "anchor_hash",
			   why));
	CS_TRY(get_u64(&chain->confirmations, finality, "confirmations", why));
	CS_TRY(get_u64(&chain->reorg_margin_s, finality, "reorg_margin_s", why));
	CS_TRY(get_u64(&chain->gas_limit_max, json_object_get(object, "policy"), "gas_limit_max", why));
	CS_TRY(read_remotes(chain, object, why));
	chain->identity = wire_identity(cs_bytes_str(chain->caip2), &chain->genesis,
					CS_BYTES_OF(chain->gateway.b));
	return CS_OK;
}

/* The file is canonical: what jansson writes compactly with sorted names are the bytes that were hashed and signed. */
static enum cs_err hash_inner(struct cs_hash *hash, const json_t *inner, struct cs_why *why)
{
	char *text = json_dumps(inner, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return cs_fail(why, CS_ERR_NO_MEMORY, "manifest: no memory");
	struct cs_hash of_text = cs_keccak256(cs_bytes_str(text));
	free(text);
	struct cs_hash tag = wire_tag("caisson/manifest/v1");
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, CS_BYTES_OF(tag.b));
	cs_keccak_add(&keccak, CS_BYTES_OF(of_text.b));
	*hash = cs_keccak_end(&keccak);
	return CS_OK;
}

static enum cs_err read_inner(struct gateway_manifest *manifest, const json_t *inner, struct cs_why *why)
{
	CS_TRY(get_text(manifest->name, sizeof(manifest->name), inner, "name", why));
	CS_TRY(get_u64(&manifest->number, inner, "number", why));
	CS_TRY(get_u64(&manifest->batch_max, inner, "batch_max", why));
	const json_t *chains = json_object_get(inner, "chains");
	if (!json_is_array(chains) || json_array_size(chains) == 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "manifest: chains is not a list");
	if (json_array_size(chains) > CS_LEN(manifest->chains))
		return cs_fail(why, CS_ERR_TOO_LARGE, "manifest: more than %zu chains",
			       CS_LEN(manifest->chains));
	manifest->chain_count = json_array_size(chains);
	for (size_t i = 0; i < manifest->chain_count; i++)
		CS_TRY(read_chain(&manifest->chains[i], json_array_get(chains, i), why));
	const json_t *time = json_object_get(inner, "time");
	for (size_t i = 0; i < json_array_size(time); i++) {
		const char *source = json_string_value(json_array_get(time, i));
		if (source && strcmp(source, "insecure_host_time") == 0)
			manifest->insecure_host_time = true;
	}
	return hash_inner(&manifest->hash, inner, why);
}

enum cs_err gateway_manifest_read(struct gateway_manifest *manifest, struct cs_bytes file, struct cs_why *why)
{
	json_error_t at;
	json_t *root = json_loadb((const char *)file.p, file.n, JSON_REJECT_DUPLICATES, &at);
	if (!root)
		return cs_fail(why, CS_ERR_MALFORMED, "manifest: %.100s at byte %d", at.text, at.position);
	struct gateway_manifest out = {0};
	const json_t *inner = json_object_get(root, "manifest");
	enum cs_err err = CS_ERR_MISSING_FIELD;
	if (inner)
		err = read_inner(&out, inner, why);
	else
		err = cs_fail(why, err, "manifest: no member \"manifest\"");
	json_decref(root);
	if (err == CS_OK)
		*manifest = out;
	return err;
}

enum cs_err gateway_manifest_load(struct gateway_manifest *manifest, const char *path, struct cs_why *why)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	CS_TRY(host_file_load(&bytes, &size, path, GATEWAY_MANIFEST_SIZE_MAX, why));
	enum cs_err err = gateway_manifest_read(manifest, cs_bytes(bytes, size), why);
	free(bytes);
	return err;
}

const struct gateway_manifest_chain *gateway_manifest_chain(const struct gateway_manifest *manifest,
							    const struct cs_hash *identity)
{
	for (size_t i = 0; i < manifest->chain_count; i++) {
		if (cs_hash_eq(&manifest->chains[i].identity, identity))
			return &manifest->chains[i];
	}
	return NULL;
}

const struct gateway_manifest_chain *gateway_manifest_named(const struct gateway_manifest *manifest,
							    const char *caip2)
{
	for (size_t i = 0; i < manifest->chain_count; i++) {
		if (strcmp(manifest->chains[i].caip2, caip2) == 0)
			return &manifest->chains[i];
	}
	return NULL;
}

bool gateway_manifest_lists(const struct gateway_manifest_chain *chain, const struct cs_hash *remote)
{
	for (size_t i = 0; i < chain->remote_count; i++) {
		if (cs_hash_eq(&chain->remotes[i], remote))
			return true;
	}
	return false;
}
