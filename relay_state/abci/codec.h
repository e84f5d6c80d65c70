/* ABCI's messages to and from bytes, as CometBFT's gogoproto writes them, and the frames that carry
 * them over a socket: an unsigned varint length, then Request or Response. Knows nothing of
 * sockets, and judges the form of a message alone.
 *
 * Written is the canonical form: fields in ascending order, zeros left out, submessages that are
 * not nullable always there, even when empty (gogoproto; a header of all zeros still has its
 * timestamp). Read is what any encoder of protobuf may write: any order, zeros that are there,
 * fields of later versions, which are skipped. Refused are a singular field that is there twice, a
 * oneof that is not one, and whatever does not parse. */
#ifndef ABCI_CODEC_H
#define ABCI_CODEC_H

#include "relay_state/abci/messages.h"

/* The body of a frame. CometBFT reads up to 2 GiB; its default blocks are 21 MiB (v0.38) and 53 MiB
 * (v0.40), chunks of snapshots 16 MiB. */
#define ABCI_FRAME_SIZE_MAX (64u * 1024 * 1024)
/* Bytes of the length of such a body. */
#define ABCI_FRAME_HEAD_SIZE_MAX 4u
/* Elements of one list: a full block of the smallest transactions (21 MiB of 1 + 2 bytes) has
 * seven millions; what an arena has room for ends it earlier. */
#define ABCI_LIST_MAX (8u * 1024 * 1024)

/* The body's size, when enough of the frame is there to know it: TRUNCATED otherwise. TOO_LARGE
 * above size_max, NON_CANONICAL for a length in more bytes than it needs. */
CS_NODISCARD enum cs_err abci_frame_open(size_t *head_size, size_t *body_size,
					 struct cs_bytes bytes, size_t size_max);

/* Bytes of the whole frame: TOO_LARGE when the body is above ABCI_FRAME_SIZE_MAX, INVALID for a
 * time that protobuf cannot hold or a method that is none. */
CS_NODISCARD enum cs_err abci_request_size(const struct abci_request *request, size_t *size);
CS_NODISCARD enum cs_err abci_response_size(const struct abci_response *response, size_t *size);
/* The frame into the buffer. The errors of size; TOO_LARGE too when the buffer has no room, which
 * fails it. */
CS_NODISCARD enum cs_err abci_request_encode(struct cs_buf *buf,
					     const struct abci_request *request);
CS_NODISCARD enum cs_err abci_response_encode(struct cs_buf *buf,
					      const struct abci_response *response);

/* From the body of a frame. Byte strings are views into it, lists and nullable messages lie in the
 * arena. UNSUPPORTED: a field of the oneof that is no method; MISSING_FIELD: none is there; DUPLICATE;
 * OVERFLOW: a number above its type, or an enumeration's; NO_MEMORY: the arena is full; TOO_LARGE:
 * ABCI_LIST_MAX; MALFORMED, TRUNCATED, NON_CANONICAL as core/pb. */
CS_NODISCARD enum cs_err abci_request_decode(struct abci_request *request, struct cs_arena *arena,
					     struct cs_bytes body, struct cs_why *why);
CS_NODISCARD enum cs_err abci_response_decode(struct abci_response *response,
					      struct cs_arena *arena, struct cs_bytes body,
					      struct cs_why *why);

/* One validator update as CometBFT writes it where it stands alone: its kvstore keeps validators
 * so. */
CS_NODISCARD enum cs_err abci_validator_update_encode(struct cs_buf *buf,
						      const struct abci_validator_update *update);

#endif
