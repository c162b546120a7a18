# The network that tests/live/attempts wants, made in a network namespace of its own (or a guest):
# sourced by sh there, as root; $ip is the ip(8) of iproute2. 198.51.100.2 never answers, 198.51.100.3 does not exist.
ip=${ip:-ip}
$ip link set lo up
$ip -6 addr add fe80::1/64 dev lo
$ip link add near type veth peer name far
$ip link set near up
$ip link set far up
$ip addr add 198.51.100.1/24 dev near
$ip neigh add 198.51.100.2 lladdr 02:00:00:00:00:02 dev near nud permanent
$ip route add unreachable 203.0.113.0/25
$ip route add prohibit 203.0.113.128/25
$ip mptcp limits set subflow 2 add_addr_accepted 2 2>/dev/null &&
	$ip mptcp endpoint add 127.0.0.2 dev lo subflow 2>/dev/null
# One more SYN, then ETIMEDOUT, after 3 s; addresses that do not exist are told after a second.
echo 1 >/proc/sys/net/ipv4/tcp_syn_retries
echo 3 >/proc/sys/net/ipv4/tcp_fastopen
echo 1 >/proc/sys/net/ipv4/neigh/near/mcast_solicit
# What is beyond 198.51.100.4 tests/live/timed answers itself.
$ip neigh add 198.51.100.4 lladdr 02:00:00:00:00:04 dev near nud permanent
$ip route add 198.18.0.0/24 via 198.51.100.4 dev near
