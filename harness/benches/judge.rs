//! How often leaks are found and healthy runs blamed, by the judge and by simpler rules, as the tables of `JUDGE.md`.
//!
//! `cargo bench -p watertight --bench judge`. Every rule gets the same figures of the same cycles.

use std::hint::black_box;
use std::time::{Duration, Instant};

use watertight::census::Census;
use watertight::seed::Seed;
use watertight::timeline::{CycleRecord, Timeline};
use watertight::verdict::rule::{Shape, trend};
use watertight::verdict::{Outcome, Rules, judge, slope};

mod reader {
    include!("../testdata/traces/reader.rs");
}
use reader::{RECORDINGS, Trace, read};

mod noise {
    include!("../testdata/noise/noise.rs");
}
use noise::NOISES;

/// Cycles of warm-up in the recordings.
const WARM_UP: usize = 20;

/// What a rule says of a series.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Leak,
    /// Played again, longer, before anything is said.
    Doubt,
    Nothing,
}

/// A name and what it says of a series.
type Rule = (&'static str, fn(&[i64]) -> Said);

const SIMPLE: [Rule; 4] = [
    ("slope > 0", |series| leak_if(slope::theil_sen(series) > 0.0)),
    ("Mann–Kendall p < .05", |series| leak_if(mann_kendall_z(series) > 1.645)),
    ("last 3 changes ≥ 1", |series| leak_if(series.windows(2).rev().take(3).all(|pair| pair[1] > pair[0]))),
    ("slope > 4 KiB", |series| leak_if(slope::theil_sen(series) > 4_096.0)),
];

fn leak_if(is_leak: bool) -> Said {
    if is_leak { Said::Leak } else { Said::Nothing }
}

fn by_judge(series: &[i64], exact: bool) -> Said {
    match trend(series, exact).shape {
        Shape::Growing => Said::Leak,
        Shape::Unclear | Shape::Decelerating => Said::Doubt,
        Shape::Flat | Shape::Step | Shape::Levelled => Said::Nothing,
    }
}

/// The whole judge over a run in which nothing but RSS was measured.
fn by_judge_of_rss(series: &[i64]) -> Said {
    let record = |(cycle, rss): (usize, &i64)| CycleRecord {
        cycle,
        at: Duration::from_secs(cycle as u64),
        settled_after: Some(Duration::ZERO),
        census: Census { rss_bytes: Some(rss.unsigned_abs()), ..Census::default() },
    };
    let timeline = Timeline {
        exact: false,
        warm_up: 0,
        cycles: series.iter().enumerate().map(record).collect(),
        peak: Census::default(),
        audit: vec![],
        planned: series.len(),
        trimmed: None,
        ended: None,
    };
    match judge(&timeline, &Rules::default()).outcome {
        Outcome::Leak => Said::Leak,
        Outcome::Suspect | Outcome::Saturating => Said::Doubt,
        _ => Said::Nothing,
    }
}

fn main() {
    let rows = recorded_and_laid_over();
    let sampled: Rule = ("**judge**", |series| by_judge(series, false));
    print_table("Live blocks at rest", &rows, sampled, &SIMPLE[..3], |trace| &trace.blocks);
    print_table("Live bytes at rest", &rows, sampled, &SIMPLE, |trace| &trace.bytes);
    print_table("RSS, nothing else measured", &rows, ("**judge**", by_judge_of_rss), &SIMPLE, |trace| {
        &trace.rss
    });
    print_noise();
    print_sparse(&read(RECORDINGS[0].1));
    print_speed(&read(RECORDINGS[0].1));
}

/// Rows of the tables: a name, what should be said, and twenty runs.
fn recorded_and_laid_over() -> Vec<(String, &'static str, Vec<Trace>)> {
    let healthy = read(RECORDINGS[0].1);
    let mut rows = Vec::new();
    for (size, recording) in &RECORDINGS {
        let wanted = if *size == 0 { "nothing" } else { "leak" };
        let name = if *size == 0 { "healthy".to_owned() } else { format!("{size} B each cycle") };
        rows.push((name, wanted, read(recording)));
    }
    let mut lay = |name: &str, wanted, shape: fn(usize, usize) -> i64| {
        rows.push((name.to_owned(), wanted, laid_over(&healthy, shape)));
    };
    lay("64 B every 7th cycle", "leak", |_, i| (i / 7) as i64);
    lay("64 B in 5 % of cycles", "doubt, then leak", |run, i| sparse(run as u64, i + 1)[i]);
    lay("one step of 12 blocks", "nothing", |_, i| if i < 120 { 0 } else { 12 });
    lay("a cache full at cycle 120", "nothing", |_, i| i.min(120) as i64);
    lay("filling, time constant 40", "doubt", |_, i| (400.0 * (1.0 - (-(i as f64) / 40.0).exp())) as i64);
    rows
}

/// A block in a random 5 % of the cycles: the count after each.
fn sparse(run: u64, cycles: usize) -> Vec<i64> {
    let mut rng = Seed(run).stream("sparse", 0).rng();
    let mut leaked = 0;
    (0..cycles)
        .map(|_| {
            leaked += i64::from(rng.chance(0.05));
            leaked
        })
        .collect()
}

/// The healthy runs with so many blocks of 64 B more; of RSS, whole pages.
fn laid_over(healthy: &[Trace], shape: impl Fn(usize, usize) -> i64) -> Vec<Trace> {
    let mut laid = healthy.to_vec();
    for (run, trace) in laid.iter_mut().enumerate() {
        for i in 0..trace.blocks.len() {
            let more = shape(run, i);
            trace.blocks[i] += more;
            trace.bytes[i] += 64 * more;
            trace.rss[i] += 64 * more / 4_096 * 4_096;
        }
    }
    laid
}

/// So many of so many, and in doubt: `20`, `0 + 3 in doubt`.
fn cell(said: &[Said]) -> String {
    let count = |wanted| said.iter().filter(|one| **one == wanted).count();
    match (count(Said::Leak), count(Said::Doubt)) {
        (leaks, 0) => leaks.to_string(),
        (leaks, doubts) => format!("{leaks} + {doubts} in doubt"),
    }
}

fn print_head(first: &str, second: &str, rules: &[Rule]) {
    let names: String = rules.iter().map(|(name, _)| format!(" {name} |")).collect();
    println!("| {first} | {second} |{names}");
    println!("| --- | --- |{}", " --- |".repeat(rules.len()));
}

fn print_table(
    title: &str,
    rows: &[(String, &'static str, Vec<Trace>)],
    by_judge: Rule,
    simple: &[Rule],
    of: fn(&Trace) -> &[i64],
) {
    println!("\n### {title}: runs of 20 called a leak\n");
    let rules: Vec<Rule> = std::iter::once(by_judge).chain(simple.iter().copied()).collect();
    print_head("180 counted cycles", "right is", &rules);
    for (name, wanted, traces) in rows {
        let said =
            |rule: &Rule| cell(&traces.iter().map(|trace| rule.1(&of(trace)[WARM_UP..])).collect::<Vec<_>>());
        let cells: String = rules.iter().map(|rule| format!(" {} |", said(rule))).collect();
        println!("| {name} | {wanted} |{cells}");
    }
}

/// Runs of each kind of made-up noise.
const NOISE_RUNS: u64 = 5_000;

fn print_noise() {
    println!("\n### Made-up noise: healthy runs of {NOISE_RUNS} called a leak\n");
    let rules: Vec<Rule> = [("**judge**", (|series| by_judge(series, false)) as fn(&[i64]) -> Said)]
        .into_iter()
        .chain(SIMPLE[..3].iter().copied())
        .collect();
    print_head("noise", "cycles", &rules);
    for (name, noise) in NOISES {
        for cycles in [60, 200] {
            let series: Vec<Vec<i64>> = (0..NOISE_RUNS)
                .map(|seed| {
                    let mut rng = Seed(seed).stream(name, cycles as u64).rng();
                    noise(cycles, 5, &mut |bound| rng.below(bound))
                })
                .collect();
            let said = |rule: &Rule| cell(&series.iter().map(|series| rule.1(series)).collect::<Vec<_>>());
            let cells: String = rules.iter().map(|rule| format!(" {} |", said(rule))).collect();
            println!("| {name} | {cycles} |{cells}");
        }
    }
}

/// Sparse leaks laid over each recorded run.
const SPARSE_TURNS: u64 = 10;

fn print_sparse(healthy: &[Trace]) {
    println!(
        "\n### A block in a random 5 % of cycles: share of {} runs\n",
        healthy.len() as u64 * SPARSE_TURNS
    );
    println!(
        "| cycles | sampled: leak | in doubt | exact: leak | in doubt |\n| --- | --- | --- | --- | --- |"
    );
    for cycles in [100, 200, 400, 800] {
        let runs = (0..SPARSE_TURNS).flat_map(|turn| healthy.iter().enumerate().map(move |run| (turn, run)));
        let (mut sampled, mut exact) = (Vec::new(), Vec::new());
        for (turn, (run, trace)) in runs {
            let leaked = sparse(turn * 1_000 + run as u64, cycles);
            let carrier = trace.blocks[WARM_UP..].iter().cycle();
            let laid: Vec<i64> = carrier.zip(&leaked).map(|(blocks, leaked)| blocks + leaked).collect();
            sampled.push(by_judge(&laid, false));
            exact.push(by_judge(&leaked, true));
        }
        let share =
            |said: &[Said], wanted| 100 * said.iter().filter(|one| **one == wanted).count() / said.len();
        let of = |said: &[Said]| format!("{} % | {} %", share(said, Said::Leak), share(said, Said::Doubt));
        println!("| {cycles} | {} | {} |", of(&sampled), of(&exact));
    }
}

/// The usual normal approximation, without correction for ties.
fn mann_kendall_z(series: &[i64]) -> f64 {
    let mut s = 0_i64;
    for (i, from) in series.iter().enumerate() {
        s += series[i + 1..].iter().map(|to| (to - from).signum()).sum::<i64>();
    }
    let n = series.len() as f64;
    (s - s.signum()) as f64 / (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
fn print_speed(healthy: &[Trace]) {
    let start = Instant::now();
    for trace in healthy {
        black_box(trend(black_box(&trace.blocks), false));
    }
    println!("\none series of 200 cycles: {:?}", start.elapsed() / healthy.len() as u32);
    let soak = vec![900; 7_406];
    let start = Instant::now();
    black_box(watertight::verdict::smallest_leak_seen(black_box(&soak), true));
    println!("sensitivity of 7,406 exact cycles: {:?}", start.elapsed());
    let noisy: Vec<i64> = healthy.iter().flat_map(|trace| trace.blocks.clone()).collect();
    let start = Instant::now();
    black_box(watertight::verdict::smallest_leak_seen(black_box(&noisy), false));
    println!("sensitivity of {} sampled cycles: {:?}", noisy.len(), start.elapsed());
}
