/* One HTTPS request after the other, and many at once, through the enclave's sandboxed client and by
 * plain libcurl (Debian's, no sandbox), on the same server in turns.
 *
 *	bench_fetch DRIVER_FD HOST PORT TARGET FRESH_TARGET CA_FILE ROUNDS REQUESTS PARALLEL
 *
 * FRESH_TARGET: where the server ends the connection, "-": nowhere. DRIVER_FD: the command socket of a fetch-driver whose proxy knows HOST; PORT on 127.0.0.1 for both.
 * Prints a line of JSON: microseconds at p50 and p99 by each way, kept alive and fresh (sessions
 * resumed by both), and requests per second with PARALLEL in flight. */
#include "bench/bench.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define PARALLEL_MAX 256

static struct {
	int driver;
	const char *host, *port, *target, *ca, *fresh_target;
	char url[2][2048]; /* kept alive, fresh */
	char in[1 << 20];
	size_t have;
	CURLSH *share;
} b;

struct figures {
	double *took_us;
	size_t count;
};

/* ---- through the sandboxed client ---- */

static void ask(unsigned id, bool fresh)
{
	char line[2048];
	const int n = snprintf(line, sizeof line,
			       "{\"id\":%u,\"host\":\"%s\",\"port\":%s,\"target\":\"%s\"}\n", id,
			       b.host, b.port, fresh ? b.fresh_target : b.target);
	if (n < 0 || write(b.driver, line, (size_t)n) != n)
		bench_die("the driver does not read");
}

/* Whole lines that are there; waits for one at least. */
static unsigned replies(void)
{
	const ssize_t got = read(b.driver, b.in + b.have, sizeof b.in - b.have);
	if (got <= 0)
		bench_die("the driver ended");
	b.have += (size_t)got;
	unsigned count = 0;
	char *at = b.in, *end;
	while ((end = memchr(at, '\n', b.have - (size_t)(at - b.in))) != NULL) {
		*end = '\0';
		if (strstr(at, "\"code\":0,") == NULL)
			bench_die(at);
		at = end + 1;
		count++;
	}
	b.have -= (size_t)(at - b.in);
	memmove(b.in, at, b.have);
	return count;
}

static void driver_one(bool fresh)
{
	ask(1, fresh);
	while (replies() == 0)
		continue;
}

static double driver_parallel(unsigned total, unsigned parallel)
{
	const double begin = bench_now();
	unsigned sent = 0, done = 0;
	for (; sent < parallel; sent++)
		ask(sent + 1, false);
	while (done < total) {
		const unsigned now = replies();
		done += now;
		for (unsigned i = 0; i < now && sent < total; i++, sent++)
			ask(sent + 1, false);
	}
	return total / (bench_now() - begin);
}

/* ---- plain libcurl ---- */

static size_t forget(char *p, size_t size, size_t count, void *context)
{
	(void)p;
	*(size_t *)context += size * count;
	return size * count;
}

static CURL *plain_new(bool fresh, size_t *size)
{
	static struct curl_slist *resolve;
	char line[512];
	if (resolve == NULL) {
		snprintf(line, sizeof line, "%s:%s:127.0.0.1", b.host, b.port);
		resolve = curl_slist_append(NULL, line);
	}
	CURL *easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, b.url[fresh]);
	curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve);
	curl_easy_setopt(easy, CURLOPT_CAINFO, b.ca);
	curl_easy_setopt(easy, CURLOPT_SHARE, b.share);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, size);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	return easy;
}

static void plain_one(CURL *easy, size_t *size)
{
	*size = 0;
	const CURLcode result = curl_easy_perform(easy);
	if (result != CURLE_OK || *size == 0)
		bench_die(curl_easy_strerror(result));
}

