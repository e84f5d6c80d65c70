/* Logs of an oracle's and a feed's contract, as a node's receipt may hold them: what is taken has the
 * identifier that its parts make. */
#include "adapters/evm/events.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check(const struct adapter_event *event, const struct evm_log *log,
		  const struct evm_contracts *contracts)
{
	const struct evm_contract *contract = evm_contracts_find(contracts, &log->address);

	cs_assert(contract != NULL && cs_hash_eq(&event->contract, &contract->identity));
	if (event->kind == ADAPTER_EVENT_ORACLE_REQUESTED) {
		const struct adapter_oracle_request *request = &event->requested;
		struct cs_hash id = wire_request_id(&request->head);

		cs_assert(cs_hash_eq(&id, &log->topics[1]));
		cs_assert(request->argument_count <= WIRE_ARGUMENTS_MAX);
	}
	if (event->kind == ADAPTER_EVENT_FEED_ADDED) {
		struct cs_hash id = wire_feed_id(&contract->identity, event->feed_added.index);

		cs_assert(cs_hash_eq(&id, &log->topics[2]));
		cs_assert(event->feed_added.description.n <= ADAPTER_FEED_DESCRIPTION_MAX);
	}
}

/* First byte: which event; second: how many topics. Then the topics after the first, then the data.
 * The topics of a request are made right, so that what lies behind them is reached too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct adapter_evm_config config = {.chain_id = 1,
					    .oracles = {{{1}}},
					    .oracle_count = 1,
					    .feeds = {{{2}}},
					    .feed_count = 1};
	struct evm_contracts contracts;
	struct evm_left_out left_out;
	struct adapter_event event;
	struct cs_why why;

	if (size < 2 + 64)
		return 0;
	cs_assert(evm_contracts_init(&contracts, &config, &why) == CS_OK);
	enum evm_topic topic = (enum evm_topic)(EVM_TOPIC_REQUESTED + data[0] % 7);
	bool of_feed = topic >= EVM_TOPIC_FEED_ADDED;
	struct evm_log log = {.address = contracts.list[of_feed].address,
			      .topic_count = 1 + data[1] % EVM_LOG_TOPICS_MAX,
			      .data = cs_bytes(data + 66, size - 66)};
	log.topics[0] = contracts.topics[topic];
	memcpy(&log.topics[1], data + 2, 64);
	size_t found = evm_events_decode(&event, &left_out, &contracts, &log, 1);
	cs_assert(found + left_out.foreign + left_out.unstorable <= 1);
	if (found == 1)
		check(&event, &log, &contracts);
	return 0;
}
