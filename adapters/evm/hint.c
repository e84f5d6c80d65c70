#include "adapters/evm/inner.h"
#include "host/alloc.h"
#include "host/ws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_MIN_MS 250
#define RECONNECT_MAX_MS 15000
/* Heads that polling found since the last message, from which on a websocket counts as dead. */
#define SILENT_HEADS_MAX 4
/* A message: one header. */
#define MESSAGE_SIZE_MAX (1u << 20)

struct evm_hint {
	struct evm *evm;
	struct host_ws_client *client;
	struct host_timer *timer;
	struct adapter_endpoint public[ADAPTER_EVM_ENDPOINTS_MAX];
	char *origins[ADAPTER_EVM_ENDPOINTS_MAX];
	size_t at;
	unsigned pause_ms;
	unsigned heads_since;
	bool subscribed;
};

static void connect_next(void *context);

static void set_state(struct evm_hint *hint, enum adapter_endpoint_state state, const char *why)
{
	struct evm *evm = hint->evm;
	struct adapter_endpoint *endpoint = &hint->public[hint->at];

	snprintf(endpoint->why, sizeof(endpoint->why), "%.119s", why);
	if (endpoint->state == state)
		return;
	endpoint->state = state;
	if (evm->listener.endpoint != NULL && !evm->ending)
		evm->listener.endpoint(evm->listener.ctx, endpoint);
}

/* The next one of the list after a pause that doubles. */
static void reconnect(struct evm_hint *hint, const char *why)
{
	hint->public[hint->at].errors++;
	set_state(hint, ADAPTER_ENDPOINT_FAILING, why);
	hint->at = (hint->at + 1) % hint->evm->config.ws_count;
	host_timer_start(hint->timer, hint->pause_ms, 0);
	hint->pause_ms =
		hint->pause_ms * 2 < RECONNECT_MAX_MS ? hint->pause_ms * 2 : RECONNECT_MAX_MS;
}

static enum cs_err subscribe(struct evm_hint *hint, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
				    "eth_subscribe", "params", params);
	char *text = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	cs_assert(text != NULL);
	enum cs_err err = host_ws_client_send(hint->client, cs_bytes_str(text));
	free(text);
	return err;
}

static void opened(void *context)
{
	struct evm_hint *hint = context;
	struct evm *evm = hint->evm;

	evm->counters.ws_connects++;
	hint->public[hint->at].requests++;
	hint->heads_since = 0;
	/* Heads alone: a log comes with its block, and a thousand of them tell nothing more. */
	if (subscribe(hint, json_pack("[s]", "newHeads")) != CS_OK) {
		host_ws_client_free(hint->client);
		hint->client = NULL;
		reconnect(hint, "the subscription could not be sent");
	}
}

enum evm_hint_says evm_hint_read(struct cs_bytes text)
{
	json_t *json = text.n <= MESSAGE_SIZE_MAX ? evm_json_parse(text) : NULL;
	const json_t *error = json_object_get(json, "error");
	const char *method = json_string_value(json_object_get(json, "method"));
	enum evm_hint_says says = EVM_HINT_OTHER;

	if (!json_is_object(json))
		says = EVM_HINT_LIE;
	else if (json_is_object(error))
		says = EVM_HINT_REFUSED;
	else if (method == NULL)
		says = EVM_HINT_ACCEPTED;
	else if (strcmp(method, "eth_subscription") == 0)
		says = EVM_HINT_NEWS;
	json_decref(json);
	return says;
}

static void message(void *context, struct cs_bytes text)
{
	struct evm_hint *hint = context;
	struct evm *evm = hint->evm;

	switch (evm_hint_read(text)) {
	case EVM_HINT_LIE:
		hint->public[hint->at].lies++;
		hint->public[hint->at].errors++;
		break;
	case EVM_HINT_REFUSED:
		hint->public[hint->at].errors++;
		break;
	case EVM_HINT_ACCEPTED:
		hint->subscribed = true;
		hint->pause_ms = RECONNECT_MIN_MS;
		set_state(hint, ADAPTER_ENDPOINT_OK, "");
		/* What happened while it was away, up to here: what comes now is told. */
		evm_watch_kick(evm->watch);
		break;
	case EVM_HINT_NEWS:
		hint->heads_since = 0;
		evm->counters.ws_hints++;
		evm_watch_kick(evm->watch);
		break;
	case EVM_HINT_OTHER:
		break;
	}
}

static void closed(void *context, enum cs_err err, const char *why)
{
	struct evm_hint *hint = context;

	(void)err;
	hint->client = NULL;
	hint->subscribed = false;
	reconnect(hint, why);
}

static void connect_next(void *context)
{
	static const struct host_ws_client_events events = {
		.opened = opened, .message = message, .closed = closed};
	struct evm_hint *hint = context;
	struct host_ws_client_options options = {
		.url = hint->evm->config.ws[hint->at],
		.message_size_max = MESSAGE_SIZE_MAX,
	};
	struct cs_why why = {""};

	if (host_ws_client_open(&hint->client, hint->evm->loop, &options, &events, hint, &why) !=
	    CS_OK) {
		hint->client = NULL;
		reconnect(hint, why.text);
	}
}

void evm_hint_saw_head(struct evm_hint *hint)
{
	if (hint->client == NULL || !hint->subscribed || ++hint->heads_since < SILENT_HEADS_MAX)
		return;
	host_ws_client_free(hint->client);
	hint->client = NULL;
	hint->subscribed = false;
	hint->evm->counters.ws_silent++;
	reconnect(hint, "it says nothing while blocks come");
}

bool evm_hint_is_alive(const struct evm_hint *hint)
{
	return hint->client != NULL && hint->subscribed && hint->heads_since <= 1;
}

size_t evm_hint_endpoint_count(const struct evm_hint *hint)
{
	return hint->evm->config.ws_count;
}

const struct adapter_endpoint *evm_hint_endpoint(const struct evm_hint *hint, size_t index)
{
	return &hint->public[index];
}

struct evm_hint *evm_hint_new(struct evm *evm)
{
	struct evm_hint *hint = host_alloc(sizeof(*hint));

	hint->evm = evm;
	hint->pause_ms = RECONNECT_MIN_MS;
	hint->timer = host_timer_new(evm->loop, connect_next, hint);
	for (size_t i = 0; i < evm->config.ws_count; i++) {
		hint->origins[i] = evm_rpc_origin(evm->config.ws[i]);
		hint->public[i] =
			(struct adapter_endpoint){.url = hint->origins[i], .websocket = true};
	}
	return hint;
}

void evm_hint_start(struct evm_hint *hint)
{
	if (hint->evm->config.ws_count > 0)
		host_timer_start(hint->timer, 0, 0);
}

void evm_hint_free(struct evm_hint *hint)
{
	if (hint == NULL)
		return;
	host_ws_client_free(hint->client);
	host_timer_free(hint->timer);
	for (size_t i = 0; i < CS_LEN(hint->origins); i++)
		free(hint->origins[i]);
	free(hint);
}
