/* The configuration file as a flat list of places and values, between its reader and its schema.
 * Inside host/ only. */
#ifndef HOST_CONFIG_INNER_H
#define HOST_CONFIG_INNER_H

#include "host/config.h"

#define HOST_CONFIG_ENTRIES_MAX 1024u
#define HOST_CONFIG_TEXT_MAX 8192u
#define HOST_CONFIG_LIST_MAX 256u

struct host_config_entry {
	char *path;    /* "chains[0].rpc" */
	uint32_t line; /* 0: the default */
	enum host_config_type type;
	int64_t number; /* or bool */
	uint32_t count; /* of texts; 1 for a single one, 0 for an optional one without a value */
	char **texts;
	bool known;
};

struct host_config_place {
	char *path; /* a table that the file has: "log", "chains[0]" */
	uint32_t line;
	bool known;
};

struct host_config {
	const struct host_config_schema *schema;
	char *name;
	uint32_t entry_count;
	struct host_config_entry entries[HOST_CONFIG_ENTRIES_MAX];
	uint32_t place_count;
	struct host_config_place places[HOST_CONFIG_ENTRIES_MAX];
	uint32_t error_count;
	char *errors[HOST_CONFIG_ERRORS_MAX];
};

/* Reads the subset of TOML into entries and places; errors are complained about with their line,
 * and reading goes on with the next line. */
void host_config_read(struct host_config *config, struct cs_bytes text);
/* One value as it is written in a file, for defaults: a bug if it is none. */
void host_config_read_value(struct host_config *config, const char *path, const char *text);
/* line 0: none; path "": none. */
void host_config_complain_at(struct host_config *config, uint32_t line, const char *path,
			     const char *format, ...) CS_PRINTF(4, 5);
struct host_config_entry *host_config_find(const struct host_config *config, const char *path);

#endif
