/* A journal as lines of JSON, and a new journal made of them: for keeping, for looking at, and for another
 * machine or a later version. Knows no table by name: what SQLite says that there is goes out, and comes
 * back by the names of its columns.
 *
 * Line 1 {"caisson_journal": 1, "schema": N}; then for each table {"table": "…", "columns": ["…"]} and its rows
 * as arrays: a number, a text, null, or {"b": "hex"} for bytes; the last one {"rows": N, "keccak": "hex"} of every
 * byte before it. */
#ifndef GATEWAY_JOURNAL_EXPORT_H
#define GATEWAY_JOURNAL_EXPORT_H

#include "gateway/journal.h"

#include <stdio.h>

#define GATEWAY_EXPORT_VERSION 1

/* All of it as it is now. IO: `to` takes no more. */
CS_NODISCARD enum cs_err gateway_journal_export(struct gateway_journal *journal, FILE *to,
						uint64_t *rows, struct cs_why *why);
/* All of it or nothing, in one transaction. CONFLICT: the journal is not empty; UNSUPPORTED: another
 * version of the lines, or a newer schema than ours; MALFORMED, INVALID, TRUNCATED, TRAILING: the lines are
 * not what was exported; why has the number of the line. */
CS_NODISCARD enum cs_err gateway_journal_import(struct gateway_journal *journal, FILE *from,
						uint64_t *rows, struct cs_why *why);

#endif
