/*~ What a block emitted is in no hash. But each event of the gateway leaves a word in its state that stays:
 * a message that was sent its own (slot 3), with its outcome once there is one; a message that came its
 * status. So an event is reported only when the newest header that is known to be signed proves its
 * word, and a node can leave events out, never invent them. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"
#include "verify/cometbft/ics23.h"
#include "wire/envelope.h"

#include <stdlib.h>
#include <string.h>

/* Where the outcome is in the word of a message that was sent: bits 192 to 199. */
#define OUTCOME_AT 7u

struct proving {
	struct comet *comet;
	struct comet_header *under; /* commits to the state after the block below it */
	struct comet_content *contents;
	size_t count;
	comet_proven_done *done;
	void *ctx;
	/* the next event that is asked for */
	size_t block;
	size_t event;
	/* those that are being asked for */
	size_t asked_block[COMET_QUERIES_MAX];
	const struct adapter_event *asked[COMET_QUERIES_MAX];
	size_t asked_count;
};

static void ask(struct proving *proving);

static void end(struct proving *proving, enum cs_err err, const char *why)
{
	proving->done(proving->ctx, err, why);
	comet_header_unref(proving->under);
	free(proving);
}

/* ---- one event ---- */

static bool slot_of(struct cs_hash *slot, const struct adapter_event *event)
{
	switch (event->kind) {
	case ADAPTER_EVENT_MESSAGE:
		*slot = wire_evm_sent_slot(&event->message.message_id);
		return true;
	case ADAPTER_EVENT_FINALIZED:
		*slot = wire_evm_sent_slot(&event->finalized.message_id);
		return true;
	case ADAPTER_EVENT_STATUS:
		*slot = wire_evm_status_slot(&event->status.source, event->status.sequence);
		return true;
	case ADAPTER_EVENT_ORACLE_REQUESTED: /* contracts that no ledger has */
	case ADAPTER_EVENT_ORACLE_ANSWERED:
	case ADAPTER_EVENT_ORACLE_REFUNDED:
	case ADAPTER_EVENT_CALLBACK_FAILED:
	case ADAPTER_EVENT_FEED_ADDED:
	case ADAPTER_EVENT_FEED_UPDATED:
	case ADAPTER_EVENT_FEED_PAUSED:
		break;
	}
	return false;
}

/* A failed message may have got further since. */
static bool shows_status(const struct cs_hash *word, const struct adapter_status_event *event)
{
	enum wire_status status = wire_evm_status(word, event->sequence);

	return status != WIRE_STATUS_NONE &&
	       (status == (enum wire_status)event->status || event->status == WIRE_STATUS_FAILED);
}

static bool shows(const struct cs_hash *word, const struct adapter_event *event)
{
	if (event->kind == ADAPTER_EVENT_STATUS)
		return shows_status(word, &event->status);
	if (event->kind == ADAPTER_EVENT_FINALIZED)
		return event->finalized.status != WIRE_STATUS_NONE &&
		       word->b[OUTCOME_AT] == event->finalized.status;
	return !cs_hash_is_zero(word);
}

static enum cs_err read_word(struct cs_hash *word, const struct proving *proving,
			     const struct adapter_event *event, const struct comet_answer *answer)
{
	struct cs_bytes app_hash = cmt_header_app_hash(&proving->under->header);
	uint8_t key[COMET_WORD_KEY_SIZE];
	struct cs_hash root;
	struct cs_hash slot;
	struct cs_bytes value;
	bool found;

	if (app_hash.n != sizeof(root.b) || !slot_of(&slot, event))
		return CS_ERR_UNSUPPORTED;
	memcpy(root.b, app_hash.p, app_hash.n);
	comet_word_key(key, proving->comet, &slot);
	*word = (struct cs_hash){{0}};
	CS_TRY(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, &root, answer->proof,
				CS_BYTES_OF(key)));
	if (found && value.n != sizeof(word->b))
		return CS_ERR_MALFORMED;
	if (found)
		memcpy(word->b, value.p, value.n);
	return CS_OK;
}

static enum cs_err check(const struct proving *proving, size_t i, const struct comet_answer *answer,
			 const char **why)
{
	struct adapter_rpc *rpc = proving->comet->nodes.rpc;
	struct cs_hash word;

	*why = answer->why;
	CS_TRY(answer->err);
	if (answer->code != 0)
		return comet_code_err(answer->code);
	*why = "a proof that does not prove";
	if (read_word(&word, proving, proving->asked[i], answer) != CS_OK) {
		adapter_rpc_lied(rpc, answer->endpoint, *why);
		return CS_ERR_RPC_LIE;
	}
	if (shows(&word, proving->asked[i]))
		return CS_OK;
	*why = "an event that the state does not show";
	adapter_rpc_lied(rpc, proving->contents[proving->asked_block[i]].endpoint, *why);
	return CS_ERR_RPC_LIE;
}

/* ---- all of them ---- */

static void answered(void *ctx, const struct comet_answer *answers, size_t count)
{
	struct proving *proving = ctx;
	enum cs_err err = CS_OK;
	const char *why = "";

	for (size_t i = 0; i < count && err == CS_OK; i++)
		err = check(proving, i, &answers[i], &why);
	if (err == CS_OK)
		ask(proving);
	else
		end(proving, err, why);
}

/* Those of the next request. */
static void choose(struct proving *proving)
{
	proving->asked_count = 0;
	while (proving->block < proving->count && proving->asked_count < COMET_QUERIES_MAX) {
		const struct comet_content *content = &proving->contents[proving->block];

		if (proving->event == content->event_count) {
			proving->block++;
			proving->event = 0;
			continue;
		}
		proving->asked_block[proving->asked_count] = proving->block;
		proving->asked[proving->asked_count++] = &content->events[proving->event++];
	}
}

static void ask(struct proving *proving)
{
	struct comet_query queries[COMET_QUERIES_MAX];
	uint8_t keys[COMET_QUERIES_MAX][COMET_WORD_KEY_SIZE];
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY,
					      .height_min = proving->under->public.id.height};
	struct cs_hash slot = {{0}};

	choose(proving);
	for (size_t i = 0; i < proving->asked_count; i++) {
		(void)slot_of(&slot, proving->asked[i]);
		comet_word_key(keys[i], proving->comet, &slot);
		queries[i] = (struct comet_query){.path = "/store",
						  .data = CS_BYTES_OF(keys[i]),
						  .height = proving->under->public.id.height - 1,
						  .prove = true};
	}
	enum cs_err err = proving->asked_count == 0
				  ? CS_OK
				  : comet_query(&proving->comet->nodes, &options, queries,
						proving->asked_count, answered, proving);
	if (proving->asked_count == 0 || err != CS_OK)
		end(proving, err, cs_err_sentence(err));
}

void comet_prove(struct comet *comet, struct comet_header *under, struct comet_content *contents,
		 size_t count, comet_proven_done *done, void *ctx)
{
	struct proving *proving = host_alloc(sizeof(*proving));

	*proving = (struct proving){.comet = comet,
				    .under = comet_header_ref(under),
				    .contents = contents,
				    .count = count,
				    .done = done,
				    .ctx = ctx};
	ask(proving);
}
