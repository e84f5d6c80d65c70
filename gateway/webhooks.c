#include "gateway/webhooks.h"

#include "gateway/postpone.h"
#include "host/alloc.h"
#include "host/networks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Events that are looked at for a webhook in one turn. */
#define EVENTS_AT_ONCE 64u
/* So many that were not wanted are looked at again after a crash. */
#define UNSAVED_MAX 256u
/* What a receiver answers is nothing to us. */
#define ANSWER_SIZE_MAX (64u * 1024)
#define STATUS_GONE 410

struct hook {
	struct gateway *gateway;
	struct gateway_webhook row;
	uint64_t
		seen; /* events up to it are delivered or not wanted; the row's cursor may be behind */
	bool may_have_again; /* the log may name an event that is wanted again */
	uint64_t call;       /* in flight; 0: nothing is */
	bool again;          /* what is in flight */
	struct gateway_delivery delivery;
};

struct gateway_webhooks {
	struct host_http_client *http;
	bool has_key;
	struct cs_secret key; /* of all secrets */
	uint64_t delivered;   /* since the start */
	uint64_t failed;
	size_t count;
	struct hook *hooks[GATEWAY_WEBHOOKS_MAX];
};

/* ---- the next event ---- */

struct looking {
	struct hook *hook;
	uint64_t at; /* the event before */
	bool again;  /* this event, whatever the filter says now */
	bool lost;   /* the journal does not have what follows */
	char *body;  /* of the first that is wanted; malloc'd */
	struct host_trace trace;
	enum cs_err err;
	struct gateway_delivery found;
};

static json_t *time_json(uint64_t time_ms)
{
	struct tm tm;
	const time_t s = (time_t)(time_ms / 1000);
	char text[32];
	if (!gmtime_r(&s, &tm))
		return json_null();
	const size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return json_sprintf("%.*s.%03uZ", (int)n, text, (unsigned)(time_ms % 1000));
}

static char *body_of(const struct gateway_event *event, const char *type)
{
	json_t *json = json_object();
	json_object_set_new(json, "type", json_string(type));
	json_object_set_new(json, "timestamp", time_json(event->time_ms));
	json_object_set_new(json, "data", gateway_event_json(event));
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	cs_assert(text != NULL);
	return text;
}

/* Of the message, or of the request that became none. */
static void trace_of(struct gateway_journal *journal, const struct gateway_event *event,
		     struct host_trace *trace)
{
	struct gateway_message message;
	struct gateway_request request;
	host_trace_read(trace, NULL, NULL);
	if (event->side != 0) {
		if (gateway_journal_find(journal, &event->id, event->side, &message) == CS_OK)
			gateway_journal_trace(journal, message.n, trace);
	} else if (strcmp(event->kind, GATEWAY_EVENT_REQUEST_FAILED) == 0 && event->detail) {
		char id[sizeof(request.id)];
		snprintf(id, sizeof(id), "%.*s", (int)strcspn(event->detail, " "), event->detail);
		if (gateway_journal_request(journal, id, &request) == CS_OK)
			*trace = request.trace;
	}
}

static void look(void *ctx, const struct gateway_event *event)
{
	struct looking *l = ctx;
	bool wants = true;
	if (l->body || l->lost || l->err != CS_OK)
		return;
	l->lost = event->n != l->at + 1;
	if (l->lost)
		return;
	if (!l->again)
		l->err = gateway_webhook_wants(l->hook->gateway->journal, &l->hook->row.filter,
					       event, &wants);
	if (l->err != CS_OK)
		return;
	if (!wants) {
		l->at = event->n;
		return;
	}
	l->found.event = event->n;
	gateway_event_type(l->found.type, event);
	l->body = body_of(event, l->found.type);
	trace_of(l->hook->gateway->journal, event, &l->trace);
}

