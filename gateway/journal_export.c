#include "gateway/journal_export.h"

#include "core/hash.h"
#include "gateway/journal_private.h"
#include "host/alloc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 64u
#define COLUMNS_MAX 64u
#define NAME_MAX_ 48u
#define SQL_SIZE 8192u
/* A statement row with its ids is some KiB, a transaction with a full batch a MiB, both as hex. */
#define LINE_MAX_ (16u * 1024 * 1024)

struct table {
	char name[NAME_MAX_];
	char columns[COLUMNS_MAX][NAME_MAX_];
	size_t column_count;
};

/* Table after table in the order of their making: what refers to a row comes after it. */
struct tables {
	struct table list[TABLES_MAX];
	size_t count;
	uint64_t schema;
};

/* ---- what there is ---- */

static bool is_name(const char *text)
{
	size_t n = text ? strlen(text) : 0;
	for (size_t i = 0; i < n; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || text[i] == '_' ||
		      (text[i] >= '0' && text[i] <= '9')))
			return false;
	return n > 0 && n < NAME_MAX_;
}

static enum cs_err one_number(struct host_store *store, const char *sql, uint64_t *number)
{
	struct host_stmt *stmt = NULL;
	bool row = false;
	CS_TRY(host_stmt_new(&stmt, store, sql));
	enum cs_err err = host_stmt_next(stmt, &row);
	if (err == CS_OK)
		*number = row ? host_column_u64(stmt, 0) : 0;
	host_stmt_reset(stmt);
	host_stmt_free(stmt);
	return err;
}

/* Names of the first column of a query, at most max. */
static enum cs_err names_of(struct host_store *store, const char *sql, char (*names)[NAME_MAX_],
			    size_t stride, size_t max, size_t *count)
{
	struct host_stmt *stmt = NULL;
	enum cs_err err = host_stmt_new(&stmt, store, sql);
	size_t n = 0;
	while (err == CS_OK) {
		bool row = false;
		err = host_stmt_next(stmt, &row);
		if (err != CS_OK || !row)
			break;
		const char *name = host_column_text(stmt, 0);
		if (n == max || !is_name(name)) {
			host_stmt_reset(stmt);
			err = CS_ERR_UNSUPPORTED;
			break;
		}
		(void)snprintf((char *)names + n * stride, NAME_MAX_, "%s", name);
		n++;
	}
	host_stmt_free(stmt);
	*count = n;
	return err;
}

static enum cs_err read_tables(struct host_store *store, struct tables *tables)
{
	char sql[160];
	CS_TRY(one_number(store, "PRAGMA user_version", &tables->schema));
	CS_TRY(names_of(store,
			/* Both follow from other rows: one is counted by whoever adds those, one
			 * when all of them are there. */
			"SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE "
			"'sqlite_%' AND name NOT IN ('counts','proofs_kept') ORDER BY rowid",
			&tables->list[0].name, sizeof(struct table), TABLES_MAX, &tables->count));
	for (size_t i = 0; i < tables->count; i++) {
		struct table *table = &tables->list[i];
		(void)snprintf(sql, sizeof(sql), "SELECT name FROM pragma_table_info('%s')",
			       table->name);
		CS_TRY(names_of(store, sql, &table->columns[0], NAME_MAX_, COLUMNS_MAX,
				&table->column_count));
	}
	return CS_OK;
}

/* ---- export ---- */

struct out {
	FILE *to;
	struct cs_keccak keccak;
	uint64_t rows;
};

/* Takes json. */
static enum cs_err put_line(struct out *out, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!text)
		return CS_ERR_NO_MEMORY;
	cs_keccak_add(&out->keccak, cs_bytes_str(text));
	cs_keccak_add(&out->keccak, cs_bytes_str("\n"));
	bool good = fputs(text, out->to) >= 0 && fputc('\n', out->to) != EOF;
	free(text);
	return good ? CS_OK : CS_ERR_IO;
}

static json_t *bytes_json(struct cs_bytes bytes)
{
	char *hex = host_alloc(2 * bytes.n + 1);
	cs_hex(hex, bytes);
	json_t *json = json_pack("{s:s}", "b", hex);
	free(hex);
	return json;
}

