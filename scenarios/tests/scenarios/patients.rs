//! Targets that behave badly, and what is seen inside of foreign ones: each ends its run with the right outcome, and leaves no
//! process behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use watertight::exit::Exit;
use watertight::report::CaseReport;
use watertight::runner::{Options, Selection, Stop, WorldLibrary, play_one, select};
use watertight_scenarios::S7World;

use crate::targets::Test;

/// A scenario with another target, another fault and other expectations.
const SCENARIO: &str = "
version: 1
name: patient
about: A target that behaves badly.
engines: [process]
seed: 7
target: TARGET
world:
  clients: { tcp_client: { every: 200ms, stay: 5, retry: 200ms, talk: [{ send: PING, answer: [PONG] }] } }
cycles: { warm_up: 2, count: 10, wall: { warm_up: 2, count: 10, pace: 20 } }
cycle:
  - name: disturb
    for: 4s
    faults:
      - FAULT
  - { name: settle, within: 20s, until: UNTIL, watch: 2s }
";

/// What all of these are written in, and what installs it.
pub const PROGRAM: &str = "python3";
pub const NEEDS: &str = "python3 is not on this machine: `apt-get install python3`, or `ci/setup.sh`";

/// A service of lines in Python, and what it does beside that in a function `misbehave(count)`, called for each connection.
const SERVICE: &str = r#"
import os, resource, signal, socketserver, sys, threading, time
def misbehave(count): pass
MISBEHAVIOUR
connections = 0
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        global connections
        connections += 1
        misbehave(connections)
        for line in self.rfile:
            self.wfile.write(b"PONG\n")
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    if sys.argv[1] == "0": print(server.server_address[1], flush=True)
    server.serve_forever()
"#;

/// Each with its name.
pub const ALL: [(&str, Test); 12] = [
    ("one_that_forks", one_that_forks),
    ("one_whose_children_run_away", one_whose_children_run_away),
    ("one_that_ignores_sigterm", one_that_ignores_sigterm),
    ("one_that_fills_the_disk", one_that_fills_the_disk),
    ("one_that_is_killed_from_outside", one_that_is_killed_from_outside),
    ("one_that_kills_the_run", one_that_kills_the_run),
    ("one_that_closes_its_output", one_that_closes_its_output),
    ("one_that_prints_endlessly", one_that_prints_endlessly),
    ("one_that_keeps_descriptors", one_that_keeps_descriptors),
    ("one_that_keeps_memory_alone", one_that_keeps_memory_alone),
    ("a_process_that_runs_already", a_process_that_runs_already),
    ("figures_that_are_not_there", figures_that_are_not_there),
];

fn one_that_forks() -> Result<(), String> {
    // A child for each of the first three connections; they end with the run.
    let forks = "def misbehave(count):\n    if count <= 3 and os.fork() == 0:\n        time.sleep(1000)\n";
    let report = Patient::new(forks).play()?;
    is(&report, Exit::Clean, "")?;
    says(&report, "the target had up to 4 processes at once")?;
    nobody_is_left()
}

fn one_whose_children_run_away() -> Result<(), String> {
    // In a session of its own, with a parent that has ended: no signal to the group reaches it.
    let daemon = "def misbehave(count):\n    if count == 1 and os.fork() == 0:\n        os.setsid()\n        \
                  if os.fork() == 0: time.sleep(1000)\n        os._exit(0)\n";
    let report = Patient::new(daemon).play()?;
    is(&report, Exit::Clean, "")?;
    says(&report, "processes that outlived the programs which started them: 1, all killed")?;
    nobody_is_left()
}

fn one_that_ignores_sigterm() -> Result<(), String> {
    let deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n";
    let report = Patient { fault: "kill: { within: 2s, at: 1s }", ..Patient::new(deaf) }.play()?;
    is(&report, Exit::Inconclusive, "target did not end within 2s of SIGTERM and was killed")?;
    nobody_is_left()
}

