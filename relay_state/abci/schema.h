/* The messages of ABCI as tables: which field of which struct has which number on the wire. For the
 * codec alone. */
#ifndef ABCI_SCHEMA_H
#define ABCI_SCHEMA_H

#include "relay_state/abci/messages.h"

enum abci_kind {
	ABCI_KIND_U64,
	ABCI_KIND_I64,
	ABCI_KIND_U32,
	ABCI_KIND_I32,
	ABCI_KIND_BOOL,
	ABCI_KIND_ENUM,     /* 32 bits, at most max */
	ABCI_KIND_BYTES,    /* string and bytes */
	ABCI_KIND_TIME,     /* google.protobuf.Timestamp, not nullable */
	ABCI_KIND_DURATION, /* google.protobuf.Duration, not nullable, in nanoseconds */
	ABCI_KIND_MESSAGE,  /* not nullable: inside the struct, always on the wire */
	ABCI_KIND_POINTER,  /* nullable */
	ABCI_KIND_KEY,      /* the oneof of PublicKey */
	ABCI_KIND_BYTES_LIST,
	ABCI_KIND_U32_LIST, /* packed, as proto3 writes it; read either way */
	ABCI_KIND_MESSAGE_LIST,
};

struct abci_schema;

struct abci_field {
	enum abci_kind kind;
	uint32_t number;
	size_t offset;
	uint32_t max;                     /* of ABCI_KIND_ENUM */
	const struct abci_schema *schema; /* of messages */
};

struct abci_schema {
	const char *name; /* for refusals */
	size_t size;      /* of the struct */
	size_t field_count;
	const struct abci_field *fields; /* by ascending number */
};

/* Fields of one message: FinalizeBlock and CheckTx have the most. */
#define ABCI_FIELDS_MAX 10u
/* The shape of every list. */
struct abci_any_list {
	const void *items;
	size_t count;
};

/* The content of a question and of its answer; NULL for a number that is no method. The schema of
 * what has no content has no fields. */
const struct abci_schema *abci_request_schema(uint32_t method);
const struct abci_schema *abci_response_schema(uint32_t method);
const struct abci_schema *abci_validator_update_schema(void);

#endif
