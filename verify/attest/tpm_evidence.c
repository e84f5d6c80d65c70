#include "verify/attest/tpm_evidence.h"

#include "core/base64.h"
#include "core/json.h"

#include <string.h>

/* How a shape writes bytes. */
enum form {
	HEX,
	BASE64,
	BASE64_URL,
};

/* An HCL report has 2600 bytes, a certificate less, a TD's quote 5006 with the zeros that Azure adds. */
#define BYTES_SIZE_MAX 16384u

static enum cs_err from_numbers(struct cs_bytes *out, const struct cs_json *json, const char *key,
				struct cs_arena *arena, struct cs_why *why)
{
	uint8_t *p = cs_arena_alloc(arena, json->count + 1);
	size_t n = 0;
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	for (const struct cs_json *at = json->child; at != NULL; at = at->next) {
		uint64_t value;
		if (at->type != CS_JSON_NUMBER || cs_json_u64(&value, at) != CS_OK || value > 255)
			return cs_fail(why, CS_ERR_MALFORMED, "%s is no array of bytes", key);
		p[n++] = (uint8_t)value;
	}
	*out = cs_bytes(p, n);
	return CS_OK;
}

/* Azure's tools pad, JSON Web Keys do not. */
static struct cs_bytes without_padding(struct cs_bytes text)
{
	size_t n = text.n;
	if (n == 0 || n % 4 != 0)
		return text;
	for (size_t i = 0; i < 2 && text.p[n - 1] == '='; i++)
		n--;
	return cs_bytes(text.p, n);
}

static enum cs_err from_text(struct cs_bytes *out, struct cs_bytes text, enum form form,
			     const char *key, struct cs_arena *arena, struct cs_why *why)
{
	uint8_t *p = cs_arena_alloc(arena, CS_UNBASE64_SIZE(text.n));
	size_t n = text.n / 2;
	enum cs_err err;
	if (form == BASE64_URL)
		text = without_padding(text);
	if (p == NULL)
		return CS_ERR_NO_MEMORY;
	if (form == HEX)
		err = cs_unhex(p, n, text);
	else
		err = cs_unbase64(p, &n, text, form == BASE64 ? CS_BASE64 : CS_BASE64_URL);
	if (err != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is not %s", key,
			       form == HEX ? "hex" : "base64 in its canonical form");
	*out = cs_bytes(p, n);
	return CS_OK;
}

static enum cs_err read_bytes(struct cs_bytes *out, const struct cs_json *json, enum form form,
			      const char *key, struct cs_arena *arena, struct cs_why *why)
{
	if (json->count > BYTES_SIZE_MAX || json->text.n > 2 * (size_t)BYTES_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%s is too long", key);
	if (json->type == CS_JSON_ARRAY)
		return from_numbers(out, json, key, arena, why);
	if (json->type == CS_JSON_STRING)
		return from_text(out, json->text, form, key, arena, why);
	return cs_fail(why, CS_ERR_MALFORMED, "%s is neither text nor an array", key);
}

static enum cs_err member(struct cs_bytes *out, const struct cs_json *json, const char *key,
			  enum form form, struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *found = cs_json_find(json, key);
	if (found == NULL)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "%s", key);
	return read_bytes(out, found, form, key, arena, why);
}

static enum cs_err optional(struct cs_bytes *out, const struct cs_json *json, const char *key,
			    enum form form, struct cs_arena *arena, struct cs_why *why)
{
	return cs_json_find(json, key) == NULL ? CS_OK : member(out, json, key, form, arena, why);
}

static enum cs_err read_quote(struct tpm_evidence *evidence, const struct cs_json *json,
			      const char *key, enum form form, struct cs_arena *arena,
			      struct cs_why *why)
{
	static const char *const keys[] = {"message", "signature", "pcrs"};
	const struct cs_json *quote, *pcrs;
	size_t i = 0;
	CS_TRY(cs_json_member(&quote, json, key, CS_JSON_OBJECT, why));
	CS_TRY(cs_json_only(quote, keys, CS_LEN(keys), why));
	CS_TRY(member(&evidence->message, quote, "message", form, arena, why));
	CS_TRY(member(&evidence->signature, quote, "signature", form, arena, why));
	CS_TRY(cs_json_member(&pcrs, quote, "pcrs", CS_JSON_ARRAY, why));
	if (pcrs->count != TPM_PCR_COUNT)
		return cs_fail(why, CS_ERR_MALFORMED, "%zu PCRs, not %u", pcrs->count,
			       TPM_PCR_COUNT);
	for (const struct cs_json *at = pcrs->child; at != NULL; at = at->next, i++) {
		CS_TRY(read_bytes(&evidence->pcrs[i], at, HEX, "a PCR", arena, why));
		if (evidence->pcrs[i].n != evidence->pcrs[0].n)
			return cs_fail(why, CS_ERR_MALFORMED, "PCRs of different sizes");
	}
	return CS_OK;
}

