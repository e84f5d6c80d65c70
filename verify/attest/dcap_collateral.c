#include "verify/attest/dcap.h"

#include <string.h>

static const struct x509_certificate *find(const struct x509_certificate *list, size_t count,
					   struct cs_bytes der)
{
	for (size_t i = 0; i < count; i++)
		if (cs_bytes_eq(list[i].der, der))
			return &list[i];
	return NULL;
}

/* Each once: a bag may hold a certificate in several chains, and those end in a root that was read
 * before. */
static enum cs_err read_certificates(struct x509_certificate **out, size_t *count_out,
				     const struct cs_bytes *ders, size_t count,
				     struct dcap_collateral *collateral, struct cs_arena *arena)
{
	const struct x509_pool *pool = &collateral->pool;
	struct x509_certificate *list = cs_arena_calloc(arena, count, sizeof *list);
	size_t n = 0;
	if (list == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct cs_why why;
		if (find(list, n, ders[i]) != NULL)
			continue;
		const struct x509_certificate *root = find(pool->roots, pool->root_count, ders[i]);
		if (root != NULL) {
			list[n++] = *root;
			continue;
		}
		enum cs_err err = x509_certificate_parse(&list[n], ders[i], &why);
		if (err == CS_OK) {
			n++;
		} else if (collateral->form == CS_OK) {
			collateral->form = err;
			collateral->form_why = why;
		}
	}
	*out = list;
	*count_out = n;
	return CS_OK;
}

static enum cs_err read_crls(struct x509_crl **out, struct dcap_collateral *collateral,
			     const struct attest_collateral *bag, struct cs_arena *arena)
{
	struct x509_crl *list = cs_arena_calloc(arena, bag->crl_count, sizeof *list);
	size_t n = 0;
	if (list == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < bag->crl_count; i++) {
		struct cs_why why;
		enum cs_err err = x509_crl_parse(&list[n], bag->crls[i], &why);
		if (err == CS_OK) {
			n++;
		} else if (collateral->form == CS_OK) {
			collateral->form = err;
			collateral->form_why = why;
		}
	}
	*out = list;
	collateral->pool.crl_count = n;
	return CS_OK;
}

/* ---- signatures, each once ---- */

/* All of Intel's keys are of this kind: what else lies in the bag is not looked at. */
static bool may_sign(const struct x509_certificate *issuer, struct cs_bytes name)
{
	return issuer->key.kind == X509_KEY_P256 && cs_bytes_eq(issuer->subject, name);
}

/* Who of the list signed this: its SubjectPublicKeyInfo, or nothing. */
static struct cs_bytes signer_of(const struct x509_certificate *list, size_t count,
				 struct cs_bytes issuer, const struct x509_algorithm *algorithm,
				 struct cs_bytes tbs, struct cs_bytes signature,
				 struct cs_nistp *nistp)
{
	for (size_t i = 0; i < count; i++)
		if (may_sign(&list[i], issuer) &&
		    x509_verify_signature(&list[i].key, algorithm, tbs, signature, nistp) == CS_OK)
			return list[i].key.spki;
	return CS_BYTES_NONE;
}

static struct cs_bytes issuer_of(const struct x509_pool *pool, struct cs_bytes issuer,
				 const struct x509_algorithm *algorithm, struct cs_bytes tbs,
				 struct cs_bytes signature, struct cs_nistp *nistp)
{
	struct cs_bytes found =
		signer_of(pool->roots, pool->root_count, issuer, algorithm, tbs, signature, nistp);
	return found.n > 0 ? found
			   : signer_of(pool->certificates, pool->certificate_count, issuer,
				       algorithm, tbs, signature, nistp);
}

static void verify_issued(struct x509_certificate *certificates, struct x509_crl *crls,
			  const struct x509_pool *pool, struct cs_nistp *nistp)
{
	for (size_t i = 0; i < pool->certificate_count; i++) {
		struct x509_certificate *one = &certificates[i];
		if (find(pool->roots, pool->root_count, one->der) == NULL)
			one->verified_by = issuer_of(pool, one->issuer, &one->algorithm, one->tbs,
						     one->signature, nistp);
	}
	for (size_t i = 0; i < pool->crl_count; i++) {
		struct x509_crl *one = &crls[i];
		one->verified_by = issuer_of(pool, one->issuer, &one->algorithm, one->tbs,
					     one->signature, nistp);
	}
}

