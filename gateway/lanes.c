#include "gateway/lanes.h"

#define NEW_TIMES 3u
#define NEW_SLACK_MS 1000u /* blocks tell whole seconds */
/* So long without one as new as the newest: a clock was set, or a chain's blocks become final later. */
#define LEARNED_MS (10u * 60u * 1000u)

static uint64_t age_ms(const struct gateway_message *message, uint64_t now_ms)
{
	return now_ms - gateway_turn_ms(message, now_ms);
}

uint64_t gateway_turn_ms(const struct gateway_message *message, uint64_t now_ms)
{
	return message->time_s < now_ms / 1000 ? message->time_s * 1000 : now_ms;
}

bool gateway_stage_is_new(const struct gateway_stage *stage, const struct gateway_message *message,
			  uint64_t now_ms)
{
	return stage->learned_ms != 0 &&
	       age_ms(message, now_ms) <= NEW_TIMES * stage->lag_ms + NEW_SLACK_MS;
}

static void learn(struct gateway_stage *stage, uint64_t age, uint64_t now_ms)
{
	bool known = stage->learned_ms != 0 && now_ms - stage->learned_ms < LEARNED_MS;
	if (known && age > stage->lag_ms)
		return;
	stage->lag_ms = age;
	stage->learned_ms = now_ms;
}

static bool is_under_way(const struct gateway_stage *stage, enum gateway_lane lane, uint64_t n)
{
	for (size_t i = 0; i < stage->lanes[lane].count; i++)
		if (stage->lanes[lane].rows[i] == n)
			return true;
	return false;
}

size_t gateway_stage_keep(struct gateway_stage *stage, enum gateway_lane lane,
			  struct gateway_message *rows, size_t count, uint64_t now_ms)
{
	enum gateway_lane other = lane == GATEWAY_LANE_NEW ? GATEWAY_LANE_OLD : GATEWAY_LANE_NEW;
	size_t kept = 0;
	for (size_t i = 0; i < count && lane == GATEWAY_LANE_NEW; i++)
		learn(stage, age_ms(&rows[i], now_ms), now_ms);
	for (size_t i = 0; i < count; i++) {
		if (is_under_way(stage, other, rows[i].n) ||
		    (lane == GATEWAY_LANE_NEW && !gateway_stage_is_new(stage, &rows[i], now_ms)))
			continue;
		if (kept != i)
			rows[kept] = rows[i];
		kept++;
	}
	return kept;
}

enum cs_err gateway_stage_pick(struct gateway_stage *stage, enum gateway_lane lane,
			       struct gateway_journal *journal, struct gateway_pick *pick,
			       struct gateway_message rows[CS_BATCH_MAX], size_t count_max,
			       size_t *count)
{
	bool is_new = lane == GATEWAY_LANE_NEW;
	pick->newest_first = is_new || stage->newest;
	*count = 0;
	if (is_new || count_max == 1) {
		CS_TRY(gateway_journal_pick(journal, pick, rows, 1, count));
		if (*count == 0)
			return CS_OK;
		*count = gateway_stage_keep(stage, lane, rows, 1, pick->due_ms);
		if (*count == 1 && count_max == 1)
			return CS_OK;
		/* Only what was tried stands before what is newer. */
		if (is_new && rows[0].tries == 0 &&
		    !gateway_stage_is_new(stage, &rows[0], pick->due_ms))
			return CS_OK;
	}
	CS_TRY(gateway_journal_pick(journal, pick, rows, count_max > 1 ? count_max : CS_BATCH_MAX,
				    count));
	*count = gateway_stage_keep(stage, lane, rows, *count, pick->due_ms);
	*count = *count < count_max ? *count : count_max;
	return CS_OK;
}

void gateway_stage_begin(struct gateway_stage *stage, enum gateway_lane lane,
			 const struct gateway_message *rows, size_t count)
{
	cs_assert(!stage->lanes[lane].busy && count <= CS_BATCH_MAX);
	stage->lanes[lane].busy = true;
	stage->lanes[lane].count = count;
	for (size_t i = 0; i < count; i++)
		stage->lanes[lane].rows[i] = rows[i].n;
}

void gateway_stage_end(struct gateway_stage *stage, enum gateway_lane lane)
{
	stage->lanes[lane].busy = false;
	stage->lanes[lane].count = 0;
}

unsigned gateway_stage_flights(const struct gateway_stage *stage)
{
	return (stage->lanes[GATEWAY_LANE_NEW].busy ? 1u : 0u) +
	       (stage->lanes[GATEWAY_LANE_OLD].busy ? 1u : 0u);
}
