/* Evidence over restarts: what was confirmed comes back, whatever the disk does, once and in order;
 * what a full file held goes when nobody waits for it. */
#include "relay_state/node/evidence_file.h"
#include "tests/unit/bft/lab.h"
#include "tests/unit/node/faulty.h"
#include "tests/unit/support.h"

#define PIECES 5u

struct scene {
	struct faulty faulty;
	struct node_evidence *evidence;
	uint64_t torn;
	uint8_t large[BFT_EVIDENCE_SIZE_MAX + 1];
};

static enum cs_err open_it(struct scene *s)
{
	s->torn = 0;
	CS_TRY(node_evidence_open(&s->evidence, &s->faulty.folder, &s->torn, NULL));
	return node_evidence_mend(s->evidence, NULL);
}

static struct scene *begin(uint64_t seed)
{
	struct scene *s = calloc(1, sizeof *s);
	assert_non_null(s);
	faulty_init(&s->faulty, seed);
	return s;
}

static void stop(struct scene *s, bool power)
{
	node_evidence_close(s->evidence);
	s->evidence = NULL;
	faulty_restart(&s->faulty, power);
}

static void end(struct scene *s)
{
	node_evidence_close(s->evidence);
	faulty_done(&s->faulty);
	free(s);
}

/* Piece i: its number in as many bytes as it likes. */
static struct cs_bytes piece(struct scene *s, unsigned i)
{
	memset(s->large, (int)('a' + i), sizeof s->large);
	return cs_bytes(s->large, 100 + 37 * i);
}

static bool is_piece(struct cs_bytes bytes, unsigned i)
{
	return bytes.n == 100 + 37 * i && bytes.p[0] == 'a' + i && bytes.p[bytes.n - 1] == 'a' + i;
}

/* How many of the first pieces came back; anything else fails. */
static unsigned found(struct scene *s)
{
	size_t offset = 0;
	unsigned n = 0;
	struct cs_bytes bytes;
	while (node_evidence_next(s->evidence, &offset, &bytes)) {
		/* A crash between two files leaves both. */
		unsigned i = bytes.p[0] - (unsigned)'a';
		assert_true(i <= n && is_piece(bytes, i));
		n += i == n;
	}
	return n;
}

static void kept_once_and_in_order(void **unused)
{
	(void)unused;
	struct scene *s = begin(1);
	assert_ok(open_it(s));
	assert_int_equal(found(s), 0);
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < PIECES; i++)
			assert_ok(node_evidence_put(s->evidence, piece(s, i), NULL));
	for (unsigned life = 0; life < 3; life++) {
		stop(s, life > 0);
		assert_ok(open_it(s));
		assert_int_equal(found(s), PIECES);
		uint64_t syncs = s->faulty.syncs;
		assert_ok(node_evidence_put(s->evidence, piece(s, 1), NULL));
		assert_int_equal(s->faulty.syncs, syncs);
	}
	end(s);
}

/* At every change of two lives the process or the machine dies, or the disk fails. */
static void nothing_confirmed_is_lost(void **unused)
{
	(void)unused;
	static const enum faulty_kind kinds[] = {FAULTY_KILL, FAULTY_POWER, FAULTY_FULL,
						 FAULTY_EIO};
	unsigned runs = 0;
	for (size_t k = 0; k < CS_LEN(kinds); k++) {
		bool is_over = false;
		for (uint64_t at = 0; !is_over; at++) {
			struct scene *s = begin(at * 7 + k);
			unsigned promised = 0;
			s->faulty.fault = kinds[k];
			s->faulty.fault_at = at;
			enum cs_err err = open_it(s);
			for (unsigned i = 0; i < PIECES && err == CS_OK; i++) {
				if (i == 3) {
					/* The same plan goes on: a start is a place to die, too. */
					uint64_t left = s->faulty.changes;
					stop(s, false);
					s->faulty.changes = left;
					s->faulty.fault = kinds[k];
					s->faulty.fault_at = at;
					err = open_it(s);
				}
				if (err == CS_OK)
					err = node_evidence_put(s->evidence, piece(s, i), NULL);
				promised += err == CS_OK;
			}
			is_over = err == CS_OK;
			assert_true(is_over == !s->faulty.has_failed);
			stop(s, kinds[k] != FAULTY_KILL);
			assert_ok(open_it(s));
			assert_true(found(s) >= promised);
			end(s);
			runs++;
		}
	}
	assert_true(runs > 4 * 10);
}

static void a_turned_bit_is_seen(void **unused)
{
	(void)unused;
	unsigned refused = 0;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct scene *s = begin(seed);
		assert_ok(open_it(s));
		for (unsigned i = 0; i < PIECES; i++)
			assert_ok(node_evidence_put(s->evidence, piece(s, i), NULL));
		stop(s, false);
		assert_true(faulty_flip(&s->faulty, "evidence-"));
		enum cs_err err = open_it(s);
		assert_true(err == CS_OK || err == CS_ERR_DAMAGED);
		refused += err == CS_ERR_DAMAGED;
		/* What is not refused had a bit turned in the last mark alone. */
		if (err == CS_OK)
			assert_int_equal(found(s), PIECES);
		end(s);
	}
	assert_true(refused >= 30);
}

static void too_large(void **unused)
{
	(void)unused;
	struct scene *s = begin(1);
	assert_ok(open_it(s));
	assert_err(node_evidence_put(s->evidence, CS_BYTES_OF(s->large), NULL), CS_ERR_TOO_LARGE);
	end(s);
}

/* With a full file a committed height begins a new one, of what the engine still keeps. */
static void a_full_file(void **unused)
{
	(void)unused;
	struct scene *s = begin(1);
	struct lab *lab = lab_make(0, 0);
	assert_ok(open_it(s));
	for (uint32_t i = 0; i < NODE_EVIDENCE_FILE_SIZE / BFT_EVIDENCE_SIZE_MAX; i++) {
		assert_ok(node_evidence_committed(s->evidence, lab->bft, NULL));
		assert_int_equal(faulty_look(&s->faulty, "evidence-00000002").n, 0);
		cs_put_be32(s->large, i);
		assert_ok(node_evidence_put(s->evidence, cs_bytes(s->large, BFT_EVIDENCE_SIZE_MAX),
					    NULL));
	}
	assert_ok(node_evidence_committed(s->evidence, lab->bft, NULL));
	assert_int_equal(faulty_look(&s->faulty, "evidence-00000001").n, 0);
	assert_in_range(faulty_look(&s->faulty, "evidence-00000002").n, 1, 64);
	assert_ok(node_evidence_put(s->evidence, piece(s, 0), NULL));
	/* After a power cut the old file may be there again, and the engine would refuse it all. */
	stop(s, false);
	assert_ok(open_it(s));
	assert_int_equal(found(s), 1);
	lab_end(lab);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_once_and_in_order),
		cmocka_unit_test(nothing_confirmed_is_lost),
		cmocka_unit_test(a_turned_bit_is_seen),
		cmocka_unit_test(too_large),
		cmocka_unit_test(a_full_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
