/* One look after the other; in each, steps that follow from the answers of those before. */
#include "relay_state/client/registered_watch.h"

#include "core/utc.h"
#include "host/alloc.h"
#include "host/json_values.h"
#include "host/log.h"
#include "host/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After a look that came to nothing, and while there is nobody to ask about. */
#define LOOK_AGAIN_MS 2000u
#define DETAIL_SIZE (CS_CAIP2_SIZE_MAX + 100u)
#define ACTIVE "caisson_registration_active"
#define EXPIRES "caisson_registration_expires_timestamp_seconds"

/* ---- whose ---- */

struct ledger_registered_who *ledger_registered_find(struct ledger_registered_who *list,
						     size_t count, const struct cs_hash *identity)
{
	for (size_t i = 0; i < count; i++)
		if (cs_hash_eq(&list[i].identity, identity))
			return &list[i];
	return NULL;
}

void ledger_registered_add_key(struct ledger_registered_who *who, uint64_t epoch,
			       const struct cs_hash *x)
{
	size_t at = 0;
	while (at < who->key_count && who->epochs[at] > epoch)
		at++;
	if (at == LEDGER_REGISTERED_KEYS)
		return;
	if (who->key_count < LEDGER_REGISTERED_KEYS)
		who->key_count++;
	for (size_t i = who->key_count - 1; i > at; i--) {
		who->epochs[i] = who->epochs[i - 1];
		who->keys[i] = who->keys[i - 1];
	}
	who->epochs[at] = epoch;
	who->keys[at] = *x;
}

/* ---- asking ---- */

#define PLACES (LEDGER_REGISTERED_MAX * LEDGER_REGISTERED_KEYS)
_Static_assert(PLACES + 1 <= LEDGER_CLIENT_QUERIES_MAX, "/chain and a question each");

enum step {
	STEP_EPOCHS,   /* /chain, and the newest epoch of who has no keys of its own */
	STEP_KEYS,     /* what the register has under an epoch */
	STEP_HOLDERS,  /* which enclave has the key */
	STEP_ENCLAVES, /* until when that is registered */
	STEP_COUNT,
};

/* Of one of them, what the steps have found. */
struct row {
	uint64_t epochs[LEDGER_REGISTERED_KEYS]; /* 0: there is none */
	struct ledger_registered_key keys[LEDGER_REGISTERED_KEYS];
};

/* One of them, as the last look left it. */
struct registration {
	struct cs_hash identity;
	char name[CS_CAIP2_SIZE_MAX + 1];
	bool is_own;
	bool is_needed;
	bool ends_soon;
	struct ledger_registered now;
};

struct ledger_registered_watch {
	struct ledger_client *client;
	ledger_registered_list *list;
	ledger_registered_tell *tell;
	void *ctx;
	struct host_timer *timer;
	size_t known_count;
	struct registration known[LEDGER_REGISTERED_MAX];
	/* the look that is under way */
	enum step step;
	uint64_t time_s;
	size_t count;
	struct ledger_registered_who who[LEDGER_REGISTERED_MAX];
	struct row rows[LEDGER_REGISTERED_MAX];
	/* Of a step: what is asked, and of whom; places count through the rows' keys. */
	size_t asked_count;
	size_t asked[PLACES];
	uint8_t data[PLACES][LEDGER_VIEW_SIZE_MAX];
};

/* Is there something to ask of this place in this step? */
static bool is_wanted(const struct ledger_registered_watch *watch, size_t place)
{
	const size_t k = place % LEDGER_REGISTERED_KEYS;
	const size_t at = place / LEDGER_REGISTERED_KEYS;
	const struct row *row = &watch->rows[at];
	switch (watch->step) {
	case STEP_EPOCHS:
		return k == 0 && watch->who[at].key_count == 0;
	case STEP_KEYS:
		return row->epochs[k] != 0;
	case STEP_HOLDERS:
		return row->keys[k].key.state != WIRE_KEY_ABSENT;
	case STEP_ENCLAVES:
		return !cs_hash_is_zero(&row->keys[k].holder.enclave);
	case STEP_COUNT:
		break;
	}
	return false;
}

