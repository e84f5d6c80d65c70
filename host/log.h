/* The log of a process: one line per event on standard error, for people or as JSON, typed fields,
 * a bound on the rate of each event. There is no kind of field for a secret, and no free format:
 * what is logged is an event's name and facts. */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "core/bytes.h"

enum host_log_level { HOST_LOG_DEBUG, HOST_LOG_INFO, HOST_LOG_WARN, HOST_LOG_ERROR };

struct host_log_options {
	enum host_log_level level; /* below it nothing is written */
	bool json;
	int fd;            /* 2: standard error */
	uint32_t rate_max; /* lines per second and event name, 0: [50]; what is left out is counted
			      in the next line */
};

/* Process-wide; before the first event. Without it: INFO, for people, standard error. */
void host_log_open(const struct host_log_options *options);
/* "debug", "info", "warn", "error": INVALID otherwise. */
CS_NODISCARD enum cs_err host_log_level_parse(enum host_log_level *level, const char *text);

enum host_log_kind {
	HOST_LOG_U64,
	HOST_LOG_I64,
	HOST_LOG_BOOL,
	HOST_LOG_TEXT,
	HOST_LOG_BYTES,
	HOST_LOG_ERR
};

struct host_log_field {
	const char *name;
	enum host_log_kind kind;
	union {
		uint64_t u64;
		int64_t i64;
		bool boolean;
		const char *text;      /* NULL: null */
		struct cs_bytes bytes; /* hex, 0x; at most 64 bytes are shown */
		enum cs_err err;
	};
};

#define LOG_U64(name_, value) \
	((struct host_log_field){.name = (name_), .kind = HOST_LOG_U64, .u64 = (value)})
#define LOG_I64(name_, value) \
	((struct host_log_field){.name = (name_), .kind = HOST_LOG_I64, .i64 = (value)})
#define LOG_BOOL(name_, value) \
	((struct host_log_field){.name = (name_), .kind = HOST_LOG_BOOL, .boolean = (value)})
/* Control characters are escaped, at most 512 bytes are shown. */
#define LOG_TEXT(name_, value) \
	((struct host_log_field){.name = (name_), .kind = HOST_LOG_TEXT, .text = (value)})
#define LOG_HASH(name_, value)                           \
	((struct host_log_field){.name = (name_),        \
				 .kind = HOST_LOG_BYTES, \
				 .bytes = {(value)->b, sizeof((value)->b)}})
#define LOG_ERR(value) \
	((struct host_log_field){.name = "err", .kind = HOST_LOG_ERR, .err = (value)})

/* log_event(HOST_LOG_INFO, "chain.head", LOG_U64("height", height)): event names are lower case,
 * "part.what". */
#define log_event(level, event, ...) \
	host_log_write(              \
		(level), (event),    \
		(const struct host_log_field[]){{.name = NULL}, ##__VA_ARGS__, {.name = NULL}})
#define log_debug(event, ...) log_event(HOST_LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...) log_event(HOST_LOG_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...) log_event(HOST_LOG_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) log_event(HOST_LOG_ERROR, event, ##__VA_ARGS__)

/* fields: the first is skipped, the first later one without a name ends them. event must be a
 * literal. */
void host_log_write(enum host_log_level level, const char *event,
		    const struct host_log_field *fields);

/* Whatever somebody else wrote, fit for one line of printable ASCII: other bytes become '?', what
 * does not fit or follows a zero is cut. size counts the zero. */
void host_plain_text(char *text, size_t size, const char *from, size_t from_size);

#endif
