/* One configuration file per process, in a strict subset of TOML 1.0 (docs/adr says why), read
 * through one table: what is not in the table is an error, and all errors are found in one pass,
 * each named by its path. The same table writes the sample file and the reference page. Secrets are
 * never values: a key of the file names another file. */
#ifndef HOST_CONFIG_H
#define HOST_CONFIG_H

#include "core/bytes.h"

#include <stdio.h>

#define HOST_CONFIG_FILE_MAX (256u * 1024u)
#define HOST_CONFIG_ERRORS_MAX 64u
#define HOST_CONFIG_PATH_MAX 128u
/* Entries of one array of tables. */
#define HOST_CONFIG_TABLES_MAX 64u

enum host_config_type {
	HOST_CONFIG_TEXT,
	HOST_CONFIG_NUMBER, /* integer */
	HOST_CONFIG_BOOL,
	HOST_CONFIG_TEXTS, /* array of texts; min and max count its elements */
};

/* One key. path: "chain.id", or "remotes[].url" in an array of tables. */
struct host_config_key {
	const char *path;
	enum host_config_type type;
	/* Of a number its value, of a text its length, of texts their count; both 0: any. */
	int64_t min;
	int64_t max;
	/* As it is written in the file: "\"127.0.0.1\"", "8545", "true", "[]". NULL: required. "":
	 * optional without a value. */
	const char *fallback;
	/* For one text or element or number in its written form; NULL: no further check. Says why
	 * in why and returns not OK. */
	enum cs_err (*check)(const char *text, struct cs_why *why);
	const char *sentence;
};

struct host_config_table {
	const char *path; /* "chain", or "remotes[]" */
	/* of an array of tables; both 0: any up to HOST_CONFIG_TABLES_MAX. max 1, min 0: an
	 * optional plain table, all of whose required keys count only when it is there. A plain
	 * table with neither is there by its defaults. */
	uint32_t count_min;
	uint32_t count_max;
	const char *sentence;
};

struct host_config_schema {
	const struct host_config_key *keys;
	uint32_t key_count;
	const struct host_config_table *tables; /* order of the sample and of the reference */
	uint32_t table_count;
};

struct host_config;

/* name: of the file, for messages. Never NULL: what went wrong is in its errors. */
struct host_config *host_config_parse(const struct host_config_schema *schema, struct cs_bytes text,
				      const char *name);
/* An unreadable or too large file is one error. */
struct host_config *host_config_load(const struct host_config_schema *schema, const char *path);
void host_config_free(struct host_config *config);

/* ---- errors: "remotes[1].url: is required", with the line where there is one ---- */
uint32_t host_config_error_count(const struct host_config *config);
/* "gateway.toml:12: remotes[1].url: …" */
const char *host_config_error(const struct host_config *config, uint32_t index);
/* For what spans several keys; the path may be formatted before. */
void host_config_complain(struct host_config *config, const char *path, const char *format, ...)
	CS_PRINTF(3, 4);

/* ---- values ---- */

/* Only of a configuration without errors; a path that the table does not have is a bug. Paths are
 * formatted: host_config_text(config, "remotes[%u].url", i). */
/* NULL: optional and absent. */
const char *host_config_text(const struct host_config *config, const char *path, ...)
	CS_PRINTF(2, 3);
int64_t host_config_number(const struct host_config *config, const char *path, ...) CS_PRINTF(2, 3);
bool host_config_bool(const struct host_config *config, const char *path, ...) CS_PRINTF(2, 3);
/* Elements of a list of texts ("chain.rpc") or entries of an array of tables ("remotes"). */
uint32_t host_config_count(const struct host_config *config, const char *path, ...) CS_PRINTF(2, 3);
/* One element of a list: host_config_text(config, "chain.rpc[%u]", i). */

/* ---- another file under the same table ---- */
/* Each path whose value in `to` is not that in `from`, or that only one of them has; defaults count as
 * values. Both without errors. */
void host_config_compare(const struct host_config *from, const struct host_config *to,
			 void (*changed)(void *context, const char *path), void *context);
/* "chains[3].rpc" is a place of "chains[].rpc". */
bool host_config_is_place(const char *pattern, const char *path);

/* ---- what the table writes ---- */
void host_config_write_sample(const struct host_config_schema *schema, FILE *to);
/* Markdown. */
void host_config_write_reference(const struct host_config_schema *schema, FILE *to);

/* How many letters have to be changed, added or taken away to make b of a: for "did you mean". SIZE_MAX: b is longer
 * than HOST_CONFIG_PATH_MAX. */
size_t host_text_distance(const char *a, const char *b);

#endif
