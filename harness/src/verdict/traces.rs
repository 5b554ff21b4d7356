//! The judge over recorded runs of a real service, and over shapes laid on the healthy ones.

use super::rule::{Shape, trend};
use super::tests::sampled;
use super::{Outcome, Rules, judge};
use crate::census::Census;
use crate::resource::Resource;
use crate::seed::Seed;

mod reader {
    include!("../../testdata/traces/reader.rs");
}
use reader::{RECORDINGS, Trace, read};

/// Cycles of warm-up in the recordings.
const WARM_UP: usize = 20;

fn healthy() -> Vec<Trace> {
    read(RECORDINGS[0].1)
}

fn heap_outcome(trace: &Trace) -> Outcome {
    let census = |i: usize| Census {
        heap_blocks: Some(trace.blocks[i].unsigned_abs()),
        heap_bytes: Some(trace.bytes[i].unsigned_abs()),
        rss_bytes: Some(trace.rss[i].unsigned_abs()),
        ..Census::default()
    };
    let timeline = sampled(WARM_UP, (0..trace.rss.len()).map(census).collect());
    let judgement = judge(&timeline, &Rules::default());
    let rss =
        judgement.resources.iter().find(|verdict| verdict.resource == Resource::Rss).expect("a row each");
    assert!(rss.outcome <= Outcome::Retained, "RSS decides nothing: {rss:?}");
    judgement.outcome
}

/// The healthy runs with `blocks(cycle)` blocks of `size` bytes more.
fn laid_over(shape: impl Fn(usize) -> i64, size: i64) -> Vec<Outcome> {
    healthy()
        .iter()
        .map(|trace| {
            let mut laid = trace.clone();
            for (i, (blocks, bytes)) in laid.blocks.iter_mut().zip(&mut laid.bytes).enumerate() {
                *blocks += shape(i);
                *bytes += shape(i) * size;
            }
            heap_outcome(&laid)
        })
        .collect()
}

fn count(outcomes: &[Outcome], wanted: Outcome) -> usize {
    outcomes.iter().filter(|outcome| **outcome == wanted).count()
}

#[test]
fn every_recorded_leak_is_found() {
    for (size, recording) in &RECORDINGS[1..] {
        let outcomes: Vec<Outcome> = read(recording).iter().map(heap_outcome).collect();
        assert_eq!(count(&outcomes, Outcome::Leak), 20, "{size} B/cycle: {outcomes:?}");
    }
}

#[test]
fn every_recorded_leak_is_found_by_bytes_alone_and_by_blocks_alone() {
    for (size, recording) in &RECORDINGS[1..] {
        for trace in read(recording) {
            assert_eq!(trend(&trace.blocks[WARM_UP..], false).shape, Shape::Growing, "{size} B/cycle");
            assert_eq!(trend(&trace.bytes[WARM_UP..], false).shape, Shape::Growing, "{size} B/cycle");
        }
    }
}

#[test]
fn no_healthy_run_is_called_a_leak_or_a_suspect() {
    let outcomes: Vec<Outcome> = healthy().iter().map(heap_outcome).collect();
    assert!(outcomes.iter().all(|outcome| *outcome <= Outcome::Retained), "{outcomes:?}");
}

#[test]
fn rss_alone_is_never_called_a_leak() {
    for (size, recording) in &RECORDINGS {
        for trace in read(recording) {
            let census = |rss: &i64| Census { rss_bytes: Some(rss.unsigned_abs()), ..Census::default() };
            let judgement =
                judge(&sampled(WARM_UP, trace.rss.iter().map(census).collect()), &Rules::default());
            assert!(judgement.outcome <= Outcome::Suspect, "{size} B/cycle: {judgement:?}");
        }
    }
}

#[test]
fn a_block_every_seventh_cycle_is_a_leak() {
    let outcomes = laid_over(|i| (i / 7) as i64, 64);
    assert_eq!(count(&outcomes, Outcome::Leak), 20, "{outcomes:?}");
}

#[test]
fn a_block_in_one_cycle_of_twenty_is_a_suspect_first_and_a_leak_in_a_longer_run() {
    let short = sparse_shapes(1);
    let long = sparse_shapes(4);
    let count = |shapes: &[Shape], wanted| shapes.iter().filter(|shape| **shape == wanted).count();
    assert!(count(&short, Shape::Flat) <= 10, "180 cycles: {short:?}");
    assert_eq!(count(&long, Shape::Flat), 0, "720 cycles: {long:?}");
    assert!(count(&long, Shape::Growing) >= 15, "720 cycles: {long:?}");
}

/// The healthy runs, played `turns` times over, with a block leaked in a random 5 % of the cycles.
fn sparse_shapes(turns: usize) -> Vec<Shape> {
    let shape = |(run, trace): (usize, &Trace)| {
        let mut rng = Seed(run as u64).stream("sparse", 0).rng();
        let mut leaked = 0;
        let carrier = std::iter::repeat_n(&trace.blocks[WARM_UP..], turns).flatten();
        let blocks: Vec<i64> = carrier
            .map(|blocks| {
                leaked += i64::from(rng.chance(0.05));
                blocks + leaked
            })
            .collect();
        trend(&blocks, false).shape
    };
    healthy().iter().enumerate().map(shape).collect()
}

#[test]
fn one_single_step_is_clean() {
    for at in [40, 100, 150, 180] {
        let outcomes = laid_over(|i| if i < at { 0 } else { 12 }, 64);
        assert!(outcomes.iter().all(|outcome| *outcome <= Outcome::Retained), "step at {at}: {outcomes:?}");
    }
}

#[test]
fn a_cache_that_is_full_at_cycle_120_is_clean() {
    let outcomes = laid_over(|i| i.min(120) as i64, 64);
    assert!(outcomes.iter().all(|outcome| *outcome <= Outcome::Retained), "{outcomes:?}");
}

#[test]
fn a_cache_that_fills_with_a_time_constant_of_40_cycles_saturates() {
    let outcomes = laid_over(|i| (400.0 * (1.0 - (-(i as f64) / 40.0).exp())) as i64, 64);
    assert_eq!(count(&outcomes, Outcome::Saturating), 20, "{outcomes:?}");
}

#[test]
fn a_vec_that_doubles_is_a_leak() {
    // 64 B a cycle are pushed onto one Vec: its bytes double, its block stays one.
    let outcomes: Vec<Outcome> = healthy()
        .iter()
        .map(|trace| {
            let mut laid = trace.clone();
            for (i, bytes) in laid.bytes.iter_mut().enumerate() {
                *bytes += 64 * (i as u64 + 1).next_power_of_two() as i64;
            }
            heap_outcome(&laid)
        })
        .collect();
    assert_eq!(count(&outcomes, Outcome::Leak), 20, "{outcomes:?}");
}
