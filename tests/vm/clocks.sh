# Runs in a guest (tests/vm/guest), as root: the wall clock is set forward and back by hours, and
# the machine suspended, while a recorder rotates by time. Leaves in /out what tests/vm/clocks.py
# checks: the files, a log of each load, and how the clocks stood.
set -u

boot() {
	cut -d ' ' -f 1 /proc/uptime
}

clocks() { # NAME: a full second of the wall clock, and two times of the boot clock around it
	second=$(date +%s)
	now=$second next=$(boot)
	while [ "$now" = "$second" ]; do
		from=$next next=$(boot)
		now=$(date +%s)
	done
	echo "$1 $from $(boot) $now" >>/out/clocks
}

step() { # NAME SECONDS: sets the wall clock so much forward, and notes when
	from=$(boot)
	date -s "@$(($(date +%s) + $2))" >/dev/null
	echo "$1 $from $(boot)" >>/out/steps
}

load() { # NAME
	connects -n 300 -u 1001 -m v4,v6,closed4 -r 50 -o "/out/$1.csv"
}

wait_for() { # FILES: until there are so many; not for as long as a timer that was not told takes
	limit=$(($(cut -d . -f 1 /proc/uptime) + 20))
	until [ "$(ls /out/files | wc -l)" -ge "$1" ]; do
		[ "$(cut -d . -f 1 /proc/uptime)" -lt "$limit" ] || echo "no file $1" >>/out/late
		[ ! -e /out/late ] || return
		sleep 0.2
	done
}

begin() { # NAME
	tcpconnect-rec -u 1001 -G 3600 -w /out/files/out.pcapng 2>"/out/$1.stderr" &
	recorder=$!
	until ls /out/files | grep -q part; do
		sleep 0.1
	done
}

finish() { # NAME
	kill "$recorder"
	wait "$recorder"
	echo $? >"/out/$1.status"
}

mkdir /out/files
date -s '2026-11-24 12:10:00' >/dev/null
begin first
clocks start
load forward &
sleep 3
step forward 7200
wait $!
clocks forward
wait_for 2
load back &
sleep 3
step back -18000
wait $!
clocks back
wait_for 3

# The next hour begins while it sleeps: the monotonic clock, by which one waits, stands still then.
to_hour=$((3600 - $(date +%s) % 3600))
step hour $((to_hour - 40))
clocks hour
grep -m 1 '^now at' /proc/timer_list >/out/monotonic
boot >>/out/monotonic
echo +45 >/sys/class/rtc/rtc0/wakealarm
echo mem >/sys/power/state
grep -m 1 '^now at' /proc/timer_list >>/out/monotonic
boot >>/out/monotonic
wait_for 4
clocks resumed
load resumed
finish first

step yesterday -86400
clocks yesterday
begin second
load yesterday
finish second
ls -a /out/files >/out/names
