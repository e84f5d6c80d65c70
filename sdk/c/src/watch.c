/* One message, until it has ended. */
#include "sdk/c/src/inner.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_PAUSE_MS 250u
#define STEPS_MAX 32u
/* In place of the time of a step that was skipped. */
#define SKIPPED (-2)
#define UNTOLD (-1)

struct watch {
	json_int_t told[STEPS_MAX]; /* the time of each step that was told */
	char *last;                 /* state, reason and id as they were */
};

/* By their time: after a retry some steps happen again. What is skipped is certain only at the end. */
static uint32_t news_of(struct watch *watch, const json_t *message)
{
	const json_t *steps = json_object_get(message, "steps");
	bool ended = json_is_true(json_object_get(message, "ended"));
	uint32_t news = 0;
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *step = json_array_get(steps, i);
		json_int_t n = json_integer_value(json_object_get(step, "n"));
		const json_t *happened = json_object_get(step, "t_ms");
		json_int_t t_ms =
			json_is_integer(happened) ? json_integer_value(happened) : SKIPPED;
		if (n < 1 || n > (json_int_t)STEPS_MAX)
			continue;
		if (t_ms == SKIPPED && !(ended && json_object_get(step, "skipped")))
			continue;
		if (watch->told[n - 1] != t_ms)
			news |= UINT32_C(1) << (n - 1);
		watch->told[n - 1] = t_ms;
	}
	return news;
}

/* False: no memory. */
static bool is_changed(struct watch *watch, bool *changed, const json_t *message)
{
	json_t *now = json_pack("[O?O?O?]", json_object_get(message, "state"),
				json_object_get(message, "why"), json_object_get(message, "id"));
	char *text = now ? json_dumps(now, JSON_COMPACT) : NULL;
	json_decref(now);
	if (!text)
		return false;
	*changed = !watch->last || strcmp(watch->last, text) != 0;
	free(watch->last);
	watch->last = text;
	return true;
}

/* Tells what is new. *ended: that was all. */
static enum caisson_err look(struct watch *watch, bool *ended, const struct caisson_answer *message,
			     caisson_on_change *on_change, void *context,
			     struct caisson_error *error)
{
	bool changed = false;
	uint32_t news = news_of(watch, message->json);
	if (!is_changed(watch, &changed, message->json))
		return fail_as(error, CAISSON_NO_MEMORY, "no memory");
	if (on_change && (changed || news))
		on_change(context, message, news);
	*ended = caisson_answer_is_true(message, "ended");
	return CAISSON_OK;
}

static enum caisson_err wait_with(struct watch *watch, struct caisson_gateway *gateway,
				  struct caisson_answer **out, const char *id, const char *side,
				  uint64_t timeout_ms, caisson_on_change *on_change, void *context,
				  struct caisson_error *error)
{
	uint64_t begin = now_ms();
	struct caisson_error told = {.err = CAISSON_OK};
	for (;;) {
		struct caisson_answer *message = NULL;
		bool ended = false;
		enum caisson_err err = caisson_message(gateway, &message, id, side, &told);
		if (err == CAISSON_OK)
			err = look(watch, &ended, message, on_change, context, &told);
		else if (watch->last && http_is_passing(&told))
			err = CAISSON_OK; /* it was there, and will be again */
		if (err == CAISSON_OK && ended) {
			*out = message;
			return err;
		}
		caisson_answer_free(message);
		if (err != CAISSON_OK) {
			if (error)
				*error = told;
			return err;
		}
		if (now_ms() - begin >= timeout_ms)
			return fail_as(error, CAISSON_TIMED_OUT, "%.80s has not ended in time", id);
		pause_ms(LOOK_PAUSE_MS);
	}
}

enum caisson_err caisson_wait(struct caisson_gateway *gateway, struct caisson_answer **message,
			      const char *id, const char *side, uint64_t timeout_ms,
			      caisson_on_change *on_change, void *context,
			      struct caisson_error *error)
{
	struct watch watch = {.last = NULL};
	for (size_t i = 0; i < STEPS_MAX; i++)
		watch.told[i] = UNTOLD;
	enum caisson_err err = wait_with(&watch, gateway, message, id, side, timeout_ms, on_change,
					 context, error);
	free(watch.last);
	return err;
}
