//! `run --watch`: a save plays again, in the middle of a run too, and Ctrl-C ends it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, ended};

pub const TESTS: &[(&str, fn())] = &[
    ("rerunning::a_save_plays_again_and_ctrl_c_ends_it", a_save_plays_again_and_ctrl_c_ends_it),
    ("rerunning::a_save_in_the_middle_ends_the_run_in_order", a_save_in_the_middle_ends_the_run_in_order),
    ("rerunning::a_broken_file_is_told_and_waited_for", a_broken_file_is_told_and_waited_for),
];

/// Far above what any of it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `run --watch` and the lines that it prints.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(bench: &Bench, file: &str) -> Self {
        let mut child = bench.watertight(&["run", "--watch", file]).spawn().expect("it starts");
        let (to, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it is piped")),
            Box::new(child.stderr.take().expect("it is piped")),
        ];
        for output in outputs {
            let to = to.clone();
            thread::spawn(move || {
                BufReader::new(output).lines().map_while(Result::ok).all(|line| to.send(line).is_ok())
            });
        }
        Self { child, lines }
    }

    /// The lines up to one that contains `text`.
    fn until(&self, text: &str) -> Vec<String> {
        self.until_all(&[text])
    }

    /// The lines until each of `texts` was in one of them: what is printed to two pipes comes in any order.
    fn until_all(&self, texts: &[&str]) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        while !texts.iter().all(|text| seen.iter().any(|line| line.contains(text))) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("{error}: not all of {texts:?} in {seen:#?}"),
            }
        }
        seen
    }

    fn interrupted(self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
        ended(self.child).code
    }
}

fn a_save_plays_again_and_ctrl_c_ends_it() {
    let bench = Bench::new();
    let file = bench.path("clean.yaml");
    fs::write(&file, "one").expect("the folder is writable");
    let watching = Watching::start(&bench, file.to_str().expect("it is UTF-8"));
    watching.until("watching 2 files; Ctrl-C ends");
    fs::write(&file, "another").expect("the folder is writable");
    let line = watching.until("changed: ").pop().expect("the line that was waited for");
    assert!(line.ends_with("clean.yaml; playing again"), "{line}");
    watching.until("watching 2 files");
    assert_eq!(watching.interrupted(), Some(0), "the last round was clean");
}

fn a_save_in_the_middle_ends_the_run_in_order() {
    let bench = Bench::new();
    let file = bench.path("dawdle.yaml");
    fs::write(&file, "one").expect("the folder is writable");
    let watching = Watching::start(&bench, file.to_str().expect("it is UTF-8"));
    bench.noted("child");
    fs::remove_file(bench.path("child")).expect("it was noted");
    fs::write(&file, "another").expect("the folder is writable");
    watching.until_all(&["changed: ", "interrupted"]);
    bench.noted("child");
    assert_eq!(watching.interrupted(), Some(3), "the last round was interrupted");
}

fn a_broken_file_is_told_and_waited_for() {
    let bench = Bench::new();
    let file = bench.path("broken.yaml");
    fs::write(&file, "one").expect("the folder is writable");
    let watching = Watching::start(&bench, file.to_str().expect("it is UTF-8"));
    watching.until("unknown key `cylces`");
    watching.until("watching 2 files");
    fs::remove_file(&file).expect("it was written");
    let line = watching.until("changed: ").pop().expect("the line that was waited for");
    assert!(line.contains("broken.yaml"), "{line}");
    watching.until("watching 2 files");
    assert_eq!(watching.interrupted(), Some(2), "the last round found the file broken");
}
