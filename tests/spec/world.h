/* Engines of the correct validators of one height, driven one event at a time as docs/spec/README.md
 * says, and the messages that they and the faulty ones sent. What an engine asks for is answered at
 * once; nothing happens by itself. */
#ifndef TESTS_SPEC_WORLD_H
#define TESTS_SPEC_WORLD_H

#include "relay_state/bft/bft.h"
#include "relay_state/bft/message.h"

#define WORLD_NODES 4
#define WORLD_ROUNDS_MAX 64
#define WORLD_VALUES_MAX 256
#define WORLD_BLOCK_SIZE 4096
/* Of one validator in one event: a proposal and the votes of two rounds, its decision. */
#define WORLD_TEXT_SIZE 256
#define WORLD_QUEUE_MAX 32

#define WORLD_NIL (-1)
/* The second block of a faulty proposer of round r is 100 + r; this one the application refuses. */
#define WORLD_TWIN 100
#define WORLD_UNACCEPTABLE 999

enum world_kind { WORLD_PROPOSAL = 0, WORLD_PREVOTE, WORLD_PRECOMMIT, WORLD_KINDS };

extern const char *const world_kind_names[WORLD_KINDS];

struct world_value {
	int number;
	struct cmt_block_id id;
	uint8_t bytes[WORLD_BLOCK_SIZE];
	size_t size;
};

/* What a correct validator sent: nothing but this can arrive in its name. */
struct world_sent {
	bool some;
	int value;
	int pol;
	struct bft_message message;
};

struct world_node {
	struct bft *bft;
	struct bft_sign_state signed_last;
	bool started;
	bool armed[BFT_TIMER_END][WORLD_ROUNDS_MAX], spent[BFT_TIMER_END][WORLD_ROUNDS_MAX];
	struct bft_event queue[WORLD_QUEUE_MAX];
	size_t queue_begin, queue_end;
	struct world_sent sent[WORLD_KINDS][WORLD_ROUNDS_MAX];
	char out[WORLD_TEXT_SIZE];
};

struct world {
	unsigned faulty; /* bit i: validator i */
	int64_t now_ns;
	struct bft_state state;
	struct cs_secret secret[WORLD_NODES];
	struct world_node node[WORLD_NODES];
	struct world_value values[WORLD_VALUES_MAX];
	size_t value_count;
	uint8_t scratch_memory[1024 * 1024];
	struct cs_arena scratch;
	char failure[WORLD_TEXT_SIZE]; /* the first thing that cannot be */
};

struct world *world_new(unsigned faulty);
void world_free(struct world *world);
bool world_is_faulty(const struct world *world, int node);
/* The round of a validator; whether it has decided. */
int world_round(const struct world *world, int node);
bool world_has_decided(const struct world *world, int node);

/* The events. Afterwards node->out says what the validator said because of it, and world->failure
 * why the event could not be. */
void world_start(struct world *world, int node);
void world_message(struct world *world, int node, enum world_kind kind, int src, int round,
		   int value, int pol);
void world_block(struct world *world, int node, int value);
void world_timeout(struct world *world, int node, enum bft_timer timer, int round);
/* As the scenario's line has it behind its semicolon. */
void world_view(char text[WORLD_TEXT_SIZE], struct world *world, int node);

#endif
