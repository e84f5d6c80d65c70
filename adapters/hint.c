#include "adapters/hint.h"

#include "host/alloc.h"
#include "host/url.h"
#include "host/ws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_MIN_MS 250
#define RECONNECT_MAX_MS 15000
/* Heads that polling found since the last message, from which on a websocket counts as dead. */
#define SILENT_HEADS_MAX 4
/* So long another than the first of the list is listened to, before the first is tried again. */
#define RETURN_MS 60000

struct adapter_hint {
	struct adapter_hint_config config;
	struct adapter_hint_counters counters;
	struct host_loop *loop;
	struct host_ws_client *client;
	struct host_timer *timer;
	struct host_timer *back;
	struct adapter_endpoint public[ADAPTER_HINTS_MAX];
	char *origins[ADAPTER_HINTS_MAX];
	size_t at;
	unsigned pause_ms;
	unsigned heads_since;
	bool subscribed;
};

static void connect_next(void *context);

static void set_state(struct adapter_hint *hint, enum adapter_endpoint_state state, const char *why)
{
	struct adapter_endpoint *endpoint = &hint->public[hint->at];

	snprintf(endpoint->why, sizeof(endpoint->why), "%.119s", why);
	host_url_hide(endpoint->why, hint->config.ws[hint->at]);
	if (endpoint->state == state)
		return;
	endpoint->state = state;
	hint->config.changed(hint->config.ctx, endpoint);
}

/* The next one of the list after a pause that doubles. */
static void reconnect(struct adapter_hint *hint, const char *why)
{
	hint->public[hint->at].errors++;
	set_state(hint, ADAPTER_ENDPOINT_FAILING, why);
	hint->at = (hint->at + 1) % hint->config.ws_count;
	host_timer_start(hint->timer, hint->pause_ms, 0);
	hint->pause_ms =
		hint->pause_ms * 2 < RECONNECT_MAX_MS ? hint->pause_ms * 2 : RECONNECT_MAX_MS;
}

static void opened(void *context)
{
	struct adapter_hint *hint = context;

	hint->counters.connects++;
	hint->public[hint->at].requests++;
	hint->heads_since = 0;
	if (host_ws_client_send(hint->client, cs_bytes_str(hint->config.request)) != CS_OK) {
		host_ws_client_free(hint->client);
		hint->client = NULL;
		reconnect(hint, "the subscription could not be sent");
	}
}

static void message(void *context, struct cs_bytes text)
{
	struct adapter_hint *hint = context;

	switch (hint->config.read(text)) {
	case ADAPTER_HINT_LIE:
		hint->public[hint->at].lies++;
		hint->public[hint->at].errors++;
		break;
	case ADAPTER_HINT_REFUSED:
		hint->public[hint->at].errors++;
		break;
	case ADAPTER_HINT_ACCEPTED:
		hint->subscribed = true;
		hint->pause_ms = RECONNECT_MIN_MS;
		set_state(hint, ADAPTER_ENDPOINT_OK, "");
		if (hint->at > 0)
			host_timer_start(hint->back, RETURN_MS, 0);
		/* What happened while it was away, up to here: what comes now is told. */
		hint->config.news(hint->config.ctx);
		break;
	case ADAPTER_HINT_NEWS:
		hint->heads_since = 0;
		hint->counters.hints++;
		hint->config.news(hint->config.ctx);
		break;
	case ADAPTER_HINT_OTHER:
		break;
	}
}

static void closed(void *context, enum cs_err err, const char *why)
{
	struct adapter_hint *hint = context;

	(void)err;
	hint->client = NULL;
	hint->subscribed = false;
	reconnect(hint, why);
}

static void connect_next(void *context)
{
	static const struct host_ws_client_events events = {
		.opened = opened, .message = message, .closed = closed};
	struct adapter_hint *hint = context;
	struct host_ws_client_options options = {
		.url = hint->config.ws[hint->at],
		.message_size_max = ADAPTER_HINT_SIZE_MAX,
	};
	struct cs_why why = {""};

	if (host_ws_client_open(&hint->client, hint->loop, &options, &events, hint, &why) !=
	    CS_OK) {
		hint->client = NULL;
		reconnect(hint, why.text);
	}
}

/* To the first of the list, which may be well again. While none is there the list comes round by itself. */
static void go_back(void *context)
{
	struct adapter_hint *hint = context;

	if (hint->client == NULL || hint->at == 0)
		return;
	host_ws_client_free(hint->client);
	hint->client = NULL;
	hint->subscribed = false;
	hint->at = 0;
	connect_next(hint);
}

void adapter_hint_saw_head(struct adapter_hint *hint)
{
	if (hint->client == NULL || !hint->subscribed || ++hint->heads_since < SILENT_HEADS_MAX)
		return;
	host_ws_client_free(hint->client);
	hint->client = NULL;
	hint->subscribed = false;
	hint->counters.silent++;
	reconnect(hint, "it says nothing while blocks come");
}

bool adapter_hint_is_alive(const struct adapter_hint *hint)
{
	return hint->client != NULL && hint->subscribed && hint->heads_since <= 1;
}

size_t adapter_hint_endpoint_count(const struct adapter_hint *hint)
{
	return hint->config.ws_count;
}

const struct adapter_endpoint *adapter_hint_endpoint(const struct adapter_hint *hint, size_t index)
{
	return &hint->public[index];
}

struct adapter_hint_counters adapter_hint_counters(const struct adapter_hint *hint)
{
	return hint->counters;
}

struct adapter_hint *adapter_hint_new(struct host_loop *loop,
				      const struct adapter_hint_config *config)
{
	struct adapter_hint *hint = host_alloc(sizeof(*hint));

	cs_assert(config->ws_count <= ADAPTER_HINTS_MAX);
	hint->config = *config;
	hint->loop = loop;
	hint->pause_ms = RECONNECT_MIN_MS;
	hint->timer = host_timer_new(loop, connect_next, hint);
	hint->back = host_timer_new(loop, go_back, hint);
	for (size_t i = 0; i < config->ws_count; i++) {
		hint->origins[i] = host_url_origin(config->ws[i]);
		hint->public[i] =
			(struct adapter_endpoint){.url = hint->origins[i], .websocket = true};
	}
	return hint;
}

void adapter_hint_start(struct adapter_hint *hint)
{
	if (hint->config.ws_count > 0)
		host_timer_start(hint->timer, 0, 0);
}

void adapter_hint_free(struct adapter_hint *hint)
{
	if (hint == NULL)
		return;
	host_ws_client_free(hint->client);
	host_timer_free(hint->timer);
	host_timer_free(hint->back);
	for (size_t i = 0; i < CS_LEN(hint->origins); i++)
		free(hint->origins[i]);
	free(hint);
}
