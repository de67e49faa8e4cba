"""Bash completion of postern and posternctl, as bash calls it for a line that is being typed."""

import pathlib
import re
import shlex
import shutil

from lab.checks import Skip, check, equal, eventually, within
from lab.daemon import program
from lab.lab import SERVER_ADDR
from lab.servers import TcpServer, echo, receive_all

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "contrib/completion/postern"
# bash's own word breaks; what readline would do with the candidates is not looked at
COMPLETE = r"""
source "$1" || exit
[[ $(complete -p "$2") == "complete -F _$2 $2" ]] || exit
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:' COMP_LINE=$4 COMP_POINT=${#4}
"_$2" "$3"
((!${#COMPREPLY[@]})) || printf '%s\n' "${COMPREPLY[@]}" | sort -u
"""


def complete(lab, line, folder="/"):
    """What is offered at the end of the line, sorted."""
    if not shutil.which("bash"):
        raise Skip("there is no bash")
    name = line.split()[0]
    command = (f"cd {shlex.quote(str(folder))} && exec bash -uc {shlex.quote(COMPLETE)} complete "
               f"{SCRIPT} {name} {program(name)} {shlex.quote(line)}")
    return lab.host.run("sh", "-c", command).split("\n")[:-1]


def options_of(lab, *command):
    """The long options in a help text, found in another way than the completion's."""
    return sorted(set(re.findall(r"^ +(?:-., )? *(--[a-z0-9-]+)", lab.host.run(*command, "--help"), re.M)))


def test_options(lab):
    """Every option is offered, and those that begin as the word does."""
    options = options_of(lab, program("postern"))
    check(len(options) > 60, f"only {len(options)} options were found")
    equal(complete(lab, "postern --"), options, "the options")
    equal(complete(lab, "postern -q "), options, "the options behind another")
    equal(complete(lab, "postern --socket /x --no-dh"),
          ["--no-dhcp", "--no-dhcp-dns", "--no-dhcp-search", "--no-dhcpv6"], "the options")
    equal(complete(lab, "postern --no-such"), [], "the options")


def test_values(lab):
    """Words, interfaces, files and folders are offered where the option takes them, and only there."""
    for line in ("--sandbox ", "--sandbox=", "-q --sandbox "):
        equal(complete(lab, f"postern {line}"), ["auto", "none", "strict"], f"what {line} offers")
    equal(complete(lab, "postern --sandbox=st"), ["strict"], "the modes")
    equal(complete(lab, "postern --dns-filter-aaaa o"), ["off", "on"], "the words")
    for option in "-i ", "--interface=", "--outbound-if4 ", "--outbound-if6 ":
        equal(complete(lab, f"postern {option}"), ["lo", "uplink"], f"what {option} offers")
    equal(complete(lab, "postern -i up"), ["uplink"], "the interfaces")
    files = lab.folder / "files"
    (files / "sub").mkdir(parents=True)
    for name in "one.sock", "other.sock", "$(touch bad)":
        (files / name).touch()
    equal(complete(lab, "postern -s o", files), ["one.sock", "other.sock"], "the files")
    equal(complete(lab, "postern --control=", files), ["$(touch bad)", "one.sock", "other.sock", "sub"],
          "the files and folders")
    equal(complete(lab, f"postern -P {files}/s"), [f"{files}/sub"], "the folder")
    check(not (files / "bad").exists(), "the name of a file was run")
    for option in "--mtu ", "--address ", "--fd ", "--private=", "-t ":
        equal(complete(lab, f"postern {option}"), [], f"what {option} offers")


def test_commands(lab):
    """posternctl's commands, their further words, places and options are offered."""
    listed = lab.host.run(program("posternctl"), "--help").partition("commands:")[2]
    commands = sorted(set(re.findall(r"^  ([a-z]+)", listed, re.M)))
    check(len(commands) > 8, f"only {commands} were found")
    equal(complete(lab, "posternctl "), commands, "the commands")
    equal(complete(lab, "posternctl --json fl"), ["flow", "flows"], "the commands")
    equal(complete(lab, "posternctl -s /x forward "), ["add", "remove", "set"], "the words")
    equal(complete(lab, "posternctl --socket=/x flow c"), ["close"], "the words")
    equal(complete(lab, "posternctl forward add "), ["tcp", "udp"], "the protocols")
    equal(complete(lab, "posternctl flows --dir "), ["in", "out"], "the directions")
    equal(complete(lab, "posternctl flows --proto=u"), ["udp"], "the protocols")
    equal(complete(lab, "posternctl status "), [], "what comes behind a command without places")
    equal(complete(lab, "posternctl -s /ru"), ["/run"], "the path")
    for command in "flows", "forward remove", "flow close":
        common = options_of(lab, program("posternctl"))
        own = options_of(lab, program("posternctl"), *command.split())
        equal(complete(lab, f"posternctl {command} --"), sorted({*common, *own}), f"options of {command}")


