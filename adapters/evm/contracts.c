#include "adapters/evm/contracts.h"

#include "core/abi.h"
#include "core/caip.h"
#include "wire/envelope.h"

#define REQUEST \
	"(uint64,address,bytes32,bytes32,bytes32,address,uint64,uint256,uint64,uint64,uint64)"
#define FEED_SETTINGS "(bytes32,uint8,uint24,uint24,uint32,uint8,string)"

/* Whose event each is. MessageSent is the other half of MessageCommitted, and is not looked for by
 * itself. */
static const struct {
	enum evm_contract_kind of;
	bool alone;
	const char *signature; /* NULL: wire knows it */
} events[EVM_TOPIC_COUNT] = {
	[EVM_TOPIC_SENT] = {EVM_CONTRACT_GATEWAY, false, NULL},
	[EVM_TOPIC_COMMITTED] = {EVM_CONTRACT_GATEWAY, true, NULL},
	[EVM_TOPIC_STATUS] = {EVM_CONTRACT_GATEWAY, true, NULL},
	[EVM_TOPIC_FINALIZED] = {EVM_CONTRACT_GATEWAY, true, NULL},
	[EVM_TOPIC_REQUESTED] = {EVM_CONTRACT_ORACLE, true,
				 "OracleRequested(bytes32,address," REQUEST
				 ",bytes,string[],bytes)"},
	[EVM_TOPIC_ANSWERED] = {EVM_CONTRACT_ORACLE, true,
				"OracleAnswered(bytes32,address,uint8,uint64,bytes32,bytes)"},
	[EVM_TOPIC_REFUNDED] = {EVM_CONTRACT_ORACLE, true,
				"OracleRefunded(bytes32,address,uint256)"},
	[EVM_TOPIC_CALLBACK_FAILED] = {EVM_CONTRACT_ORACLE, true, "CallbackFailed(bytes32)"},
	[EVM_TOPIC_FEED_ADDED] = {EVM_CONTRACT_FEED, true,
				  "FeedAdded(uint64,bytes32,address,address," FEED_SETTINGS ")"},
	[EVM_TOPIC_FEED_UPDATED] = {EVM_CONTRACT_FEED, true, "FeedUpdated(uint64,int256,uint256)"},
	[EVM_TOPIC_FEED_PAUSED] = {EVM_CONTRACT_FEED, true, "FeedPaused(uint64,bool)"},
};

static void fill_topics(struct cs_hash topics[EVM_TOPIC_COUNT])
{
	topics[EVM_TOPIC_SENT] = wire_evm_topic_message_sent();
	topics[EVM_TOPIC_COMMITTED] = wire_evm_topic_message_committed();
	topics[EVM_TOPIC_STATUS] = wire_evm_topic_message_status();
	topics[EVM_TOPIC_FINALIZED] = wire_evm_topic_message_finalized();
	for (size_t i = 0; i < EVM_TOPIC_COUNT; i++)
		if (events[i].signature != NULL)
			topics[i] = cs_abi_topic(events[i].signature);
}

struct place {
	const char *caip2;
	const struct cs_hash *genesis;
};

static enum cs_err add(struct evm_contracts *contracts, const struct place *place,
		       enum evm_contract_kind kind, const struct cs_address *address,
		       struct cs_why *why)
{
	static const struct cs_address zero = {{0}};

	if (cs_address_eq(address, &zero))
		return cs_fail(why, CS_ERR_INVALID, "a contract of address zero");
	if (evm_contracts_find(contracts, address) != NULL)
		return cs_fail(why, CS_ERR_INVALID, "a contract is named twice");
	contracts->list[contracts->count++] = (struct evm_contract){
		.kind = kind,
		.address = *address,
		.identity = wire_identity(cs_bytes_str(place->caip2), place->genesis,
					  CS_BYTES_OF(address->b)),
	};
	return CS_OK;
}

enum cs_err evm_contracts_init(struct evm_contracts *contracts,
			       const struct adapter_evm_config *config, struct cs_why *why)
{
	static const struct cs_address zero = {{0}};
	struct evm_contracts out = {.count = 0};
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	const struct place place = {caip2, &config->genesis_hash};

	if (config->oracle_count > ADAPTER_EVM_ORACLES_MAX ||
	    config->feed_count > ADAPTER_EVM_ORACLES_MAX)
		return cs_fail(why, CS_ERR_INVALID, "contracts: more than %d of one kind",
			       ADAPTER_EVM_ORACLES_MAX);
	cs_caip2_write_eip155(caip2, config->chain_id);
	fill_topics(out.topics);
	if (!cs_address_eq(&config->gateway, &zero))
		CS_TRY(add(&out, &place, EVM_CONTRACT_GATEWAY, &config->gateway, why));
	for (size_t i = 0; i < config->oracle_count; i++)
		CS_TRY(add(&out, &place, EVM_CONTRACT_ORACLE, &config->oracles[i], why));
	for (size_t i = 0; i < config->feed_count; i++)
		CS_TRY(add(&out, &place, EVM_CONTRACT_FEED, &config->feeds[i], why));
	if (out.count == 0)
		return cs_fail(why, CS_ERR_INVALID, "contracts: none to watch");
	*contracts = out;
	return CS_OK;
}

enum cs_err evm_contracts_of_gateway(struct evm_contracts *contracts, const char *caip2,
				     const struct cs_hash *genesis,
				     const struct cs_address *gateway, struct cs_why *why)
{
	const struct place place = {caip2, genesis};
	struct evm_contracts out = {.count = 0};

	fill_topics(out.topics);
	CS_TRY(add(&out, &place, EVM_CONTRACT_GATEWAY, gateway, why));
	*contracts = out;
	return CS_OK;
}

const struct evm_contract *evm_contracts_find(const struct evm_contracts *contracts,
					      const struct cs_address *address)
{
	for (size_t i = 0; i < contracts->count; i++)
		if (cs_address_eq(&contracts->list[i].address, address))
			return &contracts->list[i];
	return NULL;
}

static bool has_topic(const struct evm_contracts *contracts, enum evm_contract_kind kind,
		      const uint8_t bloom[EVM_BLOOM_SIZE])
{
	for (size_t i = 0; i < EVM_TOPIC_COUNT; i++)
		if (events[i].of == kind && events[i].alone &&
		    evm_bloom_may_have(bloom, CS_BYTES_OF(contracts->topics[i].b)))
			return true;
	return false;
}

bool evm_contracts_may_be_in(const struct evm_contracts *contracts,
			     const uint8_t bloom[EVM_BLOOM_SIZE])
{
	for (size_t i = 0; i < contracts->count; i++)
		if (evm_bloom_may_have(bloom, CS_BYTES_OF(contracts->list[i].address.b)) &&
		    has_topic(contracts, contracts->list[i].kind, bloom))
			return true;
	return false;
}

json_t *evm_contracts_filter(const struct evm_contracts *contracts)
{
	bool of[EVM_CONTRACT_KINDS] = {false};
	json_t *addresses = json_array();
	json_t *topics = json_array();

	for (size_t i = 0; i < contracts->count; i++) {
		of[contracts->list[i].kind] = true;
		json_array_append_new(addresses,
				      evm_json_from_address(&contracts->list[i].address));
	}
	for (size_t i = 0; i < EVM_TOPIC_COUNT; i++)
		if (events[i].alone && of[events[i].of])
			json_array_append_new(topics, host_json_hash(&contracts->topics[i]));
	return json_pack("{s:o, s:[o]}", "address", addresses, "topics", topics);
}
