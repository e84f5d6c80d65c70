/* What RA-TLS adds to TLS 1.3: full handshakes between two ends of enclave/channel.c in memory, with a key of
 * P-256 on the server's side and none on the client's. Plain: the client compares the certificate with one
 * that it knows. RA-TLS: it verifies the evidence in the certificate and appraises it. With hello: the server
 * makes evidence bound to the exporter, and the client verifies that too, as `caisson attest connect` does.
 * Evidence is simulated: nobody signs it, so that what a quote's own verification takes (bench_attest) comes
 * on top. Processor time of both ends, in turns in one process; writes one JSON object. */
#include "bench/bench.h"
#include "core/nistp.h"
#include "enclave/channel.h"
#include "enclave/ratls.h"
#include "enclave/tee.h"
#include "verify/attest/appraise.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#define ROUND 100u
#define NOW UINT64_C(1700000000)

enum how {
	PLAIN,
	RATLS,
	RATLS_HELLO,
	HOW_COUNT,
};

static struct {
	struct evp_pkey_st *key;
	uint8_t spki[RATLS_SPKI_SIZE];
	struct cs_bytes plain, ratls; /* certificates */
	struct cs_nistp *nistp;
	struct cs_arena arena;
	struct attest_policy policy;
} scene;

static const struct cs_hash measurement = {{0xe5}};

static void must(bool ok, const char *what)
{
	if (!ok)
		bench_die(what);
}

/* ---- evidence ---- */

static void put_evidence(struct cs_buf *out, const uint8_t report_data[WIRE_REPORT_DATA_SIZE])
{
	struct cs_why why;
	must(tee_simulated.evidence(&tee_simulated, out, report_data, &measurement, &why) == CS_OK,
	     "no evidence");
}

static void verify(enum attest_kind kind, struct cs_bytes evidence)
{
	static struct attest_result result;
	static struct attest_appraisal appraisal;
	static const struct attest_collateral none;
	const struct attest_input in = {.evidence = {kind, evidence},
					.collateral = &none,
					.roots = &attest_roots_vendors,
					.now = {NOW, NOW}};
	struct cs_why why;
	cs_arena_rewind(&scene.arena, 0);
	must(attest_verify(&result, &in, scene.nistp, &scene.arena, &why) == CS_OK &&
		     attest_result_verified(&result),
	     "evidence does not verify");
	attest_appraise(&appraisal, &result, &scene.policy, &in.now);
	must(appraisal.status == ATTEST_TIER_WARNING && appraisal.insecure,
	     "evidence is not appraised as simulated");
}

static enum cs_err judge_plain(void *context, struct cs_bytes der)
{
	(void)context;
	return cs_bytes_eq(der, scene.plain) ? CS_OK : CS_ERR_CRYPTO;
}

static enum cs_err judge_ratls(void *context, struct cs_bytes der)
{
	(void)context;
	verify(ATTEST_RATLS, der);
	return CS_OK;
}

static struct wire_report report_of(struct wire_report_fresh fresh)
{
	return (struct wire_report){.role = WIRE_REPORT_BRIDGE_ENCLAVE,
				    .key = cs_sha256(CS_BYTES_OF(scene.spki)),
				    .fresh = fresh,
				    .manifest_number = 1};
}

/* ---- certificates ---- */

static struct cs_bytes keep(struct cs_bytes bytes)
{
	uint8_t *p = malloc(bytes.n);
	must(p != NULL, "no memory");
	memcpy(p, bytes.p, bytes.n);
	return cs_bytes(p, bytes.n);
}

static void make_ratls(void)
{
	static uint8_t memory[3][RATLS_CERTIFICATE_SIZE_MAX];
	uint8_t report_data[WIRE_REPORT_DATA_SIZE];
	struct cs_buf claims, evidence, out;
	const struct wire_report report = report_of(wire_report_fresh_issued(NOW));
	const struct cs_hash hash = wire_report_hash(&report);
	cs_buf_init(&claims, memory[0], sizeof memory[0]);
	cs_buf_init(&evidence, memory[1], sizeof memory[1]);
	cs_buf_init(&out, memory[2], sizeof memory[2]);
	must(ratls_claims(&claims, CS_BYTES_OF(scene.spki), &hash) == CS_OK, "no claims");
	ratls_report_data(report_data, cs_buf_view(&claims));
	put_evidence(&evidence, report_data);
	const struct ratls_content content = {.key = scene.key,
					      .claims = cs_buf_view(&claims),
					      .evidence = cs_buf_view(&evidence),
					      .not_before_s = NOW,
					      .not_after_s = NOW + 3600};
	must(ratls_write(&out, &content, &scene.arena) == CS_OK, "no certificate");
	scene.ratls = keep(cs_buf_view(&out));
}

