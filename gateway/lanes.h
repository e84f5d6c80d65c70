/* Which messages a stage of a route takes next: new ones beside old ones. Each stage has two lanes with a
 * flight of its own: one takes what is new and nothing else, so that a new message waits for no backlog;
 * the other one takes the oldest and the newest in turn, so that a backlog waits for no new messages.
 *
 * A message is new by its age beside that of the others that come to this stage, because how old they are
 * at least is the chain's to say: with final blocks after two seconds one of a minute ago is old, with
 * final blocks after a quarter of an hour it is not. All of it is an order of work and nothing more: a
 * chain's or a peer's wrong time makes a message wait for its turn. */
#ifndef GATEWAY_LANES_H
#define GATEWAY_LANES_H

#include "gateway/journal.h"

enum gateway_lane { GATEWAY_LANE_NEW, GATEWAY_LANE_OLD, GATEWAY_LANES };

struct gateway_stage {
	struct {
		bool busy;
		uint64_t rows[CS_BATCH_MAX]; /* n of those under way */
		size_t count;
	} lanes[GATEWAY_LANES];
	bool newest;         /* the old lane's next turn */
	uint64_t lag_ms;     /* the least age with which a message came here, */
	uint64_t learned_ms; /* as it was seen last; wall clock, 0: never */
};

/* When an untried message's turn is, for next_ms: by the age of its block, so that the oldest and the
 * newest of a stage are so by their age there too. Never after now. */
uint64_t gateway_turn_ms(const struct gateway_message *message, uint64_t now_ms);
/* Not more than three times as old as the newest that came here lately, and a second. */
bool gateway_stage_is_new(const struct gateway_stage *stage, const struct gateway_message *message,
			  uint64_t now_ms);
/* Of rows that were picked: leaves those that this lane may work at, without what is under way in the
 * other one, and returns how many. The new lane learns from them how old the newest are. */
size_t gateway_stage_keep(struct gateway_stage *stage, enum gateway_lane lane,
			  struct gateway_message *rows, size_t count, uint64_t now_ms);
/* A flight with these rows; the lane was not busy. */
void gateway_stage_begin(struct gateway_stage *stage, enum gateway_lane lane,
			 const struct gateway_message *rows, size_t count);
void gateway_stage_end(struct gateway_stage *stage, enum gateway_lane lane);
unsigned gateway_stage_flights(const struct gateway_stage *stage);

#endif