static enum cs_err look_from(struct looking *l, struct hook *hook, uint64_t after, bool again)
{
	uint64_t last = after;
	*l = (struct looking){.hook = hook, .at = after, .again = again};
	CS_TRY(gateway_journal_events(hook->gateway->journal, after, again ? 1 : EVENTS_AT_ONCE,
				      look, l, &last));
	return l->err;
}

/* ---- the end of an attempt ---- */

struct settling {
	struct hook *hook;
	struct gateway_webhook row; /* as it will be */
	const char *event;          /* detail of webhook.disabled; NULL: it is not */
};

static enum cs_err write_row(void *context)
{
	const struct settling *s = context;
	struct gateway_journal *journal = s->hook->gateway->journal;
	if (s->event)
		CS_TRY(gateway_journal_event(journal, "webhook.disabled", NULL, s->event));
	return gateway_journal_save_webhook(journal, &s->row);
}

static enum cs_err write_attempt(void *context)
{
	const struct settling *s = context;
	CS_TRY(gateway_journal_log_delivery(s->hook->gateway->journal, s->row.n,
					    &s->hook->delivery));
	return write_row(context);
}

static enum cs_err save(struct settling *s, host_store_writer *write)
{
	struct hook *hook = s->hook;
	CS_TRY(gateway_write(hook->gateway, write, s));
	hook->row = s->row;
	if (hook->seen < hook->row.cursor)
		hook->seen = hook->row.cursor;
	return CS_OK;
}

/* Every reader of events sees why, so it names neither the receiver nor what it said. */
static void disable(struct settling *s, char *detail, size_t size, const char *why)
{
	s->row.disabled = true;
	snprintf(detail, size, "%s: %s", s->row.id, why);
	s->event = detail;
	log_warn("webhook.disabled", LOG_TEXT("id", s->row.id), LOG_TEXT("why", why));
}

static uint64_t pause_ms(const struct gateway_webhooks_config *config, uint32_t failures)
{
	uint64_t pause = config->retry_min_ms;
	for (uint32_t i = 1; i < failures && pause < config->retry_max_ms; i++)
		pause *= 2;
	if (pause > config->retry_max_ms)
		pause = config->retry_max_ms;
	return gateway_pause_drawn(pause);
}

static void fail(struct settling *s, char *detail, size_t size)
{
	const struct gateway_webhooks_config *config = &s->hook->gateway->config.webhooks;
	char why[80];
	s->row.failures++;
	s->row.next_ms = host_wall_ms() + pause_ms(config, s->row.failures);
	snprintf(s->row.why, sizeof(s->row.why), "%s", s->hook->delivery.why);
	if (s->hook->delivery.status == STATUS_GONE) {
		disable(s, detail, size, "its receiver said that it is gone for good (410)");
	} else if (s->row.failures >= config->attempts_max) {
		snprintf(why, sizeof(why), "%u attempts of event %llu failed", s->row.failures,
			 (unsigned long long)s->hook->delivery.event);
		disable(s, detail, size, why);
	}
}

static void settle(struct hook *hook, enum cs_err err, int status, const char *why)
{
	struct settling s = {.hook = hook, .row = hook->row};
	struct gateway_webhooks *all = hook->gateway->webhooks;
	char detail[GATEWAY_WHY_MAX + 1];
	char text[GATEWAY_WHY_MAX + 1];
	hook->delivery.delivered = err == CS_OK && status >= 200 && status < 300;
	hook->delivery.status = status;
	hook->delivery.last_ms = host_wall_ms();
	if (err == CS_OK)
		snprintf(text, sizeof(text), "status %d", status);
	else
		snprintf(text, sizeof(text), "%s: %s", cs_err_name(err), why);
	hook->delivery.why[0] = 0;
	if (!hook->delivery.delivered)
		host_plain_text(hook->delivery.why, sizeof(hook->delivery.why), text, sizeof(text));
	all->delivered += hook->delivery.delivered;
	all->failed += !hook->delivery.delivered;
	if (hook->delivery.delivered && !hook->again) {
		s.row.cursor = hook->delivery.event;
		s.row.failures = 0;
		s.row.next_ms = 0;
		s.row.why[0] = 0;
	} else if (!hook->again) {
		fail(&s, detail, sizeof(detail));
	}
	if (save(&s, write_attempt) != CS_OK)
		log_error("webhook.not_noted", LOG_TEXT("id", hook->row.id));
}

