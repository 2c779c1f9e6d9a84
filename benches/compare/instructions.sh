#!/bin/sh
# Instructions in user space for a request through our gateway, counted by callgrind: what no other load of the machine changes.
#
#     benches/compare/instructions.sh target/release/examples/contestant metrics
#     benches/compare/instructions.sh target/release/examples/contestant 'sampled(0.1)'
#
# The gateway runs under valgrind, requests come from wrk over sixteen kept connections. Counting begins after a second. Needs wrk and valgrind on the PATH.
set -eu
program=$1 level=$2
out=$(mktemp -d)
cleanup() {
    kill "$gateway" "$upstream" 2>/dev/null || true
    rm -rf "$out"
}
trap cleanup EXIT INT TERM

# A program of ours prints its address, and ends with its standard input.
address() {
    until [ -s "$1" ]; do sleep 0.1; done
    cat "$1"
}
mkfifo "$out/stdin"
sleep 60 >"$out/stdin" &
"$program" upstream <"$out/stdin" >"$out/upstream" &
upstream=$!
valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" \
    "$program" gateway --upstream "$(address "$out/upstream")" --level "$level" <"$out/stdin" >"$out/gateway" 2>"$out/log" &
gateway=$!
url=http://$(address "$out/gateway")/v1/photos/7

wrk -t1 -c16 -d1s "$url" >/dev/null
callgrind_control --zero "$gateway" >/dev/null 2>&1
requests=$(wrk -t1 -c16 -d5s "$url" | sed -n 's/^ *\([0-9]*\) requests in.*/\1/p')
callgrind_control --dump "$gateway" >/dev/null 2>&1
until [ -s "$out/callgrind.1" ]; do sleep 0.1; done
instructions=$(sed -n 's/^\(summary\|totals\): *\([0-9]*\).*/\2/p' "$out/callgrind.1" | tail -n 1)
echo "$level: $((instructions / requests)) instructions a request, of $requests requests"
