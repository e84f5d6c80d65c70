#include "host/config.h"

#include "core/utf8.h"
#include "host/alloc.h"
#include "host/config_inner.h"
#include "host/keyfile.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_SIZE_MAX 400u

/* ---- errors ---- */

CS_PRINTF(4, 0)
static void complain(struct host_config *config, uint32_t line, const char *path,
		     const char *format, va_list args)
{
	char text[ERROR_SIZE_MAX];
	char place[32] = "";
	char what[256];
	if (config->error_count == HOST_CONFIG_ERRORS_MAX)
		return;
	if (line > 0)
		(void)snprintf(place, sizeof place, ":%u", line);
	(void)vsnprintf(what, sizeof what, format, args);
	(void)snprintf(text, sizeof text, "%.100s%s: %s%s%s", config->name, place, path,
		       path[0] != 0 ? ": " : "", what);
	config->errors[config->error_count++] = host_text(text);
}

void host_config_complain_at(struct host_config *config, uint32_t line, const char *path,
			     const char *format, ...)
{
	va_list args;
	va_start(args, format);
	complain(config, line, path, format, args);
	va_end(args);
}

void host_config_complain(struct host_config *config, const char *path, const char *format, ...)
{
	va_list args;
	const struct host_config_entry *entry = host_config_find(config, path);
	va_start(args, format);
	complain(config, entry != NULL ? entry->line : 0, path, format, args);
	va_end(args);
}

uint32_t host_config_error_count(const struct host_config *config)
{
	return config->error_count;
}

const char *host_config_error(const struct host_config *config, uint32_t index)
{
	cs_assert(index < config->error_count);
	return config->errors[index];
}

/* ---- finding ---- */

struct host_config_entry *host_config_find(const struct host_config *config, const char *path)
{
	for (uint32_t i = 0; i < config->entry_count; i++)
		if (strcmp(config->entries[i].path, path) == 0)
			return (struct host_config_entry *)(uintptr_t)&config->entries[i];
	return NULL;
}

bool host_config_is_place(const char *pattern, const char *path)
{
	while (*pattern != 0 && *path != 0) {
		if (*pattern != *path)
			return false;
		if (*pattern == '[')
			while (path[1] >= '0' && path[1] <= '9')
				path++;
		pattern++;
		path++;
	}
	return *pattern == 0 && *path == 0;
}

static const struct host_config_key *key_of(const struct host_config_schema *schema,
					    const char *path)
{
	for (uint32_t i = 0; i < schema->key_count; i++)
		if (host_config_is_place(schema->keys[i].path, path))
			return &schema->keys[i];
	return NULL;
}

static const struct host_config_table *table_of(const struct host_config_schema *schema,
						const char *path)
{
	for (uint32_t i = 0; i < schema->table_count; i++)
		if (host_config_is_place(schema->tables[i].path, path))
			return &schema->tables[i];
	return NULL;
}

static uint32_t entries_of_array(const struct host_config *config, const char *path)
{
	char place[HOST_CONFIG_PATH_MAX + 16];
	uint32_t count = 0;
	for (uint32_t i = 0; i < config->place_count; i++) {
		(void)snprintf(place, sizeof place, "%s[%u]", path, count);
		if (strcmp(config->places[i].path, place) == 0)
			count++;
	}
	return count;
}

static bool has_table(const struct host_config *config, const char *path)
{
	for (uint32_t i = 0; i < config->place_count; i++)
		if (strcmp(config->places[i].path, path) == 0)
			return true;
	return false;
}

/* ---- checking what is there ---- */

size_t host_text_distance(const char *a, const char *b)
{
	size_t before[HOST_CONFIG_PATH_MAX + 1];
	size_t row[HOST_CONFIG_PATH_MAX + 1];
	size_t n = strlen(b);
	if (n > HOST_CONFIG_PATH_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		before[j] = j;
	for (size_t i = 0; a[i] != 0; i++) {
		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t least = before[j] + (a[i] == b[j] ? 0 : 1);
			least = before[j + 1] + 1 < least ? before[j + 1] + 1 : least;
			row[j + 1] = row[j] + 1 < least ? row[j] + 1 : least;
		}
		memcpy(before, row, sizeof before);
	}
	return before[n];
}

