/* An oracle's enclave in memory, beside the chain of world.h: the service of caisson-oracle-enclave
 * whose sources a test plays. The four functions of enclave/fetch/fetch.h that the service calls are
 * here, and connect nothing. */
#ifndef TESTS_UNIT_ENCLAVE_ORACLE_H
#define TESTS_UNIT_ENCLAVE_ORACLE_H

#include "enclave/oracle/service.h"
#include "enclave/quorum.h"
#include "world.h"

/* What fetch takes at a time. */
#define ORACLE_PLAYED_MAX FETCH_TRANSFERS_MAX
#define ORACLE_TARGET_SIZE_MAX 512u

struct oracle_played {
	uint64_t id;
	void *context;
	bool feed;
	char target[ORACLE_TARGET_SIZE_MAX + 1]; /* the beginning of it */
};

/* A provider that was asked and did not answer, and what it answered. */
struct oracle_asked {
	uint64_t id;
	void *context;
	char host[MANIFEST_HOST_SIZE_MAX + 1];
	bool cancelled;
	bool replied; /* and its reply waits to be taken */
	bool done;    /* it was */
	struct fetch_reply reply;
};
#define ORACLE_PROVIDERS 3u

struct oracle_world {
	struct world *w;
	struct service service;
	struct quorum quorum; /* of oracle_world_with_providers */
	size_t asked_count;   /* of the newest round */
	struct oracle_asked asked[ORACLE_PROVIDERS];
	bool shut;               /* providers cannot be asked: no memory */
	struct cs_hash requests; /* identities of its two contracts */
	struct cs_hash feeds;
	struct cs_address requests_address;
	struct cs_hash box; /* X25519 */
	/* Asked of sources and not answered, in the order in which they were asked. */
	size_t played_count;
	struct oracle_played played[ORACLE_PLAYED_MAX];
	/* Of sources, in the order in which they came; the first of them were taken, and those that
	 * were released have id 0. */
	struct fetch_reply replies[ORACLE_PLAYED_MAX];
	size_t reply_count;
	size_t taken_count;
	uint64_t later_ms; /* how far fetch_now_ms goes ahead */
	uint64_t ends_s;   /* of what sources answer from now on: fetch_reply.ends_s */
};

/* Keys are made, the client of the chain is created. One at a time. */
struct oracle_world *oracle_world_new(void);
/* The same on a chain of the mode rpc_quorum, two of three, each asked under its own host p0.example …,
 * with a quorum whose client is another than the service's. */
struct oracle_world *oracle_world_with_providers(void);
void oracle_world_free(struct oracle_world *o);

/* The answer of a source that was asked: its row is gone from `played`; taken in the next turn. */
void oracle_played_reply(struct oracle_world *o, size_t index, enum wire_oracle_code code,
			 struct cs_bytes body);
/* And the service had its turn. */
void oracle_played_answer(struct oracle_world *o, size_t index, enum wire_oracle_code code,
			  struct cs_bytes body);

/* From now on the enclave's time is a ledger's, and all that its anchor needs was proven. */
void oracle_by_ledger(struct oracle_world *o);
/* A nonce that was made now is answered: it is up to this time. */
void oracle_time_answered(struct oracle_world *o, uint64_t asked_by_s);

/* What a provider of the newest round answers; taken in the next turn of the quorum. */
void oracle_provider_replies(struct oracle_world *o, size_t index, const struct fetch_reply *reply);

/* A block with one log OracleRequested of the id; final afterwards where depth makes it so. */
const struct world_block *oracle_emit(struct oracle_world *o, const struct cs_hash *request_id);
/* The plaintext of section 7 of docs/protocol/oracle.md with one value named "key", sealed.
 * arguments: their hash; NULL: the box does not name them. */
struct cs_bytes oracle_seal(const struct oracle_world *o, const struct cs_hash *asker,
			    struct cs_bytes spec, const char *value,
			    const struct cs_hash *arguments);

/* Is what the service says of a request as it must be? Roots are those of the leaves that the rows
 * make, signatures are the oracle's, values and codes belong together. Aborts where it is not. */
void oracle_check(const struct oracle_world *o, enum wire_type type,
		  const Caisson__Wire__OracleReply *reply);

#endif