static enum cs_err read_plain(struct tpm_evidence *evidence, const struct cs_json *json,
			      struct cs_arena *arena, struct cs_why *why)
{
	static const char *const keys[] = {"ak_public", "ak_area", "ak_certificate",
					   "ek_certificate", "tpm_quote"};
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), why));
	evidence->shape = TPM_PLAIN;
	CS_TRY(optional(&evidence->ak_public, json, "ak_public", BASE64, arena, why));
	CS_TRY(optional(&evidence->ak_area, json, "ak_area", BASE64, arena, why));
	CS_TRY(optional(&evidence->ak_certificate, json, "ak_certificate", BASE64, arena, why));
	CS_TRY(optional(&evidence->ek_certificate, json, "ek_certificate", BASE64, arena, why));
	return read_quote(evidence, json, "tpm_quote", BASE64, arena, why);
}

static enum cs_err check_version(const struct cs_json *json, struct cs_why *why)
{
	uint64_t version;
	if (cs_json_find(json, "version") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member_u64(&version, json, "version", UINT32_MAX, why));
	return version == 1 ? CS_OK
			    : cs_fail(why, CS_ERR_UNSUPPORTED, "evidence of version %llu",
				      (unsigned long long)version);
}

static enum cs_err read_azure_snp(struct tpm_evidence *evidence, const struct cs_json *json,
				  struct cs_arena *arena, struct cs_why *why)
{
	static const char *const old[] = {"quote", "report", "vcek"};
	static const char *const new[] = {"version", "tpm_quote", "hcl_report", "vcek"};
	bool is_new = cs_json_find(json, "version") != NULL;
	evidence->shape = TPM_AZURE_SNP;
	CS_TRY(check_version(json, why));
	CS_TRY(cs_json_only(json, is_new ? new : old, is_new ? CS_LEN(new) : CS_LEN(old), why));
	CS_TRY(member(&evidence->hcl_report, json, is_new ? "hcl_report" : "report", BASE64_URL,
		      arena, why));
	if (is_new)
		CS_TRY(member(&evidence->vcek, json, "vcek", BASE64_URL, arena, why));
	else
		CS_TRY(cs_json_member_string(&evidence->vcek, json, "vcek", BYTES_SIZE_MAX, why));
	return read_quote(evidence, json, is_new ? "tpm_quote" : "quote", HEX, arena, why);
}

static enum cs_err read_azure_tdx(struct tpm_evidence *evidence, const struct cs_json *json,
				  struct cs_arena *arena, struct cs_why *why)
{
	static const char *const keys[] = {"version", "tpm_quote", "hcl_report", "td_quote"};
	evidence->shape = TPM_AZURE_TDX;
	CS_TRY(check_version(json, why));
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), why));
	CS_TRY(member(&evidence->hcl_report, json, "hcl_report", BASE64_URL, arena, why));
	CS_TRY(member(&evidence->td_quote, json, "td_quote", BASE64_URL, arena, why));
	return read_quote(evidence, json, "tpm_quote", HEX, arena, why);
}

enum cs_err tpm_evidence_decode(struct tpm_evidence *out, struct cs_bytes text,
				struct cs_arena *arena, struct cs_why *why)
{
	struct tpm_evidence evidence = {0};
	const struct cs_json *json;
	CS_TRY(cs_json_parse(&json, text, CS_JSON_INTEGERS, arena, why));
	if (cs_json_find(json, "vcek") != NULL)
		CS_TRY(read_azure_snp(&evidence, json, arena, why));
	else if (cs_json_find(json, "td_quote") != NULL)
		CS_TRY(read_azure_tdx(&evidence, json, arena, why));
	else
		CS_TRY(read_plain(&evidence, json, arena, why));
	*out = evidence;
	return CS_OK;
}

/* ---- Azure's paravisor ---- */

#define HCL_HARDWARE_AT 32u
#define HCL_HARDWARE_SIZE 1184u
#define HCL_RUNTIME_AT (HCL_HARDWARE_AT + HCL_HARDWARE_SIZE)
#define HCL_CLAIMS_AT (HCL_RUNTIME_AT + 20u)
#define HCL_SNP 2u
#define HCL_TDX 4u
#define HCL_SHA256 1u
#define HCL_VERSION_MAX 2u

