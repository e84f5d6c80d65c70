/* What things cost on the ledger, in gas. A unit is about ten nanoseconds of one core on the machine
 * of docs/performance.md, so that a block of LEDGER_BLOCK_GAS takes about a second when it is full
 * of the worst; bench/ measures both. Whoever changes a number here changes the chain: the numbers
 * are part of the application's version. */
#ifndef LEDGER_GAS_H
#define LEDGER_GAS_H

/* The default of the consensus parameter max_gas. */
#define LEDGER_BLOCK_GAS 100000000u

/* A transaction, each of its bytes, each signature. */
#define LEDGER_GAS_TX 1000u
#define LEDGER_GAS_TX_BYTE 5u
#define LEDGER_GAS_SIGNATURE 10000u
/* Calling a contract. */
#define LEDGER_GAS_CALL 500u
/* A value that is read, each of its bytes; written; removed. A write has the pages of the tree on
 * its way: six hashed pages in a state of ten million. */
#define LEDGER_GAS_READ 1000u
#define LEDGER_GAS_READ_BYTE 1u
#define LEDGER_GAS_WRITE 5000u
#define LEDGER_GAS_WRITE_BYTE 10u
#define LEDGER_GAS_REMOVE 5000u
/* Moving the native asset: two accounts are read and written. */
#define LEDGER_GAS_MOVE 12000u
/* An event, each byte of its topics and data; each byte that a transaction's last call returns. They
 * go into the answer to the block, in hex, which must fit a frame of ABCI with a full block. */
#define LEDGER_GAS_LOG 500u
#define LEDGER_GAS_LOG_BYTE 8u
#define LEDGER_GAS_RESULT_BYTE 4u
/* Each byte that a call returns beyond two words, which a call's own gas pays for: they stay in
 * memory until the transaction ends. */
#define LEDGER_GAS_OUTPUT_BYTE 1u
#define LEDGER_OUTPUT_FREE_SIZE 64u
/* A Schnorr signature of a statement, one of Ed25519 with its key parsed (2.4 of the former:
 * bench/bench_gas.c), a hash of a leaf or node. */
#define LEDGER_GAS_SCHNORR 6000u
#define LEDGER_GAS_ED25519 15000u
#define LEDGER_GAS_HASH 100u
/* Evidence of hardware, each of its bytes: as many signatures of P-384 as evidence.h lets in, at 1.2 ms.
 * Each byte of a policy that is set: it is parsed. */
#define LEDGER_GAS_EVIDENCE 4000000u
#define LEDGER_GAS_EVIDENCE_BYTE 20u
#define LEDGER_GAS_POLICY_BYTE 20u

#endif