static void put_view(const struct ledger_registered_watch *watch, struct cs_buf *buf, size_t place)
{
	const size_t k = place % LEDGER_REGISTERED_KEYS;
	const size_t at = place / LEDGER_REGISTERED_KEYS;
	const struct row *row = &watch->rows[at];
	switch (watch->step) {
	case STEP_EPOCHS:
		ledger_view_epoch(buf, &watch->who[at].identity);
		return;
	case STEP_KEYS:
		ledger_view_key(buf, &watch->who[at].identity, row->epochs[k]);
		return;
	case STEP_HOLDERS:
		ledger_view_holder(buf, &row->keys[k].key.x);
		return;
	case STEP_ENCLAVES:
		ledger_view_enclave(buf, &row->keys[k].holder.enclave);
		return;
	case STEP_COUNT:
		break;
	}
	cs_assert(false);
}

/* What an enclave signs with, and the register does not have under its epoch, is not registered. */
static void leave_out_strangers(const struct ledger_registered_who *who, struct row *row, size_t k)
{
	if (who->key_count > 0 && !cs_hash_eq(&row->keys[k].key.x, &who->keys[k]))
		row->keys[k] = (struct ledger_registered_key){0};
}

static enum cs_err take(struct ledger_registered_watch *watch, size_t place, struct cs_bytes value)
{
	const size_t k = place % LEDGER_REGISTERED_KEYS;
	const size_t at = place / LEDGER_REGISTERED_KEYS;
	struct row *row = &watch->rows[at];
	switch (watch->step) {
	case STEP_EPOCHS:
		CS_TRY(ledger_read_epoch(&row->epochs[0], value));
		row->epochs[1] = row->epochs[0] > 0 ? row->epochs[0] - 1 : 0;
		return CS_OK;
	case STEP_KEYS:
		CS_TRY(ledger_read_key(&row->keys[k].key, value));
		leave_out_strangers(&watch->who[at], row, k);
		return CS_OK;
	case STEP_HOLDERS:
		return ledger_read_holder(&row->keys[k].holder, value);
	case STEP_ENCLAVES:
		return ledger_read_enclave(&row->keys[k].enclave, value);
	case STEP_COUNT:
		break;
	}
	return CS_ERR_INVALID;
}

/* ---- what it came to ---- */

static const char *of_whom(const struct registration *one)
{
	return one->is_own ? "own" : "remote";
}

static void log_it(const struct registration *one, uint64_t time_s)
{
	const struct ledger_registered *now = &one->now;
	if (now->standing == LEDGER_STANDING_ACTIVE && !one->ends_soon)
		log_info("registration.active", LOG_TEXT("of", of_whom(one)),
			 LOG_TEXT("chain", one->name), LOG_U64("expires_s", now->expires_s));
	else if (now->standing == LEDGER_STANDING_ACTIVE)
		log_warn("registration.ends", LOG_TEXT("of", of_whom(one)),
			 LOG_TEXT("chain", one->name), LOG_U64("expires_s", now->expires_s),
			 LOG_U64("in_s", now->expires_s - time_s),
			 LOG_TEXT("then", "the ledger takes nothing that it signs, unless it is "
					  "registered again before"));
	else
		log_warn("registration.inactive", LOG_TEXT("of", of_whom(one)),
			 LOG_TEXT("chain", one->name),
			 LOG_TEXT("state", ledger_standing_name(now->standing)),
			 LOG_U64("expires_s", now->expires_s));
}

/* What was never registered, and need not be, is nobody's business. */
static void tell_it(const struct ledger_registered_watch *watch, const struct registration *one,
		    bool is_change)
{
	const struct ledger_registered *now = &one->now;
	const bool is_fine = now->standing == LEDGER_STANDING_ACTIVE && !one->ends_soon;
	char until[CS_UTC_SIZE] = "";
	char detail[DETAIL_SIZE];
	if (now->expires_s == 0 && !one->is_needed)
		return;
	log_it(one, watch->time_s);
	if (!watch->tell || (is_fine && !is_change))
		return;
	if (now->expires_s > 0 && now->expires_s <= CS_UTC_SECONDS_MAX)
		cs_utc_write(until, now->expires_s);
	(void)snprintf(detail, sizeof(detail), "%s %s %s%s%s%s", of_whom(one), one->name,
		       ledger_standing_name(now->standing), one->ends_soon ? ", ends soon" : "",
		       until[0] ? ", until " : "", until);
	watch->tell(watch->ctx, detail);
}

static const struct registration *before(const struct ledger_registered_watch *watch,
					 const struct cs_hash *identity)
{
	for (size_t i = 0; i < watch->known_count; i++)
		if (cs_hash_eq(&watch->known[i].identity, identity))
			return &watch->known[i];
	return NULL;
}

