/* Whatever a contract reverts with, and whatever a peer gives as a reason: one line of printable
 * ASCII within its bound. */
#include "adapters/evm/contract_error.h"
#include "host/log.h"
#include "tests/fuzz/fuzz.h"

static void check_line(const char *text, size_t size)
{
	size_t n = strnlen(text, size);
	cs_assert(n < size);
	for (size_t i = 0; i < n; i++)
		cs_assert(text[i] >= ' ' && text[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[ADAPTER_CONTRACT_ERROR_MAX] = "before";
	char small[24] = "";
	bool known = adapter_contract_error(text, sizeof(text), cs_bytes(data, size));
	check_line(text, sizeof(text));
	cs_assert(known || strcmp(text, "before") == 0);
	cs_assert(!known || (size >= 4 && strlen(text) > 0));
	cs_assert(adapter_contract_error(small, sizeof(small), cs_bytes(data, size)) == known);
	check_line(small, sizeof(small));
	enum adapter_lasts lasts = adapter_contract_refusal(text, cs_bytes(data, size));
	check_line(text, sizeof(text));
	cs_assert(lasts == ADAPTER_LASTS_PASSING || known);
	cs_assert(size >= 4 || strlen(text) > 0);
	host_plain_text(small, sizeof(small), (const char *)data, size);
	check_line(small, sizeof(small));
	return 0;
}