static void on_answer(void *context, const struct host_http_response *response)
{
	struct hook *hook = context;
	hook->call = 0;
	settle(hook, response->err, response->status, response->why);
}

/* ---- an attempt ---- */

static void sign(struct hook *hook, char signatures[2 * HOST_WEBHOOK_SIGNATURE_SIZE],
		 const char *id, uint64_t now_s, struct cs_bytes body)
{
	const struct gateway_webhooks *all = hook->gateway->webhooks;
	const bool both = hook->row.secret > 1 && host_wall_ms() < hook->row.old_until_ms;
	struct cs_secret secret;
	for (uint32_t i = 0; i <= both; i++) {
		char *at = signatures + i * HOST_WEBHOOK_SIGNATURE_SIZE;
		host_webhook_derive(&secret, &all->key, hook->row.id, hook->row.secret - i);
		host_webhook_sign(at, CS_BYTES_OF(secret.b), id, now_s, body);
		if (i == 1)
			at[-1] = ' ';
	}
	cs_wipe(&secret, sizeof(secret));
}

/* Takes body. */
static void send(struct hook *hook, char *body, const struct host_trace *trace, bool again)
{
	struct gateway_webhooks *all = hook->gateway->webhooks;
	const uint64_t now_s = host_wall_ms() / 1000;
	char id[64];
	char time[24];
	char signatures[2 * HOST_WEBHOOK_SIGNATURE_SIZE];
	/* The same at every attempt: what a receiver knows an event by. */
	snprintf(id, sizeof(id), "msg_%s_%llu", hook->row.id + 3,
		 (unsigned long long)hook->delivery.event);
	snprintf(time, sizeof(time), "%llu", (unsigned long long)now_s);
	sign(hook, signatures, id, now_s, cs_bytes_str(body));
	const struct host_http_request request = {
		.method = "POST",
		.url = hook->row.url,
		.headers = {{"Content-Type", "application/json"},
			    {"webhook-id", id},
			    {"webhook-timestamp", time},
			    {"webhook-signature", signatures},
			    {trace->parent[0] ? "traceparent" : NULL, trace->parent},
			    {trace->state[0] ? "tracestate" : NULL, trace->state}},
		.body = cs_bytes_str(body),
		.timeout_ms = hook->gateway->config.webhooks.timeout_ms,
		.response_size_max = ANSWER_SIZE_MAX};
	hook->again = again;
	const enum cs_err err = host_http_send(all->http, &hook->call, &request, on_answer, hook);
	free(body);
	if (err != CS_OK)
		settle(hook, err, 0, cs_err_sentence(err));
}

/* False: nobody wants anything again. */
static bool pump_again(struct hook *hook)
{
	struct looking l;
	uint64_t event = 0;
	if (!hook->may_have_again)
		return false;
	if (gateway_journal_wanted_again(hook->gateway->journal, hook->row.n, &event) != CS_OK)
		return true;
	hook->may_have_again = event != 0;
	if (event == 0 || look_from(&l, hook, event - 1, true) != CS_OK)
		return event != 0;
	hook->delivery = l.found;
	hook->delivery.event = event;
	if (l.body) {
		send(hook, l.body, &l.trace, true);
	} else {
		hook->again = true;
		settle(hook, CS_ERR_CONFLICT, 0, "the journal no longer keeps this event");
	}
	return true;
}

static void lose(struct hook *hook)
{
	struct settling s = {.hook = hook, .row = hook->row};
	char detail[GATEWAY_WHY_MAX + 1];
	char why[80];
	snprintf(why, sizeof(why), "the journal no longer keeps the events after %llu",
		 (unsigned long long)hook->seen);
	snprintf(s.row.why, sizeof(s.row.why), "%s", why);
	disable(&s, detail, sizeof(detail), why);
	if (save(&s, write_row) != CS_OK)
		log_error("webhook.not_noted", LOG_TEXT("id", hook->row.id));
}

