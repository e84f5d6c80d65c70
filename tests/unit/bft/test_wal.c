/* The log: what was written reads back, and what a crash or a bad disk makes of it is told apart. */
#include "relay_state/bft/wal.h"

/* cmocka.h needs the first four before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
/* clang-format on */

static uint8_t memory[4096];

/* Three records, the mark of an fsync after the first two, a third. */
static struct cs_bytes make_log(size_t ends[4])
{
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	bft_wal_put(&buf, BFT_WAL_EVENT, cs_bytes_str("first"));
	ends[0] = buf.n;
	bft_wal_put(&buf, BFT_WAL_EVENT, cs_bytes_str("second"));
	ends[1] = buf.n;
	bft_wal_put_synced(&buf, ends[1]);
	ends[2] = buf.n;
	bft_wal_put(&buf, BFT_WAL_EVENT, cs_bytes_str("third"));
	ends[3] = buf.n;
	return cs_buf_view(&buf);
}

/* RFC 3720 appendix B.4. */
static void crc_is_castagnoli(void **unused)
{
	(void)unused;
	uint8_t bytes[32];
	assert_int_equal(bft_crc32c(0, cs_bytes_str("123456789")), 0xe3069283);
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(bft_crc32c(0, CS_BYTES_OF(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(bft_crc32c(0, CS_BYTES_OF(bytes)), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(bft_crc32c(0, CS_BYTES_OF(bytes)), 0x46dd794e);
	uint32_t part = bft_crc32c(0, cs_bytes(bytes, 10));
	assert_int_equal(bft_crc32c(part, cs_bytes(bytes + 10, 22)), 0x46dd794e);
}

static void reads_what_was_written(void **unused)
{
	(void)unused;
	size_t ends[4], offset = 0, good;
	struct bft_wal_record record;
	struct cs_bytes log = make_log(ends);
	assert_int_equal(bft_wal_get(&record, &offset, log), CS_OK);
	assert_true(cs_bytes_eq(record.bytes, cs_bytes_str("first")));
	assert_int_equal(bft_wal_get(&record, &offset, log), CS_OK);
	assert_int_equal(offset, ends[1]);
	assert_int_equal(bft_wal_get(&record, &offset, log), CS_OK);
	assert_int_equal(record.type, BFT_WAL_SYNCED);
	assert_int_equal(cs_be64(record.bytes.p), ends[1]);
	assert_int_equal(bft_wal_get(&record, &offset, log), CS_OK);
	assert_int_equal(bft_wal_get(&record, &offset, log), CS_ERR_NOT_FOUND);
	assert_int_equal(bft_wal_check(&good, log), BFT_WAL_CLEAN);
	assert_int_equal(good, log.n);
	assert_int_equal(bft_wal_check(&good, CS_BYTES_NONE), BFT_WAL_CLEAN);
	assert_int_equal(good, 0);
}

/* Cut at every byte: torn, and the good records before are kept. */
static void every_cut_is_torn(void **unused)
{
	(void)unused;
	size_t ends[4], good;
	struct cs_bytes log = make_log(ends);
	for (size_t n = 0; n < log.n; n++) {
		size_t want = 0;
		for (size_t i = 0; i < 4; i++)
			want = ends[i] <= n ? ends[i] : want;
		enum bft_wal_verdict verdict = bft_wal_check(&good, cs_bytes(log.p, n));
		assert_int_equal(verdict, n == want ? BFT_WAL_CLEAN : BFT_WAL_TORN);
		assert_int_equal(good, want);
	}
}

/* Every bit of every byte: what an fsync had promised and a later mark tells of is damage; what
 * comes after the last mark's promise is as good as torn. Never clean. */
static void every_flipped_bit_is_seen(void **unused)
{
	(void)unused;
	size_t ends[4], good;
	struct cs_bytes log = make_log(ends);
	for (size_t at = 0; at < log.n; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memory[at] ^= (uint8_t)(1u << bit);
			enum bft_wal_verdict verdict = bft_wal_check(&good, log);
			memory[at] ^= (uint8_t)(1u << bit);
			assert_int_equal(verdict, at < ends[1] ? BFT_WAL_DAMAGED : BFT_WAL_TORN);
			assert_true(good <= at);
		}
	}
}

/* A file system's zeros, and a length that points behind everything. */
static void refuses_zeros_and_long_records(void **unused)
{
	(void)unused;
	struct bft_wal_record record;
	uint8_t zeros[64] = {0};
	size_t offset = 0, good;
	assert_int_equal(bft_wal_get(&record, &offset, CS_BYTES_OF(zeros)), CS_ERR_MALFORMED);
	assert_int_equal(bft_wal_check(&good, CS_BYTES_OF(zeros)), BFT_WAL_TORN);
	cs_put_be32(zeros, BFT_WAL_BYTES_SIZE_MAX + 1);
	assert_int_equal(bft_wal_get(&record, &offset, CS_BYTES_OF(zeros)), CS_ERR_TOO_LARGE);
	cs_put_be32(zeros, 100);
	zeros[8] = BFT_WAL_EVENT;
	assert_int_equal(bft_wal_get(&record, &offset, CS_BYTES_OF(zeros)), CS_ERR_TRUNCATED);
	assert_int_equal(offset, 0);
}

/* A peer's bytes that hold marks: where the record that they are in is torn, they promise nothing. */
static void marks_in_a_record_promise_nothing(void **unused)
{
	(void)unused;
	uint8_t lies[256];
	size_t good;
	struct cs_buf lie, buf;
	cs_buf_init(&lie, lies, sizeof lies);
	bft_wal_put_synced(&lie, UINT64_MAX);
	bft_wal_put_synced(&lie, 20);
	bft_wal_put_synced(&lie, 1);
	cs_buf_init(&buf, memory, sizeof memory);
	bft_wal_put(&buf, BFT_WAL_EVENT, cs_bytes_str("first"));
	size_t first = buf.n;
	bft_wal_put(&buf, BFT_WAL_EVENT, cs_buf_view(&lie));
	for (size_t n = first + 1; n < buf.n; n++) {
		assert_int_equal(bft_wal_check(&good, cs_bytes(memory, n)), BFT_WAL_TORN);
		assert_int_equal(good, first);
	}
	/* Flipped in what a real mark behind it covers, it is damage still. */
	bft_wal_put_synced(&buf, buf.n);
	memory[first + 4] ^= 1;
	assert_int_equal(bft_wal_check(&good, cs_buf_view(&buf)), BFT_WAL_DAMAGED);
}

/* A transaction of nothing but heads of long records, in a torn one: a log that is looked through in a
 * blink, not in minutes. A real mark behind it counts, however much was looked at before. */
static void heads_within_a_record_are_no_endless_search(void **unused)
{
	(void)unused;
	const size_t size = 3u * 1024 * 1024;
	uint8_t *log = malloc(size + 64);
	size_t good;
	struct cs_buf buf;
	assert_non_null(log);
	memset(log, 0, size);
	for (size_t at = 0; at + 32 < size; at += BFT_WAL_HEADER_SIZE) {
		cs_put_be32(log + at, (uint32_t)(size - at - BFT_WAL_HEADER_SIZE));
		log[at + 8] = BFT_WAL_EVENT;
	}
	assert_int_equal(bft_wal_check(&good, cs_bytes(log, size)), BFT_WAL_TORN);
	assert_int_equal(good, 0);
	cs_buf_init(&buf, log + size, 64);
	bft_wal_put_synced(&buf, size);
	assert_int_equal(bft_wal_check(&good, cs_bytes(log, size + buf.n)), BFT_WAL_DAMAGED);
	free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_castagnoli),
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(every_cut_is_torn),
		cmocka_unit_test(every_flipped_bit_is_seen),
		cmocka_unit_test(refuses_zeros_and_long_records),
		cmocka_unit_test(marks_in_a_record_promise_nothing),
		cmocka_unit_test(heads_within_a_record_are_no_endless_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
