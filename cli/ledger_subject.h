/* What administrators of a ledger's register of enclaves approve, as the command line has it: an enclave's
 * registration, a manifest, or a policy for evidence. Reads it from files, says what is signed, and makes
 * the call that brings it. */
#ifndef CLI_LEDGER_SUBJECT_H
#define CLI_LEDGER_SUBJECT_H

#include "cli/cli.h"
#include "core/arena.h"
#include "relay_state/ledger/enclaves.h"

enum ledger_subject_kind {
	LEDGER_SUBJECT_ENCLAVE,  /* FILE */
	LEDGER_SUBJECT_MANIFEST, /* --manifest-hash */
	LEDGER_SUBJECT_POLICY,   /* --policy */
};

struct ledger_subject {
	enum ledger_subject_kind kind;
	struct ledger_registration enclave; /* without its evidence */
	struct cs_hash schema;              /* what report data binds beside it */
	uint64_t insecure_flags;
	struct cs_hash lineage; /* of a manifest */
	uint64_t manifest_number;
	struct cs_hash manifest_hash;
	struct ledger_policy policy;
	struct cs_arena *arena; /* of what it points to */
};

/* From the arguments; what is wrong is printed. */
enum cli_exit ledger_subject_read(struct ledger_subject *out, struct cli *cli,
				  struct cs_arena *arena);
/* What is signed; of an enclave with evidence what it is asked with as a nonce. */
struct cs_hash ledger_subject_digest(const struct ledger_subject *subject,
				     const struct cs_hash *own);

struct ledger_approval {
	uint8_t administrator;
	struct cs_hash rx;
	struct cs_hash s;
};
/* The calldata that brings it, with approvals in ascending order. */
void ledger_subject_encode(struct cs_buf *buf, const struct ledger_subject *subject,
			   const struct ledger_approval *approvals, size_t count);

#endif
