/* Contract 11, the ledger's inbox: takes any message (ERC-7786 receiveMessage) from the gateway and keeps
 * the newest one, so that a ledger has an application that messages can be sent to. It reads nothing
 * into what it got, sends nothing, and holds no value. */
#ifndef LEDGER_INBOX_H
#define LEDGER_INBOX_H

#include "relay_state/ledger/contract.h"

#define LEDGER_INBOX_NUMBER 11u

/* receiveMessage, received, lastId, lastSender, lastPayload; event Received: the functions of the
 * application that tests deploy on EVM chains (contracts/evm/test/SampleApp.sol). */
extern const struct ledger_contract ledger_inbox;

#endif
