/* The ledger's state on the disk: blocks of new records into a state of a given size beside blocks into an
 * empty one, proofs, a start, and the memory that it takes.
 *
 *   bench_state FOLDER RECORDS BLOCKS [GIGABYTES]
 *
 * Fills a state in FOLDER with RECORDS records, then commits BLOCKS blocks of BLOCK_RECORDS new ones each, as the
 * application does it: read absent keys, put, changes, tree, commit. Each part is a process of its own, so that
 * memory is that of the part alone; blocks into the empty state come before and after. Says what it does on
 * standard error, and prints one JSON object. Ends when the folder's files are larger than GIGABYTES (12). A state
 * that is there already with at least RECORDS records is taken as it is; whoever wants another one removes it. */
#include "bench/bench.h"
#include "core/hash.h"
#include "relay_state/ledger/tree.h"
#include "relay_state/node/ledger_db.h"
#include "verify/cometbft/ics23.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK_RECORDS 500u
#define FILL_RECORDS 50000u
#define RECORD_SIZE 200u
#define WINDOW 100u
#define PROOFS 1000u
#define STARTS 5u
#define BLOCKS_MAX 100000u
#define GIGABYTES_DEFAULT 12u
/* Of a block; of a part of the filling, which is no node's. */
#define ARENA_SIZE (64u * 1024 * 1024)
#define FILL_ARENA_SIZE (1024u * 1024 * 1024)

struct bench {
	const char *folder;
	const char *name; /* of the file */
	struct node_ledger_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct ledger_state *state;
	uint64_t records, bound_mb;
};

static void must(enum cs_err err, const char *what)
{
	if (err != CS_OK) {
		(void)fprintf(stderr, "%s: %s\n", what, cs_err_sentence(err));
		exit(1);
	}
}

/* ---- the files ---- */

static void path_of(char path[4200], const struct bench *b, const char *name, const char *suffix)
{
	(void)snprintf(path, 4200, "%s/%s%s", b->folder, name, suffix);
}

static double size_mb(const struct bench *b, const char *name)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[4200];
	struct stat st;
	double sum = 0;
	for (size_t i = 0; i < CS_LEN(suffixes); i++) {
		path_of(path, b, name, suffixes[i]);
		sum += stat(path, &st) == 0 ? (double)st.st_size / 1e6 : 0;
	}
	return sum;
}

static void check_room(const struct bench *b)
{
	if (size_mb(b, "ledger.db") + size_mb(b, "empty.db") > (double)b->bound_mb)
		bench_die("the files are larger than they may be");
}

/* How many records a state has, beside it. */
static uint64_t read_count(const struct bench *b)
{
	char path[4200];
	unsigned long long count = 0;
	path_of(path, b, b->name, ".count");
	FILE *file = fopen(path, "r");
	if (file != NULL && fscanf(file, "%llu", &count) != 1)
		count = 0;
	if (file != NULL)
		(void)fclose(file);
	return count;
}

static void write_count(const struct bench *b)
{
	char path[4200];
	path_of(path, b, b->name, ".count");
	FILE *file = fopen(path, "w");
	if (file == NULL || fprintf(file, "%llu\n", (unsigned long long)b->records) < 0 ||
	    fclose(file) != 0)
		bench_die("the count of records is not written");
}

static void remove_db(const struct bench *b, const char *name)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".count"};
	char path[4200];
	for (size_t i = 0; i < CS_LEN(suffixes); i++) {
		path_of(path, b, name, suffixes[i]);
		(void)remove(path);
	}
}

static void open_db(struct bench *b, size_t records, size_t arena_size)
{
	struct cs_why why = {{0}};
	char path[4200];
	const struct ledger_state_options options = {.keys_max = 2 * records,
						     .bytes_max = 1024 * records};
	path_of(path, b, b->name, "");
	if (node_ledger_db_open(&b->db, path, &why) != CS_OK)
		bench_die(why.text);
	b->table = node_ledger_db_table(b->db);
	void *state = aligned_alloc(64, (ledger_state_size(&options) + 63) / 64 * 64);
	void *arena = aligned_alloc(64, arena_size);
	if (state == NULL || arena == NULL)
		bench_die("no memory");
	b->state = ledger_state_init(state, &b->table, &options);
	cs_arena_init(&b->arena, arena, arena_size);
}

