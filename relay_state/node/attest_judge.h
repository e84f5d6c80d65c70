/* What a node thinks of another node's evidence: RA-TLS in its certificate, judged by verify/attest under the
 * operator's policy. Says which process or machine made the statement about the key, at a time and for this
 * chain; never that the node's key is kept from that machine's owner (docs/ledger-node.md). */
#ifndef NODE_ATTEST_JUDGE_H
#define NODE_ATTEST_JUDGE_H

#include "core/hash.h"

/* How old evidence may be, by the reader's clock, and how far ahead the writer's may be. */
#define NODE_ATTEST_LIFE_S 3600u
#define NODE_ATTEST_AHEAD_S 60u
/* An 8 KiB quote with its claims. */
#define NODE_ATTEST_EXTENSION_SIZE_MAX (9u * 1024)
#define NODE_ATTEST_SPKI_SIZE_MAX 64u

/* What a certificate shows. */
struct node_attest_shown {
	uint8_t spki
		[NODE_ATTEST_SPKI_SIZE_MAX]; /* DER of SubjectPublicKeyInfo; its key shook hands */
	size_t spki_size;
	uint64_t issued_s;                                 /* notBefore */
	uint8_t extension[NODE_ATTEST_EXTENSION_SIZE_MAX]; /* TCG DICE's */
	size_t extension_size;                             /* 0: it carries none */
};

/* The claim "caisson-report" of a node: wire/report.h with the role ledger-node, SHA-256 of the SPKI, the time
 * of issue, and the genesis document's hash as lineage. */
struct cs_hash node_attest_report(struct cs_bytes spki, const struct cs_hash *genesis,
				  uint64_t issued_s);

struct node_judge;

struct node_judge_options {
	const char *policy_file; /* docs/attestation.md's JSON; must list measurements */
	const char *collateral;  /* a folder; NULL: none */
	const char *roots;       /* a folder of certificates of TPM makers; NULL: none */
	const struct cs_hash *genesis_hash;
};

struct node_verdict {
	bool is_admitted;
	bool is_insecure; /* only by an insecure_accept_… of the policy */
	const char *kind; /* "tdx"; static */
	char check[40];   /* that failed first: "policy-measurements"; empty: none */
	char detail[200]; /* its sentence */
	char label[64];   /* of the build that matched */
};

/* INVALID: the policy lists no measurements, or a folder is none; IO, and the errors of attest_policy_parse and
 * attest_collateral_add. Texts are the caller's as long as the judge lives. */
CS_NODISCARD enum cs_err node_judge_new(struct node_judge **judge,
					const struct node_judge_options *options,
					struct cs_why *why);
/* Policy accepts what is no evidence of hardware: insecure_accept_… is in it. */
bool node_judge_is_insecure(const struct node_judge *judge);
/* Collateral and roots anew: both run out. On failure what was there stays. */
CS_NODISCARD enum cs_err node_judge_reload(struct node_judge *judge, struct cs_why *why);
/* Always has an answer. Milliseconds of signatures. */
void node_judge_peer(struct node_judge *judge, struct node_verdict *verdict,
		     const struct node_attest_shown *shown, uint64_t now_s);
/* NULL is allowed. */
void node_judge_free(struct node_judge *judge);

#endif
