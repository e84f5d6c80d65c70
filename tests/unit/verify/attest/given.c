#include "given.h"

#include "core/nistp.h"
#include "verify/attest/pem.h"

static struct cs_arena *arena_of_tests(void)
{
	static struct cs_arena arena;
	if (arena.block == NULL)
		cs_arena_init(&arena, keep(ATTEST_ARENA_SIZE), ATTEST_ARENA_SIZE);
	cs_arena_rewind(&arena, 0);
	return &arena;
}

struct cs_bytes given_file(const char *name)
{
	char path[512];
	(void)snprintf(path, sizeof path, CS_VECTORS "/attestation/%s", name);
	return read_file(path);
}

void given_init(struct given *given, enum attest_kind kind, struct cs_bytes evidence,
		uint64_t now_s)
{
	memset(given, 0, sizeof *given);
	given->roots = attest_roots_vendors;
	given->in.evidence = (struct attest_evidence){kind, evidence};
	given->in.now = (struct verify_time){now_s, now_s};
	given->in.no_revocation = true;
}

void given_roots(struct given *given, const struct cs_bytes *roots, size_t count)
{
	given->roots = (struct attest_roots){roots, count, roots, count, roots, count, true};
}

static void add_certificate(struct given *given, struct cs_bytes der)
{
	assert_true(given->bag.certificate_count < ATTEST_CERTIFICATES_MAX);
	given->bag.certificates[given->bag.certificate_count++] = der;
}

void given_certificates(struct given *given, const char *name)
{
	struct cs_bytes text = given_file(name), label, der;
	struct cs_arena arena;
	if (!pem_is_there(text)) {
		add_certificate(given, text);
		return;
	}
	cs_arena_init(&arena, keep(2 * text.n), 2 * text.n);
	while (pem_next(&text, &label, &der, &arena) == CS_OK)
		add_certificate(given, der);
}

void given_crl(struct given *given, struct cs_bytes der)
{
	assert_true(given->bag.crl_count < ATTEST_CRLS_MAX);
	given->bag.crls[given->bag.crl_count++] = der;
}

enum cs_err given_verify(struct given *given)
{
	static struct cs_nistp *nistp;
	if (nistp == NULL)
		nistp = cs_nistp_new();
	assert_non_null(nistp);
	return given_verify_by(given, nistp);
}

enum cs_err given_verify_by(struct given *given, struct cs_nistp *nistp)
{
	given->in.collateral = &given->bag;
	given->in.roots = &given->roots;
	given->arena = arena_of_tests();
	given->why.text[0] = '\0';
	return attest_verify(&given->result, &given->in, nistp, given->arena, &given->why);
}

const char *given_failed(const struct given *given)
{
	static char text[512];
	size_t n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < given->result.check_count; i++) {
		const struct attest_check *check = &given->result.checks[i];
		if (check->outcome == ATTEST_FAILED)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? " " : "",
					      check->name);
	}
	return text;
}

static void tell(const struct given *given)
{
	for (size_t i = 0; i < given->result.check_count; i++) {
		const struct attest_check *check = &given->result.checks[i];
		print_message("%s %s: %s\n",
			      check->outcome == ATTEST_PASSED   ? "+"
			      : check->outcome == ATTEST_FAILED ? "-"
								: " ",
			      check->name, check->detail.text);
	}
}

void given_refuse(struct given *given, const char *failed)
{
	enum cs_err err = given_verify(given);
	if (err != CS_OK)
		fail_msg("cannot be read: %s (%s)", cs_err_name(err), given->why.text);
	if (strcmp(given_failed(given), failed) != 0) {
		tell(given);
		fail_msg("failed: \"%s\", not \"%s\"", given_failed(given), failed);
	}
	assert_int_equal(attest_result_verified(&given->result), failed[0] == '\0');
}

void given_accept(struct given *given)
{
	given_refuse(given, "");
}

const struct attest_claim *given_claim(const struct given *given, const char *name)
{
	const struct attest_claim *claim = attest_result_claim(&given->result, name);
	if (claim == NULL)
		fail_msg("no claim %s", name);
	return claim;
}

uint8_t *given_copy(struct cs_bytes bytes)
{
	uint8_t *p = keep(bytes.n);
	memcpy(p, bytes.p, bytes.n);
	return p;
}
