#include "enclave/process.h"

#include "core/buf.h"
#include "enclave/insecure.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define BINARY_SIZE_MAX (64u * 1024 * 1024)

static const char *program_name = "";

void process_name(const char *name)
{
	program_name = name;
}

void process_say(const char *what, const char *detail)
{
	char line[512];
	struct cs_buf buf;
	cs_buf_init(&buf, line, sizeof line);
	cs_put_text(&buf, "%s: %s%s%.300s\n", program_name, what, detail[0] != '\0' ? ": " : "",
		    detail);
	if (write(STDERR_FILENO, line, buf.n) < 0)
		return; /* nobody listens */
}

bool process_take_number(int *out, const char *text)
{
	int value = 0;
	if (text[0] == '\0')
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || value > 100000)
			return false;
		value = value * 10 + (*p - '0');
	}
	*out = value;
	return true;
}

ssize_t process_read_all(int fd, uint8_t *p, size_t size_max)
{
	size_t n = 0;
	for (;;) {
		uint8_t more;
		const ssize_t got =
			n < size_max ? read(fd, p + n, size_max - n) : read(fd, &more, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || (got > 0 && n == size_max))
			return -1;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
}

ssize_t process_read_file(const char *path, uint8_t *p, size_t size_max)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	const ssize_t n = process_read_all(fd, p, size_max);
	(void)close(fd);
	return n;
}

void *process_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

bool process_measure(struct cs_hash *measurement)
{
	uint8_t *binary = process_memory(BINARY_SIZE_MAX);
	if (binary == NULL)
		return false;
	const ssize_t n = process_read_file("/proc/self/exe", binary, BINARY_SIZE_MAX);
	if (n > 0)
		*measurement = cs_sha256(cs_bytes(binary, (size_t)n));
	(void)munmap(binary, BINARY_SIZE_MAX);
	return n > 0;
}

bool process_random(void *p, size_t n)
{
	uint8_t *at = p;
	while (n > 0) {
		const ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

struct verify_time process_clock(void)
{
	struct timespec now = {0};
	/* insecure_host_time: the host's clock is the only source that a manifest can name today. */
	if (clock_gettime(CLOCK_REALTIME, &now) != 0 || now.tv_sec < 0)
		return (struct verify_time){0, 0};
	return (struct verify_time){(uint64_t)now.tv_sec, (uint64_t)now.tv_sec};
}

bool process_write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		const ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* The smallest of the descriptors that is at least `from`; ~0: none. */
static unsigned next_kept(const int *fds, size_t count, unsigned from)
{
	unsigned next = ~0U;
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0 && (unsigned)fds[i] >= from && (unsigned)fds[i] < next)
			next = (unsigned)fds[i];
	return next;
}

bool process_close_others(const int *fds, size_t count)
{
	for (unsigned from = STDERR_FILENO + 1, next; from != 0; from = next + 1) {
		next = next_kept(fds, count, from);
		const unsigned last = next == ~0U ? next : next - 1;
		if (next > from && close_range(from, last, 0) != 0)
			return false;
	}
	return true;
}

void process_say_insecure(uint64_t flags)
{
	const struct enclave_insecure_row *row = enclave_insecure_rows();
	for (; row->name != NULL; row++)
		if ((flags & (UINT64_C(1) << row->bit)) != 0)
			process_say("insecure", row->sentence);
}

int process_fail(int code, enum cs_err err, const struct cs_why *why)
{
	process_say(cs_err_name(err), why->text[0] != '\0' ? why->text : cs_err_sentence(err));
	return code;
}
