/* The frames of tests/vectors/abci: one line of JSON each, and the memory that tests read into. */
#ifndef TESTS_UNIT_ABCI_FRAMES_H
#define TESTS_UNIT_ABCI_FRAMES_H

#include "relay_state/abci/codec.h"
#include "tests/unit/support.h"

struct frame {
	bool is_request;
	unsigned connection; /* of recorded ones */
	const char *name;    /* of filled ones, with their mode */
	const char *mode;
	struct cs_bytes body;
};

struct frames {
	struct frame items[512];
	size_t count;
};

static inline const char *text_or_empty(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));
	return text == NULL ? "" : memcpy(keep(strlen(text)), text, strlen(text));
}

static inline struct frames *read_frames(const char *path)
{
	struct frames *frames = keep(sizeof *frames);
	struct cs_bytes file = read_file(path);
	size_t at = 0;
	while (at < file.n) {
		const uint8_t *end = memchr(file.p + at, '\n', file.n - at);
		assert_non_null(end);
		json_error_t error;
		json_t *line = json_loadb((const char *)file.p + at, (size_t)(end - file.p) - at, 0,
					  &error);
		if (line == NULL)
			fail_msg("%s: %s", path, error.text);
		assert_true(frames->count < CS_LEN(frames->items));
		frames->items[frames->count++] = (struct frame){
			.is_request = strcmp(text_of(line, "dir"), "req") == 0,
			.connection = (unsigned)json_integer_value(json_object_get(line, "conn")),
			.name = text_or_empty(line, "name"),
			.mode = text_or_empty(line, "mode"),
			.body = bytes_of(line, "hex"),
		};
		json_decref(line);
		at = (size_t)(end - file.p) + 1;
	}
	return frames;
}

/* Empty again at each call; what was read before is gone. */
static inline struct cs_arena *fresh_arena(void)
{
	static _Alignas(16) uint8_t block[1024 * 1024];
	static struct cs_arena arena;
	if (arena.block == NULL)
		cs_arena_init(&arena, block, sizeof block);
	else
		cs_arena_rewind(&arena, 0);
	return &arena;
}

/* The body of the one frame in the buffer. */
static inline struct cs_bytes frame_body(const struct cs_buf *buf)
{
	size_t head_size, body_size;
	struct cs_bytes frame = cs_buf_view(buf);
	assert_ok(abci_frame_open(&head_size, &body_size, frame, ABCI_FRAME_SIZE_MAX));
	assert_int_equal(head_size + body_size, frame.n);
	return cs_bytes(frame.p + head_size, body_size);
}

static inline struct cs_bytes encoded_request(const struct abci_request *request)
{
	struct cs_buf buf;
	size_t size;
	assert_ok(abci_request_size(request, &size));
	cs_buf_init(&buf, keep(size), size);
	assert_ok(abci_request_encode(&buf, request));
	assert_int_equal(buf.n, size);
	return frame_body(&buf);
}

static inline struct cs_bytes encoded_response(const struct abci_response *response)
{
	struct cs_buf buf;
	size_t size;
	assert_ok(abci_response_size(response, &size));
	cs_buf_init(&buf, keep(size), size);
	assert_ok(abci_response_encode(&buf, response));
	assert_int_equal(buf.n, size);
	return frame_body(&buf);
}

#endif
