/* A journal in a file of its own, and messages for it: of the tests of the journal. */
#ifndef TESTS_UNIT_GATEWAY_JOURNAL_FIXTURE_H
#define TESTS_UNIT_GATEWAY_JOURNAL_FIXTURE_H

#include "gateway/journal_feed.h"
#include "tests/unit/support.h"

#include <unistd.h>

struct fixture {
	struct gateway_journal *journal;
	char path[64];
	struct cs_arena arena;
};

static uint8_t block[1 << 20];

static inline int setup(void **state)
{
	static struct fixture f;
	struct cs_why why = {{0}};
	memset(&f, 0, sizeof(f));
	snprintf(f.path, sizeof(f.path), "/tmp/caisson-journal-XXXXXX");
	int fd = mkstemp(f.path);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(f.path);
	cs_arena_init(&f.arena, block, sizeof(block));
	*state = &f;
	return gateway_journal_open(&f.journal, NULL, f.path, &why) == CS_OK ? 0 : -1;
}

static inline int teardown(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-lock", ".lock"};
	struct fixture *f = *state;
	gateway_journal_close(f->journal);
	for (size_t i = 0; i < CS_LEN(ends); i++) {
		char name[96];
		snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
		unlink(name);
	}
	return 0;
}

static inline void reopen(struct fixture *f)
{
	struct cs_why why = {{0}};
	gateway_journal_close(f->journal);
	assert_int_equal(gateway_journal_open(&f->journal, NULL, f->path, &why), CS_OK);
}

/* Runs a block of statements as one writer. */
typedef enum cs_err body(struct fixture *f, void *context);
struct run {
	struct fixture *f;
	body *run;
	void *context;
};

static inline enum cs_err write_run(void *context)
{
	struct run *run = context;
	return run->run(run->f, run->context);
}

static inline enum cs_err write_(struct fixture *f, body *run, void *context)
{
	struct run r = {f, run, context};
	return host_store_write(gateway_journal_store(f->journal), write_run, &r, NULL, NULL);
}

static inline struct cs_hash a_hash(uint8_t first, uint8_t last)
{
	struct cs_hash hash = {{0}};
	hash.b[0] = first;
	hash.b[31] = last;
	return hash;
}

static inline struct gateway_message sample(uint8_t n, enum relay_side side)
{
	struct gateway_message m = {.id = a_hash(1, n),
				    .side = side,
				    .state = relay_first(side),
				    .chain = a_hash(0xc0, 1),
				    .remote = a_hash(0xc0, 2),
				    .sequence = n,
				    .deadline = 1900000000,
				    .min_gas_limit = 200000,
				    .finality = n,
				    .height = 100u + n,
				    .block = a_hash(0xb0, n),
				    .tx = a_hash(0x70, n),
				    .tx_index = 3,
				    .log_index = 4,
				    .time_s = 1800000000,
				    .next_ms = 10u * n};
	return m;
}

struct add {
	struct gateway_message *message;
	struct wire_message content;
};

static inline enum cs_err add_body(struct fixture *f, void *context)
{
	struct add *add = context;
	return gateway_journal_add(f->journal, add->message, &add->content);
}

static inline enum cs_err add(struct fixture *f, struct gateway_message *m)
{
	struct add context = {m,
			      {.sender = cs_bytes_str("sender"),
			       .recipient = cs_bytes_str("recipient"),
			       .payload = cs_bytes_str(m->sequence == 2 ? "" : "payload")}};
	return write_(f, add_body, &context);
}

struct move {
	struct gateway_message *message;
	enum relay_event event;
};

static inline enum cs_err move_body(struct fixture *f, void *context)
{
	struct move *move = context;
	return gateway_journal_move(f->journal, move->message, move->event);
}

static inline enum cs_err move(struct fixture *f, struct gateway_message *m, enum relay_event event)
{
	struct move context = {m, event};
	return write_(f, move_body, &context);
}

#endif