/* Told once for each change: of the state, and when the end comes near. */
static void end_look(struct ledger_registered_watch *watch)
{
	struct registration fresh[LEDGER_REGISTERED_MAX];
	uint64_t pause_ms = LEDGER_REGISTERED_LOOK_MS;
	for (size_t i = 0; i < watch->count; i++) {
		const struct ledger_registered_who *who = &watch->who[i];
		const struct registration *was = before(watch, &who->identity);
		struct registration *one = &fresh[i];
		*one = (struct registration){
			.identity = who->identity,
			.is_own = who->key_count > 0,
			.is_needed = who->is_needed,
			.now = ledger_registered_judge(watch->rows[i].keys, watch->time_s)};
		memcpy(one->name, who->name, sizeof(one->name));
		one->ends_soon = ledger_registered_ends_soon(&one->now, watch->time_s);
		if (!was || was->now.standing != one->now.standing ||
		    was->ends_soon != one->ends_soon)
			tell_it(watch, one, was != NULL);
		const uint64_t own_ms = ledger_registered_pause_ms(&one->now, watch->time_s);
		if (own_ms < pause_ms)
			pause_ms = own_ms;
	}
	memcpy(watch->known, fresh, watch->count * sizeof(fresh[0]));
	watch->known_count = watch->count;
	host_timer_start(watch->timer, pause_ms, 0);
}

/* ---- a step ---- */

/* What was known stands: a node that does not answer says nothing of the register. */
static void give_up(struct ledger_registered_watch *watch, enum cs_err err, const char *why)
{
	if (err == CS_ERR_CLOSED)
		return;
	log_debug("registered.not_told", LOG_ERR(err), LOG_TEXT("why", why ? why : ""));
	host_timer_start(watch->timer, LOOK_AGAIN_MS, 0);
}

/* /chain comes first in the first step. */
static enum cs_err take_all(struct ledger_registered_watch *watch,
			    const struct ledger_client_answer *answers, size_t count,
			    const char **why)
{
	const size_t first = watch->step == STEP_EPOCHS;
	for (size_t i = 0; i < count; i++) {
		*why = answers[i].why;
		CS_TRY(answers[i].err);
		if (answers[i].code != 0)
			return CS_ERR_RPC_LIE;
	}
	*why = "an answer of the register that does not read";
	if (count != first + watch->asked_count)
		return CS_ERR_RPC_LIE;
	if (first && answers[0].value.n != LEDGER_CHAIN_ANSWER_SIZE)
		return CS_ERR_RPC_LIE;
	if (first)
		watch->time_s = cs_be64(answers[0].value.p + LEDGER_CHAIN_ANSWER_SIZE - 8);
	for (size_t i = first; i < count; i++)
		CS_TRY(take(watch, watch->asked[i - first], answers[i].value));
	return CS_OK;
}

static void ask(struct ledger_registered_watch *watch, enum step step);

static void came(void *ctx, const struct ledger_client_answer *answers, size_t count)
{
	struct ledger_registered_watch *watch = ctx;
	const char *why = "";
	const enum cs_err err = take_all(watch, answers, count, &why);
	if (err != CS_OK)
		give_up(watch, err, why);
	else
		ask(watch, (enum step)(watch->step + 1));
}

/* Views of the watch's own buffers. */
static size_t list_questions(struct ledger_registered_watch *watch,
			     struct ledger_client_query *queries)
{
	size_t n = 0;
	watch->asked_count = 0;
	if (watch->step == STEP_EPOCHS)
		queries[n++] = (struct ledger_client_query){.path = "/chain"};
	for (size_t place = 0; place < watch->count * LEDGER_REGISTERED_KEYS; place++) {
		struct cs_buf buf;
		if (!is_wanted(watch, place))
			continue;
		cs_buf_init(&buf, watch->data[watch->asked_count], LEDGER_VIEW_SIZE_MAX);
		put_view(watch, &buf, place);
		watch->asked[watch->asked_count++] = place;
		queries[n++] =
			(struct ledger_client_query){.path = "/call", .data = cs_buf_view(&buf)};
	}
	return n;
}

