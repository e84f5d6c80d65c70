/* A ledger with usage records and tasks, enclaves that are keys which sign, and a register that says of
 * each what the test says. Calldata is what a gateway would build. */
#ifndef TESTS_UNIT_LEDGER_USAGE_LAB_H
#define TESTS_UNIT_LEDGER_USAGE_LAB_H

#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/chain.h"
#include "relay_state/ledger/tasks.h"
#include "relay_state/ledger/usage.h"
#include "tests/unit/ledger/contract_lab.h"

#define USAGE LEDGER_USAGE_NUMBER
#define TASKS LEDGER_TASKS_NUMBER
#define USAGE_AGE_MAX (10u * 86400)
#define USAGE_WINDOW (5u * 86400)
#define USAGE_RETENTION (60u * 86400)
#define USAGE_DELAY 1000u
#define USAGE_ENCLAVES 3u

#define RECORD_TUPLE                                                                            \
	"(bytes32,address,address,bytes,bytes32,bytes32,uint256,uint256,uint64,uint64,bytes32," \
	"bytes32)"

/* Of the register: which keys it says are active, in the role that computes. */
extern bool usage_enclave_active[USAGE_ENCLAVES];

struct usage_lab {
	struct lab *lab;
	struct cs_hash chain;
	struct cs_secret keys[USAGE_ENCLAVES];
	struct cs_hash enclaves[USAGE_ENCLAVES]; /* x */
	struct cs_address owner, guardian, arbiter, provider, consumer, anyone;
	struct cs_hash rows;  /* a metric without decimals */
	struct cs_hash hours; /* with three */
};

struct usage_lab_options {
	bool insecure;
	struct cs_address asset; /* [native] */
	uint64_t window_s;       /* [USAGE_WINDOW] */
	uint64_t age_max_s;      /* [USAGE_AGE_MAX] */
};
struct usage_lab *usage_lab_new(const struct usage_lab_options *options);
void usage_lab_free(struct usage_lab *usage);
/* What the founding says of terms, in a lab without any. */
enum cs_err usage_lab_construct(struct lab *lab, const struct ledger_usage_terms *terms);

struct cs_hash usage_label(const char *text);
/* 1000 rows at 5 each, observed now: 5000; not signed. The enclave by its index. */
struct ledger_usage_record usage_make(const struct usage_lab *usage, size_t enclave,
				      uint64_t nonce);
void usage_sign(const struct usage_lab *usage, struct ledger_usage_record *record, size_t enclave,
		bool insecure);
struct cs_bytes usage_calldata(const struct ledger_usage_record *records, size_t count);
/* Makes, signs and records one; it must be taken. */
struct ledger_usage_record usage_take(struct usage_lab *usage, size_t enclave, uint64_t nonce);

struct usage_seen {
	uint64_t count;
	struct cs_hash root;
	uint64_t charged;
	uint64_t credited;
	uint64_t pruned;
	bool closed;
};
/* By statementOf. */
struct usage_seen usage_statement_seen(struct usage_lab *usage, const struct cs_address *party,
				       enum ledger_usage_role role, uint32_t period);
/* What the state's value of a statement holds, with all lines of the view added up: the test ends unless
 * both are the same. Returns how many lines there were. */
size_t usage_check_complete(struct usage_lab *usage, const struct cs_address *party,
			    enum ledger_usage_role role, uint32_t period);
/* charged, credited, paid of balanceOf. */
struct usage_sums {
	uint64_t charged, credited, paid;
};
struct usage_sums usage_sums(struct usage_lab *usage, uint32_t period);

/* ---- tasks ---- */

struct cs_schnorr usage_sign_step(const struct usage_lab *usage,
				  const struct ledger_task_step *step, size_t enclave,
				  bool insecure);

#endif