/* Column 2i is the type of what is in column 2i + 1. */
static json_t *value_json(struct host_stmt *stmt, uint32_t i)
{
	const char *type = host_column_text(stmt, 2 * i);
	if (!type || strcmp(type, "null") == 0)
		return json_null();
	if (strcmp(type, "integer") == 0)
		return json_integer(host_column_i64(stmt, 2 * i + 1));
	if (strcmp(type, "text") == 0)
		return json_string(host_column_text(stmt, 2 * i + 1));
	return bytes_json(host_column_blob(stmt, 2 * i + 1));
}

static enum cs_err put_row(struct out *out, const struct table *table, struct host_stmt *stmt)
{
	json_t *row = json_array();
	for (uint32_t i = 0; i < table->column_count; i++) {
		json_t *value = value_json(stmt, i);
		if (!value) { /* a text that is no UTF-8: ours are */
			json_decref(row);
			return CS_ERR_INVALID;
		}
		json_array_append_new(row, value);
	}
	out->rows++;
	return put_line(out, row);
}

static enum cs_err put_table(struct out *out, struct host_store *store, const struct table *table)
{
	static char sql[SQL_SIZE];
	struct host_stmt *stmt = NULL;
	json_t *columns = json_array();
	size_t n = (size_t)snprintf(sql, sizeof(sql), "SELECT ");
	for (size_t i = 0; i < table->column_count; i++) {
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%stypeof(%s),%s", i > 0 ? "," : "",
				      table->columns[i], table->columns[i]);
		json_array_append_new(columns, json_string(table->columns[i]));
	}
	(void)snprintf(sql + n, sizeof(sql) - n, " FROM %s", table->name);
	CS_TRY(put_line(out,
			json_pack("{s:s,s:o}", "table", table->name, "columns", columns)));
	CS_TRY(host_stmt_new(&stmt, store, sql));
	enum cs_err err = CS_OK;
	for (bool row = true; err == CS_OK && row;) {
		err = host_stmt_next(stmt, &row);
		if (err == CS_OK && row)
			err = put_row(out, table, stmt);
	}
	host_stmt_reset(stmt);
	host_stmt_free(stmt);
	return err;
}

enum cs_err gateway_journal_export(struct gateway_journal *journal, FILE *to, uint64_t *rows,
				   struct cs_why *why)
{
	static struct tables tables;
	struct host_store *store = gateway_journal_store(journal);
	struct out out = {.to = to};
	char hex[65];
	cs_keccak_init(&out.keccak);
	memset(&tables, 0, sizeof(tables));
	enum cs_err err = read_tables(store, &tables);
	if (err == CS_OK)
		err = put_line(&out, json_pack("{s:i,s:I}", "caisson_journal",
					       GATEWAY_EXPORT_VERSION, "schema",
					       (json_int_t)tables.schema));
	for (size_t i = 0; i < tables.count && err == CS_OK; i++)
		err = put_table(&out, store, &tables.list[i]);
	if (err == CS_OK) {
		struct cs_hash digest = cs_keccak_end(&out.keccak);
		cs_hex(hex, CS_BYTES_OF(digest.b));
		err = put_line(&out, json_pack("{s:I,s:s}", "rows", (json_int_t)out.rows, "keccak",
					       hex));
	}
	if (err == CS_OK && fflush(to) != 0)
		err = CS_ERR_IO;
	if (err != CS_OK)
		return cs_fail(why, err, "the journal could not be written out");
	*rows = out.rows;
	return CS_OK;
}

/* ---- import ---- */

struct in {
	struct gateway_journal *journal;
	FILE *from;
	struct tables tables;
	struct cs_keccak keccak;
	uint64_t line;
	uint64_t rows;
	struct host_stmt *insert; /* of the table that is being read */
	size_t columns;
	bool ended;
	char *text; /* of the line, getline's */
	size_t room;
	uint8_t *bytes[COLUMNS_MAX]; /* of the row, until it is inserted */
	struct cs_why why;
};

static enum cs_err bad(struct in *in, enum cs_err err, const char *what)
{
	return cs_fail(&in->why, err, "line %llu: %s", (unsigned long long)in->line, what);
}

