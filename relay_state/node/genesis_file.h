/* Which genesis the data of a folder began with: its hash, kept beside them. Knows nothing else of
 * a genesis.
 *
 * The file is called genesis: the hash, and the SHA-256 of the hash, so that a bit that turned is
 * not taken for another genesis. */
#ifndef NODE_GENESIS_FILE_H
#define NODE_GENESIS_FILE_H

#include "core/hash.h"
#include "relay_state/node/file.h"

/* Compares; where there is no file (an older home's), or where nothing was done under another
 * genesis yet (`fresh`), writes it down: durable when it returns. CONFLICT: the data are of another
 * genesis; DAMAGED: the file does not read; FULL, IO as of file.h. */
CS_NODISCARD enum cs_err node_genesis_keep(struct node_folder *folder, const struct cs_hash *hash,
					   bool fresh, struct cs_why *why);

#endif
