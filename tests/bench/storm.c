/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recorder costs, seen from a program that connects: makes connects on
 * loopback and measures them, or looks at the recorder. Static: it runs in
 * guests too, where a nanosecond of the clock is an instruction.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull
#define PAUSE_NS NS_PER_MS /* between two connects: the recorder goes to sleep */
#define CONNECTS_MAX 1000000
#define THREADS_MAX 64
#define CLOSED_PORT 9 /* nobody listens there */
#define FIRST_PORT 20000
#define START_S 60
#define SETTLE_S 3

static const char usage[] =
	"storm one accepted|refused N    N connects, each alone: median ns of connect(), and of\n"
	"                                socket() to close(); this program goes before all others\n"
	"storm many accepted|refused N   N connects, one behind the other: ns of all\n"
	"storm rate SECONDS THREADS      connects that are accepted, as many as go: per second\n"
	"storm start COMMAND ..          ms from the start of a program that prints connects to "
	"the\n"
	"                                first one that it sees; their port stands last in a line\n"
	"storm cpu PID                   ns on a CPU of all threads\n"
	"storm sleeps PID SECONDS        how often its threads went to sleep meanwhile\n"
	"storm memory PID                kB resident, without what is mapped of BPF maps\n";

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "storm: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void pause_ns(uint64_t ns)
{
	struct timespec t = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

	nanosleep(&t, NULL);
}

static uint64_t number(const char *text, uint64_t most)
{
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (*end || *text < '0' || *text > '9' || !value || value > most) {
		fprintf(stderr, "storm: '%s' is not a number from 1 to %" PRIu64 "\n", text, most);
		exit(1);
	}
	return value;
}

/* Each thread has a listener of its own, and closes what it has accepted. */
struct client {
	struct sockaddr_in to;
	int listener; /* -1: nobody listens */
	uint64_t connects;
	const volatile bool *over;
	pthread_t thread;
};

static void open_client(struct client *c, bool accepted)
{
	socklen_t length = sizeof c->to;

	*c = (struct client){
		.to = {.sin_family = AF_INET, .sin_port = htons(CLOSED_PORT)}, .listener = -1};
	c->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!accepted)
		return;
	c->to.sin_port = 0;
	c->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&c->to, sizeof c->to) ||
		listen(c->listener, 16) ||
		getsockname(c->listener, (struct sockaddr *)&c->to, &length))
		die("listen");
}

struct cost {
	uint64_t connect_ns, all_ns;
};

/* Both ends are reset, so that no port stays in use. */
static void connect_once(const struct client *c, struct cost *cost)
{
	static const struct linger reset = {.l_onoff = 1};
	uint64_t begin = now_ns(), called, returned;
	int fd = socket(AF_INET, SOCK_STREAM, 0), status;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	called = now_ns();
	status = connect(fd, (const struct sockaddr *)&c->to, sizeof c->to);
	returned = now_ns();
	if (status ? errno != ECONNREFUSED || c->listener >= 0 : c->listener < 0)
		die("connect");
	close(fd);
	cost->connect_ns = returned - called;
	cost->all_ns = now_ns() - begin;
	if (c->listener >= 0)
		close(accept(c->listener, NULL, NULL));
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t median(uint64_t *values, size_t count)
{
	qsort(values, count, sizeof *values, by_value);
	return values[count / 2];
}

static void go_first(void)
{
	const struct sched_param first = {.sched_priority = sched_get_priority_max(SCHED_FIFO)};

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		die("real time");
}

/* What the clock itself takes, and ticks, stay out: it is the same each time, and a median. */
static void one(bool accepted, size_t count)
{
	uint64_t *connects = calloc(count, sizeof *connects), *all = calloc(count, sizeof *all);
	struct client client;
	struct cost cost;

	if (!connects || !all)
		die("memory");
	go_first();
	open_client(&client, accepted);
	for (size_t i = 0; i < count; i++) {
		pause_ns(PAUSE_NS);
		connect_once(&client, &cost);
		connects[i] = cost.connect_ns;
		all[i] = cost.all_ns;
	}
	printf("%" PRIu64 " %" PRIu64 "\n", median(connects, count), median(all, count));
}

static void many(bool accepted, size_t count)
{
	struct client client;
	struct cost cost;
	uint64_t begin;

	open_client(&client, accepted);
	begin = now_ns();
	for (size_t i = 0; i < count; i++)
		connect_once(&client, &cost);
	printf("%" PRIu64 "\n", now_ns() - begin);
}

static void *run_client(void *context)
{
	struct client *c = context;
	struct cost cost;

	while (!*c->over) {
		connect_once(c, &cost);
		c->connects++;
	}
	return NULL;
}

static void rate(uint64_t seconds, size_t threads)
{
	struct client clients[THREADS_MAX];
	volatile bool over = false;
	uint64_t connects = 0, begin;

	for (size_t i = 0; i < threads; i++) {
		open_client(&clients[i], true);
		clients[i].over = &over;
	}
	begin = now_ns();
	for (size_t i = 0; i < threads; i++)
		if ((errno = pthread_create(&clients[i].thread, NULL, run_client, &clients[i])))
			die("thread");
	pause_ns(seconds * NS_PER_S);
	over = true;
	for (size_t i = 0; i < threads; i++) {
		pthread_join(clients[i].thread, NULL);
		connects += clients[i].connects;
	}
	printf("%.0f %" PRIu64 "\n",
		(double)connects * (double)NS_PER_S / (double)(now_ns() - begin), connects);
}

/* The number at the end of the line if it is one of our ports, else 0. */
static uint64_t port_in(const char *line, uint64_t last)
{
	const char *end = line + strcspn(line, "\n"), *begin;
	uint64_t port;

	while (end > line && end[-1] == ' ')
		end--;
	for (begin = end; begin > line && begin[-1] >= '0' && begin[-1] <= '9';)
		begin--;
	port = strtoull(begin, NULL, 10);
	return *end && port >= FIRST_PORT && port <= last ? port : 0;
}

/* Whole lines only: a part of a number would be another one. Returns the first port, or 0. */
static uint64_t first_port(const char *text, uint64_t last)
{
	uint64_t port = 0;

	for (const char *line = text; !port && strchr(line, '\n'); line = strchr(line, '\n') + 1)
		port = port_in(line, last);
	return port;
}

/* The end of the child is all that is needed of its output, which may be held back. */
static void start(char **command)
{
	static char text[1 << 20];
	static uint64_t at_ns[65536];
	uint64_t begin = now_ns(), port = FIRST_PORT, seen = 0;
	struct client client;
	struct pollfd out;
	struct cost cost;
	size_t length = 0;
	int ends[2];
	pid_t pid;

	open_client(&client, false);
	if (pipe(ends) || (pid = fork()) < 0)
		die("fork");
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		execvp(command[0], command);
		die(command[0]);
	}
	close(ends[1]);
	out = (struct pollfd){.fd = ends[0], .events = POLLIN};
	while (!seen && now_ns() - begin < START_S * NS_PER_S && port < 65536) {
		client.to.sin_port = htons((uint16_t)port);
		at_ns[port] = now_ns();
		connect_once(&client, &cost);
		pause_ns(PAUSE_NS);
		while (poll(&out, 1, 0) == 1 && length < sizeof text - 1) {
			ssize_t n = read(ends[0], text + length, sizeof text - 1 - length);

			if (n <= 0) {
				errno = 0;
				die("the program ended");
			}
			length += (size_t)n;
		}
		seen = first_port(text, port++);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!seen) {
		errno = 0;
		die("no connect was seen");
	}
	printf("%.0f\n", (double)(at_ns[seen] - begin) / (double)NS_PER_MS);
}

