#include "relay_state/node/statesync_serve.h"

#include "host/alloc.h"
#include "host/log.h"

#include <stdlib.h>
#include <string.h>

#define SCRATCH_SIZE (1024u * 1024 + NODE_LIGHT_BLOCK_SIZE_MAX + NODE_EVIDENCE_LIST_SIZE_MAX)

struct served {
	struct node_statesync_server *server;
	bool used;
	uint32_t peer;
	struct node_statesync_message answer; /* without what the application gives */
};

struct node_statesync_server {
	struct node_disk *disk;
	struct node_application *application;
	struct node_peers **peers;
	struct served served[NODE_SERVED_MAX];
	uint8_t *memory;
	struct cs_arena scratch;
};

struct node_statesync_server *node_statesync_server_new(struct node_disk *disk,
							struct node_application *application,
							struct node_peers **peers)
{
	struct node_statesync_server *server = host_alloc(sizeof *server);
	server->disk = disk;
	server->application = application;
	server->peers = peers;
	server->memory = host_alloc(SCRATCH_SIZE);
	cs_arena_init(&server->scratch, server->memory, SCRATCH_SIZE);
	for (size_t i = 0; i < NODE_SERVED_MAX; i++)
		server->served[i].server = server;
	return server;
}

void node_statesync_server_free(struct node_statesync_server *server)
{
	if (server == NULL)
		return;
	free(server->memory);
	free(server);
}

static void send(struct node_statesync_server *server, uint32_t peer,
		 const struct node_statesync_message *message)
{
	struct cs_buf buf;
	size_t size = node_statesync_size_max(message);
	uint8_t *bytes = host_alloc(size);
	cs_buf_init(&buf, bytes, size);
	node_statesync_encode(&buf, message);
	enum cs_err err = cs_buf_end(&buf);
	if (err == CS_OK)
		err = node_peers_send_sync(*server->peers, peer, cs_buf_view(&buf));
	if (err != CS_OK)
		log_debug("statesync.dropped", LOG_U64("peer", peer), LOG_ERR(err));
	free(bytes);
}

/* ---- from the application ---- */

/* What an application offers beyond the bounds would be refused at the other end. */
static void take_snapshots(struct node_statesync_message *to,
			   const struct abci_list_snapshots_response *from)
{
	for (size_t i = 0;
	     i < from->snapshots.count && to->snapshot_count < NODE_SNAPSHOTS_PER_PEER; i++) {
		const struct abci_snapshot *s = &from->snapshots.items[i];
		if (s->height > 0 && s->height <= INT64_MAX - 2 && s->chunks > 0 &&
		    s->chunks <= NODE_SNAPSHOT_CHUNKS_MAX && s->hash.n > 0 &&
		    s->hash.n <= NODE_SNAPSHOT_HASH_SIZE_MAX &&
		    s->metadata.n <= NODE_SNAPSHOT_METADATA_SIZE_MAX)
			to->snapshots[to->snapshot_count++] = *s;
		else
			log_warn("statesync.snapshot_unfit", LOG_U64("height", s->height));
	}
}

static void on_answer(void *context, enum cs_err err, const char *why,
		      const struct abci_response *response)
{
	struct served *served = context;
	struct node_statesync_message *m = &served->answer;
	(void)why; /* the node ends by the application's own failure */
	served->used = false;
	if (err != CS_OK)
		return;
	if (m->type == NODE_SNAPSHOTS_ANSWER)
		take_snapshots(m, &response->list_snapshots);
	else if (response->load_snapshot_chunk.chunk.n <= NODE_CHUNK_SIZE_MAX)
		m->bytes = response->load_snapshot_chunk.chunk;
	if (m->type == NODE_CHUNK_ANSWER)
		m->is_missing = m->bytes.n == 0;
	send(served->server, served->peer, m);
}

/* NULL: too many are open. */
static struct served *open_question(struct node_statesync_server *server, uint32_t peer)
{
	struct served *open = NULL;
	uint32_t count = 0;
	for (size_t i = 0; i < NODE_SERVED_MAX; i++) {
		struct served *s = &server->served[i];
		if (!s->used)
			open = s;
		else if (s->peer == peer)
			count++;
	}
	if (open == NULL || count >= NODE_SERVED_PER_PEER)
		return NULL;
	open->used = true;
	open->peer = peer;
	memset(&open->answer, 0, sizeof open->answer);
	return open;
}

