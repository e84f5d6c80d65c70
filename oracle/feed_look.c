/* Two calls to a feed's contract: what its owner fixed, and its latest round. */
#include "host/alloc.h"
#include "oracle/feeds.h"

#include <stdlib.h>

struct look {
	struct oracle_contract *contract;
	oracle_feed_looked *looked;
	void *ctx;
	uint64_t index;
	struct oracle_feed_info info;
};

static void end(struct look *look, enum cs_err err, const char *why,
		const struct oracle_feed_round *round)
{
	look->looked(look->ctx, err, why, err == CS_OK ? &look->info : NULL,
		     err == CS_OK ? round : NULL);
	free(look);
}

static void round_read(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct look *look = ctx;
	struct oracle_feed_round round = {0};
	if (err == CS_ERR_REVERTED && oracle_feed_is_no_round(data))
		err = CS_OK;
	else if (err == CS_OK && oracle_feed_read_round(&round, data) != CS_OK) {
		err = CS_ERR_RPC_LIE;
		why = "roundAt: no round";
	}
	end(look, err, why, &round);
}

static enum cs_err call(struct look *look, const struct cs_buf *buf, adapter_call_fn *done)
{
	return adapter_call(look->contract->chain->adapter, NULL, &look->contract->address,
			    cs_buf_view(buf), done, look);
}

static void info_read(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct look *look = ctx;
	uint8_t memory[ORACLE_FEED_CALL_SIZE];
	struct cs_buf buf;
	struct cs_hash id = wire_feed_id(&look->contract->identity, look->index);
	cs_buf_init(&buf, memory, sizeof(memory));
	if (err == CS_ERR_REVERTED) {
		err = CS_ERR_NOT_FOUND;
		why = "the contract has no feed of this index";
	} else if (err == CS_OK && (oracle_feed_read_info(&look->info, data) != CS_OK ||
				    !cs_hash_eq(&look->info.feed_id, &id))) {
		err = CS_ERR_RPC_LIE;
		why = "feedInfo: not this feed's";
	}
	if (err == CS_OK)
		err = oracle_feed_call_round(&buf, &look->info.feed_id, &look->info.spec_hash);
	if (err == CS_OK)
		err = call(look, &buf, round_read);
	if (err != CS_OK)
		end(look, err, why, NULL);
}

enum cs_err oracle_feed_look(struct oracle_contract *contract, uint64_t index,
			     oracle_feed_looked *looked, void *ctx)
{
	uint8_t memory[ORACLE_FEED_CALL_SIZE];
	struct cs_buf buf;
	if (!contract->chain->adapter)
		return CS_ERR_UNAVAILABLE;
	struct look *look = host_alloc(sizeof(*look));
	*look = (struct look){.contract = contract, .looked = looked, .ctx = ctx, .index = index};
	cs_buf_init(&buf, memory, sizeof(memory));
	enum cs_err err = oracle_feed_call_info(&buf, index);
	if (err == CS_OK)
		err = call(look, &buf, info_read);
	if (err != CS_OK)
		free(look);
	return err;
}
