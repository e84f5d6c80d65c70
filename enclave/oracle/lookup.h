/* One query on its way: spec, arguments and secrets in, fetches of all its sources at once, one value
 * or one code out, with the evidence. Nothing of it is signed here. */
#ifndef ENCLAVE_ORACLE_LOOKUP_H
#define ENCLAVE_ORACLE_LOOKUP_H

#include "enclave/oracle/share.h"
#include "enclave/state.h"
#include "wire/spec.h"

#define LOOKUP_HOST_PORT_SIZE_MAX 264u

struct lookup;

/* What a lookup stands in a line for: whoever was served goes to its end. */
enum lookup_line {
	LOOKUP_FOR_PLACES,      /* a source waits */
	LOOKUP_FOR_EXTRACTIONS, /* a source has answered */
	LOOKUP_LINE_COUNT,
};
struct lookup_queue {
	struct lookup *first;
	struct lookup *last;
};

/* What all lookups share; the service owns it. */
struct lookup_world {
	struct enclave *e;
	struct fetch *fetch;
	struct verify_time now; /* of this turn of the loop */
	struct share share;
	size_t waiting_count; /* sources without a place, of all lookups */
	struct lookup_queue for_places;
	struct lookup_queue for_extractions[SHARE_KIND_COUNT];
	bool changed; /* since places were given out: one came back, or somebody new waits */
	/* No lookup has to be ended before it, by fetch_now_ms; UINT64_MAX: none at all. */
	uint64_t end_next_ms;
	/* Scratch of one call: the spec's tree, and a response's. */
	struct cs_arena arena;
};
#define LOOKUP_ARENA_SIZE (9u * 1024 * 1024)

/* For a place; then the answer is `timeout`. With what a source has by itself it is less than a host
 * waits before it asks again. */
#define LOOKUP_WAIT_MS_MAX 15000u

/* Once what was said is enough (aggregate.h) and no source waits for its place, each of the others
 * is late when it takes, from when it was asked, twice as long as the slowest that had answered,
 * but at least so much longer: it is `timeout`, and the answer goes out without it. A dry run shows
 * what each source says, and waits for all. */
#define LOOKUP_GRACE_MS_MIN 1000u
/* Whatever happens, all sources have ended then: 15 s for a place, 10 s of a source, and what the
 * scripts of others take meanwhile. The host gives up later than that
 * (ORACLE_ANSWER_TIMEOUT_MS). */
#define LOOKUP_MS_MAX 30000u

enum lookup_state {
	LOOKUP_WAITING, /* for a place among the transfers */
	LOOKUP_CHOSEN,  /* has one, and is started in this turn */
	LOOKUP_RUNNING,
	LOOKUP_ANSWERED, /* and what it said waits to be extracted: it is not late any more */
	LOOKUP_DONE,
};

struct lookup_source {
	struct lookup *lookup;
	enum lookup_state state;
	uint64_t fetch_id;
	uint64_t asked_ms;               /* by fetch_now_ms */
	uint64_t took_ms;                /* from then on, once it has answered */
	const struct fetch_reply *reply; /* ANSWERED: ours to release */
	uint64_t ends_s;                 /* fetch_reply.ends_s, of one that has answered */
	struct cs_bytes pointer;         /* heap */
	struct cs_bytes value;           /* heap: the ABI encoding */
	struct wire_evidence_source evidence;
	struct cs_hash host; /* of host_port */
	char host_port[LOOKUP_HOST_PORT_SIZE_MAX + 1];
	struct cs_why why;
};

struct lookup {
	void *owner;
	struct lookup *next[LOOKUP_LINE_COUNT];
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
	size_t open_count;     /* sources that are not done */
	size_t waiting_count;  /* of them: those without a place */
	size_t running_count;  /* and those with one */
	size_t answered_count; /* of these: those that have answered */
	uint64_t wait_by_ms;   /* by fetch_now_ms, as the next */
	uint64_t all_by_ms;    /* LOOKUP_MS_MAX after it was opened */
	bool enough;
	uint64_t source_ms; /* where it is enough: what each of the others may take */
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
/* Gives out the places that are free: one to a lookup in turn, for the first of its sources for
 * whose host there is one. */
void lookup_choose(struct lookup_world *world);
/* Starts those that got one, and ends those that have waited too long for it. An error is the
 * machine's: nothing may be signed, and the lookup is closed. */
CS_NODISCARD enum cs_err lookup_start(struct lookup_world *world, struct lookup *lookup);
/* A reply whose context is a source of a lookup; it is released when that has been extracted from,
 * or is closed. */
void lookup_hear(struct lookup_world *world, const struct fetch_reply *reply);
/* Whose turn it is that one of its sources be extracted from: feeds before all others, one after
 * the other. NULL: nobody has heard anything. */
struct lookup *lookup_next(const struct lookup_world *world);
/* One extraction, of a lookup that lookup_next named; its next one comes after the others'. An
 * error is the machine's. */
CS_NODISCARD enum cs_err lookup_take(struct lookup_world *world, struct lookup *lookup);
/* Ends what is late, and lowers world->end_next_ms to when there is more to end. NO_MEMORY. */
CS_NODISCARD enum cs_err lookup_end_late(struct lookup_world *world, struct lookup *lookup);
/* Cancels what runs, releases what has answered, and frees all. */
void lookup_close(struct lookup_world *world, struct lookup *lookup);

#endif
