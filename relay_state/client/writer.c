#include "relay_state/client/writer.h"

#include "adapters/cometbft/nodes.h"
#include "adapters/cometbft/revert.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Added to what a simulation used: the state may have grown until the block. */
#define GAS_MARGIN_PERCENT 30u
/* Looks that see the sequence used, and the transaction in no block, before that is believed: a node's
 * index of transactions may be behind its state. */
#define SURE_LOOKS 4u
/* Looks between two broadcasts of the same bytes: mempools forget. */
#define LOOKS_PER_BROADCAST 4u
/* All but the inputs. */
#define BODY_FRAME_SIZE 256u
#define CALL_FRAME_SIZE 64u
/* relay_state/ledger/codes.def: below it a transaction in a block was not taken. */
#define CODE_TAKEN 32u

enum phase {
	FREE,
	PREPARING, /* questions are open; nothing is signed */
	KEEPING,   /* its owner writes it down */
	SENT,
};

struct ledger_writer {
	struct host_loop *loop;
	struct ledger_writer_config config;
	struct cs_address account;
	struct host_timer *timer;
	enum phase phase;
	uint64_t height; /* of its newest inclusion */
	/* what is being prepared */
	uint64_t kind;
	uint64_t until_s;
	struct ledger_tx *tx;
	uint8_t *inputs;
	struct ledger_client_account at;
	/* what was signed */
	uint8_t *raw;
	size_t raw_size;
	struct ledger_sent sent;
	unsigned looks;
	unsigned used_looks;
	bool asking; /* a look or a broadcast is under way */
	bool freed;
};

static void drop(struct ledger_writer *writer)
{
	free(writer->tx);
	free(writer->inputs);
	free(writer->raw);
	writer->tx = NULL;
	writer->inputs = NULL;
	writer->raw = NULL;
}

static void end(struct ledger_writer *writer, struct ledger_report *report)
{
	uint8_t *raw = writer->raw;

	report->kind = writer->kind;
	report->was_sent = writer->phase == SENT;
	if (report->height > writer->height)
		writer->height = report->height;
	host_timer_stop(writer->timer);
	writer->raw = NULL;
	drop(writer);
	writer->phase = FREE;
	writer->config.ops->ended(writer->config.ctx, report);
	free(raw);
}

static void end_unsent(struct ledger_writer *writer, enum cs_err err, const char *why)
{
	struct ledger_report report = {.end = LEDGER_END_NOT_SENT, .err = err, .why = why};

	end(writer, &report);
}

/* A callback of the client: false when there is nobody any more whom it is for. */
static bool is_open(struct ledger_writer *writer)
{
	writer->asking = false;
	if (!writer->freed)
		return true;
	drop(writer);
	free(writer);
	return false;
}

/* ---- what is sent ---- */

static void say(struct ledger_writer *writer, const char *why)
{
	if (writer->config.ops->waits != NULL)
		writer->config.ops->waits(writer->config.ctx, why);
}

static void look_later(struct ledger_writer *writer)
{
	host_timer_start(writer->timer, writer->config.poll_ms, 0);
}

static void broadcast_done(void *ctx, enum cs_err err, const char *why)
{
	struct ledger_writer *writer = ctx;

	if (!is_open(writer))
		return;
	/* Whatever it says: only a block decides, or the end of its validity. */
	say(writer, err == CS_OK ? "" : why);
	look_later(writer);
}

static void broadcast(struct ledger_writer *writer)
{
	enum cs_err err = ledger_client_broadcast(writer->config.client,
						  cs_bytes(writer->raw, writer->raw_size),
						  broadcast_done, writer);

	writer->asking = err == CS_OK;
	if (err == CS_OK)
		return;
	say(writer, "no node answers");
	look_later(writer);
}

static void account_seen(void *ctx, enum cs_err err, const char *why,
			 const struct ledger_client_account *account)
{
	struct ledger_writer *writer = ctx;
	struct ledger_report report = {.why = ""};

	if (!is_open(writer))
		return;
	if (err != CS_OK) {
		say(writer, why);
		look_later(writer);
		return;
	}
	writer->used_looks = account->sequence > writer->sent.sequence ? writer->used_looks + 1 : 0;
	if (writer->used_looks >= SURE_LOOKS) {
		report.end = LEDGER_END_UNKNOWN;
		report.height = account->height;
		end(writer, &report);
	} else if (writer->used_looks == 0 && account->time_s > writer->sent.valid_until_s) {
		report.end = LEDGER_END_VOID;
		report.err = CS_ERR_TIMEOUT;
		report.why = "its validity ended before a block had it";
		end(writer, &report);
	} else if (writer->used_looks == 0 && ++writer->looks % LOOKS_PER_BROADCAST == 0) {
		broadcast(writer);
	} else {
		look_later(writer);
	}
}

