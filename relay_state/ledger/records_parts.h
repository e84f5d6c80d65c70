/* What the files of contract 5 share. Not for other contracts. */
#ifndef LEDGER_RECORDS_PARTS_H
#define LEDGER_RECORDS_PARTS_H

#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/records.h"
#include "relay_state/ledger/timelock.h"

/* SideInvalid() unless it is one. */
CS_NODISCARD enum cs_err records_check_side(struct ledger_call *call, uint8_t side);
CS_NODISCARD enum cs_err records_is_gateway(struct ledger_call *call, bool *is,
					    const struct cs_address *account,
					    const struct cs_hash *identity);
/* BIP-340 by an active key of the register, in any role: KeyNotActive(), SignatureInvalid(). */
CS_NODISCARD enum cs_err records_check_signature(struct ledger_call *call,
						 struct ledger_key_holder *holder,
						 const struct cs_hash *x);
CS_NODISCARD enum cs_err records_verify(struct ledger_call *call, const struct cs_hash *x,
					const struct cs_hash *rx, const struct cs_hash *s,
					const struct cs_hash *digest);

ledger_function_fn records_record, records_record_signed, records_message_of, records_record_of,
	records_conflict_of, records_backlog;
ledger_function_fn records_take_lease, records_renew_lease, records_release_lease, records_lease_of;
ledger_function_fn records_anchor, records_anchor_of, records_anchor_conflict_of;
ledger_function_fn records_anchor_cluster, records_cluster_anchor_of;

#endif