fn one_that_fills_the_disk() -> Result<(), String> {
    // As a full disk does, a limit of its files' size ends its writing; the cycles before that are kept.
    let fills = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n\
                 resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n\
                 log = open(sys.argv[2] + '/log', 'wb', buffering=0)\n\
                 def misbehave(count):\n    try: log.write(b'x' * 20000)\n    except OSError as error:\n        \
                 print(error, flush=True); os._exit(7)\n";
    let report = Patient::new(fills).play()?;
    is(&report, Exit::Inconclusive, "the target ended by itself: target ended with exit status: 7")?;
    is(&report, Exit::Inconclusive, "File too large")?;
    match report.timeline.cycles.len() {
        0 => Err("no cycle was kept".to_owned()),
        _ => nobody_is_left(),
    }
}

fn one_that_is_killed_from_outside() -> Result<(), String> {
    let killed = "def misbehave(count):\n    if count == 8: os.kill(os.getpid(), signal.SIGKILL)\n";
    let report = Patient::new(killed).play()?;
    is(&report, Exit::Inconclusive, "the target ended by itself: target ended with signal: 9 (SIGKILL)")?;
    // Whether the kernel counted a kill meanwhile is another matter.
    let memory = ["for want of memory", "out-of-memory killer", "not told here"];
    match memory.iter().any(|words| report.headline.contains(words)) {
        true => nobody_is_left(),
        false => Err(format!("nothing is said of memory: {}", report.headline)),
    }
}

fn one_that_kills_the_run() -> Result<(), String> {
    // Its parent is the run: nobody is there any more to end in order what has left its group, nor to remove its folder.
    let kills = "def misbehave(count):\n    if count != 3: return\n    if os.fork() == 0:\n        \
                 os.setsid(); time.sleep(1000)\n    os.rmdir(sys.argv[2])\n    os.kill(os.getppid(), signal.SIGKILL)\n";
    let report = Patient::new(kills).play()?;
    match report.exit {
        Exit::Clean => Err(format!("expected no result, found: {}", report.headline)),
        _ => nobody_is_left(),
    }
}

fn one_that_closes_its_output() -> Result<(), String> {
    is(&Patient::new("os.close(1); os.close(2)\n").play()?, Exit::Clean, "")
}

fn one_that_prints_endlessly() -> Result<(), String> {
    let prints = "def shout():\n    while True:\n        os.write(1, b'\\xff' * 100000 + b'\\n' * 1000); time.sleep(0.001)\n\
                  threading.Thread(target=shout, daemon=True).start()\n";
    is(&Patient::new(prints).play()?, Exit::Clean, "")
}

fn one_that_keeps_descriptors() -> Result<(), String> {
    let keeps = "kept = []\ndef misbehave(count): kept.append(open('/dev/null'))\n";
    let report = Patient::new(keeps).play()?;
    is(&report, Exit::Leak, "fds")?;
    match report.findings.iter().any(|finding| finding.site.contains("/dev/null")) {
        true => Ok(()),
        false => Err(format!("expected /dev/null among {:?}", report.findings)),
    }
}

fn one_that_keeps_memory_alone() -> Result<(), String> {
    let keeps = "kept = []\ndef misbehave(count): kept.append(bytearray(os.urandom(1 << 18)))\n";
    let report = Patient::new(keeps).play()?;
    says(&report, "tasks, heap: not measured: the target has no probe")?;
    match report.exit {
        Exit::Leak => Err(format!("RSS alone decides nothing: {}", report.headline)),
        _ => Ok(()),
    }
}

fn a_process_that_runs_already() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = folder.path().join("service.py");
    std::fs::write(&script, SERVICE.replace("MISBEHAVIOUR", "")).map_err(|error| error.to_string())?;
    let mut service = Service(python(&script)?);
    let target = format!("{{ pid: {}, listens: '127.0.0.1:{}' }}", service.0.id(), port_of(&mut service.0)?);
    let report = play(&target, "reset: { link: clients }", "{ processes: 1 }")?;
    is(&report, Exit::Clean, "")?;
    match service.0.try_wait() {
        Ok(None) => Ok(()),
        ended => Err(format!("it must be left alone, and has ended: {ended:?}")),
    }
}

