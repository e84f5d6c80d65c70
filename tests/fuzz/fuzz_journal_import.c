/* Lines of JSON as an exported journal: the input is all but the last line, which is made right here, since no fuzzer
 * finds a digest. What is refused leaves an empty journal empty and has the number of a line; what is taken goes out
 * again with as many rows, and comes in again. */
#include "core/hash.h"
#include "gateway/journal_export.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

struct opened {
	char path[256];
	struct gateway_journal *journal;
};

/* No power cut is looked for here, and what waited for the disk was half of the time. */
int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/* The file of an empty journal, which is not made anew for every input. */
static uint8_t *template;
static size_t template_size;

static void write_template(const char *path)
{
	FILE *file = fopen(path, "wb");
	cs_assert(file != NULL && fwrite(template, 1, template_size, file) == template_size);
	cs_assert(fclose(file) == 0);
}

static void read_template(const char *path)
{
	FILE *file = fopen(path, "rb");
	cs_assert(file != NULL && fseek(file, 0, SEEK_END) == 0);
	template_size = (size_t)ftell(file);
	template = malloc(template_size);
	rewind(file);
	cs_assert(template != NULL && fread(template, 1, template_size, file) == template_size);
	cs_assert(fclose(file) == 0);
}

static void open_one(struct opened *o)
{
	struct cs_why why = {{0}};
	const char *below = getenv("TMPDIR");
	(void)snprintf(o->path, sizeof(o->path), "%s/caisson-import-%ld", below ? below : "/tmp",
		       (long)getpid());
	if (template != NULL)
		write_template(o->path);
	cs_assert(gateway_journal_open(&o->journal, NULL, o->path, &why) == CS_OK);
	if (template != NULL)
		return;
	gateway_journal_close(o->journal);
	read_template(o->path);
	cs_assert(gateway_journal_open(&o->journal, NULL, o->path, &why) == CS_OK);
}

static void close_one(struct opened *o)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	gateway_journal_close(o->journal);
	o->journal = NULL;
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		char name[300];
		(void)snprintf(name, sizeof(name), "%s%s", o->path, ends[i]);
		(void)unlink(name);
	}
}

static struct opened empty;

static void at_the_end(void)
{
	close_one(&empty);
}

static struct cs_bytes exported(struct gateway_journal *journal, uint64_t *rows)
{
	struct cs_why why = {{0}};
	char *lines = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&lines, &size);
	cs_assert(to != NULL && gateway_journal_export(journal, to, rows, &why) == CS_OK);
	cs_assert(fclose(to) == 0);
	return cs_bytes(lines, size);
}

static enum cs_err import(struct gateway_journal *journal, struct cs_bytes lines, uint64_t *rows)
{
	struct cs_why why = {{0}};
	FILE *from = fmemopen((void *)(uintptr_t)lines.p, lines.n, "r");
	cs_assert(from != NULL);
	const enum cs_err err = gateway_journal_import(journal, from, rows, &why);
	cs_assert(err == CS_OK || strncmp(why.text, "line ", 5) == 0);
	(void)fclose(from);
	return err;
}

/* Rows are the lines that are arrays: the importer counts those that it takes. */
static uint64_t rows_of(struct cs_bytes lines)
{
	uint64_t rows = 0;
	for (size_t i = 0; i < lines.n; i++)
		rows += lines.p[i] == '[' && i > 0 && lines.p[i - 1] == '\n';
	return rows;
}

static struct cs_bytes with_end(struct cs_bytes lines)
{
	static char text[65536 + 256];
	char hex[65];
	struct cs_keccak keccak;
	cs_keccak_init(&keccak);
	cs_keccak_add(&keccak, lines);
	const struct cs_hash digest = cs_keccak_end(&keccak);
	cs_hex(hex, CS_BYTES_OF(digest.b));
	memcpy(text, lines.p, lines.n);
	const int n = snprintf(text + lines.n, 256, "{\"rows\":%llu,\"keccak\":\"%s\"}\n",
			       (unsigned long long)rows_of(lines), hex);
	return cs_bytes(text, lines.n + (size_t)n);
}

/* The same again out of its own export, in a journal of its own. */
static void again(struct cs_bytes first, uint64_t rows)
{
	uint64_t taken = 0;
	uint64_t told = 0;
	close_one(&empty);
	open_one(&empty);
	cs_assert(import(empty.journal, first, &taken) == CS_OK && taken == rows);
	const struct cs_bytes second = exported(empty.journal, &told);
	cs_assert(told == rows && cs_bytes_eq(first, second));
	free((void *)(uintptr_t)second.p);
	close_one(&empty);
	open_one(&empty);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cs_bytes nothing;
	uint64_t rows = 0;
	uint64_t told = 0;
	if (size == 0 || size > 65536 || data[size - 1] != '\n')
		return 0;
	if (empty.journal == NULL) {
		cs_assert(atexit(at_the_end) == 0);
		open_one(&empty);
		nothing = exported(empty.journal, &told);
	}
	const enum cs_err err = import(empty.journal, with_end(cs_bytes(data, size)), &rows);
	const struct cs_bytes lines = exported(empty.journal, &told);
	if (err == CS_OK)
		again(lines, told);
	else
		cs_assert(cs_bytes_eq(lines, nothing));
	cs_assert(err != CS_OK || told >= rows);
	free((void *)(uintptr_t)lines.p);
	return 0;
}