/* "chains[3].rpc" as the table writes it. */
static void as_pattern(char pattern[HOST_CONFIG_PATH_MAX], const char *path)
{
	size_t n = 0;
	for (; *path != 0 && n + 1 < HOST_CONFIG_PATH_MAX; path++) {
		pattern[n++] = *path;
		if (*path == '[')
			while (path[1] >= '0' && path[1] <= '9')
				path++;
	}
	pattern[n] = 0;
}

static void complain_unknown(struct host_config *config, const struct host_config_entry *entry)
{
	const char *nearest = NULL;
	size_t least = 3;
	char pattern[HOST_CONFIG_PATH_MAX];
	as_pattern(pattern, entry->path);
	for (uint32_t i = 0; i < config->schema->key_count; i++) {
		size_t cost = host_text_distance(pattern, config->schema->keys[i].path);
		if (cost < least) {
			least = cost;
			nearest = config->schema->keys[i].path;
		}
	}
	if (nearest != NULL)
		host_config_complain_at(config, entry->line, entry->path,
					"is not known; did you mean %s?", nearest);
	else
		host_config_complain_at(config, entry->line, entry->path, "is not known");
}

static const char *type_name(enum host_config_type type)
{
	switch (type) {
	case HOST_CONFIG_TEXT:
		return "a string";
	case HOST_CONFIG_NUMBER:
		return "an integer";
	case HOST_CONFIG_BOOL:
		return "true or false";
	case HOST_CONFIG_TEXTS:
		return "a list of strings";
	}
	return "";
}

static void check_range(struct host_config *config, const struct host_config_entry *entry,
			const struct host_config_key *key)
{
	int64_t value = 0;
	const char *what = "";
	switch (key->type) {
	case HOST_CONFIG_TEXT:
		value = (int64_t)strlen(entry->texts[0]);
		what = "characters";
		break;
	case HOST_CONFIG_NUMBER:
		value = entry->number;
		break;
	case HOST_CONFIG_TEXTS:
		value = entry->count;
		what = "elements";
		break;
	case HOST_CONFIG_BOOL:
		return;
	}
	if ((key->min == 0 && key->max == 0) || (value >= key->min && value <= key->max))
		return;
	host_config_complain_at(config, entry->line, entry->path, "%s%s%lld, must be %lld to %lld",
				what[0] != 0 ? what : "is", what[0] != 0 ? ": " : " ",
				(long long)value, (long long)key->min, (long long)key->max);
}

static void check_form(struct host_config *config, const struct host_config_entry *entry,
		       const struct host_config_key *key)
{
	char number[32];
	char path[HOST_CONFIG_PATH_MAX + 16];
	struct cs_why why = {"is not allowed"};
	if (key->check == NULL)
		return;
	if (key->type == HOST_CONFIG_NUMBER || key->type == HOST_CONFIG_BOOL) {
		(void)snprintf(number, sizeof number, "%lld", (long long)entry->number);
		if (key->check(number, &why) != CS_OK)
			host_config_complain_at(config, entry->line, entry->path, "%s", why.text);
		return;
	}
	for (uint32_t i = 0; i < entry->count; i++) {
		if (key->check(entry->texts[i], &why) == CS_OK)
			continue;
		(void)snprintf(path, sizeof path, key->type == HOST_CONFIG_TEXTS ? "%s[%u]" : "%s",
			       entry->path, i);
		host_config_complain_at(config, entry->line, path, "%s", why.text);
	}
}

static void check_entries(struct host_config *config)
{
	for (uint32_t i = 0; i < config->entry_count; i++) {
		const struct host_config_entry *entry = &config->entries[i];
		const struct host_config_key *key = key_of(config->schema, entry->path);
		uint32_t before = config->error_count;
		if (key == NULL) {
			complain_unknown(config, entry);
			continue;
		}
		if (entry->type != key->type) {
			host_config_complain_at(config, entry->line, entry->path, "must be %s",
						type_name(key->type));
			continue;
		}
		check_range(config, entry, key);
		if (config->error_count == before)
			check_form(config, entry, key);
	}
	for (uint32_t i = 0; i < config->place_count; i++)
		if (table_of(config->schema, config->places[i].path) == NULL)
			host_config_complain_at(
				config, config->places[i].line, config->places[i].path,
				"is a table that is not known, or [[ ]] in place of [ ]");
}

