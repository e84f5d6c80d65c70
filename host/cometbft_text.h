/* CometBFT's ways to write small values in JSON: base64, upper-case hex, RFC 3339 times in UTC with
 * as many digits as are needed. Knows nothing of what they mean. */
#ifndef HOST_COMETBFT_TEXT_H
#define HOST_COMETBFT_TEXT_H

#include "core/pb.h"

#include <jansson.h>

/* With its terminating zero. */
#define COMETBFT_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
/* "2006-01-02T15:04:05.999999999Z" and its end. */
#define COMETBFT_TIME_SIZE 32u

/* text[COMETBFT_BASE64_SIZE(bytes.n)]. */
void cometbft_base64(char *text, struct cs_bytes bytes);
/* The standard alphabet with padding, exactly; p has room for text.n / 4 * 3 bytes. MALFORMED. */
CS_NODISCARD enum cs_err cometbft_unbase64(uint8_t *p, size_t *n, struct cs_bytes text);
/* Upper case, text[2n + 1]. */
void cometbft_hex(char *text, struct cs_bytes bytes);
/* Years 1 to 9999. */
void cometbft_time(char text[COMETBFT_TIME_SIZE], struct cs_pb_time time);
/* MALFORMED: anything but UTC with a Z, or a moment that does not exist. */
CS_NODISCARD enum cs_err cometbft_untime(struct cs_pb_time *time, const char *text);
/* Digits with an optional minus: MALFORMED, OVERFLOW. */
CS_NODISCARD enum cs_err cometbft_unnumber(int64_t *value, const char *text);

/* New references; a list that Go would hold as nil is NULL's JSON. */
json_t *cometbft_json_base64(struct cs_bytes bytes);
json_t *cometbft_json_hex(struct cs_bytes bytes);
json_t *cometbft_json_time(struct cs_pb_time time);
/* 64-bit numbers are texts in CometBFT's JSON. */
json_t *cometbft_json_number(int64_t value);
/* Whatever bytes: what is no UTF-8 becomes U+FFFD, as Go does. */
json_t *cometbft_json_text(struct cs_bytes bytes);
/* One line as Go's encoder writes it: <, > and & escaped; malloc'd. */
char *cometbft_json_dump(const json_t *root, size_t flags);

#endif
