#include "adapters/health.h"

#include <stdlib.h>
#include <string.h>

#define LIMITED_MS 1000

const char *adapter_breaker_name(enum adapter_breaker breaker)
{
	switch (breaker) {
	case ADAPTER_BREAKER_CLOSED:
		return "closed";
	case ADAPTER_BREAKER_OPEN:
		return "open";
	case ADAPTER_BREAKER_HALF_OPEN:
		return "half_open";
	}
	return "";
}

static unsigned next_pause(const struct adapter_health *health, uint64_t now_ms)
{
	bool calm = health->breaker == ADAPTER_BREAKER_CLOSED &&
		    now_ms - health->closed_ms >= ADAPTER_BREAKER_CALM_MS;

	if (calm || health->pause_ms == 0)
		return ADAPTER_BREAKER_PAUSE_MS;
	return health->pause_ms < ADAPTER_BREAKER_PAUSE_MAX_MS / 2 ? 2 * health->pause_ms
								   : ADAPTER_BREAKER_PAUSE_MAX_MS;
}

void adapter_health_failed(struct adapter_health *health, uint64_t now_ms)
{
	health->failures++;
	health->trying = false;
	if (health->breaker == ADAPTER_BREAKER_OPEN ||
	    (health->breaker == ADAPTER_BREAKER_CLOSED &&
	     health->failures < ADAPTER_BREAKER_FAILURES))
		return;
	health->pause_ms = next_pause(health, now_ms);
	health->open_until_ms = now_ms + health->pause_ms;
	health->breaker = ADAPTER_BREAKER_OPEN;
}

void adapter_health_answered(struct adapter_health *health, uint64_t now_ms)
{
	if (health->breaker != ADAPTER_BREAKER_CLOSED)
		health->closed_ms = now_ms;
	health->breaker = ADAPTER_BREAKER_CLOSED;
	health->failures = 0;
	health->trying = false;
}

void adapter_health_probed(struct adapter_health *health, uint64_t now_ms)
{
	switch (health->breaker) {
	case ADAPTER_BREAKER_CLOSED:
		health->failures = 0;
		return;
	case ADAPTER_BREAKER_OPEN:
		if (now_ms >= health->open_until_ms)
			health->breaker = ADAPTER_BREAKER_HALF_OPEN;
		return;
	case ADAPTER_BREAKER_HALF_OPEN:
		return;
	}
}

void adapter_health_limited(struct adapter_health *health, uint64_t now_ms, uint64_t pause_ms)
{
	health->trying = false;
	health->last_until_ms = now_ms + (pause_ms > 0 ? pause_ms : LIMITED_MS);
	if (pause_ms > 0)
		health->left_out_until_ms = health->last_until_ms;
}

bool adapter_health_takes_reads(const struct adapter_health *health, uint64_t now_ms)
{
	return now_ms >= health->left_out_until_ms && health->breaker != ADAPTER_BREAKER_OPEN &&
	       !health->trying;
}

/* ---- how fast ---- */

void adapter_health_took(struct adapter_health *health, uint64_t took_ms)
{
	uint32_t capped = took_ms < UINT32_MAX ? (uint32_t)took_ms : UINT32_MAX;

	health->took_ms[health->took_count++ % ADAPTER_HEALTH_ANSWERS] = capped > 0 ? capped : 1;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

unsigned adapter_health_within_ms(const struct adapter_health *health, unsigned percent)
{
	uint32_t sorted[ADAPTER_HEALTH_ANSWERS];
	size_t count = health->took_count < ADAPTER_HEALTH_ANSWERS ? health->took_count
								   : ADAPTER_HEALTH_ANSWERS;

	cs_assert(percent >= 1 && percent <= 100);
	if (count < ADAPTER_HEALTH_ANSWERS_MIN)
		return 0;
	memcpy(sorted, health->took_ms, count * sizeof(sorted[0]));
	qsort(sorted, count, sizeof(sorted[0]), compare);
	return sorted[(count * percent + 99) / 100 - 1];
}

/* ---- Retry-After ---- */

uint64_t adapter_retry_after_ms(const char *value)
{
	uint64_t ms = 0;

	if (value == NULL || *value == '\0')
		return 0;
	for (; *value >= '0' && *value <= '9'; value++) {
		ms = ms * 10 + (uint64_t)(*value - '0') * 1000;
		if (ms > ADAPTER_RETRY_AFTER_MAX_MS)
			ms = ADAPTER_RETRY_AFTER_MAX_MS;
	}
	return *value == '\0' ? ms : 0;
}
