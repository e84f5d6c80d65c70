/* Files of one folder, as everything of the node's disk uses them: through a table of functions, so
 * that tests can lose, tear and flip what a real disk may. Decides nothing about what is in them.
 *
 * A name has no folder in it. What write has given is durable after sync of that file; what create,
 * rename and remove have done to names is durable after sync_folder. After a change that failed
 * (no room, EIO, and above all a sync: the kernel may have dropped what it could not write, and the
 * next sync succeeds) nothing more is changed: the folder is broken, and the process has to end. */
#ifndef NODE_FILE_H
#define NODE_FILE_H

#include "core/bytes.h"

#define NODE_FILE_NAME_MAX 32u
/* More names in a folder than this are not ours. */
#define NODE_FILES_MAX (1u << 20)

typedef void node_file_each(void *context, const char *name);

/* Each gives 0 or an errno. A handle is the implementation's. */
struct node_file_table {
	void *context;
	int (*open)(void *context, int *handle, const char *name, bool create);
	void (*close)(void *context, int handle);
	int (*size)(void *context, int handle, uint64_t *size);
	/* *got < n only at the end of the file. */
	int (*read)(void *context, int handle, uint64_t offset, void *p, size_t n, size_t *got);
	/* All of it, or a failure after any part of it. Beyond the end: zeros between. */
	int (*write)(void *context, int handle, uint64_t offset, struct cs_bytes bytes);
	int (*sync)(void *context, int handle); /* what is needed to read it again: fdatasync */
	int (*truncate)(void *context, int handle, uint64_t size);
	int (*rename)(void *context, const char *from, const char *to);
	int (*remove)(void *context, const char *name);
	int (*sync_folder)(void *context);
	int (*list)(void *context, node_file_each *each, void *each_context);
	int (*random)(void *context, uint8_t *p, size_t n);
};

struct node_folder {
	struct node_file_table table;
	bool broken;
};

struct node_file {
	struct node_folder *folder; /* NULL: closed */
	int handle;
	char name[NODE_FILE_NAME_MAX];
};

/* A real folder, made with mode 0700 where it is missing, its files with 0600. CONFLICT: another
 * process has it open; IO. */
CS_NODISCARD enum cs_err node_folder_open(struct node_folder *folder, const char *path,
					  struct cs_why *why);
/* Of whoever owns it, perhaps while he writes: nothing is made, locked or changed; every change fails
 * with IO. NOT_FOUND, IO. */
CS_NODISCARD enum cs_err node_folder_open_reading(struct node_folder *folder, const char *path,
						  struct cs_why *why);
void node_folder_close(struct node_folder *folder);

/* NOT_FOUND without `create`. All of these: FULL: no room; IO: the rest, and every change of a
 * broken folder. */
CS_NODISCARD enum cs_err node_file_open(struct node_file *file, struct node_folder *folder,
					const char *name, bool create, struct cs_why *why);
/* Of one that is closed: nothing. */
void node_file_close(struct node_file *file);
CS_NODISCARD enum cs_err node_file_size(struct node_file *file, uint64_t *size, struct cs_why *why);
/* TRUNCATED when the file ends before n bytes. */
CS_NODISCARD enum cs_err node_file_read(struct node_file *file, uint64_t offset, void *p, size_t n,
					struct cs_why *why);
CS_NODISCARD enum cs_err node_file_write(struct node_file *file, uint64_t offset,
					 struct cs_bytes bytes, struct cs_why *why);
CS_NODISCARD enum cs_err node_file_sync(struct node_file *file, struct cs_why *why);
CS_NODISCARD enum cs_err node_file_truncate(struct node_file *file, uint64_t size,
					    struct cs_why *why);
/* The folder's names are durable after it. */
CS_NODISCARD enum cs_err node_folder_rename(struct node_folder *folder, const char *from,
					    const char *to, struct cs_why *why);
/* The whole file, durable when it returns: made as NAME.new, so that whoever reads finds all of it or
 * what was there before. */
CS_NODISCARD enum cs_err node_folder_put(struct node_folder *folder, const char *name,
					 struct cs_bytes bytes, struct cs_why *why);
/* Durable after the next sync of the folder, and harmless when it is not. */
CS_NODISCARD enum cs_err node_folder_remove(struct node_folder *folder, const char *name,
					    struct cs_why *why);
CS_NODISCARD enum cs_err node_folder_sync(struct node_folder *folder, struct cs_why *why);
CS_NODISCARD enum cs_err node_folder_random(struct node_folder *folder, uint8_t *p, size_t n,
					    struct cs_why *why);

/* ---- numbered files: prefix and eight digits ---- */

struct node_numbers {
	uint32_t *list; /* rising; freed by the caller */
	size_t count;
};

void node_file_name(char name[NODE_FILE_NAME_MAX], const char *prefix, uint32_t number);
/* TOO_LARGE above NODE_FILES_MAX. */
CS_NODISCARD enum cs_err node_folder_numbers(struct node_numbers *numbers,
					     struct node_folder *folder, const char *prefix,
					     struct cs_why *why);

#endif
