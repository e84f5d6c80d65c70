/* One query on its way: spec, arguments and secrets in, fetches of all its sources at once, one value
 * or one code out, with the evidence. Nothing of it is signed here. */
#ifndef ENCLAVE_ORACLE_LOOKUP_H
#define ENCLAVE_ORACLE_LOOKUP_H

#include "enclave/fetch/fetch.h"
#include "enclave/state.h"
#include "wire/spec.h"

#define LOOKUP_HOST_PORT_SIZE_MAX 264u

/* What all lookups share; the service owns it. */
struct lookup_world {
	struct enclave *e;
	struct fetch *fetch;
	struct verify_time now; /* of this turn of the loop */
	/* Scratch of one call: the spec's tree, and a response's. */
	struct cs_arena arena;
};
#define LOOKUP_ARENA_SIZE (9u * 1024 * 1024)

enum lookup_state {
	LOOKUP_WAITING, /* for room in fetch */
	LOOKUP_RUNNING,
	LOOKUP_DONE,
};

struct lookup;

struct lookup_source {
	struct lookup *lookup;
	enum lookup_state state;
	uint64_t fetch_id;
	struct cs_bytes pointer; /* heap */
	struct cs_bytes value;   /* heap: the ABI encoding */
	struct wire_evidence_source evidence;
	char host_port[LOOKUP_HOST_PORT_SIZE_MAX + 1];
	struct cs_why why;
};

struct lookup {
	void *owner;
	bool dry;             /* opens no secrets, keeps reasons */
	bool feed;            /* the value must be one int256 */
	struct cs_hash asker; /* a word: whose secrets these are */
	uint64_t deadline_s;
	struct cs_hash spec_hash;
	uint8_t *memory; /* heap: of spec, arguments and secrets */
	struct cs_bytes spec;
	size_t argument_count;
	struct cs_bytes arguments[WIRE_ARGUMENTS_MAX];
	struct cs_bytes secrets;
	size_t source_count;
	size_t open_count; /* sources that are not done */
	struct lookup_source sources[WIRE_SOURCES_MAX];
	/* Once open_count is 0: */
	enum wire_oracle_code code;
	struct cs_bytes value; /* a source's */
	uint64_t observed_at;
	uint64_t time_flags;
	struct cs_hash evidence_hash;
	struct cs_why why; /* of a code that no source has */
};

/* Copies the query, and judges what needs no network. The asker, the deadline and the switches are set
 * before. When open_count is 0 afterwards it is complete. NO_MEMORY. */
CS_NODISCARD enum cs_err lookup_open(struct lookup_world *world, struct lookup *lookup,
				     struct cs_bytes spec, const ProtobufCBinaryData *arguments,
				     size_t argument_count, struct cs_bytes secrets);
/* Starts as many waiting sources as there is room for in fetch; the others with a later call. An error
 * is the machine's: nothing may be signed, and the lookup is closed. */
CS_NODISCARD enum cs_err lookup_start(struct lookup_world *world, struct lookup *lookup);
/* A reply whose context is one of the sources of the lookup; the caller releases it. */
CS_NODISCARD enum cs_err lookup_take(struct lookup_world *world, const struct fetch_reply *reply);
/* Cancels what runs and frees all. */
void lookup_close(struct lookup_world *world, struct lookup *lookup);

#endif
