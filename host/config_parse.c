/* The strict subset of TOML 1.0 (docs/adr): comments, [table], [[array of tables]], bare keys,
 * basic and literal strings on one line, decimal integers, booleans, arrays of strings. Whatever is
 * left out is refused by name, never read as something else. */
#include "core/utf8.h"
#include "host/alloc.h"
#include "host/config_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	struct host_config *config;
	const uint8_t *p;
	size_t n;
	size_t at;
	uint32_t line;
	char table[HOST_CONFIG_PATH_MAX]; /* "" or "chains[0]." */
	bool table_ok; /* false: keys below a header that was refused are skipped */
};

/* ---- characters ---- */

static int peek(const struct parser *parser)
{
	return parser->at < parser->n ? parser->p[parser->at] : -1;
}

static bool take(struct parser *parser, char c)
{
	if (peek(parser) != c)
		return false;
	parser->at++;
	return true;
}

static void skip_blank(struct parser *parser)
{
	while (peek(parser) == ' ' || peek(parser) == '\t')
		parser->at++;
}

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* To the first character of the next line. */
static void skip_line(struct parser *parser)
{
	while (peek(parser) >= 0 && peek(parser) != '\n')
		parser->at++;
	if (take(parser, '\n'))
		parser->line++;
}

static bool is_control(int c)
{
	return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
}

/* Blank or comment, then the end of the line. */
static bool end_of_line(struct parser *parser)
{
	skip_blank(parser);
	if (peek(parser) == '#')
		while (peek(parser) >= 0 && !is_control(peek(parser)))
			parser->at++;
	if (peek(parser) == '\r' && parser->at + 1 < parser->n && parser->p[parser->at + 1] == '\n')
		parser->at++;
	return peek(parser) < 0 || peek(parser) == '\n';
}

static bool fail(struct parser *parser, const char *path, const char *text)
{
	host_config_complain_at(parser->config, parser->line, path, "%s", text);
	return false;
}

/* ---- names ---- */

/* A bare key of at most size - 1 characters. */
static bool take_name(struct parser *parser, char *name, size_t size)
{
	size_t n = 0;
	while (is_bare(peek(parser)) && n + 1 < size)
		name[n++] = (char)parser->p[parser->at++];
	name[n] = 0;
	return n > 0 && !is_bare(peek(parser));
}

/* Without complaining about too long a path: the bound is far above the schemas'. */
static bool append(char path[HOST_CONFIG_PATH_MAX], const char *text)
{
	size_t n = strlen(path);
	size_t more = strlen(text);
	if (more >= HOST_CONFIG_PATH_MAX - n)
		return false;
	memcpy(path + n, text, more + 1);
	return true;
}

/* ---- strings ---- */

static bool put_code_point(char *text, size_t *n, uint32_t code)
{
	uint8_t bytes[CS_UTF8_SIZE_MAX];
	size_t size = code != 0 ? cs_utf8_put(bytes, code) : 0;
	if (size == 0 || *n + size >= HOST_CONFIG_TEXT_MAX)
		return false;
	memcpy(text + *n, bytes, size);
	*n += size;
	return true;
}

static bool take_escape(struct parser *parser, char *text, size_t *n)
{
	static const char letters[] = "btnfr\"\\";
	static const char meanings[] = "\b\t\n\f\r\"\\";
	int c = peek(parser);
	parser->at++;
	if (c == 'u') {
		uint8_t code[2];
		if (parser->n - parser->at < 4 ||
		    cs_unhex(code, 2, cs_bytes(parser->p + parser->at, 4)) != CS_OK)
			return false;
		parser->at += 4;
		return put_code_point(text, n, cs_be16(code));
	}
	const char *letter = c > 0 ? strchr(letters, c) : NULL;
	if (letter == NULL)
		return false;
	text[(*n)++] = meanings[letter - letters];
	return true;
}

/* UTF-8 of the file is passed through; a zero or another control character is not. */
static char *take_text(struct parser *parser, const char *path)
{
	char text[HOST_CONFIG_TEXT_MAX];
	size_t n = 0;
	int quote = peek(parser);
	parser->at++;
	if (peek(parser) == quote && parser->at + 1 < parser->n &&
	    parser->p[parser->at + 1] == quote) {
		(void)fail(parser, path, "strings over several lines are not allowed");
		return NULL;
	}
	while (peek(parser) != quote) {
		int c = peek(parser);
		if (c < 0x20 || c == 0x7f) {
			(void)fail(parser, path, "the string has no end, or a control character");
			return NULL;
		}
		parser->at++;
		bool ok = n + 4 < sizeof text;
		if (ok && c == '\\' && quote == '"')
			ok = take_escape(parser, text, &n);
		else if (ok)
			text[n++] = (char)c;
		if (!ok) {
			(void)fail(parser, path, "an unknown escape, or too long a string");
			return NULL;
		}
	}
	parser->at++;
	text[n] = 0;
	return host_text(text);
}

