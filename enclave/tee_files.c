#include "enclave/tee_files.h"

#include "core/ct.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int tee_folder(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum cs_err failed(struct cs_why *why, const char *name)
{
	if (errno == EAGAIN || errno == EBUSY)
		return cs_fail(why, CS_ERR_CONFLICT, "%s: somebody else writes to it", name);
	return cs_fail(why, errno == ENOENT ? CS_ERR_UNAVAILABLE : CS_ERR_IO,
		       "%s: error %d of the kernel", name, errno);
}

static enum cs_err read_whole(struct cs_buf *out, int fd, const char *name, struct cs_why *why)
{
	uint8_t piece[1024];
	ssize_t n = 1;
	while (!out->failed && n != 0) {
		n = read(fd, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		cs_put(out, cs_bytes(piece, (size_t)n));
	}
	cs_wipe(piece, sizeof piece); /* one of the files is a key */
	if (n < 0)
		return failed(why, name);
	const enum cs_err err = cs_buf_end(out);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s is too long", name);
}

enum cs_err tee_file_read(struct cs_buf *out, int folder, const char *name, struct cs_why *why)
{
	const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(why, name);
	const enum cs_err err = read_whole(out, fd, name, why);
	(void)close(fd);
	return err;
}

enum cs_err tee_file_write(int folder, const char *name, struct cs_bytes bytes, struct cs_why *why)
{
	const int fd = openat(folder, name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(why, name);
	ssize_t n;
	do
		n = write(fd, bytes.p, bytes.n);
	while (n < 0 && errno == EINTR);
	enum cs_err err = CS_OK;
	if (n < 0)
		err = failed(why, name);
	else if ((size_t)n != bytes.n)
		err = cs_fail(why, CS_ERR_IO, "%s takes %zd bytes, not %zu", name, n, bytes.n);
	/* configfs hands the value over when the file is closed. */
	if (close(fd) != 0 && err == CS_OK)
		err = failed(why, name);
	return err;
}

enum cs_err tee_file_word(char *word, size_t size, int folder, const char *name, struct cs_why *why)
{
	struct cs_buf out;
	cs_buf_init(&out, word, size - 1);
	const enum cs_err err = tee_file_read(&out, folder, name, why);
	if (err == CS_ERR_TOO_LARGE)
		return cs_fail(why, CS_ERR_MALFORMED, "%s is no short word", name);
	CS_TRY(err);
	while (out.n > 0 && (word[out.n - 1] == '\n' || word[out.n - 1] == 0))
		out.n--;
	word[out.n] = 0;
	for (size_t i = 0; i < out.n; i++)
		if (word[i] <= ' ' || word[i] > '~')
			return cs_fail(why, CS_ERR_MALFORMED, "%s is no short word", name);
	return CS_OK;
}

/* verify/attest/dcap_quote.h has the layouts; here only where the 64 bytes stand. */
struct cs_bytes tee_quote_report_data(struct cs_bytes quote)
{
	size_t at = 0;
	if (quote.n < 8)
		return CS_BYTES_NONE;
	const unsigned version = quote.p[0] | (unsigned)quote.p[1] << 8;
	const bool is_tdx = quote.p[4] == 0x81;
	if (version == 3 || (version == 4 && !is_tdx))
		at = 48 + 320;
	else if (version == 4)
		at = 48 + 520;
	else if (version == 5)
		at = 48 + 6 + (is_tdx ? 520u : 320u);
	return at == 0 || quote.n < at + 64 ? CS_BYTES_NONE : cs_bytes(quote.p + at, 64);
}
