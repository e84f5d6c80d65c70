/* A statement of usage records as a file: a head that names it and carries its proofs, then its lines.
 * Three formats hold the same: JSON, JSON lines, CSV. A line has the bytes that the ledger hashed, and
 * what they say for people; each text is the only one for its bytes, so that reading a file means
 * writing each line again and comparing. Files and nodes are others' (ledger_verify.c,
 * ledger_statement.c). */
#ifndef CLI_STATEMENT_H
#define CLI_STATEMENT_H

#include "relay_state/ledger/usage_line.h"
#include "verify/cometbft/ics23.h"

#include <jansson.h>

enum statement_format {
	STATEMENT_JSON,  /* {"statement": {…}, "lines": [ a line each ]} */
	STATEMENT_JSONL, /* {"statement": {…}}, then an object a line */
	STATEMENT_CSV,   /* "# " and the head, the names of the columns, then a row a line */
};

/* A line's text: its bytes in hex, and again as columns. */
#define STATEMENT_LINE_SIZE_MAX 3072u
/* The head: proofs in hex, each at most CMT_ICS23_PROOF_SIZE_MAX. */
#define STATEMENT_HEAD_SIZE_MAX (512u * 1024)

/* ---- writing ---- */

/* The text of one line, without what separates it; its size. */
size_t statement_line(char text[STATEMENT_LINE_SIZE_MAX], enum statement_format format,
		      uint64_t index, const struct ledger_usage_line *line, struct cs_bytes bytes);
/* The names of the columns, as the CSV has them. */
const char *statement_columns(void);
/* "2026-11". */
#define STATEMENT_PERIOD_SIZE 8u
void statement_period(char text[STATEMENT_PERIOD_SIZE], uint32_t period);
/* MALFORMED. */
CS_NODISCARD enum cs_err statement_read_period(uint32_t *period, const char *text);

/* ---- what a statement comes to ---- */

/* Lines are added one after the other from the first that is not pruned. */
struct statement_sum {
	struct ledger_usage_account account;
	struct ledger_usage_statement sum;
};
/* BAD_PROOF and the errors of ledger_usage_line_decode: no line, or one of another party or period. The
 * index is for what is said of it. */
CS_NODISCARD enum cs_err statement_take(struct ledger_usage_line *line,
					const struct ledger_usage_account *account,
					struct cs_bytes bytes, uint64_t index, struct cs_why *why);
/* The same, and adds it; OVERFLOW. */
CS_NODISCARD enum cs_err statement_add(struct statement_sum *statement,
				       struct ledger_usage_line *line, struct cs_bytes bytes,
				       struct cs_why *why);
/* BAD_PROOF: not the value that is proven. */
CS_NODISCARD enum cs_err statement_end(const struct statement_sum *statement, struct cs_bytes value,
				       struct cs_why *why);

/* The bytes of a line's text, which must be the text of these bytes at this index. MALFORMED. */
CS_NODISCARD enum cs_err statement_read_line(uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX],
					     size_t *size, enum statement_format format,
					     uint64_t index, struct cs_bytes text);

/* ---- heads ---- */

/* A key with its value, or none, and the proof. Owned: statement_proof_clear. */
struct statement_proof {
	struct cs_bytes key;
	struct cs_bytes value; /* empty: there is none */
	struct cs_bytes proof;
	uint8_t *memory;
};
void statement_proof_clear(struct statement_proof *proof);
json_t *statement_proof_json(const struct statement_proof *proof);
/* Members key, value, proof. MALFORMED, TOO_LARGE. */
CS_NODISCARD enum cs_err statement_proof_read(struct statement_proof *proof, const json_t *json,
					      struct cs_why *why);
/* BAD_PROOF and the other refusals of ICS-23: the state of the app hash does not say this. */
CS_NODISCARD enum cs_err statement_proof_check(const struct statement_proof *proof,
					       const struct cs_hash *app_hash, struct cs_why *why);

struct statement_head {
	struct ledger_usage_account account;
	uint64_t height;         /* of the block whose state it is: the next header's app hash */
	struct cs_hash app_hash; /* as the node said */
	struct statement_proof value;  /* of the statement */
	struct statement_proof pruned; /* no key: the file begins with the first line */
	struct statement_proof chain;  /* the chain's tag, which signatures are bound to */
};
void statement_head_clear(struct statement_head *head);
/* The member "statement"; sums, root and counts are those of the value. */
json_t *statement_head_json(const struct statement_head *head, const char *chain_id);
/* MALFORMED, INVALID: also when what the head says of sums, root or counts is not its value's. */
CS_NODISCARD enum cs_err statement_head_read(struct statement_head *head, const json_t *json,
					     struct cs_why *why);
/* Begins the sum: what was pruned. MALFORMED. */
CS_NODISCARD enum cs_err statement_head_begin(const struct statement_head *head,
					      struct statement_sum *statement, struct cs_why *why);
/* Checks all of its proofs, and begins the sum. */
CS_NODISCARD enum cs_err statement_head_check(const struct statement_head *head,
					      struct statement_sum *statement,
					      const struct cs_hash *app_hash, struct cs_why *why);
/* charged less credited, "-" before it when less. */
#define STATEMENT_TOTAL_SIZE (CS_U256_DECIMAL_SIZE + 1u)
void statement_total(char text[STATEMENT_TOTAL_SIZE],
		     const struct ledger_usage_statement *statement);

#endif
