/* The bounds of the schema as a table, generated from the comments of the schemas by
 * tools/wire_bounds.py. */
#ifndef WIRE_BOUNDS_H
#define WIRE_BOUNDS_H

#include "core/bytes.h"

struct wire_bound {
	uint32_t id;        /* field number */
	uint32_t count_max; /* elements of a repeated field; 1 otherwise */
	uint32_t size_min;  /* of bytes and strings; equal to size_max when the size is fixed */
	uint32_t size_max;
	bool required; /* a singular message that must be there */
};

struct wire_message_bounds {
	const void *descriptor; /* ProtobufCMessageDescriptor */
	const struct wire_bound *fields;
	size_t field_count;
};

extern const struct wire_message_bounds wire_bounds[];
extern const size_t wire_bounds_count;

#endif
