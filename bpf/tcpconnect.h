/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs in the kernel and the recorder say to each other: the
 * samples in the ring buffer, the settings given before loading, the counters
 * and the wake-up request. The three backends share every one of them, so
 * user space does not care which one runs.
 *
 * Included by both sides. The includer has the fixed-size types __u8 .. __u64
 * (<linux/types.h>, or bpf/kernel.h). All fields are in host byte order but
 * the addresses, which are in network byte order.
 */
#ifndef TCPCONNECT_H
#define TCPCONNECT_H

#define SAMPLE_COMM_SIZE 16 /* TASK_COMM_LEN of the kernel */

enum sample_kind {
	SAMPLE_ATTEMPT = 1, /* struct sample_attempt: connect() was called */
	SAMPLE_SOURCE = 2,  /* struct sample_source: the rest of an attempt of the cgroup backend */
	SAMPLE_OUTCOME = 3, /* struct sample_outcome: how an attempt ended */
	SAMPLE_PROCESS = 4, /* struct sample_process: who makes the attempts that name it */
	SAMPLE_ANSWER = 5,  /* struct sample_answer: a DNS server said what addresses a name has */
};

/* Bits of sample_attempt.flags. */
#define SAMPLE_COMPLETE 1u    /* no sample_source follows */
#define SAMPLE_MAPPED 2u      /* an IPv4 destination asked for on an AF_INET6 socket */
#define SAMPLE_NONBLOCKING 4u /* the socket does not wait */
#define SAMPLE_SUBFLOW 8u     /* a further subflow of MPTCP: the ids are those of its owner */
#define SAMPLE_UNDECIDED 16u  /* a sample_outcome follows, unless it is lost */

/* The values of enum outcome in formats/event.h. */
enum sample_result {
	RESULT_PENDING = 0,
	RESULT_ESTABLISHED = 1,
	RESULT_FAILED = 2,
	RESULT_ABANDONED = 3,
};

struct sample_end {
	__u64 latency_ns;  /* from the call to the outcome */
	__u32 retransmits; /* of the SYN, plus 1; 0 unknown */
	__u16 error;       /* errno of the kernel; 0 unknown */
	__u8 result;       /* enum sample_result */
	__u8 reserved;
};

/*
 * One connection attempt. Addresses and ports that the hook cannot know are
 * zero. An IPv4 address occupies the first four bytes, the others are zero.
 */
struct sample_attempt {
	__u32 kind; /* SAMPLE_ATTEMPT */
	__u32 flags;
	__u64 time_ns;  /* CLOCK_BOOTTIME, at the call */
	__u64 id;       /* of the attempt; not used again within an hour */
	__u64 start_ns; /* of the process: CLOCK_BOOTTIME when it was made; 0 unknown */
	__u64 process;  /* id of the sample_process that came before; 0: none did */
	__u32 pid;      /* thread group id, in the initial namespace */
	__u32 tid;
	__u32 uid; /* real, in the initial namespace */
	__u32 gid;
	__u32 net_ns;   /* inode of the socket's network namespace; 0 unknown */
	__u16 returned; /* by the kernel's connect function: errno plus 1; 0 unknown */
	__u16 lport;    /* 0 unknown */
	__u16 dport;
	__u8 family; /* of the addresses: 4 or 6 */
	__u8 reserved[5];
	__u8 comm[SAMPLE_COMM_SIZE]; /* of the calling thread, NUL-terminated */
	__u8 saddr[16];              /* all zero: unknown */
	__u8 daddr[16];
	struct sample_end end; /* if it ended inside the call, or was held back until then */
};

/* What sockops learns after connect4 and connect6: joined by the id. */
struct sample_source {
	__u32 kind; /* SAMPLE_SOURCE */
	__u16 lport;
	__u8 reserved[2];
	__u64 id;
	__u64 start_ns, process; /* as in the attempt; 0: no tracepoint that could tell */
	__u32 net_ns;            /* the same */
	__u8 reserved2[4];
	__u8 saddr[16];
	__u8 daddr[16]; /* the one in use: connect() to 0.0.0.0 goes to a loopback address */
};

