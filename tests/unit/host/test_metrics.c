/* Prometheus' text format 0.0.4. */
#include "host/metrics.h"
#include "tests/unit/support.h"

static char text[65536];

static const char *expose(struct host_metrics *metrics)
{
	struct cs_buf buf;
	cs_buf_init(&buf, text, sizeof text - 1);
	assert_ok(host_metrics_write(metrics, &buf));
	text[buf.n] = 0;
	return text;
}

static struct host_metric *derived;

static void collect(void *context)
{
	host_metric_set(derived, *(const double *)context);
}

static void test_exposition(void **state)
{
	(void)state;
	struct host_metrics *metrics = host_metrics_new();
	double backlog = 2.5;
	struct host_metric_spec spec = {.name = "caisson_messages_total",
					.kind = HOST_METRIC_COUNTER,
					.help = "Messages.",
					.labels = {{"chain", "eip155:1"}, {"state", "final"}}};
	struct host_metric *first = host_metrics_series(metrics, &spec);
	spec.labels[1].value = "odd \"\\\n";
	struct host_metric *second = host_metrics_series(metrics, &spec);
	assert_ptr_not_equal(first, second);
	assert_ptr_equal(second, host_metrics_series(metrics, &spec));
	derived = host_metrics_series(metrics, &(struct host_metric_spec){.name = "caisson_backlog",
									  .kind = HOST_METRIC_GAUGE,
									  .help = "Backlog."});
	host_metrics_on_collect(metrics, collect, &backlog);
	struct host_metric *took = host_metrics_series(
		metrics, &(struct host_metric_spec){.name = "caisson_took_seconds",
						    .kind = HOST_METRIC_HISTOGRAM,
						    .help = "Time.",
						    .labels = {{"part", "rpc"}},
						    .buckets = {0.1, 1},
						    .bucket_count = 2});
	host_metric_add(first, 3);
	host_metric_add(first, 4);
	host_metric_observe(took, 0.05);
	host_metric_observe(took, 0.1);
	host_metric_observe(took, 0.5);
	host_metric_observe(took, 7);
	assert_string_equal(
		expose(metrics),
		"# HELP caisson_messages_total Messages.\n"
		"# TYPE caisson_messages_total counter\n"
		"caisson_messages_total{chain=\"eip155:1\",state=\"final\"} 7\n"
		"caisson_messages_total{chain=\"eip155:1\",state=\"odd \\\"\\\\\\n\"} 0\n"
		"# HELP caisson_backlog Backlog.\n"
		"# TYPE caisson_backlog gauge\n"
		"caisson_backlog 2.5\n"
		"# HELP caisson_took_seconds Time.\n"
		"# TYPE caisson_took_seconds histogram\n"
		"caisson_took_seconds_bucket{part=\"rpc\",le=\"0.1\"} 2\n"
		"caisson_took_seconds_bucket{part=\"rpc\",le=\"1\"} 3\n"
		"caisson_took_seconds_bucket{part=\"rpc\",le=\"+Inf\"} 4\n"
		"caisson_took_seconds_sum{part=\"rpc\"} 7.65\n"
		"caisson_took_seconds_count{part=\"rpc\"} 4\n");
	assert_true(host_metric_value(first) == 7.0);
	assert_true(host_metric_value(derived) == 2.5);
	host_metrics_free(metrics);
}

static void test_usual_buckets(void **state)
{
	(void)state;
	struct host_metrics *metrics = host_metrics_new();
	(void)host_metrics_series(
		metrics,
		&(struct host_metric_spec){.name = "t_seconds", .kind = HOST_METRIC_HISTOGRAM});
	assert_non_null(strstr(expose(metrics), "t_seconds_bucket{le=\"0.001\"} 0\n"));
	assert_non_null(strstr(text, "t_seconds_bucket{le=\"100\"} 0\n"));
	assert_non_null(strstr(text, "t_seconds_count 0\n"));
	host_metrics_free(metrics);
}

static void test_ceiling(void **state)
{
	(void)state;
	struct host_metrics *metrics = host_metrics_new();
	struct cs_buf buf;
	(void)host_metrics_series(metrics, &(struct host_metric_spec){.name = "n_total",
								      .kind = HOST_METRIC_COUNTER});
	cs_buf_init(&buf, text, 10);
	assert_err(host_metrics_write(metrics, &buf), CS_ERR_TOO_LARGE);
	host_metrics_free(metrics);
	host_metrics_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_exposition),
					   cmocka_unit_test(test_usual_buckets),
					   cmocka_unit_test(test_ceiling)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