static void make_plain(void)
{
	X509 *x = X509_new();
	uint8_t *der = NULL;
	must(x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
		     ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
		     X509_gmtime_adj(X509_getm_notBefore(x), 0) != NULL &&
		     X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL &&
		     X509_set_pubkey(x, scene.key) == 1 &&
		     X509_sign(x, scene.key, EVP_sha256()) > 0,
	     "no plain certificate");
	const int n = i2d_X509(x, &der);
	must(n > 0, "no plain certificate");
	scene.plain = keep(cs_bytes(der, (size_t)n));
	OPENSSL_free(der);
	X509_free(x);
}

/* ---- one handshake ---- */

static struct channel_port *port_of(bool is_client, enum how how)
{
	struct channel_port *port = NULL;
	const struct channel_settings settings = {
		.key = is_client ? NULL : scene.key,
		.certificate = how == PLAIN ? scene.plain : scene.ratls,
		.signatures = "ecdsa_secp256r1_sha256",
		.judge = !is_client     ? NULL
			 : how == PLAIN ? judge_plain
					: judge_ratls,
		.plain_size_max = 128u * 1024,
		.handshake_size_max = 96u * 1024,
	};
	must(channel_port_open(&port, &settings) == CS_OK, "no port");
	return port;
}

static bool carry(struct channel *from, struct channel *to)
{
	static uint8_t bytes[96 * 1024];
	const size_t n = channel_take(from, bytes, sizeof bytes);
	must(n == 0 || channel_put(to, cs_bytes(bytes, n)) == CS_OK, "a handshake fails");
	return n > 0;
}

/* The server's evidence for this connection; the client makes its report data again, and verifies. */
static void hello(struct channel *server, struct channel *client)
{
	static const struct cs_hash nonce = {{7}};
	uint8_t memory[2048], made[WIRE_REPORT_DATA_SIZE], expected[WIRE_REPORT_DATA_SIZE];
	struct wire_report_tls ours, theirs;
	struct cs_buf evidence;
	must(channel_binding(server, CS_BYTES_OF(nonce.b), &ours) == CS_OK &&
		     channel_binding(client, CS_BYTES_OF(nonce.b), &theirs) == CS_OK,
	     "no exporter");
	const struct wire_report said = report_of(wire_report_fresh_tls(&ours));
	wire_report_data(made, &said);
	cs_buf_init(&evidence, memory, sizeof memory);
	put_evidence(&evidence, made);
	must(channel_write(server, cs_buf_view(&evidence)) == CS_OK, "hello is not sent");
	while (carry(server, client))
		;
	const struct cs_bytes got = channel_read(client);
	theirs.from_server = true;
	const struct wire_report wanted = report_of(wire_report_fresh_tls(&theirs));
	wire_report_data(expected, &wanted);
	must(got.n > sizeof expected &&
		     memcmp(got.p + got.n - sizeof expected, expected, sizeof expected) == 0,
	     "report data is of another connection");
	verify(ATTEST_SIMULATED, got);
}

static double handshake(const struct channel_port *server_port,
			const struct channel_port *client_port, enum how how)
{
	const double begin = bench_cpu();
	struct channel *server = channel_new(server_port, false);
	struct channel *client = channel_new(client_port, true);
	must(server != NULL && client != NULL && channel_put(client, CS_BYTES_NONE) == CS_OK,
	     "no channel");
	while (carry(client, server) || carry(server, client))
		;
	must(channel_is_ready(server) && channel_is_ready(client), "a handshake does not end");
	if (how == RATLS_HELLO)
		hello(server, client);
	channel_free(server);
	channel_free(client);
	return bench_cpu() - begin;
}

int main(void)
{
	double us[HOW_COUNT][BENCH_RUNS];
	struct channel_port *servers[HOW_COUNT], *clients[HOW_COUNT];
	cs_arena_init(&scene.arena, malloc(ATTEST_ARENA_SIZE), ATTEST_ARENA_SIZE);
	scene.nistp = cs_nistp_new();
	attest_policy_init(&scene.policy);
	scene.policy.insecure_accept_simulated = true;
	must(scene.arena.block != NULL && scene.nistp != NULL &&
		     ratls_key_make(&scene.key, scene.spki) == CS_OK,
	     "no memory, or no key");
	make_plain();
	make_ratls();
	for (enum how how = PLAIN; how < HOW_COUNT; how++) {
		servers[how] = port_of(false, how);
		clients[how] = port_of(true, how);
		(void)handshake(servers[how], clients[how], how);
	}
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		double sum[HOW_COUNT] = {0};
		for (size_t i = 0; i < ROUND; i++)
			for (enum how how = PLAIN; how < HOW_COUNT; how++)
				sum[how] += handshake(servers[how], clients[how], how);
		for (enum how how = PLAIN; how < HOW_COUNT; how++)
			us[how][run] = sum[how] / ROUND * 1e6;
	}
	const double plain = bench_median(us[PLAIN], BENCH_RUNS);
	const double ratls = bench_median(us[RATLS], BENCH_RUNS);
	const double whole = bench_median(us[RATLS_HELLO], BENCH_RUNS);
	printf("{\"plain_us\": %.0f, \"ratls_us\": %.0f, \"hello_us\": %.0f, \"added_us\": %.0f}\n",
	       plain, ratls, whole, whole - plain);
	return 0;
}