/* ---- records ---- */

static void make_key(uint8_t key[36], uint64_t number)
{
	uint8_t bytes[8];
	cs_put_be64(bytes, number);
	struct cs_hash hash = cs_sha256(CS_BYTES_OF(bytes));
	cs_put_be32(key, 0x05000001);
	memcpy(key + 4, hash.b, sizeof hash.b);
}

static void put_records(struct bench *b, size_t count)
{
	uint8_t key[36], value[RECORD_SIZE] = {1};
	struct cs_bytes old;
	for (size_t i = 0; i < count; i++) {
		make_key(key, ++b->records);
		memcpy(value + 8, key, sizeof key);
		if (ledger_state_get(b->state, &old, CS_BYTES_OF(key)) != CS_ERR_NOT_FOUND)
			bench_die("a record is there already");
		must(ledger_state_put(b->state, CS_BYTES_OF(key), CS_BYTES_OF(value)), "put");
	}
}

struct times {
	double *update, *commit, *cpu;
};

static void one_block(struct bench *b, uint64_t version, size_t count, double *update,
		      double *commit, double *cpu)
{
	struct ledger_changes changes[LEDGER_SPACE_COUNT] = {{NULL, 0}};
	struct cs_hash root;
	double began = bench_now(), began_cpu = bench_cpu();
	cs_arena_rewind(&b->arena, 0);
	put_records(b, count);
	must(ledger_state_changes(b->state, &changes[LEDGER_VALUES], &b->arena), "changes");
	must(ledger_tree_update(&root, &changes[LEDGER_PAGES], &b->table, &changes[LEDGER_VALUES],
				&b->arena),
	     "update");
	double updated = bench_now();
	must(b->table.commit(b->table.context, version, changes,
			     version > WINDOW ? version - WINDOW : 0),
	     "commit");
	ledger_state_reset(b->state);
	*update = updated - began;
	*commit = bench_now() - updated;
	*cpu = bench_cpu() - began_cpu;
}

/* ---- parts: each a process, which prints its figures ---- */

static void say(const char *text, double done)
{
	(void)fprintf(stderr, "bench_state: %s %.0f %%\n", text, 100 * done);
}

/* Version 1 makes a whole state of what was put there at version 0. */
static void fill(struct bench *b, uint64_t records, FILE *out)
{
	double unused, began = bench_now(), told = 0, cpu = bench_cpu();
	open_db(b, FILL_RECORDS, FILL_ARENA_SIZE);
	while (b->records < records) {
		const uint64_t left = records - b->records;
		one_block(b, 0, left < FILL_RECORDS ? (size_t)left : FILL_RECORDS, &unused, &unused,
			  &unused);
		check_room(b);
		if ((double)b->records / (double)records >= told + 0.05) {
			told = (double)b->records / (double)records;
			say("fill", told);
		}
	}
	one_block(b, 1, 1, &unused, &unused, &unused);
	node_ledger_db_close(b->db);
	write_count(b);
	(void)fprintf(out, "\"fill_s\": %.1f, \"fill_cpu_s\": %.1f, ", bench_now() - began,
		      bench_cpu() - cpu);
}

static long status_kib(const char *name)
{
	char line[256];
	long kib = 0;
	FILE *file = fopen("/proc/self/status", "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtol(line + strlen(name) + 1, NULL, 10);
	}
	if (file != NULL)
		(void)fclose(file);
	return kib;
}

