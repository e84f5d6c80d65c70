/* What the enclave says about itself, in the log and for Prometheus. */
#include "cluster/host.h"
#include "wire/cluster_ask.h"

#include <jansson.h>
#include <string.h>

static const struct {
	const char *name;
	bool is_trouble;
} events[] = {
#define WIRE_PIPE_EVENT(name, number, text, trouble) [number] = {(text), (trouble)},
	WIRE_PIPE_EVENTS(WIRE_PIPE_EVENT)
#undef WIRE_PIPE_EVENT
};

static struct host_metric *counter_of(struct cluster_host *cluster, uint32_t event)
{
	const struct host_metric_spec spec = {
		.name = "caisson_cluster_events_total",
		.kind = HOST_METRIC_COUNTER,
		.help = "What happened in the enclave, by its own account.",
		.labels = {{"role", cluster->config.role_name}, {"event", events[event].name}},
	};
	return host_metrics_series(cluster->metrics, &spec);
}

/* ---- a worker's certificate, which it renews at half of its life ---- */

static void ask_status(struct cluster_host *cluster, uint32_t event)
{
	const uint8_t question[] = {WIRE_CLUSTER_ASK_STATUS};
	if (cluster->config.role == CLUSTER_WORKER &&
	    (event == WIRE_PIPE_EVENT_STARTED || event == WIRE_PIPE_EVENT_JOINED ||
	     event == WIRE_PIPE_EVENT_RENEWED || event == WIRE_PIPE_EVENT_LOST))
		cluster_host_tell(cluster, WIRE_PIPE_ASK, CLUSTER_ASK_OF_HOST,
				  CS_BYTES_OF(question));
}

/* Size of a name (1), "ok", JSON; anything else changes nothing. */
void cluster_host_figures_status(struct cluster_host *cluster, struct cs_bytes body)
{
	static const char ok[] = "\002ok";
	const size_t n = sizeof(ok) - 1;
	const uint64_t now_s = host_wall_ms() / 1000;
	json_t *json = body.n > n && memcmp(body.p, ok, n) == 0
			       ? json_loadb((const char *)body.p + n, body.n - n, 0, NULL)
			       : NULL;
	const json_t *until = json_object_get(json, "until");
	const uint64_t until_s = (uint64_t)json_integer_value(until);
	if (json_is_integer(until) && until_s != cluster->certificate.until_s)
		cluster->certificate = (struct cluster_certificate){
			until_s, until_s > now_s ? until_s - now_s : 0};
	json_decref(json);
}

void cluster_host_figures_event(struct cluster_host *cluster, uint32_t event,
				struct cs_bytes detail)
{
	char text[512];
	if (event >= CS_LEN(events) || events[event].name == NULL)
		return;
	host_plain_text(text, sizeof text, (const char *)detail.p, detail.n);
	host_metric_add(counter_of(cluster, event), 1);
	if (events[event].is_trouble)
		log_warn("cluster.event", LOG_TEXT("event", events[event].name),
			 LOG_TEXT("detail", text));
	else
		log_info("cluster.event", LOG_TEXT("event", events[event].name),
			 LOG_TEXT("detail", text));
	ask_status(cluster, event);
}

static void gauge(struct cluster_host *cluster, const char *name, const char *help, double value)
{
	const struct host_metric_spec spec = {.name = name,
					      .kind = HOST_METRIC_GAUGE,
					      .help = help,
					      .labels = {{"role", cluster->config.role_name}}};
	host_metric_set(host_metrics_series(cluster->metrics, &spec), value);
}

static void collect(void *context)
{
	struct cluster_host *cluster = context;
	gauge(cluster, "caisson_cluster_up", "Whether the enclave is there and has its state.",
	      cluster->is_up ? 1 : 0);
	gauge(cluster, "caisson_cluster_connections", "Connections of the enclave.",
	      (double)cluster->pipes.count);
	if (cluster->config.role != CLUSTER_WORKER)
		return;
	gauge(cluster, "caisson_cluster_certificate_expires_timestamp_seconds",
	      "When its certificate ends, and its keys with it; 0: it has none.",
	      (double)cluster->certificate.until_s);
	gauge(cluster, "caisson_cluster_certificate_life_seconds",
	      "What was left of that certificate when it came.",
	      (double)cluster->certificate.life_s);
}

static void get_metrics(void *context, struct host_http_exchange *exchange)
{
	struct cluster_host *cluster = context;
	static uint8_t text[256 * 1024];
	struct cs_buf buf;
	cs_buf_init(&buf, text, sizeof text);
	const enum cs_err err = host_metrics_write(cluster->metrics, &buf);
	if (err == CS_OK)
		host_http_reply(exchange, 200, HOST_METRICS_CONTENT_TYPE, cs_buf_view(&buf));
	else
		host_http_reply_problem(exchange, err, NULL);
}

static void get_health(void *context, struct host_http_exchange *exchange)
{
	const struct cluster_host *cluster = context;
	host_http_reply_json(exchange, cluster->is_up ? 200 : 503,
			     json_pack("{s:b}", "up", cluster->is_up));
}

enum cs_err cluster_host_figures_open(struct cluster_host *cluster, struct cs_why *why)
{
	const struct cluster_config *config = &cluster->config;
	cluster->metrics = host_metrics_new();
	host_metrics_on_collect(cluster->metrics, collect, cluster);
	for (uint32_t i = 1; i < CS_LEN(events); i++)
		(void)counter_of(cluster, i);
	if (!config->has_metrics)
		return CS_OK;
	const struct host_http_server_options options = {.address = config->metrics_address,
							 .port = config->metrics_port};
	CS_TRY(host_http_server_new(&cluster->http, cluster->loop, &options, why));
	host_http_server_route(cluster->http, "GET", "/metrics", 0, get_metrics, cluster);
	host_http_server_route(cluster->http, "GET", "/healthz", 0, get_health, cluster);
	log_info("cluster.metrics", LOG_U64("port", host_http_server_port(cluster->http)));
	return CS_OK;
}

void cluster_host_figures_close(struct cluster_host *cluster)
{
	host_http_server_free(cluster->http);
	host_metrics_free(cluster->metrics);
}
