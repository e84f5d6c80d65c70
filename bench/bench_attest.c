/* How close verifying a quote of SGX or TDX comes to the least that it can cost: OpenSSL's check of
 * the very signatures that it checked, with keys that are ready. With its collateral in memory
 * (certificates and lists in DER, JSON, nothing opened), and with collateral that was opened before.
 * Before each turn the context forgets the keys of the platform: every quote is from a new one, and
 * Intel's keys are those of all. Reads a bundle of bench/attest.py from standard input, writes one JSON
 * object. All sides run in turns in one process. */
#include "bench/bench.h"
#include "core/digest.h"
#include "core/nistp.h"
#include "verify/attest/dcap.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string.h>

#define ROUND 60u
#define LINE_SIZE_MAX (1u << 20)
/* More than cs_nistp keeps of a curve. */
#define OTHERS 24u

struct bundle {
	struct attest_collateral bag;
	struct cs_bytes quote;
	uint64_t now_s;
};

/* ---- every check of a signature is counted, and can be kept (ld --wrap) ---- */

#define CHECKS_MAX 32u

struct kept_check {
	EVP_PKEY_CTX *context;
	uint8_t signature[80], digest[64];
	size_t signature_size, digest_size;
};

struct kept_checks {
	struct kept_check at[CHECKS_MAX];
	size_t count;
};

static size_t checks;
static struct kept_checks *keeping; /* NULL: only counted */

int __real_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *signature, size_t size,
			   const unsigned char *digest, size_t digest_size);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *signature, size_t size,
			   const unsigned char *digest, size_t digest_size);

/* With a key of its own: the context's gets other points. */
static void keep(EVP_PKEY_CTX *context, const uint8_t *signature, size_t size,
		 const uint8_t *digest, size_t digest_size)
{
	struct kept_check *kept = &keeping->at[keeping->count++];
	EVP_PKEY *key = EVP_PKEY_dup(EVP_PKEY_CTX_get0_pkey(context));
	kept->context = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
	if (keeping->count == CHECKS_MAX || kept->context == NULL ||
	    EVP_PKEY_verify_init(kept->context) != 1 || size > sizeof kept->signature ||
	    digest_size > sizeof kept->digest)
		bench_die("a check cannot be kept");
	memcpy(kept->signature, signature, size);
	memcpy(kept->digest, digest, digest_size);
	kept->signature_size = size;
	kept->digest_size = digest_size;
}

int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *signature, size_t size,
			   const unsigned char *digest, size_t digest_size)
{
	checks++;
	if (keeping != NULL)
		keep(context, signature, size, digest, digest_size);
	return __real_EVP_PKEY_verify(context, signature, size, digest, digest_size);
}

/* ---- the bundle ---- */

static struct cs_bytes hex(const char *text)
{
	size_t n = strlen(text) / 2;
	uint8_t *p = malloc(n + 1);
	if (p == NULL || cs_unhex(p, n, cs_bytes_str(text)) != CS_OK)
		bench_die("a line is no hex");
	return cs_bytes(p, n);
}

static void read_field(struct bundle *bundle, const char *name, const char *value)
{
	struct attest_collateral *bag = &bundle->bag;
	if (strcmp(name, "now") == 0)
		bundle->now_s = strtoull(value, NULL, 10);
	else if (strcmp(name, "quote") == 0)
		bundle->quote = hex(value);
	else if (strcmp(name, "certificate") == 0 &&
		 bag->certificate_count < ATTEST_CERTIFICATES_MAX)
		bag->certificates[bag->certificate_count++] = hex(value);
	else if (strcmp(name, "crl") == 0 && bag->crl_count < ATTEST_CRLS_MAX)
		bag->crls[bag->crl_count++] = hex(value);
	else if (strcmp(name, "tcb_info") == 0)
		bag->tcb_info.json = hex(value);
	else if (strcmp(name, "tcb_info_signature") == 0)
		bag->tcb_info.signature = hex(value);
	else if (strcmp(name, "qe_identity") == 0)
		bag->qe_identity.json = hex(value);
	else if (strcmp(name, "qe_identity_signature") == 0)
		bag->qe_identity.signature = hex(value);
	else
		bench_die("an unknown line");
}

static void read_bundle(struct bundle *bundle)
{
	static char line[LINE_SIZE_MAX];
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		char *value = strchr(line, ' ');
		if (!value)
			bench_die("a line without a value");
		*value++ = 0;
		read_field(bundle, line, value);
	}
}

/* ---- what is compared ---- */

struct scene {
	struct bundle bundle;
	struct cs_nistp *nistp;
	uint8_t others[OTHERS][64]; /* points */
	struct dcap_collateral opened;
	struct cs_arena kept;
	struct cs_arena arena;
};

static const uint8_t digest[32] = {1, 2, 3};

/* A point, without its 0x04. */
static void make_point(uint8_t point[64])
{
	uint8_t encoded[65];
	size_t n;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	if (key == NULL ||
	    EVP_PKEY_get_octet_string_param(key, "pub", encoded, sizeof encoded, &n) != 1)
		bench_die("no key");
	EVP_PKEY_free(key);
	memcpy(point, encoded + 1, 64);
}

