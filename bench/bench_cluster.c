/* Workers that join and renew against one real guard and one real key server: how long one takes from its
 * challenge to keys that it has checked, one after the other; then how many a second, several at a time.
 * The workers are verify/cluster's own, with simulated evidence; what they do themselves (keys, evidence,
 * checking the grant) is in the figures, and on the same cores. What a process of a worker adds is not: its
 * start, its pipe, its sealed state.
 *
 *	bench_cluster SOCKET MANIFEST MEASUREMENT APPLICATION WORKERS AT-A-TIME */
#include "bench/bench.h"
#include "core/nistp.h"
#include "verify/cluster/worker.h"

#include <string.h>
#include <sys/poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AT_A_TIME_MAX 64u
#define INBOX_SIZE (256u * 1024)
/* As a simulated process has them: backend, seal root, the host's time. */
#define FLAGS 7u

struct line {
	int fd;
	struct cluster_worker *worker; /* NULL: free */
	double since;
	uint8_t inbox[INBOX_SIZE];
	size_t size;
};

static struct {
	struct cluster_tools tools;
	struct cs_arena arena;
	struct cluster_manifest manifest;
	uint8_t measurement[32];
	struct line lines[AT_A_TIME_MAX];
} bench;

static struct cs_secret random_secret(void)
{
	struct cs_secret out;
	if (getrandom(out.b, sizeof out.b, 0) != sizeof out.b)
		bench_die("no random bytes");
	return out;
}

static struct verify_time now(void)
{
	const uint64_t s = (uint64_t)time(NULL);
	return (struct verify_time){s, s};
}

static void must(enum cs_err err, const struct cs_why *why)
{
	if (err == CS_OK)
		return;
	fprintf(stderr, "%s: %s\n", cs_err_name(err), why->text);
	bench_die("a step was refused");
}

static enum cs_err evidence(void *context, struct cs_buf *out, const uint8_t report_data[64],
			    struct cs_why *why)
{
	(void)context, (void)why;
	cs_put(out, cs_bytes("caisson/evidence/simulated/v1", 30));
	cs_put(out, CS_BYTES_OF(bench.measurement));
	cs_put(out, cs_bytes(report_data, 64));
	return cs_buf_end(out);
}

static void set_up(const char *path, const char *measurement)
{
	static uint8_t file[CS_MANIFEST_SIZE_MAX];
	static struct cs_arena kept;
	const struct cs_secret seed = random_secret();
	struct cs_why why = {""};
	FILE *f = fopen(path, "rb");
	const size_t n = f == NULL ? 0 : fread(file, 1, sizeof file, f);
	if (f != NULL)
		(void)fclose(f);
	cs_arena_init(&bench.arena, malloc(CLUSTER_ARENA_SIZE), CLUSTER_ARENA_SIZE);
	cs_arena_init(&kept, malloc(CLUSTER_MANIFEST_ARENA_SIZE), CLUSTER_MANIFEST_ARENA_SIZE);
	bench.tools = (struct cluster_tools){.sig = cs_sig_new(&seed),
					     .nistp = cs_nistp_new(),
					     .arena = &bench.arena,
					     .tee = {NULL, evidence, NULL, FLAGS}};
	must(cs_unhex(bench.measurement, 32, cs_bytes_str(measurement)), &why);
	must(cluster_manifest_read(&bench.manifest, cs_bytes(file, n), NULL, bench.tools.sig, &kept,
				   &why),
	     &why);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
		bench_die("the guard's socket cannot be reached");
	return fd;
}

/* ---- one worker ---- */

static void send_frame(const struct line *line, enum wire_cluster_type type, struct cs_bytes body)
{
	static uint8_t bytes[WIRE_FRAME_HEAD_SIZE + 65536];
	const struct wire_cluster_frame frame = {(uint32_t)body.n, type, 1};
	if (body.n > sizeof bytes - WIRE_FRAME_HEAD_SIZE)
		bench_die("a request is too large");
	wire_cluster_frame_encode(bytes, &frame);
	memcpy(bytes + WIRE_FRAME_HEAD_SIZE, body.p, body.n);
	const size_t n = WIRE_FRAME_HEAD_SIZE + body.n;
	if (write(line->fd, bytes, n) != (ssize_t)n)
		bench_die("the guard does not read");
}

static void begin(struct line *line, struct cluster_worker *worker)
{
	line->worker = worker;
	line->since = bench_now();
	send_frame(line, WIRE_CLUSTER_CHALLENGE, cs_bytes("", 0));
}

