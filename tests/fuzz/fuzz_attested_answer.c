/* What `caisson attest connect` prints of a peer, in which the peer has its words: whatever it is, one of three
 * answers, with a reason that a log may show; accepted is only what a status of that kind came with, and nothing but
 * it brings keys. The first byte is the exit status. */
#include "gateway/attested_state.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* In one line, without what moves a terminal. */
static void plain(const char *text, size_t room)
{
	const size_t n = strnlen(text, room);
	cs_assert(n < room);
	for (size_t i = 0; i < n; i++)
		cs_assert((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gateway_attested_verdict verdict;
	static struct gateway_attested_peer peer;
	struct gateway_attested_time now = {.now_ms = 1000, .wall_ms = 1000};
	if (size == 0 || size > 65536)
		return 0;
	const int status = data[0] - '0';
	fuzz_fill(&verdict, sizeof(verdict));
	gateway_attested_read(&verdict, status, cs_bytes(data + 1, size - 1));
	plain(verdict.why, sizeof(verdict.why));
	plain(verdict.kind, sizeof(verdict.kind));
	cs_assert(verdict.answer < GATEWAY_ANSWER_COUNT);
	const bool accepted = verdict.answer == GATEWAY_ANSWER_ACCEPTED;
	cs_assert(accepted == (verdict.why[0] == 0));
	cs_assert(verdict.key_count <= (accepted ? GATEWAY_ATTESTED_KEYS_MAX : 0));
	cs_assert(!verdict.insecure || accepted);
	/* 6: refused, 7: nothing can be said; 1, 2 and whatever else: no verdict. */
	cs_assert(!accepted || (status != 1 && status != 2 && status >= 0 && status < 6));

	memset(&peer, 0, sizeof(peer));
	gateway_attested_begin(&peer, now);
	gateway_attested_asked(&peer, now);
	gateway_attested_told(&peer, &verdict, 60000, now);
	cs_assert(gateway_attested_allows(&peer, now) == accepted);
	now.now_ms += GATEWAY_ATTESTED_KEEP_MS;
	cs_assert(!gateway_attested_allows(&peer, now));
	return 0;
}
