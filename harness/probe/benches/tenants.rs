//! What a thousand tenants cost: an alloc and free under another tenant each time, and the lists for a metrics endpoint.
//!
//! `cargo bench -p watertight-probe --bench tenants`.

use std::hint::black_box;

use tokio::time::Instant;
use watertight_probe::{Tenant, heap, tasks};

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

const TENANTS: usize = 1_000;
const TASKS_EACH: usize = 5;
/// The fastest of these counts: what is slower was disturbed.
const ROUNDS: usize = 100;

fn main() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    tasks::install(&mut builder);
    let runtime = builder.build().expect("a runtime");
    let service = Tenant::named("service");
    let all: Vec<Tenant> = (0..TENANTS).map(|n| service.child(&format!("plc-{n}"))).collect();
    for tenant in &all {
        let _current = tenant.enter();
        (0..TASKS_EACH).for_each(|_| drop(runtime.spawn(std::future::pending::<()>())));
    }
    println!("| with {TENANTS} tenants | µs |\n| --- | ---: |");
    let row = |what: &str, seconds: f64| println!("| {what} | {:.3} |", seconds * 1e6);
    row("alloc and free, one tenant", fastest(|| pairs(&all[..1])) / TENANTS as f64);
    row("alloc and free, the next tenant each time", fastest(|| pairs(&all)) / TENANTS as f64);
    row("heap::live_of, a branch", fastest(|| _ = black_box(heap::live_of(|t| t.is_within(service)))));
    row("heap::live_by_tenant", fastest(|| drop(black_box(heap::live_by_tenant()))));
    row("tasks::alive_by_tenant", fastest(|| drop(black_box(tasks::alive_by_tenant()))));
}

fn fastest(mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// As many pairs as there are tenants, from one call stack.
fn pairs(tenants: &[Tenant]) {
    for tenant in tenants.iter().cycle().take(TENANTS) {
        let _current = tenant.enter();
        drop(black_box(Vec::<u8>::with_capacity(black_box(64))));
    }
}
