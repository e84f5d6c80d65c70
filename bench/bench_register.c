/* What a registration of an enclave costs every node in its block: by evidence, which FinalizeBlock verifies, beside one that
 * administrators approved. The contract's call alone, over a state in memory: the transaction's own signature and the state's
 * commit are those of any transaction. Reads calls of bench/registrations.py from standard input ("KIND HEX", of kind "set" what
 * must stand before), writes one JSON object. */
#include "bench/bench.h"
#include "tests/unit/ledger/register_lab.h"

#define LINE_SIZE_MAX (1u << 18)
#define KINDS_MAX 8u
#define CALLS_MAX 64u

struct kind {
	char name[32];
	double seconds[CALLS_MAX];
	size_t count;
	uint64_t gas;
};

static struct kind kinds[KINDS_MAX];

static struct kind *kind_of(const char *name)
{
	struct kind *kind = kinds;
	while (kind < kinds + KINDS_MAX && kind->count > 0 && strcmp(kind->name, name) != 0)
		kind++;
	if (kind == kinds + KINDS_MAX || kind->count == CALLS_MAX)
		bench_die("too many kinds, or too many of one");
	snprintf(kind->name, sizeof kind->name, "%.31s", name);
	return kind;
}

static void make(struct lab *lab, const char *name, struct cs_bytes input)
{
	bool is_set = strcmp(name, "set") == 0;
	struct cs_bytes output;
	register_lab_from(lab, is_set ? REGISTER_OTHER : REGISTER_BONDER);
	lab->value = cs_u256_u64(is_set ? 0 : 1000);
	double begin = bench_cpu();
	if (!lab_try(lab, &output, LEDGER_ENCLAVES_NUMBER, input))
		bench_die(name);
	double end = bench_cpu();
	if (is_set)
		return;
	struct kind *kind = kind_of(name);
	kind->gas = lab->run.gas.used;
	kind->seconds[kind->count++] = end - begin;
}

static void print_kind(struct kind *kind, bool first)
{
	double median = bench_median(kind->seconds, kind->count);
	printf("%s\"%s\": {\"count\": %zu, \"us\": %.0f, \"worst_us\": %.0f, \"per_second\": %.0f, "
	       "\"gas\": %llu}",
	       first ? "" : ", ", kind->name, kind->count, median * 1e6,
	       kind->seconds[kind->count - 1] * 1e6, 1 / median, (unsigned long long)kind->gas);
}

int main(void)
{
	static char line[LINE_SIZE_MAX];
	struct lab *lab = register_lab_new_insecure();
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		char *hex = strchr(line, ' ');
		if (!hex)
			bench_die("a line without a call");
		*hex++ = 0;
		make(lab, line, unhex(hex));
	}
	putchar('{');
	for (struct kind *kind = kinds; kind < kinds + KINDS_MAX && kind->count > 0; kind++)
		print_kind(kind, kind == kinds);
	puts("}");
	lab_free(lab);
	return 0;
}
