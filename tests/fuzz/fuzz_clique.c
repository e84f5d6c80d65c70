/* A Clique client of four signers and epochs of four blocks, fed with headers that the input
 * describes in eight bytes each: on which header, by which key, which vote, what turn; or with the
 * rest of the input as it is. */
#include "tests/fuzz/evm_headers.h"

struct made {
	struct fuzz_header header;
	struct cs_hash hash;
};

static const uint8_t vanity[32];

static size_t put_extra(uint8_t extra[1024], const struct fuzz_world *w, uint8_t signers)
{
	size_t n = sizeof vanity;
	memcpy(extra, vanity, n);
	for (size_t i = 0; i < FUZZ_KEYS; i++)
		if (signers >> i & 1) {
			memcpy(extra + n, w->who[i].b, 20);
			n += 20;
		}
	return n;
}

static struct cs_bytes make(struct fuzz_world *w, struct made *m, const uint8_t op[8],
			    uint8_t raw[2048])
{
	uint8_t extra[1024];
	size_t n = put_extra(extra, w, op[6]);
	struct cs_hash digest;
	struct cs_buf buf;
	m->header.difficulty = op[2] & 3;
	m->header.nonce = op[3] & 1 ? UINT64_MAX : op[3] & 2;
	m->header.coinbase = (struct cs_address){{0}};
	if (op[4] % 8 < FUZZ_KEYS)
		m->header.coinbase = w->who[op[4] % 8];
	m->header.time_s += op[5] & 7;
	m->header.state_root.b[0] = op[7];
	m->header.number++;
	digest = fuzz_header_hash(&m->header, cs_bytes(extra, n));
	fuzz_seal(w, extra + n, op[1] % FUZZ_KEYS, &digest);
	cs_buf_init(&buf, raw, 2048);
	fuzz_put_header(&buf, &m->header, cs_bytes(extra, n + 65));
	cs_assert(cs_buf_end(&buf) == CS_OK);
	m->hash = cs_keccak256(cs_buf_view(&buf));
	return cs_buf_view(&buf);
}

static struct fuzz_world *begin(struct made *first, struct verify_time *now)
{
	struct verify_evm_config config = {.mode = VERIFY_EVM_CLIQUE,
					   .anchor_age_max_s = 1000,
					   .trusting_period_s = 1000,
					   .epoch_length = 4,
					   .period_s = 1,
					   .window = 8};
	struct fuzz_world *w = fuzz_world(&config);
	uint8_t extra[1024], memory[2048];
	struct cs_buf buf;
	size_t n = put_extra(extra, w, 0x0f);
	memset(extra + n, 0, 65);
	first->header = (struct fuzz_header){.difficulty = 1, .time_s = FUZZ_TIME};
	cs_buf_init(&buf, memory, sizeof memory);
	fuzz_put_header(&buf, &first->header, cs_bytes(extra, n + 65));
	first->hash = config.anchor_hash = cs_keccak256(cs_buf_view(&buf));
	w = fuzz_world(&config);
	cs_assert(verify_client_create(&w->client, cs_buf_view(&buf), now, NULL) == CS_OK);
	return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_time now = {FUZZ_TIME, FUZZ_TIME + 300};
	struct made made[FUZZ_HEADERS_MAX];
	struct verify_status before;
	struct fuzz_world *w = begin(&made[0], &now);
	uint8_t raw[2048];
	size_t count = 1, accepted;
	while (size >= 8 && count < FUZZ_HEADERS_MAX) {
		const struct made *parent = &made[count - 1 - data[0] % (count < 8 ? count : 8)];
		struct cs_bytes header;
		made[count] = *parent;
		made[count].header.parent = parent->hash;
		header = make(w, &made[count++], data, raw);
		verify_client_status(&w->client, &before);
		(void)!verify_client_update(&w->client, &header, 1, &now, &accepted, NULL);
		/* Decoding forgets what is pending: seldom, so that chains grow too. */
		if (data[7] == 0xff)
			fuzz_check_client(w, &before);
		data += 8;
		size -= 8;
	}
	verify_client_status(&w->client, &before);
	(void)!verify_client_update(&w->client, &(struct cs_bytes){data, size}, 1, &now, &accepted,
				    NULL);
	fuzz_check_client(w, &before);
	return 0;
}
