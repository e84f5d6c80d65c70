/* The endorsement keys of TCG's EK Credential Profile 2.5, and the TPM's side of a credential's activation
 * (TPM2_ActivateCredential; TPM Library 1.59, part 3, 12.5). An operator's tool, in the one program that has a TPM's
 * library: it runs beside the enclave, with the same attestation key, and holds no secret of anybody's. */
#include "core/base64.h"
#include "core/json.h"
#include "enclave/tpm/tpm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

#define NONE ESYS_TR_NONE
/* What every TPM gives at once. */
#define READ_SIZE 512u
/* A challenge in JSON: an RSA-3072 secret in hex and some. */
#define CHALLENGE_SIZE_MAX 4096u
#define ARENA_SIZE (64u * 1024)
/* SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING { 0x04 } }, before x and y. */
static const uint8_t spki_p256[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
				    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
				    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

/* ---- templates ---- */

/* PolicyA with SHA-256: the endorsement hierarchy's authorization. */
#define POLICY_A                                                                                \
	{                                                                                       \
		0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46,   \
			0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, \
			0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa                                \
	}
/* PolicyB with SHA-384: that, or what an NV index says; only duplication and the like need it. */
#define POLICY_B                                                                                \
	{                                                                                       \
		0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5,   \
			0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, \
			0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09, 0x69, \
			0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12        \
	}
#define STORAGE                                                                             \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
	 TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define AES(bits)                                                                          \
	{                                                                                  \
		.algorithm = TPM2_ALG_AES, .keyBits.aes = (bits), .mode.aes = TPM2_ALG_CFB \
	}

static const struct template
{
	const char *kind;
	TPMI_RH_NV_INDEX certificate; /* where the maker put it */
	bool by_policy;               /* used by PolicyA, else by its (empty) authorization */
	TPM2B_PUBLIC public;
}
templates[] = {
	/* H-3 */
	{"p384",
	 0x01c00016,
	 false,
	 {.publicArea = {.type = TPM2_ALG_ECC,
			 .nameAlg = TPM2_ALG_SHA384,
			 .objectAttributes = STORAGE | TPMA_OBJECT_USERWITHAUTH,
			 .authPolicy = {48, POLICY_B},
			 .parameters.eccDetail = {.symmetric = AES(256),
						  .scheme.scheme = TPM2_ALG_NULL,
						  .curveID = TPM2_ECC_NIST_P384,
						  .kdf.scheme = TPM2_ALG_NULL}}}},
	/* L-2 */
	{"p256",
	 0x01c0000a,
	 true,
	 {.publicArea = {.type = TPM2_ALG_ECC,
			 .nameAlg = TPM2_ALG_SHA256,
			 .objectAttributes = STORAGE,
			 .authPolicy = {32, POLICY_A},
			 .parameters.eccDetail = {.symmetric = AES(128),
						  .scheme.scheme = TPM2_ALG_NULL,
						  .curveID = TPM2_ECC_NIST_P256,
						  .kdf.scheme = TPM2_ALG_NULL},
			 .unique.ecc = {.x.size = 32, .y.size = 32}}}},
	/* H-6 */
	{"rsa3072",
	 0x01c0001c,
	 false,
	 {.publicArea = {.type = TPM2_ALG_RSA,
			 .nameAlg = TPM2_ALG_SHA384,
			 .objectAttributes = STORAGE | TPMA_OBJECT_USERWITHAUTH,
			 .authPolicy = {48, POLICY_B},
			 .parameters.rsaDetail = {.symmetric = AES(256),
						  .scheme.scheme = TPM2_ALG_NULL,
						  .keyBits = 3072}}}},
	/* L-1 */
	{"rsa2048",
	 0x01c00002,
	 true,
	 {.publicArea = {.type = TPM2_ALG_RSA,
			 .nameAlg = TPM2_ALG_SHA256,
			 .objectAttributes = STORAGE,
			 .authPolicy = {32, POLICY_A},
			 .parameters.rsaDetail = {.symmetric = AES(128),
						  .scheme.scheme = TPM2_ALG_NULL,
						  .keyBits = 2048},
			 .unique.rsa.size = 256}}},
};

static const struct template *find(struct cs_bytes kind)
{
	for (size_t i = 0; i < CS_LEN(templates); i++)
		if (cs_bytes_eq(kind, cs_bytes_str(templates[i].kind)))
			return &templates[i];
	return NULL;
}

/* ---- the maker's certificate ---- */

/* Of DER: what its head says; 0: no certificate. An index may be longer than what is in it. */
static size_t der_size(const uint8_t *p, size_t n)
{
	if (n < 4 || p[0] != 0x30 || p[1] != 0x82)
		return 0;
	const size_t size = 4 + ((size_t)p[2] << 8 | p[3]);
	return size <= n ? size : 0;
}

static enum cs_err read_index(uint8_t *out, size_t *size, struct tpm *tpm, ESYS_TR index,
			      struct cs_why *why)
{
	TPM2B_NV_PUBLIC *form = NULL;
	CS_TRY(tpm_said(why, "a certificate's index",
			Esys_NV_ReadPublic(tpm->esys, index, NONE, NONE, NONE, &form, NULL)));
	const size_t all = form->nvPublic.dataSize;
	/* Makers let its owner read it; some only by the index's own (empty) authorization. */
	const ESYS_TR by = form->nvPublic.attributes & TPMA_NV_AUTHREAD ? index : ESYS_TR_RH_OWNER;
	Esys_Free(form);
	if (all > TPM_CERTIFICATE_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "a certificate of %zu bytes", all);
	for (size_t at = 0; at < all;) {
		TPM2B_MAX_NV_BUFFER *piece = NULL;
		const size_t left = all - at, n = left < READ_SIZE ? left : READ_SIZE;
		CS_TRY(tpm_said(why, "reading a certificate",
				Esys_NV_Read(tpm->esys, by, index, ESYS_TR_PASSWORD, NONE, NONE,
					     (UINT16)n, (UINT16)at, &piece)));
		const bool whole = piece->size == n;
		memcpy(out + at, piece->buffer, whole ? n : 0);
		Esys_Free(piece);
		if (!whole)
			return cs_fail(why, CS_ERR_TRUNCATED, "the TPM gave less than it has");
		at += n;
	}
	*size = der_size(out, all);
	return *size != 0 ? CS_OK
			  : cs_fail(why, CS_ERR_MALFORMED, "the index holds no certificate");
}

/* NOT_FOUND: its maker put none there. */
static enum cs_err read_certificate(struct tpm *tpm, const struct template *template,
				    struct cs_why *why)
{
	ESYS_TR index;
	const TSS2_RC rc =
		Esys_TR_FromTPMPublic(tpm->esys, template->certificate, NONE, NONE, NONE, &index);
	if (rc == (TPM2_RC_HANDLE | TPM2_RC_1) || rc == TPM2_RC_HANDLE)
		return cs_fail(why, CS_ERR_NOT_FOUND,
			       "the TPM has no certificate of an endorsement key %s (index %08x): "
			       "name the file that its maker gives",
			       template->kind, (unsigned)template->certificate);
	CS_TRY(tpm_said(why, "looking for a certificate", rc));
	const enum cs_err err =
		read_index(tpm->certificate, &tpm->certificate_size, tpm, index, why);
	(void)Esys_TR_Close(tpm->esys, &index);
	return err;
}

static enum cs_err find_certificate(const struct template **found, struct tpm *tpm,
				    const char *kind, struct cs_why *why)
{
	enum cs_err err = CS_ERR_NOT_FOUND;
	*found = kind == NULL ? NULL : find(cs_bytes_str(kind));
	if (*found != NULL)
		return read_certificate(tpm, *found, why);
	if (kind != NULL)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "%s: p384, p256, rsa3072 or rsa2048", kind);
	for (size_t i = 0; i < CS_LEN(templates) && err == CS_ERR_NOT_FOUND; i++) {
		*found = &templates[i];
		err = read_certificate(tpm, &templates[i], why);
	}
	return err == CS_ERR_NOT_FOUND
		       ? cs_fail(why, err, "the TPM has no certificate of an endorsement key")
		       : err;
}

