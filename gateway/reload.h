/* One reading of the configuration file under a running gateway, from the request to its answer.
 * Private to reload.c, which reads, compares and takes, and rollover.c, where it waits for the enclave. */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

#include "gateway/operator.h"

#define GATEWAY_RELOAD_CHANGES_MAX 128u
#define GATEWAY_REFUSED_MAX 1500u

struct gateway_reload {
	struct gateway *gateway;
	struct host_http_exchange *exchange; /* NULL: a signal, or answered already */
	char who[HOST_API_KEY_NAME_MAX + 1];
	struct gateway_config *fresh;
	char *changes[GATEWAY_RELOAD_CHANGES_MAX]; /* paths; more are not listed */
	size_t change_count;
	char refused[GATEWAY_REFUSED_MAX]; /* why nothing changes; "": it does */
	/* made before anything is exchanged, by the file's order of chains */
	bool remake[GATEWAY_CHAINS_MAX];
	struct adapter *adapters[GATEWAY_CHAINS_MAX];
	struct cs_secret *operator_keys[GATEWAY_CHAINS_MAX]; /* of chains that come */
	struct cs_address operators[GATEWAY_CHAINS_MAX];
	struct gateway_peer peers[GATEWAY_PEERS_MAX];
	/* while it waits for the enclave */
	struct cs_hash plan;
	uint64_t since_ms; /* wall clock */
	bool is_answered;  /* 202: the next reading may begin while this one waits */
	bool on_trial;     /* the enclave of the last hello runs under it */
	bool sealed;       /* and state of it was stored: there is no way back */
	char why[GATEWAY_WHY_MAX + 1];
};

/* ---- reload.c ---- */
/* Exchanges what is in force, answers, frees. */
void gateway_reload_take(struct gateway_reload *reload);
/* Leaves everything as it is, answers with the sentence, frees. */
void gateway_reload_refuse(struct gateway_reload *reload, const char *format, ...) CS_PRINTF(2, 3);
/* The answer for now: 202, and why it waits. */
void gateway_reload_reply_waits(struct gateway_reload *reload);
/* The next reading may begin, and does where a signal asked for it. */
void gateway_reload_next(struct gateway *gateway);
void gateway_reload_free(struct gateway_reload *reload);

/* ---- rollover.c ---- */
/* It takes another enclave than the one that runs: another manifest, or one more chain. */
bool gateway_rollover_is_needed(const struct gateway_reload *reload);
/* Takes it over: it waits, in the place of one that waited. */
void gateway_rollover_begin(struct gateway_reload *reload);
/* What waits is not wanted any more. False: it cannot be given up, its state is sealed. */
bool gateway_rollover_give_up(struct gateway *gateway);

#endif
