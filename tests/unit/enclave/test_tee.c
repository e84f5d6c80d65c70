/* Recorded quotes, replayed by folders in the place of the kernel's interfaces: asked for the report data
 * that they were recorded with, they come back as they are; for anything else they are refused. */
#include "enclave/tee_files.h"
#include "enclave/tee_quoter.h"
#include "tests/unit/support.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDED CS_VECTORS "/attestation/"

struct recorded {
	const char *path;
	size_t report_data_at; /* by the vendor's layout */
};
static const struct recorded sgx = {RECORDED "dcap/dcap-qvl/sgx_quote", 368};
static const struct recorded quotes[] = {
	{RECORDED "dcap/dcap-qvl/sgx_quote", 368},
	{RECORDED "dcap/dcap-qvl/tdx_quote", 568},
	{RECORDED "dcap/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", 568},
	{RECORDED "dcap/go-tdx-guest/quote_v5_sample.dat", 574},
	{RECORDED "dcap/automata/quotev5.dat", 574},
};
static const struct recorded snp = {RECORDED "snp/go-sev-guest/attestation.bin", 0x50};

struct tree {
	char root[64];
	pid_t server;
};

static size_t load(uint8_t *p, size_t size_max, const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	const size_t n = fread(p, 1, size_max, file);
	assert_true(n > 0 && n < size_max);
	fclose(file);
	return n;
}

