#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

struct evm_later {
	void (*run)(void *context, bool closing);
	void *context;
	struct evm_later *next;
};

static void run_all(struct evm *evm, bool closing)
{
	struct evm_later *later = evm->later;

	evm->later = NULL;
	while (later != NULL) {
		struct evm_later *next = later->next;

		later->run(later->context, closing);
		free(later);
		later = next;
	}
}

static void turn(void *context)
{
	run_all(context, false);
}

void evm_later(struct evm *evm, void (*run)(void *context, bool closing), void *context)
{
	struct evm_later **end = &evm->later;
	struct evm_later *later = host_alloc(sizeof(*later));

	if (evm->ending) { /* no turn will come */
		free(later);
		run(context, true);
		return;
	}
	if (evm->later_timer == NULL)
		evm->later_timer = host_timer_new(evm->loop, turn, evm);
	while (*end != NULL)
		end = &(*end)->next;
	*later = (struct evm_later){.run = run, .context = context};
	*end = later;
	host_timer_start(evm->later_timer, 0, 0);
}

void evm_later_end(struct evm *evm)
{
	run_all(evm, true);
	host_timer_free(evm->later_timer);
	evm->later_timer = NULL;
}