/* Over the JSON's exact bytes, by whoever of the bag is called a signer of TCB info. */
static void verify_json(struct dcap_opened *opened, const struct attest_signed_json *json,
			const struct x509_pool *pool, struct cs_nistp *nistp)
{
	struct cs_digest digest = cs_digest(CS_SHA256, json->json);
	struct cs_bytes tried = CS_BYTES_NONE;
	opened->err = CS_ERR_NOT_FOUND;
	for (size_t i = 0; i < pool->certificate_count; i++) {
		const struct x509_key *key = &pool->certificates[i].key;
		if (!cs_bytes_eq(x509_common_name(pool->certificates[i].subject),
				 cs_bytes_str(DCAP_TCB_SIGNING)) ||
		    key->kind != X509_KEY_P256 || cs_bytes_eq(key->spki, tried))
			continue;
		/* A renewed certificate has the same key. */
		tried = key->spki;
		opened->err = cs_nistp_verify(nistp, CS_P256, key->point, cs_digest_view(&digest),
					      json->signature);
		if (opened->err == CS_OK) {
			opened->signer = key->spki;
			return;
		}
	}
	if (tried.n == 0)
		cs_why_write(&opened->why, "no certificate of \"%s\" in the collateral",
			     DCAP_TCB_SIGNING);
	else
		cs_why_write(&opened->why, "%s", cs_err_sentence(opened->err));
}

static enum cs_err open_tcb_info(struct dcap_collateral *out, const struct attest_collateral *bag,
				 struct cs_nistp *nistp, struct cs_arena *arena)
{
	struct dcap_opened *opened = &out->tcb_info_opened;
	opened->given = bag->tcb_info.json.n > 0;
	if (!opened->given)
		return CS_OK;
	verify_json(opened, &bag->tcb_info, &out->pool, nistp);
	if (opened->err == CS_OK)
		opened->err = dcap_tcb_info_parse(&out->tcb_info, bag->tcb_info.json, arena,
						  &opened->why);
	return opened->err == CS_ERR_NO_MEMORY ? opened->err : CS_OK;
}

static enum cs_err open_qe_identity(struct dcap_collateral *out,
				    const struct attest_collateral *bag, struct cs_nistp *nistp,
				    struct cs_arena *arena)
{
	struct dcap_opened *opened = &out->qe_identity_opened;
	opened->given = bag->qe_identity.json.n > 0;
	if (!opened->given)
		return CS_OK;
	verify_json(opened, &bag->qe_identity, &out->pool, nistp);
	if (opened->err == CS_OK)
		opened->err = dcap_qe_identity_parse(&out->qe_identity, bag->qe_identity.json,
						     arena, &opened->why);
	return opened->err == CS_ERR_NO_MEMORY ? opened->err : CS_OK;
}

enum cs_err dcap_collateral_open(struct dcap_collateral *out, const struct attest_collateral *bag,
				 const struct attest_roots *roots, struct cs_nistp *nistp,
				 struct cs_arena *arena)
{
	struct x509_pool *pool = &out->pool;
	struct x509_certificate *believed, *certificates;
	struct x509_crl *crls;
	memset(out, 0, sizeof *out);
	CS_TRY(read_certificates(&believed, &pool->root_count, roots->intel, roots->intel_count,
				 out, arena));
	pool->roots = believed;
	CS_TRY(read_certificates(&certificates, &pool->certificate_count, bag->certificates,
				 bag->certificate_count, out, arena));
	CS_TRY(read_crls(&crls, out, bag, arena));
	pool->certificates = certificates;
	pool->crls = crls;
	verify_issued(certificates, crls, pool, nistp);
	CS_TRY(open_tcb_info(out, bag, nistp, arena));
	CS_TRY(open_qe_identity(out, bag, nistp, arena));
	return cs_nistp_failed(nistp) ? CS_ERR_CRYPTO : CS_OK;
}
