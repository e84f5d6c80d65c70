/* A stream of frames, each as a question and as an answer: what is accepted has one canonical form
 * that is read again to the same. */
#include "relay_state/abci/codec.h"
#include "tests/fuzz/fuzz.h"

/* Fields in any order, zeros that are there and unknown fields may shrink; nothing grows, but for
 * what is not nullable and absent, which takes two bytes a place. */
static _Alignas(16) uint8_t first[8 * 1024 * 1024];
static uint8_t second[sizeof first];

static void write_request(struct cs_buf *buf, void *memory, const struct abci_request *request)
{
	size_t size;
	cs_assert(abci_request_size(request, &size) == CS_OK && size <= sizeof first);
	cs_buf_init(buf, memory, size);
	cs_assert(abci_request_encode(buf, request) == CS_OK && buf->n == size);
}

static void write_response(struct cs_buf *buf, void *memory, const struct abci_response *response)
{
	size_t size;
	cs_assert(abci_response_size(response, &size) == CS_OK && size <= sizeof first);
	cs_buf_init(buf, memory, size);
	cs_assert(abci_response_encode(buf, response) == CS_OK && buf->n == size);
}

static struct cs_bytes body_of(const struct cs_buf *buf)
{
	size_t head_size, body_size;
	struct cs_bytes frame = cs_buf_view(buf);
	cs_assert(abci_frame_open(&head_size, &body_size, frame, ABCI_FRAME_SIZE_MAX) == CS_OK);
	cs_assert(head_size + body_size == frame.n);
	return cs_bytes(frame.p + head_size, body_size);
}

static void as_request(struct cs_bytes body)
{
	struct cs_arena *arena = fuzz_arena();
	struct abci_request request;
	struct cs_buf a, b;
	fuzz_fill(&request, sizeof request);
	if (abci_request_decode(&request, arena, body, NULL) != CS_OK) {
		fuzz_untouched(&request, sizeof request);
		return;
	}
	cs_assert(abci_method_name(request.method) != NULL);
	write_request(&a, first, &request);
	cs_assert(abci_request_decode(&request, arena, body_of(&a), NULL) == CS_OK);
	write_request(&b, second, &request);
	fuzz_same(&b, cs_buf_view(&a));
}

static void as_response(struct cs_bytes body)
{
	struct cs_arena *arena = fuzz_arena();
	struct abci_response response;
	struct cs_buf a, b;
	fuzz_fill(&response, sizeof response);
	if (abci_response_decode(&response, arena, body, NULL) != CS_OK) {
		fuzz_untouched(&response, sizeof response);
		return;
	}
	cs_assert(abci_method_name(response.method) != NULL);
	write_response(&a, first, &response);
	cs_assert(abci_response_decode(&response, arena, body_of(&a), NULL) == CS_OK);
	write_response(&b, second, &response);
	fuzz_same(&b, cs_buf_view(&a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes rest = cs_bytes(data, size);
	size_t head_size, body_size;
	/* Arenas would rightly refuse what long inputs unfold to. */
	while (rest.n <= 64 * 1024 &&
	       abci_frame_open(&head_size, &body_size, rest, 64 * 1024) == CS_OK) {
		if (body_size > rest.n - head_size)
			return 0;
		as_request(cs_bytes(rest.p + head_size, body_size));
		as_response(cs_bytes(rest.p + head_size, body_size));
		rest = cs_bytes(rest.p + head_size + body_size, rest.n - head_size - body_size);
	}
	return 0;
}
