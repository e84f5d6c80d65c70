#include "verify/attest/collateral.h"

#include "core/json.h"
#include "verify/attest/pem.h"
#include "verify/attest/x509.h"

#include <string.h>

/* ECDSA over P-256: r and s. */
#define SIGNATURE_SIZE 64u

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct cs_bytes trim(struct cs_bytes text)
{
	while (text.n > 0 && is_space(text.p[0]))
		text = cs_bytes(text.p + 1, text.n - 1);
	while (text.n > 0 && is_space(text.p[text.n - 1]))
		text.n--;
	return text;
}

static bool begins_with(struct cs_bytes bytes, const char *mark)
{
	return bytes.n >= strlen(mark) && memcmp(bytes.p, mark, strlen(mark)) == 0;
}

/* ---- into the bag ---- */

static enum cs_err add_once(struct cs_bytes *list, size_t *count, size_t max, struct cs_bytes der,
			    struct cs_why *why)
{
	for (size_t i = 0; i < *count; i++) {
		if (cs_bytes_eq(list[i], der))
			return CS_OK;
	}
	if (*count == max)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %zu certificates or lists", max);
	list[(*count)++] = der;
	return CS_OK;
}

static enum cs_err add_certificate(struct attest_collateral *bag, struct cs_bytes der,
				   struct cs_why *why)
{
	return add_once(bag->certificates, &bag->certificate_count, ATTEST_CERTIFICATES_MAX, der,
			why);
}

static enum cs_err add_crl(struct attest_collateral *bag, struct cs_bytes der, struct cs_why *why)
{
	return add_once(bag->crls, &bag->crl_count, ATTEST_CRLS_MAX, der, why);
}

static enum cs_err add_signed(struct attest_signed_json *to, struct cs_bytes json,
			      struct cs_bytes signature, struct cs_why *why)
{
	if (to->json.p == NULL) {
		*to = (struct attest_signed_json){json, signature};
		return CS_OK;
	}
	if (cs_bytes_eq(to->json, json) && cs_bytes_eq(to->signature, signature))
		return CS_OK;
	return cs_fail(why, CS_ERR_DUPLICATE, "a second one, which differs");
}

/* ---- PEM and DER ---- */

static enum cs_err add_pem(struct attest_collateral *bag, struct cs_bytes text,
			   struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes label, der;
	size_t blocks = 0;
	for (;;) {
		enum cs_err err = pem_next(&text, &label, &der, arena);
		if (err == CS_ERR_NOT_FOUND)
			return blocks > 0 ? CS_OK
					  : cs_fail(why, CS_ERR_MALFORMED, "PEM without a block");
		if (err != CS_OK)
			return cs_fail(why, err, "PEM that does not end or decode");
		blocks++;
		if (cs_bytes_eq(label, cs_bytes_str("CERTIFICATE")))
			err = add_certificate(bag, der, why);
		else if (cs_bytes_eq(label, cs_bytes_str("X509 CRL")))
			err = add_crl(bag, der, why);
		else
			err = cs_fail(why, CS_ERR_UNSUPPORTED, "PEM of %.*s",
				      (int)(label.n < 64 ? label.n : 64), (const char *)label.p);
		CS_TRY(err);
	}
}

static enum cs_err add_der(struct attest_collateral *bag, struct cs_bytes der, struct cs_why *why)
{
	struct x509_certificate certificate;
	struct x509_crl crl;
	struct cs_why inner;
	if (x509_certificate_parse(&certificate, der, &inner) == CS_OK)
		return add_certificate(bag, der, why);
	if (x509_crl_parse(&crl, der, &inner) == CS_OK)
		return add_crl(bag, der, why);
	return cs_fail(why, CS_ERR_UNSUPPORTED, "neither a certificate nor a revocation list");
}

static enum cs_err unhex(struct cs_bytes *out, struct cs_bytes text, struct cs_arena *arena)
{
	uint8_t *p = cs_arena_alloc(arena, text.n / 2);
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(cs_unhex(p, text.n / 2, text));
	*out = cs_bytes(p, text.n / 2);
	return CS_OK;
}

/* ---- Intel's responses ---- */

/* {"name":OBJECT,"signature":"HEX"} without white space, as the service sends it: what is between is
 * what was signed. */
