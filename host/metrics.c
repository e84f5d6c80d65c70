#include "host/metrics.h"

#include "host/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLLECTORS_MAX 16u
#define NAME_SIZE_MAX 128u

struct host_metric {
	struct host_metric *next; /* in the order of registration */
	struct family *family;
	char *labels; /* `a="b",c="d"`, escaped */
	uint64_t count;
	double value; /* of a histogram its sum */
	uint64_t in_bucket[HOST_METRIC_BUCKETS_MAX];
};

struct family {
	struct family *next;
	char *name;
	char *help;
	enum host_metric_kind kind;
	uint32_t bucket_count;
	double buckets[HOST_METRIC_BUCKETS_MAX];
	struct host_metric *first;
	struct host_metric **last;
};

struct host_metrics {
	struct family *first;
	struct family **last;
	uint32_t series_count;
	uint32_t collector_count;
	struct {
		void (*call)(void *context);
		void *context;
	} collectors[COLLECTORS_MAX];
};

struct host_metrics *host_metrics_new(void)
{
	struct host_metrics *metrics = host_alloc(sizeof *metrics);
	metrics->last = &metrics->first;
	return metrics;
}

void host_metrics_free(struct host_metrics *metrics)
{
	if (metrics == NULL)
		return;
	while (metrics->first != NULL) {
		struct family *family = metrics->first;
		metrics->first = family->next;
		while (family->first != NULL) {
			struct host_metric *metric = family->first;
			family->first = metric->next;
			free(metric->labels);
			free(metric);
		}
		free(family->name);
		free(family->help);
		free(family);
	}
	free(metrics);
}

static bool is_name(const char *name)
{
	size_t n = 0;
	for (; name[n] != 0; n++) {
		char c = name[n];
		bool letter = (c >= 'a' && c <= 'z') || c == '_';
		bool digit = c >= '0' && c <= '9';
		if (!letter && !(digit && n > 0))
			return false;
	}
	return n > 0 && n < NAME_SIZE_MAX;
}

static struct family *family_of(struct host_metrics *metrics, const struct host_metric_spec *spec)
{
	static const double usual[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
				       0.5,   1,      2.5,   5,    10,    25,   50,  100};
	for (struct family *f = metrics->first; f != NULL; f = f->next)
		if (strcmp(f->name, spec->name) == 0) {
			cs_assert(f->kind == spec->kind);
			return f;
		}
	cs_assert(is_name(spec->name));
	struct family *family = host_alloc(sizeof *family);
	family->name = host_text(spec->name);
	family->help = host_text(spec->help != NULL ? spec->help : "");
	family->kind = spec->kind;
	family->last = &family->first;
	const double *buckets = spec->bucket_count > 0 ? spec->buckets : usual;
	family->bucket_count =
		spec->bucket_count > 0 ? spec->bucket_count : (uint32_t)CS_LEN(usual);
	cs_assert(family->bucket_count <= HOST_METRIC_BUCKETS_MAX);
	for (uint32_t i = 0; i < family->bucket_count; i++) {
		cs_assert(i == 0 || buckets[i] > buckets[i - 1]);
		family->buckets[i] = buckets[i];
	}
	*metrics->last = family;
	metrics->last = &family->next;
	return family;
}

static char *labels_of(const struct host_metric_spec *spec)
{
	char *text = host_text("");
	size_t n = 0;
	for (uint32_t i = 0; i < HOST_METRIC_LABELS_MAX && spec->labels[i].name != NULL; i++) {
		const char *name = spec->labels[i].name;
		const char *value = spec->labels[i].value;
		cs_assert(is_name(name));
		text = host_grow(text, n + strlen(name) + 2 * strlen(value) + 5);
		if (n > 0)
			text[n++] = ',';
		memcpy(text + n, name, strlen(name));
		n += strlen(name);
		text[n++] = '=';
		text[n++] = '"';
		for (; *value != 0; value++) {
			if (*value == '"' || *value == '\\' || *value == '\n')
				text[n++] = '\\';
			text[n++] = *value == '\n' ? 'n' : *value;
		}
		text[n++] = '"';
		text[n] = 0;
	}
	return text;
}

struct host_metric *host_metrics_series(struct host_metrics *metrics,
					const struct host_metric_spec *spec)
{
	struct family *family = family_of(metrics, spec);
	char *labels = labels_of(spec);
	for (struct host_metric *m = family->first; m != NULL; m = m->next)
		if (strcmp(m->labels, labels) == 0) {
			free(labels);
			return m;
		}
	cs_assert(metrics->series_count < HOST_METRIC_SERIES_MAX);
	metrics->series_count++;
	struct host_metric *metric = host_alloc(sizeof *metric);
	metric->family = family;
	metric->labels = labels;
	*family->last = metric;
	family->last = &metric->next;
	return metric;
}

