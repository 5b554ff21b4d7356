//! Nanoseconds per pair of alloc and free, by mode of the allocator, call depth and threads.
//!
//! `cargo bench -p watertight-probe --features dhat --bench alloc`. A mode holds for a process, so this starts itself
//! again for each.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::process::Command;
use std::sync::Barrier;

use tokio::time::Instant;
use watertight_probe::heap;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

const DEPTHS: [u32; 2] = [5, 20];
const THREADS: [usize; 2] = [1, 2];
/// The fastest of these counts: what is slower was disturbed.
const ROUNDS: usize = 300;
const ROLE: &str = "WATERTIGHT_BENCH_CHILD";

fn main() {
    if let Ok(threads) = std::env::var(ROLE) {
        return measure(threads.parse().expect("a number of threads"));
    }
    let modes: &[&str] = if cfg!(feature = "dhat") {
        &["off", "count", "tenants", "sites", "dhat"]
    } else {
        &["off", "count", "tenants", "sites"]
    };
    println!(
        "| mode | depth | threads | ns per pair | times the system's |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for threads in THREADS {
        let mut system = [f64::NAN; DEPTHS.len()];
        for (n, mode) in modes.iter().enumerate() {
            let rows = run_child(mode, threads);
            if n == 0 {
                // The first child also times the system's allocator, called directly.
                system.copy_from_slice(&rows[DEPTHS.len()..]);
                print_rows("system", threads, &system, &system);
            }
            print_rows(mode, threads, &rows[..DEPTHS.len()], &system);
        }
    }
}

fn print_rows(mode: &str, threads: usize, rows: &[f64], system: &[f64]) {
    for ((depth, ns), base) in DEPTHS.iter().zip(rows).zip(system) {
        println!("| {mode} | {depth} | {threads} | {ns:.1} | {:.2} |", ns / base);
    }
}

fn run_child(mode: &str, threads: usize) -> Vec<f64> {
    let exe = std::env::current_exe().expect("the bench knows its own path");
    let mut child = Command::new(exe);
    let output =
        child.env("WATERTIGHT_HEAP", mode).env(ROLE, threads.to_string()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().map(|number| number.parse().expect("numbers")).collect()
}

fn measure(threads: usize) {
    #[cfg(feature = "dhat")]
    heap::start_dhat(std::path::Path::new("/dev/null"));
    let pairs = if heap::mode() == heap::Mode::Dhat { 100 } else { 5_000 };
    for depth in DEPTHS {
        println!("{}", fastest(threads, depth, pairs, global_pair));
    }
    for depth in DEPTHS {
        println!("{}", fastest(threads, depth, pairs, system_pair));
    }
}

/// Nanoseconds per pair on each thread while all of them are at it, in the fastest round.
fn fastest(threads: usize, depth: u32, pairs: u32, pair: fn()) -> f64 {
    let start = Barrier::new(threads);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let slowest = std::thread::scope(|scope| {
            let timed = || {
                scope.spawn(|| {
                    start.wait();
                    at_depth(depth, pairs, pair)
                })
            };
            let running: Vec<_> = (0..threads).map(|_| timed()).collect();
            running.into_iter().map(|thread| thread.join().expect("it does not panic")).fold(0.0, f64::max)
        });
        best = best.min(slowest);
    }
    best
}

#[inline(never)]
fn at_depth(depth: u32, pairs: u32, pair: fn()) -> f64 {
    if depth > 0 {
        // Not a tail call: each level keeps its frame.
        return black_box(at_depth(black_box(depth - 1), pairs, pair));
    }
    let start = Instant::now();
    (0..pairs).for_each(|_| pair());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(pairs)
}

#[inline(never)]
fn global_pair() {
    drop(black_box(Vec::<u8>::with_capacity(black_box(64))));
}

#[inline(never)]
#[expect(unsafe_code, reason = "calls the system's allocator past the global one")]
fn system_pair() {
    let layout = Layout::from_size_align(black_box(64), 1).expect("a small layout");
    // SAFETY: the size is not zero, and the block is freed once, with its layout.
    unsafe {
        let block = black_box(System.alloc(layout));
        System.dealloc(block, layout);
    }
}
