/* The next key of the oracle: made by the enclave, stored, announced to each contract by the
 * operator's account, and named in requests once the contract has it in force. Private to
 * oracle/. */
#ifndef ORACLE_ROTATION_H
#define ORACLE_ROTATION_H

#include "oracle/oracle.h"

/* What the journal knows of each contract. IO and the like; INVALID: not what was written. */
CS_NODISCARD enum cs_err oracle_rotation_load(struct oracle *oracle);
/* Announces, and looks whether it is in force. */
void oracle_rotation_pump(struct oracle_chain *chain);
void oracle_api_rotation_routes(struct oracle *oracle);

#endif
