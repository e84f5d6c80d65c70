/* An output buffer over memory of the caller, born with its ceiling. The first write that does not
 * fit fails it for good: one check at the end is enough, and what is in a failed buffer is never
 * used. */
#ifndef CS_BUF_H
#define CS_BUF_H

#include "core/arena.h"

struct cs_buf {
	uint8_t *p;
	size_t n;
	size_t size_max;
	bool failed;
};

void cs_buf_init(struct cs_buf *buf, void *memory, size_t size_max);
/* NO_MEMORY when the arena has no size_max bytes left. */
CS_NODISCARD enum cs_err cs_buf_init_arena(struct cs_buf *buf, struct cs_arena *arena,
					   size_t size_max);

void cs_put(struct cs_buf *buf, struct cs_bytes bytes);
void cs_put_u8(struct cs_buf *buf, uint8_t value);
void cs_put_u16(struct cs_buf *buf, uint16_t value);
void cs_put_u32(struct cs_buf *buf, uint32_t value);
void cs_put_u64(struct cs_buf *buf, uint64_t value);
/* A 32-byte big-endian word. */
void cs_put_word_u64(struct cs_buf *buf, uint64_t value);
void cs_put_word(struct cs_buf *buf, const struct cs_hash *word);
void cs_put_zeros(struct cs_buf *buf, size_t n);
/* Formatted text without its end. */
void cs_put_text(struct cs_buf *buf, const char *format, ...) CS_PRINTF(2, 3);

struct cs_bytes cs_buf_view(const struct cs_buf *buf);
/* TOO_LARGE when any write did not fit. */
CS_NODISCARD enum cs_err cs_buf_end(const struct cs_buf *buf);

#endif
