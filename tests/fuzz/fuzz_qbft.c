/* A QBFT client of four validators, fed with headers that the input describes in eight bytes each:
 * on which header, which proposer, list, vote, round and seals; or with the rest of the input as
 * the extraData of a header. */
#include "tests/fuzz/evm_headers.h"

struct made {
	struct fuzz_header header;
	struct cs_hash hash;
};

struct extra {
	uint8_t validators; /* bits */
	uint8_t vote;       /* 0..5 whom, bit 3 adds, bit 4 any */
	uint64_t round;
	uint8_t seals; /* bits */
	bool repeat;   /* the first seal twice */
};

static void put_extra(struct cs_buf *buf, const struct fuzz_world *w, const struct extra *x,
		      bool hashed, const struct cs_hash *digest)
{
	static const uint8_t vanity[32], add = 0xff;
	size_t begin = cs_rlp_list_begin(buf), list;
	cs_rlp_put_bytes(buf, CS_BYTES_OF(vanity));
	list = cs_rlp_list_begin(buf);
	for (size_t i = 0; i < FUZZ_KEYS; i++)
		if (x->validators >> i & 1)
			cs_rlp_put_bytes(buf, CS_BYTES_OF(w->who[i].b));
	cs_rlp_list_end(buf, list);
	list = cs_rlp_list_begin(buf);
	if (x->vote & 16) {
		cs_rlp_put_bytes(buf, CS_BYTES_OF(w->who[(x->vote & 7) % FUZZ_KEYS].b));
		cs_rlp_put_bytes(buf, cs_bytes(&add, x->vote >> 3 & 1));
	}
	cs_rlp_list_end(buf, list);
	cs_rlp_put_u64(buf, hashed ? 0 : x->round);
	list = cs_rlp_list_begin(buf);
	for (size_t i = 0; digest && i < FUZZ_KEYS; i++)
		if (x->seals >> i & 1) {
			uint8_t seal[65];
			fuzz_seal(w, seal, i, digest);
			cs_rlp_put_bytes(buf, CS_BYTES_OF(seal));
			if (x->repeat)
				cs_rlp_put_bytes(buf, CS_BYTES_OF(seal));
		}
	cs_rlp_list_end(buf, list);
	cs_rlp_list_end(buf, begin);
}

static struct cs_hash hash_of(const struct fuzz_world *w, const struct fuzz_header *h,
			      const struct extra *x, bool hashed)
{
	uint8_t memory[1024];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	put_extra(&buf, w, x, hashed, NULL);
	return fuzz_header_hash(h, cs_buf_view(&buf));
}

static struct cs_bytes make(const struct fuzz_world *w, struct made *m, const struct extra *x,
			    uint8_t raw[4096])
{
	struct cs_hash digest = hash_of(w, &m->header, x, false);
	uint8_t memory[2048];
	struct cs_buf extra, buf;
	m->hash = hash_of(w, &m->header, x, true);
	cs_buf_init(&extra, memory, sizeof memory);
	put_extra(&extra, w, x, false, &digest);
	cs_assert(cs_buf_end(&extra) == CS_OK);
	cs_buf_init(&buf, raw, 4096);
	fuzz_put_header(&buf, &m->header, cs_buf_view(&extra));
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_buf_view(&buf);
}

static struct fuzz_world *begin(struct made *first, struct verify_time *now)
{
	static const struct cs_hash mix = {{0x63, 0x74, 0x69, 0x63, 0x61, 0x6c, 0x20, 0x62,
					    0x79, 0x7a, 0x61, 0x6e, 0x74, 0x69, 0x6e, 0x65,
					    0x20, 0x66, 0x61, 0x75, 0x6c, 0x74, 0x20, 0x74,
					    0x6f, 0x6c, 0x65, 0x72, 0x61, 0x6e, 0x63, 0x65}};
	struct verify_evm_config config = {.mode = VERIFY_EVM_QBFT,
					   .anchor_age_max_s = 1000,
					   .trusting_period_s = 1000,
					   .epoch_length = 16,
					   .window = 8};
	struct fuzz_world *w = fuzz_world(&config);
	struct extra x = {.validators = 0x0f};
	uint8_t raw[4096];
	struct cs_bytes anchor;
	first->header = (struct fuzz_header){.difficulty = 1, .time_s = FUZZ_TIME, .mix = mix};
	anchor = make(w, first, &x, raw);
	config.anchor_hash = first->hash;
	w = fuzz_world(&config);
	cs_assert(verify_client_create(&w->client, anchor, now, NULL) == CS_OK);
	return w;
}

static struct cs_bytes with_any_extra(const struct made *on, struct cs_bytes extra,
				      uint8_t raw[4096])
{
	struct fuzz_header h = on->header;
	struct cs_buf buf;
	h.parent = on->hash;
	h.number++;
	cs_buf_init(&buf, raw, 4096);
	fuzz_put_header(&buf, &h, extra.n < 3000 ? extra : CS_BYTES_NONE);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_buf_view(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_time now = {FUZZ_TIME, FUZZ_TIME + 300};
	struct made made[FUZZ_HEADERS_MAX];
	struct verify_status before;
	struct fuzz_world *w = begin(&made[0], &now);
	uint8_t raw[4096];
	struct cs_bytes header;
	size_t count = 1, accepted;
	while (size >= 8 && count < FUZZ_HEADERS_MAX) {
		const struct made *parent = &made[count - 1 - data[0] % (count < 8 ? count : 8)];
		struct extra x = {data[1], data[2], data[3], data[4], data[5] & 1};
		struct made *m = &made[count++];
		*m = *parent;
		m->header.parent = parent->hash;
		m->header.number++;
		m->header.time_s += data[5] >> 4;
		m->header.coinbase = w->who[(data[5] >> 1 & 7) % FUZZ_KEYS];
		m->header.difficulty = 1 + (data[6] == 1);
		m->header.state_root.b[0] = data[7];
		header = make(w, m, &x, raw);
		verify_client_status(&w->client, &before);
		(void)!verify_client_update(&w->client, &header, 1, &now, &accepted, NULL);
		if (data[7] == 0xff)
			fuzz_check_client(w, &before);
		data += 8;
		size -= 8;
	}
	header = with_any_extra(&made[count - 1], cs_bytes(data, size), raw);
	verify_client_status(&w->client, &before);
	(void)!verify_client_update(&w->client, &header, 1, &now, &accepted, NULL);
	fuzz_check_client(w, &before);
	return 0;
}
