/* Any bytes as ERC-7930 and as CAIP-2 text: what is accepted is written again to the same bytes. */
#include "core/caip.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes bytes = cs_bytes(data, size);
	struct cs_interop interop;
	struct cs_caip2 caip2;
	struct cs_address address;
	struct cs_buf buf;
	uint8_t memory[CS_INTEROP_SIZE_MAX];
	uint64_t chain_id;
	if (cs_interop_decode(&interop, bytes) == CS_OK) {
		cs_buf_init(&buf, memory, sizeof memory);
		cs_interop_encode(&buf, &interop);
		fuzz_same(&buf, bytes);
	}
	if (cs_interop_eip155(&chain_id, &address, bytes) == CS_OK) {
		cs_buf_init(&buf, memory, sizeof memory);
		cs_interop_encode_eip155(&buf, chain_id, &address);
		fuzz_same(&buf, bytes);
	}
	struct cs_account account;
	if (cs_interop_account(&account, bytes) == CS_OK) {
		cs_buf_init(&buf, memory, sizeof memory);
		cs_assert(cs_interop_encode_account(&buf, account.caip2, &account.address) ==
			  CS_OK);
		fuzz_same(&buf, bytes);
	}
	if (cs_caip10_parse(&account, bytes) == CS_OK) {
		struct cs_account again;
		char written[CS_CAIP10_SIZE_MAX + 1];
		cs_caip10_write(written, &account);
		cs_assert(cs_caip10_parse(&again, cs_bytes_str(written)) == CS_OK &&
			  cs_address_eq(&again.address, &account.address));
	}
	if (cs_caip2_parse(&caip2, bytes) == CS_OK)
		cs_assert(caip2.namespace.n + 1 + caip2.reference.n == size &&
			  size <= CS_CAIP2_SIZE_MAX);
	if (cs_caip2_eip155(&chain_id, bytes) == CS_OK) {
		char text[CS_CAIP2_SIZE_MAX + 1];
		cs_caip2_write_eip155(text, chain_id);
		cs_assert(cs_bytes_eq(cs_bytes_str(text), bytes));
	}
	return 0;
}
