#include "core/utc.h"

#include <stdio.h>

#define DAY_SECONDS 86400u
/* The Gregorian calendar repeats after 400 years. */
#define ERA_DAYS 146097u
/* From 0000-03-01 to 1970-01-01. */
#define EPOCH_DAYS 719468u

static bool is_leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t month_days(uint32_t year, uint32_t month)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

enum cs_err cs_utc_from_date(uint64_t *seconds, const struct cs_date *date)
{
	if (date->year < 1970 || date->year > 9999 || date->month < 1 || date->month > 12 ||
	    date->day < 1 || date->day > month_days(date->year, date->month) || date->hour > 23 ||
	    date->minute > 59 || date->second > 59)
		return CS_ERR_INVALID;
	/* Years begin in March, so that the odd day is their last (H. Hinnant, "chrono-Compatible
	 * Low-Level Date Algorithms"). */
	uint64_t year = date->month > 2 ? date->year : date->year - 1;
	uint64_t month = (date->month + 9) % 12;
	uint64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
			date->day - 1 - EPOCH_DAYS;
	*seconds = days * DAY_SECONDS + date->hour * 3600u + date->minute * 60u + date->second;
	return CS_OK;
}

uint32_t cs_utc_two_digits(const uint8_t *p)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return UINT32_MAX;
	return (uint32_t)(p[0] - '0') * 10 + (uint32_t)(p[1] - '0');
}

enum cs_err cs_utc_parse(uint64_t *seconds, struct cs_bytes text)
{
	static const char marks[] = "....-..-..T..:..:..Z";
	if (text.n != CS_UTC_SIZE - 1)
		return CS_ERR_MALFORMED;
	for (size_t i = 0; i < text.n; i++)
		if (marks[i] == '.' ? text.p[i] < '0' || text.p[i] > '9'
				    : text.p[i] != (uint8_t)marks[i])
			return CS_ERR_MALFORMED;
	struct cs_date date = {
		.year = cs_utc_two_digits(text.p) * 100 + cs_utc_two_digits(text.p + 2),
		.month = cs_utc_two_digits(text.p + 5),
		.day = cs_utc_two_digits(text.p + 8),
		.hour = cs_utc_two_digits(text.p + 11),
		.minute = cs_utc_two_digits(text.p + 14),
		.second = cs_utc_two_digits(text.p + 17),
	};
	return cs_utc_from_date(seconds, &date);
}

void cs_utc_write(char text[CS_UTC_SIZE], uint64_t seconds)
{
	cs_assert(seconds <= CS_UTC_SECONDS_MAX);
	uint32_t of_day = (uint32_t)(seconds % DAY_SECONDS);
	uint32_t days = (uint32_t)(seconds / DAY_SECONDS) + EPOCH_DAYS;
	uint32_t era = days / ERA_DAYS, in_era = days % ERA_DAYS;
	uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / (ERA_DAYS - 1)) / 365;
	uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * in_year + 2) / 153;
	uint32_t day = in_year - (153 * month + 2) / 5 + 1;
	month = month < 10 ? month + 3 : month - 9;
	year += era * 400 + (month <= 2 ? 1 : 0);
	(void)snprintf(text, CS_UTC_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000u,
		       month % 100, day % 100, of_day / 3600, of_day / 60 % 60, of_day % 60);
}