static void pump_hook(struct hook *hook)
{
	struct gateway *gateway = hook->gateway;
	struct looking l;
	const uint64_t now = host_wall_ms();
	if (hook->call || hook->row.disabled || !gateway_webhook_has_owner(gateway, &hook->row) ||
	    pump_again(hook))
		return;
	/* A clock that went back makes nobody wait longer than the longest pause. */
	if (now < hook->row.next_ms &&
	    hook->row.next_ms - now <= gateway->config.webhooks.retry_max_ms)
		return;
	const uint64_t before = hook->seen;
	if (look_from(&l, hook, before, false) != CS_OK)
		return;
	hook->seen = l.at;
	if (l.lost) {
		lose(hook);
	} else if (l.body) {
		hook->delivery = l.found;
		send(hook, l.body, &l.trace, false);
	} else if (hook->seen - hook->row.cursor >= UNSAVED_MAX) {
		struct settling s = {.hook = hook, .row = hook->row};
		s.row.cursor = hook->seen;
		(void)!save(&s, write_row);
	}
	if (hook->seen == before + EVENTS_AT_ONCE)
		gateway_wake(gateway);
}

void gateway_webhooks_pump(struct gateway *gateway)
{
	struct gateway_webhooks *all = gateway->webhooks;
	for (size_t i = 0; all && i < all->count; i++)
		pump_hook(all->hooks[i]);
}

/* ---- for the routes ---- */

static struct hook *hook_of(const struct gateway *gateway, const struct gateway_webhook *webhook)
{
	for (size_t i = 0; i < gateway->webhooks->count; i++)
		if (&gateway->webhooks->hooks[i]->row == webhook)
			return gateway->webhooks->hooks[i];
	cs_bug("a webhook that is not there", __FILE__, __LINE__);
}

static enum cs_err on_disk(struct gateway *gateway)
{
	return host_store_flush(gateway_journal_store(gateway->journal));
}

const struct gateway_webhook *gateway_webhook_at(const struct gateway *gateway, size_t index)
{
	const struct gateway_webhooks *all = gateway->webhooks;
	return index < all->count ? &all->hooks[index]->row : NULL;
}

bool gateway_webhook_has_owner(const struct gateway *gateway, const struct gateway_webhook *webhook)
{
	for (uint32_t i = 0; i < gateway->keys.count; i++)
		if (strcmp(gateway->keys.keys[i].name, webhook->owner) == 0)
			return (gateway->keys.keys[i].scopes & GATEWAY_SCOPE_WEBHOOK) != 0;
	return false;
}

enum cs_err gateway_webhook_url_check(const struct gateway *gateway, const char *url,
				      struct cs_why *why)
{
	const struct gateway_webhooks_config *config = &gateway->config.webhooks;
	char host[256];
	bool https = false;
	if (strlen(url) > GATEWAY_WEBHOOK_URL_MAX)
		return cs_fail(why, CS_ERR_INVALID, "url: longer than %u characters",
			       GATEWAY_WEBHOOK_URL_MAX);
	/* Spaces, line breaks and what else is no URL (RFC 3986, 2). */
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p > '~')
			return cs_fail(why, CS_ERR_MALFORMED, "url: not a URL");
	if (host_http_url_parts(url, &https, host, sizeof(host)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED,
			       "url: not an https URL without user and password");
	if (!https && !config->insecure_http)
		return cs_fail(why, CS_ERR_INVALID,
			       "url: not https, and webhooks.insecure_http is off");
	if (!host_networks_allow_text(&config->networks, host))
		return cs_fail(why, CS_ERR_FORBIDDEN,
			       "url: an address that is not public, and that is not configured");
	return CS_OK;
}

