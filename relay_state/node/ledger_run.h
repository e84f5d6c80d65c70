/* A run: what one version found at keys that follow each other, packed into one row of the ledger's
 * history (ledger_db.c). A block changes some thousand pairs; a row for each of them, with its place in an
 * index, costs more than the change itself.
 *
 * An entry, numbers big-endian: size of the key (1), key, the version that had made the value (8), whether there
 * was one (1), its size (4), value. */
#ifndef NODE_LEDGER_RUN_H
#define NODE_LEDGER_RUN_H

#include "core/buf.h"
#include "core/reader.h"

/* One entry of the longest key and value fits; shorter ones make a run of about RUN_SIZE. Who looks for one
 * of them reads, checks and searches its run. */
#define LEDGER_RUN_SIZE_MAX (24u * 1024)
#define LEDGER_RUN_SIZE 6144u

struct ledger_run_entry {
	struct cs_bytes key;
	uint64_t since; /* 0 without a value: the key was not there */
	bool is_there;
	struct cs_bytes value;
};

/* False when it does not fit any more, or makes a run of more than one entry longer than RUN_SIZE: *run is as
 * it was. */
CS_NODISCARD bool ledger_run_add(struct cs_buf *run, const struct ledger_run_entry *entry);
/* The next one as views into the run. NOT_FOUND at the end; MALFORMED. */
CS_NODISCARD enum cs_err ledger_run_next(struct cs_reader *run, struct ledger_run_entry *entry);
/* The entry of this key. NOT_FOUND; MALFORMED. */
CS_NODISCARD enum cs_err ledger_run_find(struct cs_bytes run, struct ledger_run_entry *entry,
					 struct cs_bytes key);

#endif
