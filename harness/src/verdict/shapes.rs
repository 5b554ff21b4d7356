//! The shapes that a judge must tell apart, in exact runs; over recorded noise they are in `traces`.

use super::Outcome;
use super::rule::{Shape, trend};
use super::tests::{heap, plain};
use crate::seed::Seed;

/// A block in a random 5 % of so many cycles: the count after each.
pub(super) fn sparse(run: u64, cycles: usize) -> Vec<i64> {
    let mut rng = Seed(run).stream("sparse", 0).rng();
    let mut leaked = 0;
    let mut after_cycle = || {
        leaked += i64::from(rng.chance(0.05));
        leaked
    };
    (0..cycles).map(|_| after_cycle()).collect()
}

/// The outcome of an exact run that holds `shape(cycle)` blocks of 64 B more than nothing.
fn exact(cycles: usize, shape: impl Fn(u64) -> u64) -> Outcome {
    plain(&heap(cycles, |i| (900 + shape(i), 80_000 + 64 * shape(i)))).outcome
}

/// How many are called a leak, and how many are called something that is played again longer.
pub(super) fn found_and_doubted(shapes: &[Shape]) -> (usize, usize) {
    let count = |wanted: &[Shape]| shapes.iter().filter(|shape| wanted.contains(shape)).count();
    (count(&[Shape::Growing]), count(&[Shape::Unclear, Shape::Decelerating]))
}

/// Twenty exact runs with a sparse leak.
fn sparse_endings(cycles: usize) -> (usize, usize) {
    let shapes: Vec<Shape> = (0..20).map(|run| trend(&sparse(run, cycles), true).shape).collect();
    found_and_doubted(&shapes)
}

#[test]
fn a_sparse_leak_is_found_or_suspected_in_100_exact_cycles_and_found_in_400() {
    let (found, doubted) = sparse_endings(100);
    // One block in 100 cycles is a step, and so are two of which the second comes late: some runs have no more.
    assert!(found >= 15 && found + doubted >= 17, "100 cycles: {found} found, {doubted} doubted");
    let (found, doubted) = sparse_endings(400);
    assert!(found >= 18 && found + doubted == 20, "400 cycles: {found} found, {doubted} doubted");
    let (found, doubted) = sparse_endings(800);
    assert!(found >= 19 && found + doubted == 20, "800 cycles: {found} found, {doubted} doubted");
}

#[test]
fn a_leak_in_every_seventh_cycle_is_found_from_30_cycles_on() {
    for cycles in [30, 50, 100, 200, 1_000] {
        for phase in 0..7 {
            assert_eq!(exact(cycles, |i| (i + phase) / 7), Outcome::Leak, "{cycles} cycles, phase {phase}");
        }
    }
}

#[test]
fn one_single_block_is_a_step_wherever_it_is_lost() {
    for at in [1, 2, 30, 50, 70, 98, 99] {
        assert_eq!(exact(100, |i| u64::from(i >= at)), Outcome::Clean, "at cycle {at}");
    }
}

#[test]
fn a_cache_that_is_full_at_cycle_120_is_clean() {
    for cycles in [250, 400, 1_000] {
        assert_eq!(exact(cycles, |i| i.min(120)), Outcome::Clean, "{cycles} cycles");
    }
}

#[test]
fn a_cache_that_fills_with_a_time_constant_of_40_cycles_saturates_and_is_clean_when_extended() {
    let filling = |i: u64| (400.0 * (1.0 - (-(i as f64) / 40.0).exp())) as u64;
    for cycles in [100, 150, 200] {
        assert_eq!(exact(cycles, filling), Outcome::Saturating, "{cycles} cycles");
        let extended = exact(3 * cycles, filling);
        assert!(matches!(extended, Outcome::Saturating | Outcome::Clean), "{extended:?}");
    }
    assert_eq!(exact(3 * 250, filling), Outcome::Clean);
}