/* Sent once for each attempt that was undecided when its sample was sent. */
struct sample_outcome {
	__u32 kind; /* SAMPLE_OUTCOME */
	__u32 reserved;
	__u64 id;
	struct sample_end end;
};

/* What of a process may change from one attempt to the next. Zero: unknown. */
struct process_state {
	__u64 start_ns;        /* CLOCK_BOOTTIME when it was made */
	__u64 exec_id;         /* differs for each program that it executes */
	__u64 parent_start_ns; /* start_ns of the parent */
	__u64 cgroup;          /* id */
	__u32 ppid;            /* in the initial namespace, like all ids here */
	__u32 mount_ns;        /* inode */
	__u32 euid, egid;
	__u32 loginuid, audit_session; /* with PROCESS_AUDIT */
	__u32 flags;                   /* PROCESS_.. */
	__u32 reserved;
};

#define PROCESS_SAME_IMAGE                                                                         \
	1u /* executes what its parent executes: forked, and neither exec'd since */
#define PROCESS_AUDIT 2u

/* Bits of sample_process.text_flags. */
#define TEXT_UNLINKED 1u    /* exe is no more where its path leads */
#define TEXT_MEMORY 2u      /* exe never had a path: its name in parts[TEXT_EXE] */
#define TEXT_CUT 4u         /* arguments are only the beginning */
#define TEXT_ROOT_CGROUP 8u /* at the root of cgroup v2, where it has no name */

/*
 * A process in a state, sent once: the attempts that follow name it by its id,
 * until it is forgotten and sent again. The texts stand behind each other.
 */
enum process_text { TEXT_EXE, TEXT_ARGS, TEXT_CGROUP, TEXTS };

#define TEXT_MAX 4096 /* of each: PATH_MAX */

struct sample_process {
	__u32 kind; /* SAMPLE_PROCESS */
	__u32 pid;
	__u64 id;
	struct process_state state;
	__u32 pid_inside, pid_ns; /* in its own PID namespace, and the inode of that; 0: unknown */
	__u8 parent_comm[SAMPLE_COMM_SIZE]; /* of the thread that made it */
	__u32 text_flags;
	__u16 lengths[TEXTS]; /* 0: unknown */
	__u8 reserved[6];
	/*
	 * Paths are the names from the last one to the first, each with its NUL;
	 * arguments are the process's memory, as it was.
	 */
	__u8 text[];
};

/* A DNS message (RFC 1035) with answers, as it came. */
struct sample_answer {
	__u32 kind;    /* SAMPLE_ANSWER */
	__u32 length;  /* of the message; the sample may be longer */
	__u64 time_ns; /* CLOCK_BOOTTIME, when it came to a socket */
	__u8 message[];
};

#define ANSWER_USUAL 512 /* RFC 1035, 4.2.1: with longer ones there is room for the most */
#define ANSWER_MAX 4096  /* what servers send by EDNS (RFC 6891, 6.2.5) */

/* Once nothing is in flight, seen = submitted + filtered + lost. */
struct capture_counters {
	__u64 seen;      /* attempts that reached the hook */
	__u64 submitted; /* given to the recorder */
	__u64 filtered;  /* dropped by the user's filter */
	__u64 lost;      /* no room for the sample, or the kernel missed the return of the call */
	__u64 partial;   /* of those submitted: no room for the source, or for the outcome */
};

/* Bits of capture_settings.filters: which of the filters are in use, and negated. */
#define FILTER_PID 1u
#define FILTER_UID 2u
#define FILTER_PORT 4u
#define FILTER_PID_NOT 8u
#define FILTER_UID_NOT 16u
#define FILTER_PORT_NOT 32u
#define FILTER_CGROUP 64u /* the map filter_cgroups is the user's: ids of cgroups */
#define FILTER_FAMILY 256u
#define FILTER_MOUNT 128u /* filter_mounts: inodes of mount namespaces; needs BTF */

