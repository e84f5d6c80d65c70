/* Secrets that a host process must hold (a peer's API key, a development key): read from a file
 * that nobody else can read. */
#ifndef HOST_KEYFILE_H
#define HOST_KEYFILE_H

#include "core/ct.h"

#define HOST_TOKEN_MIN 16u
#define HOST_TOKEN_MAX 128u

/* 64 hex digits, with or without 0x, and at most one line break. The file must be a regular one,
 * owned by us, without any permission for others: FORBIDDEN otherwise; IO when it cannot be read;
 * MALFORMED. why never shows its content. */
CS_NODISCARD enum cs_err host_keyfile_load(struct cs_secret *secret, const char *path,
					   struct cs_why *why);
/* A new random one in a new file of mode 600, on disk when this returns: DUPLICATE: the file is there;
 * IO. */
CS_NODISCARD enum cs_err host_keyfile_make(struct cs_secret *secret, const char *path,
					   struct cs_why *why);
/* A token of HOST_TOKEN_MIN to HOST_TOKEN_MAX visible characters, terminated; same rules. The
 * caller wipes it. */
CS_NODISCARD enum cs_err host_tokenfile_load(char token[HOST_TOKEN_MAX + 1], const char *path,
					     struct cs_why *why);
/* At most size_max bytes, malloc'd and terminated by a zero that is not counted: for configuration
 * and manifests. */
CS_NODISCARD enum cs_err host_file_load(uint8_t **bytes, size_t *size, const char *path,
					size_t size_max, struct cs_why *why);
/* The same for a regular file that is ours or root's and has none of the permission bits
 * `forbidden`: FORBIDDEN. */
CS_NODISCARD enum cs_err host_file_load_own(uint8_t **bytes, size_t *size, const char *path,
					    size_t size_max, unsigned forbidden,
					    struct cs_why *why);

#endif
