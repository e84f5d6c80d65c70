/* Requests of apps that are open: who waits for them and when they are asked. Private to
 * oracle/. */
#ifndef ORACLE_APP_REQUESTS_H
#define ORACLE_APP_REQUESTS_H

#include "oracle/oracle.h"

/* Whether this API key may have one more open. RATE_LIMITED: it has its share of api.waiting_max;
 * FULL: as many are open as may be, of all keys. */
CS_NODISCARD enum cs_err oracle_apps_room(const struct oracle *oracle, const char *key_name);
/* A request that is in the journal, committed, and open. */
void oracle_apps_add(struct oracle *oracle, const struct oracle_request *request);
/* The exchange is replied to when the request ends, or with what is known after wait_ms. False: it
 * is not open, nothing was done. */
bool oracle_apps_wait(struct oracle *oracle, const struct cs_hash *id,
		      struct host_http_exchange *exchange, uint64_t wait_ms);
/* Since the start: answered, retried. */
void oracle_apps_figures(const struct oracle *oracle, uint64_t *open, uint64_t *asking,
			 uint64_t *answered, uint64_t *retried);

/* api_requests.c: the document of an answer, or the request as it stands. */
void oracle_api_reply_request(struct oracle *oracle, struct host_http_exchange *exchange,
			      const struct cs_hash *id);

#endif
