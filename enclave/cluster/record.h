/* How far a key server was, in a place that its host cannot put back: a record that a TPM keeps and that only
 * this process can write (enclave/tee_quoter.h). Written when the state that goes with it is kept and before
 * anything that rests on it leaves; held against the state at a start. */
#ifndef CLUSTER_RECORD_H
#define CLUSTER_RECORD_H

#include "verify/cluster/key_server.h"

/* Id ‖ manifest number ‖ epoch ‖ authority. */
#define RECORD_SIZE (32u + 8u + 8u + 32u)

/* Where it is kept. */
struct record_keeper {
	void *context;
	/* NOT_FOUND: there is none. Others: it cannot be said. read NULL: there is no keeper. */
	enum cs_err (*read)(void *context, uint8_t out[RECORD_SIZE], struct cs_why *why);
	enum cs_err (*write)(void *context, const uint8_t in[RECORD_SIZE], struct cs_why *why);
};

struct record {
	const struct record_keeper *keeper; /* NULL: no anchor is kept */
	/* Drawn when the record was made and sealed with every state: where somebody had it made anew, the
	 * states of before are not of this one. Zero: there is none. */
	struct cs_hash id;
	struct cluster_anchor
		anchor; /* as it was written last; key_server and counter are not in it */
};

/* Reads it, or makes an empty one with this id. The keeper's errors. */
CS_NODISCARD enum cs_err record_open(struct record *record, const struct record_keeper *keeper,
				     const struct cs_secret *random, struct cs_why *why);
/* Does a sealed state belong to it? ROLLED_BACK. */
CS_NODISCARD enum cs_err record_check(const struct record *record, const struct cs_hash *sealed_id,
				      struct cs_why *why);
/* What a start is held against; NULL: no anchor is kept. */
const struct cluster_anchor *record_anchor(const struct record *record);
/* Brings it to where the key server is; does nothing where it is there. The keeper's errors: then nothing that
 * rests on the state may leave. */
CS_NODISCARD enum cs_err record_advance(struct record *record, const struct cluster_key_server *ks,
					struct cs_why *why);

#endif
