/* What goes to the host, and what waits there until the state that it rests on is kept. */
#include "enclave/cluster/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void hold(struct service *s, enum wire_pipe_type type, uint32_t number, struct cs_bytes body)
{
	const struct held head = {type, number, (uint32_t)body.n};
	if (HELD_SIZE_MAX - s->held_size < sizeof head + body.n) {
		s->broken = true;
		return;
	}
	memcpy(s->held + s->held_size, &head, sizeof head);
	memcpy(s->held + s->held_size + sizeof head, body.p, body.n);
	s->held_size += sizeof head + body.n;
}

void service_tell(struct service *s, enum wire_pipe_type type, uint32_t number,
		  struct cs_bytes body)
{
	/* A nonce says nothing. */
	if (s->holding && type != WIRE_PIPE_KEEP && type != WIRE_PIPE_TIME_ASK)
		hold(s, type, number, body.n == 0 ? cs_bytes("", 0) : body);
	else
		s->launch.send(s->launch.send_context, type, number, body);
}

void service_release(struct service *s)
{
	size_t at = 0;
	s->holding = false;
	while (at < s->held_size) {
		struct held head;
		memcpy(&head, s->held + at, sizeof head);
		at += sizeof head;
		s->launch.send(s->launch.send_context, head.type, head.number,
			       cs_bytes(s->held + at, head.size));
		at += head.size;
	}
	s->held_size = 0;
}

static enum cs_err keep(struct service *s, struct cs_why *why)
{
	struct cs_buf plain;
	struct cs_buf sealed;
	struct seal_head head = {.lineage = *cluster_manifest_lineage(service_manifest(s)),
				 .build = seal_build(&s->self),
				 .record = s->record.id,
				 .manifest_number = service_manifest(s)->number,
				 .counter = s->counter + 1};
	const size_t mark = cs_arena_mark(&s->arena);
	memcpy(head.salt.b, service_random(s)->b, sizeof head.salt.b);
	cs_buf_init(&plain, s->secrets->plain, sizeof s->secrets->plain);
	cs_buf_init(&sealed, s->sealed, sizeof s->sealed);
	enum cs_err err = service_role(s)->encode(s, &plain, why);
	if (err == CS_OK)
		err = seal_write(&sealed, &s->secrets->seal_root, s->launch.role, &head,
				 cs_buf_view(&plain));
	cs_wipe(s->secrets->plain, plain.n);
	cs_arena_rewind(&s->arena, mark);
	CS_TRY(err);
	s->counter++;
	s->kept_number++;
	service_tell(s, WIRE_PIPE_KEEP, s->kept_number, cs_buf_view(&sealed));
	s->holding = true;
	s->anchor.waits = false; /* first it is kept */
	return CS_OK;
}

/* What is not sealed must not be built on: the process ends, and begins again with what was kept. */
enum cs_err service_keep(struct service *s, struct cs_why *why)
{
	const enum cs_err err = keep(s, why);
	s->broken = s->broken || err != CS_OK;
	return err;
}

void service_event(struct service *s, enum wire_pipe_event event, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	const int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	const size_t size = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	service_tell(s, WIRE_PIPE_EVENT, event, cs_bytes(text, size));
}

void service_answer(struct service *s, uint32_t number, enum cs_err err, struct cs_bytes what)
{
	uint8_t *answer = s->answer;
	struct cs_buf out;
	const char *name = cs_err_name(err);
	cs_buf_init(&out, answer, sizeof s->answer);
	cs_put_u8(&out, (uint8_t)strlen(name));
	cs_put(&out, cs_bytes_str(name));
	const size_t mark = out.n;
	cs_put(&out, what);
	if (out.failed)
		out = (struct cs_buf){.p = answer, .n = mark, .size_max = sizeof s->answer};
	service_tell(s, WIRE_PIPE_ANSWER, number, cs_buf_view(&out));
	cs_wipe(answer, out.n);
}
