/* The websockets of a chain's nodes: a message of the subscription makes the watcher look. It is a hint
 * alone: nothing that it says is read beyond that, and one that is silent while blocks come is left for
 * the next of the list. */
#ifndef ADAPTERS_HINT_H
#define ADAPTERS_HINT_H

#include "adapters/adapter.h"
#include "host/loop.h"

/* Websockets of one chain. */
#define ADAPTER_HINTS_MAX 8

/* What a message says. */
enum adapter_hint_says {
	ADAPTER_HINT_LIE,      /* no JSON object */
	ADAPTER_HINT_REFUSED,  /* an error */
	ADAPTER_HINT_ACCEPTED, /* an answer: the subscription is there */
	ADAPTER_HINT_NEWS,     /* of the subscription */
	ADAPTER_HINT_OTHER,    /* something else that nobody asked for */
};

/* A message: one header. */
#define ADAPTER_HINT_SIZE_MAX (1u << 20)

struct adapter_hint_config {
	const char *const *ws; /* as long as the hint */
	size_t ws_count;
	const char *request; /* the subscription, a JSON text; static */
	enum adapter_hint_says (*read)(struct cs_bytes text);
	void *ctx;
	void (*news)(void *ctx); /* look now */
	void (*changed)(void *ctx, const struct adapter_endpoint *endpoint);
};

struct adapter_hint_counters {
	uint64_t connects;
	uint64_t hints;
	uint64_t silent; /* closed because blocks came and it said nothing */
};

struct adapter_hint;

struct adapter_hint *adapter_hint_new(struct host_loop *loop,
				      const struct adapter_hint_config *config);
/* NULL is allowed. */
void adapter_hint_free(struct adapter_hint *hint);
void adapter_hint_start(struct adapter_hint *hint);
/* A new head was found: a websocket that says nothing while heads come is closed. */
void adapter_hint_saw_head(struct adapter_hint *hint);
bool adapter_hint_is_alive(const struct adapter_hint *hint);
size_t adapter_hint_endpoint_count(const struct adapter_hint *hint);
const struct adapter_endpoint *adapter_hint_endpoint(const struct adapter_hint *hint, size_t index);
struct adapter_hint_counters adapter_hint_counters(const struct adapter_hint *hint);

#endif
