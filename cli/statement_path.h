/* The audit path of one line of a statement, RFC 6962 section 2.1.1 over the lines that are left and the
 * roots of those that were pruned, and the document that holds a line with its path. Whoever has that
 * document knows that the line is in the statement, and of the others only how many they are and what
 * they come to. */
#ifndef CLI_STATEMENT_PATH_H
#define CLI_STATEMENT_PATH_H

#include "cli/statement.h"
#include "verify/cometbft/merkle.h"

/* Hashes of lines in a row, behind those that were pruned. */
struct statement_leaves {
	struct cmt_merkle pruned; /* its roots of full subtrees; count: index of the first leaf */
	struct cs_hash *hashes;   /* cmt_leaf_hash */
	size_t count, room;
};
void statement_leaves_init(struct statement_leaves *leaves, const struct cmt_merkle *pruned);
void statement_leaves_clear(struct statement_leaves *leaves);
/* NO_MEMORY. */
CS_NODISCARD enum cs_err statement_leaves_add(struct statement_leaves *leaves,
					      struct cs_bytes line);

/* The path of the line of this index among all that were pruned or added. NOT_FOUND: it was pruned, or
 * there is no such line. */
CS_NODISCARD enum cs_err statement_path(struct cmt_proof *proof,
					const struct statement_leaves *leaves, uint64_t index);

/* {"statement": {…}, "path": ["0x…", …], "line": {…}}; of the head a reference is taken. The path begins
 * with the line's sibling. */
json_t *statement_line_json(json_t *head, const struct cmt_proof *proof,
			    const struct ledger_usage_line *line, struct cs_bytes bytes);
/* The line's bytes, and its index and path, but not the total, which the statement has. MALFORMED: no such
 * document, or the line says something else than its bytes. */
CS_NODISCARD enum cs_err statement_line_read(struct cmt_proof *proof,
					     uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX],
					     size_t *size, const json_t *json, struct cs_why *why);

#endif