static double plain_parallel(unsigned total, unsigned parallel)
{
	CURLM *multi = curl_multi_init();
	static size_t size;
	unsigned sent = 0, done = 0;
	int running, left;
	const double begin = bench_now();
	for (; sent < parallel; sent++)
		curl_multi_add_handle(multi, plain_new(false, &size));
	while (done < total) {
		curl_multi_perform(multi, &running);
		CURLMsg *message;
		while ((message = curl_multi_info_read(multi, &left)) != NULL) {
			CURL *easy = message->easy_handle;
			if (message->data.result != CURLE_OK)
				bench_die(curl_easy_strerror(message->data.result));
			curl_multi_remove_handle(multi, easy);
			done++;
			if (sent < total) {
				curl_multi_add_handle(multi, easy);
				sent++;
			} else {
				curl_easy_cleanup(easy);
			}
		}
		curl_multi_poll(multi, NULL, 0, 100, NULL);
	}
	const double rate = total / (bench_now() - begin);
	curl_multi_cleanup(multi);
	return rate;
}

/* ---- turns ---- */

static void driver_run(struct figures *f, bool fresh, unsigned requests)
{
	driver_one(fresh);
	for (unsigned i = 0; i < requests; i++) {
		const double begin = bench_now();
		driver_one(fresh);
		f->took_us[f->count++] = (bench_now() - begin) * 1e6;
	}
}

static void plain_run(struct figures *f, bool fresh, unsigned requests)
{
	size_t size = 0;
	CURL *easy = plain_new(fresh, &size);
	plain_one(easy, &size);
	for (unsigned i = 0; i < requests; i++) {
		const double begin = bench_now();
		plain_one(easy, &size);
		f->took_us[f->count++] = (bench_now() - begin) * 1e6;
	}
	curl_easy_cleanup(easy);
}

static void print(const char *name, struct figures *f)
{
	bench_median(f->took_us, f->count);
	printf("\"%s\":{\"p50_us\":%.1f,\"p99_us\":%.1f},", name, f->took_us[f->count / 2],
	       f->took_us[f->count * 99 / 100]);
}

/* Of what print has sorted. */
static double median_of(const struct figures *f)
{
	return f->took_us[f->count / 2];
}

int main(int argc, char **argv)
{
	static struct figures f[4];
	static double rates[2][64];
	if (argc != 10)
		bench_die("arguments");
	b.driver = (int)strtol(argv[1], NULL, 10);
	b.host = argv[2], b.port = argv[3], b.target = argv[4], b.fresh_target = argv[5];
	b.ca = argv[6];
	const unsigned rounds = (unsigned)strtoul(argv[7], NULL, 10),
		       requests = (unsigned)strtoul(argv[8], NULL, 10);
	const unsigned parallel = (unsigned)strtoul(argv[9], NULL, 10);
	if (rounds == 0 || rounds > 64 || requests == 0 || parallel > PARALLEL_MAX)
		bench_die("counts");
	const bool fresh = strcmp(b.fresh_target, "-") != 0;
	for (int i = 0; i < 2; i++)
		snprintf(b.url[i], sizeof b.url[i], "https://%s:%s%s", b.host, b.port,
			 i == 0 ? b.target : b.fresh_target);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	b.share = curl_share_init();
	curl_share_setopt(b.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	for (size_t i = 0; i < 4; i++)
		f[i].took_us = calloc((size_t)rounds * requests, sizeof(double));
	for (unsigned i = 0; i < rounds; i++) {
		driver_run(&f[0], false, requests);
		plain_run(&f[1], false, requests);
		if (fresh) {
			driver_run(&f[2], true, requests / 4 + 1);
			plain_run(&f[3], true, requests / 4 + 1);
		}
		if (parallel > 0) {
			rates[0][i] = driver_parallel(requests * 4 + parallel, parallel);
			rates[1][i] = plain_parallel(requests * 4 + parallel, parallel);
		}
	}
	printf("{");
	print("kept_alive", &f[0]);
	print("kept_alive_plain", &f[1]);
	if (fresh) {
		print("fresh", &f[2]);
		print("fresh_plain", &f[3]);
		printf("\"ratio_fresh\":%.3f,", median_of(&f[2]) / median_of(&f[3]));
	}
	if (parallel > 0)
		printf("\"parallel\":%u,\"per_second\":%.0f,\"per_second_plain\":%.0f,", parallel,
		       bench_median(rates[0], rounds), bench_median(rates[1], rounds));
	printf("\"added_us\":%.1f,\"ratio_kept_alive\":%.3f}\n",
	       median_of(&f[0]) - median_of(&f[1]), median_of(&f[0]) / median_of(&f[1]));
	return 0;
}
