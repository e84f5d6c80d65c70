/* How one endpoint does, by the answers that it gave: a circuit breaker, how fast it answers, until
 * when it wants to be left alone. Sends nothing and has no clock: the time is an input.
 *
 * The breaker (Nygard, Release It!, "Circuit Breaker"): closed, it lets requests through; failures in
 * a row open it for a pause; then an answer to a probe makes it half open, and the next read is its
 * trial, which closes it or opens it for twice as long. Who asks decides what an open one means
 * (rpc.h: left out while another is fit). */
#ifndef ADAPTERS_HEALTH_H
#define ADAPTERS_HEALTH_H

#include "core/bytes.h"

/* Failures in a row that open it. */
#define ADAPTER_BREAKER_FAILURES 3
/* The first pause; it doubles when it opens again before it was closed for the calm. */
#define ADAPTER_BREAKER_PAUSE_MS 1000
#define ADAPTER_BREAKER_PAUSE_MAX_MS 60000
#define ADAPTER_BREAKER_CALM_MS 60000
/* Answers whose time is remembered, and how many are needed to tell anything. */
#define ADAPTER_HEALTH_ANSWERS 64
#define ADAPTER_HEALTH_ANSWERS_MIN 8
/* No Retry-After keeps an endpoint out for longer: a wrong header must not switch off a chain. */
#define ADAPTER_RETRY_AFTER_MAX_MS 30000

enum adapter_breaker {
	ADAPTER_BREAKER_CLOSED,
	ADAPTER_BREAKER_OPEN,
	ADAPTER_BREAKER_HALF_OPEN,
};

/* All zero: nothing is known yet. */
struct adapter_health {
	enum adapter_breaker breaker;
	unsigned failures; /* in a row */
	unsigned pause_ms;
	uint64_t open_until_ms;
	uint64_t closed_ms; /* when it closed last */
	bool trying;        /* half open, and its trial is on the way */
	unsigned overtaken; /* requests on the way that another endpoint has answered meanwhile */
	uint64_t last_until_ms;     /* asked last until then: it said "too many", or lied */
	uint64_t left_out_until_ms; /* its own word: Retry-After */
	uint32_t took_ms[ADAPTER_HEALTH_ANSWERS];
	size_t took_count; /* all that there were */
};

const char *adapter_breaker_name(enum adapter_breaker breaker);
/* An answer that is none: the trial fails, or the count grows. */
void adapter_health_failed(struct adapter_health *health, uint64_t now_ms);
/* An answer to a request: closed, whatever it was. */
void adapter_health_answered(struct adapter_health *health, uint64_t now_ms);
/* An answer to a probe, of the right chain: an open one whose pause is over is half open now. */
void adapter_health_probed(struct adapter_health *health, uint64_t now_ms);
/* "Too many"; 0: it did not say for how long, and is asked last for a second. */
void adapter_health_limited(struct adapter_health *health, uint64_t now_ms, uint64_t pause_ms);
/* May a read go there? Half open: as long as the trial is not on the way. */
bool adapter_health_takes_reads(const struct adapter_health *health, uint64_t now_ms);

void adapter_health_took(struct adapter_health *health, uint64_t took_ms);
/* The smallest time within which this share of the newest answers came (nearest rank); 0: too few
 * to tell. percent: from 1 to 100. A time of 0 ms is 1. */
unsigned adapter_health_within_ms(const struct adapter_health *health, unsigned percent);

/* Retry-After (RFC 9110, 10.2.3) in delay-seconds, or as an IMF-fixdate, of which wall_ms is the present by our
 * own clock (Unix milliseconds); at most ADAPTER_RETRY_AFTER_MAX_MS. 0: NULL, a date that is past, or neither. */
uint64_t adapter_retry_after_ms(const char *value, uint64_t wall_ms);

#endif
