/* Counters, gauges and histograms in Prometheus' text format 0.0.4. Every series is registered once
 * with its labels and then updated through its pointer: a peer can never make a new one. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "core/buf.h"

/* 56 routes of one gateway with 13 states on both sides, twice, are 2,912. */
/* A gateway of 8 chains with 15 remotes each has 11,000. */
#define HOST_METRIC_SERIES_MAX 16384u
#define HOST_METRIC_LABELS_MAX 4u
#define HOST_METRIC_BUCKETS_MAX 24u

struct host_metrics;
struct host_metric;

struct host_metric_label {
	const char *name;
	const char *value; /* copied; any text */
};

enum host_metric_kind { HOST_METRIC_COUNTER, HOST_METRIC_GAUGE, HOST_METRIC_HISTOGRAM };

struct host_metric_spec {
	const char *name; /* of the family; counters end in _total, units last: _seconds, _bytes */
	enum host_metric_kind kind;
	const char *help; /* of the family: the first one given stays */
	struct host_metric_label
		labels[HOST_METRIC_LABELS_MAX]; /* the first without a name ends them */
	/* Upper bounds of a histogram, ascending, without +Inf; none: 1 ms to 100 s in steps of
	 * 1, 2.5, 5. */
	double buckets[HOST_METRIC_BUCKETS_MAX];
	uint32_t bucket_count;
};

struct host_metrics *host_metrics_new(void);
void host_metrics_free(struct host_metrics *metrics);
/* The same name and labels give the same series. A bad name, another kind for one family, and more
 * than HOST_METRIC_SERIES_MAX are bugs. Lives as long as metrics. */
struct host_metric *host_metrics_series(struct host_metrics *metrics,
					const struct host_metric_spec *spec);

void host_metric_add(struct host_metric *counter, uint64_t n);
void host_metric_set(struct host_metric *gauge, double value);
void host_metric_observe(struct host_metric *histogram, double value);
double host_metric_value(const struct host_metric *metric); /* of a histogram: its sum */

/* Every series of a family of gauges is 0 again: of what is counted anew. None such: nothing. */
void host_metrics_clear(struct host_metrics *metrics, const char *name);

/* Called before every exposition: to set what is derived (the journal's backlog). At most 16. */
void host_metrics_on_collect(struct host_metrics *metrics, void (*collect)(void *context),
			     void *context);
/* Families in the order of registration. TOO_LARGE by the buffer's ceiling. */
CS_NODISCARD enum cs_err host_metrics_write(struct host_metrics *metrics, struct cs_buf *to);
#define HOST_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