void host_metric_add(struct host_metric *counter, uint64_t n)
{
	cs_assert(counter->family->kind == HOST_METRIC_COUNTER);
	counter->count += n;
}

void host_metric_set(struct host_metric *gauge, double value)
{
	cs_assert(gauge->family->kind == HOST_METRIC_GAUGE);
	gauge->value = value;
}

void host_metrics_clear(struct host_metrics *metrics, const char *name)
{
	for (struct family *f = metrics->first; f != NULL; f = f->next)
		for (struct host_metric *m = strcmp(f->name, name) == 0 ? f->first : NULL;
		     m != NULL; m = m->next)
			host_metric_set(m, 0);
}

void host_metric_observe(struct host_metric *histogram, double value)
{
	const struct family *family = histogram->family;
	cs_assert(family->kind == HOST_METRIC_HISTOGRAM);
	histogram->count++;
	histogram->value += value;
	for (uint32_t i = 0; i < family->bucket_count; i++)
		if (value <= family->buckets[i]) {
			histogram->in_bucket[i]++;
			break;
		}
}

double host_metric_value(const struct host_metric *metric)
{
	return metric->family->kind == HOST_METRIC_COUNTER ? (double)metric->count : metric->value;
}

void host_metrics_on_collect(struct host_metrics *metrics, void (*collect)(void *context),
			     void *context)
{
	cs_assert(metrics->collector_count < COLLECTORS_MAX);
	metrics->collectors[metrics->collector_count].call = collect;
	metrics->collectors[metrics->collector_count].context = context;
	metrics->collector_count++;
}

/* ---- exposition ---- */

/* Labels may be longer than what cs_put_text takes. */
static void put(struct cs_buf *to, const char *text)
{
	cs_put(to, cs_bytes_str(text));
}

static void put_number(struct cs_buf *to, double value)
{
	if (isnan(value))
		put(to, "NaN");
	else if (isinf(value))
		put(to, value > 0 ? "+Inf" : "-Inf");
	else
		cs_put_text(to, "%.15g", value);
}

static void put_series_name(struct cs_buf *to, const struct host_metric *metric, const char *suffix)
{
	put(to, metric->family->name);
	put(to, suffix);
	if (metric->labels[0] != 0) {
		put(to, "{");
		put(to, metric->labels);
		put(to, "}");
	}
	put(to, " ");
}

static void put_bucket(struct cs_buf *to, const struct host_metric *metric, double bound,
		       uint64_t count)
{
	put(to, metric->family->name);
	put(to, "_bucket{");
	put(to, metric->labels);
	put(to, metric->labels[0] != 0 ? ",le=\"" : "le=\"");
	put_number(to, bound);
	cs_put_text(to, "\"} %llu\n", (unsigned long long)count);
}

static void put_series(struct cs_buf *to, const struct host_metric *metric)
{
	const struct family *family = metric->family;
	uint64_t below = 0;
	switch (family->kind) {
	case HOST_METRIC_COUNTER:
		put_series_name(to, metric, "");
		cs_put_text(to, "%llu\n", (unsigned long long)metric->count);
		break;
	case HOST_METRIC_GAUGE:
		put_series_name(to, metric, "");
		put_number(to, metric->value);
		put(to, "\n");
		break;
	case HOST_METRIC_HISTOGRAM:
		for (uint32_t i = 0; i < family->bucket_count; i++) {
			below += metric->in_bucket[i];
			put_bucket(to, metric, family->buckets[i], below);
		}
		put_bucket(to, metric, (double)INFINITY, metric->count);
		put_series_name(to, metric, "_sum");
		put_number(to, metric->value);
		put(to, "\n");
		put_series_name(to, metric, "_count");
		cs_put_text(to, "%llu\n", (unsigned long long)metric->count);
		break;
	}
}

enum cs_err host_metrics_write(struct host_metrics *metrics, struct cs_buf *to)
{
	static const char *const kinds[] = {[HOST_METRIC_COUNTER] = "counter",
					    [HOST_METRIC_GAUGE] = "gauge",
					    [HOST_METRIC_HISTOGRAM] = "histogram"};
	for (uint32_t i = 0; i < metrics->collector_count; i++)
		metrics->collectors[i].call(metrics->collectors[i].context);
	for (const struct family *f = metrics->first; f != NULL; f = f->next) {
		put(to, "# HELP ");
		put(to, f->name);
		put(to, " ");
		put(to, f->help);
		put(to, "\n# TYPE ");
		put(to, f->name);
		put(to, " ");
		put(to, kinds[f->kind]);
		put(to, "\n");
		for (const struct host_metric *m = f->first; m != NULL; m = m->next)
			put_series(to, m);
	}
	return cs_buf_end(to);
}
