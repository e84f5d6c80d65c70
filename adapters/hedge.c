#include "adapters/hedge.h"

#define COST 100
#define LATE_PERCENT 95

void adapter_hedge_init(struct adapter_hedge *hedge, const struct adapter_hedge_config *config)
{
	cs_assert(config->percent <= ADAPTER_HEDGE_PERCENT_MAX &&
		  config->delay_min_ms <= config->delay_max_ms);
	*hedge = (struct adapter_hedge){.config = *config, .credit = ADAPTER_HEDGE_BURST * COST};
}

unsigned adapter_hedge_delay_ms(const struct adapter_hedge *hedge,
				const struct adapter_health *health)
{
	unsigned usual_ms = adapter_health_within_ms(health, LATE_PERCENT);

	if (usual_ms == 0 || usual_ms > hedge->config.delay_max_ms)
		return hedge->config.delay_max_ms;
	return usual_ms > hedge->config.delay_min_ms ? usual_ms : hedge->config.delay_min_ms;
}

void adapter_hedge_earn(struct adapter_hedge *hedge)
{
	unsigned credit = hedge->credit + hedge->config.percent;

	hedge->credit = credit < ADAPTER_HEDGE_BURST * COST ? credit : ADAPTER_HEDGE_BURST * COST;
}

bool adapter_hedge_pay(struct adapter_hedge *hedge)
{
	if (hedge->config.percent == 0 || hedge->credit < COST)
		return false;
	hedge->credit -= COST;
	return true;
}