static bool random_id(char id[GATEWAY_WEBHOOK_ID_SIZE])
{
	uint8_t random[12];
	memcpy(id, "wh_", 3);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	cs_hex(id + 3, CS_BYTES_OF(random));
	return true;
}

static enum cs_err find_key(struct gateway *gateway, struct cs_why *why)
{
	struct gateway_webhooks *all = gateway->webhooks;
	if (all->has_key)
		return CS_OK;
	CS_TRY(host_keyfile_make(&all->key, gateway->config.webhooks.key_file, why));
	all->has_key = true;
	return CS_OK;
}

static void secret_text(const struct hook *hook, char text[HOST_WEBHOOK_SECRET_TEXT_SIZE])
{
	struct cs_secret secret;
	host_webhook_derive(&secret, &hook->gateway->webhooks->key, hook->row.id, hook->row.secret);
	host_webhook_secret_text(text, &secret);
	cs_wipe(&secret, sizeof(secret));
}

static enum cs_err has_room(const struct gateway *gateway, const char *owner, struct cs_why *why)
{
	const struct gateway_webhooks *all = gateway->webhooks;
	size_t own = 0;
	for (size_t i = 0; i < all->count; i++)
		own += strcmp(all->hooks[i]->row.owner, owner) == 0;
	if (own >= GATEWAY_WEBHOOKS_PER_KEY_MAX)
		return cs_fail(why, CS_ERR_CONFLICT, "an API key has %u webhooks at most",
			       GATEWAY_WEBHOOKS_PER_KEY_MAX);
	if (all->count == GATEWAY_WEBHOOKS_MAX)
		return cs_fail(why, CS_ERR_CONFLICT, "there are %u webhooks, no more fit",
			       GATEWAY_WEBHOOKS_MAX);
	return CS_OK;
}

static enum cs_err write_new(void *context)
{
	struct hook *hook = context;
	return gateway_journal_add_webhook(hook->gateway->journal, &hook->row);
}

static struct hook *hook_new(struct gateway *gateway, const struct gateway_webhook *row)
{
	struct hook *hook = host_alloc(sizeof(*hook));
	hook->gateway = gateway;
	hook->row = *row;
	hook->seen = row->cursor;
	return hook;
}

enum cs_err gateway_webhook_add(struct gateway *gateway, const struct gateway_webhook *wanted,
				const struct gateway_webhook **made,
				char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE], struct cs_why *why)
{
	struct gateway_webhooks *all = gateway->webhooks;
	CS_TRY(has_room(gateway, wanted->owner, why));
	CS_TRY(find_key(gateway, why));
	struct hook *hook = hook_new(gateway, wanted);
	hook->row.secret = 1;
	hook->row.created_ms = host_wall_ms();
	enum cs_err err =
		random_id(hook->row.id) ? gateway_write(gateway, write_new, hook) : CS_ERR_IO;
	if (err == CS_OK)
		err = on_disk(gateway);
	if (err != CS_OK) {
		free(hook);
		return err;
	}
	all->hooks[all->count++] = hook;
	secret_text(hook, secret);
	*made = &hook->row;
	gateway_wake(gateway);
	return CS_OK;
}

static enum cs_err write_end(void *context)
{
	const struct hook *hook = context;
	return gateway_journal_remove_webhook(hook->gateway->journal, hook->row.n);
}

enum cs_err gateway_webhook_remove(struct gateway *gateway, const struct gateway_webhook *webhook)
{
	struct gateway_webhooks *all = gateway->webhooks;
	struct hook *hook = hook_of(gateway, webhook);
	size_t i = 0;
	CS_TRY(gateway_write(gateway, write_end, hook));
	while (all->hooks[i] != hook)
		i++;
	memmove(&all->hooks[i], &all->hooks[i + 1], (all->count - i - 1) * sizeof(struct hook *));
	all->count--;
	if (hook->call)
		(void)host_http_cancel(all->http, hook->call);
	free(hook);
	return on_disk(gateway);
}

