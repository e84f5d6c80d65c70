#include "verify/attest/tpm_key.h"

#include "core/ct.h"
#include "core/der.h"
#include "verify/attest/pem.h"
#include "verify/attest/tpm_credential.h"

#include <string.h>

#define CURVE_P256 3u
#define CURVE_P384 4u

static bool is_fatal(enum cs_err err)
{
	return err == CS_ERR_NO_MEMORY || err == CS_ERR_CRYPTO;
}

/* ---- keys in their several forms ---- */

static struct cs_bytes without_zeros(struct cs_bytes number)
{
	while (number.n > 0 && number.p[0] == 0)
		number = cs_bytes(number.p + 1, number.n - 1);
	return number;
}

static enum cs_err rsa_of_area(struct x509_key *key, const struct tpm_public *area,
			       struct cs_arena *arena)
{
	uint8_t exponent[4];
	cs_put_be32(exponent, area->exponent);
	struct cs_bytes copy = cs_arena_copy(arena, CS_BYTES_OF(exponent));
	if (copy.p == NULL)
		return CS_ERR_NO_MEMORY;
	key->kind = X509_KEY_RSA;
	key->rsa = (struct cs_rsa_key){area->n, without_zeros(copy)};
	return CS_OK;
}

static enum cs_err point_of_area(struct x509_key *key, const struct tpm_public *area,
				 struct cs_arena *arena)
{
	bool is_p256 = area->curve == CURVE_P256;
	size_t size = cs_curve_size(is_p256 ? CS_P256 : CS_P384);
	struct cs_bytes x = without_zeros(area->x), y = without_zeros(area->y);
	if ((!is_p256 && area->curve != CURVE_P384) || x.n > size || y.n > size)
		return CS_OK; /* of no kind that is known */
	uint8_t *point = cs_arena_calloc(arena, 2, size);
	if (point == NULL)
		return CS_ERR_NO_MEMORY;
	if (x.n > 0)
		memcpy(point + size - x.n, x.p, x.n);
	if (y.n > 0)
		memcpy(point + 2 * size - y.n, y.p, y.n);
	key->kind = is_p256 ? X509_KEY_P256 : X509_KEY_P384;
	key->point = cs_bytes(point, 2 * size);
	return CS_OK;
}

static enum cs_err key_of_area(struct x509_key *key, const struct tpm_public *area,
			       struct cs_arena *arena)
{
	*key = (struct x509_key){.kind = X509_KEY_OTHER};
	return area->type == TPM_RSA ? rsa_of_area(key, area, arena)
				     : point_of_area(key, area, arena);
}

static bool same_key(const struct x509_key *a, const struct x509_key *b)
{
	if (a->kind != b->kind || a->kind == X509_KEY_OTHER)
		return false;
	if (a->kind == X509_KEY_RSA)
		return cs_bytes_eq(a->rsa.modulus, b->rsa.modulus) &&
		       cs_bytes_eq(a->rsa.exponent, b->rsa.exponent);
	return cs_bytes_eq(a->point, b->point);
}

/* ---- plain evidence ---- */

struct plain {
	struct attest_work *work;
	const struct tpm_evidence *evidence;
	struct x509_pool pool;
	struct tpm_public area;
	struct x509_certificate ak_certificate;
	struct x509_key key;
};

/* Of the members that are there, the first is the key and the others must be it too. */
static bool agree(struct plain *plain, size_t *count, const struct x509_key *key)
{
	if ((*count)++ == 0)
		plain->key = *key;
	return key->kind != X509_KEY_OTHER && same_key(&plain->key, key);
}

static enum cs_err read_keys(struct plain *plain, bool *good)
{
	const struct tpm_evidence *evidence = plain->evidence;
	struct attest_work *work = plain->work;
	struct x509_key key;
	size_t count = 0;
	*good = true;
	if (evidence->ak_area.n > 0) {
		CS_TRY(tpm_public_decode(&plain->area, evidence->ak_area, work->why));
		CS_TRY(key_of_area(&key, &plain->area, work->arena));
		*good = agree(plain, &count, &key) && *good;
	}
	if (evidence->ak_certificate.n > 0) {
		CS_TRY(x509_certificate_parse(&plain->ak_certificate, evidence->ak_certificate,
					      work->why));
		*good = agree(plain, &count, &plain->ak_certificate.key) && *good;
	}
	if (evidence->ak_public.n > 0) {
		enum cs_err err = x509_key_parse(&key, evidence->ak_public);
		if (err != CS_OK)
			return cs_fail(work->why, err, "ak_public is no SubjectPublicKeyInfo");
		*good = agree(plain, &count, &key) && *good;
	}
	if (count == 0)
		return cs_fail(work->why, CS_ERR_MISSING_FIELD,
			       "none of ak_public, ak_area, ak_certificate");
	(void)attest_check(work->result, "ak", *good, "%s",
			   *good ? "one key in all forms"
				 : "a kind that is not known, or not one key everywhere");
	return CS_OK;
}

