/* The feeds of an oracle as they run: what the journal has of each, what round.h decides about it,
 * and what is under way for it. Private to the parts of the scheduler (feeds.c, feed_*.c,
 * api_feeds.c).
 *
 * Every value's way: the contract is looked at, the enclave is asked for all feeds of the contract
 * that are due, the round is journalled; when it is due for submission the contract is looked at
 * again (so that two operators do not pay for one round), and one call for all that is due is
 * journalled. */
#ifndef ORACLE_FEEDS_H
#define ORACLE_FEEDS_H

#include "oracle/feed_call.h"
#include "oracle/oracle.h"
#include "oracle/round.h"
#include "wire/spec.h"

/* One process's: contracts are read and written one by one, and each takes series of metrics. */
#define ORACLE_FEEDS_MAX 64u
/* Of HOST_METRIC_SERIES_MAX; what is listed beyond has none. */
#define ORACLE_FEED_SERIES_MAX 640u

struct oracle_feed_flight;

struct oracle_feed_live {
	struct oracle_feeds *feeds;
	struct oracle_contract *contract;
	struct oracle_feed row; /* as the journal has it */
	struct cs_hash id;      /* feedId */
	struct cs_bytes spec;   /* malloc'd */
	size_t source_count;
	struct oracle_round_settings settings;
	struct oracle_round_state state;
	/* where state.good was signed; statement 0: not known any more, or submitted */
	uint64_t statement;
	uint32_t leaf;
	uint64_t round; /* row */
	struct cs_hash evidence_hash;
	/* of now */
	struct oracle_feed_flight *flight;
	bool removed;           /* freed with its flight */
	bool stopped;           /* paused at the contract: it takes no rounds of it */
	bool slow;              /* its last round took long, or that of one beside it */
	uint64_t not_before_ms; /* after a look or a call that failed */
	uint32_t tries;
	char why[ORACLE_WHY_MAX + 1]; /* why nothing happens; "": it does */
	/* NULL: no room for more series */
	struct host_metric *age;
	struct host_metric *active;
	struct host_metric *deviation;
	struct host_metric *disagreements[WIRE_SOURCES_MAX];
};

struct oracle_feeds {
	struct oracle *oracle;
	uint64_t seed;
	size_t count;
	struct oracle_feed_live *live[ORACLE_FEEDS_MAX];
	size_t series;
	struct oracle_feed_flight *flights;
};

/* ---- feeds.c ---- */
/* By contract and index; NULL when it is not listed. */
struct oracle_feed_live *oracle_feeds_find(struct oracle *oracle,
					   const struct oracle_contract *contract, uint64_t index);
/* Inside a writer: a row that is not there yet, its spec and what the contract says. FULL,
 * DUPLICATE, or why a setting is refused. */
CS_NODISCARD enum cs_err oracle_feeds_add(struct oracle *oracle, struct oracle_feed *row,
					  struct oracle_contract *contract, struct cs_bytes spec,
					  struct oracle_feed_live **live, struct cs_why *why);
/* Inside a writer; *live is not to be used any more. */
CS_NODISCARD enum cs_err oracle_feeds_remove(struct oracle_feed_live *live);
/* Inside a writer: the row as the state is now. */
CS_NODISCARD enum cs_err oracle_feed_save(struct oracle_feed_live *live);
/* "active", "paused" (by the operator or at the contract), "tripped". */
const char *oracle_feed_state_name(const struct oracle_feed_live *live);
/* Takes what the contract was seen to hold. */
void oracle_feed_seen(struct oracle_feed_live *live, const struct oracle_feed_info *info,
		      const struct oracle_feed_round *round);
/* Not again before a pause that grows; told by REST. */
void oracle_feed_hold_up(struct oracle_feed_live *live, enum cs_err err, const char *why);

/* ---- feed_metrics.c ---- */
void oracle_feed_metrics_add(struct oracle_feed_live *live);
void oracle_feed_metrics_remove(struct oracle_feed_live *live);
void oracle_feed_metrics_disagreed(struct oracle_feed_live *live, uint32_t source);
/* For host_metrics_on_collect; context: the oracle. */
void oracle_feed_metrics_collect(void *context);

/* ---- feed_settings.c ---- */
/* From what the contract fixed (row), the operator's overrides (row->settings) and the spec.
 * INVALID, UNKNOWN_FIELD, OVERFLOW: why names the setting. */
CS_NODISCARD enum cs_err oracle_feed_settings(struct oracle_round_settings *out,
					      const struct oracle_feed *row,
					      const struct wire_spec *spec,
					      const struct host_chain_config *chain, uint64_t seed,
					      struct cs_why *why);
/* The members of object that are overrides, as row->settings keeps them. TOO_LARGE. */
CS_NODISCARD enum cs_err oracle_feed_overrides(char text[ORACLE_SETTINGS_SIZE_MAX + 1],
					       const json_t *object);
bool oracle_feed_is_override(const char *name);
/* A new reference. */
json_t *oracle_feed_settings_json(const struct oracle_round_settings *settings);
/* A spec that a feed can have: one int256 with these decimals, no arguments, no secrets. In the
 * arena: WIRE_SPEC_ARENA_SIZE. */
CS_NODISCARD enum cs_err oracle_feed_spec(struct wire_spec *out, struct cs_bytes spec,
					  struct cs_arena *arena, struct cs_why *why);

/* ---- feed_json.c ---- */
#define ORACLE_FEED_ROUNDS_SHOWN_MAX 100u
/* With `rounds`, at most limit (ORACLE_FEED_ROUNDS_SHOWN_MAX), newest first, rows below before (0:
 * from the newest), and `last_round`. A new reference. */
json_t *oracle_feed_json(struct oracle_feed_live *live, uint64_t before, size_t limit);

/* ---- feed_look.c ---- */
/* info and round are NULL on failure. */
typedef void oracle_feed_looked(void *ctx, enum cs_err err, const char *why,
				const struct oracle_feed_info *info,
				const struct oracle_feed_round *round);
/* What the contract holds at the newest block, as a node says; on failure looked is not called.
 * NOT_FOUND (as a call's error): no such feed. */
CS_NODISCARD enum cs_err oracle_feed_look(struct oracle_contract *contract, uint64_t index,
					  oracle_feed_looked *looked, void *ctx);

/* ---- feed_flight.c: feeds of one contract that are looked at, then asked for or submitted ---- */
struct oracle_feed_flight {
	struct oracle_feed_flight *next; /* of feeds->flights */
	struct oracle_feeds *feeds;
	struct oracle_contract *contract;
	void (*go)(struct oracle_feed_flight *flight);
	size_t count;
	struct oracle_feed_live *members[ORACLE_BATCH_MAX];
	size_t looks;      /* still to come */
	uint64_t asked_ms; /* monotonic: when the enclave was asked */
};
/* Looks at the contract for each member; then go, with those that could be looked at and are not
 * stopped. */
void oracle_feed_fly(struct oracle_contract *contract, struct oracle_feed_live *const *members,
		     size_t count, void (*go)(struct oracle_feed_flight *flight));
/* Out of the flight; a removed one is freed. */
void oracle_feed_leave(struct oracle_feed_flight *flight, size_t index);
void oracle_feed_land(struct oracle_feed_flight *flight);
void oracle_feed_free(struct oracle_feed_live *live);

/* ---- feed_ask.c ---- */
void oracle_feed_ask(struct oracle_feed_flight *flight);
/* ---- feed_submit.c ---- */
void oracle_feed_submit(struct oracle_feed_flight *flight);

#endif
