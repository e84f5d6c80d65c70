#include "host/log.h"

#include "core/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE_MAX 8192u
#define TEXT_SIZE_MAX 512u
#define BYTES_SIZE_MAX 64u
#define FIELDS_MAX 32u
/* Event names are literals of the program: a table of their addresses is enough. */
#define EVENTS_MAX 256u
#define RATE_MAX 50u

struct rate {
	const char *event;
	uint64_t second;
	uint32_t count;
	uint32_t left_out;
};

/* One log per process: the one piece of global state of a host process. Written by its one thread. */
static struct host_log_options options = {.level = HOST_LOG_INFO, .fd = 2, .rate_max = RATE_MAX};
static struct rate rates[EVENTS_MAX];

static const char *const level_names[] = {[HOST_LOG_DEBUG] = "debug",
					  [HOST_LOG_INFO] = "info",
					  [HOST_LOG_WARN] = "warn",
					  [HOST_LOG_ERROR] = "error"};

void host_log_open(const struct host_log_options *given)
{
	options = *given;
	if (options.rate_max == 0)
		options.rate_max = RATE_MAX;
	memset(rates, 0, sizeof rates);
}

enum cs_err host_log_level_parse(enum host_log_level *level, const char *text)
{
	for (size_t i = 0; i < CS_LEN(level_names); i++)
		if (strcmp(level_names[i], text) == 0) {
			*level = (enum host_log_level)i;
			return CS_OK;
		}
	return CS_ERR_INVALID;
}

/* False: this second has had enough of this event. */
static bool within_rate(const char *event, uint64_t second, uint32_t *left_out)
{
	size_t at = ((uintptr_t)event >> 3) % EVENTS_MAX;
	size_t probes = 0;
	while (rates[at].event != NULL && rates[at].event != event) {
		at = (at + 1) % EVENTS_MAX;
		/* More names than places: the bound is not kept for the last ones. */
		if (++probes == EVENTS_MAX)
			return true;
	}
	struct rate *rate = &rates[at];
	rate->event = event;
	if (rate->second != second) {
		rate->second = second;
		rate->count = 0;
	}
	if (rate->count >= options.rate_max) {
		rate->left_out++;
		return false;
	}
	rate->count++;
	*left_out = rate->left_out;
	rate->left_out = 0;
	return true;
}

/* Valid inside JSON quotes, and on a terminal: no control character gets through, and only
 * well-formed UTF-8. */
static void put_escaped(struct cs_buf *line, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = strnlen(text, TEXT_SIZE_MAX + 1);
	bool cut = n > TEXT_SIZE_MAX;
	if (cut)
		n = TEXT_SIZE_MAX;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = p[i];
		if (c == '"' || c == '\\') {
			cs_put_u8(line, '\\');
			cs_put_u8(line, c);
		} else if (c == '\n') {
			cs_put_text(line, "\\n");
		} else if (c < 0x20 || c >= 0x7f) {
			/* Bytes beyond ASCII as code points of the same number: unambiguous,
			 * whatever they were meant to be. */
			cs_put_text(line, "\\u%04x", c);
		} else {
			cs_put_u8(line, c);
		}
	}
	if (cut)
		cs_put_text(line, "...");
}

static bool is_plain(const char *text)
{
	size_t n = strnlen(text, TEXT_SIZE_MAX + 1);
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)text[i] <= ' ' || (uint8_t)text[i] >= 0x7f ||
		    strchr("\"\\=", text[i]) != NULL)
			return false;
	return n > 0 && n <= TEXT_SIZE_MAX;
}

static void put_text(struct cs_buf *line, const char *text)
{
	if (text == NULL) {
		cs_put_text(line, "null");
	} else if (!options.json && is_plain(text)) {
		cs_put_text(line, "%s", text);
	} else {
		cs_put_u8(line, '"');
		put_escaped(line, text);
		cs_put_u8(line, '"');
	}
}

static void put_bytes(struct cs_buf *line, struct cs_bytes bytes)
{
	char text[2 * BYTES_SIZE_MAX + 1];
	size_t n = bytes.n < BYTES_SIZE_MAX ? bytes.n : BYTES_SIZE_MAX;
	cs_hex(text, cs_bytes(bytes.p, n));
	const char *quote = options.json ? "\"" : "";
	cs_put_text(line, "%s0x%s%s%s", quote, text, n < bytes.n ? "..." : "", quote);
}

static void put_value(struct cs_buf *line, const struct host_log_field *field)
{
	switch (field->kind) {
	case HOST_LOG_U64:
		cs_put_text(line, "%llu", (unsigned long long)field->u64);
		break;
	case HOST_LOG_I64:
		cs_put_text(line, "%lld", (long long)field->i64);
		break;
	case HOST_LOG_BOOL:
		cs_put_text(line, "%s", field->boolean ? "true" : "false");
		break;
	case HOST_LOG_TEXT:
		put_text(line, field->text);
		break;
	case HOST_LOG_BYTES:
		put_bytes(line, field->bytes);
		break;
	case HOST_LOG_ERR:
		put_text(line, cs_err_name(field->err));
		break;
	}
}

static void put_head(struct cs_buf *line, enum host_log_level level, const char *event,
		     const struct timespec *now)
{
	struct tm utc;
	char time_text[32];
	gmtime_r(&now->tv_sec, &utc);
	strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &utc);
	long ms = now->tv_nsec / 1000000;
	if (options.json)
		cs_put_text(line, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"%s\"",
			    time_text, ms, level_names[level], event);
	else
		cs_put_text(line, "%s.%03ldZ %-5s %s", time_text, ms, level_names[level], event);
}

static void put_field(struct cs_buf *line, const struct host_log_field *field)
{
	if (options.json)
		cs_put_text(line, ",\"%s\":", field->name);
	else
		cs_put_text(line, " %s=", field->name);
	put_value(line, field);
}

void host_log_write(enum host_log_level level, const char *event,
		    const struct host_log_field *fields)
{
	uint8_t memory[LINE_SIZE_MAX];
	struct cs_buf line;
	struct timespec now;
	uint32_t left_out = 0;
	if (level < options.level)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!within_rate(event, (uint64_t)now.tv_sec, &left_out))
		return;
	/* Room for the end whatever the fields are: one that does not fit is left out, the line
	 * stays whole. */
	cs_buf_init(&line, memory, sizeof memory - 64);
	put_head(&line, level, event, &now);
	for (uint32_t i = 1; i < FIELDS_MAX && fields[i].name != NULL; i++) {
		size_t before = line.n;
		put_field(&line, &fields[i]);
		if (line.failed) {
			line.n = before;
			line.failed = false;
		}
	}
	line.size_max = sizeof memory;
	if (left_out > 0)
		cs_put_text(&line, options.json ? ",\"left_out\":%u" : " left_out=%u", left_out);
	cs_put_text(&line, options.json ? "}\n" : "\n");
	cs_assert(!line.failed);
	/* One write: lines of several processes on one terminal stay apart. A log that cannot be
	 * written is no reason to stop. */
	ssize_t written;
	do
		written = write(options.fd, memory, line.n);
	while (written < 0 && errno == EINTR);
}

void host_plain_text(char *text, size_t size, const char *from, size_t from_size)
{
	size_t n = 0;
	while (n < from_size && n + 1 < size && from[n] != 0) {
		text[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
		n++;
	}
	text[n] = 0;
}
