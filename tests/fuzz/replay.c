/* Runs a fuzz target over files and over the files of directories, without libFuzzer: the corpus as
 * a test. Each input lies in memory of exactly its size, so that a sanitizer sees every step
 * outside. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	if (file == NULL || fstat(fileno(file), &info) != 0) {
		perror(path);
		exit(1);
	}
	size_t size = (size_t)info.st_size;
	uint8_t *data = malloc(size);
	if (size > 0 && (data == NULL || fread(data, 1, size, file) != size)) {
		perror(path);
		exit(1);
	}
	(void)fclose(file);
	/* The last line before a crash names the input. */
	printf("%s (%zu)\n", path, size);
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	count++;
}

static void run_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	if (n < 0) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		char name[4096];
		int length = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && length > 0 && (size_t)length < sizeof name)
			run_file(name);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat info;
		if (stat(argv[i], &info) != 0) {
			perror(argv[i]);
			return 1;
		}
		if (S_ISDIR(info.st_mode))
			run_folder(argv[i]);
		else
			run_file(argv[i]);
	}
	if (count == 0) {
		(void)fprintf(stderr, "no input\n");
		return 1;
	}
	printf("%zu inputs\n", count);
	return 0;
}
