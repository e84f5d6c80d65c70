/* The part of a manifest that an oracle reads. */
#include "enclave/manifest_parts.h"
#include "wire/envelope.h"

#include <string.h>

static enum cs_err read_contract(struct manifest *m, const struct cs_json *json, struct cs_why *why)
{
	struct manifest_oracle *oracle = &m->oracle;
	struct manifest_contract contract = {.chain = 0};
	struct cs_hash chain;
	struct cs_bytes kind;
	CS_TRY(MANIFEST_ONLY(json, why, "address", "chain", "kind"));
	CS_TRY(cs_json_member_hex(contract.address.b, sizeof contract.address.b, json, "address",
				  why));
	CS_TRY(cs_json_member_hex(chain.b, sizeof chain.b, json, "chain", why));
	CS_TRY(cs_json_member_string(&kind, json, "kind", 16, why));
	contract.feeds = cs_bytes_eq(kind, cs_bytes_str("feeds"));
	if (!contract.feeds && !cs_bytes_eq(kind, cs_bytes_str("requests")))
		return cs_fail(why, CS_ERR_UNSUPPORTED, "kind is neither feeds nor requests");
	const struct manifest_chain *on = manifest_chain_of(m, &chain);
	if (on == NULL)
		return cs_fail(why, CS_ERR_NOT_IN_MANIFEST,
			       "oracle.contracts[%zu]: chain is not the identity of one of chains",
			       oracle->contract_count);
	if (on->finality.mode == MANIFEST_COMETBFT)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "oracle.contracts[%zu]: events of a ledger are not proven",
			       oracle->contract_count);
	contract.chain = (size_t)(on - m->chains);
	contract.identity = wire_identity(cs_bytes_str(on->caip2), &on->genesis,
					  CS_BYTES_OF(contract.address.b));
	for (size_t i = 0; i < oracle->contract_count; i++)
		if (cs_hash_eq(&oracle->contracts[i].identity, &contract.identity))
			return cs_fail(why, CS_ERR_DUPLICATE,
				       "oracle.contracts[%zu] is there twice",
				       oracle->contract_count);
	oracle->contracts[oracle->contract_count++] = contract;
	return CS_OK;
}

static enum cs_err read_contracts(struct manifest *m, const struct cs_json *json,
				  struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, json, "contracts", CS_JSON_ARRAY, why));
	if (array->count > MANIFEST_CONTRACTS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "contracts has more than %d",
			       MANIFEST_CONTRACTS_MAX);
	for (const struct cs_json *at = array->child; at != NULL; at = at->next)
		CS_TRY(read_contract(m, at, why));
	return CS_OK;
}

static enum cs_err read_hosts(struct manifest_hosts *hosts, const struct cs_json *json,
			      const char *key, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, json, key, CS_JSON_ARRAY, why));
	if (array->count > MANIFEST_HOSTS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s has more than %d", key,
			       MANIFEST_HOSTS_MAX);
	for (const struct cs_json *at = array->child; at != NULL; at = at->next) {
		const struct cs_bytes name = at->text;
		bool good = at->type == CS_JSON_STRING && name.n > 0 &&
			    name.n <= MANIFEST_HOST_SIZE_MAX;
		for (size_t i = 0; good && i < name.n; i++)
			good = (name.p[i] >= 'a' && name.p[i] <= 'z') ||
			       (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-' ||
			       name.p[i] == '.';
		if (!good)
			return cs_fail(why, CS_ERR_INVALID,
				       "%s[%zu] is neither a host in lower case nor .suffix", key,
				       hosts->count);
		memcpy(hosts->names[hosts->count], name.p, name.n);
		hosts->names[hosts->count++][name.n] = '\0';
	}
	return CS_OK;
}

enum cs_err manifest_read_oracle(struct manifest *m, const struct cs_json *body, struct cs_why *why)
{
	struct manifest_oracle *oracle = &m->oracle;
	const struct cs_json *json = NULL;
	if (cs_json_find(body, "oracle") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&json, body, "oracle", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "address_literals", "contracts", "hosts_allowed",
			     "hosts_forbidden", "logs", "private_cas", "private_networks",
			     "trust_store"));
	CS_TRY(manifest_read_trust(&oracle->trust, json, why));
	CS_TRY(read_contracts(m, json, why));
	CS_TRY(read_hosts(&oracle->allowed, json, "hosts_allowed", why));
	CS_TRY(read_hosts(&oracle->forbidden, json, "hosts_forbidden", why));
	oracle->present = true;
	return CS_OK;
}

static bool names_host(const struct manifest_hosts *hosts, struct cs_bytes host)
{
	for (size_t i = 0; i < hosts->count; i++) {
		const struct cs_bytes name = cs_bytes_str(hosts->names[i]);
		if (cs_bytes_eq(name, host))
			return true;
		if (name.p[0] == '.' && host.n > name.n &&
		    memcmp(host.p + host.n - name.n, name.p, name.n) == 0)
			return true;
	}
	return false;
}

bool manifest_allows_host(const struct manifest_oracle *oracle, struct cs_bytes host)
{
	return !names_host(&oracle->forbidden, host) &&
	       (oracle->allowed.count == 0 || names_host(&oracle->allowed, host));
}
