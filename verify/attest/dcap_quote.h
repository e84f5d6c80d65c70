/* The layout of Intel's quotes: version 3 (SGX), 4 and 5 (SGX, TDX 1.0, TDX 1.5), signed with ECDSA over
 * P-256. Only takes apart; believes nothing. Sources: "Intel SGX: ECDSA Quote Library Reference for DCAP"
 * (appendix A), "Intel TDX DCAP: Quote Generation Library and Quote Verification Library" (A.3, A.4). */
#ifndef ATTEST_DCAP_QUOTE_H
#define ATTEST_DCAP_QUOTE_H

#include "core/bytes.h"

enum dcap_body {
	DCAP_BODY_SGX = 1, /* as version 5 numbers them */
	DCAP_BODY_TD10 = 2,
	DCAP_BODY_TD15 = 3,
};

#define DCAP_SGX_REPORT_SIZE 384u
#define DCAP_TD10_REPORT_SIZE 584u
#define DCAP_TD15_REPORT_SIZE 648u
#define DCAP_SVNS 16u

/* Views into the quote; sizes in bytes. Numbers of a quote are little-endian. */
struct dcap_quote {
	uint16_t version;
	enum dcap_body kind;
	struct cs_bytes qe_vendor;           /* 16 */
	struct cs_bytes signed_part;         /* header to the end of the body */
	struct cs_bytes body;                /* by kind */
	struct cs_bytes signature;           /* 64: r and s, big-endian */
	struct cs_bytes attestation_key;     /* 64: x and y, big-endian */
	struct cs_bytes qe_report;           /* 384 */
	struct cs_bytes qe_report_signature; /* 64 */
	struct cs_bytes qe_auth_data;
	struct cs_bytes chain;    /* certification data of type 5: PEM, leaf first */
	struct cs_bytes trailing; /* behind the quote */
};

/* The parts of an SGX report body, of the application or of the quoting enclave. */
struct dcap_sgx_report {
	struct cs_bytes cpu_svn;     /* 16 */
	struct cs_bytes misc_select; /* 4 */
	struct cs_bytes attributes;  /* 16; bit 1 of the first byte: debug */
	struct cs_bytes mr_enclave;  /* 32 */
	struct cs_bytes mr_signer;   /* 32 */
	uint16_t isv_prod_id;
	uint16_t isv_svn;
	struct cs_bytes report_data; /* 64 */
};

/* The parts of a TD report body, 1.0 or 1.5. */
struct dcap_td_report {
	struct cs_bytes tee_tcb_svn;     /* 16 */
	struct cs_bytes mr_seam;         /* 48 */
	struct cs_bytes mr_signer_seam;  /* 48 */
	struct cs_bytes seam_attributes; /* 8 */
	struct cs_bytes td_attributes;   /* 8; the first byte: debug of any sort */
	struct cs_bytes xfam;            /* 8 */
	struct cs_bytes mr_td;           /* 48, and so on */
	struct cs_bytes mr_config_id;
	struct cs_bytes mr_owner;
	struct cs_bytes mr_owner_config;
	struct cs_bytes rtmr[4];
	struct cs_bytes report_data;   /* 64 */
	struct cs_bytes tee_tcb_svn_2; /* 16; empty in 1.0 */
	struct cs_bytes mr_service_td; /* 48; empty in 1.0 */
};

/* UNSUPPORTED: another version, key type, body or certification data than 5, or 5 within 6; TRUNCATED;
 * MALFORMED: sizes that contradict each other; TRAILING: bytes left over inside. */
CS_NODISCARD enum cs_err dcap_quote_parse(struct dcap_quote *out, struct cs_bytes bytes,
					  struct cs_why *why);
/* bytes: exactly DCAP_SGX_REPORT_SIZE. */
struct dcap_sgx_report dcap_sgx_report(struct cs_bytes bytes);
/* bytes: exactly DCAP_TD10_REPORT_SIZE or DCAP_TD15_REPORT_SIZE. */
struct dcap_td_report dcap_td_report(struct cs_bytes bytes);

#endif