static void take_included(struct ledger_writer *writer,
			  const struct ledger_client_included *included)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX] = "";
	struct ledger_report report = {.end = LEDGER_END_DONE,
				       .height = included->height,
				       .gas_used = included->gas_used,
				       .data = included->data,
				       .why = text};

	if (included->code != 0) {
		report.end = LEDGER_END_REVERTED;
		report.err = comet_code_err(included->code);
		report.why = comet_code_sentence(included->code);
		if (included->data.n >= 4) {
			comet_revert_text(text, included->data);
			report.why = text;
		}
	}
	end(writer, &report);
}

static void found(void *ctx, enum cs_err err, const char *why,
		  const struct ledger_client_included *included)
{
	struct ledger_writer *writer = ctx;

	if (!is_open(writer))
		return;
	/* One that was not taken costs nothing, and a later block may have it all the same. */
	if (err == CS_OK && (included->code == 0 || included->code >= CODE_TAKEN)) {
		take_included(writer, included);
		return;
	}
	if (err == CS_OK || err == CS_ERR_NOT_FOUND)
		err = ledger_client_account(writer->config.client, writer->height, &writer->account,
					    account_seen, writer);
	else
		say(writer, why);
	writer->asking = err == CS_OK;
	if (err != CS_OK)
		look_later(writer);
}

static void look(void *context)
{
	struct ledger_writer *writer = context;
	enum cs_err err =
		ledger_client_find_tx(writer->config.client, &writer->sent.hash, found, writer);

	writer->asking = err == CS_OK;
	if (err == CS_OK)
		return;
	say(writer, "no node answers");
	look_later(writer);
}

static void go(struct ledger_writer *writer)
{
	writer->phase = SENT;
	writer->looks = 0;
	writer->used_looks = 0;
	broadcast(writer);
}

void ledger_writer_kept(struct ledger_writer *writer)
{
	cs_assert(writer->phase == KEEPING);
	go(writer);
}

void ledger_writer_resume(struct ledger_writer *writer, const struct ledger_sent *sent)
{
	cs_assert(writer->phase == FREE);
	writer->kind = sent->kind;
	writer->sent = *sent;
	writer->raw_size = sent->raw.n;
	writer->raw = host_alloc(sent->raw.n);
	memcpy(writer->raw, sent->raw.p, sent->raw.n);
	writer->sent.raw = cs_bytes(writer->raw, writer->raw_size);
	go(writer);
}

/* ---- what is prepared ---- */

/* A sequence is signed for once: its owner has it on disk before anybody else. */
static void sign(struct ledger_writer *writer)
{
	struct ledger_sent *sent = &writer->sent;

	*sent = (struct ledger_sent){.kind = writer->kind,
				     .sequence = writer->tx->sequence,
				     .valid_until_s = writer->tx->valid_until};
	enum cs_err err = comet_sign_tx(&writer->raw, &writer->raw_size, &sent->hash,
					writer->config.sig, writer->config.key, writer->tx);
	if (err != CS_OK) {
		end_unsent(writer, err, "it cannot be signed");
		return;
	}
	sent->raw = cs_bytes(writer->raw, writer->raw_size);
	writer->phase = KEEPING;
	err = writer->config.ops->keep(writer->config.ctx, sent);
	if (err != CS_OK && writer->phase == KEEPING) {
		writer->phase = PREPARING;
		end_unsent(writer, err, "it cannot be written down");
	}
}

static enum cs_err price(struct ledger_writer *writer, uint64_t gas_used, const char **why)
{
	struct ledger_tx *tx = writer->tx;
	const struct cs_u256 balance = cs_u256_from_word(&writer->at.balance);
	struct cs_u256 cost;

	*why = "more gas than a block holds";
	if (gas_used > UINT64_MAX / 2 / (100 + GAS_MARGIN_PERCENT))
		return CS_ERR_TOO_LARGE;
	tx->gas_limit = gas_used * (100 + GAS_MARGIN_PERCENT) / 100;
	if (tx->gas_limit > writer->at.gas_of_block)
		return CS_ERR_TOO_LARGE;
	*why = "the chain's least gas price is above the configured one";
	if (writer->at.gas_price > writer->config.gas_price_max)
		return CS_ERR_UNDERPRICED;
	tx->gas_price_low = writer->at.gas_price;
	*why = "the account cannot pay";
	cost = cs_u256_u64(tx->gas_limit);
	const struct cs_u256 each = cs_u256_u64(tx->gas_price_low);
	if (cs_u256_mul(&cost, &cost, &each) != CS_OK || cs_u256_cmp(&cost, &balance) > 0)
		return CS_ERR_NO_FUNDS;
	return CS_OK;
}

static void simulated(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct ledger_writer *writer = ctx;
	const struct ledger_client_answer *answer = &answers[0];
	char text[ADAPTER_CONTRACT_ERROR_MAX] = "";
	const char *why = answer->why;

	(void)count;
	if (!is_open(writer))
		return;
	enum cs_err err = answer->err;
	if (err == CS_OK && answer->code != 0)
		err = comet_code_err(answer->code);
	if (err == CS_ERR_REVERTED) {
		struct ledger_report report = {.end = LEDGER_END_REVERTED, .err = err, .why = text};
		if (answer->value.n > 8)
			report.data = cs_bytes(answer->value.p + 8, answer->value.n - 8);
		comet_revert_text(text, report.data);
		end(writer, &report);
		return;
	}
	if (err == CS_OK && answer->value.n < 8) {
		err = CS_ERR_RPC_LIE;
		why = "a simulation that does not read";
	}
	if (err == CS_OK)
		err = price(writer, cs_be64(answer->value.p), &why);
	if (err != CS_OK)
		end_unsent(writer, err, why);
	else
		sign(writer);
}