/* The sum over all threads of what find() finds in that file of each. */
static uint64_t sum_threads(const char *pid, const char *file, uint64_t (*find)(const char *text))
{
	char path[512], text[4096];
	uint64_t sum = 0;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%s/task", pid);
	tasks = opendir(path);
	if (!tasks)
		die(path);
	for (struct dirent *d; (d = readdir(tasks));) {
		ssize_t length;
		int fd;

		if (*d->d_name == '.')
			continue;
		snprintf(path, sizeof path, "/proc/%s/task/%s/%s", pid, d->d_name, file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
		if (length > 0) {
			text[length] = '\0';
			sum += find(text);
		}
		if (fd >= 0)
			close(fd);
	}
	closedir(tasks);
	return sum;
}

static uint64_t first_number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static uint64_t voluntary(const char *text)
{
	const char *found = strstr(text, "\nvoluntary_ctxt_switches:");

	return found ? strtoull(strchr(found, ':') + 1, NULL, 10) : 0;
}

/* A recorder that follows what is executed has seen this program begin: that is waited for. */
static void sleeps(const char *pid, uint64_t seconds)
{
	uint64_t before;

	pause_ns(SETTLE_S * NS_PER_S);
	before = sum_threads(pid, "status", voluntary);
	pause_ns(seconds * NS_PER_S);
	printf("%" PRIu64 "\n", sum_threads(pid, "status", voluntary) - before);
}

static void memory(const char *pid)
{
	char path[64], line[512];
	bool of_map = false;
	long sum = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%s/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof line, file)) {
		if (strchr(line, '-') && !strstr(line, "kB"))
			of_map = strstr(line, "bpf-map") || strstr(line, "[perf_event]");
		if (!of_map && !strncmp(line, "Rss:", 4))
			sum += strtol(line + 4, NULL, 10);
	}
	fclose(file);
	printf("%ld\n", sum);
}

static bool is_accepted(const char *word)
{
	if (!strcmp(word, "accepted") || !strcmp(word, "refused"))
		return *word == 'a';
	fprintf(stderr, "storm: '%s' is neither accepted nor refused\n", word);
	exit(1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "one") && argc == 4)
		one(is_accepted(argv[2]), number(argv[3], CONNECTS_MAX));
	else if (!strcmp(what, "many") && argc == 4)
		many(is_accepted(argv[2]), number(argv[3], CONNECTS_MAX));
	else if (!strcmp(what, "rate") && argc == 4)
		rate(number(argv[2], 86400), number(argv[3], THREADS_MAX));
	else if (!strcmp(what, "start") && argc > 2)
		start(argv + 2);
	else if (!strcmp(what, "cpu") && argc == 3)
		printf("%" PRIu64 "\n", sum_threads(argv[2], "schedstat", first_number));
	else if (!strcmp(what, "sleeps") && argc == 4)
		sleeps(argv[2], number(argv[3], 86400));
	else if (!strcmp(what, "memory") && argc == 3)
		memory(argv[2]);
	else {
		fputs(usage, stderr);
		return 1;
	}
	return 0;
}
