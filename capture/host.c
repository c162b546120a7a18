/* SPDX-License-Identifier: BSD-2-Clause */
#include "host.h"
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/utsname.h>

/* The first line of a file, "" if it cannot be read. */
static void read_line(const char *path, char *out, int size)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(out, size, file))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (file)
		fclose(file);
}

int host_describe(struct host *host, const char *backend, struct error *error)
{
	struct utsname u;

	if (getrandom(host->info.session, sizeof host->info.session, 0) !=
		sizeof host->info.session)
		return error_set(error, "cannot get random numbers: %s", strerror(errno));
	uname(&u);
	snprintf(host->name, sizeof host->name, "%s", u.nodename);
	snprintf(host->kernel, sizeof host->kernel, "%s %s", u.sysname, u.release);
	snprintf(host->hardware, sizeof host->hardware, "%s", u.machine);
	read_line("/proc/sys/kernel/random/boot_id", host->boot_id, sizeof host->boot_id);
	host->info.file = 1;
	host->info.anchor = clock_anchor_now();
	host->info.host = bytes_of(host->name);
	host->info.boot_id = bytes_of(host->boot_id);
	host->info.kernel = bytes_of(host->kernel);
	host->info.hardware = bytes_of(host->hardware);
	host->info.recorder = bytes_of("tcpconnect-rec " VERSION);
	host->info.backend = bytes_of(backend);
	return 0;
}
