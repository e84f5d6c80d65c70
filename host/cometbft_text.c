#include "host/cometbft_text.h"

#include "core/utf8.h"
#include "host/alloc.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S_PER_DAY 86400

void cometbft_base64(char *text, struct cs_bytes bytes)
{
	text[0] = 0;
	cs_assert(bytes.n < INT32_MAX / 2);
	if (bytes.n > 0)
		(void)EVP_EncodeBlock((unsigned char *)text, bytes.p, (int)bytes.n);
}

enum cs_err cometbft_unbase64(uint8_t *p, size_t *n, struct cs_bytes text)
{
	size_t padding = 0;
	if (text.n % 4 != 0 || text.n > INT32_MAX / 2)
		return CS_ERR_MALFORMED;
	while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
		padding++;
	/* OpenSSL forgives spaces around; one form alone is taken here. */
	for (size_t i = 0; i < text.n - padding; i++) {
		if (text.p[i] == 0 ||
		    strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
			   text.p[i]) == NULL)
			return CS_ERR_MALFORMED;
	}
	if (text.n > 0 && EVP_DecodeBlock(p, text.p, (int)text.n) < 0)
		return CS_ERR_MALFORMED;
	*n = text.n / 4 * 3 - padding;
	return CS_OK;
}

void cometbft_hex(char *text, struct cs_bytes bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < bytes.n; i++) {
		text[2 * i] = digits[bytes.p[i] >> 4];
		text[2 * i + 1] = digits[bytes.p[i] & 15];
	}
	text[2 * bytes.n] = 0;
}

/* ---- times: the proleptic Gregorian calendar by days since 1970 (H. Hinnant, "chrono-compatible
 * low-level date algorithms") ---- */

static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = yoe + era * 400 + (*m <= 2);
}

void cometbft_time(char text[COMETBFT_TIME_SIZE], struct cs_pb_time time)
{
	int64_t days = time.s / S_PER_DAY, rest = time.s % S_PER_DAY, y, m, d;
	char fraction[16] = "";
	if (rest < 0) {
		rest += S_PER_DAY;
		days--;
	}
	date_of(days, &y, &m, &d);
	if (time.ns != 0) {
		size_t n = (size_t)snprintf(fraction, sizeof fraction, ".%09" PRId32, time.ns);
		while (fraction[n - 1] == '0')
			fraction[--n] = 0;
	}
	unsigned year = (unsigned)y % 10000, month = (unsigned)m % 13, day = (unsigned)d % 32;
	unsigned second = (unsigned)rest;
	(void)snprintf(text, COMETBFT_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u%.10sZ", year, month,
		       day, second / 3600 % 24, second / 60 % 60, second % 60, fraction);
}

static bool digits(int64_t *value, const char **text, size_t n)
{
	*value = 0;
	for (size_t i = 0; i < n; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		*value = *value * 10 + (**text - '0');
	}
	return true;
}

static bool literal(const char **text, char c)
{
	return *(*text)++ == c;
}

enum cs_err cometbft_untime(struct cs_pb_time *time, const char *text)
{
	int64_t y, m, d, hour, minute, second, ns = 0, y2, m2, d2;
	if (strlen(text) >= COMETBFT_TIME_SIZE)
		return CS_ERR_MALFORMED;
	if (!digits(&y, &text, 4) || !literal(&text, '-') || !digits(&m, &text, 2) ||
	    !literal(&text, '-') || !digits(&d, &text, 2) || !literal(&text, 'T') ||
	    !digits(&hour, &text, 2) || !literal(&text, ':') || !digits(&minute, &text, 2) ||
	    !literal(&text, ':') || !digits(&second, &text, 2))
		return CS_ERR_MALFORMED;
	if (*text == '.') {
		text++;
		size_t n = strspn(text, "0123456789");
		if (n < 1 || n > 9 || !digits(&ns, &text, n))
			return CS_ERR_MALFORMED;
		for (; n < 9; n++)
			ns *= 10;
	}
	if (strcmp(text, "Z") != 0 || y < 1 || hour > 23 || minute > 59 || second > 59)
		return CS_ERR_MALFORMED;
	int64_t days = days_of(y, m, d);
	date_of(days, &y2, &m2, &d2);
	if (y2 != y || m2 != m || d2 != d)
		return CS_ERR_MALFORMED;
	*time = (struct cs_pb_time){days * S_PER_DAY + hour * 3600 + minute * 60 + second,
				    (int32_t)ns};
	return CS_OK;
}

enum cs_err cometbft_unnumber(int64_t *value, const char *text)
{
	bool minus = text[0] == '-';
	uint64_t v = 0;
	const char *p = text + minus;
	if (*p == 0)
		return CS_ERR_MALFORMED;
	for (; *p != 0; p++) {
		if (*p < '0' || *p > '9')
			return CS_ERR_MALFORMED;
		if (v > (INT64_MAX - (uint64_t)(*p - '0')) / 10)
			return CS_ERR_OVERFLOW;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*value = minus ? -(int64_t)v : (int64_t)v;
	return CS_OK;
}

/* ---- JSON ---- */

json_t *cometbft_json_base64(struct cs_bytes bytes)
{
	char *text = host_alloc(COMETBFT_BASE64_SIZE(bytes.n));
	cometbft_base64(text, bytes);
	json_t *value = json_string(text);
	free(text);
	return value;
}

json_t *cometbft_json_hex(struct cs_bytes bytes)
{
	char *text = host_alloc(2 * bytes.n + 1);
	cometbft_hex(text, bytes);
	json_t *value = json_string(text);
	free(text);
	return value;
}

json_t *cometbft_json_time(struct cs_pb_time time)
{
	char text[COMETBFT_TIME_SIZE];
	cometbft_time(text, time);
	return json_string(text);
}

json_t *cometbft_json_number(int64_t value)
{
	char text[24];
	(void)snprintf(text, sizeof text, "%" PRId64, value);
	return json_string(text);
}

json_t *cometbft_json_text(struct cs_bytes bytes)
{
	json_t *value =
		bytes.n == 0 ? json_string("") : json_stringn((const char *)bytes.p, bytes.n);
	if (value != NULL)
		return value;
	char *text = host_alloc(3 * bytes.n + 1);
	size_t size = 0;
	for (size_t i = 0; i < bytes.n;) {
		size_t n = cs_utf8_next(cs_bytes(bytes.p + i, bytes.n - i));
		memcpy(text + size, n > 0 ? (const void *)(bytes.p + i) : "\xef\xbf\xbd",
		       n > 0 ? n : 3);
		size += n > 0 ? n : 3;
		i += n > 0 ? n : 1;
	}
	value = json_stringn(text, size);
	free(text);
	return value;
}

char *cometbft_json_dump(const json_t *root, size_t flags)
{
	char *plain = json_dumps(root, flags != 0 ? flags : JSON_COMPACT);
	cs_assert(plain != NULL);
	size_t more = 0;
	for (const char *p = plain; *p != 0; p++)
		more += *p == '<' || *p == '>' || *p == '&' ? 5 : 0;
	if (more == 0)
		return plain;
	char *text = host_alloc(strlen(plain) + more + 1), *to = text;
	for (const char *p = plain; *p != 0; p++) {
		if (*p == '<' || *p == '>' || *p == '&')
			to += snprintf(to, 7, "\\u%04x", (unsigned)*p);
		else
			*to++ = *p;
	}
	free(plain);
	return text;
}