/* ---- what the admitting side gets ---- */

enum cs_err tpm_endorse_request(struct cs_buf *out, struct tpm *tpm, const char *kind,
				const char *certificate, struct cs_why *why)
{
	uint8_t area[1024], spki[sizeof spki_p256 + 64];
	const struct template *template;
	const TPMT_PUBLIC *ak = &tpm->ak_public->publicArea;
	size_t area_size = 0;
	if (certificate == NULL) {
		CS_TRY(find_certificate(&template, tpm, kind, why));
	} else {
		template = find(cs_bytes_str(kind));
		if (template == NULL)
			return cs_fail(why, CS_ERR_UNSUPPORTED,
				       "%s: p384, p256, rsa3072 or rsa2048", kind);
		CS_TRY(tpm_certificate_load(tpm, certificate, why));
		if (tpm->certificate_size == 0)
			return cs_fail(why, CS_ERR_IO, "%s cannot be read", certificate);
	}
	CS_TRY(tpm_said(why, "the attestation key",
			Tss2_MU_TPMT_PUBLIC_Marshal(ak, area, sizeof area, &area_size)));
	cs_assert(ak->unique.ecc.x.size == 32 && ak->unique.ecc.y.size == 32);
	memcpy(spki, spki_p256, sizeof spki_p256);
	memcpy(spki + sizeof spki_p256, ak->unique.ecc.x.buffer, 32);
	memcpy(spki + sizeof spki_p256 + 32, ak->unique.ecc.y.buffer, 32);
	cs_put_text(out, "{");
	tpm_put_base64(out, "ak_public", spki, sizeof spki);
	cs_put_text(out, ",");
	tpm_put_base64(out, "ak_area", area, area_size);
	cs_put_text(out, ",\"ek\":\"%s\",", template->kind);
	tpm_put_base64(out, "ek_certificate", tpm->certificate, tpm->certificate_size);
	cs_put_text(out, "}\n");
	return cs_buf_end(out);
}

