#include "tests/unit/cometbft/scene.h"

struct verify_time scene_until(uint64_t high_s)
{
	return (struct verify_time){0, high_s};
}

struct cs_bytes scene_encoded(const struct cmt_light_block *block)
{
	struct cs_buf buf = test_buf(CMT_LIGHT_BLOCK_SIZE_MAX(block->validators.count));
	cmt_light_block_encode(&buf, block);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

void scene_open(struct scene *s, const struct cmt_client_config *config)
{
	s->config = *config;
	assert_ok(cmt_client_open(&s->client, keep(cmt_client_size()), config, NULL));
}

struct cmt_client_config scene_config(const struct cmt_light_block *anchor)
{
	return (struct cmt_client_config){.chain = {{7}},
					  .chain_id = anchor->header.chain_id,
					  .anchor_height = (uint64_t)anchor->header.height,
					  .anchor_hash = cmt_header_hash(&anchor->header),
					  .anchor_age_max_s = SCENE_PERIOD_S,
					  .trusting_period_s = SCENE_PERIOD_S};
}

void scene_open_at(struct scene *s, const struct cmt_light_block *anchor, uint64_t now_s)
{
	struct cmt_client_config config = scene_config(anchor);
	s->now = scene_until(now_s);
	scene_open(s, &config);
}

enum cs_err scene_create(struct scene *s, const struct cmt_light_block *anchor)
{
	return verify_client_create(&s->client, scene_encoded(anchor), &s->now, NULL);
}

enum cs_err scene_update_by(struct scene *s, const struct cmt_light_block *const *blocks,
			    size_t count, size_t *accepted)
{
	struct cs_bytes headers[16];
	assert_true(count <= CS_LEN(headers));
	for (size_t i = 0; i < count; i++)
		headers[i] = scene_encoded(blocks[i]);
	return verify_client_update(&s->client, headers, count, &s->now, accepted, NULL);
}

enum cs_err scene_update(struct scene *s, const struct cmt_light_block *block)
{
	size_t accepted;
	enum cs_err err = scene_update_by(s, &block, 1, &accepted);
	assert_int_equal(accepted, err == CS_OK);
	return err;
}

struct verify_status scene_status(const struct scene *s)
{
	struct verify_status status;
	verify_client_status(&s->client, &status);
	return status;
}

enum cs_err scene_ask(const struct scene *s, uint64_t height, struct verify_block *block)
{
	return verify_client_block(&s->client, height, &s->now, block, NULL);
}

struct cmt_validator_set scene_set(void)
{
	return made_set(1, 4, 10);
}

struct cmt_light_block scene_block(int64_t height)
{
	struct cmt_validator_set set = scene_set();
	return made_block(height, &set, &set);
}

struct cmt_light_block scene_linked(const struct cmt_light_block *under)
{
	struct cs_hash hash = cmt_header_hash(&under->header);
	struct cmt_light_block block = scene_block(under->header.height + 1);
	block.header.last_block_id =
		(struct cmt_block_id){cmt_hash_of(&hash), {1, cmt_hash_of(&hash)}};
	made_seal(&block);
	return block;
}

void scene_begin(struct scene *s)
{
	struct cmt_light_block anchor = scene_block(10);
	scene_open_at(s, &anchor, (uint64_t)MADE_TIME_S + 100);
	assert_ok(scene_create(s, &anchor));
}

struct cmt_light_block scene_other_block(int64_t height)
{
	struct cmt_light_block block = scene_block(height);
	block.header.app_version++;
	made_seal(&block);
	return block;
}