static uint32_t le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum cs_err tpm_hcl_decode(struct tpm_hcl *out, struct cs_bytes bytes, struct cs_why *why)
{
	const uint8_t *p = bytes.p, *runtime = p + HCL_RUNTIME_AT;
	if (bytes.n < HCL_CLAIMS_AT)
		return cs_fail(why, CS_ERR_TRUNCATED, "an HCL report of %zu bytes", bytes.n);
	if (memcmp(p, "HCLA", 4) != 0)
		return cs_fail(why, CS_ERR_MALFORMED, "an HCL report begins with HCLA");
	uint32_t version = le32(p + 4), kind = le32(runtime + 8), hash = le32(runtime + 12);
	if (version == 0 || version > HCL_VERSION_MAX)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "HCL report of version %u", version);
	if (kind != HCL_SNP && kind != HCL_TDX)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "HCL report of kind %u", kind);
	if (hash != HCL_SHA256)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "HCL report with hash %u, not SHA-256",
			       hash);
	size_t size = le32(runtime + 16), left = bytes.n - HCL_CLAIMS_AT;
	if (size > left)
		return cs_fail(why, CS_ERR_TRUNCATED, "%zu bytes of claims, %zu left", size, left);
	if (le32(runtime) != size + (HCL_CLAIMS_AT - HCL_RUNTIME_AT))
		return cs_fail(why, CS_ERR_MALFORMED, "sizes of the HCL report contradict");
	for (size_t i = HCL_CLAIMS_AT + size; i < bytes.n; i++)
		if (p[i] != 0)
			return cs_fail(why, CS_ERR_TRAILING, "bytes after the claims");
	*out = (struct tpm_hcl){.tdx = kind == HCL_TDX,
				.hardware = cs_bytes(p + HCL_HARDWARE_AT, HCL_HARDWARE_SIZE),
				.claims = cs_bytes(p + HCL_CLAIMS_AT, size)};
	return CS_OK;
}

static bool text_is(const struct cs_json *json, const char *key, const char *text)
{
	const struct cs_json *found = cs_json_find(json, key);
	return found != NULL && found->type == CS_JSON_STRING &&
	       cs_bytes_eq(found->text, cs_bytes_str(text));
}

enum cs_err tpm_hcl_key(struct cs_bytes *modulus, struct cs_bytes *exponent, struct cs_bytes claims,
			struct cs_arena *arena, struct cs_why *why)
{
	const struct cs_json *json, *keys, *found = NULL;
	struct cs_bytes n, e;
	enum cs_err err = cs_json_parse(&json, claims, CS_JSON_INTEGERS, arena, why);
	if (err != CS_OK)
		return err == CS_ERR_NO_MEMORY ? err : CS_ERR_MALFORMED;
	if (cs_json_member(&keys, json, "keys", CS_JSON_ARRAY, why) != CS_OK)
		return CS_ERR_MALFORMED;
	for (const struct cs_json *at = keys->child; at != NULL; at = at->next) {
		if (!text_is(at, "kid", "HCLAkPub"))
			continue;
		if (found != NULL)
			return cs_fail(why, CS_ERR_MALFORMED, "two keys HCLAkPub");
		found = at;
	}
	if (found == NULL || !text_is(found, "kty", "RSA"))
		return cs_fail(why, CS_ERR_MALFORMED, "no RSA key HCLAkPub");
	err = member(&n, found, "n", BASE64_URL, arena, why);
	if (err == CS_OK)
		err = member(&e, found, "e", BASE64_URL, arena, why);
	if (err != CS_OK)
		return err == CS_ERR_NO_MEMORY ? err : CS_ERR_MALFORMED;
	*modulus = n;
	*exponent = e;
	return CS_OK;
}

/* ---- transcripts ---- */

enum cs_err tpm_transcript_decode(struct tpm_transcript *out, struct cs_bytes text,
				  struct cs_arena *arena, struct cs_why *why)
{
	static const char *const keys[] = {
		"credential_blob", "encrypted_secret", "secret", "seed", "padding", "answer"};
	struct cs_bytes values[CS_LEN(keys)];
	const struct cs_json *json;
	CS_TRY(cs_json_parse(&json, text, CS_JSON_INTEGERS, arena, why));
	CS_TRY(cs_json_only(json, keys, CS_LEN(keys), why));
	for (size_t i = 0; i < CS_LEN(keys); i++)
		CS_TRY(member(&values[i], json, keys[i], HEX, arena, why));
	*out = (struct tpm_transcript){values[0], values[1], values[2],
				       values[3], values[4], values[5]};
	return CS_OK;
}
