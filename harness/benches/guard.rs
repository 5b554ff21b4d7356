//! What `#[watertight::test]` costs a test that passes, beside `#[tokio::test]`: the same body, in turns, in one process.
//!
//! `cargo bench -p watertight --bench guard`

use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;
use watertight::guard::{Plan, play};

watertight::probe!();

/// Turns of each kind.
const TURNS: usize = 2_000;

async fn body() {
    tokio::spawn(async { std::hint::black_box(vec![0_u8; 1_000]) }).await.expect("it does not panic");
}

/// As the macro of tokio's does it.
fn plain(mut builder: Builder) {
    let runtime = builder.enable_all().build().expect("a runtime is built");
    runtime.block_on(body());
}

fn guarded(builder: Builder) {
    play(Plan::of_test("bench::guarded", file!(), line!()), builder, body);
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn compare(name: &str, builder: fn() -> Builder) {
    let (mut plain_times, mut guarded_times) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        plain_times.push(timed(|| plain(builder())));
        guarded_times.push(timed(|| guarded(builder())));
    }
    let (plain, guarded) = (median(plain_times), median(guarded_times));
    let ratio = guarded.as_secs_f64() / plain.as_secs_f64();
    let added = guarded.saturating_sub(plain);
    println!(
        "{name:<16} tokio {plain:>10.1?}   watertight {guarded:>10.1?}   ratio {ratio:.2}   added {added:.1?}"
    );
}

fn main() {
    // Descriptors that a test binary may well hold.
    let _open: Vec<_> = (0..30).map(|_| std::fs::File::open("/dev/null").expect("it is there")).collect();
    compare("current_thread", Builder::new_current_thread);
    compare("multi_thread", || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        builder
    });
}
