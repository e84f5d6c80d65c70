#include "cli/statement_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_text(struct cs_bytes line, const char *text)
{
	return cs_bytes_eq(line, cs_bytes_str(text));
}

/* ---- the first line ---- */

/* Which says the format too. */
static json_t *read_first(struct statement_file *file, struct cs_bytes line)
{
	static const char lines[] = ",\"lines\":[";
	static const char mark[] = "# ";
	const size_t end = sizeof(lines) - 1, begin = sizeof(mark) - 1;
	file->format = STATEMENT_JSONL;
	if (line.n > begin && memcmp(line.p, mark, begin) == 0) {
		file->format = STATEMENT_CSV;
		line = cs_bytes(line.p + begin, line.n - begin);
	} else if (line.n > end && memcmp(line.p + line.n - end, lines, end) == 0) {
		char *text = malloc(line.n);
		file->format = STATEMENT_JSON;
		if (text == NULL)
			return NULL;
		memcpy(text, line.p, line.n - end);
		text[line.n - end] = '}';
		json_t *json = json_loadb(text, line.n - end + 1, JSON_REJECT_DUPLICATES, NULL);
		free(text);
		return json;
	}
	return json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
}

enum cs_err statement_file_open(struct statement_file *file, const char *path, struct cs_why *why)
{
	*file = (struct statement_file){.file = fopen(path, "r")};
	if (file->file == NULL)
		return cs_fail(why, CS_ERR_INVALID, "%s: %s", path, strerror(errno));
	ssize_t n = getline(&file->memory, &file->room, file->file);
	while (n > 0 && (file->memory[n - 1] == '\n' || file->memory[n - 1] == '\r'))
		n--;
	if (n > 0 && (size_t)n <= STATEMENT_HEAD_SIZE_MAX)
		file->document = read_first(file, cs_bytes(file->memory, (size_t)n));
	return CS_OK;
}

void statement_file_close(struct statement_file *file)
{
	if (file->file != NULL)
		(void)fclose(file->file);
	free(file->memory);
	json_decref(file->document);
	*file = (struct statement_file){.file = NULL};
}

const json_t *statement_file_head(const struct statement_file *file)
{
	return json_object_get(file->document, "statement");
}

/* ---- lines ---- */

/* Without its end; *more is false when there is none. */
static enum cs_err get_line(struct statement_file *file, bool *more, struct cs_bytes *line,
			    struct cs_why *why)
{
	const ssize_t n = getline(&file->memory, &file->room, file->file);
	*more = n > 0;
	if (n <= 0)
		return CS_OK;
	if (file->memory[n - 1] != '\n')
		return cs_fail(why, CS_ERR_MALFORMED, "the file is cut");
	*line = cs_bytes(file->memory, (size_t)n - 1);
	return CS_OK;
}

static enum cs_err end(struct statement_file *file, bool whole, struct cs_why *why)
{
	file->ended = true;
	return whole && fgetc(file->file) == EOF
		       ? CS_OK
		       : cs_fail(why, CS_ERR_MALFORMED,
				 "the file does not end as a statement does");
}

/* In a JSON document each line but the last is followed by a comma. */
static enum cs_err take_comma(struct statement_file *file, struct cs_bytes *line,
			      struct cs_why *why)
{
	if (file->some && !file->comma)
		return cs_fail(why, CS_ERR_MALFORMED, "a comma is missing");
	file->comma = line->n > 0 && line->p[line->n - 1] == ',';
	line->n -= file->comma;
	return CS_OK;
}

static enum cs_err skip_columns(struct statement_file *file, struct cs_why *why)
{
	struct cs_bytes line;
	bool more;
	CS_TRY(get_line(file, &more, &line, why));
	return more && is_text(line, statement_columns())
		       ? CS_OK
		       : cs_fail(why, CS_ERR_MALFORMED, "the columns are not those of a statement");
}

enum cs_err statement_file_next(struct statement_file *file, bool *more,
				uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX], size_t *size,
				uint64_t index, struct cs_why *why)
{
	struct cs_bytes line;
	const bool json = file->format == STATEMENT_JSON;
	*more = false;
	if (file->ended)
		return CS_OK;
	if (file->format == STATEMENT_CSV && !file->some)
		CS_TRY(skip_columns(file, why));
	CS_TRY(get_line(file, more, &line, why));
	if (!*more)
		return end(file, !json, why);
	if (json && is_text(line, "]}")) {
		*more = false;
		return end(file, !file->comma, why);
	}
	if (json)
		CS_TRY(take_comma(file, &line, why));
	file->some = true;
	if (statement_read_line(bytes, size, file->format, index, line) == CS_OK)
		return CS_OK;
	return cs_fail(why, CS_ERR_MALFORMED,
		       "line %llu does not read, or says something else than its bytes",
		       (unsigned long long)index);
}
