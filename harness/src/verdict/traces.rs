//! The judge over recorded runs of a real service, and over shapes laid on the healthy ones.

use super::rule::{Shape, trend};
use super::tests::sampled;
use super::{Outcome, Rules, judge, shapes};
use crate::census::Census;
use crate::resource::Resource;

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
fn a_block_in_one_cycle_of_twenty_is_found_the_sooner_the_longer_the_run() {
    let measured = [100, 200, 400, 800].map(|cycles| shapes::found_and_doubted(&sparse_shapes(cycles)));
    for ((found, doubted), (fewest_found, fewest_noticed)) in measured.into_iter().zip(SPARSE_FEWEST) {
        assert!(found >= fewest_found && found + doubted >= fewest_noticed, "{measured:?}");
    }
}

/// Of twenty runs of 100, 200, 400 and 800 cycles, the fewest that must be called a leak, and the fewest that must be called
/// that or be played again.
const SPARSE_FEWEST: [(usize, usize); 4] = [(0, 8), (1, 14), (13, 19), (16, 20)];

/// The healthy runs, played over and over for so many cycles, with a block leaked in a random 5 % of them.
fn sparse_shapes(cycles: usize) -> Vec<Shape> {
    let shape = |(run, trace): (usize, &Trace)| {
        let carrier = trace.blocks[WARM_UP..].iter().cycle();
        let leaked = shapes::sparse(run as u64, cycles);
        let blocks: Vec<i64> = carrier.zip(leaked).map(|(blocks, leaked)| blocks + leaked).collect();
        trend(&blocks, false).shape
    };
    healthy().iter().enumerate().map(shape).collect()
}

#[test]
fn recordings_are_twenty_runs_of_two_hundred_cycles_each() {
    for (size, recording) in &RECORDINGS {
        let traces = read(recording);
        let is_whole =
            |trace: &Trace| [&trace.rss, &trace.bytes, &trace.blocks].iter().all(|it| it.len() == 200);
        assert!(traces.len() == 20 && traces.iter().all(is_whole), "{size} B/cycle");
    }
}

#[test]
fn one_single_block_is_doubted_at_most_and_clean_when_it_is_played_again() {
    for at in [25, 60, 100, 150, 190] {
        let once = |cycles: usize| -> Vec<Shape> {
            let figures = |trace: &Trace| {
                let carrier = trace.blocks[WARM_UP..].iter().cycle().take(cycles);
                let blocks: Vec<i64> =
                    carrier.enumerate().map(|(i, blocks)| blocks + i64::from(i >= at)).collect();
                trend(&blocks, false).shape
            };
            healthy().iter().map(figures).collect()
        };
        let (found, doubted) = shapes::found_and_doubted(&once(180));
        assert!(found == 0 && doubted <= 5, "at {at}: {doubted} doubted");
        assert_eq!(
            shapes::found_and_doubted(&once(720)),
            (0, 0),
            "at {at}, played with four times the cycles"
        );
    }
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
