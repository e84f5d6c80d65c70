#include "relay_state/node/statesync_message.h"

#include "core/pb.h"

#include <string.h>

#define SNAPSHOT_SIZE_MAX (NODE_SNAPSHOT_METADATA_SIZE_MAX + NODE_SNAPSHOT_HASH_SIZE_MAX + 64u)

size_t node_statesync_size_max(const struct node_statesync_message *m)
{
	size_t size = m->bytes.n + m->evidence.n + 64;
	for (size_t i = 0; i < m->snapshot_count; i++)
		size += m->snapshots[i].hash.n + m->snapshots[i].metadata.n + 64;
	return size;
}

static void put_snapshot(struct cs_buf *buf, const struct abci_snapshot *s)
{
	size_t begin = cs_pb_begin(buf, 1);
	cs_pb_put_uint(buf, 1, s->height);
	cs_pb_put_uint(buf, 2, s->format);
	cs_pb_put_uint(buf, 3, s->chunks);
	cs_pb_put_bytes(buf, 4, s->hash);
	cs_pb_put_bytes(buf, 5, s->metadata);
	cs_pb_end(buf, begin);
}

static bool is_of_chunk(enum node_statesync_type type)
{
	return type == NODE_CHUNK_REQUEST || type == NODE_CHUNK_ANSWER;
}

void node_statesync_encode(struct cs_buf *buf, const struct node_statesync_message *m)
{
	size_t begin = cs_pb_begin(buf, m->type);
	if (m->type == NODE_SNAPSHOTS_ANSWER) {
		for (size_t i = 0; i < m->snapshot_count; i++)
			put_snapshot(buf, &m->snapshots[i]);
	} else if (m->type != NODE_SNAPSHOTS_REQUEST) {
		cs_pb_put_uint(buf, 1, m->height);
		if (is_of_chunk(m->type)) {
			cs_pb_put_uint(buf, 2, m->format);
			cs_pb_put_uint(buf, 3, m->index);
		}
		if (m->type == NODE_CHUNK_ANSWER)
			cs_pb_put_uint(buf, 4, m->is_missing);
		cs_pb_put_bytes(buf, 5, m->bytes);
		if (m->type == NODE_LIGHT_ANSWER)
			cs_pb_put_bytes(buf, 6, m->evidence);
	}
	cs_pb_end(buf, begin);
}

static void get_snapshot(struct abci_snapshot *s, struct cs_pb *outer, struct cs_bytes bytes)
{
	struct cs_pb pb;
	cs_pb_open(&pb, bytes);
	s->height = cs_pb_uint(&pb, 1, INT64_MAX - 2);
	s->format = (uint32_t)cs_pb_uint(&pb, 2, UINT32_MAX);
	s->chunks = (uint32_t)cs_pb_uint(&pb, 3, NODE_SNAPSHOT_CHUNKS_MAX);
	s->hash = cs_pb_bytes(&pb, 4, NODE_SNAPSHOT_HASH_SIZE_MAX);
	s->metadata = cs_pb_bytes(&pb, 5, NODE_SNAPSHOT_METADATA_SIZE_MAX);
	if (s->height == 0 || s->chunks == 0 || s->hash.n == 0)
		cs_pb_fail(&pb, CS_ERR_INVALID);
	cs_pb_leave(outer, &pb);
}

static size_t bytes_max(enum node_statesync_type type)
{
	if (type == NODE_CHUNK_ANSWER)
		return NODE_CHUNK_SIZE_MAX;
	if (type == NODE_LIGHT_ANSWER)
		return NODE_LIGHT_BLOCK_SIZE_MAX;
	return type == NODE_STATE_ANSWER ? BFT_STATE_SIZE_MAX : 0;
}

static void get_body(struct node_statesync_message *m, struct cs_pb *pb)
{
	struct cs_bytes element;
	if (m->type == NODE_SNAPSHOTS_REQUEST)
		return;
	if (m->type == NODE_SNAPSHOTS_ANSWER) {
		while (m->snapshot_count < NODE_SNAPSHOTS_PER_PEER &&
		       cs_pb_element(pb, 1, &element, SNAPSHOT_SIZE_MAX))
			get_snapshot(&m->snapshots[m->snapshot_count++], pb, element);
		if (cs_pb_is_next(pb, 1))
			cs_pb_fail(pb, CS_ERR_TOO_LARGE);
		return;
	}
	m->height = cs_pb_uint(pb, 1, INT64_MAX - 2);
	if (m->height == 0)
		cs_pb_fail(pb, CS_ERR_INVALID);
	if (is_of_chunk(m->type)) {
		m->format = (uint32_t)cs_pb_uint(pb, 2, UINT32_MAX);
		m->index = (uint32_t)cs_pb_uint(pb, 3, NODE_SNAPSHOT_CHUNKS_MAX - 1);
	}
	if (m->type == NODE_CHUNK_ANSWER)
		m->is_missing = cs_pb_bool(pb, 4);
	if (bytes_max(m->type) > 0)
		m->bytes = cs_pb_bytes(pb, 5, bytes_max(m->type));
	if (m->type == NODE_LIGHT_ANSWER)
		m->evidence = cs_pb_bytes(pb, 6, NODE_EVIDENCE_LIST_SIZE_MAX);
	if (m->evidence.n > 0 && m->bytes.n == 0)
		cs_pb_fail(pb, CS_ERR_INVALID);
	if (m->is_missing && m->bytes.n > 0)
		cs_pb_fail(pb, CS_ERR_INVALID);
}

enum cs_err node_statesync_decode(struct node_statesync_message *out, struct cs_bytes bytes)
{
	struct node_statesync_message m;
	struct cs_pb pb, body;
	memset(&m, 0, sizeof m);
	cs_pb_open(&pb, bytes);
	for (uint32_t type = NODE_SNAPSHOTS_REQUEST; type <= NODE_STATE_ANSWER && m.type == 0;
	     type++) {
		if (!cs_pb_is_next(&pb, type))
			continue;
		m.type = (enum node_statesync_type)type;
		cs_pb_enter_required(&pb, type, &body);
		get_body(&m, &body);
		cs_pb_leave(&pb, &body);
	}
	if (m.type == 0)
		cs_pb_fail(&pb, CS_ERR_UNSUPPORTED);
	CS_TRY(cs_pb_close(&pb));
	*out = m;
	return CS_OK;
}

bool node_statesync_nothing(struct node_statesync_message *answer,
			    const struct node_statesync_message *m)
{
	struct node_statesync_message a = {
		.height = m->height, .format = m->format, .index = m->index};
	if (m->type != NODE_SNAPSHOTS_REQUEST && m->type != NODE_CHUNK_REQUEST &&
	    m->type != NODE_LIGHT_REQUEST && m->type != NODE_STATE_REQUEST)
		return false;
	/* Each answer's number is its question's and one. */
	a.type = (enum node_statesync_type)(m->type + 1);
	a.is_missing = a.type == NODE_CHUNK_ANSWER;
	*answer = a;
	return true;
}
