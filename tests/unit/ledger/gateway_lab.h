/* A ledger with a gateway, a remote chain that exists only as the key that signs for it, people, and
 * contracts that receive messages well and badly. Statements are signed by real keys; calldata is
 * what an enclave builds (wire/envelope.h). */
#ifndef TESTS_UNIT_LEDGER_GATEWAY_LAB_H
#define TESTS_UNIT_LEDGER_GATEWAY_LAB_H

#include "core/caip.h"
#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/gateway.h"
#include "tests/unit/ledger/contract_lab.h"
#include "wire/envelope.h"

#define WORLD_DELAY 1000u
#define WORLD_ROTATION_DELAY 2000u
#define WORLD_OVERLAP 500u
#define WORLD_GATEWAY LEDGER_GATEWAY_NUMBER
/* Contracts of the tests. */
#define WORLD_APP 200u     /* receives, counts, hears outcomes, sends */
#define WORLD_HOSTILE 201u /* as app_mode says */

/* Another chain's gateway, as its enclave would speak for it. */
struct remote {
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	struct cs_hash genesis;
	struct cs_address gateway;
	struct cs_hash identity;
	struct cs_secret key;
	struct cs_hash x;
	struct cs_bytes chain; /* ERC-7930 without an address */
	struct cs_address app;
	uint64_t sequence; /* of the last message that was made */
};

struct world {
	struct lab *lab;
	char caip2[CS_CAIP2_SIZE_MAX + 1];
	struct cs_hash identity;
	enum wire_domain domain;
	struct cs_address owner, guardian, user, closer, anyone;
	struct cs_address app, hostile;
	struct remote remote;
};

/* How the recipients of a test behave, set between calls. */
enum app_mode {
	APP_GOOD,
	APP_REVERTS,
	APP_WRONG_VALUE,
	APP_DIRTY_VALUE, /* the magic, and a bit behind it */
	APP_SHORT_VALUE,
	APP_NO_VALUE,
	APP_LONG_VALUE,   /* the magic, and a lot behind it */
	APP_REVERTS_LONG, /* with as much as an answer can be */
	APP_BURNS,        /* all of its gas */
	APP_USES,         /* app.gas, if it got so much */
	APP_CALLS,        /* app.data to app.target, and is good */
	APP_CALLS_FAILS,  /* the same, and reverts */
	APP_UNLIKE,       /* of an outcome: reverts */
};
struct app {
	enum app_mode mode;
	uint64_t gas;
	struct cs_address target;
	struct cs_bytes data;
	size_t logs; /* that `run` emits before it calls */
	/* What was seen, beside the chain's state: nothing takes it back. */
	uint64_t gas_seen;
	bool call_succeeded;
	size_t called;
};
extern struct app app;

/* The chain id, and whether its gateway takes insecure statements. */
struct world *world_new(const char *chain_id, bool insecure);
void world_free(struct world *world);
/* The gateway has the identity of a chain with this tag from now on. */
void world_name(struct world *world, const struct cs_hash *chain_tag);
/* With more contracts. */
struct world *world_new_with(const char *chain_id, bool insecure,
			     const struct ledger_contract *const *more, size_t count);

/* eip155 of the number; the label makes its keys. */
struct remote remote_make(const struct world *world, const char *caip2, const char *label);
struct cs_bytes register_call(const struct remote *remote);
/* Registers it with a route and its first key, epoch 1. */
void world_register(struct world *world, const struct remote *remote);

/* Statically: a secret of a label, and its x. */
struct cs_secret secret_of(const char *label);
struct cs_hash x_of(const struct world *world, const struct cs_secret *secret);
/* ERC-7930. */
struct cs_bytes account_of(const char *caip2, const struct cs_address *address);

/* ---- the owner ---- */

/* Words of a route as world_register sets it; places of some of them. */
#define ROUTE_WORDS 15u
enum route_place {
	ROUTE_CLOSER_ALLOWED,
	ROUTE_REFUND_TO_ALLOWED,
	ROUTE_FINALITY_DEFAULT,
	ROUTE_FINALITY_MAX,
	ROUTE_PAYLOAD_MAX,
	ROUTE_LIFETIME_MIN,
	ROUTE_LIFETIME_MAX,
	ROUTE_LIFETIME_DEFAULT,
	ROUTE_GAS_MIN,
	ROUTE_GAS_MAX,
	ROUTE_GAS_DEFAULT,
	ROUTE_FEE_BASE,
	ROUTE_FEE_PER_BYTE,
	ROUTE_FEE_PER_GAS,
	ROUTE_CLOSER_DEFAULT,
};
struct route_row {
	struct cs_hash remote;
	struct cs_hash words[ROUTE_WORDS];
};
#define SET_ROUTE                                                                            \
	"setRoute(bytes32,(bool,bool,uint8,uint8,uint32,uint32,uint32,uint32,uint32,uint32," \
	"uint32,uint128,uint64,uint64,bytes32))"
