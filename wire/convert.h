/* Between the schema's messages and the envelope's plain structures. From a decoded message nothing
 * can fail but the range of an enumeration or a count: sizes were checked by wire_decode. */
#ifndef WIRE_CONVERT_H
#define WIRE_CONVERT_H

#include "wire/decode.h"
#include "wire/envelope.h"

/* INVALID for a finality above 255. */
CS_NODISCARD enum cs_err wire_head_from_pb(struct wire_message_head *out,
					   const Caisson__Wire__MessageHead *pb);
/* The parts are views into pb; the head's hashes are not compared (wire_message_check). */
CS_NODISCARD enum cs_err wire_message_from_pb(struct wire_message *out,
					      const Caisson__Wire__MessageFull *pb);
/* INVALID unless delivered or dead. */
CS_NODISCARD enum cs_err wire_outcome_from_pb(struct wire_outcome *out,
					      const Caisson__Wire__Outcome *pb);
/* INVALID for a kind outside the table. */
CS_NODISCARD enum cs_err wire_signed_from_pb(struct wire_signed *out,
					     const Caisson__Wire__Statement *pb);

/* The other way: *pb is initialised and points into the arena, copies included. NO_MEMORY. */
CS_NODISCARD enum cs_err wire_head_to_pb(Caisson__Wire__MessageHead *pb,
					 const struct wire_message_head *head,
					 struct cs_arena *arena);
CS_NODISCARD enum cs_err wire_message_to_pb(Caisson__Wire__MessageFull *pb,
					    const struct wire_message *message,
					    struct cs_arena *arena);
CS_NODISCARD enum cs_err wire_outcome_to_pb(Caisson__Wire__Outcome *pb,
					    const struct wire_outcome *outcome,
					    struct cs_arena *arena);
CS_NODISCARD enum cs_err wire_signed_to_pb(Caisson__Wire__Statement *pb,
					   const struct wire_signed *statement,
					   struct cs_arena *arena);

/* A bytes field: a copy in the arena; data is NULL when there is no room. */
ProtobufCBinaryData wire_pb_bytes(struct cs_arena *arena, struct cs_bytes bytes);
static inline struct cs_bytes wire_pb_view(ProtobufCBinaryData data)
{
	return cs_bytes(data.data, data.len);
}
/* Of a field whose size the schema fixes at 32. */
static inline struct cs_hash wire_pb_hash(ProtobufCBinaryData data)
{
	struct cs_hash hash;
	cs_assert(data.len == sizeof hash.b);
	__builtin_memcpy(hash.b, data.data, sizeof hash.b);
	return hash;
}

#endif
