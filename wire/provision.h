/* The question for a program's secret (wire/cluster_ask.h, PROVISION), as whoever looked at the program asks it
 * and a worker's enclave reads it, and the form of the answer. Says nothing about whether it is true. */
#ifndef WIRE_PROVISION_H
#define WIRE_PROVISION_H

#include "core/buf.h"
#include "core/digest.h"
#include "core/x25519.h"

#define WIRE_PROVISION_NAME_SIZE_MAX 32u
/* Size of the name (1), name, epoch (8), user (4), flags (1), executable (32), container (32), box key (32). */
#define WIRE_PROVISION_ASK_SIZE_MAX (1u + WIRE_PROVISION_NAME_SIZE_MAX + 8u + 4u + 1u + 3u * 32u)
/* What is sealed: epoch (8), until (8, Unix seconds; 0: while the epoch is the current one), secret (32). */
#define WIRE_PROVISION_SECRET_SIZE (8u + 8u + 32u)

struct wire_provision_ask {
	struct cs_bytes name; /* a view */
	uint64_t epoch;       /* 0: the newest */
	uint32_t user;
	bool is_interpreter;
	bool has_container;
	struct cs_hash executable;
	struct cs_hash container; /* zero without one */
	struct cs_x25519_key box;
};

/* Appends it. TOO_LARGE (the name, the buffer). */
CS_NODISCARD enum cs_err wire_provision_ask_put(struct cs_buf *out,
						const struct wire_provision_ask *ask);
/* TRUNCATED, TRAILING, TOO_LARGE, NON_CANONICAL: other flags, a container that is none. */
CS_NODISCARD enum cs_err wire_provision_ask_take(struct wire_provision_ask *ask,
						 struct cs_bytes bytes);

/* The answer is WIRE_PROVISION_SECRET_SIZE bytes sealed by HPKE to the box, with this info and the hash of the
 * question as associated data: whoever carries it reads nothing. */
struct cs_bytes wire_provision_info(void);
struct cs_hash wire_provision_aad(struct cs_bytes question);

#endif