static void answer_challenge(struct line *line, struct cs_bytes body)
{
	static uint8_t out[65536];
	struct cs_buf buf;
	struct cs_why why = {""};
	const struct cs_secret random = random_secret();
	cs_buf_init(&buf, out, sizeof out);
	must(cluster_worker_ask(line->worker, &buf, body, &bench.tools, &random, &why), &why);
	send_frame(line, WIRE_CLUSTER_JOIN, cs_buf_view(&buf));
}

static void take_grant(const struct line *line, struct cs_bytes body)
{
	const struct verify_time at = now();
	struct cs_why why = {""};
	must(cluster_worker_take(line->worker, body, &bench.tools, &at, &why), &why);
}

/* True: it has its keys. */
static bool read_line(struct line *line)
{
	struct wire_cluster_frame frame;
	const ssize_t got =
		read(line->fd, line->inbox + line->size, sizeof line->inbox - line->size);
	if (got <= 0)
		bench_die("the guard went");
	line->size += (size_t)got;
	if (line->size < WIRE_FRAME_HEAD_SIZE)
		return false;
	if (wire_cluster_frame_decode(&frame, line->inbox) != CS_OK)
		bench_die("an answer without a form");
	if (line->size < WIRE_FRAME_HEAD_SIZE + frame.body_size)
		return false;
	line->size = 0;
	const struct cs_bytes body = cs_bytes(line->inbox + WIRE_FRAME_HEAD_SIZE, frame.body_size);
	cs_arena_rewind(&bench.arena, 0);
	if (frame.type == WIRE_CLUSTER_CHALLENGE_REPLY)
		answer_challenge(line, body);
	else if (frame.type == WIRE_CLUSTER_JOIN_REPLY)
		take_grant(line, body);
	else
		bench_die("the guard refused");
	return frame.type == WIRE_CLUSTER_JOIN_REPLY;
}

/* All of them once; took[i] in seconds. Gives the whole time. */
static double run(struct cluster_worker *workers, double *took, size_t count, size_t at_a_time)
{
	struct pollfd set[AT_A_TIME_MAX];
	size_t begun = 0, done = 0;
	const double since = bench_now();
	while (begun < at_a_time && begun < count) {
		begin(&bench.lines[begun], &workers[begun]);
		begun++;
	}
	while (done < count) {
		for (size_t i = 0; i < at_a_time; i++)
			set[i] = (struct pollfd){
				.fd = bench.lines[i].worker != NULL ? bench.lines[i].fd : -1,
				.events = POLLIN};
		if (poll(set, at_a_time, 30000) <= 0)
			bench_die("no answer in 30 s");
		for (size_t i = 0; i < at_a_time; i++) {
			struct line *line = &bench.lines[i];
			if (set[i].revents == 0 || !read_line(line))
				continue;
			took[done++] = bench_now() - line->since;
			line->worker = NULL;
			if (begun < count)
				begin(line, &workers[begun++]);
		}
	}
	return bench_now() - since;
}

static void print(const char *name, double *took, size_t count, double whole, const char *after)
{
	qsort(took, count, sizeof *took, bench_compare);
	printf("\"%s\": {\"count\": %zu, \"per_s\": %.1f, \"median_ms\": %.3f, \"p99_ms\": %.3f, "
	       "\"max_ms\": %.3f}%s",
	       name, count, (double)count / whole, took[count / 2] * 1e3,
	       took[count * 99 / 100] * 1e3, took[count - 1] * 1e3, after);
}

int main(int argc, char **argv)
{
	if (argc != 7)
		bench_die("SOCKET MANIFEST MEASUREMENT APPLICATION WORKERS AT-A-TIME");
	const size_t count = strtoul(argv[5], NULL, 10), at_a_time = strtoul(argv[6], NULL, 10);
	if (count == 0 || at_a_time == 0 || at_a_time > AT_A_TIME_MAX)
		bench_die("no such number of workers");
	set_up(argv[2], argv[3]);
	struct cluster_worker *workers = calloc(count, sizeof *workers);
	double *took = calloc(count, sizeof *took);
	if (workers == NULL || took == NULL)
		bench_die("no memory");
	for (size_t i = 0; i < count; i++) {
		const struct cs_secret random = random_secret();
		if (cluster_worker_init(&workers[i], &bench.manifest, cs_bytes_str(argv[4]),
					&random) != CS_OK)
			bench_die("a worker cannot begin");
	}
	for (size_t i = 0; i < at_a_time; i++)
		bench.lines[i].fd = connect_to(argv[1]);
	const size_t alone = count < 100 ? count : 100;
	printf("{");
	double whole = run(workers, took, alone, 1);
	print("join", took, alone, whole, ", ");
	(void)run(workers, took, count, at_a_time);
	whole = run(workers, took, count, at_a_time);
	print("renew", took, count, whole, "}\n");
	return 0;
}