/* ---- values ---- */

static bool take_number(struct parser *parser, struct host_config_entry *entry)
{
	bool minus = take(parser, '-');
	uint64_t value = 0;
	size_t digits = 0;
	bool ok = true;
	bool zero_first = peek(parser) == '0';
	for (; (peek(parser) >= '0' && peek(parser) <= '9') || (peek(parser) == '_' && digits > 0);
	     parser->at++) {
		if (peek(parser) == '_') {
			/* Between digits only. */
			int next = parser->at + 1 < parser->n ? parser->p[parser->at + 1] : -1;
			ok = ok && next >= '0' && next <= '9';
			continue;
		}
		uint64_t digit = (uint64_t)(peek(parser) - '0');
		ok = ok && value <= ((uint64_t)INT64_MAX - digit) / 10;
		value = ok ? value * 10 + digit : 0;
		digits++;
	}
	if (!ok || digits == 0 || (zero_first && digits > 1) || is_bare(peek(parser)) ||
	    peek(parser) == '.')
		return fail(parser, entry->path, "is not an integer below 2^63");
	entry->type = HOST_CONFIG_NUMBER;
	entry->number = minus ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool take_bool(struct parser *parser, struct host_config_entry *entry)
{
	char word[8];
	entry->type = HOST_CONFIG_BOOL;
	if (take_name(parser, word, sizeof word)) {
		entry->number = strcmp(word, "true") == 0;
		if (entry->number || strcmp(word, "false") == 0)
			return true;
	}
	return fail(parser, entry->path,
		    "is not a string in quotes, integer, true, false or list of strings");
}

static void add_text(struct host_config_entry *entry, char *text)
{
	entry->texts = host_grow(entry->texts, (entry->count + 1) * sizeof *entry->texts);
	entry->texts[entry->count++] = text;
}

/* Blanks, comments and line ends inside an array. */
static void skip_inside_array(struct parser *parser)
{
	while (end_of_line(parser) && peek(parser) == '\n')
		skip_line(parser);
}

static bool take_array(struct parser *parser, struct host_config_entry *entry)
{
	entry->type = HOST_CONFIG_TEXTS;
	parser->at++;
	for (;;) {
		skip_inside_array(parser);
		if (take(parser, ']'))
			return true;
		if (peek(parser) != '"' && peek(parser) != '\'')
			return fail(parser, entry->path,
				    "only strings may be in a list, and it must end with ]");
		if (entry->count == HOST_CONFIG_LIST_MAX)
			return fail(parser, entry->path, "has too many elements");
		char *text = take_text(parser, entry->path);
		if (text == NULL)
			return false;
		add_text(entry, text);
		skip_inside_array(parser);
		if (!take(parser, ',') && peek(parser) != ']')
			return fail(parser, entry->path, "a comma or ] is missing in the list");
	}
}

static bool take_value(struct parser *parser, struct host_config_entry *entry)
{
	int c = peek(parser);
	if (c == '"' || c == '\'') {
		char *text = take_text(parser, entry->path);
		if (text == NULL)
			return false;
		entry->type = HOST_CONFIG_TEXT;
		add_text(entry, text);
		return true;
	}
	if (c == '[')
		return take_array(parser, entry);
	if (c == '{')
		return fail(parser, entry->path, "inline tables are not allowed");
	if (c == '-' || (c >= '0' && c <= '9'))
		return take_number(parser, entry);
	return take_bool(parser, entry);
}

/* ---- lines ---- */

static struct host_config_entry *new_entry(struct host_config *config, const char *path,
					   uint32_t line)
{
	struct host_config_entry *entry = &config->entries[config->entry_count];
	*entry = (struct host_config_entry){.path = host_text(path), .line = line};
	return entry;
}

static void drop_entry(struct host_config_entry *entry)
{
	for (uint32_t i = 0; i < entry->count; i++)
		free(entry->texts[i]);
	free(entry->texts);
	free(entry->path);
	memset(entry, 0, sizeof *entry);
}

/* Back to a place from which reading makes sense: a broken list may span lines, so it ends at what
 * begins a line anew. */
static void take_pair(struct parser *parser)
{
	char name[HOST_CONFIG_PATH_MAX];
	char path[HOST_CONFIG_PATH_MAX];
	uint32_t line = parser->line;
	struct host_config *config = parser->config;
	bool named = take_name(parser, name, sizeof name);
	memcpy(path, parser->table, sizeof path);
	skip_blank(parser);
	if (!named || !append(path, name) || !take(parser, '=')) {
		(void)fail(parser, "", "expected: name = value, [table] or [[table]]");
		skip_line(parser);
		return;
	}
	if (config->entry_count == HOST_CONFIG_ENTRIES_MAX) {
		(void)fail(parser, path, "the file has too many keys");
		parser->at = parser->n;
		return;
	}
	struct host_config_entry *entry = new_entry(config, path, line);
	skip_blank(parser);
	bool ok = take_value(parser, entry);
	if (ok && !end_of_line(parser))
		ok = fail(parser, path, "something follows the value");
	if (ok && host_config_find(config, path) != NULL)
		ok = fail(parser, path, "is there twice");
	if (ok && parser->table_ok)
		config->entry_count++;
	else
		drop_entry(entry);
	skip_line(parser);
}

static uint32_t count_places(const struct host_config *config, const char *path)
{
	uint32_t count = 0;
	size_t n = strlen(path);
	for (uint32_t i = 0; i < config->place_count; i++) {
		const char *other = config->places[i].path;
		if (strncmp(other, path, n) == 0 && other[n] == '[' &&
		    strchr(other + n, ']')[1] == 0)
			count++;
	}
	return count;
}

static bool has_place(const struct host_config *config, const char *path)
{
	for (uint32_t i = 0; i < config->place_count; i++)
		if (strcmp(config->places[i].path, path) == 0)
			return true;
	return false;
}

/* One part of a header's name; parts before the last mean the newest entry of an array of tables. */
static bool add_part(struct parser *parser, char path[HOST_CONFIG_PATH_MAX], const char *name,
		     bool last, bool array)
{
	char index[16] = "";
	if (!append(path, name))
		return false;
	uint32_t count = count_places(parser->config, path);
	if (last && array) {
		if (has_place(parser->config, path))
			return fail(parser, path, "is a table already");
		if (count == HOST_CONFIG_TABLES_MAX)
			return fail(parser, path, "has too many entries");
		(void)snprintf(index, sizeof index, "[%u]", count);
	} else if (!last && count > 0) {
		(void)snprintf(index, sizeof index, "[%u]", count - 1);
	} else if (last && count > 0) {
		return fail(parser, path, "is an array of tables: write [[ ]]");
	}
	return append(path, index);
}

static bool take_header_path(struct parser *parser, char path[HOST_CONFIG_PATH_MAX], bool array)
{
	char name[HOST_CONFIG_PATH_MAX];
	for (;;) {
		skip_blank(parser);
		if (!take_name(parser, name, sizeof name))
			return fail(parser, "",
				    "a table's name is missing or has other characters than A-Z "
				    "a-z 0-9 _ -");
		skip_blank(parser);
		bool last = peek(parser) != '.';
		uint32_t before = parser->config->error_count;
		if (!add_part(parser, path, name, last, array))
			return parser->config->error_count > before
				       ? false
				       : fail(parser, "", "too long a name");
		if (last)
			return true;
		parser->at++;
		if (!append(path, "."))
			return fail(parser, "", "too long a name");
	}
}

static void take_header(struct parser *parser)
{
	char path[HOST_CONFIG_PATH_MAX] = "";
	struct host_config *config = parser->config;
	parser->at++;
	bool array = take(parser, '[');
	bool ok = take_header_path(parser, path, array);
	if (ok && (!take(parser, ']') || (array && !take(parser, ']')) || !end_of_line(parser)))
		ok = fail(parser, path,
			  array ? "expected ]] and the end of the line"
				: "expected ] and the end of the line");
	if (ok && has_place(config, path))
		ok = fail(parser, path, "the table is there twice");
	if (ok && config->place_count == HOST_CONFIG_ENTRIES_MAX)
		ok = fail(parser, path, "the file has too many tables");
	parser->table_ok = ok && append(path, ".");
	if (parser->table_ok) {
		memcpy(parser->table, path, sizeof path);
		path[strlen(path) - 1] = 0;
		config->places[config->place_count++] =
			(struct host_config_place){.path = host_text(path), .line = parser->line};
	}
	skip_line(parser);
}

void host_config_read(struct host_config *config, struct cs_bytes text)
{
	struct parser parser = {
		.config = config, .p = text.p, .n = text.n, .line = 1, .table_ok = true};
	while (parser.at < parser.n && config->error_count < HOST_CONFIG_ERRORS_MAX) {
		skip_blank(&parser);
		if (peek(&parser) == '[')
			take_header(&parser);
		else if (end_of_line(&parser))
			skip_line(&parser);
		else
			take_pair(&parser);
	}
}

void host_config_read_value(struct host_config *config, const char *path, const char *text)
{
	struct parser parser = {.config = config, .p = (const uint8_t *)text, .n = strlen(text)};
	if (config->entry_count == HOST_CONFIG_ENTRIES_MAX) {
		host_config_complain_at(config, 0, path, "too many keys");
		return;
	}
	struct host_config_entry *entry = new_entry(config, path, 0);
	cs_assert(take_value(&parser, entry) && parser.at == parser.n);
	config->entry_count++;
}
