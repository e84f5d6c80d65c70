/* What comes over a connection after TLS, as the node's reader takes it: frames, the first of them
 * HELLO, then messages into an engine whose three fellow validators may all lie. A frame whose type
 * has the high bit is one whose vote or proposal is signed again after the input was changed, by the
 * key of the validator that it names: so what is behind signatures is reached. Whatever is read is
 * written again to the same bytes; the engine never signs twice in one place, and never leaves a
 * frame half taken. */
#include "relay_state/node/hello.h"
#include "relay_state/node/peers.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/bft/lab.h"

#define SIGNED_AGAIN 0x80u
#define FRAMES_MAX 24u

static struct lab *lab;

static void as_hello(struct cs_bytes bytes)
{
	uint8_t memory[NODE_HELLO_SIZE_MAX];
	struct node_hello hello;
	struct cs_buf buf;
	fuzz_fill(&hello, sizeof hello);
	if (node_hello_decode(&hello, bytes) != CS_OK) {
		fuzz_untouched(&hello, sizeof hello);
		return;
	}
	cs_buf_init(&buf, memory, sizeof memory);
	node_hello_encode(&buf, &hello);
	fuzz_same(&buf, bytes);
}

static void sign(struct cmt_signature *signature, unsigned by, const struct cs_buf *sign_bytes)
{
	signature->some = true;
	cs_assert(cs_ed25519_sign(signature->b, &lab->secret[by], cs_buf_view(sign_bytes)) ==
		  CS_OK);
}

/* The engine's own key stays the engine's: what it did not sign nobody signs for it. */
static void sign_again(struct bft_message *m)
{
	uint8_t memory[CMT_SIGN_BYTES_MAX];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	if (m->type == BFT_MESSAGE_VOTE && m->vote.index >= 0) {
		unsigned by = (unsigned)m->vote.index % LAB_KEYS;
		if (by == lab->own)
			return;
		m->vote.index = (int32_t)by;
		m->vote.validator = cmt_address(&lab->key[by]);
		cmt_vote_sign_bytes(&buf, &m->vote, &lab->state.chain_id);
		if (cs_buf_end(&buf) == CS_OK)
			sign(&m->vote.signature, by, &buf);
	} else if (m->type == BFT_MESSAGE_PROPOSAL && m->proposal.round < 64) {
		unsigned by = lab_proposer(lab, m->proposal.round);
		cmt_proposal_sign_bytes(&buf, &m->proposal, &lab->state.chain_id);
		if (by != lab->own && cs_buf_end(&buf) == CS_OK)
			sign(&m->proposal.signature, by, &buf);
	}
}

static void as_message(uint32_t peer, struct cs_bytes bytes, bool again)
{
	static uint8_t memory[1 << 18];
	struct bft_message m;
	struct cs_buf buf;
	if (again && bft_message_decode(&m, bytes) == CS_OK) {
		sign_again(&m);
		cs_buf_init(&buf, memory, sizeof memory);
		bft_message_encode(&buf, &m);
		cs_assert(cs_buf_end(&buf) == CS_OK);
		bytes = cs_buf_view(&buf);
	}
	const struct bft_event event = {.type = BFT_EVENT_MESSAGE, .peer = peer, .bytes = bytes};
	lab_event(lab, &event);
}

/* Two votes of the engine for one place are one vote. */
static void check_votes(void)
{
	for (size_t i = 0; i < lab->vote_count; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct cmt_vote *a = &lab->votes[i], *b = &lab->votes[k];
			if (a->height == b->height && a->round == b->round && a->type == b->type)
				cs_assert(cmt_block_id_eq(&a->block_id, &b->block_id));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes rest = cs_bytes(data, size);
	struct node_frame frame;
	uint32_t size_max = NODE_FRAME_SIZE_FIRST;
	if (size > 1 << 17)
		return 0;
	lab = lab_make(0, size > 0 && (data[size - 1] & 1) != 0 ? 1 : 0);
	lab_begin(lab);
	for (uint32_t n = 0; n < FRAMES_MAX && !lab->halted; n++) {
		struct cs_bytes before = rest;
		if (node_frame_take(&frame, &rest, size_max) != CS_OK) {
			cs_assert(rest.p == before.p && rest.n == before.n);
			break;
		}
		cs_assert(frame.bytes.n + 5 + rest.n == before.n);
		if (n == 0)
			as_hello(frame.bytes);
		else if ((frame.type & ~SIGNED_AGAIN) == NODE_FRAME_CONSENSUS)
			as_message(1 + n % 3, frame.bytes, (frame.type & SIGNED_AGAIN) != 0);
		size_max = NODE_FRAME_SIZE_MAX;
	}
	check_votes();
	lab_end(lab);
	return 0;
}
