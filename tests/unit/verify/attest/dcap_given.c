#include "dcap_given.h"

#include "verify/attest/pem.h"
#include "verify/attest/roots.h"

static struct cs_arena *room(size_t size)
{
	struct cs_arena *arena = keep(sizeof *arena);
	cs_arena_init(arena, keep(size), size);
	return arena;
}

void dcap_given_init(struct given *given, struct cs_bytes quote, uint64_t now_s)
{
	uint8_t tee = quote.n > 4 ? quote.p[4] : 0;
	given_init(given, tee == 0 ? ATTEST_SGX : ATTEST_TDX, quote, now_s);
	given->roots.intel = attest_roots_intel;
	given->roots.intel_count = ATTEST_ROOTS_INTEL;
	given->in.no_revocation = false;
}

static void chain(struct given *given, const json_t *bundle, const char *key)
{
	struct cs_bytes text = cs_bytes_str(text_of(bundle, key)), label, der;
	struct cs_arena *arena = room(2 * text.n);
	while (pem_next(&text, &label, &der, arena) == CS_OK) {
		assert_true(given->bag.certificate_count < ATTEST_CERTIFICATES_MAX);
		given->bag.certificates[given->bag.certificate_count++] = der;
	}
}

/* Each file is read once, and kept: the bag has views of it. */
static const json_t *bundle_of(const char *name)
{
	static struct {
		const char *name;
		const json_t *json;
	} read[8];
	size_t i = 0;
	while (read[i].name != NULL && strcmp(read[i].name, name) != 0)
		i++;
	assert_true(i + 1 < CS_LEN(read));
	if (read[i].name == NULL) {
		char path[512];
		(void)snprintf(path, sizeof path, CS_VECTORS "/attestation/%s", name);
		read[i].json = read_json(path);
		read[i].name = name;
	}
	return read[i].json;
}

void dcap_given_bundle(struct given *given, const char *name)
{
	const json_t *bundle = bundle_of(name);
	chain(given, bundle, "pck_crl_issuer_chain");
	chain(given, bundle, "tcb_info_issuer_chain");
	chain(given, bundle, "qe_identity_issuer_chain");
	given_crl(given, bytes_of(bundle, "root_ca_crl"));
	given_crl(given, bytes_of(bundle, "pck_crl"));
	given->bag.tcb_info = (struct attest_signed_json){cs_bytes_str(text_of(bundle, "tcb_info")),
							  bytes_of(bundle, "tcb_info_signature")};
	given->bag.qe_identity =
		(struct attest_signed_json){cs_bytes_str(text_of(bundle, "qe_identity")),
					    bytes_of(bundle, "qe_identity_signature")};
}

/* Between what stands before and behind it. */
static bool cut(struct cs_bytes *inner, struct cs_bytes *signature, struct cs_bytes response,
		const char *before)
{
	static const char behind[] = ",\"signature\":\"";
	size_t begin = strlen(before), tail = sizeof behind - 1 + 128 + 2;
	while (response.n > 0 && response.p[response.n - 1] != '}')
		response.n--;
	if (response.n < begin + tail || memcmp(response.p, before, begin) != 0)
		return false;
	size_t end = response.n - tail;
	assert_memory_equal(response.p + end, behind, sizeof behind - 1);
	uint8_t *p = keep(64);
	assert_ok(cs_unhex(p, 64, cs_bytes(response.p + end + sizeof behind - 1, 128)));
	*inner = cs_bytes(response.p + begin, end - begin);
	*signature = cs_bytes(p, 64);
	return true;
}

void dcap_given_response(struct given *given, struct cs_bytes response)
{
	struct attest_collateral *bag = &given->bag;
	assert_true(cut(&bag->tcb_info.json, &bag->tcb_info.signature, response, "{\"tcbInfo\":") ||
		    cut(&bag->qe_identity.json, &bag->qe_identity.signature, response,
			"{\"enclaveIdentity\":"));
}

static int by_text(const void *a, const void *b)
{
	const struct cs_bytes *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int order = memcmp(x->p, y->p, n);
	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

const char *dcap_given_advisories(const struct given *given)
{
	static char text[ATTEST_ADVISORIES_MAX * 32];
	struct cs_bytes sorted[ATTEST_ADVISORIES_MAX];
	size_t count = given->result.advisory_count, n = 0;
	memcpy(sorted, given->result.advisories, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_text);
	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", n ? " " : "",
				      (int)sorted[i].n, (const char *)sorted[i].p);
	return text;
}