/* TCG's purposes of keys, 2.23.133.8.x. A certificate that lists purposes must list this one. */
static const uint8_t purpose_ek[] = {0x67, 0x81, 0x05, 0x08, 0x01};
static const uint8_t purpose_ak[] = {0x67, 0x81, 0x05, 0x08, 0x03};

static bool has_purpose(const struct x509_certificate *certificate, struct cs_bytes purpose)
{
	static const uint8_t extended_key_usage[] = {0x55, 0x1d, 0x25};
	struct cs_bytes value, oid;
	struct cs_der list;
	enum cs_err err =
		x509_extension(&value, NULL, certificate, CS_BYTES_OF(extended_key_usage));
	if (err == CS_ERR_NOT_FOUND)
		return true;
	if (err != CS_OK || cs_der_one(&list, value, CS_DER_SEQUENCE) != CS_OK)
		return false;
	while (cs_der_more(&list)) {
		if (cs_der_oid(&list, &oid) != CS_OK)
			return false;
		if (cs_bytes_eq(oid, purpose))
			return true;
	}
	return false;
}

static enum cs_err check_crls(struct plain *plain, const struct x509_path *path)
{
	struct attest_work *work = plain->work;
	const struct x509_crl *used;
	struct cs_why why = {""};
	enum cs_err err = CS_OK;
	size_t i = 0;
	if (work->in->no_revocation) {
		attest_skip(work->result, "tpm-crl", "revocation lists are not looked at");
		return CS_OK;
	}
	for (; err == CS_OK && i + 1 < path->count; i++) {
		err = x509_not_revoked(&used, path->certificates[i], path->certificates[i + 1],
				       &plain->pool, &work->in->now, work->nistp, &why);
		if (err == CS_OK)
			attest_collateral_dates(work->result, used->this_update_s,
						used->next_update_s);
	}
	if (is_fatal(err))
		return err;
	const struct cs_bytes issuer = x509_common_name(path->certificates[i]->subject);
	if (err == CS_ERR_NOT_FOUND)
		cs_why_write(&why, "no list of what \"%.*s\" has revoked",
			     (int)(issuer.n < 64 ? issuer.n : 64), (const char *)issuer.p);
	work->result->revocation = err == CS_OK;
	(void)attest_check(work->result, "tpm-crl", err == CS_OK, "%s",
			   err == CS_OK ? "nobody on the path is revoked" : why.text);
	return CS_OK;
}

/* One certificate of the TPM's, up to a root that the operator chose. */
static enum cs_err check_certificate(bool *good, struct plain *plain, const char *name,
				     const struct x509_certificate *certificate,
				     struct cs_bytes purpose)
{
	struct attest_work *work = plain->work;
	struct x509_path path;
	struct cs_why why = {""};
	enum cs_err err =
		x509_path_find(&path, certificate, &plain->pool, &work->in->now, work->nistp, &why);
	if (is_fatal(err))
		return err;
	if (err == CS_OK && !has_purpose(certificate, purpose)) {
		err = CS_ERR_FORBIDDEN;
		cs_why_write(&why, "the certificate is for another purpose");
	}
	*good = attest_check(work->result, name, err == CS_OK, "%s",
			     err == CS_OK ? "the chain leads to a root of the operator's"
					  : why.text);
	if (!*good)
		return CS_OK;
	attest_until_path(work->result, &path);
	return check_crls(plain, &path);
}

static bool check_attributes(const struct plain *plain, bool is_named)
{
	return attest_check(plain->work->result, "ak-attributes",
			    tpm_public_is_attestation_key(&plain->area) && is_named,
			    "attributes %08x: of %08x an attestation key has %08x%s",
			    plain->area.attributes, TPM_ATTESTATION_KEY | TPM_DECRYPT,
			    TPM_ATTESTATION_KEY,
			    is_named ? "" : "; its name is not of SHA-256, the only one taken");
}

/* ---- before a challenge ---- */

