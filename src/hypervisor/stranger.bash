# Tells that a guest is none of ours without starting Node, which takes longer than all else that a hook does for it:
#   stranger.bash SHORTCUT CONFIG GUEST OPERATION SUBOPERATION [EXTRA]
# with the domain's XML on stdin. Ends with 0 where nothing is to be done, and has said so; with anything else where it
# is not certain of that: Node then decides. What it has taken from stdin is then on stdout.
# It is certain where the file CONFIG is, byte by byte, the one that Node read when it wrote SHORTCUT, and NATS answers
# both questions of vm-known.ts with "no message found".
export LC_ALL=C
shortcut=$1 config=$2 guest=$3 call="$4 $5 ${6:--}"
((BASH_VERSINFO[0] >= 5)) && [[ -O $shortcut ]] || exit 1
# From the environment Node would take options.
for name in ${!FOREWARM_@}; do [[ $name == FOREWARM_CONFIG ]] || exit 1; done
{
  IFS= read -r version && IFS= read -r host && IFS= read -r port && IFS= read -r hello &&
    IFS= read -r routes && IFS= read -r profiles && IFS= read -r guests && IFS= read -r state &&
    IFS= read -r log_file || exit 1
  IFS= read -r -d '' known
} <"$shortcut" 2>/dev/null
IFS= read -r -d '' now <"$config" 2>/dev/null
[[ $version == 1 && -n $now && $now == "$known" ]] || exit 1

case $call in
  "migrate begin "* | "release end migrated") ;;
  # A guest that ended here concerns only a migration that this host's hook has noted.
  "stopped end "* | "release end "*)
    shopt -s nullglob
    notes=("$state"/libvirt-*.json)
    ((${#notes[@]} == 0)) && exit 0
    exit 1
    ;;
  *) exit 1 ;;
esac
[[ $guest =~ ^[A-Za-z0-9_-]{1,64}$ && $guests != *" $guest "* ]] || exit 1

# Prints `unknown` where NATS has nothing of that VM.
ask() {
  local line word subject rest body at stream all seen=' ' inbox="_INBOX.$$$RANDOM$RANDOM$RANDOM$RANDOM"
  exec 5<>"/dev/tcp/$host/$port" || return
  IFS= read -r line <&5
  [[ $line == INFO* && ! $line =~ \"tls_required\"[[:space:]]*:[[:space:]]*true ]] || return
  all="$hello"$'\r\n'"SUB $inbox.* 1"$'\r\n'
  at=0
  for subject in "\$KV.$routes.$guest" "\$KV.$profiles.*.$guest"; do
    stream=$routes
    ((at == 1)) && stream=$profiles
    body="{\"last_by_subj\":\"$subject\"}"
    all+="PUB \$JS.API.STREAM.MSG.GET.KV_$stream $inbox.$at ${#body}"$'\r\n'"$body"$'\r\n'
    at=1
  done
  # In one piece: bash itself sends each line alone, and TCP would wait 40 ms between them for an acknowledgement.
  cat <<<"${all%$'\n'}" >&5
  while IFS= read -r line <&5; do
    line=${line%$'\r'}
    read -r word subject rest <<<"$line"
    case $word in
      PING) printf 'PONG\r\n' >&5 ;;
      PONG | +OK | INFO) ;;
      MSG)
        IFS= read -r body <&5
        [[ $body == *'"error":{"code":404,"err_code":10037,'* && $body != *'"message":'* ]] || return
        seen+="${subject#"$inbox".} "
        [[ $seen == *' 0 '* && $seen == *' 1 '* ]] && echo unknown && return
        ;;
      *) return ;;
    esac
  done
}

exec {answer}< <(ask 2>/dev/null </dev/null)
asking=$!
IFS= read -r -t 1 -u "$answer" verdict || verdict=
kill "$asking" 2>/dev/null
[[ $verdict == unknown ]] || exit 1

# The domain may have another name for us in its metadata.
xml=$(exec timeout 2 cat 2>/dev/null) 2>/dev/null
if [[ $xml == *urn:forewarm* ]]; then
  printf '%s' "$xml"
  exit 1
fi
[[ $call == "migrate begin "* ]] || exit 0
line="guest $guest is none of ours: no route and no profile of $guest is known"
printf 'forewarm: %s\n' "$line" >&2
at=$EPOCHREALTIME
if [[ -n $log_file ]]; then
  TZ=UTC printf -v stamp '%(%Y-%m-%dT%H:%M:%S)T' "${at%[.,]*}"
  at=${at#*[.,]}
  { printf '%s.%sZ %s\n' "$stamp" "${at:0:3}" "$line" >>"$log_file"; } 2>/dev/null && exit 0
fi
logger -t forewarm -- "$line" </dev/null >/dev/null 2>&1 &
exit 0
