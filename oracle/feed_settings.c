/* How often a feed is asked for and what trips it: the contract's own terms, then defaults, then
 * what the operator wrote. */
#include "oracle/feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_MS 1000u
#define POLL_MAX_MS 60000u
#define LEAD_MAX_MS 30000u
#define PAUSE_MAX_MS 900000u
#define TRIP_AFTER 3u
/* A block may come late, and the next one too. */
#define BLOCKS_WAIT 4u
/* How far sources of a price usually are from each other. */
#define AGREE_PPM 10000u

enum setting {
	HEARTBEAT,
	DEVIATION,
	POLL,
	LEAD,
	JITTER,
	AGREE,
	K,
	JUMP,
	TRIP,
	PAUSE,
	SETTING_COUNT
};
static const struct {
	const char *name;
	uint64_t max;
} settings[SETTING_COUNT] = {
	[HEARTBEAT] = {"heartbeat_s", 0xffffff},
	[DEVIATION] = {"deviation_ppm", UINT32_MAX},
	[POLL] = {"poll_ms", ORACLE_ROUND_LENGTH_MAX_MS},
	[LEAD] = {"lead_ms", ORACLE_ROUND_LENGTH_MAX_MS},
	[JITTER] = {"jitter_ms", ORACLE_ROUND_LENGTH_MAX_MS},
	[AGREE] = {"agree_ppm", UINT32_MAX},
	[K] = {"k", ORACLE_ROUND_SOURCES_MAX},
	[JUMP] = {"jump_ppm", UINT32_MAX},
	[TRIP] = {"trip_after", ORACLE_ROUND_TRIP_MAX},
	[PAUSE] = {"pause_max_ms", ORACLE_ROUND_LENGTH_MAX_MS},
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int setting_of(const char *name)
{
	for (int i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(settings[i].name, name) == 0)
			return i;
	}
	return -1;
}

bool oracle_feed_is_override(const char *name)
{
	return setting_of(name) >= 0;
}

/* ---- text ---- */

enum cs_err oracle_feed_overrides(char text[ORACLE_SETTINGS_SIZE_MAX + 1], const json_t *object)
{
	json_t *kept = json_object();
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		json_t *value = json_object_get(object, settings[i].name);
		if (value)
			json_object_set(kept, settings[i].name, value);
	}
	char *dump = json_dumps(kept, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(kept);
	cs_assert(dump != NULL);
	enum cs_err err = strlen(dump) > ORACLE_SETTINGS_SIZE_MAX ? CS_ERR_TOO_LARGE : CS_OK;
	if (err == CS_OK)
		memcpy(text, dump, strlen(dump) + 1);
	free(dump);
	return err;
}

static enum cs_err read_overrides(uint64_t *values, bool *given, const char *text,
				  struct cs_why *why)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *name;
	json_t *value;
	enum cs_err err = CS_OK;
	if (!json_is_object(object)) {
		json_decref(object);
		return cs_fail(why, CS_ERR_MALFORMED, "settings: not an object");
	}
	json_object_foreach(object, name, value)
	{
		int i = setting_of(name);
		if (i < 0)
			err = cs_fail(why, CS_ERR_UNKNOWN_FIELD, "%.60s: no setting of a feed",
				      name);
		else if (!json_is_integer(value) || json_integer_value(value) < 0 ||
			 (uint64_t)json_integer_value(value) > settings[i].max)
			err = cs_fail(why, CS_ERR_INVALID, "%s: a number from 0 to %llu", name,
				      (unsigned long long)settings[i].max);
		if (err != CS_OK)
			break;
		values[i] = (uint64_t)json_integer_value(value);
		given[i] = true;
	}
	json_decref(object);
	return err;
}

/* ---- values ---- */

