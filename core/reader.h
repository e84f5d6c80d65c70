/* A cursor over bytes that never reads past the end. The first read that does not fit fails it for
 * good and every later one gives zeros; cs_reader_end tells, and demands that nothing is left. */
#ifndef CS_READER_H
#define CS_READER_H

#include "core/bytes.h"

struct cs_reader {
	const uint8_t *p;
	size_t left;
	bool failed;
};

void cs_reader_init(struct cs_reader *reader, struct cs_bytes bytes);
uint8_t cs_get_u8(struct cs_reader *reader);
uint16_t cs_get_u16(struct cs_reader *reader);
uint32_t cs_get_u32(struct cs_reader *reader);
uint64_t cs_get_u64(struct cs_reader *reader);
/* A view into the input; empty after a failure. */
struct cs_bytes cs_get(struct cs_reader *reader, size_t n);
/* Copies n bytes, zeros after a failure. */
void cs_get_copy(struct cs_reader *reader, void *p, size_t n);
/* TRUNCATED after a failed read, TRAILING when bytes are left. */
CS_NODISCARD enum cs_err cs_reader_end(const struct cs_reader *reader);

#endif
