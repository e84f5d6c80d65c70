/* The whole application for its tests: over a state in memory, with accounts that have keys, asked
 * as an engine asks. Failures end the test. */
#ifndef TESTS_UNIT_LEDGER_APP_LAB_H
#define TESTS_UNIT_LEDGER_APP_LAB_H

#include "relay_state/ledger/app.h"
#include "tests/unit/ledger/memory_db.h"
#include "tests/unit/support.h"

/* 2026-01-01T00:00:00Z: the genesis; a block comes every ten seconds. */
#define APP_TIME_S 1767225600
#define APP_GAS 1000000u

struct app_lab {
	struct memory_db *db;
	struct ledger_db table;
	struct cs_sig *sig;
	struct ledger_app *app;
	struct abci_app abci;
	void *memory;
	struct cs_arena arena; /* of one answer: the next rewinds it */
	struct cs_why why;
	int64_t height; /* the last committed */
	struct cs_hash chain;
	uint64_t snapshot_interval; /* of the next restart */
};

/* Keys of the tests, by a number from 1 on. */
struct cs_address app_key_address(const struct app_lab *lab, uint8_t key);

/* With nothing in it. */
struct app_lab *app_lab_new(void);
void app_lab_free(struct app_lab *lab);
/* The process ends and another begins over the same state. */
void app_lab_restart(struct app_lab *lab);

/* Is the genesis accepted? lab->why says why not. */
enum cs_err app_lab_genesis(struct app_lab *lab, const char *app_state, struct cs_bytes *app_hash);
/* Keys 1 to 3 have a million, key 4 has nothing. */
void app_lab_begin(struct app_lab *lab);

/* A transaction of one call; what is 0 is what is usual. */
struct app_tx {
	uint8_t key;
	uint64_t sequence;
	struct cs_address to;
	uint64_t value;
	struct cs_bytes input;
	uint64_t gas_limit;   /* [APP_GAS] */
	uint64_t gas_price;   /* [1] */
	uint64_t valid_until; /* [no end] */
	size_t copies;        /* of the call [1] */
};
struct cs_bytes app_sign(const struct app_lab *lab, const struct app_tx *tx);
/* The body alone. */
struct cs_bytes app_body(const struct app_lab *lab, const struct app_tx *tx);
/* Selector and words. */
struct cs_bytes app_input(const char *signature, const struct cs_hash *words, size_t count);

/* The answers hold until the next question. */
struct abci_check_tx_response app_check(struct app_lab *lab, struct cs_bytes tx,
					enum abci_check_tx_type type);
size_t app_prepare(struct app_lab *lab, struct cs_bytes *out, const struct cs_bytes *txs,
		   size_t count, int64_t size_max);
bool app_process(struct app_lab *lab, const struct cs_bytes *txs, size_t count);
struct abci_finalize_block_response app_finalize(struct app_lab *lab, const struct cs_bytes *txs,
						 size_t count);
void app_commit(struct app_lab *lab);
/* Both, for one transaction: its result. */
struct abci_tx_result app_run(struct app_lab *lab, struct cs_bytes tx);
struct abci_query_response app_query(struct app_lab *lab, const char *path, struct cs_bytes data,
				     int64_t height, bool prove);

/* By /account, at the last height. */
uint64_t app_balance(struct app_lab *lab, const struct cs_address *address);
uint64_t app_sequence(struct app_lab *lab, const struct cs_address *address);

#endif
