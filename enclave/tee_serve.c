/* The quoting process (tee_quoter.h), from the fork to its end. */
#include "enclave/tee_messages.h"
#include "enclave/tee_quoter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static size_t question_size(uint8_t letter)
{
	return 1 + (letter == ASK_QUOTE          ? TEE_REPORT_DATA_SIZE
		    : letter == ASK_RECORD_WRITE ? TEE_RECORD_SIZE
						 : 0);
}

struct quoter {
	const struct tee_hardware *hardware;
	struct tee_device device;
	bool seal_root_given;
	struct cs_why why;
	uint8_t answer[ANSWER_SIZE_MAX];
};

static bool answer(struct quoter *q, struct cs_bytes question, enum cs_err err,
		   struct cs_bytes body)
{
	struct cs_buf out;
	cs_buf_init(&out, q->answer, sizeof q->answer);
	cs_put(&out, question);
	cs_put_u16(&out, (uint16_t)err);
	cs_put(&out, err == CS_OK ? body : cs_bytes_str(q->why.text));
	const bool sent =
		cs_buf_end(&out) == CS_OK && write(TEE_FD, out.p, out.n) == (ssize_t)out.n;
	cs_wipe(q->answer, sizeof q->answer);
	return sent;
}

static bool answer_quote(struct quoter *q, struct cs_bytes question)
{
	static uint8_t memory[TEE_EVIDENCE_SIZE_MAX];
	struct cs_buf evidence;
	cs_buf_init(&evidence, memory, sizeof memory);
	const enum cs_err err = q->hardware->quote(&q->device, &evidence, question.p + 1, &q->why);
	return answer(q, question, err, cs_buf_view(&evidence));
}

static bool answer_seal_root(struct quoter *q, struct cs_bytes question)
{
	struct cs_secret root = {{0}};
	enum cs_err err;
	if (!q->hardware->has_seal_root || q->seal_root_given)
		err = cs_fail(&q->why, CS_ERR_FORBIDDEN, "the sealing root is given once");
	else
		err = q->hardware->seal_root(&q->device, &root, &q->why);
	q->seal_root_given = true;
	const bool sent = answer(q, question, err, CS_BYTES_OF(root.b));
	cs_wipe(&root, sizeof root);
	return sent;
}

static bool answer_record(struct quoter *q, struct cs_bytes question)
{
	const struct tee_hardware *hardware = q->hardware;
	uint8_t record[TEE_RECORD_SIZE];
	const bool reads = question.p[0] == ASK_RECORD_READ;
	enum cs_err err;
	if (!hardware->has_record)
		err = cs_fail(&q->why, CS_ERR_UNSUPPORTED, "the hardware keeps no record");
	else if (reads)
		err = hardware->record_read(&q->device, record, &q->why);
	else
		err = hardware->record_write(&q->device, question.p + 1, &q->why);
	return answer(q, question, err,
		      reads && err == CS_OK ? CS_BYTES_OF(record) : CS_BYTES_NONE);
}

static bool answer_next(struct quoter *q)
{
	uint8_t question[QUESTION_SIZE_MAX + 1];
	const ssize_t n = read(TEE_FD, question, sizeof question);
	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0 || (size_t)n != question_size(question[0]))
		return false; /* the enclave is gone, or not itself any more */
	q->why.text[0] = 0;
	const struct cs_bytes asked = cs_bytes(question, (size_t)n);
	if (question[0] == ASK_QUOTE)
		return answer_quote(q, asked);
	if (question[0] == ASK_RECORD_READ || question[0] == ASK_RECORD_WRITE)
		return answer_record(q, asked);
	return question[0] == ASK_SEAL_ROOT && answer_seal_root(q, asked);
}

_Noreturn void tee_serve(const struct tee_hardware *hardware, const struct tee_place *place,
			 uint64_t tolerated)
{
	static struct quoter q;
	static const uint8_t ready[] = {ASK_READY};
	uint64_t missing;
	q.hardware = hardware;
	enum cs_err err = hardware->open(&q.device, place, &q.why);
	if (err == CS_OK)
		err = sandbox_enter(tolerated, hardware->calls, &missing, &q.why);
	bool go_on = answer(&q, CS_BYTES_OF(ready), err, CS_BYTES_NONE) && err == CS_OK;
	while (go_on)
		go_on = answer_next(&q);
	_exit(0);
}

_Noreturn void tee_serve_not(enum cs_err err, const char *sentence)
{
	static struct quoter q;
	static const uint8_t ready[] = {ASK_READY};
	cs_why_write(&q.why, "%s", sentence);
	(void)answer(&q, CS_BYTES_OF(ready), err, CS_BYTES_NONE);
	_exit(0);
}
