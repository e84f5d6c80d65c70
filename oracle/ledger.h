/* Answers that were published, recorded on the bridge's ledger (contract 9). It decides nothing about
 * an answer, and no answer waits for it. */
#ifndef ORACLE_LEDGER_H
#define ORACLE_LEDGER_H

#include "oracle/oracle.h"

/* Of transactions; they are in the journal. */
enum oracle_ledger_kind {
	ORACLE_LEDGER_ANSWERS = 1,
	ORACLE_LEDGER_ANCHOR = 2,
	ORACLE_LEDGER_ROTATION = 3,
};

/* With the journal open; nothing where the configuration names no ledger. */
CS_NODISCARD enum cs_err oracle_ledger_start(struct oracle *oracle, struct cs_why *why);
void oracle_ledger_stop(struct oracle *oracle);
/* For status, null without a ledger; and its figures. */
json_t *oracle_ledger_json(struct oracle *oracle);
void oracle_ledger_collect(struct oracle *oracle);

/* NULL without a ledger. */
struct ledger_client *oracle_ledger_client(const struct oracle *oracle);
/* There is an anchor of the enclave's state to be written. */
void oracle_ledger_kick(struct oracle *oracle);

#endif
