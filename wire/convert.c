#include "wire/convert.h"

#include <string.h>

enum cs_err wire_head_from_pb(struct wire_message_head *out, const Caisson__Wire__MessageHead *pb)
{
	if (pb->finality > UINT8_MAX)
		return CS_ERR_INVALID;
	*out = (struct wire_message_head){
		.source = wire_pb_hash(pb->source),
		.destination = wire_pb_hash(pb->destination),
		.sequence = pb->sequence,
		.deadline = pb->deadline,
		.sender_hash = wire_pb_hash(pb->sender_hash),
		.recipient_hash = wire_pb_hash(pb->recipient_hash),
		.payload_hash = wire_pb_hash(pb->payload_hash),
		.min_gas_limit = pb->min_gas_limit,
		.closer = wire_pb_hash(pb->closer),
		.refund_to = wire_pb_hash(pb->refund_to),
		.finality = (uint8_t)pb->finality,
	};
	return CS_OK;
}

enum cs_err wire_message_from_pb(struct wire_message *out, const Caisson__Wire__MessageFull *pb)
{
	struct wire_message_head head;
	CS_TRY(wire_head_from_pb(&head, pb->head));
	*out = (struct wire_message){head, wire_pb_view(pb->sender), wire_pb_view(pb->recipient),
				     wire_pb_view(pb->payload)};
	return CS_OK;
}

enum cs_err wire_outcome_from_pb(struct wire_outcome *out, const Caisson__Wire__Outcome *pb)
{
	if (pb->status != WIRE_STATUS_DELIVERED && pb->status != WIRE_STATUS_DEAD)
		return CS_ERR_INVALID;
	*out = (struct wire_outcome){wire_pb_hash(pb->message_id), (enum wire_status)pb->status};
	return CS_OK;
}

enum cs_err wire_signed_from_pb(struct wire_signed *out, const Caisson__Wire__Statement *pb)
{
	if (pb->kind < WIRE_KIND_MESSAGE || pb->kind > WIRE_KIND_ANSWER)
		return CS_ERR_INVALID;
	cs_assert(pb->n_path <= CS_PATH_MAX);
	*out = (struct wire_signed){
		.statement = {(enum wire_kind)pb->kind, wire_pb_hash(pb->signer),
			      wire_pb_hash(pb->receiver), pb->epoch, pb->manifest_number,
			      wire_pb_hash(pb->root)},
		.signature = {wire_pb_hash(pb->rx), wire_pb_hash(pb->ry), wire_pb_hash(pb->s)},
		.path_count = pb->n_path,
	};
	for (size_t i = 0; i < pb->n_path; i++)
		out->path[i] = wire_pb_hash(pb->path[i]);
	return CS_OK;
}

ProtobufCBinaryData wire_pb_bytes(struct cs_arena *arena, struct cs_bytes bytes)
{
	ProtobufCBinaryData data = {bytes.n, cs_arena_alloc(arena, bytes.n)};
	if (data.data != NULL && bytes.n > 0)
		memcpy(data.data, bytes.p, bytes.n);
	return data;
}

/* Copies a word; false when the arena is used up, for good: later words then fail too. */
static bool put(ProtobufCBinaryData *field, const struct cs_hash *word, struct cs_arena *arena)
{
	*field = wire_pb_bytes(arena, CS_BYTES_OF(word->b));
	return field->data != NULL;
}

enum cs_err wire_head_to_pb(Caisson__Wire__MessageHead *pb, const struct wire_message_head *head,
			    struct cs_arena *arena)
{
	caisson__wire__message_head__init(pb);
	pb->sequence = head->sequence;
	pb->deadline = head->deadline;
	pb->min_gas_limit = head->min_gas_limit;
	pb->finality = head->finality;
	if (!put(&pb->source, &head->source, arena) ||
	    !put(&pb->destination, &head->destination, arena) ||
	    !put(&pb->sender_hash, &head->sender_hash, arena) ||
	    !put(&pb->recipient_hash, &head->recipient_hash, arena) ||
	    !put(&pb->payload_hash, &head->payload_hash, arena) ||
	    !put(&pb->closer, &head->closer, arena) ||
	    !put(&pb->refund_to, &head->refund_to, arena))
		return CS_ERR_NO_MEMORY;
	return CS_OK;
}

enum cs_err wire_message_to_pb(Caisson__Wire__MessageFull *pb, const struct wire_message *message,
			       struct cs_arena *arena)
{
	caisson__wire__message_full__init(pb);
	pb->head = cs_arena_alloc(arena, sizeof *pb->head);
	if (pb->head == NULL)
		return CS_ERR_NO_MEMORY;
	pb->sender = wire_pb_bytes(arena, message->sender);
	pb->recipient = wire_pb_bytes(arena, message->recipient);
	pb->payload = wire_pb_bytes(arena, message->payload);
	if (pb->sender.data == NULL || pb->recipient.data == NULL || pb->payload.data == NULL)
		return CS_ERR_NO_MEMORY;
	return wire_head_to_pb(pb->head, &message->head, arena);
}

enum cs_err wire_outcome_to_pb(Caisson__Wire__Outcome *pb, const struct wire_outcome *outcome,
			       struct cs_arena *arena)
{
	caisson__wire__outcome__init(pb);
	pb->status = outcome->status;
	return put(&pb->message_id, &outcome->message_id, arena) ? CS_OK : CS_ERR_NO_MEMORY;
}

enum cs_err wire_signed_to_pb(Caisson__Wire__Statement *pb, const struct wire_signed *statement,
			      struct cs_arena *arena)
{
	const struct wire_statement *body = &statement->statement;
	cs_assert(statement->path_count <= CS_PATH_MAX);
	caisson__wire__statement__init(pb);
	pb->kind = body->kind;
	pb->epoch = body->epoch;
	pb->manifest_number = body->manifest_number;
	pb->path = cs_arena_calloc(arena, CS_PATH_MAX, sizeof *pb->path);
	if (pb->path == NULL || !put(&pb->signer, &body->signer, arena) ||
	    !put(&pb->receiver, &body->receiver, arena) || !put(&pb->root, &body->root, arena) ||
	    !put(&pb->rx, &statement->signature.rx, arena) ||
	    !put(&pb->ry, &statement->signature.ry, arena) ||
	    !put(&pb->s, &statement->signature.s, arena))
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < statement->path_count; i++) {
		if (!put(&pb->path[i], &statement->path[i], arena))
			return CS_ERR_NO_MEMORY;
	}
	pb->n_path = statement->path_count;
	return CS_OK;
}