/* In this order: each default follows from what is above it. */
static void fill_defaults(uint64_t *v, const bool *given, const struct oracle_feed *row,
			  const struct wire_spec *spec, const struct host_chain_config *chain)
{
	bool equal = spec->aggregate == WIRE_AGGREGATE_EQUAL;
	uint64_t defaults[SETTING_COUNT];
#define PUT(which, value)                           \
	do {                                        \
		defaults[which] = (value);          \
		if (!given[which])                  \
			v[which] = defaults[which]; \
	} while (0)
	PUT(HEARTBEAT, row->heartbeat_s);
	PUT(DEVIATION, row->deviation_ppm);
	uint64_t heartbeat_ms = v[HEARTBEAT] * SECOND_MS;
	uint64_t poll = least(heartbeat_ms / 60, POLL_MAX_MS);
	PUT(POLL, poll < ORACLE_ROUND_POLL_MIN_MS ? ORACLE_ROUND_POLL_MIN_MS : poll);
	PUT(LEAD, least(heartbeat_ms / 10, LEAD_MAX_MS));
	/* Three blocks: the second of two operators sees what the first one brought. */
	PUT(JITTER,
	    least(least(v[POLL] / 2, 3 * (uint64_t)chain->block_time_ms), heartbeat_ms / 10));
	PUT(AGREE, equal ? 0 : spec->spread_bounded ? spec->spread_ppm : AGREE_PPM);
	PUT(K, spec->k);
	PUT(JUMP, 0);
	PUT(TRIP, TRIP_AFTER);
	PUT(PAUSE, v[POLL] > PAUSE_MAX_MS ? v[POLL] : PAUSE_MAX_MS);
#undef PUT
}

enum cs_err oracle_feed_settings(struct oracle_round_settings *out, const struct oracle_feed *row,
				 const struct wire_spec *spec,
				 const struct host_chain_config *chain, uint64_t seed,
				 struct cs_why *why)
{
	uint64_t v[SETTING_COUNT] = {0};
	bool given[SETTING_COUNT] = {false};
	CS_TRY(read_overrides(v, given, row->settings, why));
	fill_defaults(v, given, row, spec, chain);
	/* The owner's terms are promises to consumers: an operator may keep more than these. */
	if (v[HEARTBEAT] == 0 || v[HEARTBEAT] > row->heartbeat_s)
		return cs_fail(why, CS_ERR_INVALID, "heartbeat_s: 1 to the contract's %llu",
			       (unsigned long long)row->heartbeat_s);
	if (v[DEVIATION] > row->deviation_ppm)
		return cs_fail(why, CS_ERR_INVALID, "deviation_ppm: at most the contract's %u",
			       row->deviation_ppm);
	if (v[K] < spec->k || v[K] > spec->source_count)
		return cs_fail(why, CS_ERR_INVALID, "k: from the spec's %u to its %zu sources",
			       spec->k, spec->source_count);
	const struct oracle_round_settings made = {
		.heartbeat_ms = v[HEARTBEAT] * SECOND_MS,
		.deviation_ppm = (uint32_t)v[DEVIATION],
		.poll_ms = v[POLL],
		.lead_ms = v[LEAD],
		.jitter_ms = v[JITTER],
		.block_ms = BLOCKS_WAIT * (uint64_t)chain->block_time_ms,
		.agree_ppm = (uint32_t)v[AGREE],
		.agree_min = (uint32_t)v[K],
		.jump_ppm = (uint32_t)v[JUMP],
		.trip_after = (uint32_t)v[TRIP],
		.pause_max_ms = v[PAUSE],
		.seed = seed,
	};
	CS_TRY(oracle_round_check(&made, why));
	*out = made;
	return CS_OK;
}

json_t *oracle_feed_settings_json(const struct oracle_round_settings *s)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "heartbeat_s",
			 (json_int_t)(s->heartbeat_ms / SECOND_MS), "deviation_ppm",
			 (json_int_t)s->deviation_ppm, "poll_ms", (json_int_t)s->poll_ms, "lead_ms",
			 (json_int_t)s->lead_ms, "jitter_ms", (json_int_t)s->jitter_ms, "agree_ppm",
			 (json_int_t)s->agree_ppm, "k", (json_int_t)s->agree_min, "jump_ppm",
			 (json_int_t)s->jump_ppm, "trip_after", (json_int_t)s->trip_after,
			 "pause_max_ms", (json_int_t)s->pause_max_ms);
}

/* ---- the spec ---- */

enum cs_err oracle_feed_spec(struct wire_spec *out, struct cs_bytes spec, struct cs_arena *arena,
			     struct cs_why *why)
{
	struct wire_spec *parsed = cs_arena_alloc(arena, sizeof(*parsed));
	if (!parsed)
		return CS_ERR_NO_MEMORY;
	CS_TRY(wire_spec_parse(parsed, spec, arena, why));
	if (parsed->type.kind != WIRE_TYPE_INT256 || parsed->type.array)
		return cs_fail(why, CS_ERR_INVALID, "spec: a feed's result is one int256");
	if (parsed->argument_count != 0 || parsed->has_secrets)
		return cs_fail(why, CS_ERR_INVALID, "spec: a feed has no arguments and no secrets");
	*out = *parsed;
	return CS_OK;
}
