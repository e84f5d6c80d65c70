/* Reading a statement's file line by line, in whichever of the three formats it is. Checks the form and
 * that each line is the text of its bytes; what the lines come to is the caller's matter. */
#ifndef CLI_STATEMENT_FILE_H
#define CLI_STATEMENT_FILE_H

#include "cli/statement.h"

#include <stdio.h>

struct statement_file {
	FILE *file;
	char *memory; /* of the line that was read last */
	size_t room;
	json_t *document; /* the first line; NULL: not JSON */
	enum statement_format format;
	bool some;  /* a line was read */
	bool comma; /* and had one behind it */
	bool ended;
};

/* Opens the file and reads what stands before the lines. INVALID: it cannot be opened (the reason is in
 * why). A file that is no statement is opened too: statement_file_head says so. */
CS_NODISCARD enum cs_err statement_file_open(struct statement_file *file, const char *path,
					     struct cs_why *why);
void statement_file_close(struct statement_file *file);
/* The member "statement" of the first line; NULL: there is none. Borrowed. */
const json_t *statement_file_head(const struct statement_file *file);

/* The bytes of the next line, which has this index, into bytes[LEDGER_USAGE_LINE_SIZE_MAX]; *more is
 * false at the end. MALFORMED: a line that is none, or says something else than its bytes; a file that
 * does not end as a statement does. */
CS_NODISCARD enum cs_err statement_file_next(struct statement_file *file, bool *more,
					     uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX],
					     size_t *size, uint64_t index, struct cs_why *why);

#endif