/* ---- the answer ---- */

struct challenge {
	const struct template *template;
	TPM2B_ID_OBJECT credential;
	TPM2B_ENCRYPTED_SECRET secret;
};

static enum cs_err unhex(uint8_t *out, size_t *size, const struct cs_json *json, const char *name,
			 struct cs_why *why)
{
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, name, 2 * *size, why));
	*size = text.n / 2;
	return cs_unhex(out, *size, text) == CS_OK
		       ? CS_OK
		       : cs_fail(why, CS_ERR_MALFORMED, "%s is not hex", name);
}

static enum cs_err challenge_read(struct challenge *challenge, struct cs_bytes text,
				  struct cs_why *why)
{
	static const char *const members[] = {"credential_blob", "ek", "encrypted_secret"};
	static uint8_t memory[ARENA_SIZE];
	uint8_t blob[sizeof(TPM2B_ID_OBJECT)], secret[sizeof(TPM2B_ENCRYPTED_SECRET)];
	size_t blob_size = sizeof blob, secret_size = sizeof secret, at = 0, end = 0;
	struct cs_arena arena;
	struct cs_bytes kind;
	const struct cs_json *json;
	cs_arena_init(&arena, memory, sizeof memory);
	CS_TRY(cs_json_parse(&json, text, CS_JSON_INTEGERS, &arena, why));
	CS_TRY(cs_json_only(json, members, CS_LEN(members), why));
	CS_TRY(cs_json_member_string(&kind, json, "ek", 16, why));
	CS_TRY(unhex(blob, &blob_size, json, "credential_blob", why));
	CS_TRY(unhex(secret, &secret_size, json, "encrypted_secret", why));
	*challenge = (struct challenge){.template = find(kind)};
	if (challenge->template == NULL)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "ek: no template that is known");
	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob, blob_size, &at, &challenge->credential) != 0 ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(secret, secret_size, &end,
						     &challenge->secret) != 0 ||
	    at != blob_size || end != secret_size)
		return cs_fail(why, CS_ERR_MALFORMED, "no challenge of a TPM");
	return CS_OK;
}

/* PolicyA: whoever has the endorsement hierarchy's authorization, which is empty unless somebody took it. */
static enum cs_err policy_a(ESYS_TR *session, struct tpm *tpm, struct cs_why *why)
{
	static const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
	CS_TRY(tpm_said(why, "a session",
			Esys_StartAuthSession(tpm->esys, NONE, NONE, NONE, NONE, NONE, NULL,
					      TPM2_SE_POLICY, &none, TPM2_ALG_SHA256, session)));
	const enum cs_err err = tpm_said(why, "the endorsement hierarchy's authorization",
					 Esys_PolicySecret(tpm->esys, ESYS_TR_RH_ENDORSEMENT,
							   *session, ESYS_TR_PASSWORD, NONE, NONE,
							   NULL, NULL, NULL, 0, NULL, NULL));
	if (err != CS_OK)
		(void)Esys_FlushContext(tpm->esys, *session);
	return err;
}