enum cs_err tpm_key_admit(struct tpm_admitted *out, bool *good, struct attest_work *work,
			  const struct tpm_evidence *evidence)
{
	struct plain plain = {.work = work, .evidence = evidence};
	struct x509_certificate ek;
	size_t seed_size, padding_size;
	const struct attest_input *in = work->in;
	*good = false;
	if (evidence->ak_area.n == 0 || evidence->ek_certificate.n == 0)
		return cs_fail(work->why, CS_ERR_MISSING_FIELD, "ak_area and ek_certificate");
	CS_TRY(read_keys(&plain, good));
	if (!*good)
		return CS_OK;
	*good = check_attributes(&plain, plain.area.name_hash == TPM_SHA256);
	if (!*good)
		return CS_OK;
	CS_TRY(attest_pool(&plain.pool, in->collateral, in->roots->tpm, in->roots->tpm_count,
			   work->arena));
	CS_TRY(x509_certificate_parse(&ek, evidence->ek_certificate, work->why));
	CS_TRY(check_certificate(good, &plain, "ek-certificate", &ek, CS_BYTES_OF(purpose_ek)));
	*good = *good && attest_result_verified(work->result) &&
		attest_check(work->result, "ek-template",
			     tpm_drawn_sizes(&seed_size, &padding_size, &ek.key),
			     "it has to be of RSA-2048 or -3072, P-256 or P-384");
	*out = (struct tpm_admitted){.ek = ek.key, .ak = plain.key};
	tpm_name(out->name, plain.area.area);
	return CS_OK;
}

/* ---- after one ---- */

/* What was sent follows from what was drawn, for this endorsement key and this key's name: then only a
 * TPM that holds both could give the answer. */
static enum cs_err activation_holds(bool *good, struct cs_why *why, struct plain *plain,
				    const struct x509_certificate *ek)
{
	struct tpm_transcript sent;
	struct tpm_credential made;
	uint8_t name[TPM_NAME_SIZE];
	size_t seed_size, padding_size;
	*good = false;
	enum cs_err err = tpm_transcript_decode(&sent, plain->work->in->collateral->tpm_activation,
						plain->work->arena, why);
	if (err != CS_OK)
		return is_fatal(err) ? err : CS_OK;
	if (!tpm_drawn_sizes(&seed_size, &padding_size, &ek->key) ||
	    plain->area.name_hash != TPM_SHA256) {
		cs_why_write(why, "only endorsement keys RSA-2048 and -3072, P-256 and P-384, and "
				  "names by SHA-256");
		return CS_OK;
	}
	const struct tpm_drawn drawn = {sent.secret, sent.seed, sent.padding};
	tpm_name(name, plain->area.area);
	err = tpm_credential_make(&made, &ek->key, name, &drawn);
	if (err != CS_OK) {
		cs_why_write(why, "%s", cs_err_sentence(err));
		return is_fatal(err) ? err : CS_OK;
	}
	if (!cs_bytes_eq(sent.credential_blob, cs_bytes(made.blob, made.blob_size)) ||
	    !cs_bytes_eq(sent.encrypted_secret,
			 cs_bytes(made.encrypted_secret, made.encrypted_secret_size)))
		cs_why_write(why, "the challenge was for another key");
	else if (sent.answer.n != sent.secret.n ||
		 !cs_ct_eq(sent.answer.p, sent.secret.p, sent.secret.n))
		cs_why_write(why, "the TPM gave another answer");
	else
		*good = true;
	return CS_OK;
}

static enum cs_err check_endorsement(struct plain *plain)
{
	struct attest_work *work = plain->work;
	struct x509_certificate ek;
	struct cs_why why = {""};
	bool good;
	CS_TRY(x509_certificate_parse(&ek, plain->evidence->ek_certificate, work->why));
	CS_TRY(check_certificate(&good, plain, "ek-certificate", &ek, CS_BYTES_OF(purpose_ek)));
	if (!good)
		return CS_OK;
	CS_TRY(activation_holds(&good, &why, plain, &ek));
	(void)attest_check(work->result, "activation", good, "%s",
			   good ? "the TPM with this endorsement key holds the key" : why.text);
	return CS_OK;
}

