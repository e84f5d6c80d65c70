#include "adapters/health.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* "Sun, 06 Nov 1994 08:49:37 GMT": a letter or a digit stands for any of them. */
static const char date_form[] = "Aaa, 00 Aaa 0000 00:00:00 GMT";

static bool is_of_form(const char *text)
{
	if (strlen(text) != sizeof(date_form) - 1)
		return false;
	for (size_t i = 0; date_form[i] != '\0'; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (date_form[i] == '0' ? !digit
					: (date_form[i] != 'A' && date_form[i] != 'a' &&
					   date_form[i] != text[i]))
			return false;
	}
	return true;
}

/* Which of `count` names of three letters; -1: none. */
static int name_at(const char *text, const char *names, int count)
{
	for (int i = 0; i < count; i++)
		if (memcmp(text, names + (ptrdiff_t)3 * i, 3) == 0)
			return i;
	return -1;
}

static int number_at(const char *text, size_t digits)
{
	int number = 0;

	for (size_t i = 0; i < digits; i++)
		number = 10 * number + (text[i] - '0');
	return number;
}

/* False: it is no IMF-fixdate (RFC 9110, 5.6.7), or no moment: another weekday, the 30th of February, second 60. */
static bool read_date(uint64_t *time_s, const char *text)
{
	struct tm out;
	time_t at;

	if (!is_of_form(text))
		return false;
	const int weekday = name_at(text, "SunMonTueWedThuFriSat", 7);
	struct tm tm = {.tm_mday = number_at(text + 5, 2),
			.tm_mon = name_at(text + 8, "JanFebMarAprMayJunJulAugSepOctNovDec", 12),
			.tm_year = number_at(text + 12, 4) - 1900,
			.tm_hour = number_at(text + 17, 2),
			.tm_min = number_at(text + 20, 2),
			.tm_sec = number_at(text + 23, 2)};
	const struct tm asked = tm;

	at = timegm(&tm);
	if (at < 0 || gmtime_r(&at, &out) == NULL || out.tm_wday != weekday ||
	    out.tm_mon != asked.tm_mon || out.tm_mday != asked.tm_mday ||
	    out.tm_hour != asked.tm_hour || out.tm_min != asked.tm_min ||
	    out.tm_sec != asked.tm_sec)
		return false;
	*time_s = (uint64_t)at;
	return true;
}

static uint64_t until_ms(uint64_t time_s, uint64_t wall_ms)
{
	uint64_t ms = 1000 * time_s > wall_ms ? 1000 * time_s - wall_ms : 0;

	return ms < ADAPTER_RETRY_AFTER_MAX_MS ? ms : ADAPTER_RETRY_AFTER_MAX_MS;
}

uint64_t adapter_retry_after_ms(const char *value, uint64_t wall_ms)
{
	uint64_t time_s = 0;
	uint64_t ms = 0;

	if (value == NULL || *value == '\0')
		return 0;
	if (read_date(&time_s, value))
		return until_ms(time_s, wall_ms);
	for (; *value >= '0' && *value <= '9'; value++) {
		ms = ms * 10 + (uint64_t)(*value - '0') * 1000;
		if (ms > ADAPTER_RETRY_AFTER_MAX_MS)
			ms = ADAPTER_RETRY_AFTER_MAX_MS;
	}
	return *value == '\0' ? ms : 0;
}