static enum cs_err activate(TPM2B_DIGEST *out, struct tpm *tpm, ESYS_TR ek,
			    const struct challenge *challenge, struct cs_why *why)
{
	ESYS_TR session = ESYS_TR_PASSWORD;
	TPM2B_DIGEST *given = NULL;
	if (challenge->template->by_policy)
		CS_TRY(policy_a(&session, tpm, why));
	const TSS2_RC rc =
		Esys_ActivateCredential(tpm->esys, tpm->ak, ek, ESYS_TR_PASSWORD, session, NONE,
					&challenge->credential, &challenge->secret, &given);
	/* A session that was used is gone; one that was refused is not. */
	if (rc != TSS2_RC_SUCCESS && session != ESYS_TR_PASSWORD)
		(void)Esys_FlushContext(tpm->esys, session);
	if (rc != TSS2_RC_SUCCESS)
		return cs_fail(why, CS_ERR_FORBIDDEN,
			       "the TPM does not open it: the challenge is for another "
			       "endorsement or attestation key, or was changed (0x%x)",
			       (unsigned)rc);
	*out = *given;
	cs_wipe(given, sizeof *given);
	Esys_Free(given);
	return CS_OK;
}

enum cs_err tpm_endorse_activate(struct cs_buf *out, struct tpm *tpm, struct cs_bytes text,
				 struct cs_why *why)
{
	static const TPM2B_SENSITIVE_CREATE nothing = {0};
	static const TPM2B_DATA outside = {0};
	static const TPML_PCR_SELECTION no_pcrs = {0};
	struct challenge challenge;
	TPM2B_DIGEST answer;
	char hex[2 * sizeof answer.buffer + 1];
	ESYS_TR ek;
	CS_TRY(challenge_read(&challenge, text, why));
	CS_TRY(tpm_said(why, "making the endorsement key",
			Esys_CreatePrimary(tpm->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
					   NONE, NONE, &nothing, &challenge.template->public,
					   &outside, &no_pcrs, &ek, NULL, NULL, NULL, NULL)));
	const enum cs_err err = activate(&answer, tpm, ek, &challenge, why);
	(void)Esys_FlushContext(tpm->esys, ek);
	CS_TRY(err);
	cs_hex(hex, cs_bytes(answer.buffer, answer.size));
	cs_put_text(out, "{\"answer\":\"%s\"}\n", hex);
	cs_wipe(hex, sizeof hex);
	cs_wipe(&answer, sizeof answer);
	return cs_buf_end(out);
}

/* ---- the command ---- */

static enum cs_err read_input(uint8_t *p, size_t *size, struct cs_why *why)
{
	size_t n = 0;
	ssize_t got;
	while (n < *size && (got = read(STDIN_FILENO, p + n, *size - n)) > 0)
		n += (size_t)got;
	if (n == *size)
		return cs_fail(why, CS_ERR_TOO_LARGE, "no challenge has %zu bytes", n);
	*size = n;
	return CS_OK;
}

static enum cs_err run(struct cs_buf *out, int argc, char **argv, struct cs_why *why)
{
	static struct tpm tpm;
	static uint8_t challenge[CHALLENGE_SIZE_MAX];
	size_t size = sizeof challenge;
	const bool activates = strcmp(argv[1], "--activate") == 0;
	if (activates)
		CS_TRY(read_input(challenge, &size, why));
	CS_TRY(tpm_attach(&tpm, argv[2], why));
	enum cs_err err = activates
				  ? tpm_endorse_activate(out, &tpm, cs_bytes(challenge, size), why)
				  : tpm_endorse_request(out, &tpm, argc > 3 ? argv[3] : NULL,
							argc > 4 ? argv[4] : NULL, why);
	(void)Esys_FlushContext(tpm.esys, tpm.ak);
	return err;
}

int tpm_endorse_main(int argc, char **argv)
{
	static uint8_t memory[4 * TPM_CERTIFICATE_SIZE_MAX];
	struct cs_why why = {{0}};
	struct cs_buf out;
	const bool right = strcmp(argv[1], "--activate") == 0
				   ? argc == 3
				   : strcmp(argv[1], "--endorse") == 0 && argc >= 3 && argc <= 5;
	if (!right) {
		(void)fputs("caisson-tpm-quoter --endorse DEVICE [p384|p256|rsa3072|rsa2048 "
			    "[EK-CERTIFICATE]]\n"
			    "caisson-tpm-quoter --activate DEVICE < challenge.json\n",
			    stderr);
		return 64;
	}
	cs_buf_init(&out, memory, sizeof memory);
	const enum cs_err err = run(&out, argc, argv, &why);
	if (err != CS_OK) {
		(void)fprintf(stderr, "caisson-tpm-quoter: %s: %s\n", cs_err_name(err), why.text);
		return 1;
	}
	const bool written = write(STDOUT_FILENO, out.p, out.n) == (ssize_t)out.n;
	cs_wipe(memory, sizeof memory);
	return written ? 0 : 1;
}
