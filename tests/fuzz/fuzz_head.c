/* The head of a response, line by line, and where its Location leads. */
#include "enclave/fetch/head.h"
#include "enclave/fetch/place.h"
#include "tests/fuzz/fuzz.h"

static void check_redirect(const struct head *head)
{
	const struct place from = {"api.example.org", 443, "/v1/a?b=c"};
	struct place to;
	if (!head->has_location || !place_redirect(&to, &from, head->location))
		return;
	cs_assert(place_host_is_well_formed(cs_bytes_str(to.host)));
	cs_assert(place_target_is_well_formed(cs_bytes_str(to.target)) && to.port != 0);
	char url[PLACE_URL_SIZE_MAX + 1];
	place_url(url, &to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head head = {.size = 0};
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		const size_t n = end == NULL ? size : (size_t)(end - data) + 1;
		const size_t before = head.size;
		if (head_line(&head, cs_bytes(data, n), 1u << 20) != WIRE_ORACLE_OK)
			return 0;
		cs_assert(head.size == before + n && head.size <= FETCH_HEAD_SIZE_MAX);
		cs_assert(!head.ended ||
			  (head.status >= 200 && !(head.has_length && head.chunked)));
		cs_assert(!head.has_length || head.length <= 1u << 20);
		data += n;
		size -= n;
	}
	check_redirect(&head);
	return 0;
}
