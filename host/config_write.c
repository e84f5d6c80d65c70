#include "host/config.h"

#include <inttypes.h>
#include <string.h>

/* What stands before the last dot: the key's table. */
static size_t table_size(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot != NULL ? (size_t)(dot - path) : 0;
}

static bool is_in(const struct host_config_key *key, const char *table)
{
	size_t n = table_size(key->path);
	return n == strlen(table) && strncmp(key->path, table, n) == 0;
}

static const char *type_word(enum host_config_type type)
{
	switch (type) {
	case HOST_CONFIG_TEXT:
		return "string";
	case HOST_CONFIG_NUMBER:
		return "integer";
	case HOST_CONFIG_BOOL:
		return "boolean";
	case HOST_CONFIG_TEXTS:
		return "strings";
	}
	return "";
}

static void write_range(const struct host_config_key *key, FILE *to)
{
	if (key->min == 0 && key->max == 0)
		return;
	const char *unit = key->type == HOST_CONFIG_TEXT    ? " characters"
			   : key->type == HOST_CONFIG_TEXTS ? " elements"
							    : "";
	(void)fprintf(to, ", %" PRId64 " to %" PRId64 "%s", key->min, key->max, unit);
}

static const char *example(enum host_config_type type)
{
	switch (type) {
	case HOST_CONFIG_TEXT:
		return "\"\"";
	case HOST_CONFIG_NUMBER:
		return "0";
	case HOST_CONFIG_BOOL:
		return "false";
	case HOST_CONFIG_TEXTS:
		return "[]";
	}
	return "";
}

/* Required keys stand there to be filled in, defaults and what is in an optional table as comments
 * to be changed. */
static void write_sample_key(const struct host_config_key *key, bool optional, FILE *to)
{
	size_t n = table_size(key->path);
	const char *name = key->path + (n > 0 ? n + 1 : 0);
	(void)fprintf(to, "# %s\n", key->sentence);
	if (key->fallback == NULL)
		(void)fprintf(to, "%s%s = %s # required\n", optional ? "# " : "", name,
			      example(key->type));
	else
		(void)fprintf(to, "# %s = %s\n", name,
			      key->fallback[0] != 0 ? key->fallback : example(key->type));
}

static void write_sample_keys(const struct host_config_schema *schema, const char *table,
			      bool optional, FILE *to)
{
	for (uint32_t i = 0; i < schema->key_count; i++)
		if (is_in(&schema->keys[i], table))
			write_sample_key(&schema->keys[i], optional, to);
}

/* "chains[].keys[]" is written [[chains.keys]]. */
static void write_header(const struct host_config_table *table, bool array, bool optional, FILE *to)
{
	(void)fprintf(to, "\n# %s\n%s%s", table->sentence, optional ? "# " : "",
		      array ? "[[" : "[");
	for (const char *c = table->path; *c != 0; c++)
		if (*c != '[' && *c != ']')
			(void)fputc(*c, to);
	(void)fprintf(to, "%s\n", array ? "]]" : "]");
}

void host_config_write_sample(const struct host_config_schema *schema, FILE *to)
{
	write_sample_keys(schema, "", false, to);
	for (uint32_t i = 0; i < schema->table_count; i++) {
		const struct host_config_table *table = &schema->tables[i];
		size_t n = strlen(table->path);
		bool array = n > 2 && strcmp(table->path + n - 2, "[]") == 0;
		bool optional = table->count_min == 0 && (array || table->count_max == 1);
		write_header(table, array, optional, to);
		write_sample_keys(schema, table->path, optional, to);
	}
}

static void write_reference_key(const struct host_config_key *key, FILE *to)
{
	(void)fprintf(to, "| `%s` | %s", key->path, type_word(key->type));
	write_range(key, to);
	if (key->fallback == NULL)
		(void)fprintf(to, " | required");
	else if (key->fallback[0] == 0)
		(void)fprintf(to, " | none");
	else
		(void)fprintf(to, " | `%s`", key->fallback);
	(void)fprintf(to, " | %s |\n", key->sentence);
}

static void write_reference_table(const struct host_config_schema *schema, const char *table,
				  FILE *to)
{
	(void)fprintf(to, "| key | type | default | what it is |\n|---|---|---|---|\n");
	for (uint32_t i = 0; i < schema->key_count; i++)
		if (is_in(&schema->keys[i], table))
			write_reference_key(&schema->keys[i], to);
}

void host_config_write_reference(const struct host_config_schema *schema, FILE *to)
{
	write_reference_table(schema, "", to);
	for (uint32_t i = 0; i < schema->table_count; i++) {
		(void)fprintf(to, "\n## `%s`\n\n%s\n\n", schema->tables[i].path,
			      schema->tables[i].sentence);
		write_reference_table(schema, schema->tables[i].path, to);
	}
}
