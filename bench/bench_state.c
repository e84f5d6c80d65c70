/* The ledger's state on the disk: blocks of new records into a state of a given size, proofs, a start.
 *
 *   bench_state FOLDER RECORDS BLOCKS
 *
 * Fills an empty state in FOLDER with RECORDS records, then commits BLOCKS blocks of BLOCK_RECORDS new ones
 * each, as the application does it: read absent keys, put, changes, tree, commit. Prints one JSON object. */
#include "bench/bench.h"
#include "core/hash.h"
#include "relay_state/ledger/tree.h"
#include "relay_state/node/ledger_db.h"

#include <string.h>
#include <sys/stat.h>

#define BLOCK_RECORDS 500u
#define FILL_RECORDS 4000u
#define RECORD_SIZE 200u
#define WINDOW 100u
#define PROOFS 1000u
#define ARENA_SIZE (64u * 1024 * 1024)
#define BLOCKS_MAX 100000u

struct bench {
	struct node_ledger_db *db;
	struct ledger_db table;
	struct cs_arena arena;
	struct ledger_state *state;
	uint64_t records;
};

static void must(enum cs_err err, const char *what)
{
	if (err != CS_OK) {
		(void)fprintf(stderr, "%s: %s\n", what, cs_err_sentence(err));
		exit(1);
	}
}

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

static void prove(struct bench *b, uint64_t number, double *took, size_t *size)
{
	static uint8_t memory[LEDGER_PROOF_SIZE_MAX];
	uint8_t key[36];
	struct cs_buf buf;
	struct cs_bytes value;
	bool exists = false;
	make_key(key, number);
	cs_arena_rewind(&b->arena, 0);
	cs_buf_init(&buf, memory, sizeof memory);
	double began = bench_now();
	must(ledger_tree_prove(&buf, &value, &exists, &b->table,
			       node_ledger_db_version(b->db) - WINDOW / 2, CS_BYTES_OF(key),
			       &b->arena),
	     "prove");
	*took = bench_now() - began;
	*size = buf.n;
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

static double size_mb(const char *path, const char *suffix)
{
	char name[4200];
	struct stat st;
	(void)snprintf(name, sizeof name, "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (double)st.st_size / 1e6 : 0;
}

static void open_db(struct bench *b, const char *path)
{
	struct cs_why why = {{0}};
	if (node_ledger_db_open(&b->db, path, &why) != CS_OK)
		bench_die(why.text);
	b->table = node_ledger_db_table(b->db);
	const struct ledger_state_options options = {.keys_max = 2 * FILL_RECORDS,
						     .bytes_max = 4u * 1024 * 1024};
	if (b->state == NULL)
		b->state = aligned_alloc(64, (ledger_state_size(&options) + 63) / 64 * 64);
	b->state = ledger_state_init(b->state, &b->table, &options);
}

static void fill(struct bench *b, uint64_t records)
{
	double unused;
	while (b->records < records)
		one_block(b, 0,
			  records - b->records < FILL_RECORDS ? records - b->records : FILL_RECORDS,
			  &unused, &unused, &unused);
}

static void print_blocks(const struct times *t, size_t count)
{
	static double both[BLOCKS_MAX];
	for (size_t i = 0; i < count; i++)
		both[i] = t->update[i] + t->commit[i];
	double median = bench_median(both, count), slowest = both[count - 1],
	       p95 = both[count * 95 / 100];
	printf("\"block_ms\": %.2f, \"block_p95_ms\": %.2f, \"block_max_ms\": %.2f, ", median * 1e3,
	       p95 * 1e3, slowest * 1e3);
	printf("\"update_ms\": %.2f, \"commit_ms\": %.2f, \"block_cpu_ms\": %.2f, ",
	       bench_median(t->update, count) * 1e3, bench_median(t->commit, count) * 1e3,
	       bench_median(t->cpu, count) * 1e3);
}

int main(int argc, char **argv)
{
	static double update[BLOCKS_MAX], commit[BLOCKS_MAX], cpu[BLOCKS_MAX], proof[PROOFS];
	struct bench b = {.records = 0};
	char path[4096];
	size_t size = 0, size_max = 0;
	if (argc != 4)
		bench_die("usage: bench_state FOLDER RECORDS BLOCKS");
	const uint64_t records = strtoull(argv[2], NULL, 10);
	const size_t blocks = strtoull(argv[3], NULL, 10);
	if (blocks <= WINDOW || blocks > BLOCKS_MAX)
		bench_die("more blocks than the window has, 100");
	(void)snprintf(path, sizeof path, "%s/ledger.db", argv[1]);
	cs_arena_init(&b.arena, aligned_alloc(64, ARENA_SIZE), ARENA_SIZE);
	open_db(&b, path);
	double began = bench_now();
	fill(&b, records);
	printf("{\"records\": %llu, \"fill_s\": %.1f, ", (unsigned long long)records,
	       bench_now() - began);
	for (size_t i = 0; i < blocks; i++)
		one_block(&b, i + 1, BLOCK_RECORDS, &update[i], &commit[i], &cpu[i]);
	print_blocks(&(struct times){update, commit, cpu}, blocks);
	for (size_t i = 0; i < PROOFS; i++) {
		prove(&b, 1 + (i * 7919) % (records > 0 ? records : BLOCK_RECORDS), &proof[i],
		      &size);
		size_max = size > size_max ? size : size_max;
	}
	printf("\"proof_us\": %.0f, \"proof_bytes_max\": %zu, ", bench_median(proof, PROOFS) * 1e6,
	       size_max);
	printf("\"rss_mb\": %.0f, \"rss_max_mb\": %.0f, ", (double)status_kib("VmRSS:") / 1e3,
	       (double)status_kib("VmHWM:") / 1e3);
	node_ledger_db_close(b.db);
	printf("\"file_mb\": %.0f, ", size_mb(path, "") + size_mb(path, "-wal"));
	began = bench_now();
	open_db(&b, path);
	prove(&b, 1, &proof[0], &size);
	printf("\"restart_ms\": %.1f}\n", (bench_now() - began) * 1e3);
	node_ledger_db_close(b.db);
	return 0;
}