/// Metrics that a scenario names and a target does not have, and a URL where nobody answers.
fn figures_that_are_not_there() -> Result<(), String> {
    let serves = "import http.server\nclass Metrics(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        \
                  self.send_response(200); self.end_headers(); self.wfile.write(b'go_goroutines 7\\n')\n    \
                  def log_message(self, *args): pass\n\
                  metrics = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[3])), Metrics)\n\
                  threading.Thread(target=metrics.serve_forever, daemon=True).start()\n";
    let inside = "{ prometheus: { url: 'http://127.0.0.1:{port.metrics}/metrics', tasks: METRIC } }";
    let with = |inside: String| Patient { inside, ..Patient::new(serves) }.play();
    is(&with(inside.replace("METRIC", "go_goroutines"))?, Exit::Clean, "")?;
    let why = "expected the metric `go_gorutines`, which is not there; there is: `go_goroutines`";
    is(&with(inside.replace("METRIC", "go_gorutines"))?, Exit::Inconclusive, why)?;
    let elsewhere = inside.replace("METRIC", "x").replace("{port.metrics}", "{port.nobody}");
    is(&with(elsewhere)?, Exit::Inconclusive, "/metrics: ")
}

/// A service that behaves badly, and how it is played.
struct Patient<'a> {
    misbehaviour: &'a str,
    inside: String,
    fault: &'a str,
}

impl<'a> Patient<'a> {
    fn new(misbehaviour: &'a str) -> Self {
        Self { misbehaviour, inside: "{}".to_owned(), fault: "reset: { link: clients, at: 1s }" }
    }

    fn play(&self) -> Result<CaseReport, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let script = folder.path().join("service.py");
        let text = SERVICE.replace("MISBEHAVIOUR", self.misbehaviour);
        std::fs::write(&script, text).map_err(|error| error.to_string())?;
        let target = format!(
            "{{ command: [python3, -u, '{}', '{{port}}', '{{scratch}}', '{{port.metrics}}'], inside: {} }}",
            script.display(),
            self.inside
        );
        play(&target, self.fault, "{}")
    }
}

/// A process of a test's own, which ends with it.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn python(script: &Path) -> Result<Child, String> {
    let mut command = Command::new("python3");
    // Python tells of each reset, which is what the scenario is about, as if something had gone wrong.
    command.arg(script).arg("0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().map_err(|error| format!("python3: {error}"))
}

/// The port that it was given, which is the first thing it says.
fn port_of(service: &mut Child) -> Result<String, String> {
    let output = service.stdout.take().ok_or("its output was taken already")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line.trim().to_owned())
}

fn play(target: &str, fault: &str, until: &str) -> Result<CaseReport, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("patient.yaml");
    let text = SCENARIO.replace("TARGET", target).replace("FAULT", fault).replace("UNTIL", until);
    std::fs::write(&file, text).map_err(|error| error.to_string())?;
    let selection = Selection { paths: vec![file], ..Selection::default() };
    let jobs = select(&WorldLibrary(S7World), &selection).map_err(|error| error.to_string())?;
    let [job] = jobs.as_slice() else { return Err(format!("{} cases", jobs.len())) };
    // As many cycles as it says, and no more where they leave a suspicion.
    let options = Options { cycles: Some(10), ..Options::default() };
    play_one(job, &options.request(job), &options, &Stop::never()).map_err(|error| error.to_string())
}

fn is(report: &CaseReport, exit: Exit, why: &str) -> Result<(), String> {
    if report.exit == exit && report.headline.contains(why) {
        return Ok(());
    }
    Err(format!("expected {exit:?} and `{why}`, found:\n{}", crate::text(report)))
}

fn says(report: &CaseReport, note: &str) -> Result<(), String> {
    match report.notes.iter().any(|found| found.contains(note)) {
        true => Ok(()),
        false => Err(format!("expected the note `{note}`, found: {:?}", report.notes)),
    }
}

/// No process on the machine runs the script of a patient whose run is over.
fn nobody_is_left() -> Result<(), String> {
    let entries = std::fs::read_dir("/proc").map_err(|error| error.to_string())?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // The scripts of other tests, which still run, are there.
    let is_left = |pid: &u32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = arguments.split(|byte| *byte == 0).filter_map(|word| std::str::from_utf8(word).ok());
        words.any(|word| word.ends_with("/service.py") && !Path::new(word).exists())
    };
    match pids.filter(is_left).collect::<Vec<u32>>().as_slice() {
        [] => Ok(()),
        left => Err(format!("processes outlived their run: {left:?}")),
    }
}
