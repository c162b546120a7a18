/* SPDX-License-Identifier: BSD-2-Clause */
#include "extcap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INTERFACE "tcpconnect"

/* Wireshark's options; those that it leaves to us (the fields below) are not among them. */
enum {
	INTERFACES,
	DLTS,
	CONFIG,
	CAPTURE,
	QUESTIONS, /* those before are what is asked */
	VERSION_OF_WIRESHARK = QUESTIONS,
	INTERFACE_NAME,
	CAPTURE_FILTER,
	FIFO,
	OPTIONS,
};

static const struct {
	const char *name;
	bool argument;
} options[OPTIONS] = {
	[INTERFACES] = {"--extcap-interfaces", false},
	[DLTS] = {"--extcap-dlts", false},
	[CONFIG] = {"--extcap-config", false},
	[CAPTURE] = {"--capture", false},
	[VERSION_OF_WIRESHARK] = {"--extcap-version", true},
	[INTERFACE_NAME] = {"--extcap-interface", true},
	[CAPTURE_FILTER] = {"--extcap-capture-filter", true},
	[FIFO] = {"--fifo", true},
};

/* Fields of the dialogue: each one is an option of the recorder, which then checks the value. */
static const char config[] =
	"arg {number=0}{call=--pid}{display=Processes}{type=string}"
	"{tooltip=Process ids with commas between; ! in front: all but these}\n"
	"arg {number=1}{call=--uid}{display=Users}{type=string}"
	"{tooltip=User names or ids with commas between; ! in front: all but these}\n"
	"arg {number=2}{call=--port}{display=Destination ports}{type=string}"
	"{tooltip=Ports and ranges with commas between, as 80,8000-8999; ! in front: all but "
	"these}\n"
	"arg {number=3}{call=--ipv4}{display=Only IPv4}{type=boolflag}{default=false}\n"
	"arg {number=4}{call=--ipv6}{display=Only IPv6}{type=boolflag}{default=false}\n"
	"arg {number=5}{call=--flush-interval}{display=Show after (ms)}{type=unsigned}"
	"{range=1,3600000}{default=1000}{tooltip=How long events are collected before Wireshark "
	"gets them}\n"
	"arg {number=6}{call=--backend}{display=Backend}{type=selector}{group=Advanced}\n"
	"value {arg=6}{value=auto}{display=The first that can run}{default=true}\n"
	"value {arg=6}{value=fentry}{display=fentry}{default=false}\n"
	"value {arg=6}{value=kprobe}{display=kprobe}{default=false}\n"
	"value {arg=6}{value=cgroup}{display=cgroup}{default=false}\n";

/* What it is, OPTIONS: none of them. The value is in the same or in the next argument. */
static int find_option(const char *argument, const char *next, const char **value, int *used)
{
	for (int i = 0; i < OPTIONS; i++) {
		size_t length = strlen(options[i].name);

		if (strncmp(argument, options[i].name, length))
			continue;
		*used = 1;
		if (!argument[length] && !options[i].argument)
			return i;
		if (argument[length] == '=' && options[i].argument) {
			*value = argument + length + 1;
			return i;
		}
		if (!argument[length] && next) {
			*value = next;
			*used = 2;
			return i;
		}
	}
	return OPTIONS;
}

static int take_fifo(const char *name, struct error *error)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(error, "%s: cannot open: %s", name, strerror(errno));
	if (dup2(fd, STDOUT_FILENO) < 0)
		return error_set(error, "%s: %s", name, strerror(errno));
	close(fd);
	return 0;
}

static enum extcap answer(int question, const char *values[static OPTIONS], struct error *error)
{
	const char *interface = values[INTERFACE_NAME], *filter = values[CAPTURE_FILTER];

	if (question == INTERFACES) {
		fputs("extcap {version=" VERSION "}{display=tcpconnect-rec}\n"
		      "interface {value=" INTERFACE "}{display=TCP connects of this host}\n",
			stdout);
		return EXTCAP_DONE;
	}
	if (!interface || strcmp(interface, INTERFACE)) {
		error_set(
			error, "'%s' is not an interface: " INTERFACE, interface ? interface : "");
		return EXTCAP_FAILED;
	}
	if (question == DLTS) {
		fputs("dlt {number=101}{name=RAW}{display=Synthetic SYN packets}\n", stdout);
		return EXTCAP_DONE;
	}
	if (question == CONFIG) {
		fputs(config, stdout);
		return EXTCAP_DONE;
	}
	if (question == CAPTURE && !values[FIFO]) {
		error_set(error, "--capture needs --fifo");
		return EXTCAP_FAILED;
	}
	if (filter && *filter) {
		/* Alone it is a question: any answer but silence means that it is no good. */
		error_set(error, "no capture filter here: use the fields of the interface");
		if (question == CAPTURE)
			return EXTCAP_FAILED;
		puts(error->text);
		return EXTCAP_DONE;
	}
	if (question != CAPTURE)
		return EXTCAP_DONE;
	return take_fifo(values[FIFO], error) ? EXTCAP_FAILED : EXTCAP_RECORD;
}

enum extcap extcap_arguments(int *argc, char **argv, struct error *error)
{
	static char write_option[] = "--write=-", live[] = "--live", quiet[] = "-q";
	const char *values[OPTIONS] = {0};
	int question = OPTIONS, used, kept = 1;
	enum extcap result;

	for (int i = 1; i < *argc; i += used) {
		const char *value = NULL;
		int option;

		used = 1;
		option = find_option(argv[i], argv[i + 1], &value, &used);
		if (option == OPTIONS)
			argv[kept++] = argv[i];
		else if (option < QUESTIONS)
			question = option;
		else
			values[option] = value;
	}
	if (question == OPTIONS && !values[INTERFACE_NAME])
		return EXTCAP_NO;
	result = answer(question, values, error);
	if (result != EXTCAP_RECORD)
		return result;
	/* Three at least were taken out: to capture, the interface, the FIFO. */
	argv[kept++] = write_option;
	argv[kept++] = live;
	argv[kept++] = quiet;
	argv[kept] = NULL;
	*argc = kept;
	return EXTCAP_RECORD;
}

bool extcap_stopped(void)
{
	struct pollfd reader = {.fd = STDOUT_FILENO};

	return poll(&reader, 1, 0) == 1 && reader.revents & POLLERR;
}
