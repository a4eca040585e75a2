// SPDX-License-Identifier: Apache-2.0
// Stands for an OCI runtime: records how it is called, and executes RUNTIME, the runtime itself.
// Each call is a line of JSON in LOG/calls: arguments, directory, names of variables, kinds of descriptors, and the caller's name.
// The configuration of the call is copied to LOG/PID-config.json, the process of an exec to LOG/PID-process.json, the
// resources of an update to LOG/PID-resources.json.
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

static void put_string(FILE *out, const char *text)
{
	putc('"', out);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < ' ')
			fprintf(out, "\\u%04x", *c);
		else
			putc(*c, out);
	}
	putc('"', out);
}

static void put_list(FILE *out, const char *name, char **words, int names_only)
{
	fprintf(out, ",\"%s\":[", name);
	for (int i = 0; words[i]; i++) {
		char *end = names_only ? strchr(words[i], '=') : NULL;

		if (i)
			putc(',', out);
		if (end)
			*end = 0;
		put_string(out, words[i]);
		if (end)
			*end = '=';
	}
	putc(']', out);
}

/* The kind of a descriptor by its link: pipe, socket, pty, null, file, or the name of an anonymous inode. */
static const char *kind_of(char *link)
{
	char *end = strchr(link, ':');

	if (!strcmp(link, "/dev/null"))
		return "null";
	if (!strncmp(link, "/dev/pts/", 9) || !strcmp(link, "/dev/ptmx"))
		return "pty";
	if (*link == '/')
		return "file";
	if (!strncmp(link, "anon_inode:", 11))
		return link + 11;
	if (end)
		*end = 0;
	return link;
}

static void put_descriptors(FILE *out, int own)
{
	DIR *directory = opendir("/proc/self/fd");
	const char *comma = "";

	fputs(",\"fds\":{", out);
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		char link[PATH_MAX];
		ssize_t size = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
		int fd = atoi(entry->d_name);

		if (size < 0 || fd == own || fd == dirfd(directory))
			continue;
		link[size] = 0;
		fprintf(out, "%s\"%d\":", comma, fd);
		put_string(out, kind_of(link));
		comma = ",";
	}
	putc('}', out);
	if (directory)
		closedir(directory);
}

static void put_caller(FILE *out)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", getppid());
	file = fopen(path, "re");
	if (file) {
		if (!fgets(name, sizeof(name), file))
			*name = 0;
		name[strcspn(name, "\n")] = 0;
		fclose(file);
	}
	fputs(",\"caller\":", out);
	put_string(out, name);
}

static void copy(int from, int to)
{
	char block[65536];
	ssize_t size;

	while ((size = read(from, block, sizeof(block))) > 0)
		if (write(to, block, size) != size)
			err(125, "record: write");
}

/* Copies a file beside the record; - is standard input, of which the runtime gets a copy. */
static void keep(const char *path, const char *as)
{
	char name[PATH_MAX];
	int from, to;

	snprintf(name, sizeof(name), LOG "/%d-%s.json", getpid(), as);
	from = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : 0;
	to = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (from < 0 || to < 0)
		return;
	copy(from, to);
	if (from == 0) {
		int again = memfd_create("resources", 0);

		lseek(to, 0, SEEK_SET);
		copy(to, again);
		lseek(again, 0, SEEK_SET);
		dup2(again, 0);
		close(again);
	} else {
		close(from);
	}
	close(to);
}

/* The value of an option in either form, or NULL. */
static const char *value_of(char **argv, const char *name, const char *letter)
{
	for (; *argv; argv++) {
		const char *word = *argv + strspn(*argv, "-");
		size_t size = strlen(name);

		if (word == *argv)
			continue;
		if (!strcmp(word, name) || !strcmp(*argv, letter))
			return argv[1];
		if (!strncmp(word, name, size) && word[size] == '=')
			return word + size + 1;
	}
	return NULL;
}

static int has(char **argv, const char *word)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, word))
			return 1;
	return 0;
}

static void keep_files(char **argv)
{
	const char *bundle = value_of(argv, "bundle", "-b"), *process = value_of(argv, "process", "-p");
	const char *resources = value_of(argv, "resources", "-r");
	char path[PATH_MAX];

	if (has(argv, "create") || has(argv, "run")) {
		snprintf(path, sizeof(path), "%s/config.json", bundle ? bundle : ".");
		keep(path, "config");
	} else if (has(argv, "exec") && process) {
		keep(process, "process");
	} else if (has(argv, "update") && resources) {
		keep(resources, "resources");
	}
}

int main(int argc, char **argv)
{
	int log = open(LOG "/calls", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	char *text = NULL, cwd[PATH_MAX];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (log < 0 || !out || argc < 1)
		err(125, "record: " LOG);
	fprintf(out, "{\"pid\":%d", getpid());
	put_caller(out);
	put_list(out, "argv", argv, 0);
	put_list(out, "env", environ, 1);
	fputs(",\"cwd\":", out);
	put_string(out, getcwd(cwd, sizeof(cwd)) ? cwd : "");
	put_descriptors(out, log);
	fputs("}\n", out);
	fclose(out);
	// one write, since calls run at the same time
	if (write(log, text, size) != (ssize_t)size)
		err(125, "record: " LOG);
	keep_files(argv + 1);
	execv(RUNTIME, argv);
	err(127, "record: " RUNTIME);
}
