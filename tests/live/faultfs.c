/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file system whose disk breaks on command: what is done to it is done to a
 * directory, unless the file FAULTS says otherwise, which is looked at each time:
 * lines of an operation (write, rewrite: of a file *.new, fsync, create, rename, read,
 * truncate, unlink) and what becomes of it: the number of an errno, "slow MS", or "hang" until
 * FAULTS changes. An fsync that fails loses what was written since the last one that did not, as a
 * disk does whose blocks were already dropped from memory.
 *
 * usage: faultfs DIRECTORY FAULTS MOUNTPOINT: in the foreground, until unmounted
 */
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILES_MAX 65536

static const char *faults_name;
static int root;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static off_t synced[FILES_MAX]; /* bytes that the disk has, by file descriptor */

/* Returns 0, or the negative errno that the operation is to end with. */
static int fault(const char *operation)
{
	char line[100], name[20], what[20];
	int value;
	bool hangs;

	do {
		FILE *file = fopen(faults_name, "r");

		hangs = false;
		while (file && fgets(line, sizeof line, file)) {
			int n = sscanf(line, "%19s %19s %d", name, what, &value);

			if (n < 2 || strcmp(name, operation))
				continue;
			if (!strcmp(what, "hang")) {
				hangs = true;
			} else if (!strcmp(what, "slow")) {
				usleep((useconds_t)value * 1000);
			} else {
				fclose(file);
				return -atoi(what);
			}
		}
		if (file)
			fclose(file);
		if (hangs)
			usleep(20000);
	} while (hangs && !fuse_interrupted());
	return hangs ? -EINTR : 0;
}

static int result(int n)
{
	return n < 0 ? -errno : n;
}

static const char *relative(const char *path)
{
	return path[1] ? path + 1 : ".";
}

static int do_getattr(const char *path, struct stat *status, struct fuse_file_info *info)
{
	if (info)
		return result(fstat((int)info->fh, status));
	return result(fstatat(root, relative(path), status, AT_SYMLINK_NOFOLLOW));
}

static int do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
	struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
	int fd = openat(root, relative(path), O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	(void)offset;
	(void)info;
	(void)flags;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		fill(buffer, entry->d_name, NULL, 0, 0);
	closedir(dir);
	return 0;
}

static int keep(int fd, struct fuse_file_info *info)
{
	struct stat status;

	if (fd < 0)
		return -errno;
	info->fh = (uint64_t)fd;
	info->direct_io = 1;
	if (fd < FILES_MAX && !fstat(fd, &status))
		synced[fd] = status.st_size;
	return 0;
}

static int do_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
	int number = fault("create");

	return number ? number : keep(openat(root, relative(path), info->flags, mode), info);
}

static int do_open(const char *path, struct fuse_file_info *info)
{
	return keep(openat(root, relative(path), info->flags), info);
}

static int do_read(const char *path, char *data, size_t size, off_t at, struct fuse_file_info *info)
{
	int number = fault("read");

	(void)path;
	return number ? number : result((int)pread((int)info->fh, data, size, at));
}

/* Half of it gets in before the error, as on a disk that fills. */
static int do_write(
	const char *path, const char *data, size_t size, off_t at, struct fuse_file_info *info)
{
	const char *end = strrchr(path, '.');
	int number = fault(end && !strcmp(end, ".new") ? "rewrite" : "write");

	if (number && number != -EINTR && pwrite((int)info->fh, data, size / 2, at) < 0)
		return number;
	return number ? number : result((int)pwrite((int)info->fh, data, size, at));
}

static int do_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
	int number = fault("truncate"), fd;

	if (number)
		return number;
	if (info)
		return result(ftruncate((int)info->fh, size));
	fd = openat(root, relative(path), O_WRONLY);
	number = fd < 0 ? -errno : result(ftruncate(fd, size));
	if (fd >= 0)
		close(fd);
	return number;
}

static int do_fsync(const char *path, int data, struct fuse_file_info *info)
{
	int number = fault("fsync"), fd = (int)info->fh;
	struct stat status;

	(void)path;
	(void)data;
	pthread_mutex_lock(&lock);
	if (fd < FILES_MAX && !fstat(fd, &status)) {
		if (!number)
			synced[fd] = status.st_size;
		else if (number != -EINTR &&
			 (ftruncate(fd, synced[fd]) || ftruncate(fd, status.st_size)))
			number = -errno; /* it keeps its size, but holds nothing there */
	}
	pthread_mutex_unlock(&lock);
	return number;
}

static int do_rename(const char *from, const char *to, unsigned int flags)
{
	int number = fault("rename");

	return number ? number : result(renameat2(root, relative(from), root, relative(to), flags));
}

static int do_unlink(const char *path)
{
	int number = fault("unlink");

	return number ? number : result(unlinkat(root, relative(path), 0));
}

static int do_utimens(const char *path, const struct timespec times[2], struct fuse_file_info *info)
{
	if (info)
		return result(futimens((int)info->fh, times));
	return result(utimensat(root, relative(path), times, 0));
}

static int do_statfs(const char *path, struct statvfs *status)
{
	(void)path;
	return result(fstatvfs(root, status));
}

static int do_release(const char *path, struct fuse_file_info *info)
{
	(void)path;
	close((int)info->fh);
	return 0;
}

static void *do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->attr_timeout = config->entry_timeout = 0;
	config->hard_remove = config->intr = 1;
	return NULL;
}

static const struct fuse_operations operations = {
	.init = do_init,
	.getattr = do_getattr,
	.readdir = do_readdir,
	.create = do_create,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.truncate = do_truncate,
	.fsync = do_fsync,
	.rename = do_rename,
	.unlink = do_unlink,
	.utimens = do_utimens,
	.statfs = do_statfs,
	.release = do_release,
};

/* The library sends it to a thread whose caller was killed. */
static void interrupt(int number)
{
	(void)number;
}

int main(int argc, char **argv)
{
	char foreground[] = "-f";

	if (argc != 4) {
		fputs("usage: faultfs DIRECTORY FAULTS MOUNTPOINT\n", stderr);
		return 2;
	}
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = interrupt}, NULL);
	root = open(argv[1], O_RDONLY | O_DIRECTORY);
	faults_name = argv[2];
	if (root < 0) {
		perror(argv[1]);
		return 1;
	}
	return fuse_main(3, ((char *[]){argv[0], foreground, argv[3], NULL}), &operations, NULL);
}
