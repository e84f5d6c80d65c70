/* The host of a key server's service, which is the test: it keeps what the service says, and answers. */
#ifndef TESTS_CLUSTER_HOST_H
#define TESTS_CLUSTER_HOST_H

#include "../../verify/cluster/scene.h"
#include "enclave/cluster/inner.h"
#include "enclave/insecure.h"

#include <sys/random.h>

#define FRAMES_MAX 256u

struct told {
	enum wire_pipe_type type;
	uint32_t number;
	struct cs_bytes body;
};

/* The host. */
struct host {
	struct scene *scene;
	struct scene_build build;
	const struct cluster_manifest *manifest;
	struct service *service;
	void *secrets, *scratch;
	struct told told[FRAMES_MAX];
	size_t told_count;
	uint32_t number_next;
	struct record_keeper record; /* stays over starts: none, unless a test gives one */
	struct cs_why why;
};

static inline bool random_bytes(void *p, size_t n)
{
	return getrandom(p, n, 0) == (ssize_t)n;
}

static inline void on_send(void *context, enum wire_pipe_type type, uint32_t number,
			   struct cs_bytes body)
{
	struct host *host = context;
	uint8_t *copy = keep(body.n + 1);
	assert_true(host->told_count < FRAMES_MAX);
	if (body.n > 0)
		memcpy(copy, body.p, body.n);
	host->told[host->told_count++] = (struct told){type, number, cs_bytes(copy, body.n)};
}

static const struct told *find_told(const struct host *host, enum wire_pipe_type type)
{
	for (size_t i = host->told_count; i > 0; i--)
		if (host->told[i - 1].type == type)
			return &host->told[i - 1];
	return NULL;
}

static inline enum cs_err tell(struct host *host, enum wire_pipe_type type, uint32_t number,
			       struct cs_bytes body)
{
	const struct wire_pipe_frame frame = {(uint32_t)body.n, type, number};
	host->why.text[0] = 0;
	return service_take(host->service, &frame, body, &host->scene->now, &host->why);
}

static const struct cs_secret seal_root = {{5}};

static inline enum cs_err start_lineage(struct host *host, struct scene *scene,
					const struct cs_bytes *files, size_t count,
					const struct cs_hash *first, const struct cs_secret *root)
{
	struct service_launch launch = {.role = CLUSTER_KEY_SERVER,
					.manifests = files,
					.manifest_count = count,
					.first = *first,
					.seal_root = root,
					.tee = scene_tools(scene, &host->build).tee,
					.record = host->record,
					.random = random_bytes,
					.send = on_send,
					.send_context = host};
	host->service = calloc(1, service_size());
	host->secrets = calloc(1, service_secrets_size());
	host->scratch = malloc(SERVICE_SCRATCH_SIZE);
	return service_init(host->service, host->secrets, host->scratch, &launch, &host->why);
}

static inline enum cs_err start(struct host *host, struct scene *scene,
				const struct scene_manifest *text, const struct cs_secret *root)
{
	*host = (struct host){.scene = scene,
			      .build = scene_build('k'),
			      .number_next = 2,
			      .record = host->record};
	const struct cs_bytes file = scene_manifest_file(scene, text, NULL);
	host->manifest = scene_manifest_read(scene, text, NULL);
	return start_lineage(host, scene, &file, 1, &host->manifest->hash, root);
}

static inline void stop(struct host *host)
{
	service_done(host->service);
	free(host->service);
	free(host->secrets);
	free(host->scratch);
}

static inline void ask(struct host *host, uint32_t number, uint8_t verb)
{
	ok(tell(host, WIRE_PIPE_ASK, number, cs_bytes(&verb, 1)));
}

static inline bool answered_ok(const struct host *host)
{
	const struct told *answer = find_told(host, WIRE_PIPE_ANSWER);
	return answer != NULL && answer->body.n >= 3 && memcmp(answer->body.p, "\2ok", 3) == 0;
}

static inline void keep_state(struct host *host)
{
	const struct told *told = find_told(host, WIRE_PIPE_KEEP);
	if (told == NULL)
		fail_msg("no state was to be kept");
	else
		ok(tell(host, WIRE_PIPE_KEPT, told->number, CS_BYTES_NONE));
}

/* A key server that serves a cluster of its own. */
static inline void serve_text(struct host *host, struct scene *scene,
			      const struct scene_manifest *text)
{
	ok(start(host, scene, text, &seal_root));
	ok(tell(host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	ask(host, 1, WIRE_CLUSTER_ASK_CREATE);
	keep_state(host);
	assert_true(answered_ok(host));
	host->told_count = 0;
}

static inline void serve(struct host *host, struct scene *scene)
{
	const struct scene_manifest text = scene_manifest();
	serve_text(host, scene, &text);
}

#endif
