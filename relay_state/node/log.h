/* The engine's log as files: appended, synced, cut where a crash tore it, begun anew when a height
 * is committed. What the records say is the engine's matter (bft/wal.h, bft/record.h).
 *
 * A file is called log-NNNNNNNN. Records of heights that are done stay until their file is full:
 * the engine passes over them, and a cut at each height would cost a sync. */
#ifndef NODE_LOG_H
#define NODE_LOG_H

#include "relay_state/bft/bft.h"
#include "relay_state/node/file.h"

/* From this size on a committed height begins a new file. */
#define NODE_LOG_SIZE_DEFAULT (4u * 1024 * 1024)
/* One file, and with it what a start reads: one height that goes through rounds for days. */
#define NODE_LOG_SIZE_MAX (1024u * 1024 * 1024)

struct node_log;

struct node_log_options {
	struct node_folder *folder;
	size_t file_size; /* 0: NODE_LOG_SIZE_DEFAULT */
	size_t size_max;  /* 0: NODE_LOG_SIZE_MAX, and not above it */
};

struct node_log_found {
	uint64_t records;
	int64_t height_max; /* of any record; 0: there is none */
	uint64_t torn;      /* bytes to be cut: nothing had been promised about them */
};

/* Reads everything there is. DAMAGED: something is broken that a sync had
 * promised, or a record is none; NO_MEMORY; FULL, IO. */
CS_NODISCARD enum cs_err node_log_open(struct node_log **log,
				       const struct node_log_options *options,
				       struct node_log_found *found, struct cs_why *why);
/* Cuts a torn end, makes durable what was read; before the replay. */
CS_NODISCARD enum cs_err node_log_mend(struct node_log *log, struct cs_why *why);
void node_log_close(struct node_log *log);

/* What was there at the opening, into the engine, once; then that memory is given back. The errors
 * of bft_replay. */
CS_NODISCARD enum cs_err node_log_replay(struct node_log *log, struct bft *bft, struct cs_why *why);

/* FULL: size_max, or no room; IO. After a failure nothing more is written. */
CS_NODISCARD enum cs_err node_log_append(struct node_log *log, struct cs_bytes record,
					 struct cs_why *why);
CS_NODISCARD enum cs_err node_log_sync(struct node_log *log, struct cs_why *why);
/* No record so far is needed any more; forget: and none may stay. */
CS_NODISCARD enum cs_err node_log_forget(struct node_log *log, struct cs_why *why);
CS_NODISCARD enum cs_err node_log_committed(struct node_log *log, struct cs_why *why);

#endif