/* *json NULL: there is no more line. */
static enum cs_err next_line(struct in *in, json_t **json)
{
	*json = NULL;
	ssize_t n = getline(&in->text, &in->room, in->from);
	in->line++;
	if (n < 0)
		return ferror(in->from) ? bad(in, CS_ERR_IO, "cannot be read") : CS_OK;
	if ((size_t)n > LINE_MAX_)
		return bad(in, CS_ERR_TOO_LARGE, "is too long");
	if (in->text[n - 1] != '\n')
		return bad(in, CS_ERR_TRUNCATED, "ends too early");
	*json = json_loadb(in->text, (size_t)n - 1, JSON_REJECT_DUPLICATES, NULL);
	return *json ? CS_OK : bad(in, CS_ERR_MALFORMED, "is no JSON");
}

static enum cs_err take_header(struct in *in)
{
	json_t *json = NULL;
	CS_TRY(next_line(in, &json));
	const json_t *version = json_object_get(json, "caisson_journal");
	const json_t *schema = json_object_get(json, "schema");
	enum cs_err err = CS_OK;
	if (!json_is_integer(version) || !json_is_integer(schema))
		err = bad(in, CS_ERR_MALFORMED, "is not the first one of an exported journal");
	else if (json_integer_value(version) != GATEWAY_EXPORT_VERSION)
		err = bad(in, CS_ERR_UNSUPPORTED, "names a version of the lines that is not ours");
	else if (json_integer_value(schema) < 0 ||
		 (uint64_t)json_integer_value(schema) > in->tables.schema)
		err = bad(in, CS_ERR_UNSUPPORTED, "names a newer schema than ours");
	if (err == CS_OK)
		cs_keccak_add(&in->keccak, cs_bytes_str(in->text));
	json_decref(json);
	return err;
}

static bool has_column(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i], name) == 0)
			return true;
	return false;
}

static const struct table *table_named(const struct in *in, const char *name)
{
	for (size_t i = 0; name && i < in->tables.count; i++)
		if (strcmp(in->tables.list[i].name, name) == 0)
			return &in->tables.list[i];
	return NULL;
}

/* Every name is one of the schema: nothing of the file becomes SQL. */
static enum cs_err take_table(struct in *in, const json_t *json)
{
	static char sql[SQL_SIZE];
	const struct table *table =
		table_named(in, json_string_value(json_object_get(json, "table")));
	const json_t *columns = json_object_get(json, "columns");
	size_t count = json_array_size(columns);
	if (!table || count == 0 || count > COLUMNS_MAX)
		return bad(in, CS_ERR_INVALID, "names a table that this journal does not have");
	size_t n = (size_t)snprintf(sql, sizeof(sql), "INSERT INTO %s(", table->name);
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(columns, i));
		if (!name || !has_column(table, name))
			return bad(in, CS_ERR_INVALID, "names a column that its table does not have");
		for (size_t k = 0; k < i; k++)
			if (strcmp(json_string_value(json_array_get(columns, k)), name) == 0)
				return bad(in, CS_ERR_INVALID, "names a column twice");
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%s%s", i > 0 ? "," : "", name);
	}
	n += (size_t)snprintf(sql + n, sizeof(sql) - n, ") VALUES(");
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%s?%zu", i > 0 ? "," : "", i + 1);
	(void)snprintf(sql + n, sizeof(sql) - n, ")");
	host_stmt_free(in->insert);
	in->insert = NULL;
	in->columns = count;
	return host_stmt_new(&in->insert, gateway_journal_store(in->journal), sql) == CS_OK
		       ? CS_OK
		       : bad(in, CS_ERR_INVALID, "is no table that takes rows");
}

static enum cs_err bind_value(struct in *in, uint32_t i, const json_t *value)
{
	const json_t *hex = json_object_get(value, "b");
	if (json_is_null(value)) {
		host_bind_null(in->insert, i);
	} else if (json_is_integer(value)) {
		host_bind_i64(in->insert, i, json_integer_value(value));
	} else if (json_is_string(value)) {
		host_bind_text(in->insert, i, json_string_value(value));
	} else if (json_is_string(hex) && json_object_size(value) == 1) {
		size_t n = json_string_length(hex);
		in->bytes[i] = host_alloc(n / 2 + 1);
		if (n % 2 != 0 || cs_unhex(in->bytes[i], n / 2,
					   cs_bytes_str(json_string_value(hex))) != CS_OK)
			return bad(in, CS_ERR_MALFORMED, "has bytes that are no hex");
		host_bind_blob(in->insert, i, cs_bytes(in->bytes[i], n / 2));
	} else {
		return bad(in, CS_ERR_MALFORMED, "has a value that is none of a journal");
	}
	return CS_OK;
}

