/* A light client over chains of made.h: who opens, feeds and asks it in the tests. */
#ifndef TEST_COMETBFT_SCENE_H
#define TEST_COMETBFT_SCENE_H

#include "tests/unit/cometbft/made.h"
#include "verify/cometbft/client.h"

#define SCENE_PERIOD_S 1000u

struct scene {
	struct cmt_client_config config;
	struct verify_client client;
	struct verify_time now;
};

struct verify_time scene_until(uint64_t high_s);
struct cs_bytes scene_encoded(const struct cmt_light_block *block);

void scene_open(struct scene *s, const struct cmt_client_config *config);
struct cmt_client_config scene_config(const struct cmt_light_block *anchor);
void scene_open_at(struct scene *s, const struct cmt_light_block *anchor, uint64_t now_s);
enum cs_err scene_create(struct scene *s, const struct cmt_light_block *anchor);
/* At most 16. */
enum cs_err scene_update_by(struct scene *s, const struct cmt_light_block *const *blocks,
			    size_t count, size_t *accepted);
enum cs_err scene_update(struct scene *s, const struct cmt_light_block *block);
struct verify_status scene_status(const struct scene *s);
enum cs_err scene_ask(const struct scene *s, uint64_t height, struct verify_block *block);

/* A chain of one set, a second a height. */
struct cmt_validator_set scene_set(void);
struct cmt_light_block scene_block(int64_t height);
/* Final on top of the one below, as adjacent headers of one chain are. */
struct cmt_light_block scene_linked(const struct cmt_light_block *under);
/* Another of that height, by the same validators. */
struct cmt_light_block scene_other_block(int64_t height);
/* At height 10 of it. */
void scene_begin(struct scene *s);

#endif