static enum cs_err simulate(struct ledger_writer *writer)
{
	size_t size = BODY_FRAME_SIZE;

	for (size_t i = 0; i < writer->tx->call_count; i++)
		size += CALL_FRAME_SIZE + writer->tx->calls[i].input.n;
	uint8_t *memory = host_alloc(size);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, size);
	ledger_tx_encode_body(&buf, writer->tx);
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK) {
		const struct ledger_client_query query = {.path = "/simulate",
							  .data = cs_buf_view(&buf)};
		err = ledger_client_query(writer->config.client, writer->height, &query, 1,
					  simulated, writer);
	}
	free(memory);
	return err;
}

static void account_known(void *ctx, enum cs_err err, const char *why,
			  const struct ledger_client_account *account)
{
	struct ledger_writer *writer = ctx;

	if (!is_open(writer))
		return;
	if (err == CS_OK) {
		struct ledger_tx *tx = writer->tx;

		writer->at = *account;
		tx->sequence = account->sequence;
		tx->valid_until = account->time_s + writer->config.valid_s;
		if (writer->until_s != 0 && writer->until_s < tx->valid_until)
			tx->valid_until = writer->until_s;
		tx->gas_limit = 1;
		err = tx->valid_until > account->time_s ? simulate(writer) : CS_ERR_TIMEOUT;
		why = err == CS_ERR_TIMEOUT ? "it came too late" : "no node answers";
	}
	writer->asking = err == CS_OK;
	if (err != CS_OK)
		end_unsent(writer, err, why);
}

static void copy_calls(struct ledger_writer *writer, const struct ledger_tx_call *calls,
		       size_t count)
{
	size_t size = 1, at = 0;

	for (size_t i = 0; i < count; i++)
		size += calls[i].input.n;
	writer->inputs = host_alloc(size);
	for (size_t i = 0; i < count; i++) {
		struct ledger_tx_call *call = &writer->tx->calls[i];

		*call = calls[i];
		if (calls[i].input.n > 0)
			memcpy(writer->inputs + at, calls[i].input.p, calls[i].input.n);
		call->input = cs_bytes(writer->inputs + at, calls[i].input.n);
		at += calls[i].input.n;
	}
}

enum cs_err ledger_writer_send(struct ledger_writer *writer, uint64_t kind,
			       const struct ledger_tx_call *calls, size_t count, uint64_t until_s)
{
	cs_assert(count > 0 && count <= LEDGER_CALLS_MAX);
	if (writer->phase != FREE)
		return CS_ERR_CONFLICT;
	CS_TRY(ledger_client_account(writer->config.client, writer->height, &writer->account,
				     account_known, writer));
	writer->tx = host_alloc(sizeof(*writer->tx));
	*writer->tx = (struct ledger_tx){
		.chain = writer->config.chain_tag, .sender = writer->account, .call_count = count};
	copy_calls(writer, calls, count);
	writer->kind = kind;
	writer->until_s = until_s;
	writer->phase = PREPARING;
	writer->asking = true;
	return CS_OK;
}

/* ---- life ---- */

enum cs_err ledger_writer_new(struct ledger_writer **out, struct host_loop *loop,
			      const struct ledger_writer_config *config)
{
	struct cs_address account;

	CS_TRY(cs_key_address(config->sig, &account, config->key));
	struct ledger_writer *writer = host_alloc(sizeof(*writer));
	*writer = (struct ledger_writer){.loop = loop, .config = *config, .account = account};
	if (writer->config.poll_ms == 0)
		writer->config.poll_ms = 1000;
	if (writer->config.valid_s == 0)
		writer->config.valid_s = 60;
	writer->timer = host_timer_new(loop, look, writer);
	*out = writer;
	return CS_OK;
}

void ledger_writer_free(struct ledger_writer *writer)
{
	if (writer == NULL)
		return;
	host_timer_free(writer->timer);
	writer->timer = NULL;
	writer->freed = true;
	if (writer->asking)
		return; /* the client's answer frees it */
	drop(writer);
	free(writer);
}

const struct cs_address *ledger_writer_account(const struct ledger_writer *writer)
{
	return &writer->account;
}

bool ledger_writer_is_busy(const struct ledger_writer *writer)
{
	return writer->phase != FREE;
}

uint64_t ledger_writer_height(const struct ledger_writer *writer)
{
	return writer->height;
}

void ledger_writer_saw(struct ledger_writer *writer, uint64_t height)
{
	if (height > writer->height)
		writer->height = height;
}
