/* Contract 6, usage records: who used whose data, for what, how much, at which price, by an enclave's
 * word; what that makes of statements by party and month; and disputes, payments and the pruning of old
 * lines. It believes enclaves of the register (contract 4) and sees no data. usage_line.h says what the
 * records and lines are.
 *
 *     struct Record { bytes32 dataHash; address provider; address consumer; bytes purpose; bytes32 enclave;
 *                     bytes32 metric; uint256 quantity; uint256 price; uint64 observedAt; uint64 nonce;
 *                     bytes32 r; bytes32 s; }
 *
 *     function record(Record[] records)
 *     function recordOf(bytes32 enclave, uint64 nonce) view returns (bytes line)
 *     function statementOf(address party, uint8 role, uint32 period) view
 *              returns (uint64 count, bytes32 root, uint256 charged, uint256 credited, uint64 pruned, bool closed)
 *     function lines(address party, uint8 role, uint32 period, uint64 from, uint64 count) view
 *              returns (bytes lines)               each: size (2) ‖ line; as many as fit
 *     function prune(address party, uint8 role, uint32 period, uint64 count) returns (uint64 pruned)
 *     function registerMetric(bytes32 name, uint8 decimals, bytes32 unit)                  the owner
 *     function metricOf(bytes32 name) view returns (bool known, uint8 decimals, bytes32 unit)
 *     function dispute(bytes32 enclave, uint64 nonce, uint256 amount, bytes32 reason)      the consumer
 *     function withdraw(bytes32 enclave, uint64 nonce, bytes32 reason)                     the consumer
 *     function accept(bytes32 enclave, uint64 nonce, bytes32 reason)                       the provider
 *     function reject(bytes32 enclave, uint64 nonce, bytes32 reason)                       the provider
 *     function appeal(bytes32 enclave, uint64 nonce, bytes32 reason)                       the consumer
 *     function decide(bytes32 enclave, uint64 nonce, uint256 credit, bytes32 reason)       the arbiter
 *     function disputeOf(bytes32 enclave, uint64 nonce) view returns (uint8 state, uint256 claimed,
 *              uint256 credited, uint64 steps, (uint8 state, address who, uint64 time, bytes32 reason)[4])
 *     function settle(address provider, uint32 period, uint256 amount) payable             the consumer
 *     function balanceOf(address provider, address consumer, uint32 period) view
 *              returns (uint256 charged, uint256 credited, uint256 paid)
 *     function setArbiter(address arbiter)                                   the owner, after the delay
 *     function terms() view returns (address arbiter, address asset, uint64 ageMax, uint64 disputeWindow,
 *              uint64 retention, bool insecure)
 *     and those of timelock.h
 *
 *     event UsageRecorded(bytes32 indexed enclave, address indexed provider, address indexed consumer,
 *                         uint64 nonce, uint32 period, uint256 amount)
 *     event UsageCredited(the same)
 *     event UsageDisputed(bytes32 indexed enclave, address indexed provider, address indexed consumer,
 *                         uint64 nonce, uint8 state, address who, bytes32 reason)
 *     event UsagePruned(address indexed party, uint8 role, uint32 period, uint64 pruned)
 *     event UsageSettled(address indexed provider, address indexed consumer, uint32 period, uint256 amount,
 *                        uint256 paid)
 *     event MetricRegistered(bytes32 indexed name, uint8 decimals, bytes32 unit)
 *
 * Own state beside that of timelock.h, numbers big-endian; an account is party (20) ‖ role (1) ‖ period (4):
 *
 *     'g'                                    arbiter (20) ‖ asset (20) ‖ longest age, window, retention
 *                                            (8 each) ‖ insecure (1)
 *     'm' ‖ metric                           decimals (1) ‖ unit (32)
 *     'r' ‖ enclave ‖ nonce                  in whose statements it is (1) ‖ line of the charge
 *     'c' ‖ enclave ‖ nonce                  the same of the credit
 *     'd' ‖ enclave ‖ nonce                  the dispute
 *     'a' ‖ account                          the statement
 *     'q' ‖ account                          the statement of its pruned lines
 *     'l' ‖ account ‖ index (8)              kind (1) ‖ enclave (32) ‖ nonce (8)
 *     'b' ‖ provider ‖ consumer ‖ period     charged ‖ credited ‖ paid (32 each) */
#ifndef LEDGER_USAGE_H
#define LEDGER_USAGE_H

#include "relay_state/ledger/contract.h"
#include "relay_state/ledger/usage_line.h"

extern const struct ledger_contract ledger_usage;

/* Records of one call; a gateway hands on what its enclave saw in a block. */
#define LEDGER_USAGE_RECORDS_MAX 64u
/* Lines that one call prunes: their gas is about a tenth of a block's. */
#define LEDGER_USAGE_PRUNE_MAX 512u
/* Lines that one answer of `lines` always has room for. */
#define LEDGER_USAGE_PAGE 80u
/* Of terms; the sums with a block's time stay far below 2^64. */
#define LEDGER_USAGE_TERM_MAX_S (3650u * 86400)

/* What the ledger is founded with. */
struct ledger_usage_terms {
	struct cs_address owner; /* registers metrics, names the arbiter */
	struct cs_address guardian;
	uint64_t delay_s;
	struct cs_address arbiter; /* zero: nobody; appeals wait then */
	struct cs_address asset;   /* of contract 3, in which amounts are; zero: the native one */
	uint64_t age_max_s;        /* of an observation when it is recorded */
	uint64_t window_s;         /* to dispute, to answer, to appeal */
	uint64_t retention_s;      /* of lines: at least the longest age and four windows */
	bool insecure;             /* takes records of insecure enclaves alone, for ever */
};

/* At genesis, `call` being a call of contract 6 by nobody. INVALID: terms outside their bounds, no
 * owner. */
CS_NODISCARD enum cs_err ledger_usage_construct(struct ledger_call *call,
						const struct ledger_usage_terms *terms);
/* At genesis, or by the owner. Reverts with MetricKnown(), MetricInvalid(). A name: 1 to 32 of
 * a-z 0-9 _ . - and zeros; a unit: the same with A-Z / %. */
CS_NODISCARD enum cs_err ledger_usage_add_metric(struct ledger_call *call,
						 const struct cs_hash *name, uint8_t decimals,
						 const struct cs_hash *unit);

#endif
