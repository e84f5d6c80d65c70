/* What the files of the journal share: the prepared statements and how hashes are kept. For them
 * alone. */
#ifndef ORACLE_JOURNAL_PRIVATE_H
#define ORACLE_JOURNAL_PRIVATE_H

#include "oracle/journal_ledger.h"

#define REQUEST_COLUMNS                                                                    \
	"n,kind,state,id,request_id,chain,contract,key_name,counter,asker,spec_hash,"      \
	"arguments_hash,secrets_hash,callback,callback_gas,fee,max_age,time_s,deadline_s," \
	"height,block,tx,tx_index,log_index,statement,leaf,code,observed_at,answered_ms,"  \
	"end_height,end_tx,submission,next_ms,tries,why,created_ms,updated_ms"
#define SUBMISSION_COLUMNS                                                                      \
	"n,chain,contract,kind,state,account,statement,to_address,gas_limit,nonce,hash,height," \
	"succeeded,gas_used,gas_price,why,created_ms"
#define FEED_COLUMNS                                                                    \
	"n,chain,contract,feed_index,spec_hash,state,description,decimals,heartbeat_s," \
	"stale_after_s,deviation_ppm,settings,value,observed_at,good_ms,spent,"         \
	"jump_allowed,asked_ms,submitted_value,submitted_at,chain_round,last_round,"    \
	"submission,failures,next_ms,why,gas_total,wei_total,created_ms,stopped"
#define ROUND_COLUMNS                                                                            \
	"n,feed,time_ms,outcome,code,value,observed_at,agreed,reason,statement,leaf,submission," \
	"gas_used,gas_price,result,why"

enum sql {
#define SQL(name, text) SQL_##name,
#include "oracle/journal_sql.def"
#undef SQL
	SQL_COUNT
};

struct oracle_journal {
	struct host_store *store;
	struct host_stmt *stmt[SQL_COUNT];
	bool keeps_answers; /* for the bridge's ledger */
};

static inline struct host_stmt *sql(struct oracle_journal *journal, enum sql which)
{
	return journal->stmt[which];
}

/* Keeps a published answer for the bridge's ledger, where there is one; inside a writer. */
CS_NODISCARD enum cs_err oracle_journal_keep_answer(struct oracle_journal *journal,
						    const struct oracle_request *request);

/* An absent hash is an empty blob in the row, zeros in the structure. */
void oracle_bind_hash(struct host_stmt *stmt, uint32_t index, const struct cs_hash *hash);
CS_NODISCARD enum cs_err oracle_column_hash(struct host_stmt *stmt, uint32_t index,
					    struct cs_hash *hash);
/* A text of at most size - 1 bytes; longer ones are cut. */
void oracle_column_text(struct host_stmt *stmt, uint32_t index, char *text, size_t size);
/* A copy in the arena. NO_MEMORY. */
CS_NODISCARD enum cs_err oracle_column_copy(struct host_stmt *stmt, uint32_t index,
					    struct cs_arena *arena, struct cs_bytes *bytes);

#endif
