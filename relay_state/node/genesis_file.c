#include "relay_state/node/genesis_file.h"

#include <string.h>

#define NAME "genesis"
#define SIZE (2 * sizeof(struct cs_hash))

static void encode(uint8_t bytes[SIZE], const struct cs_hash *hash)
{
	const struct cs_hash check = cs_sha256(CS_BYTES_OF(hash->b));
	memcpy(bytes, hash->b, sizeof hash->b);
	memcpy(bytes + sizeof hash->b, check.b, sizeof check.b);
}

/* NOT_FOUND: there is none. */
static enum cs_err load(struct cs_hash *hash, struct node_folder *folder, struct cs_why *why)
{
	uint8_t bytes[SIZE], expected[SIZE];
	struct node_file file;
	struct cs_hash read;
	uint64_t size = 0;
	CS_TRY(node_file_open(&file, folder, NAME, false, why));
	enum cs_err err = node_file_size(&file, &size, why);
	if (err == CS_OK && size == sizeof bytes)
		err = node_file_read(&file, 0, bytes, sizeof bytes, why);
	node_file_close(&file);
	CS_TRY(err);
	if (size == sizeof bytes) {
		memcpy(read.b, bytes, sizeof read.b);
		encode(expected, &read);
	}
	if (size != sizeof bytes || memcmp(bytes, expected, sizeof bytes) != 0)
		return cs_fail(why, CS_ERR_DAMAGED,
			       NAME " does not read: which genesis the data began with is not "
				    "known");
	*hash = read;
	return CS_OK;
}

enum cs_err node_genesis_keep(struct node_folder *folder, const struct cs_hash *hash, bool fresh,
			      struct cs_why *why)
{
	struct cs_hash kept;
	uint8_t bytes[SIZE];
	enum cs_err err = load(&kept, folder, why);
	if (err == CS_OK && cs_hash_eq(&kept, hash))
		return CS_OK;
	if (err == CS_OK && !fresh)
		return cs_fail(why, CS_ERR_CONFLICT,
			       "the data began with another genesis than genesis.json: bring that "
			       "one back, or begin with an empty data folder");
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		return err;
	encode(bytes, hash);
	return node_folder_put(folder, NAME, CS_BYTES_OF(bytes), why);
}
