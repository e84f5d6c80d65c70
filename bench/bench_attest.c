/* How close verifying a quote of SGX or TDX comes to the least that it can cost: OpenSSL's check of
 * as many P-256 signatures as it took, with a key that is ready. With its collateral in memory
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

/* ---- every check of a signature is counted (ld --wrap) ---- */

static size_t checks;

int __real_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *signature, size_t size,
			   const unsigned char *digest, size_t digest_size);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *signature, size_t size,
			   const unsigned char *digest, size_t digest_size);
int __wrap_EVP_PKEY_verify(EVP_PKEY_CTX *context, const unsigned char *signature, size_t size,
			   const unsigned char *digest, size_t digest_size)
{
	checks++;
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
	EVP_PKEY_CTX *bare;
	uint8_t bare_signature[80];
	size_t bare_size;
	struct dcap_collateral opened;
	struct cs_arena kept;
	struct cs_arena arena;
};

static const uint8_t digest[32] = {1, 2, 3};

/* A key pair and a signature over the digest, in DER; the point without its 0x04. */
static EVP_PKEY *make_key(uint8_t point[65], uint8_t signature[80], size_t *size)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *context = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
	size_t n;
	*size = 80;
	if (context == NULL || EVP_PKEY_sign_init(context) != 1 ||
	    EVP_PKEY_sign(context, signature, size, digest, sizeof digest) != 1 ||
	    EVP_PKEY_get_octet_string_param(key, "pub", point, 65, &n) != 1)
		bench_die("no key");
	EVP_PKEY_CTX_free(context);
	return key;
}

static void open_scene(struct scene *scene)
{
	uint8_t point[65];
	scene->nistp = cs_nistp_new();
	EVP_PKEY *key = make_key(point, scene->bare_signature, &scene->bare_size);
	scene->bare = EVP_PKEY_CTX_new(key, NULL);
	if (scene->nistp == NULL || scene->bare == NULL || EVP_PKEY_verify_init(scene->bare) != 1)
		bench_die("no context");
	for (size_t i = 0; i < OTHERS; i++) {
		uint8_t signature[80];
		size_t size;
		EVP_PKEY_free(make_key(point, signature, &size));
		memcpy(scene->others[i], point + 1, 64);
	}
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
	static const uint8_t nobody[64] = {[31] = 1, [63] = 1};
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

/* Seconds; *count signatures were checked. */
static double verify(struct scene *scene, const struct dcap_collateral *opened, size_t *count)
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
	double begin = bench_cpu();
	if (attest_verify(&result, &in, scene->nistp, &scene->arena, &why) != CS_OK ||
	    !attest_result_verified(&result) || result.tcb_status != ATTEST_TCB_UP_TO_DATE)
		bench_die("the quote does not verify");
	double end = bench_cpu();
	*count = checks;
	return end - begin;
}

static double bare(struct scene *scene, size_t count)
{
	double begin = bench_cpu();
	for (size_t i = 0; i < count; i++)
		if (__real_EVP_PKEY_verify(scene->bare, scene->bare_signature, scene->bare_size,
					   digest, sizeof digest) != 1)
			bench_die("the bare signature does not verify");
	return bench_cpu() - begin;
}

struct figure {
	double us, bare_us, ratio;
	size_t count;
};

static struct figure measure(struct scene *scene, const struct dcap_collateral *opened)
{
	double ours[BENCH_RUNS], least[BENCH_RUNS], ratio[BENCH_RUNS];
	struct figure figure;
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		double a = 0, b = 0;
		for (size_t i = 0; i < ROUND; i++) {
			a += verify(scene, opened, &figure.count);
			b += bare(scene, figure.count);
		}
		ours[run] = a / ROUND * 1e6;
		least[run] = b / ROUND * 1e6;
		ratio[run] = a / b;
	}
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
