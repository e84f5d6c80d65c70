/* Figures of feeds for Prometheus. What is counted of sources begins with what the journal has, so
 * that it is true after a restart. */
#include "oracle/feeds.h"

#include <inttypes.h>
#include <stdio.h>

static struct host_metric *series(struct oracle_feed_live *live, enum host_metric_kind kind,
				  const char *name, const char *help, const char *source)
{
	const struct oracle_contract *contract = live->contract;
	char address[43] = "0x";
	char index[24];
	if (live->feeds->series == ORACLE_FEED_SERIES_MAX)
		return NULL;
	live->feeds->series++;
	cs_hex(address + 2, CS_BYTES_OF(contract->address.b));
	snprintf(index, sizeof(index), "%" PRIu64, live->row.index);
	const struct host_metric_spec spec = {.name = name,
					      .kind = kind,
					      .help = help,
					      .labels = {{"chain", contract->chain->config->id},
							 {"contract", address},
							 {"feed", index},
							 {source ? "source" : NULL, source}}};
	return host_metrics_series(live->feeds->oracle->metrics, &spec);
}

void oracle_feed_metrics_disagreed(struct oracle_feed_live *live, uint32_t source)
{
	if (live->disagreements[source])
		host_metric_add(live->disagreements[source], 1);
}

void oracle_feed_metrics_add(struct oracle_feed_live *live)
{
	struct oracle_feed_source known[WIRE_SOURCES_MAX];
	size_t count = 0;
	live->age = series(live, HOST_METRIC_GAUGE, "caisson_oracle_feed_age_seconds",
			   "Age of the value that the contract holds.", NULL);
	live->deviation = series(live, HOST_METRIC_GAUGE, "caisson_oracle_feed_deviation_ratio",
				 "How far the newest value is from the contract's.", NULL);
	live->active = series(live, HOST_METRIC_GAUGE, "caisson_oracle_feed_active",
			      "1: it is asked for; 0: paused or tripped.", NULL);
	for (size_t i = 0; i < live->source_count; i++) {
		char text[24];
		snprintf(text, sizeof(text), "%zu", i);
		live->disagreements[i] =
			series(live, HOST_METRIC_COUNTER, "caisson_oracle_feed_disagreements_total",
			       "Rounds in which a source was too far from the others.", text);
	}
	if (oracle_journal_feed_sources(live->feeds->oracle->journal, live->row.n, known,
					CS_LEN(known), &count) != CS_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		struct host_metric *metric = known[i].index < live->source_count
						     ? live->disagreements[known[i].index]
						     : NULL;
		/* A feed that was listed before in this process has its series still. */
		if (metric && host_metric_value(metric) == 0)
			host_metric_add(metric, known[i].disagreed);
	}
}

static void set(struct host_metric *metric, double value)
{
	if (metric)
		host_metric_set(metric, value);
}

void oracle_feed_metrics_collect(void *context)
{
	const struct oracle *oracle = context;
	uint64_t now_s = host_wall_ms() / 1000;
	for (size_t i = 0; oracle->feeds && i < oracle->feeds->count; i++) {
		struct oracle_feed_live *live = oracle->feeds->live[i];
		const struct oracle_round_state *s = &live->state;
		uint64_t ppm = 0;
		if (s->chain.known && s->good.known)
			ppm = oracle_round_ppm(&s->good.value, &s->chain.value);
		if (s->chain.known && s->chain.observed_at_s <= now_s)
			set(live->age, (double)(now_s - s->chain.observed_at_s));
		set(live->deviation, (double)ppm / 1e6);
		set(live->active, !s->paused && !s->tripped && !live->stopped);
	}
}

void oracle_feed_metrics_remove(struct oracle_feed_live *live)
{
	set(live->age, 0);
	set(live->deviation, 0);
	set(live->active, 0);
}
