#!/bin/bash
# Whether the Jibri of this machine could record: a headless Chrome starts, and Jibri is connected to its XMPP server.
#
# Exit codes: 0 it could; 1 it could not; 126 it can't be said, since the XMPP server answers nobody: that is no fault of this
# machine, and replacing it would not help.
#
#   JIBRI_USER    whom Jibri runs as                               jibri
#   CHROME        the browser                                      google-chrome
#   CHROME_FLAGS  further flags for it, such as --no-sandbox
#   XMPP_PORT     the client port of the XMPP server               5222
#   XMPP_HOST     the XMPP server, to see whether it answers
#   PROC_NET      tables of connections; those of a container      /proc/net
#                 are in /proc/<process id of Jibri>/net
set -uo pipefail

user=${JIBRI_USER:-jibri}
chrome=${CHROME:-google-chrome}
port=${XMPP_PORT:-5222}
net=${PROC_NET:-/proc/net}

uid=$(id -u "$user") || exit 126

if [ "$(id -u)" = "$uid" ]; then as=(); else as=(runuser -u "$user" --); fi
profile=$("${as[@]}" mktemp -d) || exit 126
trap 'rm -rf "$profile"' EXIT
# shellcheck disable=SC2086 # several flags are several words
page=$("${as[@]}" timeout --kill-after=2 20 "$chrome" ${CHROME_FLAGS:-} --headless --disable-gpu --no-first-run \
    --user-data-dir="$profile" --dump-dom 'data:text/html,<p>alive</p>' 2>/dev/null)
code=$?
if [[ $page != *alive* ]]; then
    echo "headless $chrome shows no page (exit code $code)"
    exit 1
fi

# Fields of these tables: 3 the remote address and port in hexadecimal, 4 the state (01 is connected), 8 the user.
connected() {
    awk -v port=":$(printf '%04X' "$port")" -v uid="$uid" \
        '$4 == "01" && $8 == uid && substr($3, length($3) - 4) == port { found = 1 } END { exit !found }' \
        "$net/tcp" "$net/tcp6" 2>/dev/null
}

# Jibri connects anew by itself when a connection has broken.
for _ in {1..10}; do
    connected && exit 0
    sleep "${PAUSE:-3}"
done
if [ -n "${XMPP_HOST:-}" ] && ! timeout 5 bash -c ': <>"/dev/tcp/$0/$1"' "$XMPP_HOST" "$port" 2>/dev/null; then
    echo "no connection of $user to port $port, and $XMPP_HOST answers nobody"
    exit 126
fi
echo "no connection of $user to an XMPP server at port $port"
exit 1