def test_words_of_commands(lab):
    """Wherever posternctl takes one of some words, these are offered, with dashes before the option and
    without; of a list, those that are not there yet."""
    for line, offered in {
            "flows --sort r": ["rate", "rate_in", "rate_out"],
            "flows sort by": ["bytes", "bytes_in", "bytes_out"],
            "flows tcp --sort=i": ["id", "idle"],
            "flows --state e": ["established"],
            "flows udp state ": None,
            "flows --closed --reason p": ["peer-reset", "preempted"],
            "flows -": None,
            "flow close --how ": ["finish", "reset"],
            "flow close state s": ["syn-received", "syn-sent"],
            "flow close dir ": ["in", "out"],
            "log level ": ["debug", "info", "warning"],
            "top --sort t": ["total"],
            "top -n 5 sort ra": ["rate"],
            "capture file --dir ": ["from-guest", "to-guest"],
            "capture file proto a": ["arp"],
            "monitor FLOW_": ["FLOW_CLOSED", "FLOW_OPENED"],
            "monitor FLOW_OPENED,FLOW_": ["FLOW_OPENED,FLOW_CLOSED"],
            "monitor WARNING,SH": ["WARNING,SHUTDOWN"],
            "monitor --proto i": ["icmp"],
            "forward set ": ["tcp", "udp"],
            "config ": ["set"],
            "config set dns-filter-aaaa o": ["off", "on"],
            "config set no-dns-relay ": ["off", "on"],
            "config set udp-timeout ": [],
            "client ": ["disconnect"],
            "capture stop --": options_of(lab, program("posternctl"))}.items():
        found = complete(lab, f"posternctl {line}")
        check(found if offered is None else found == offered, f"'{line}' offers {found}, not {offered}")
    states = complete(lab, "posternctl flows --state ")
    check(len(states) == 14 and "assured" in states and "time-wait" in states, f"the states: {states}")
    files = lab.folder / "files"
    files.mkdir()
    (files / "some.pcapng").touch()
    equal(complete(lab, "posternctl capture s", files), ["some.pcapng", "stop"], "files, and another command")
    equal(complete(lab, "posternctl metrics --output s", files), ["some.pcapng"], "the files")


def test_running_daemon(lab):
    """Flows and forwards are those of the daemon that the line names."""
    daemon = lab.start("-t", "2222:22,2230-2239:30-39", "-t", "127.0.0.1/2223:23", "-u",
                       "[::1]/5353:[2001:db8::5]/53")
    server = TcpServer(lab, lab.server.tcp_listen(), echo)
    ctl = f"posternctl -s {daemon.control}"
    equal(complete(lab, f"{ctl} flow close "), [], "the flows before")
    with lab.guest.tcp_connect(SERVER_ADDR, server.port) as sock:
        sock.sendall(b"x")
        receive_all(sock, 1)
        ids = [str(flow["id"]) for flow in daemon.ctl_json("flows")]
        for place in "flow close ", "explain ", "capture file --flow ", "capture file flow ":
            equal(complete(lab, ctl + " " + place), sorted(ids), f"the flows that {place} offers")
    eventually(lambda: not daemon.ctl_json("flows"), 20, "the flow has ended")
    equal(complete(lab, f"{ctl} flow close "), [], "the flows afterwards")
    equal(complete(lab, f"{ctl} explain "), sorted(ids), "the flow that ended")
    equal(complete(lab, f"{ctl} forward remove --id "), ["1", "2", "3", "4"], "the forwards")
    specs = complete(lab, f"{ctl} forward remove tcp ")
    equal(specs, ["127.0.0.1/2223:23", "2222:22", "2230-2239:30-39"], "the forwards of TCP")
    for line in "forward set tcp ", "forward set tcp 127.0.0.1/2223:23 ":
        equal(complete(lab, f"{ctl} {line}"), specs, f"the forwards that {line} offers")
    # behind a colon, bash takes what follows for a word of its own
    equal(complete(lab, f"{ctl} forward remove tcp 2222:"), ["22"], "the rest of one")
    for proto, offered in ("tcp", specs), ("udp", complete(lab, f"{ctl} forward remove udp ")):
        for spec in offered:
            daemon.ctl("forward", "remove", proto, spec)
    equal(daemon.ctl_json("forwards"), [], "the forwards once all that was offered is removed")
    equal(complete(lab, f"{ctl} capture stop "), [], "the captures before")
    daemon.ctl("capture", str(lab.folder / "capture"))
    equal(complete(lab, f"{ctl} capture stop "), [str(daemon.ctl_json("captures")[0]["id"])], "the capture")


def test_settings(lab):
    """What is offered as a setting is an option of the daemon, and none that is known to be fixed."""
    daemon = lab.start("--hostname", "web")
    ctl = f"posternctl -s {daemon.control}"
    offered = complete(lab, f"{ctl} config set ")
    options = daemon.ctl_json("config")["options"]
    live = {option["option"] for option in options if option["live"]}
    fixed = {option["option"] for option in options if not option["live"]}
    check(len(live) > 10 and fixed, f"too few are known: {live}, {fixed}")
    equal(sorted(live - set(offered)), [], "what can be changed, and is not offered")
    equal(sorted(fixed & set(offered)), [], "what cannot be changed, and is offered")
    check({"hostname", "no-dns-relay"} <= set(offered), f"what has no default: {offered}")
    equal(complete(lab, "posternctl -s /nowhere config set "), [], "the settings without a daemon")


def test_no_daemon(lab):
    """Without a daemon, or with one that does not answer, nothing is offered, soon."""
    equal(complete(lab, "posternctl -s /nowhere flow close "), [], "the flows")
    with within(10, "waiting for a silent daemon"):
        silent = lab.folder / "silent"
        with lab.host.socket(family=1) as sock:
            sock.bind(str(silent))
            sock.listen(1)
            equal(complete(lab, f"posternctl -s {silent} flow close "), [], "the flows")