static void open_scene(struct scene *scene)
{
	scene->nistp = cs_nistp_new();
	if (scene->nistp == NULL)
		bench_die("no context");
	for (size_t i = 0; i < OTHERS; i++)
		make_point(scene->others[i]);
	cs_arena_init(&scene->kept, malloc(2u << 20), 2u << 20);
	cs_arena_init(&scene->arena, malloc(ATTEST_ARENA_SIZE), ATTEST_ARENA_SIZE);
	if (scene->kept.block == NULL || scene->arena.block == NULL)
		bench_die("no memory");
	if (dcap_collateral_open(&scene->opened, &scene->bundle.bag, &attest_roots_vendors,
				 scene->nistp, &scene->kept) != CS_OK)
		bench_die("the collateral cannot be opened");
}

static void use_key(struct scene *scene, struct cs_bytes point)
{
	/* r and s of 0: refused before any arithmetic, when the key is ready. */
	static const uint8_t nobody[64];
	if (cs_nistp_verify(scene->nistp, CS_P256, point, CS_BYTES_OF(digest),
			    CS_BYTES_OF(nobody)) == CS_OK)
		bench_die("a signature of nobody verifies");
}

/* The platform's two keys are new, Intel's are those of every quote. */
static void forget_platform(struct scene *scene)
{
	const struct x509_pool *pool = &scene->opened.pool;
	for (size_t i = 0; i < OTHERS; i++)
		use_key(scene, CS_BYTES_OF(scene->others[i]));
	for (size_t i = 0; i < pool->certificate_count; i++)
		use_key(scene, pool->certificates[i].key.point);
}

/* Seconds. Its checks are counted, and kept where that was asked for. */
static double verify(struct scene *scene, const struct dcap_collateral *opened,
		     struct kept_checks *kept)
{
	static struct attest_result result;
	struct verify_time now = {scene->bundle.now_s, scene->bundle.now_s};
	struct attest_input in = {.evidence = {ATTEST_TDX, scene->bundle.quote},
				  .collateral = &scene->bundle.bag,
				  .dcap = opened,
				  .roots = &attest_roots_vendors,
				  .now = now};
	struct cs_why why;
	forget_platform(scene);
	cs_arena_rewind(&scene->arena, 0);
	checks = 0;
	keeping = kept;
	double begin = bench_cpu();
	if (attest_verify(&result, &in, scene->nistp, &scene->arena, &why) != CS_OK ||
	    !attest_result_verified(&result) || result.tcb_status != ATTEST_TCB_UP_TO_DATE)
		bench_die("the quote does not verify");
	double end = bench_cpu();
	keeping = NULL;
	return end - begin;
}

static double bare(const struct kept_checks *kept)
{
	double begin = bench_cpu();
	for (size_t i = 0; i < kept->count; i++) {
		const struct kept_check *one = &kept->at[i];
		if (__real_EVP_PKEY_verify(one->context, one->signature, one->signature_size,
					   one->digest, one->digest_size) != 1)
			bench_die("a bare signature does not verify");
	}
	return bench_cpu() - begin;
}

static void kept_done(struct kept_checks *kept)
{
	for (size_t i = 0; i < kept->count; i++) {
		EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(kept->at[i].context);
		EVP_PKEY_CTX_free(kept->at[i].context);
		EVP_PKEY_free(key);
	}
}

struct figure {
	double us, bare_us, ratio;
	size_t count;
};

static struct figure measure(struct scene *scene, const struct dcap_collateral *opened)
{
	double ours[BENCH_RUNS], least[BENCH_RUNS], ratio[BENCH_RUNS];
	struct kept_checks kept = {.count = 0};
	struct figure figure;
	(void)verify(scene, opened, &kept);
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		double a = 0, b = 0;
		for (size_t i = 0; i < ROUND; i++) {
			a += verify(scene, opened, NULL);
			b += bare(&kept);
			if (checks != kept.count)
				bench_die("not the same checks each time");
		}
		ours[run] = a / ROUND * 1e6;
		least[run] = b / ROUND * 1e6;
		ratio[run] = a / b;
	}
	figure.count = kept.count;
	kept_done(&kept);
	figure.us = bench_median(ours, BENCH_RUNS);
	figure.bare_us = bench_median(least, BENCH_RUNS);
	figure.ratio = bench_median(ratio, BENCH_RUNS);
	return figure;
}

int main(void)
{
	static struct scene scene;
	read_bundle(&scene.bundle);
	open_scene(&scene);
	struct figure whole = measure(&scene, NULL), kept = measure(&scene, &scene.opened);
	printf("{\"signatures\": %zu, \"us\": %.1f, \"bare_us\": %.1f, \"ratio\": %.3f, "
	       "\"kept_signatures\": %zu, \"kept_us\": %.1f, \"kept_bare_us\": %.1f, "
	       "\"kept_ratio\": %.3f}\n",
	       whole.count, whole.us, whole.bare_us, whole.ratio, kept.count, kept.us, kept.bare_us,
	       kept.ratio);
	return 0;
}