static void print_blocks(const struct times *t, size_t count, const char *name, FILE *out)
{
	static double both[BLOCKS_MAX];
	for (size_t i = 0; i < count; i++)
		both[i] = t->update[i] + t->commit[i];
	double median = bench_median(both, count), slowest = both[count - 1],
	       p95 = both[count * 95 / 100];
	(void)fprintf(
		out,
		"\"%s\": {\"block_ms\": %.2f, \"block_p95_ms\": %.2f, \"block_max_ms\": %.2f, "
		"\"update_ms\": %.2f, \"commit_ms\": %.2f, \"cpu_ms\": %.2f, "
		"\"rss_mb\": %.0f, \"rss_max_mb\": %.0f}, ",
		name, median * 1e3, p95 * 1e3, slowest * 1e3, bench_median(t->update, count) * 1e3,
		bench_median(t->commit, count) * 1e3, bench_median(t->cpu, count) * 1e3,
		(double)status_kib("VmRSS:") / 1e3, (double)status_kib("VmHWM:") / 1e3);
}

static void run_blocks(struct bench *b, size_t count, const char *name, FILE *out)
{
	static double update[BLOCKS_MAX], commit[BLOCKS_MAX], cpu[BLOCKS_MAX];
	open_db(b, BLOCK_RECORDS, ARENA_SIZE);
	const uint64_t version = node_ledger_db_version(b->db);
	for (size_t i = 0; i < count; i++) {
		one_block(b, version + i + 1, BLOCK_RECORDS, &update[i], &commit[i], &cpu[i]);
		if (i % (count / 4 + 1) == 0)
			say(name, (double)i / (double)count);
	}
	print_blocks(&(struct times){update, commit, cpu}, count, name, out);
	node_ledger_db_close(b->db);
	write_count(b);
	check_room(b);
}

/* Made at a version of the window's middle, and checked against that version's root. */
static size_t prove(struct bench *b, uint64_t number, double *made, double *checked)
{
	static uint8_t memory[LEDGER_PROOF_SIZE_MAX];
	const uint64_t newest = node_ledger_db_version(b->db);
	const uint64_t version = newest > WINDOW ? newest - WINDOW / 2 : newest;
	uint8_t key[36];
	struct cs_buf buf;
	struct cs_hash root;
	struct cs_bytes value, proven;
	bool exists = false, found = false;
	make_key(key, number);
	cs_arena_rewind(&b->arena, 0);
	must(ledger_tree_root(&root, &b->table, version, &b->arena), "root");
	cs_buf_init(&buf, memory, sizeof memory);
	double began = bench_now();
	must(ledger_tree_prove(&buf, &value, &exists, &b->table, version, CS_BYTES_OF(key),
			       &b->arena),
	     "prove");
	*made = bench_now() - began;
	began = bench_now();
	must(cmt_ics23_lookup(&found, &proven, &cmt_ics23_smt, &root, cs_buf_view(&buf),
			      CS_BYTES_OF(key)),
	     "check");
	*checked = bench_now() - began;
	if (found != exists || (found && !cs_bytes_eq(proven, value)))
		bench_die("a proof proves something else");
	return buf.n;
}

/* Records of the filling, and as many that are not there. */
static void run_proofs(struct bench *b, FILE *out)
{
	static double made[2][PROOFS], checked[2][PROOFS];
	static const char *const names[2] = {"proof", "absence"};
	open_db(b, BLOCK_RECORDS, ARENA_SIZE);
	for (size_t k = 0; k < 2; k++) {
		size_t size = 0, size_max = 0;
		for (size_t i = 0; i < PROOFS; i++) {
			const uint64_t number =
				1 + (i * 7919) % (b->records - WINDOW * BLOCK_RECORDS);
			size = prove(b, k == 0 ? number : number + b->records, &made[k][i],
				     &checked[k][i]);
			size_max = size > size_max ? size : size_max;
		}
		(void)fprintf(
			out,
			"\"%s\": {\"make_us\": %.0f, \"check_us\": %.0f, \"bytes_max\": %zu}, ",
			names[k], bench_median(made[k], PROOFS) * 1e6,
			bench_median(checked[k], PROOFS) * 1e6, size_max);
	}
	node_ledger_db_close(b->db);
}

/* From nothing to the first proof and the first block. */
static void run_start(struct bench *b, FILE *out)
{
	double unused, proven, began = bench_now();
	open_db(b, BLOCK_RECORDS, ARENA_SIZE);
	(void)prove(b, 1, &unused, &unused);
	proven = bench_now();
	one_block(b, node_ledger_db_version(b->db) + 1, BLOCK_RECORDS, &unused, &unused, &unused);
	(void)fprintf(out, "%.1f, %.1f,", (proven - began) * 1e3, (bench_now() - began) * 1e3);
	node_ledger_db_close(b->db);
	write_count(b);
}

