/* A node that is its chain's only validator, on a faulty folder: engine, disk and CometBFT's
 * kvstore in one process, one event after the other. It writes down what the disk has given its
 * word for, and compares after each start. */
#ifndef TESTS_UNIT_NODE_ONE_H
#define TESTS_UNIT_NODE_ONE_H

#include "relay_state/abci/kvstore.h"
#include "relay_state/node/disk.h"
#include "tests/unit/node/faulty.h"

#define ONE_HEIGHTS_MAX 64
#define ONE_SENT_MAX 512u
#define ONE_QUEUE_MAX 64u
#define ONE_RECORDS_MAX 256u
#define ONE_APP_SIZE (256u * 1024)

struct one_answer {
	struct bft_event event;
	uint8_t bytes[BFT_EXTENSION_SIZE_MAX];
	size_t n;
};

struct one_signed {
	enum bft_sign_step step;
	int64_t height;
	int32_t round;
	struct cmt_block_id id;
};

struct one {
	struct faulty disk_of;
	char index_path[96];
	/* options of the next start */
	uint64_t segment_size;
	size_t log_size, log_size_max;
	int64_t retain_blocks; /* not 0: the application outlives the node */
	bool check_all;
	/* one life */
	struct node_disk *disk;
	struct bft *bft;
	struct one_answer queue[ONE_QUEUE_MAX];
	size_t queue_begin, queue_end;
	struct bft_effect timers[BFT_TIMER_END]; /* type 0: not set */
	enum cs_err err;
	struct cs_why why;
	/* the chain */
	struct cs_secret key;
	struct cs_ed25519_key public_key;
	struct bft_state genesis;
	struct cs_hash genesis_hash;
	int64_t now_ns;
	unsigned life;
	char tx[64];
	struct cs_bytes tx_view;
	struct bft_finalized finalized;
	uint8_t app_hash[32];
	struct abci_kvstore *kvstore;
	uint8_t app_memory[ONE_APP_SIZE];
	uint8_t scratch_memory[2 * 1024 * 1024];
	struct cs_arena scratch;
	/* what was promised */
	int64_t stored_max, state_max;
	struct cmt_block_id stored[ONE_HEIGHTS_MAX];
	struct cs_hash state_hash[ONE_HEIGHTS_MAX];
	int64_t log_height;
	struct cs_hash records[ONE_RECORDS_MAX]; /* of log_height */
	size_t record_count, synced_count;
	struct one_signed
		signed_last; /* height 0: nothing, or nothing since a slot was lost to a bit */
	struct one_signed sent[ONE_SENT_MAX];
	size_t sent_count;
	bool has_signed_twice; /* two things of one place have left */
	bool is_bit_flipped;   /* before the start that comes */
	bool has_lost_power;
	bool has_suffered; /* the planned fault came */
	const char *wrong; /* what the last start did not find; NULL: all is there */
};

void one_init(struct one *one, uint64_t seed);
void one_done(struct one *one);
/* Opens the disk, compares, begins an engine; the error of the disk. On failure all is closed. */
enum cs_err one_start(struct one *one);
/* Makes blocks up to this height, or until a change fails; the error. */
enum cs_err one_run(struct one *one, int64_t height);
void one_stop(struct one *one);
void one_forget_index(struct one *one);
#endif