/* Read-only for the programs: the verifier removes the filters that are not used. */
struct capture_settings {
	__u32 filters;
	__u32 family;        /* with FILTER_FAMILY only this one: 4 or 6 */
	__u64 wakeup_bytes;  /* wake the reader when the ring holds this much */
	__u64 wakeup_places; /* .. or so many places are claimed */
	/* So many claimed, and there is no room: the rest is for who finds some at the same time.
	 */
	__u64 places_full;
	__u32 places_mask;  /* their number, a power of two, less 1 */
	__u32 failed_only;  /* keep what succeeds; only the backends that see each outcome */
	__u32 may_read;     /* helpers that read kernel memory are allowed (no lockdown) */
	__u32 outcome_hook; /* the tracepoint tells the outcomes */
	__u32 may_type;     /* cgroup: connect4 and connect6 may look at the task */
	__u32 mptcp;        /* cgroup: the helper is there that finds the connection of a subflow */
	__u32 describe;     /* send a sample_process */
	__u32 arguments;    /* with the arguments */
	__u32 can_preempt;  /* another task may get the CPU in the middle of a program */
	__u32 end_callback; /* cgroup: sockops tells the outcomes, with or without the tracepoint */
};

/* What the sleeping reader asks for; the program that wakes it resets it. */
enum wakeup_request {
	WAKEUP_NONE = 0,     /* it is reading, or will look again by its own timer */
	WAKEUP_AT_LEVEL = 1, /* wake at wakeup_bytes, or wakeup_places */
	WAKEUP_AT_NEXT = 2,  /* wake at the next sample */
};

/* A cache line for what the recorder writes, one for what the programs do, and the request. */
struct capture_control {
	__u64 taken __attribute__((aligned(64)));   /* places: they are free again */
	__u64 claimed __attribute__((aligned(64))); /* places, since the beginning */
	struct capture_counters counters;
	__u64 answers_lost;                        /* there was no room for the sample_answer */
	__u64 answers_lost_since;                  /* CLOCK_BOOTTIME of the first of them */
	__u32 wakeup __attribute__((aligned(64))); /* enum wakeup_request */
};

/*
 * Where a program puts a sample of fixed size, and the recorder takes it: a ring of
 * them beside the ring buffer, which costs the program ten times as much. A place
 * is claimed by its number, modulo their count. The kind is written last by the
 * program, and made 0 by the recorder before the place is free.
 */
union sample_place {
	__u32 kind;
	struct sample_attempt attempt;
	struct sample_source source;
	struct sample_outcome outcome;
};

/* What the backends fentry and kprobe keep of an attempt under way, by its
 * socket: see key_of(). */
struct open_attempt {
	__u64 id; /* 0: the call has not returned yet */
	__u64 start_ns;
};

/* How the slots of the backends fentry and cgroup begin. */
struct open_slot_head {
	__u64 key; /* 0: free */
	struct open_attempt attempt;
};

/* What kprobe keeps of a call from its entry to its return. */
struct open_call {
	__u64 entered_ns;
	__u64 sk;       /* struct sock */
	__u32 daddr[4]; /* as asked for */
	__u16 dport;    /* host byte order */
	__u16 refusal;  /* of the function that runs programs of cgroups before the other */
	__u16 reserved[2];
};

/* tcp_v6_connect calls tcp_v4_connect for a mapped address: both can be open in a thread. */
struct open_call_key {
	__u32 tid;
	__u32 family;
};

#define PORT_BITMAP_WORDS (65536 / 64)
#define DESCRIBED_MAX 4096 /* processes that the kernel side remembers as sent */
#define OPEN_MAX 65536     /* attempts under way that can be followed to their outcome */

/* Places of attempts under way: a power of two, enough for those of a busy host. */
#ifndef OPEN_SLOTS
#define OPEN_SLOTS 8192
#endif

#ifndef __bpf__
_Static_assert(sizeof(struct sample_attempt) == 136, "layout shared with the kernel side");
_Static_assert(sizeof(struct sample_source) == 72, "layout shared with the kernel side");
_Static_assert(sizeof(struct open_call) == 40, "layout shared with the kernel side");
_Static_assert(sizeof(struct sample_outcome) == 32, "layout shared with the kernel side");
_Static_assert(sizeof(struct process_state) == 64, "layout shared with the kernel side");
_Static_assert(sizeof(struct sample_process) == 120, "layout shared with the kernel side");
_Static_assert(sizeof(struct sample_answer) == 16, "layout shared with the kernel side");
#endif

#endif
