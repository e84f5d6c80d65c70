/* A folder in memory behind node_file_table that does what disks and kernels do: keeps what was
 * written apart from what is durable, tears, loses, fails, flips. One seed, one behaviour. */
#ifndef TESTS_UNIT_NODE_FAULTY_H
#define TESTS_UNIT_NODE_FAULTY_H

#include "relay_state/node/file.h"

#define FAULTY_FILES 64u
#define FAULTY_NAMES 64u

enum faulty_kind {
	FAULTY_NONE = 0,
	FAULTY_KILL,  /* the process dies before this change; the kernel's pages live on */
	FAULTY_POWER, /* the machine does: what was not synced is there, torn or lost */
	FAULTY_FULL,  /* ENOSPC; a write got in up to any byte */
	FAULTY_EIO,   /* as well; of a sync: some pages were written, all count as clean */
	FAULTY_KINDS,
};

struct faulty_change {
	bool is_truncate;
	uint64_t offset; /* or the size */
	uint8_t *bytes;
	size_t n;
};

struct faulty_content {
	uint8_t *p;
	size_t size, room;
};

struct faulty_file {
	struct faulty_content now, durable;
	struct faulty_change *changes;
	size_t change_count;
};

struct faulty_name {
	char name[NODE_FILE_NAME_MAX];
	int file;
};

struct faulty_names {
	struct faulty_name list[FAULTY_NAMES];
	size_t count;
};

struct faulty {
	struct node_folder folder; /* what is under test gets this */
	uint64_t random;
	struct faulty_file files[FAULTY_FILES];
	size_t file_count;
	/* Names as they are, and as they were after each change since the last sync of the
	 * folder. */
	struct faulty_names names, history[FAULTY_NAMES];
	size_t history_count;
	int open_count;
	uint64_t changes; /* asked for so far: writes, syncs, truncates, names */
	uint64_t syncs;
	/* The plan: this happens to the change of this number. */
	uint64_t fault_at;
	enum faulty_kind fault;
	bool has_failed;
	uint64_t changes_after_failure; /* nothing may change after a failure */
};

void faulty_init(struct faulty *f, uint64_t seed);
void faulty_done(struct faulty *f);
uint64_t faulty_below(struct faulty *f, uint64_t n);
/* The process is gone; with power: the machine too. A new folder, no plan. */
void faulty_restart(struct faulty *f, bool power);
/* A bit somewhere in a file whose name begins so; false where there is none or it is empty. */
bool faulty_flip(struct faulty *f, const char *prefix);
/* A file is gone, for good; false where there was none. */
bool faulty_lose(struct faulty *f, const char *name);
/* The content of a file, a view; nothing when it is not there. */
struct cs_bytes faulty_look(struct faulty *f, const char *name);

#endif
