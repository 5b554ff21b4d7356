//! Lines a second over what people have written: tokio, hyper and axum, as cargo has unpacked them on this machine.
//!
//! `cargo bench -p watertight-lint`. What is not there is skipped by name. On a machine that does other things as well, the last
//! line is the one that tells: lines for each second of processor time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use watertight_lint::{Asked, Sources, run};

const CRATES: &[&str] = &["tokio", "hyper", "axum"];

/// The best of so many: what else the machine does only makes it slower.
const ROUNDS: usize = 5;

fn main() {
    let found: Vec<PathBuf> = CRATES.iter().filter_map(|name| newest(name)).collect();
    let lines: Vec<(usize, Duration)> = found.iter().map(|folder| best(folder)).collect();
    let (total, took) =
        lines.iter().fold((0, Duration::ZERO), |(lines, time), one| (lines + one.0, time + one.1));
    if total > 0 {
        println!("together: {}", rate(total, took));
        on_processor(total * ROUNDS);
    }
}

/// Of all rounds; `lines` were read in them.
fn on_processor(lines: usize) {
    if let Some(used) = processor_time() {
        println!("of processor time: {}", rate(lines, used));
    }
}

/// What this process has used, where the kernel says so.
fn processor_time() -> Option<Duration> {
    /// The unit of `/proc`: the kernel's ABI, on every architecture that Rust's std runs on.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name before it may hold spaces; 14th and 15th field of all: user and system.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u32 = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

fn best(folder: &Path) -> (usize, Duration) {
    let round = |_| {
        let sources = Sources::of_paths(&[folder.to_owned()], true);
        #[expect(clippy::disallowed_methods, reason = "a benchmark is about the wall clock")]
        let begin = std::time::Instant::now();
        let report = run(sources, &Asked::default(), None).expect("threads");
        (report.lines, begin.elapsed())
    };
    let (lines, took) = (0..ROUNDS).map(round).min_by_key(|(_, took)| *took).expect("there is a round");
    let name = folder.file_name().unwrap_or_default().display();
    println!("{name}: {}", rate(lines, took));
    (lines, took)
}

fn rate(lines: usize, took: Duration) -> String {
    let lines = u32::try_from(lines).unwrap_or(u32::MAX);
    format!("{lines} lines in {took:.1?}, {:.0} lines a second", f64::from(lines) / took.as_secs_f64())
}

/// The newest version of `name` that cargo has unpacked.
fn newest(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let registries = std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    let folders = registries.flat_map(|one| std::fs::read_dir(one.path()).into_iter().flatten().flatten());
    let version = |folder: &PathBuf| -> Option<Vec<u64>> {
        let version = folder.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
        version.split('.').map(|part| part.parse().ok()).collect()
    };
    let found =
        folders.map(|entry| entry.path()).filter_map(|folder| Some((version(&folder)?, folder))).max();
    if found.is_none() {
        println!(
            "{name}: skipped, not among the sources that cargo has unpacked (`cargo fetch` where it is a dependency)"
        );
    }
    found.map(|(_, folder)| folder)
}
