# How the golden cases run; for tests/golden/run and tests/golden/regenerate, which set golden
# (the directory), program (the tcpconnect-read to run) and perhaps threads (how many it starts).
export TZ=UTC LC_ALL=C
set -o pipefail

tcpconnect-read() {
	"$program" ${threads:+--threads $threads} "$@"
}

list_cases() { # a line each: NAME STATUS COMMAND
	grep -v -e '^#' -e '^$' "$golden/cases"
}

run_case() { # COMMAND FILE: to FILE.out and FILE.err; returns the status
	(cd "$golden/traces" && eval "$1") >"$2.out" 2>"$2.err" </dev/null
}