/* ---- completing what is not ---- */

static void complete_key(struct host_config *config, const struct host_config_key *key,
			 const char *path)
{
	if (host_config_find(config, path) != NULL)
		return;
	if (key->fallback == NULL)
		host_config_complain_at(config, 0, path, "is required: %s", key->sentence);
	else if (key->fallback[0] != 0)
		host_config_read_value(config, path, key->fallback);
}

/* An optional plain table that the file does not have. */
static bool is_left_out(const struct host_config *config, const char *key_path)
{
	for (uint32_t i = 0; i < config->schema->table_count; i++) {
		const struct host_config_table *table = &config->schema->tables[i];
		size_t n = strlen(table->path);
		if (table->count_min == 0 && table->count_max == 1 &&
		    strncmp(key_path, table->path, n) == 0 && key_path[n] == '.' &&
		    strstr(table->path, "[]") == NULL && !has_table(config, table->path))
			return true;
	}
	return false;
}

/* The key in each entry of the arrays of tables on its path; `done` is what has been given an index
 * already. */
static void complete_from(struct host_config *config, const struct host_config_key *key,
			  const char *done, const char *rest)
{
	char path[2 * HOST_CONFIG_PATH_MAX];
	const char *array = strstr(rest, "[]");
	if (array == NULL) {
		(void)snprintf(path, sizeof path, "%s%s", done, rest);
		complete_key(config, key, path);
		return;
	}
	(void)snprintf(path, sizeof path, "%s%.*s", done, (int)(array - rest), rest);
	size_t n = strlen(path);
	uint32_t count = entries_of_array(config, path);
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(path + n, sizeof path - n, "[%u]", i);
		complete_from(config, key, path, array + 2);
	}
}

static void check_counts(struct host_config *config)
{
	for (uint32_t i = 0; i < config->schema->table_count; i++) {
		const struct host_config_table *table = &config->schema->tables[i];
		char path[HOST_CONFIG_PATH_MAX];
		size_t n = strlen(table->path);
		/* Arrays inside arrays have no bounds of their own but HOST_CONFIG_TABLES_MAX. */
		if (n < 2 || strstr(table->path, "[]") != table->path + n - 2 ||
		    (table->count_min == 0 && table->count_max == 0))
			continue;
		(void)snprintf(path, sizeof path, "%.*s", (int)(n - 2), table->path);
		uint32_t count = entries_of_array(config, path);
		if (count < table->count_min || count > table->count_max)
			host_config_complain_at(config, 0, path,
						"%u entries, must be %u to %u: [[%s]]", count,
						table->count_min, table->count_max, path);
	}
}

static void complete(struct host_config *config)
{
	for (uint32_t i = 0; i < config->schema->key_count; i++)
		if (!is_left_out(config, config->schema->keys[i].path))
			complete_from(config, &config->schema->keys[i], "",
				      config->schema->keys[i].path);
}

struct host_config *host_config_parse(const struct host_config_schema *schema, struct cs_bytes text,
				      const char *name)
{
	struct host_config *config = host_alloc(sizeof *config);
	config->schema = schema;
	config->name = host_text(name);
	if (text.n > HOST_CONFIG_FILE_MAX) {
		host_config_complain_at(config, 0, "", "the file is larger than %u bytes",
					HOST_CONFIG_FILE_MAX);
		return config;
	}
	if (!cs_utf8_is_valid(text)) {
		host_config_complain_at(config, 0, "", "the file is no UTF-8");
		return config;
	}
	host_config_read(config, text);
	check_entries(config);
	check_counts(config);
	complete(config);
	return config;
}

struct host_config *host_config_load(const struct host_config_schema *schema, const char *path)
{
	uint8_t *text = NULL;
	size_t size = 0;
	struct cs_why why = {{0}};
	if (host_file_load(&text, &size, path, HOST_CONFIG_FILE_MAX, &why) != CS_OK) {
		struct host_config *config = host_alloc(sizeof *config);
		config->schema = schema;
		config->name = host_text(path);
		host_config_complain_at(config, 0, "", "%s", why.text);
		return config;
	}
	struct host_config *config = host_config_parse(schema, cs_bytes(text, size), path);
	free(text);
	return config;
}

