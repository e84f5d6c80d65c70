#include "enclave/fetch/head.h"

#include <string.h>

static bool equals(struct cs_bytes text, const char *lower)
{
	if (text.n != strlen(lower))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t)lower[i])
			return false;
	}
	return true;
}

static struct cs_bytes trim(struct cs_bytes text)
{
	while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
		text = cs_bytes(text.p + 1, text.n - 1);
	while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
		text.n--;
	return text;
}

/* RFC 9110, 5.6.2. */
static bool is_token(struct cs_bytes text)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		const bool plain =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!plain && (c == 0 || strchr(marks, c) == NULL))
			return false;
	}
	return text.n > 0;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200". libcurl writes the latter itself. */
static bool take_status_line(struct head *head, struct cs_bytes line)
{
	static const struct {
		const char *text;
		uint32_t version;
	} versions[] = {{"HTTP/1.1 ", 11}, {"HTTP/1.0 ", 10}, {"HTTP/2 ", 20}};
	for (size_t i = 0; i < CS_LEN(versions); i++) {
		const size_t n = strlen(versions[i].text);
		if (line.n < n + 3 || memcmp(line.p, versions[i].text, n) != 0)
			continue;
		uint32_t status = 0;
		for (size_t at = n; at < n + 3; at++) {
			if (line.p[at] < '0' || line.p[at] > '9')
				return false;
			status = status * 10 + (uint32_t)(line.p[at] - '0');
		}
		if (status < 100 || (line.n > n + 3 && line.p[n + 3] != ' '))
			return false;
		head->status = status;
		head->version = versions[i].version;
		return true;
	}
	return false;
}

static enum wire_oracle_code begin(struct head *head, struct cs_bytes line)
{
	/* A second final status line would be another response. */
	if (head->status >= 200)
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	if (head->status != 0 && ++head->interim > HEAD_INTERIM_MAX)
		return WIRE_ORACLE_TOO_LARGE;
	const size_t size = head->size;
	const uint32_t interim = head->interim;
	memset(head, 0, sizeof *head);
	head->size = size;
	head->interim = interim;
	return take_status_line(head, line) ? WIRE_ORACLE_OK : WIRE_ORACLE_MALFORMED_RESPONSE;
}

static enum wire_oracle_code take_length(struct head *head, struct cs_bytes value, size_t size_max)
{
	uint64_t length = 0;
	if (value.n == 0 || value.n > 18)
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return WIRE_ORACLE_MALFORMED_RESPONSE;
		length = length * 10 + (uint64_t)(value.p[i] - '0');
	}
	if (head->has_length)
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	head->has_length = true;
	head->length = length;
	return length > size_max ? WIRE_ORACLE_TOO_LARGE : WIRE_ORACLE_OK;
}

static enum wire_oracle_code take_header(struct head *head, struct cs_bytes name,
					 struct cs_bytes value, size_t size_max)
{
	if (equals(name, "content-length"))
		return take_length(head, value, size_max);
	if (equals(name, "transfer-encoding")) {
		if (head->chunked || head->version != 11 || !equals(value, "chunked"))
			return WIRE_ORACLE_MALFORMED_RESPONSE;
		head->chunked = true;
	}
	if (equals(name, "content-encoding") && !equals(value, "identity"))
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	if (equals(name, "location")) {
		if (head->has_location)
			return WIRE_ORACLE_MALFORMED_RESPONSE;
		if (value.n > HEAD_LOCATION_SIZE_MAX || memchr(value.p, 0, value.n) != NULL)
			return WIRE_ORACLE_TOO_LARGE;
		memcpy(head->location, value.p, value.n);
		head->location[value.n] = '\0';
		head->has_location = true;
	}
	return WIRE_ORACLE_OK;
}

enum wire_oracle_code head_line(struct head *head, struct cs_bytes line, size_t size_max)
{
	if (line.n > FETCH_HEAD_SIZE_MAX - head->size)
		return WIRE_ORACLE_TOO_LARGE;
	head->size += line.n;
	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n >= 5 && memcmp(line.p, "HTTP/", 5) == 0 && !head->ended)
		return begin(head, line);
	if (head->status == 0)
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	if (line.n == 0) {
		/* One coding of the length; the other would be read by somebody else. */
		if (head->has_length && head->chunked)
			return WIRE_ORACLE_MALFORMED_RESPONSE;
		head->ended = head->status >= 200;
		return WIRE_ORACLE_OK;
	}
	const uint8_t *colon = memchr(line.p, ':', line.n);
	const size_t n = colon == NULL ? 0 : (size_t)(colon - line.p);
	if (!is_token(cs_bytes(line.p, n)))
		return WIRE_ORACLE_MALFORMED_RESPONSE;
	/* Trailers are counted and checked for form, and mean nothing. */
	if (head->ended)
		return WIRE_ORACLE_OK;
	return take_header(head, cs_bytes(line.p, n), trim(cs_bytes(colon + 1, line.n - n - 1)),
			   size_max);
}
