#include "adapters/later.h"

#include "host/alloc.h"

#include <stdlib.h>

struct entry {
	void (*run)(void *context, bool closing);
	void *context;
	struct entry *next;
};

struct adapter_later {
	struct host_timer *timer;
	struct entry *first;
	bool ended;
};

static void run_all(struct adapter_later *later, bool closing)
{
	struct entry *entry = later->first;

	later->first = NULL;
	while (entry != NULL) {
		struct entry *next = entry->next;

		entry->run(entry->context, closing);
		free(entry);
		entry = next;
	}
}

static void turn(void *context)
{
	run_all(context, false);
}

struct adapter_later *adapter_later_new(struct host_loop *loop)
{
	struct adapter_later *later = host_alloc(sizeof(*later));

	later->timer = host_timer_new(loop, turn, later);
	return later;
}

void adapter_later_add(struct adapter_later *later, void (*run)(void *context, bool closing),
		       void *context)
{
	struct entry **end = &later->first;

	if (later->ended) { /* no turn will come */
		run(context, true);
		return;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = host_alloc(sizeof(**end));
	**end = (struct entry){.run = run, .context = context};
	host_timer_start(later->timer, 0, 0);
}

void adapter_later_end(struct adapter_later *later)
{
	later->ended = true;
	run_all(later, true);
}

void adapter_later_free(struct adapter_later *later)
{
	if (later == NULL)
		return;
	host_timer_free(later->timer);
	free(later);
}
