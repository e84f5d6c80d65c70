/* Who signed what: everything that validators of one chain have signed as far as the homes of some of
 * its nodes hold it (blocks, commits, logs, evidence, last-sign states), and who has signed two things
 * for one place. Believes no signature that it has not verified with the validators of that height,
 * and changes nothing.
 *
 * Equivocation is proven by its two signatures. Amnesia (a vote against one's own lock) is a
 * suspicion: what justifies such a vote, more than two thirds of prevotes for its block between the
 * two rounds, may be in a home that was not read (spec/light-client/accountability). */
#ifndef NODE_FORENSICS_H
#define NODE_FORENSICS_H

#include "relay_state/node/commands.h"
#include "verify/cometbft/vote.h"

/* What is kept in memory; more is for --from and --to to divide. */
#define NODE_STATEMENTS_MAX (1u << 20)
/* Files that were not read to their end. */
#define NODE_UNREAD_MAX 256u

/* One signature of a validator, verified. */
struct node_statement {
	int64_t height;
	int32_t round;
	enum cmt_signed_type type;
	struct cs_address validator;
	struct cmt_block_id block_id; /* nil: of a vote for no block */
	int32_t pol_round;            /* of a proposal */
	int32_t index;                /* of the validator in its set */
	struct cs_pb_time time;
	struct cmt_signature signature;
	uint32_t homes; /* bit i: found in home i */
};

enum node_finding_kind {
	NODE_EQUIVOCATION = 1,
	NODE_AMNESIA,
};

/* Two statements of one validator, by index. */
struct node_finding {
	enum node_finding_kind kind;
	size_t first, second;
};

struct node_unread {
	size_t home;
	char file[NODE_FILE_NAME_MAX];
	char why[96];
};

struct node_forensics {
	struct cmt_chain_id chain_id;
	const char *const *homes;
	size_t home_count;
	/* By height, round, type, validator, block. */
	struct node_statement *statements;
	size_t count, room;
	struct node_finding *findings;
	size_t finding_count;
	uint64_t
		unverified; /* signatures that are nobody's, or of heights whose set is not there */
	struct node_unread unread[NODE_UNREAD_MAX];
	size_t unread_count;
};

/* Of heights in [from, to]; 0: no bound. WRONG_CHAIN: homes of several chains; TOO_LARGE:
 * NODE_STATEMENTS_MAX; NOT_FOUND, IO, the errors of a genesis. */
CS_NODISCARD enum cs_err node_forensics_read(struct node_forensics **forensics,
					     const char *const *homes, size_t home_count,
					     int64_t from, int64_t to, struct cs_why *why);
/* NULL is allowed. */
void node_forensics_free(struct node_forensics *forensics);

/* forensics_print.c; new reference. */
json_t *node_forensics_json(const struct node_forensics *forensics);
/* To standard output. */
void node_forensics_print(const struct node_forensics *forensics);

#endif