static enum cs_err add_response(struct attest_signed_json *to, struct cs_bytes text,
				const char *head, struct cs_arena *arena, struct cs_why *why)
{
	static const char middle[] = ",\"signature\":\"", tail[] = "\"}";
	const size_t behind = sizeof middle - 1 + 2 * SIGNATURE_SIZE + sizeof tail - 1;
	struct cs_bytes signature;
	if (text.n < strlen(head) + behind)
		return cs_fail(why, CS_ERR_TRUNCATED, "a response that is too short");
	const uint8_t *end = text.p + text.n, *at = end - behind;
	if (memcmp(at, middle, sizeof middle - 1) != 0 ||
	    memcmp(end - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "no signature at the end of the response");
	const enum cs_err err = unhex(
		&signature, cs_bytes(at + sizeof middle - 1, (size_t)2 * SIGNATURE_SIZE), arena);
	if (err != CS_OK)
		return cs_fail(why, err, "the response's signature");
	const uint8_t *json = text.p + strlen(head);
	return add_signed(to, cs_bytes(json, (size_t)(at - json)), signature, why);
}

/* ---- bundles ---- */

/* Hex of DER, or PEM. */
static enum cs_err add_bundled(struct attest_collateral *bag, const struct cs_json *bundle,
			       const char *key, struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes text, der;
	struct cs_why inner = {""};
	enum cs_err err;
	if (cs_json_find(bundle, key) == NULL)
		return CS_OK;
	CS_TRY(cs_json_member_string(&text, bundle, key, ATTEST_COLLATERAL_SIZE_MAX, why));
	if (pem_is_there(text)) {
		err = add_pem(bag, text, arena, &inner);
	} else {
		err = unhex(&der, text, arena);
		if (err == CS_OK)
			err = add_der(bag, der, &inner);
	}
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s: %.150s", key, inner.text);
}

static enum cs_err add_bundled_json(struct attest_signed_json *to, const struct cs_json *bundle,
				    const char *key, const char *signature_key,
				    struct cs_arena *arena, struct cs_why *why)
{
	struct cs_bytes json, text, signature;
	if (cs_json_find(bundle, key) == NULL && cs_json_find(bundle, signature_key) == NULL)
		return CS_OK;
	CS_TRY(cs_json_member_string(&json, bundle, key, ATTEST_COLLATERAL_SIZE_MAX, why));
	CS_TRY(cs_json_member_string(&text, bundle, signature_key, 2 * SIGNATURE_SIZE, why));
	const enum cs_err err = unhex(&signature, text, arena);
	if (err != CS_OK || signature.n != SIGNATURE_SIZE)
		return cs_fail(why, err == CS_OK ? CS_ERR_INVALID : err, "%s: not 64 bytes of hex",
			       signature_key);
	return add_signed(to, json, signature, why);
}

/* Its members are for tpm_credential.h. */
static enum cs_err add_activation(struct attest_collateral *bag, struct cs_bytes text,
				  struct cs_why *why)
{
	if (bag->tpm_activation.p == NULL)
		bag->tpm_activation = text;
	return cs_bytes_eq(bag->tpm_activation, text)
		       ? CS_OK
		       : cs_fail(why, CS_ERR_DUPLICATE, "a second one, which differs");
}

static enum cs_err add_bundle(struct attest_collateral *bag, struct cs_bytes text,
			      struct cs_arena *arena, struct cs_why *why)
{
	static const char *const keys[] = {
		"tcb_info",
		"tcb_info_signature",
		"tcb_info_issuer_chain",
		"qe_identity",
		"qe_identity_signature",
		"qe_identity_issuer_chain",
		"pck_crl",
		"root_ca_crl",
		"pck_crl_issuer_chain",
		"pck_certificate_chain",
	};
	static const char *const parts[] = {"tcb_info_issuer_chain",
					    "qe_identity_issuer_chain",
					    "pck_crl_issuer_chain",
					    "pck_certificate_chain",
					    "pck_crl",
					    "root_ca_crl"};
	const struct cs_json *bundle;
	CS_TRY(cs_json_parse(&bundle, text, CS_JSON_INTEGERS, arena, why));
	if (cs_json_find(bundle, "credential_blob") != NULL)
		return add_activation(bag, text, why);
	CS_TRY(cs_json_only(bundle, keys, CS_LEN(keys), why));
	CS_TRY(add_bundled_json(&bag->tcb_info, bundle, "tcb_info", "tcb_info_signature", arena,
				why));
	CS_TRY(add_bundled_json(&bag->qe_identity, bundle, "qe_identity", "qe_identity_signature",
				arena, why));
	for (size_t i = 0; i < CS_LEN(parts); i++)
		CS_TRY(add_bundled(bag, bundle, parts[i], arena, why));
	return CS_OK;
}

/* ---- files ---- */

static bool is_hex(struct cs_bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		const uint8_t c = text.p[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return false;
	}
	return text.n > 0;
}

static enum cs_err add_file(struct attest_collateral *bag, struct cs_bytes file,
			    struct cs_arena *arena, struct cs_why *why)
{
	static const char tcb_info[] = "{\"tcbInfo\":", qe_identity[] = "{\"enclaveIdentity\":";
	const struct cs_bytes text = trim(file);
	struct cs_bytes der;
	if (begins_with(text, tcb_info))
		return add_response(&bag->tcb_info, text, tcb_info, arena, why);
	if (begins_with(text, qe_identity))
		return add_response(&bag->qe_identity, text, qe_identity, arena, why);
	if (begins_with(text, "{"))
		return add_bundle(bag, text, arena, why);
	if (is_hex(text)) {
		CS_TRY(unhex(&der, text, arena));
		return add_der(bag, der, why);
	}
	if (file.n > 0 && file.p[0] == 0x30)
		return add_der(bag, file, why);
	/* A quote has PEM inside: it is no collateral. */
	if (pem_is_there(text) && memchr(text.p, 0, text.n) == NULL)
		return add_pem(bag, text, arena, why);
	return cs_fail(why, CS_ERR_UNSUPPORTED, "no collateral that is known");
}

enum cs_err attest_collateral_add(struct attest_collateral *bag, struct cs_bytes file,
				  struct cs_arena *arena, struct cs_why *why)
{
	struct attest_collateral filled = *bag;
	if (file.n > ATTEST_COLLATERAL_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "collateral of %zu bytes", file.n);
	CS_TRY(add_file(&filled, file, arena, why));
	*bag = filled;
	return CS_OK;
}