static void ask_application(struct node_statesync_server *server, uint32_t peer,
			    const struct node_statesync_message *m)
{
	struct abci_request request = {.method = ABCI_LIST_SNAPSHOTS};
	struct served *served = open_question(server, peer);
	if (served == NULL)
		return;
	served->answer.type = NODE_SNAPSHOTS_ANSWER;
	if (m->type == NODE_CHUNK_REQUEST) {
		served->answer.type = NODE_CHUNK_ANSWER;
		served->answer.height = m->height;
		served->answer.format = m->format;
		served->answer.index = m->index;
		request.method = ABCI_LOAD_SNAPSHOT_CHUNK;
		request.load_snapshot_chunk.height = m->height;
		request.load_snapshot_chunk.format = m->format;
		request.load_snapshot_chunk.chunk = m->index;
	}
	node_application_call(server->application, &request, on_answer, served);
}

/* ---- from the disk ---- */

/* The one that the next block carries, for whoever has that block knows its hash; of the last block
 * the one that was seen. */
static enum cs_err commit_of(struct node_statesync_server *server, struct cmt_commit *commit,
			     const struct node_stored_block *stored, struct cs_why *why)
{
	struct node_store *store = node_disk_store(server->disk);
	struct node_stored_block next;
	if (stored->height == node_store_look(store).stored)
		return cmt_extended_commit_decode(commit, stored->commit, &server->scratch, why);
	CS_TRY(node_store_block(store, &next, stored->height + 1, why));
	return bft_block_last_commit(commit, next.block, &server->scratch);
}

/* Out of memory that the next block is read into. */
static enum cs_err copy_evidence(struct cs_bytes *copy, struct cs_bytes block,
				 struct cs_arena *arena)
{
	struct cs_bytes list;
	CS_TRY(bft_block_evidence(&list, block));
	if (list.n == 0)
		return CS_OK;
	*copy = cs_arena_copy(arena, list);
	return copy->p != NULL ? CS_OK : CS_ERR_NO_MEMORY;
}

static enum cs_err light_block(struct node_statesync_server *server,
			       struct node_statesync_message *answer, int64_t height,
			       struct cs_why *why)
{
	struct node_store *store = node_disk_store(server->disk);
	struct node_stored_block stored;
	struct cmt_light_block light;
	const struct cmt_validator_set *set;
	struct cs_arena *scratch = &server->scratch;
	struct cs_buf buf;
	scratch->used = 0;
	if (height < node_store_look(store).base)
		return node_disk_backfilled(server->disk, &answer->bytes, &answer->evidence,
					    height);
	CS_TRY(cs_buf_init_arena(&buf, scratch, NODE_LIGHT_BLOCK_SIZE_MAX));
	/* Not a block whose outcome is still to come: its set is not in the store. */
	if (height > node_store_look(store).height)
		return CS_ERR_NOT_FOUND;
	CS_TRY(node_store_block(store, &stored, height, why));
	CS_TRY(bft_block_header(&light.header, stored.block));
	CS_TRY(copy_evidence(&answer->evidence, stored.block, scratch));
	CS_TRY(commit_of(server, &light.commit, &stored, why));
	CS_TRY(node_disk_validators(server->disk, &set, height, why));
	light.validators = *set;
	cmt_light_block_encode(&buf, &light);
	CS_TRY(cs_buf_end(&buf));
	answer->bytes = cs_buf_view(&buf);
	return CS_OK;
}

static enum cs_err read_disk(struct node_statesync_server *server,
			     const struct node_statesync_message *m,
			     struct node_statesync_message *answer, struct cs_why *why)
{
	struct cs_bytes results;
	int64_t height = (int64_t)m->height;
	answer->height = m->height;
	if (m->type == NODE_LIGHT_REQUEST) {
		answer->type = NODE_LIGHT_ANSWER;
		return light_block(server, answer, height, why);
	}
	answer->type = NODE_STATE_ANSWER;
	return node_store_outcome(node_disk_store(server->disk), &answer->bytes, &results, height,
				  why);
}

enum cs_err node_statesync_serve(struct node_statesync_server *server, uint32_t peer,
				 struct cs_bytes bytes)
{
	struct node_statesync_message m, answer = {.height = 0};
	struct cs_why why = {{0}};
	CS_TRY(node_statesync_decode(&m, bytes));
	if (m.type == NODE_SNAPSHOTS_REQUEST || m.type == NODE_CHUNK_REQUEST) {
		ask_application(server, peer, &m);
		return CS_OK;
	}
	if (m.type != NODE_LIGHT_REQUEST && m.type != NODE_STATE_REQUEST)
		return CS_ERR_UNSUPPORTED;
	enum cs_err err = read_disk(server, &m, &answer, &why);
	if (err != CS_OK && err != CS_ERR_NOT_FOUND)
		log_error("statesync.disk", LOG_ERR(err), LOG_TEXT("why", why.text));
	if (err != CS_OK)
		answer.bytes = answer.evidence = CS_BYTES_NONE;
	send(server, peer, &answer);
	return CS_OK;
}
