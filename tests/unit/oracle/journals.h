/* A journal in a file of its own, and rows to put into it: for the tests of the oracle's journal. */
#ifndef TESTS_UNIT_ORACLE_JOURNALS_H
#define TESTS_UNIT_ORACLE_JOURNALS_H

#include "oracle/journal_feeds.h"
#include "oracle/journal_submit.h"
#include "tests/unit/support.h"

#include <unistd.h>

struct fixture {
	struct oracle_journal *journal;
	char path[64];
	struct cs_arena arena;
};

static uint8_t journal_block[1 << 20];

static inline int setup(void **state)
{
	static struct fixture f;
	struct cs_why why = {{0}};
	memset(&f, 0, sizeof(f));
	snprintf(f.path, sizeof(f.path), "/tmp/caisson-oracle-XXXXXX");
	int fd = mkstemp(f.path);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(f.path);
	cs_arena_init(&f.arena, journal_block, sizeof(journal_block));
	*state = &f;
	return oracle_journal_open(&f.journal, NULL, f.path, &why) == CS_OK ? 0 : -1;
}

static inline int teardown(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-lock", ".lock"};
	struct fixture *f = *state;
	oracle_journal_close(f->journal);
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
	oracle_journal_close(f->journal);
	assert_int_equal(oracle_journal_open(&f->journal, NULL, f->path, &why), CS_OK);
}

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
	return host_store_write(oracle_journal_store(f->journal), write_run, &r, NULL, NULL);
}

static inline struct cs_hash same_bytes(uint8_t byte)
{
	struct cs_hash hash;
	memset(hash.b, byte, sizeof(hash.b));
	return hash;
}

static const char spec[] = "{\"version\":1}";

static inline struct oracle_query query_of(void)
{
	return (struct oracle_query){
		.spec = cs_bytes_str(spec),
		.argument_count = 3,
		.arguments = {cs_bytes_str("bitcoin"), CS_BYTES_NONE, cs_bytes_str("usd")},
		.secrets = cs_bytes_str("a sealed box"),
		.audience = cs_bytes_str("app")};
}

static inline struct oracle_request request_of(enum oracle_kind kind, uint8_t id)
{
	struct oracle_request r = {.kind = kind,
				   .state = kind == ORACLE_APP ? ORACLE_OPEN : ORACLE_OBSERVED,
				   .id = same_bytes(id)};
	r.head = (struct wire_request){.counter = UINT64_MAX,
				       .asker = same_bytes(0xa5),
				       .spec_hash = wire_spec_hash(cs_bytes_str(spec)),
				       .arguments_hash = same_bytes(1),
				       .secrets_hash = same_bytes(2),
				       .callback_gas = 7,
				       .max_age = 600,
				       .time = 1000,
				       .deadline = 1060};
	if (kind == ORACLE_CHAIN) {
		r.request_id = r.id;
		r.chain = same_bytes(0xcc);
		r.contract = same_bytes(0xdd);
		r.height = 10u + id;
		r.block = same_bytes(0xb0);
		r.head.fee = cs_u256_u64(12345);
	} else {
		snprintf(r.key_name, sizeof(r.key_name), "desk");
	}
	return r;
}

static inline enum cs_err add(struct fixture *f, void *context)
{
	struct oracle_query query = query_of();
	return oracle_journal_add(f->journal, context, &query);
}

static inline enum cs_err save(struct fixture *f, void *context)
{
	return oracle_journal_save(f->journal, context);
}

static inline enum cs_err to_answered(struct fixture *f, void *context)
{
	return oracle_journal_move(f->journal, context, ORACLE_ANSWERED);
}

static inline enum cs_err to_open(struct fixture *f, void *context)
{
	return oracle_journal_move(f->journal, context, ORACLE_OPEN);
}

static inline enum cs_err forget(struct fixture *f, void *context)
{
	return oracle_journal_forget(f->journal, context);
}

struct answering {
	struct oracle_request *request;
	struct oracle_statement statement;
};

static inline struct oracle_statement statement_of(uint8_t byte)
{
	struct oracle_statement statement = {.count = 2};
	statement.st.statement.kind = WIRE_KIND_ANSWER;
	statement.st.statement.signer = same_bytes(byte);
	statement.st.statement.epoch = 3;
	memset(statement.st.signature.rx.b, byte, 32);
	memset(statement.st.signature.s.b, byte, 32);
	statement.leaves[0] = same_bytes(0x10);
	statement.leaves[1] = same_bytes(0x11);
	statement.st.statement.root = wire_root(statement.leaves, 2);
	return statement;
}

static inline enum cs_err answer(struct fixture *f, void *context)
{
	struct answering *a = context;
	CS_TRY(oracle_journal_add_statement(f->journal, &a->statement));
	a->request->request_id = same_bytes(0x77);
	a->request->code = WIRE_ORACLE_TIMEOUT;
	return oracle_journal_answered(f->journal, a->request, &a->statement, 1,
				       cs_bytes_str("result"));
}

static inline enum cs_err add_feed(struct fixture *f, void *context)
{
	return oracle_journal_add_feed(f->journal, context);
}

static inline enum cs_err remove_feed(struct fixture *f, void *context)
{
	return oracle_journal_remove_feed(f->journal, context);
}

static inline enum cs_err prune(struct fixture *f, void *context)
{
	for (unsigned what = 0; what < ORACLE_PRUNE_SPECS; what++) {
		bool more = true;
		while (more)
			CS_TRY(oracle_journal_prune(f->journal, (enum oracle_prune)what,
						    *(uint64_t *)context, &more));
	}
	return CS_OK;
}

static inline enum cs_err put_spec(struct fixture *f, void *context)
{
	return oracle_journal_put_spec(f->journal, cs_bytes_str(spec), "desk", context);
}

static inline enum cs_err add_submission(struct fixture *f, void *context)
{
	return oracle_journal_add_submission(f->journal, context, cs_bytes_str("call"));
}

static inline enum cs_err save_submission(struct fixture *f, void *context)
{
	return oracle_journal_save_submission(f->journal, context);
}

static inline enum cs_err add_attempt(struct fixture *f, void *context)
{
	return oracle_journal_add_attempt(f->journal, context);
}

#endif
