/* The sections "enclaves" and "records" of genesis' "contracts" (docs/ledger.md): how contracts 4 and 5
 * are founded. Knows nothing of what they do later. */
#ifndef LEDGER_ENCLAVES_GENESIS_H
#define LEDGER_ENCLAVES_GENESIS_H

#include "relay_state/ledger/block.h"

/* As struct ledger_module has them. */
CS_NODISCARD enum cs_err ledger_enclaves_genesis(struct ledger_call *call,
						 const struct ledger_genesis *genesis,
						 const struct cs_json *section);
CS_NODISCARD enum cs_err ledger_enclaves_named(struct ledger_call *call,
					       const struct cs_hash *chain_tag);
CS_NODISCARD enum cs_err ledger_records_genesis(struct ledger_call *call,
						const struct ledger_genesis *genesis,
						const struct cs_json *section);

#endif