enum cs_err gateway_webhook_enable(struct gateway *gateway, const struct gateway_webhook *webhook,
				   const uint64_t *cursor)
{
	struct hook *hook = hook_of(gateway, webhook);
	struct settling s = {.hook = hook, .row = hook->row};
	if (hook->call) /* what is under way would move the cursor back */
		(void)host_http_cancel(gateway->webhooks->http, hook->call);
	hook->call = 0;
	s.row.disabled = false;
	s.row.failures = 0;
	s.row.next_ms = 0;
	s.row.why[0] = 0;
	s.row.cursor = cursor ? *cursor : s.row.cursor;
	CS_TRY(save(&s, write_row));
	hook->seen = hook->row.cursor;
	return on_disk(gateway);
}

enum cs_err gateway_webhook_rotate(struct gateway *gateway, const struct gateway_webhook *webhook,
				   char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE])
{
	struct hook *hook = hook_of(gateway, webhook);
	struct settling s = {.hook = hook, .row = hook->row};
	if (s.row.secret == UINT32_MAX)
		return CS_ERR_OVERFLOW;
	s.row.secret++;
	s.row.old_until_ms = host_wall_ms() + 1000ull * gateway->config.webhooks.overlap_s;
	CS_TRY(save(&s, write_row));
	CS_TRY(on_disk(gateway));
	secret_text(hook, secret);
	return CS_OK;
}

struct wanting {
	struct hook *hook;
	uint64_t event;
};

static enum cs_err write_again(void *context)
{
	const struct wanting *w = context;
	return gateway_journal_deliver_again(w->hook->gateway->journal, w->hook->row.n, w->event);
}

enum cs_err gateway_webhook_again(struct gateway *gateway, const struct gateway_webhook *webhook,
				  uint64_t event, struct cs_why *why)
{
	struct wanting wanting = {hook_of(gateway, webhook), event};
	uint64_t first = 0;
	uint64_t last = 0;
	if (webhook->disabled)
		return cs_fail(why, CS_ERR_CONFLICT, "the webhook is disabled");
	CS_TRY(gateway_journal_events_span(gateway->journal, &first, &last));
	if (event < first)
		return cs_fail(why, CS_ERR_CONFLICT, "the journal no longer keeps this event");
	const enum cs_err err = gateway_write(gateway, write_again, &wanting);
	if (err == CS_ERR_NOT_FOUND)
		return cs_fail(why, err, "its log has no such event");
	CS_TRY(err);
	wanting.hook->may_have_again = true;
	return on_disk(gateway);
}

/* ---- the whole ---- */

static bool is_allowed(void *context, const struct sockaddr *address)
{
	const struct gateway *gateway = context;
	return host_networks_allow(&gateway->config.webhooks.networks, address);
}

static enum cs_err load_key(struct gateway *gateway, struct cs_why *why)
{
	struct gateway_webhooks *all = gateway->webhooks;
	const char *path = gateway->config.webhooks.key_file;
	if (access(path, F_OK) != 0 && errno == ENOENT && all->count == 0)
		return CS_OK;
	if (access(path, F_OK) != 0)
		return cs_fail(
			why, CS_ERR_INVALID,
			"webhooks.key_file: %s is missing, and the secrets of webhooks in the "
			"journal come from it",
			path);
	CS_TRY(host_keyfile_load(&all->key, path, why));
	all->has_key = true;
	return CS_OK;
}

