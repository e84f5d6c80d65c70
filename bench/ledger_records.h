/* Transactions for bench_ledger that write relay records as gateways do: the nine moves of delivered messages, three
 * of each message a batch, since a block of its chain brings about so many at once. By a few gateways' accounts,
 * whose sequences are counted here. */
#ifndef BENCH_LEDGER_RECORDS_H
#define BENCH_LEDGER_RECORDS_H

#include <stddef.h>
#include <stdint.h>

/* Of one call. */
#define BENCH_RECORDS_MAX 64u
/* Of one message in it. */
#define BENCH_RECORDS_TOGETHER 3u
#define BENCH_RECORDS_SIZE_MAX 24576u
/* The account of index i has the secret BENCH_RECORDS_SECRET + i; it may report for the chain whose identity is
 * 32 bytes of 0x41. */
#define BENCH_RECORDS_SECRET 1000u

/* The chain's tag in hex; ends the program where it is none, or the batch is above
 * BENCH_RECORDS_MAX or no multiple of BENCH_RECORDS_TOGETHER. `first`:
 * the index of the first account, none of which has sent anything before. */
void bench_records_init(const char *tag, size_t batch, size_t first);
/* The next transaction of an account, counted from the first, at most BENCH_RECORDS_SIZE_MAX bytes. */
size_t bench_records_tx(uint8_t *tx, size_t account);

#endif
