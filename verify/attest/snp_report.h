/* The attestation report of AMD SEV-SNP (SEV Secure Nested Paging Firmware ABI, AMD 56860, table
 * ATTESTATION_REPORT), versions 2, 3 and 5, and the table of certificates that may follow it (GHCB
 * Standardization, AMD 56421, extended guest request). Reads the layout; believes nothing yet. */
#ifndef SNP_REPORT_H
#define SNP_REPORT_H

#include "core/bytes.h"

#define SNP_REPORT_SIZE 1184u
#define SNP_REPORT_SIGNED_SIZE 672u
#define SNP_CHIP_ID_SIZE 64u
/* r and s, 48 bytes each, big-endian: what core/nistp reads. */
#define SNP_SIGNATURE_SIZE 96u
/* Certificates after a report: AMD names five kinds; a table has room for what a host adds. */
#define SNP_TABLE_ENTRIES_MAX 16u
/* As far as Linux lets a host's table go (SEV_FW_BLOB_MAX_SIZE). */
#define SNP_TABLE_SIZE_MAX 16384u

/* The families of processors that have keys of their own. */
enum snp_product {
	SNP_MILAN,
	SNP_GENOA, /* Bergamo and Siena too: the same keys */
	SNP_TURIN,
	SNP_PRODUCT_COUNT
};

/* "Milan": as in the names of AMD's certificates. */
const char *snp_product_name(enum snp_product product);

/* Security patch levels. fmc is Turin's alone, 0 elsewhere. */
struct snp_tcb {
	uint8_t fmc;
	uint8_t boot_loader;
	uint8_t tee;
	uint8_t snp;
	uint8_t microcode;
};

/* From the 8 bytes of a report, whose order depends on the product. The bytes in between are
 * reserved and not read. */
struct snp_tcb snp_tcb_read(const uint8_t raw[8], enum snp_product product);
bool snp_tcb_eq(const struct snp_tcb *a, const struct snp_tcb *b);
/* No part of a is below that of b. */
bool snp_tcb_covers(const struct snp_tcb *a, const struct snp_tcb *b);

enum snp_signer {
	SNP_SIGNER_VCEK = 0, /* a key of this chip at this TCB */
	SNP_SIGNER_VLEK = 1, /* a key that AMD gave a cloud provider for its chips at this TCB */
};

#define SNP_POLICY_MIGRATION_AGENT ((uint64_t)1 << 18)
#define SNP_POLICY_DEBUG ((uint64_t)1 << 19)

/* Views lead into the bytes that were decoded. */
struct snp_report {
	uint32_t version; /* 2, 3, 5 */
	uint32_t guest_svn;
	uint64_t policy; /* SNP_POLICY_… */
	uint32_t vmpl;   /* 0 (most privileged) to 3 */
	uint64_t platform_info;
	enum snp_signer signer;
	bool chip_key_masked;
	bool has_author_key;
	bool has_product;         /* since version 3 */
	enum snp_product product; /* by the CPUID of the report, when has_product */
	uint8_t cpuid[3];         /* family, model, stepping; zeros in version 2 */
	uint8_t current_tcb[8];
	uint8_t reported_tcb[8]; /* what the signing key is derived from */
	uint8_t committed_tcb[8];
	uint8_t launch_tcb[8];
	uint8_t current_firmware[3];       /* major, minor, build */
	uint8_t committed_firmware[3];     /* likewise */
	uint64_t launch_mitigations;       /* since version 5; 0 before */
	uint64_t current_mitigations;      /* likewise */
	struct cs_bytes family_id;         /* 16 */
	struct cs_bytes image_id;          /* 16 */
	struct cs_bytes report_data;       /* 64 */
	struct cs_bytes measurement;       /* 48 */
	struct cs_bytes host_data;         /* 32 */
	struct cs_bytes id_key_digest;     /* 48 */
	struct cs_bytes author_key_digest; /* 48 */
	struct cs_bytes report_id;         /* 32 */
	struct cs_bytes chip_id;           /* 64; zeros when masked; Turin's has 8 and zeros */
	struct cs_bytes signed_part;       /* 672 */
	uint8_t signature[SNP_SIGNATURE_SIZE];
};

/* Exactly SNP_REPORT_SIZE bytes. TRUNCATED, TRAILING; UNSUPPORTED: another version, signature
 * algorithm (only ECDSA P-384 with SHA-384 is defined), kind of signing key or processor; MALFORMED:
 * a reserved bit is set, r or s is longer than 48 bytes, something stands after the signature. */
CS_NODISCARD enum cs_err snp_report_decode(struct snp_report *report, struct cs_bytes bytes,
					   struct cs_why *why);

enum snp_table_kind {
	SNP_TABLE_VCEK,
	SNP_TABLE_VLEK,
	SNP_TABLE_ASK, /* or ASVK: the same GUID */
	SNP_TABLE_ARK,
	SNP_TABLE_CRL,
	SNP_TABLE_KINDS,
};

/* The certificates and the list of revoked ones (DER) that came along; empty where there is none.
 * Views into the table. */
struct snp_table {
	struct cs_bytes found[SNP_TABLE_KINDS];
};

/* What follows a report; other GUIDs are passed over, nothing at all is an empty table. TRUNCATED,
 * TOO_LARGE, DUPLICATE (one kind twice), MALFORMED (an entry that leads outside or into the list). */
CS_NODISCARD enum cs_err snp_table_decode(struct snp_table *table, struct cs_bytes bytes,
					  struct cs_why *why);

#endif
