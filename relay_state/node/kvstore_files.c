#include "relay_state/node/kvstore_files.h"

#include "core/hash.h"
#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

#define NAME_NEW "kvstore.new"
/* Magic and version before it: abci/kvstore_snapshot.h. */
#define HEIGHT_AT 8u
#define HEAD_SIZE 16u
#define FILE_SIZE_MAX (1024u * 1024 * 1024)

static enum cs_err write_all(struct node_file *file, struct cs_bytes content, struct cs_why *why)
{
	struct cs_hash hash = cs_sha256(content);
	CS_TRY(node_file_truncate(file, 0, why));
	CS_TRY(node_file_write(file, 0, content, why));
	CS_TRY(node_file_write(file, content.n, CS_BYTES_OF(hash.b), why));
	return node_file_sync(file, why);
}

enum cs_err node_kvstore_files_put(void *context, int64_t height, struct cs_bytes content)
{
	struct node_kvstore_files *files = context;
	struct node_file file;
	struct cs_why why = {{0}};
	char name[NODE_FILE_NAME_MAX];
	uint32_t at = files->heights[0] <= files->heights[1] ? 0 : 1;
	if (files->folder == NULL)
		return CS_OK;
	CS_TRY(node_file_open(&file, files->folder, NAME_NEW, true, &why));
	enum cs_err err = write_all(&file, content, &why);
	node_file_close(&file);
	CS_TRY(err);
	node_file_name(name, NODE_KVSTORE_PREFIX, at);
	CS_TRY(node_folder_rename(files->folder, NAME_NEW, name, &why));
	files->heights[at] = height;
	return CS_OK;
}

/* CS_OK with height 0: there is none. */
static enum cs_err read_height(struct node_kvstore_files *files, uint32_t at, struct cs_why *why)
{
	struct node_file file;
	char name[NODE_FILE_NAME_MAX];
	uint8_t head[HEAD_SIZE];
	node_file_name(name, NODE_KVSTORE_PREFIX, at);
	enum cs_err err = node_file_open(&file, files->folder, name, false, why);
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	CS_TRY(err);
	err = node_file_read(&file, 0, head, sizeof head, why);
	node_file_close(&file);
	if (err == CS_OK && (int64_t)cs_be64(head + HEIGHT_AT) > 0)
		files->heights[at] = (int64_t)cs_be64(head + HEIGHT_AT);
	return err == CS_ERR_TRUNCATED ? CS_OK : err;
}

static enum cs_err load(struct node_kvstore_files *files, uint32_t at,
			struct abci_kvstore_snapshots *snapshots, struct cs_why *why)
{
	struct node_file file;
	char name[NODE_FILE_NAME_MAX];
	uint64_t size = 0;
	node_file_name(name, NODE_KVSTORE_PREFIX, at);
	CS_TRY(node_file_open(&file, files->folder, name, false, why));
	enum cs_err err = node_file_size(&file, &size, why);
	if (err == CS_OK && (size <= sizeof(struct cs_hash) || size > FILE_SIZE_MAX))
		err = CS_ERR_MALFORMED;
	uint8_t *bytes = err == CS_OK ? host_alloc(size) : NULL;
	if (err == CS_OK)
		err = node_file_read(&file, 0, bytes, size, why);
	node_file_close(&file);
	if (err == CS_OK) {
		struct cs_bytes content = cs_bytes(bytes, size - sizeof(struct cs_hash));
		struct cs_hash hash = cs_sha256(content);
		err = memcmp(hash.b, bytes + content.n, sizeof hash.b) == 0
			      ? abci_kvstore_snapshots_load(snapshots, content)
			      : CS_ERR_MALFORMED;
	}
	free(bytes);
	return err;
}

enum cs_err node_kvstore_files_load(struct node_kvstore_files *files,
				    struct abci_kvstore_snapshots *snapshots, int64_t height_max,
				    struct cs_why *why)
{
	for (uint32_t i = 0; i < NODE_KVSTORE_FILES; i++)
		CS_TRY(read_height(files, i, why));
	uint32_t newer = files->heights[0] >= files->heights[1] ? 0 : 1;
	for (uint32_t i = 0; i < NODE_KVSTORE_FILES; i++) {
		uint32_t at = i == 0 ? newer : 1 - newer;
		/* One above is of a sync that did not end, or of before a rollback. */
		if (files->heights[at] == 0 || files->heights[at] > height_max)
			continue;
		enum cs_err err = load(files, at, snapshots, why);
		if (err == CS_OK)
			return CS_OK;
		log_warn("kvstore.snapshot_unread", LOG_I64("height", files->heights[at]),
			 LOG_ERR(err));
	}
	return CS_OK;
}

enum cs_err node_kvstore_files_drop(struct node_folder *folder, int64_t height_max,
				    struct cs_why *why)
{
	struct node_kvstore_files files = {.folder = folder};
	char name[NODE_FILE_NAME_MAX];
	for (uint32_t i = 0; i < NODE_KVSTORE_FILES; i++) {
		CS_TRY(read_height(&files, i, why));
		if (files.heights[i] <= height_max)
			continue;
		node_file_name(name, NODE_KVSTORE_PREFIX, i);
		CS_TRY(node_folder_remove(folder, name, why));
	}
	return node_folder_sync(folder, why);
}
