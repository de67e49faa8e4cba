/* fuzz/main.c: replays a corpus through a fuzz target where there is no libFuzzer.
 *
 * Each argument is a file or a folder of files; without arguments the target's own folder
 * below tests/fuzz/corpus.  Fails when there was nothing to replay. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_replayed;

static void replay_file(const char *path)
{
	static uint8_t buf[1 << 20];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	if (!f) {
		perror(path);
		exit(1);
	}
	len = fread(buf, 1, sizeof(buf), f);
	fclose(f);
	/* exactly as large as the input, so that the sanitizer sees a read past its end */
	exact = malloc(len ? len : 1);
	memcpy(exact, buf, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	n_replayed++;
}

static void replay(const char *path)
{
	struct stat st;
	struct dirent *e;
	char file[4096];
	DIR *d;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		replay_file(file);
	}
	if (d)
		closedir(d);
}

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir"), *name = strrchr(argv[0], '/');
	char own[4096];

	name = strstr(name ? name : argv[0], "fuzz_");
	snprintf(own, sizeof(own), "%s/tests/fuzz/corpus/%s", top ? top : ".", name ? name + 5 : "");
	if (argc < 2)
		replay(own);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs replayed\n", n_replayed);
	return n_replayed ? 0 : 1;
}
