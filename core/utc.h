/* Points in time as Unix seconds, and the texts of certificates and of vendors' JSON. UTC only, from
 * 1970 to 9999; leap seconds do not exist (RFC 5280 knows none). Never asks a clock. */
#ifndef CS_UTC_H
#define CS_UTC_H

#include "core/bytes.h"

/* "2025-06-19T10:56:11Z" and its end. */
#define CS_UTC_SIZE 21u
/* 9999-12-31T23:59:59Z, which RFC 5280 (4.1.2.5) takes for "never". */
#define CS_UTC_SECONDS_MAX 253402300799u

struct cs_date {
	uint32_t year;  /* 1970 to 9999 */
	uint32_t month; /* 1 to 12 */
	uint32_t day;
	uint32_t hour;
	uint32_t minute;
	uint32_t second; /* to 59 */
};

/* INVALID: no such day or time of day (proleptic Gregorian calendar). */
CS_NODISCARD enum cs_err cs_utc_from_date(uint64_t *seconds, const struct cs_date *date);
/* Exactly the form above (RFC 3339 without fraction and offset): MALFORMED, INVALID. */
CS_NODISCARD enum cs_err cs_utc_parse(uint64_t *seconds, struct cs_bytes text);
/* At most CS_UTC_SECONDS_MAX. */
void cs_utc_write(char text[CS_UTC_SIZE], uint64_t seconds);
/* Two decimal digits at p: 0 to 99; UINT32_MAX when they are none. */
uint32_t cs_utc_two_digits(const uint8_t *p);

#endif
