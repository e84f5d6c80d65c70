/* A stream of server-sent events, as libcaisson reads it from a gateway that is anybody: told whole and cut anywhere
 * it is the same events, or too large in the same place; nothing is told of an event without id or data. The first
 * byte says how large the pieces are. */
#include "core/hash.h"
#include "sdk/c/src/inner.h"
#include "tests/fuzz/fuzz.h"

struct heard {
	struct cs_keccak keccak;
	size_t count;
	size_t count_max; /* the reader wants no more */
};

static bool on_told(void *context, struct cs_bytes data)
{
	struct heard *heard = context;
	cs_assert(data.n <= EVENT_SIZE_MAX);
	cs_keccak_add(&heard->keccak, cs_bytes(&data.n, sizeof(data.n)));
	cs_keccak_add(&heard->keccak, data);
	return ++heard->count < heard->count_max;
}

struct end {
	bool good;
	bool too_large;
	size_t count;
	struct cs_hash hash;
};

static struct end feed(struct cs_bytes stream, size_t piece)
{
	static struct sse sse;
	struct heard heard = {.count = 0, .count_max = 64};
	struct end end = {.good = true};
	memset(&sse, 0, sizeof(sse));
	cs_keccak_init(&heard.keccak);
	for (size_t at = 0; at < stream.n && end.good; at += piece) {
		const size_t left = stream.n - at;
		end.good = sse_feed(&sse, cs_bytes(stream.p + at, left < piece ? left : piece),
				    on_told, &heard, &end.too_large);
	}
	cs_assert(!end.too_large || !end.good);
	cs_assert(end.good || end.too_large || heard.count == heard.count_max);
	end.count = heard.count;
	end.hash = cs_keccak_end(&heard.keccak);
	return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Lines and events above their bound are reached too. */
	if (size == 0 || size > 3 * EVENT_SIZE_MAX)
		return 0;
	const struct cs_bytes stream = cs_bytes(data + 1, size - 1);
	const struct end whole = feed(stream, stream.n);
	const struct end cut = feed(stream, 1 + (size_t)data[0] % 64);
	cs_assert(whole.good == cut.good && whole.too_large == cut.too_large);
	cs_assert(whole.count == cut.count && cs_hash_eq(&whole.hash, &cut.hash));
	return 0;
}