struct route_row route_default(const struct remote *remote);
void world_route(struct world *world, const struct remote *remote, enum route_place place,
		 struct cs_hash value);

/* Calls as somebody: must succeed; must revert. `number` of the contract. */
void world_do(struct world *world, const struct cs_address *from, uint8_t number,
	      const char *signature, const struct cs_hash *words, size_t count);
void world_refuse(struct world *world, const struct cs_address *from, uint8_t number,
		  const char *error, const char *signature, const struct cs_hash *words,
		  size_t count);
void world_do_input(struct world *world, const struct cs_address *from, uint8_t number,
		    struct cs_bytes input);
/* Words of the error, if it has any. */
void world_refuse_input(struct world *world, const struct cs_address *from, uint8_t number,
			struct cs_bytes input, const char *error, const struct cs_hash *words,
			size_t count);
/* Schedules, waits the delay, calls. */
void world_later(struct world *world, uint8_t number, const char *signature,
		 const struct cs_hash *words, size_t count);
void world_later_input(struct world *world, uint8_t number, struct cs_bytes input);
struct cs_bytes words_call(const char *signature, const struct cs_hash *words, size_t count);
/* A call with one argument of bytes. */
struct cs_bytes bytes_call(const char *signature, struct cs_bytes bytes);

/* From now on blocks have at least this time. */
void world_at(struct world *world, uint64_t time_s);
uint64_t world_now(const struct world *world);

/* ---- statements ---- */

/* How a statement is made; what a test changes of it, it changes here. */
struct signing {
	struct cs_secret key;
	struct cs_hash signer;
	struct cs_hash receiver;
	enum wire_domain domain;
	enum wire_kind kind;
	uint64_t epoch;
	uint64_t manifest;
	size_t path_count;
	struct cs_hash path[CS_PATH_MAX];
};
struct signing signing_of(const struct world *world, const struct remote *remote,
			  enum wire_kind kind);
struct wire_signed sign(const struct world *world, const struct signing *how,
			const struct cs_hash *part);

/* ---- messages ---- */

/* With the next sequence of the remote, an hour of time and 100,000 gas; sealed. */
struct wire_message message_to(struct world *world, struct remote *remote,
			       const struct cs_address *recipient, struct cs_bytes payload);
/* The same to the app, with the payload "hello". */
struct wire_message message_make(struct world *world, struct remote *remote);
struct cs_hash message_id(const struct wire_message *message);
struct cs_hash messages_root(const struct wire_message *messages, size_t count);

/* Calldata of deliver, retry, close, expire. */
struct cs_bytes call_signed(enum wire_call call, const struct wire_signed *statement,
			    const struct wire_message *messages, size_t count);
struct cs_bytes call_of(const struct world *world, const struct remote *remote, enum wire_call call,
			const struct wire_message *messages, size_t count);
struct cs_bytes call_one(const struct world *world, const struct remote *remote,
			 enum wire_call call, const struct wire_message *message);
enum wire_status status_of(struct world *world, const struct wire_message *message);
/* Delivers; what becomes of it must be this. */
void deliver(struct world *world, const struct remote *remote, const struct wire_message *message,
	     enum wire_status becomes);

/* ---- outcomes ---- */

struct cs_bytes finalize_of(const struct world *world, const struct remote *remote,
			    const struct wire_outcome *outcomes, size_t count);
struct cs_bytes finalize_one(const struct world *world, const struct remote *remote,
			     const struct cs_hash *id, unsigned status);
unsigned outcome_of(struct world *world, const struct cs_hash *id);

/* ---- sending ---- */

struct cs_bytes send_call(struct cs_bytes recipient, struct cs_bytes payload,
			  const struct cs_bytes *attributes, size_t count);
struct cs_bytes quote_call(struct cs_bytes recipient, uint64_t payload_size,
			   const struct cs_bytes *attributes, size_t count);
/* By somebody, with this value; the sendId. */
struct cs_hash send_as(struct world *world, const struct cs_address *from, uint64_t value,
		       struct cs_bytes input);
/* By the user to the remote's app, without attributes. */
struct cs_hash send_one(struct world *world, const struct remote *remote);
/* "minGasLimit(uint256)", a word. */
struct cs_bytes attribute(const char *signature, struct cs_hash word);
struct cs_bytes closer_attribute(struct cs_bytes closer);

/* ---- what the app saw ---- */

uint64_t app_received(struct world *world, uint8_t number);
struct cs_hash app_last_id(struct world *world);
struct cs_hash app_last_payload_hash(struct world *world);
unsigned app_outcome(struct world *world, const struct cs_hash *id);
/* The app calls a contract with this, and pays this of its own. */
struct cs_bytes app_run(const struct cs_address *target, uint64_t value, struct cs_bytes data);

#endif