enum cs_err tpm_key_plain(struct x509_key *key, bool *found, struct attest_work *work,
			  const struct tpm_evidence *evidence)
{
	struct plain plain = {.work = work, .evidence = evidence};
	const struct attest_input *in = work->in;
	bool good;
	CS_TRY(read_keys(&plain, found));
	if (!*found)
		return CS_OK;
	*key = plain.key;
	if (evidence->ak_area.n > 0)
		(void)check_attributes(&plain, true);
	CS_TRY(attest_pool(&plain.pool, in->collateral, in->roots->tpm, in->roots->tpm_count,
			   work->arena));
	if (evidence->ak_certificate.n > 0)
		return check_certificate(&good, &plain, "ak-certificate", &plain.ak_certificate,
					 CS_BYTES_OF(purpose_ak));
	if (evidence->ek_certificate.n > 0 && evidence->ak_area.n > 0 &&
	    in->collateral->tpm_activation.n > 0)
		return check_endorsement(&plain);
	(void)attest_check(work->result, "ak-trust", false,
			   "nobody says that the key is a TPM's: neither its certificate, nor an "
			   "endorsement key's with an activation");
	return CS_OK;
}

/* ---- Azure's ---- */

static enum cs_err verify_snp(struct attest_work *work, const struct tpm_evidence *evidence,
			      const struct tpm_hcl *hcl)
{
	struct attest_input in = *work->in;
	struct attest_work inner = *work;
	struct attest_collateral *bag = cs_arena_alloc(work->arena, sizeof *bag);
	struct cs_bytes vcek = evidence->vcek, text = vcek, label;
	if (bag == NULL)
		return CS_ERR_NO_MEMORY;
	*bag = *in.collateral;
	if (pem_is_there(text) && pem_next(&text, &label, &vcek, work->arena) != CS_OK)
		return cs_fail(work->why, CS_ERR_MALFORMED, "vcek");
	if (attest_bag_add_certificate(bag, vcek) != CS_OK)
		return cs_fail(work->why, CS_ERR_TOO_LARGE, "too many certificates");
	in.collateral = bag;
	inner.in = &in;
	const struct attest_evidence report = {ATTEST_SNP, hcl->hardware};
	CS_TRY(attest_verify_inside(&inner, &report));
	const struct attest_claim *vmpl = attest_result_claim(work->result, "vmpl");
	if (vmpl == NULL)
		(void)attest_check(work->result, "paravisor", false,
				   "the report does not say its privilege level");
	else
		(void)attest_check(work->result, "paravisor", vmpl->number == 0,
				   "the report is of privilege level %u, the paravisor's is 0",
				   (unsigned)vmpl->number);
	return CS_OK;
}

enum cs_err tpm_key_azure(struct x509_key *key, bool *found, struct attest_work *work,
			  const struct tpm_evidence *evidence)
{
	static const uint8_t zeros[32];
	struct attest_result *result = work->result;
	struct cs_rsa_key rsa;
	struct cs_why why = {""};
	struct tpm_hcl hcl;
	*found = false;
	CS_TRY(tpm_hcl_decode(&hcl, evidence->hcl_report, work->why));
	if (!attest_check(result, "hcl-report", hcl.tdx == (evidence->shape == TPM_AZURE_TDX),
			  "of %s, as the evidence's shape %s", hcl.tdx ? "TDX" : "SNP",
			  hcl.tdx == (evidence->shape == TPM_AZURE_TDX) ? "is" : "is not"))
		return CS_OK;
	const struct attest_evidence quote = {ATTEST_TDX, evidence->td_quote};
	CS_TRY(hcl.tdx ? attest_verify_inside(work, &quote) : verify_snp(work, evidence, &hcl));
	struct cs_hash hash = cs_sha256(hcl.claims);
	bool bound = result->hardware == (hcl.tdx ? ATTEST_TDX : ATTEST_SNP) &&
		     result->report_data_size == 64 &&
		     memcmp(result->report_data, hash.b, sizeof hash.b) == 0 &&
		     memcmp(result->report_data + 32, zeros, sizeof zeros) == 0;
	if (!attest_check(
		    result, "runtime-data", bound,
		    "the hardware's report data is %s and zeros, the claims' hash %s",
		    attest_hex(cs_bytes(result->report_data, result->report_data_size), 0).text,
		    attest_hex(CS_BYTES_OF(hash.b), 0).text))
		return CS_OK;
	enum cs_err err = tpm_hcl_key(&rsa.modulus, &rsa.exponent, hcl.claims, work->arena, &why);
	if (is_fatal(err))
		return err;
	*key = (struct x509_key){.kind = X509_KEY_RSA, .rsa = rsa};
	*found = attest_check(result, "ak", err == CS_OK, "%s",
			      err == CS_OK ? "the claims' HCLAkPub" : why.text);
	return CS_OK;
}
