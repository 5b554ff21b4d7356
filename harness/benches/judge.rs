//! How often leaks are found and healthy runs blamed, by the judge and by simpler rules, over recorded runs.
//!
//! `cargo bench -p watertight --bench judge` prints one table: a row per leak size, a column per rule, runs called a leak
//! of twenty. Every rule gets the same figure of the same cycles; `rss` columns show why RSS decides nothing.

use std::hint::black_box;
use std::time::Instant;

use watertight::seed::Seed;
use watertight::verdict::rule::{Shape, trend};
use watertight::verdict::slope;

mod reader {
    include!("../testdata/traces/reader.rs");
}
use reader::{RECORDINGS, Trace, read};

/// Cycles of warm-up in the recordings.
const WARM_UP: usize = 20;

/// A name and whether a series is called a leak.
type Rule = (&'static str, fn(&[i64]) -> bool);

const RULES: [Rule; 4] = [
    ("judge", |series| trend(series, false).shape == Shape::Growing),
    ("slope > 0", |series| slope::theil_sen(series) > 0.0),
    ("Mann-Kendall p<.05", |series| mann_kendall_z(series) > 1.645),
    ("last 3 changes >= 1", |series| series.windows(2).rev().take(3).all(|pair| pair[1] > pair[0])),
];

fn main() {
    print_head();
    for (size, recording) in &RECORDINGS {
        print_row(&format!("{size} B/cycle"), &read(recording));
    }
    let healthy = read(RECORDINGS[0].1);
    print_row("1 block / 7 cycles", &laid_over(&healthy, |_, i| (i / 7) as i64));
    print_row("1 block in 5 %", &laid_over(&healthy, sparse));
    print_row("one step of 12", &laid_over(&healthy, |_, i| if i < 120 { 0 } else { 12 }));
    print_row("cache full at 120", &laid_over(&healthy, |_, i| i.min(120) as i64));
    print_row(
        "saturating, tau 40",
        &laid_over(&healthy, |_, i| (400.0 * (1.0 - (-(i as f64) / 40.0).exp())) as i64),
    );
    print_speed(&healthy);
}

fn sparse(run: usize, i: usize) -> i64 {
    let mut rng = Seed(run as u64).stream("sparse", 0).rng();
    (0..i).filter(|_| rng.chance(0.05)).count() as i64
}

fn laid_over(healthy: &[Trace], shape: impl Fn(usize, usize) -> i64) -> Vec<Trace> {
    let mut laid = healthy.to_vec();
    for (run, trace) in laid.iter_mut().enumerate() {
        for i in 0..trace.blocks.len() {
            trace.blocks[i] += shape(run, i);
            trace.rss[i] += 64 * shape(run, i);
        }
    }
    laid
}

fn print_head() {
    println!("runs of 20 called a leak, by blocks / by rss");
    let names: String = RULES.iter().map(|(name, _)| format!("{name:>21}")).collect();
    println!("{:20}{names}", "leak");
}

fn print_row(name: &str, traces: &[Trace]) {
    let called = |rule: fn(&[i64]) -> bool, of: fn(&Trace) -> &[i64]| {
        traces.iter().filter(|trace| rule(&of(trace)[WARM_UP..])).count()
    };
    let cells: String = RULES
        .iter()
        .map(|(_, rule)| {
            format!("{:>21}", format!("{} / {}", called(*rule, |t| &t.blocks), called(*rule, |t| &t.rss)))
        })
        .collect();
    println!("{name:20}{cells}");
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