enum part {
	PART_FILL,
	PART_BLOCKS,
	PART_PROOFS,
	PART_START,
};

/* The figures come back as text. */
static void run_part(const struct bench *shared, enum part part, const char *file, uint64_t number,
		     const char *name, char *text, size_t size)
{
	struct bench b = *shared;
	int ends[2];
	if (pipe(ends) != 0)
		bench_die("no pipe");
	/* Else the child has what is not printed yet, and prints it too. */
	(void)fflush(stdout);
	const pid_t child = fork();
	if (child < 0)
		bench_die("no process");
	if (child == 0) {
		FILE *out = fdopen(ends[1], "w");
		b.name = file;
		b.records = read_count(&b);
		if (part == PART_FILL)
			fill(&b, number, out);
		else if (part == PART_BLOCKS)
			run_blocks(&b, (size_t)number, name, out);
		else if (part == PART_PROOFS)
			run_proofs(&b, out);
		else
			run_start(&b, out);
		exit(fclose(out) == 0 ? 0 : 1);
	}
	(void)close(ends[1]);
	size_t n = 0;
	for (ssize_t got; (got = read(ends[0], text + n, size - 1 - n)) > 0;)
		n += (size_t)got;
	text[n] = 0;
	(void)close(ends[0]);
	int status = 0;
	if (waitpid(child, &status, 0) != child || status != 0)
		bench_die("a part has failed");
	(void)printf("%s", text);
	(void)fflush(stdout);
}

static double median_of(const char *text)
{
	const char *at = strstr(text, "\"block_ms\": ");
	return at == NULL ? 0 : strtod(at + strlen("\"block_ms\": "), NULL);
}

static void run_starts(const struct bench *b)
{
	char text[256];
	(void)printf("\"start_ms\": [");
	for (unsigned i = 0; i < STARTS; i++)
		run_part(b, PART_START, "ledger.db", 0, NULL, text, sizeof text);
	(void)printf(" 0], ");
}

int main(int argc, char **argv)
{
	static char before[1024], full[1024], after[1024], text[1024];
	struct bench b = {.records = 0};
	if (argc != 4 && argc != 5)
		bench_die("usage: bench_state FOLDER RECORDS BLOCKS [GIGABYTES]");
	const uint64_t records = strtoull(argv[2], NULL, 10);
	const uint64_t blocks = strtoull(argv[3], NULL, 10);
	if (blocks <= 2 * WINDOW || blocks > BLOCKS_MAX || records == 0)
		bench_die("records, and more blocks than twice the window: 200 to 100,000");
	b.folder = argv[1];
	b.bound_mb = 1000 * (argc == 5 ? strtoull(argv[4], NULL, 10) : GIGABYTES_DEFAULT);
	b.name = "ledger.db";
	(void)printf("{\"records\": %llu, ", (unsigned long long)records);
	(void)fflush(stdout);
	if (read_count(&b) < records)
		run_part(&b, PART_FILL, "ledger.db", records, NULL, text, sizeof text);
	remove_db(&b, "empty.db");
	run_part(&b, PART_BLOCKS, "empty.db", blocks, "empty_before", before, sizeof before);
	run_part(&b, PART_BLOCKS, "ledger.db", blocks, "full", full, sizeof full);
	remove_db(&b, "empty.db");
	run_part(&b, PART_BLOCKS, "empty.db", blocks, "empty_after", after, sizeof after);
	remove_db(&b, "empty.db");
	const double empty = (median_of(before) + median_of(after)) / 2;
	(void)printf("\"block_ratio\": %.2f, ", empty > 0 ? median_of(full) / empty : 0);
	run_part(&b, PART_PROOFS, "ledger.db", 0, NULL, text, sizeof text);
	run_starts(&b);
	(void)printf("\"file_mb\": %.0f}\n", size_mb(&b, "ledger.db"));
	return 0;
}
