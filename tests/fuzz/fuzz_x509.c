/* Any bytes as a certificate, as a revocation list and as PEM: views stay inside, and no path leads to
 * Intel's root but from what Intel issued. */
#include "core/nistp.h"
#include "tests/fuzz/fuzz.h"
#include "verify/attest/pem.h"
#include "verify/attest/roots.h"
#include "verify/attest/x509.h"

static void inside(struct cs_bytes view, struct cs_bytes whole)
{
	if (view.n > 0)
		cs_assert(view.p >= whole.p && view.n <= whole.n &&
			  (size_t)(view.p - whole.p) <= whole.n - view.n);
}

static void certificate(struct cs_bytes bytes, struct cs_nistp *nistp)
{
	static const struct verify_time now = {1750000000, 1750000000};
	static const uint8_t sgx[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
	struct x509_certificate leaf, root;
	struct x509_path path;
	struct cs_bytes value;
	struct cs_why why;
	fuzz_fill(&leaf, sizeof leaf);
	if (x509_certificate_parse(&leaf, bytes, &why) != CS_OK) {
		fuzz_untouched(&leaf, sizeof leaf);
		return;
	}
	inside(leaf.tbs, bytes);
	inside(leaf.serial, bytes);
	inside(leaf.issuer, leaf.tbs);
	inside(leaf.subject, leaf.tbs);
	inside(leaf.extensions, leaf.tbs);
	inside(leaf.signature, bytes);
	inside(leaf.key.spki, leaf.tbs);
	inside(x509_common_name(leaf.subject), leaf.subject);
	if (x509_extension(&value, NULL, &leaf, CS_BYTES_OF(sgx)) == CS_OK)
		inside(value, leaf.extensions);
	cs_assert(x509_certificate_parse(&root, attest_roots_intel[0], NULL) == CS_OK);
	struct x509_pool pool = {&root, 1, &leaf, 1, NULL, 0};
	if (x509_path_find(&path, &leaf, &pool, &now, nistp, &why) == CS_OK)
		cs_assert(path.count == 1 ? cs_bytes_eq(leaf.der, root.der)
					  : cs_bytes_eq(leaf.issuer, root.subject));
}

static void list(struct cs_bytes bytes)
{
	struct x509_crl crl;
	struct cs_why why;
	fuzz_fill(&crl, sizeof crl);
	if (x509_crl_parse(&crl, bytes, &why) != CS_OK) {
		fuzz_untouched(&crl, sizeof crl);
		return;
	}
	inside(crl.tbs, bytes);
	inside(crl.entries, crl.tbs);
	(void)x509_crl_lists(&crl, crl.issuer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cs_nistp *nistp;
	struct cs_bytes bytes = cs_bytes(data, size), text = bytes, label, der;
	struct cs_arena *arena = fuzz_arena();
	if (nistp == NULL)
		nistp = cs_nistp_new();
	cs_assert(nistp != NULL);
	certificate(bytes, nistp);
	list(bytes);
	while (pem_next(&text, &label, &der, arena) == CS_OK) {
		inside(label, bytes);
		certificate(der, nistp);
		list(der);
	}
	return 0;
}
