/* Messages for destinations to which no route goes: where they lie is in the journal, and when a manifest has the
 * route, with a reload or a start, those blocks are read again. What is found goes the way of every block, so that
 * whatever is there already is passed over, and a crash in the middle of it reads a stretch twice. */
#include "gateway/gateway.h"
#include "gateway/journal_unrouted.h"
#include "host/alloc.h"

#include <stdlib.h>

/* Heights of one stretch: what was read up to it is not read again after a restart. */
#define STRETCH 10000u
/* A node that does not answer, or does not have the blocks any more. */
#define FAILED_MS 5000u

enum cs_err gateway_unrouted_note(struct gateway_chain *chain, const struct adapter_event *event)
{
	const struct adapter_message *message = &event->message;
	enum cs_err err = gateway_journal_unrouted_add(chain->gateway->journal, &chain->identity,
						       &message->destination,
						       event->at.block.height, message->sequence);
	log_warn("message.no_route", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("id", &message->message_id),
		 LOG_HASH("destination", &message->destination),
		 LOG_U64("height", event->at.block.height), LOG_BOOL("remembered", err == CS_OK));
	return err == CS_ERR_FULL ? CS_OK : err; /* it is for `observe` to find */
}

/* ---- reading them again ---- */

struct reading {
	struct gateway_chain *chain;
	struct gateway_unrouted row;
	uint64_t to;
};

static enum cs_err write_read(void *context)
{
	const struct reading *reading = context;
	return gateway_journal_unrouted_read(reading->chain->gateway->journal,
					     &reading->chain->identity, &reading->row.remote,
					     reading->to + 1);
}

static void ended(struct reading *reading, enum cs_err err, const char *why)
{
	struct gateway_chain *chain = reading->chain;
	const char *remote = gateway_caip2(chain->gateway, &reading->row.remote);
	chain->unrouted_busy = false;
	chain->unrouted_after_ms = err == CS_OK ? 0 : host_now_ms() + FAILED_MS;
	if (err != CS_OK)
		log_warn("route.not_caught_up", LOG_TEXT("chain", chain->config->id),
			 LOG_TEXT("remote", remote), LOG_ERR(err), LOG_TEXT("why", why));
	else
		log_info("route.caught_up", LOG_TEXT("chain", chain->config->id),
			 LOG_TEXT("remote", remote), LOG_U64("from", reading->row.from_height),
			 LOG_U64("to", reading->to), LOG_U64("of", reading->row.to_height));
	free(reading);
}

static void read_again(void *context, enum cs_err err, const char *why)
{
	struct reading *reading = context;
	struct gateway *gateway = reading->chain->gateway;
	if (err == CS_OK && gateway->stopping)
		err = CS_ERR_CLOSED;
	if (err == CS_OK)
		err = gateway_write(gateway, write_read, reading);
	ended(reading, err, why ? why : "");
}

void gateway_unrouted_take(struct gateway_chain *chain)
{
	struct gateway_unrouted rows[GATEWAY_UNROUTED_MAX];
	size_t count = 0;
	size_t i = 0;
	if (chain->unrouted_busy || host_now_ms() < chain->unrouted_after_ms)
		return;
	/* With the next route it is looked at again. */
	chain->unrouted_after_ms = UINT64_MAX;
	if (gateway_journal_unrouted(chain->gateway->journal, &chain->identity, rows, &count) !=
	    CS_OK)
		return;
	while (i < count && !gateway_route_of(chain, &rows[i].remote))
		i++;
	if (i == count)
		return;
	struct reading *reading = host_alloc(sizeof(*reading));
	const uint64_t from = rows[i].from_height;
	const uint64_t to = rows[i].to_height;
	*reading = (struct reading){chain, rows[i], to - from < STRETCH ? to : from + STRETCH - 1};
	chain->unrouted_busy = true;
	enum cs_err err = adapter_rescan(chain->adapter, from, reading->to, read_again, reading);
	if (err != CS_OK)
		ended(reading, err, "the blocks could not be asked for");
}

/* ---- for people ---- */

uint64_t gateway_unrouted_count(const struct gateway_chain *chain)
{
	struct gateway_unrouted rows[GATEWAY_UNROUTED_MAX];
	uint64_t messages = 0;
	size_t count = 0;
	if (gateway_journal_unrouted(chain->gateway->journal, &chain->identity, rows, &count) !=
	    CS_OK)
		return 0;
	for (size_t i = 0; i < count; i++)
		messages += rows[i].to_sequence - rows[i].from_sequence + 1;
	return messages;
}

json_t *gateway_unrouted_json(const struct gateway_chain *chain)
{
	struct gateway_unrouted rows[GATEWAY_UNROUTED_MAX];
	size_t count = 0;
	json_t *list = json_array();
	if (gateway_journal_unrouted(chain->gateway->journal, &chain->identity, rows, &count) !=
	    CS_OK)
		return list;
	for (size_t i = 0; i < count; i++) {
		const struct gateway_unrouted *row = &rows[i];
		json_t *json = json_object();
		json_object_set_new(json, "destination", host_json_hash(&row->remote));
		json_object_set_new(json, "messages",
				    host_json_u64(row->to_sequence - row->from_sequence + 1));
		json_object_set_new(json, "from_height", host_json_u64(row->from_height));
		json_object_set_new(json, "to_height", host_json_u64(row->to_height));
		json_object_set_new(json, "since_ms", host_json_u64(row->since_ms));
		json_array_append_new(list, json);
	}
	return list;
}
