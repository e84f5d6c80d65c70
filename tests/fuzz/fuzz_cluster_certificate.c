/* Any bytes as a certificate of the cluster: what is read has exactly this encoding, whatever it says. */
#include "tests/fuzz/fuzz.h"
#include "verify/cluster/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes der = cs_bytes(data, size);
	const struct verify_time now = {1800000000, 1800000000};
	static const struct cs_secret secret = {{1}};
	static struct cluster_pair authority;
	static struct cluster_trust trust;
	struct cluster_certificate c;
	struct cs_ed25519_key key, other;
	struct cs_why why;
	if (trust.authority_count == 0) {
		cs_assert(cluster_pair_make(&authority, &secret) == CS_OK);
		trust.authority_count = 1;
		trust.authorities[0] = (struct cluster_certificate){
			.epoch = 3, .key = authority.key, .not_after_s = now.high_s};
	}
	const enum cs_err by_itself = cluster_certificate_read(&c, der, NULL, &why);
	if (by_itself == CS_OK || cluster_trust_verify(&c, der, &trust, &now, &why) == CS_OK) {
		cs_assert(size <= CLUSTER_CERTIFICATE_SIZE_MAX);
		key = c.key;
		cs_assert(cluster_certificate_key(&other, der) == CS_OK);
		cs_assert(cs_bytes_eq(CS_BYTES_OF(key.b), CS_BYTES_OF(other.b)));
	} else if (cluster_certificate_key(&key, der) == CS_OK) {
		cs_assert(size >= CLUSTER_SPKI_SIZE);
	}
	return 0;
}