void host_config_free(struct host_config *config)
{
	if (config == NULL)
		return;
	for (uint32_t i = 0; i < config->entry_count; i++) {
		struct host_config_entry *entry = &config->entries[i];
		for (uint32_t j = 0; j < entry->count; j++)
			free(entry->texts[j]);
		free(entry->texts);
		free(entry->path);
	}
	for (uint32_t i = 0; i < config->place_count; i++)
		free(config->places[i].path);
	for (uint32_t i = 0; i < config->error_count; i++)
		free(config->errors[i]);
	free(config->name);
	free(config);
}

/* ---- values ---- */

CS_PRINTF(2, 0)
static void format_path(char path[HOST_CONFIG_PATH_MAX], const char *format, va_list args)
{
	int n = vsnprintf(path, HOST_CONFIG_PATH_MAX, format, args);
	cs_assert(n > 0 && (size_t)n < HOST_CONFIG_PATH_MAX);
}

/* NULL: absent. A path that is in no table is a bug. */
static const struct host_config_entry *value_of(const struct host_config *config, const char *path,
						enum host_config_type type)
{
	const struct host_config_key *key = key_of(config->schema, path);
	cs_assert(key != NULL && key->type == type && config->error_count == 0);
	return host_config_find(config, path);
}

const char *host_config_text(const struct host_config *config, const char *format, ...)
{
	char path[HOST_CONFIG_PATH_MAX];
	va_list args;
	va_start(args, format);
	format_path(path, format, args);
	va_end(args);
	size_t n = strlen(path);
	if (path[n - 1] != ']') {
		const struct host_config_entry *entry = value_of(config, path, HOST_CONFIG_TEXT);
		return entry != NULL ? entry->texts[0] : NULL;
	}
	/* An element of a list. */
	char *bracket = strrchr(path, '[');
	cs_assert(bracket != NULL);
	unsigned long index = strtoul(bracket + 1, NULL, 10);
	*bracket = 0;
	const struct host_config_entry *entry = value_of(config, path, HOST_CONFIG_TEXTS);
	cs_assert(entry != NULL && index < entry->count);
	return entry->texts[index];
}

int64_t host_config_number(const struct host_config *config, const char *format, ...)
{
	char path[HOST_CONFIG_PATH_MAX];
	va_list args;
	va_start(args, format);
	format_path(path, format, args);
	va_end(args);
	const struct host_config_entry *entry = value_of(config, path, HOST_CONFIG_NUMBER);
	cs_assert(entry != NULL);
	return entry->number;
}

bool host_config_bool(const struct host_config *config, const char *format, ...)
{
	char path[HOST_CONFIG_PATH_MAX];
	va_list args;
	va_start(args, format);
	format_path(path, format, args);
	va_end(args);
	const struct host_config_entry *entry = value_of(config, path, HOST_CONFIG_BOOL);
	cs_assert(entry != NULL);
	return entry->number != 0;
}

uint32_t host_config_count(const struct host_config *config, const char *format, ...)
{
	char path[HOST_CONFIG_PATH_MAX];
	va_list args;
	va_start(args, format);
	format_path(path, format, args);
	va_end(args);
	const struct host_config_key *key = key_of(config->schema, path);
	if (key == NULL)
		return entries_of_array(config, path);
	const struct host_config_entry *entry = value_of(config, path, HOST_CONFIG_TEXTS);
	return entry != NULL ? entry->count : 0;
}

/* ---- another file ---- */

static bool same_value(const struct host_config_entry *a, const struct host_config_entry *b)
{
	if (a->type != b->type || a->number != b->number || a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (strcmp(a->texts[i], b->texts[i]) != 0)
			return false;
	return true;
}

void host_config_compare(const struct host_config *from, const struct host_config *to,
			 void (*changed)(void *context, const char *path), void *context)
{
	for (uint32_t i = 0; i < to->entry_count; i++) {
		const struct host_config_entry *entry = &to->entries[i];
		const struct host_config_entry *before = host_config_find(from, entry->path);
		if (!before || !same_value(before, entry))
			changed(context, entry->path);
	}
	for (uint32_t i = 0; i < from->entry_count; i++)
		if (!host_config_find(to, from->entries[i].path))
			changed(context, from->entries[i].path);
}
