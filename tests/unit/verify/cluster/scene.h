/* A cluster in one process: a manifest that test administrators signed, Key Servers, Guards and Workers with
 * the simulated backend, channels as TLS would give them. Time stands still until a test moves it. */
#ifndef TESTS_CLUSTER_SCENE_H
#define TESTS_CLUSTER_SCENE_H

#include "../../support.h"
#include "verify/attest/simulated.h"
#include "verify/cluster/guard.h"
#include "verify/cluster/key_server.h"
#include "verify/cluster/worker.h"

#define SCENE_NOW 1800000000u
#define SCENE_ADMINISTRATORS 3u
/* Two of them are a quorum; clocks are wrong by two seconds at most. */
#define SCENE_TIME_KEYS 3u
#define APPLICATION "records"

struct scene {
	struct cs_sig *sig;
	struct cs_nistp *nistp;
	struct cs_arena manifests; /* of what manifests point to */
	struct cs_arena arena;     /* of steps */
	struct verify_time now;
	uint64_t random; /* counts: every random value is another one, and the same in every run */
	struct cs_secret administrators[SCENE_ADMINISTRATORS];
	struct cs_secret time_keys[SCENE_TIME_KEYS]; /* of nodes of the ledger */
};

/* Signed answers of `count` time keys from `first` on to a nonce, in the arena of the manifests. */
struct verify_time_answer *scene_time_answers(struct scene *scene, const struct cs_hash *nonce,
					      uint64_t time_s, unsigned first, unsigned count);

/* Which build a process is of: the simulated measurement. */
struct scene_build {
	uint8_t measurement[32];
	bool tells_lies;   /* about report data that it was not asked for */
	unsigned fails_at; /* so many evidences from now, one cannot be made; 0: none */
};

struct scene *scene_new(void);
void scene_free(struct scene *scene);
struct cs_secret scene_random(struct scene *scene);
/* Bytes of one value: a build by its letter. */
struct scene_build scene_build(char letter);
struct cluster_tools scene_tools(struct scene *scene, struct scene_build *build);

/* What a manifest of the tests says; signed by `signers` administrators of three, two are needed. */
struct scene_manifest {
	const char *key_servers; /* letters of the builds: "k" */
	const char *guards;
	const char *workers;
	const char *worker_policy; /* more members of policies.worker, with a comma behind */
	const char *programs;      /* insecure_programs; NULL: not there */
	const char *recovery;      /* NULL: {"keys":[],"threshold":0} */
	const char *roots;         /* the member's value; NULL: no such member */
	unsigned number;
	unsigned peer_number_min;
	unsigned worker_s; /* 3600 */
	unsigned epoch_s;
	unsigned signers;
	bool secure; /* nothing insecure in it */
	bool ledger; /* time is the ledger's, as of all that is secure */
	bool anchor; /* … and keeps the key server's anchor */
	const char
		*ledger_text; /* the manifest's object of that name; NULL: with the scene's keys */
	char not_after_of;    /* the build whose time ends at SCENE_NOW + 100; 0: none */
};
struct scene_manifest scene_manifest(void);
/* The file, canonical and signed. */
struct cs_bytes scene_manifest_file(struct scene *scene, const struct scene_manifest *text,
				    const struct cluster_manifest *before);
/* Reads it; ends the test when it is refused. */
const struct cluster_manifest *scene_manifest_read(struct scene *scene,
						   const struct scene_manifest *text,
						   const struct cluster_manifest *before);

/* A channel between two keys; `exporter` tells connections apart. */
void scene_channel(struct cluster_session *client, struct cluster_session *server,
		   const struct cs_ed25519_key *client_key, const struct cs_ed25519_key *server_key,
		   uint8_t exporter);

/* A Key Server that has created a cluster, its Guard with an attested session, a Worker that waits. */
struct scene_cluster {
	struct scene *scene;
	const struct cluster_manifest *manifest;
	struct scene_build key_server_build, guard_build, worker_build;
	struct cluster_tools key_server_tools, guard_tools, worker_tools;
	struct cluster_key_server ks;
	struct cluster_guard guard;
	struct cluster_worker worker;
	struct cluster_session to_key_server; /* the guard's end */
	struct cluster_session to_guard;
	struct cs_why why;
	uint8_t memory[CLUSTER_STATEMENT_SIZE_MAX];
};
struct scene_cluster *scene_cluster_new(const struct scene_manifest *text);
/* Hellos both ways over a new channel. */
enum cs_err scene_meet(struct scene_cluster *c, uint8_t exporter);
/* The whole way of a request: challenge, evidence, vouch, grant, keys. The first step that says no. */
enum cs_err scene_join(struct scene_cluster *c, struct cluster_worker *worker,
		       const struct cluster_tools *tools);
/* Its parts, for whoever stands in between; messages are in the arena of the manifests. */
enum cs_err scene_ask(struct scene_cluster *c, struct cluster_worker *worker,
		      const struct cluster_tools *tools, struct cs_bytes *join);
enum cs_err scene_vouch(struct scene_cluster *c, struct cs_bytes join, struct cs_bytes *vouch);
enum cs_err scene_issue(struct scene_cluster *c, struct cs_bytes vouch, struct cs_bytes *grant);
enum cs_err scene_take(struct scene_cluster *c, struct cluster_worker *worker,
		       const struct cluster_tools *tools, struct cs_bytes grant);
void scene_tick(struct scene_cluster *c);
struct cs_buf scene_buf(size_t size_max);

#define ok(call)                                                        \
	do {                                                            \
		const enum cs_err ok_err = (call);                      \
		if (ok_err != CS_OK)                                    \
			fail_msg("%s: %s", #call, cs_err_name(ok_err)); \
	} while (0)

#endif
