/* The providers of a chain of the finality mode rpc_quorum: lets the enclave ask them, as often as the
 * chain makes blocks. What they say is between them and the enclave; here it is shown, and tells how
 * far headers are of use. */
#ifndef ADAPTERS_PROVIDERS_H
#define ADAPTERS_PROVIDERS_H

#include "adapters/follow.h"
#include "host/manifest.h"
#include "verify/evm/quorum.h"

#include <jansson.h>

struct adapter_provider {
	uint32_t code; /* of wire_oracle_code; 0: it named a block */
	uint64_t height;
};

/* The first part is the owner's to fill in, the rest zero: there only the functions below write. */
struct adapter_providers {
	struct adapter_follow *follow; /* of the same chain */
	const struct host_manifest_chain *manifest;
	unsigned block_time_ms;
	bool asking;
	uint64_t ask_after_ms;
	/* what they said last, in the order of the manifest */
	size_t count;
	struct adapter_provider last[VERIFY_EVM_PROVIDERS_MAX];
};

/* Is the chain of that mode? */
bool adapter_has_providers(const struct host_manifest_chain *chain);
/* For adapter_follow.feed_max before anybody was asked. */
uint64_t adapter_providers_feed_max(const struct host_manifest_chain *chain);
/* Lets the enclave ask them when it is time; nothing for a chain without. */
void adapter_providers_ask(struct adapter_providers *providers);
/* How many named a block when they were asked last. */
size_t adapter_providers_voting(const struct adapter_providers *providers);
/* `providers` of GET /v1/chains: null for a chain without. */
json_t *adapter_providers_json(const struct adapter_providers *providers);

#endif
