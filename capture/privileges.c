/* SPDX-License-Identifier: BSD-2-Clause */
#include "privileges.h"
#include "../formats/number.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

/* CAP_BPF: counters are read by bpf(2). The other two: /proc/PID of other users. */
static const cap_value_t needed[] = {CAP_BPF, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};

static int keep_needed(bool override, struct error *error)
{
	cap_t now = cap_get_proc(), kept = cap_init();
	cap_value_t values[sizeof needed / sizeof *needed + 1];
	cap_flag_value_t has;
	int count = 0, wanted = sizeof needed / sizeof *needed, status = -1;

	if (!now || !kept)
		goto out;
	for (int i = 0; i < wanted + override; i++) {
		cap_value_t value = i < wanted ? needed[i] : CAP_DAC_OVERRIDE;

		if (!cap_get_flag(now, value, CAP_PERMITTED, &has) && has == CAP_SET)
			values[count++] = value;
	}
	if (count && (cap_set_flag(kept, CAP_PERMITTED, count, values, CAP_SET) ||
			     cap_set_flag(kept, CAP_EFFECTIVE, count, values, CAP_SET)))
		goto out;
	status = cap_set_proc(kept);
out:
	if (status)
		error_set(error, "cannot drop capabilities: %s", strerror(errno));
	cap_free(now);
	cap_free(kept);
	return status;
}

static int become(const char *user, struct error *error)
{
	struct passwd *entry = NULL;
	uint64_t id;
	uid_t uid;
	gid_t gid;

	if (isdigit((unsigned char)*user)) {
		if (number_parse(user, "a user", 0, UINT32_MAX - 1, &id, error))
			return -1;
		entry = getpwuid((uid_t)id);
		uid = (uid_t)id;
		gid = entry ? entry->pw_gid : (gid_t)id;
	} else {
		entry = getpwnam(user);
		if (!entry)
			return error_set(error, "-Z: '%s' is not a user of this host", user);
		uid = entry->pw_uid;
		gid = entry->pw_gid;
	}
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(gid, gid, gid) ||
		setresuid(uid, uid, uid) || prctl(PR_SET_KEEPCAPS, 0))
		return error_set(error, "cannot become user '%s': %s", user, strerror(errno));
	return 0;
}

int privileges_drop(const char *user, bool override, struct error *error)
{
	if (user && become(user, error))
		return -1;
	return keep_needed(override && !user, error);
}