/* From this step on the first one that has something to ask, or the end. */
static void ask(struct ledger_registered_watch *watch, enum step step)
{
	static struct ledger_client_query queries[1 + PLACES];
	size_t n = 0;
	for (watch->step = step; watch->step < STEP_COUNT;
	     watch->step = (enum step)(watch->step + 1)) {
		n = list_questions(watch, queries);
		if (n > 0)
			break;
	}
	if (n == 0) {
		end_look(watch);
		return;
	}
	const enum cs_err err = ledger_client_query(watch->client, 0, queries, n, came, watch);
	if (err != CS_OK)
		give_up(watch, err, "no node answers");
}

static void look(void *context)
{
	struct ledger_registered_watch *watch = context;
	watch->count = watch->list(watch->ctx, watch->who);
	if (watch->count == 0) {
		host_timer_start(watch->timer, LOOK_AGAIN_MS, 0);
		return;
	}
	cs_assert(watch->count <= LEDGER_REGISTERED_MAX);
	for (size_t i = 0; i < watch->count; i++) {
		const struct ledger_registered_who *who = &watch->who[i];
		watch->rows[i] = (struct row){.epochs = {0}};
		for (size_t k = 0; k < who->key_count; k++)
			watch->rows[i].epochs[k] = who->epochs[k];
	}
	ask(watch, STEP_EPOCHS);
}

struct ledger_registered_watch *ledger_registered_watch_new(struct host_loop *loop,
							    struct ledger_client *client,
							    ledger_registered_list *list,
							    ledger_registered_tell *tell, void *ctx)
{
	struct ledger_registered_watch *watch = host_calloc(1, sizeof(*watch));
	watch->client = client;
	watch->list = list;
	watch->tell = tell;
	watch->ctx = ctx;
	watch->timer = host_timer_new(loop, look, watch);
	host_timer_start(watch->timer, 0, 0);
	return watch;
}

void ledger_registered_watch_free(struct ledger_registered_watch *watch)
{
	if (!watch)
		return;
	host_timer_free(watch->timer);
	free(watch);
}

/* ---- for people and Prometheus ---- */

/* As `evidence_kind` of a registration's file (docs/ledger.md). */
static const char *evidence_name(uint8_t kind)
{
	static const char *const names[] = {"administrators", "sgx", "tdx", "snp", "tpm"};
	return kind < CS_LEN(names) ? names[kind] : "unknown";
}

static json_t *one_json(const struct registration *one)
{
	const struct ledger_registered *now = &one->now;
	const bool was = now->expires_s != 0;
	json_t *json = json_object();
	json_object_set_new(json, "of", json_string(of_whom(one)));
	json_object_set_new(json, "chain", json_string(one->name));
	json_object_set_new(json, "state", json_string(ledger_standing_name(now->standing)));
	json_object_set_new(json, "needed", json_boolean(one->is_needed));
	json_object_set_new(json, "expires_s", was ? host_json_u64(now->expires_s) : json_null());
	json_object_set_new(json, "enclave", was ? host_json_hash(&now->enclave) : json_null());
	json_object_set_new(json, "evidence",
			    was ? json_string(evidence_name(now->evidence_kind)) : json_null());
	return json;
}

json_t *ledger_registered_json(const struct ledger_registered_watch *watch)
{
	json_t *list = json_array();
	for (size_t i = 0; watch && i < watch->known_count; i++)
		json_array_append_new(list, one_json(&watch->known[i]));
	return list;
}

static void gauge(struct host_metrics *metrics, const char *name, const char *help,
		  const struct registration *one, double value)
{
	const struct host_metric_spec spec = {
		.name = name,
		.kind = HOST_METRIC_GAUGE,
		.help = help,
		.labels = {{"of", of_whom(one)}, {"chain", one->name}}};
	host_metric_set(host_metrics_series(metrics, &spec), value);
}

/* Of what was never registered, and need not be, there is no series: nobody is to be woken for it. */
void ledger_registered_collect(const struct ledger_registered_watch *watch,
			       struct host_metrics *metrics)
{
	host_metrics_clear(metrics, ACTIVE);
	host_metrics_clear(metrics, EXPIRES);
	for (size_t i = 0; watch && i < watch->known_count; i++) {
		const struct registration *one = &watch->known[i];
		if (one->now.expires_s == 0 && !one->is_needed)
			continue;
		gauge(metrics, ACTIVE, "1: the ledger's register lets a key of this enclave count.",
		      one, one->now.standing == LEDGER_STANDING_ACTIVE);
		if (one->now.expires_s != 0)
			gauge(metrics, EXPIRES,
			      "When the enclave's registration on the ledger ends, or has ended.",
			      one, (double)one->now.expires_s);
	}
}
