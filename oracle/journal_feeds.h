/* The journal's feeds and their rounds: what the operator lists, what was observed, what was
 * submitted and what it cost. */
#ifndef ORACLE_JOURNAL_FEEDS_H
#define ORACLE_JOURNAL_FEEDS_H

#include "oracle/journal.h"

#define ORACLE_DESCRIPTION_MAX 64u
/* Overrides of a feed's settings as feeds.c encodes them: canonical JSON. */
#define ORACLE_SETTINGS_SIZE_MAX 1024u

/* Numbers are in the journal: only append. */
enum oracle_feed_state {
	ORACLE_FEED_ACTIVE = 1,
	ORACLE_FEED_PAUSED = 2,  /* by the operator */
	ORACLE_FEED_TRIPPED = 3, /* by the circuit breaker */
};

struct oracle_feed {
	uint64_t n;
	struct cs_hash chain;
	struct cs_hash contract; /* identity */
	uint64_t index;
	struct cs_hash spec_hash;
	enum oracle_feed_state state;
	char description[ORACLE_DESCRIPTION_MAX + 1];
	/* as the contract's owner fixed them */
	uint8_t decimals;
	uint64_t heartbeat_s;
	uint64_t stale_after_s;
	uint32_t deviation_ppm;
	char settings[ORACLE_SETTINGS_SIZE_MAX + 1];
	/* the last good observation; observed_at 0: none */
	struct cs_hash value;
	uint64_t observed_at;
	uint64_t good_ms;  /* when it came */
	bool spent;        /* it was handed over for submission */
	bool jump_allowed; /* an operator said so: for one value */
	uint64_t asked_ms; /* 0: never */
	/* what the contract holds; submitted_at 0: none */
	struct cs_hash submitted_value;
	uint64_t submitted_at; /* its observedAt */
	uint64_t chain_round;
	uint64_t last_round; /* row */
	uint64_t submission; /* open one, 0: none */
	uint32_t failures;   /* in a row */
	uint64_t next_ms;
	char why[ORACLE_WHY_MAX + 1];
	uint64_t gas_total;
	struct cs_u256 wei_total;
	uint64_t created_ms;
	bool stopped; /* paused by the contract's owner or guardian, as the chain told last */
};

/* Numbers are in the journal: only append. */
enum oracle_round_outcome {
	ORACLE_ROUND_HELD = 1,      /* observed, not to be submitted */
	ORACLE_ROUND_SUBMITTED = 2, /* a call is written */
	ORACLE_ROUND_INCLUDED = 3,
	ORACLE_ROUND_FAILED = 4,  /* no value: code says why */
	ORACLE_ROUND_REFUSED = 5, /* by the circuit breaker */
	ORACLE_ROUND_LOST = 6,    /* its call did nothing */
};

struct oracle_round_row {
	uint64_t n;
	uint64_t feed;
	uint64_t time_ms;
	enum oracle_round_outcome outcome;
	uint32_t code;
	struct cs_hash value;
	uint64_t observed_at;
	uint32_t agreed; /* bit i: source i */
	uint32_t reason; /* why it is submitted: oracle_round_verb; 0: it is not */
	uint64_t statement;
	uint32_t leaf;
	uint64_t submission;
	uint64_t gas_used; /* its share */
	uint64_t gas_price_wei;
	struct cs_bytes result; /* OracleResult's protobuf */
	char why[ORACLE_WHY_MAX + 1];
};

/* What became of one source of a feed since it was listed. */
struct oracle_feed_source {
	uint32_t index;
	char host_port[265]; /* of the newest round in which it was asked */
	uint64_t rounds;
	uint64_t failed;    /* gave no value */
	uint64_t disagreed; /* gave one too far from the round's */
};

/* Sets n. DUPLICATE: (contract, index) is there. */
CS_NODISCARD enum cs_err oracle_journal_add_feed(struct oracle_journal *journal,
						 struct oracle_feed *feed);
/* Everything but chain, contract, index, spec_hash. */
CS_NODISCARD enum cs_err oracle_journal_save_feed(struct oracle_journal *journal,
						  const struct oracle_feed *feed);
CS_NODISCARD enum cs_err oracle_journal_remove_feed(struct oracle_journal *journal,
						    const struct oracle_feed *feed);
/* NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_journal_feed(struct oracle_journal *journal,
					     const struct cs_hash *contract, uint64_t index,
					     struct oracle_feed *feed);
/* In the order of rows, above `after`. */
CS_NODISCARD enum cs_err oracle_journal_feeds(struct oracle_journal *journal, uint64_t after,
					      struct oracle_feed *feeds, size_t count_max,
					      size_t *count);
/* Sets n. */
CS_NODISCARD enum cs_err oracle_journal_add_round(struct oracle_journal *journal,
						  struct oracle_round_row *round);
/* Adds one round to the counts of a source; host_port "": it was not asked. */
CS_NODISCARD enum cs_err oracle_journal_count_source(struct oracle_journal *journal, uint64_t feed,
						     uint32_t index, const char *host_port,
						     bool failed, bool disagreed);
/* In the order of the spec. */
CS_NODISCARD enum cs_err oracle_journal_feed_sources(struct oracle_journal *journal, uint64_t feed,
						     struct oracle_feed_source *sources,
						     size_t count_max, size_t *count);
/* Outcome, reason, submission, gas, why. */
CS_NODISCARD enum cs_err oracle_journal_save_round(struct oracle_journal *journal,
						   const struct oracle_round_row *round);
/* Newest first; before: rows below it, 0: from the newest. Results in the arena. */
CS_NODISCARD enum cs_err oracle_journal_rounds(struct oracle_journal *journal, uint64_t feed,
					       uint64_t before, struct cs_arena *arena,
					       struct oracle_round_row *rounds, size_t count_max,
					       size_t *count);
/* One of this feed's. NOT_FOUND. */
CS_NODISCARD enum cs_err oracle_journal_round(struct oracle_journal *journal, uint64_t feed,
					      uint64_t n, struct cs_arena *arena,
					      struct oracle_round_row *round);
CS_NODISCARD enum cs_err oracle_journal_rounds_of(struct oracle_journal *journal,
						  uint64_t submission, struct cs_arena *arena,
						  struct oracle_round_row *rounds, size_t count_max,
						  size_t *count);

#endif