static enum cs_err take_row(struct in *in, const json_t *row)
{
	enum cs_err err = CS_OK;
	if (!in->insert || json_array_size(row) != in->columns)
		return bad(in, CS_ERR_MALFORMED, "is no row of its table");
	for (uint32_t i = 0; i < in->columns && err == CS_OK; i++)
		err = bind_value(in, i, json_array_get(row, i));
	if (err == CS_OK && host_stmt_run(in->insert) != CS_OK)
		err = bad(in, CS_ERR_INVALID,
			  host_store_why(gateway_journal_store(in->journal)));
	host_stmt_reset(in->insert);
	for (size_t i = 0; i < in->columns; i++) {
		free(in->bytes[i]);
		in->bytes[i] = NULL;
	}
	in->rows++;
	return err;
}

static enum cs_err take_end(struct in *in, const json_t *json)
{
	char hex[65];
	struct cs_hash digest = cs_keccak_end(&in->keccak);
	const char *told = json_string_value(json_object_get(json, "keccak"));
	cs_hex(hex, CS_BYTES_OF(digest.b));
	if (json_integer_value(json_object_get(json, "rows")) != (json_int_t)in->rows || !told ||
	    strcmp(told, hex) != 0)
		return bad(in, CS_ERR_INVALID, "says that something before it was changed");
	in->ended = true;
	return CS_OK;
}

static enum cs_err take_line(struct in *in, const json_t *json)
{
	if (in->ended)
		return bad(in, CS_ERR_TRAILING, "follows the end");
	if (json_object_get(json, "keccak"))
		return take_end(in, json);
	cs_keccak_add(&in->keccak, cs_bytes_str(in->text));
	return json_is_array(json) ? take_row(in, json) : take_table(in, json);
}

static enum cs_err check_empty(struct in *in)
{
	char sql[120];
	for (size_t i = 0; i < in->tables.count; i++) {
		uint64_t count = 0;
		(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s",
			       in->tables.list[i].name);
		CS_TRY(one_number(gateway_journal_store(in->journal), sql, &count));
		if (count > 0)
			return cs_fail(&in->why, CS_ERR_CONFLICT,
				       "the journal is not empty: %s has %llu rows",
				       in->tables.list[i].name, (unsigned long long)count);
	}
	return CS_OK;
}

static enum cs_err write_all(void *context)
{
	struct in *in = context;
	CS_TRY(check_empty(in));
	CS_TRY(take_header(in));
	for (;;) {
		json_t *json = NULL;
		CS_TRY(next_line(in, &json));
		if (!json)
			break;
		enum cs_err err = take_line(in, json);
		json_decref(json);
		CS_TRY(err);
	}
	if (!in->ended)
		return bad(in, CS_ERR_TRUNCATED, "the end is missing");
	return gateway_journal_count_all(in->journal);
}

enum cs_err gateway_journal_import(struct gateway_journal *journal, FILE *from, uint64_t *rows,
				   struct cs_why *why)
{
	struct in *in = host_alloc(sizeof(*in));
	struct host_store *store = gateway_journal_store(journal);
	in->journal = journal;
	in->from = from;
	cs_keccak_init(&in->keccak);
	enum cs_err err = read_tables(store, &in->tables);
	if (err == CS_OK)
		err = host_store_write(store, write_all, in, NULL, NULL);
	if (err != CS_OK)
		*why = in->why;
	if (err != CS_OK && why->text[0] == 0)
		err = cs_fail(why, err, "the journal cannot be written: %s", host_store_why(store));
	else if (err == CS_OK)
		*rows = in->rows;
	host_stmt_free(in->insert);
	for (size_t i = 0; i < COLUMNS_MAX; i++)
		free(in->bytes[i]);
	free(in->text);
	free(in);
	return err;
}