static void put(const struct tree *tree, const char *name, const void *p, size_t n)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", tree->root, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(p, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static void make(struct tree *tree, const char *const *folders)
{
	char path[128];
	*tree = (struct tree){.root = "/tmp/cs-tee-XXXXXX"};
	assert_non_null(mkdtemp(tree->root));
	for (; *folders != NULL; folders++) {
		snprintf(path, sizeof path, "%s/%s", tree->root, *folders);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static int delete (const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status, (void)kind, (void)place;
	return remove(path);
}

static void done(struct tree *tree)
{
	if (tree->server > 0) {
		kill(tree->server, SIGKILL);
		waitpid(tree->server, NULL, 0);
	}
	assert_int_equal(nftw(tree->root, delete, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void assert_quote(const struct tee_hardware *hardware, struct tee_device *device,
			 struct cs_bytes recorded, size_t at, size_t size_max)
{
	struct cs_why why = {""};
	uint8_t asked[TEE_REPORT_DATA_SIZE];
	uint8_t *memory = malloc(size_max + 1); /* exactly so large: a sanitizer sees one more */
	struct cs_buf out;
	memcpy(asked, recorded.p + at, sizeof asked);
	cs_buf_init(&out, memory, size_max);
	assert_ok(hardware->quote(device, &out, asked, &why));
	assert_int_equal(out.n, recorded.n);
	assert_memory_equal(out.p, recorded.p, recorded.n);
	asked[63] ^= 1;
	cs_buf_init(&out, memory, size_max);
	assert_err(hardware->quote(device, &out, asked, &why), CS_ERR_NOT_BOUND);
	asked[63] ^= 1;
	cs_buf_init(&out, memory, recorded.n - 1);
	assert_err(hardware->quote(device, &out, asked, &why), CS_ERR_TOO_LARGE);
	free(memory);
}

static void test_gramine_replays(void **state)
{
	(void)state;
	static const char *const folders[] = {"keys", NULL};
	static uint8_t quote[TEE_EVIDENCE_SIZE_MAX];
	const size_t n = load(quote, sizeof quote, sgx.path);
	struct tee_device device = {0};
	struct cs_why why = {""};
	struct tree tree;
	struct cs_secret root[2];
	make(&tree, folders);
	put(&tree, "attestation_type", "dcap", 4);
	put(&tree, "user_report_data", "", 0);
	put(&tree, "quote", quote, n);
	put(&tree, "keys/_sgx_mrsigner", quote, 16);
	assert_ok(tee_gramine.open(&device, &(struct tee_place){tree.root, NULL}, &why));
	assert_quote(&tee_gramine, &device, cs_bytes(quote, n), sgx.report_data_at,
		     TEE_EVIDENCE_SIZE_MAX);
	assert_ok(tee_gramine.seal_root(&device, &root[0], &why));
	put(&tree, "keys/_sgx_mrsigner", quote + 1, 16);
	assert_ok(tee_gramine.seal_root(&device, &root[1], &why));
	assert_memory_not_equal(root[0].b, root[1].b, sizeof root[0].b);
	done(&tree);
}

/* Serves until it is ended: after each inblob the generation rises, then outblob is there. */
static void serve_tsm(struct tree *tree, struct cs_bytes report)
{
	char inblob[128], outblob[128], word[24];
	uint8_t asked[128];
	snprintf(inblob, sizeof inblob, "%s/report/caisson/inblob", tree->root);
	snprintf(outblob, sizeof outblob, "%s/report/caisson/outblob", tree->root);
	assert_int_equal(mkfifo(inblob, 0600), 0);
	assert_int_equal(mkfifo(outblob, 0600), 0);
	tree->server = fork();
	if (tree->server != 0)
		return;
	signal(SIGPIPE, SIG_IGN);
	for (unsigned generation = 1;; generation++) {
		const int in = open(inblob, O_RDONLY);
		while (read(in, asked, sizeof asked) > 0)
			continue;
		close(in);
		snprintf(word, sizeof word, "%u\n", generation);
		put(tree, "report/caisson/generation", word, strlen(word));
		const int out = open(outblob, O_WRONLY);
		(void)!write(out, report.p, report.n);
		close(out);
	}
}

static void tsm_make(struct tree *tree, const char *provider, struct cs_bytes report)
{
	static const char *const folders[] = {"report", "report/caisson", NULL};
	make(tree, folders);
	put(tree, "report/caisson/provider", provider, strlen(provider));
	put(tree, "report/caisson/generation", "0\n", 2);
	serve_tsm(tree, report);
}

static void test_tsm_replays_quotes(void **state)
{
	(void)state;
	static uint8_t quote[TEE_EVIDENCE_SIZE_MAX];
	for (size_t i = 1; i < CS_LEN(quotes); i++) {
		const size_t n = load(quote, sizeof quote, quotes[i].path);
		struct tee_device device = {0};
		struct cs_why why = {""};
		struct tree tree;
		tsm_make(&tree, "tdx_guest\n", cs_bytes(quote, n));
		assert_ok(tee_tsm.open(&device, &(struct tee_place){tree.root, NULL}, &why));
		assert_quote(&tee_tsm, &device, cs_bytes(quote, n), quotes[i].report_data_at,
			     TEE_EVIDENCE_SIZE_MAX);
		done(&tree);
	}
}

/* The recording has no certificates with it: some stand for them, which nobody reads here. */
static void test_tsm_replays_a_report_and_its_certificates(void **state)
{
	(void)state;
	static uint8_t report[TEE_EVIDENCE_SIZE_MAX];
	const size_t report_size = load(report, sizeof report, snp.path);
	const size_t n = report_size + load(report + report_size, sizeof report - report_size,
					    RECORDED "snp/roots/ask_ark_milan.pem");
	struct tee_device device = {0};
	struct cs_why why = {""};
	struct tree tree;
	assert_int_equal(report_size, 1184);
	tsm_make(&tree, "sev_guest\n", cs_bytes(report, 1184));
	put(&tree, "report/caisson/auxblob", report + 1184, n - 1184);
	assert_ok(tee_tsm.open(&device, &(struct tee_place){tree.root, NULL}, &why));
	assert_true(device.is_snp);
	assert_quote(&tee_tsm, &device, cs_bytes(report, n), snp.report_data_at,
		     TEE_EVIDENCE_SIZE_MAX);
	done(&tree);
}

static void test_a_short_report_is_refused(void **state)
{
	(void)state;
	static uint8_t report[TEE_EVIDENCE_SIZE_MAX];
	struct tee_device device = {0};
	struct cs_why why = {""};
	struct cs_buf out;
	static uint8_t memory[TEE_EVIDENCE_SIZE_MAX];
	struct tree tree;
	assert_int_equal(load(report, sizeof report, snp.path), 1184);
	tsm_make(&tree, "sev_guest\n", cs_bytes(report, 1183));
	put(&tree, "report/caisson/auxblob", "", 0);
	assert_ok(tee_tsm.open(&device, &(struct tee_place){tree.root, NULL}, &why));
	cs_buf_init(&out, memory, sizeof memory);
	assert_err(tee_tsm.quote(&device, &out, report + snp.report_data_at, &why),
		   CS_ERR_MALFORMED);
	done(&tree);
}

/* A generation that does not rise, or is no number. */
static void test_generations_are_looked_at(void **state)
{
	(void)state;
	static const char *const folders[] = {"report", "report/caisson", NULL};
	static const struct {
		const char *text;
		enum cs_err err;
	} cases[] = {{"3\n", CS_ERR_CONFLICT},
		     {"", CS_ERR_MALFORMED},
		     {"-1", CS_ERR_MALFORMED},
		     {"99999999999999999999", CS_ERR_MALFORMED},
		     {"a", CS_ERR_MALFORMED}};
	static uint8_t memory[TEE_EVIDENCE_SIZE_MAX];
	const uint8_t asked[TEE_REPORT_DATA_SIZE] = {0};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct tee_device device = {0};
		struct cs_why why = {""};
		struct cs_buf out;
		struct tree tree;
		make(&tree, folders);
		put(&tree, "report/caisson/provider", "tdx_guest", 9);
		put(&tree, "report/caisson/generation", cases[i].text, strlen(cases[i].text));
		put(&tree, "report/caisson/inblob", "", 0);
		put(&tree, "report/caisson/outblob", memory, 1000);
		assert_ok(tee_tsm.open(&device, &(struct tee_place){tree.root, NULL}, &why));
		cs_buf_init(&out, memory, sizeof memory);
		assert_err(tee_tsm.quote(&device, &out, asked, &why), cases[i].err);
		done(&tree);
	}
}

static void test_where_report_data_stands(void **state)
{
	(void)state;
	static uint8_t quote[TEE_EVIDENCE_SIZE_MAX];
	for (size_t i = 0; i < CS_LEN(quotes); i++) {
		const size_t n = load(quote, sizeof quote, quotes[i].path);
		const size_t end = quotes[i].report_data_at + 64;
		assert_ptr_equal(tee_quote_report_data(cs_bytes(quote, n)).p,
				 quote + quotes[i].report_data_at);
		assert_int_equal(tee_quote_report_data(cs_bytes(quote, end)).n, 64);
		assert_int_equal(tee_quote_report_data(cs_bytes(quote, end - 1)).n, 0);
		assert_int_equal(tee_quote_report_data(cs_bytes(quote, 7)).n, 0);
		quote[0] = 6;
		assert_int_equal(tee_quote_report_data(cs_bytes(quote, n)).n, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gramine_replays),
		cmocka_unit_test(test_tsm_replays_quotes),
		cmocka_unit_test(test_tsm_replays_a_report_and_its_certificates),
		cmocka_unit_test(test_a_short_report_is_refused),
		cmocka_unit_test(test_generations_are_looked_at),
		cmocka_unit_test(test_where_report_data_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