enum cs_err gateway_webhooks_start(struct gateway *gateway, struct cs_why *why)
{
	const struct gateway_webhooks_config *config = &gateway->config.webhooks;
	const struct host_http_client_options options = {.calls_max = GATEWAY_WEBHOOKS_MAX,
							 .connections_per_host_max =
								 GATEWAY_WEBHOOKS_MAX,
							 .ca_file = config->ca_file,
							 .allowed = is_allowed,
							 .allowed_context = gateway};
	struct gateway_webhook *rows = host_calloc(GATEWAY_WEBHOOKS_MAX, sizeof(*rows));
	struct gateway_webhooks *all = host_alloc(sizeof(*all));
	size_t count = 0;
	gateway->webhooks = all;
	enum cs_err err =
		gateway_journal_webhooks(gateway->journal, rows, GATEWAY_WEBHOOKS_MAX, &count);
	for (size_t i = 0; i < count && err == CS_OK; i++) {
		all->hooks[all->count] = hook_new(gateway, &rows[i]);
		all->hooks[all->count++]->may_have_again = true;
	}
	free(rows);
	if (err != CS_OK)
		return cs_fail(why, err, "the journal's webhooks cannot be read");
	CS_TRY(load_key(gateway, why));
	all->http = host_http_client_new(gateway->loop, &options);
	if (config->insecure_http)
		log_warn("webhooks.insecure_http",
			 LOG_TEXT("why", "INSECURE: receivers without TLS are taken"));
	return CS_OK;
}

void gateway_webhooks_stop(struct gateway *gateway)
{
	struct gateway_webhooks *all = gateway->webhooks;
	if (!all)
		return;
	host_http_client_free(all->http);
	for (size_t i = 0; i < all->count; i++)
		free(all->hooks[i]);
	cs_wipe(&all->key, sizeof(all->key));
	free(all);
	gateway->webhooks = NULL;
}

enum cs_err gateway_webhooks_tidy(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->webhooks->count; i++)
		CS_TRY(gateway_journal_prune_deliveries(gateway->journal,
							gateway->webhooks->hooks[i]->row.n));
	return CS_OK;
}

/* ---- figures ---- */

static struct host_metric *metric(struct gateway *gateway, enum host_metric_kind kind,
				  const char *name, const char *help, const char *label,
				  const char *value)
{
	struct host_metric_spec spec = {.name = name, .kind = kind, .help = help};
	if (label)
		spec.labels[0] = (struct host_metric_label){label, value};
	return host_metrics_series(gateway->metrics, &spec);
}

#define COUNT_HELP "Webhooks by state; an orphaned one's API key is gone."
#define ATTEMPTS_HELP "Attempts to deliver an event to a webhook, by outcome, since the start."

static void count_attempts(struct gateway *gateway, const char *outcome, uint64_t value)
{
	struct host_metric *m =
		metric(gateway, HOST_METRIC_COUNTER, "caisson_webhook_attempts_total",
		       ATTEMPTS_HELP, "outcome", outcome);
	host_metric_add(m, value - (uint64_t)host_metric_value(m));
}

void gateway_webhooks_collect(struct gateway *gateway)
{
	static const char *const names[] = {"active", "disabled", "orphaned"};
	const struct gateway_webhooks *all = gateway->webhooks;
	uint64_t first = 0;
	uint64_t last = 0;
	uint64_t behind = 0;
	size_t counts[CS_LEN(names)] = {0};
	if (gateway_journal_events_span(gateway->journal, &first, &last) != CS_OK)
		return;
	for (size_t i = 0; i < all->count; i++) {
		const struct hook *hook = all->hooks[i];
		const size_t state = hook->row.disabled                               ? 1
				     : gateway_webhook_has_owner(gateway, &hook->row) ? 0
										      : 2;
		counts[state]++;
		if (state == 0 && last > hook->seen && last - hook->seen > behind)
			behind = last - hook->seen;
	}
	for (size_t i = 0; i < CS_LEN(names); i++)
		host_metric_set(metric(gateway, HOST_METRIC_GAUGE, "caisson_webhooks", COUNT_HELP,
				       "state", names[i]),
				(double)counts[i]);
	host_metric_set(metric(gateway, HOST_METRIC_GAUGE, "caisson_webhook_behind_events",
			       "Events between the newest and the active webhook that is furthest "
			       "behind.",
			       NULL, NULL),
			(double)behind);
	count_attempts(gateway, "delivered", all->delivered);
	count_attempts(gateway, "failed", all->failed);
}
