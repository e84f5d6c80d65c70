/* What the operators' verbs share: who asked, what the journal and the stream are told of it, and which
 * route or chain a request is about. Every verb is in the journal, as an event `operator.…` with the
 * name of the API key, before it has any effect, and may be asked again without harm. */
#ifndef GATEWAY_OPERATOR_H
#define GATEWAY_OPERATOR_H

#include "gateway/gateway.h"

/* Kinds of events begin so; their detail begins with who it was, and a space. */
#define GATEWAY_EVENT_OPERATOR "operator."

/* Writes the event, and the log. who: of a key or a signal, without spaces. Inside a writer. */
CS_NODISCARD enum cs_err gateway_operator_told(struct gateway *gateway, const char *kind,
					       const char *who, const char *format, ...)
	CS_PRINTF(4, 5);
/* The name of the API key. */
const char *gateway_operator_of(const struct host_http_exchange *exchange);

/* `chain` alone (where takes_chain), or `from_chain` and `to_chain`, of a request: `to` is "" for a
 * chain. NOT_FOUND: no route of this gateway has it; MISSING_FIELD, MALFORMED, INVALID. */
CS_NODISCARD enum cs_err gateway_operator_subject(const struct gateway *gateway, const json_t *body,
						  bool takes_chain,
						  char from[CS_CAIP2_SIZE_MAX + 1],
						  char to[CS_CAIP2_SIZE_MAX + 1],
						  struct cs_why *why);

/* ---- clear.c: what waits on a route is tried now ---- */
void gateway_api_clear_routes(struct gateway *gateway);

/* ---- observe.c: blocks that are read again ---- */
struct gateway_observation;
/* A block of the chain was taken, or one of its events is about to be (before it is written and
 * after). */
void gateway_observe_event(struct gateway_chain *chain, const struct adapter_event *event,
			   bool written);
void gateway_api_observe_routes(struct gateway *gateway);

/* ---- reorg.c: a reorganisation that waits for an operator ---- */
void gateway_api_reorg_routes(struct gateway *gateway);

/* ---- drain.c: what is under way ends, and nothing is begun ---- */
void gateway_drain_begin(struct gateway *gateway, const char *who, uint64_t timeout_ms);
/* Nothing is under way any more, or its time has passed. Of a drain that is on. */
bool gateway_drain_is_over(const struct gateway *gateway);
/* Tells it once. */
void gateway_drain_tick(struct gateway *gateway);
void gateway_api_drain_routes(struct gateway *gateway);

/* ---- transactions.c: what is under way, and another offer for it ---- */
void gateway_api_transaction_routes(struct gateway *gateway);

/* ---- sweep.c: what is on a gas account ---- */
void gateway_api_sweep_routes(struct gateway *gateway);

/* ---- reload.c: the configuration, read again ---- */
/* As a SIGHUP does; context: struct gateway. */
void gateway_reload_signal(void *context);
/* Frees what was in force before, with the process. */
void gateway_reload_done(struct gateway *gateway);
void gateway_api_reload_routes(struct gateway *gateway);

#endif
