/* The body of a request for a message or a transfer, against the configuration of a gateway with one
 * chain or two. The first byte says which, for what, and what the caller may. What is taken keeps to
 * every bound that calldata is made with; what is refused says why and writes nothing. */
#include "core/caip.h"
#include "gateway/send_body.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

enum { FOR_TRANSFER = 1, MAY_SPONSOR = 2, TWO_CHAINS = 4 };

static void name_chain(struct host_manifest_chain *chain, const char *caip2, uint64_t chain_id)
{
	(void)snprintf(chain->caip2, sizeof(chain->caip2), "%s", caip2);
	chain->chain_id = chain_id;
	memset(chain->identity.b, (int)chain_id, sizeof(chain->identity.b));
}

static const struct gateway_config *configuration(size_t chain_count)
{
	static struct gateway_config config;
	struct host_manifest_chain *chains = config.manifest.chains;
	config.manifest.chain_count = 3;
	name_chain(&chains[0], "eip155:1", 1);
	name_chain(&chains[1], "eip155:2", 2);
	name_chain(&chains[2], "cosmos:ledger-1", 3);
	chains[0].remote_count = 3;
	chains[0].remotes[0] = chains[1].identity;
	memset(chains[0].remotes[1].b, 99, 32); /* of another manifest */
	chains[0].remotes[2] = chains[2].identity;
	chains[1].remote_count = 1;
	chains[1].remotes[0] = chains[0].identity;
	config.chain_count = chain_count;
	config.chains[0] =
		(struct gateway_chain_config){.common = {.id = chains[0].caip2,
							 .manifest = &chains[0],
							 .operator_key_file = "operator.key"},
					      .has_bridge = true,
					      .has_token = true,
					      .token = {{7}}};
	config.chains[1] = (struct gateway_chain_config){
		.common = {.id = chains[1].caip2, .manifest = &chains[1]}};
	return &config;
}

static void check_transfer(const struct gateway_send_body *body)
{
	const struct cs_hash word = cs_u256_word(&body->amount);
	bool above = false;
	for (size_t i = 0; i < 16; i++)
		above = above || word.b[i] != 0;
	cs_assert(!cs_hash_is_zero(&word) && !above);
	cs_assert(body->chain->has_bridge && body->payload.n == 0);
}

static void check(const struct gateway_send_body *body, const struct gateway_send_terms *terms)
{
	struct cs_account account;
	cs_assert(body->chain == &terms->config->chains[0] ||
		  (body->chain == &terms->config->chains[1] && terms->config->chain_count == 2));
	cs_assert(cs_interop_account(&account, body->recipient) == CS_OK);
	cs_assert(host_manifest_named(&terms->config->manifest, account.caip2) != NULL);
	cs_assert(!body->sponsored ||
		  (terms->may_sponsor && body->chain->common.operator_key_file && !body->has_from));
	cs_assert(!body->submitted || (!body->sponsored && !body->has_from));
	cs_assert(body->transaction.n <= GATEWAY_TRANSACTION_SIZE_MAX);
	cs_assert(body->submitted || body->transaction.n == 0);
	cs_assert(body->attribute_count <= GATEWAY_SEND_ATTRIBUTES_MAX);
	for (size_t i = 0; i < body->attribute_count; i++)
		cs_assert(body->attributes[i].n == 4 + 32 || body->attributes[i].n == 4 + 3 * 32);
	cs_assert(body->payload.n <= CS_PAYLOAD_SIZE_MAX);
	if (terms->transfer)
		check_transfer(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_why why = {{0}};
	struct gateway_send_body body = {0};
	const struct gateway_send_body before = body;
	if (size == 0 || size > 65536)
		return 0;
	const struct gateway_send_terms terms = {
		.config = configuration((data[0] & TWO_CHAINS) != 0 ? 2 : 1),
		.transfer = (data[0] & FOR_TRANSFER) != 0,
		.may_sponsor = (data[0] & MAY_SPONSOR) != 0};
	json_t *json = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL)
		return 0;
	if (gateway_send_body_read(&body, &terms, json, fuzz_arena(), &why) == CS_OK)
		check(&body, &terms);
	else
		cs_assert(why.text[0] != 0 && memcmp(&body, &before, sizeof(body)) == 0);
	json_decref(json);
	return 0;
}
