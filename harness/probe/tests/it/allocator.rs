//! The allocator's contract, under random sequences of calls: alignment, contents, and counts that return to zero.

#![expect(unsafe_code, reason = "calls the global allocator as std does")]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use watertight_probe::Tenant;
use watertight_probe::heap::{self, Live};

use crate::case::cases;

cases![
    any_sequence_keeps_contents_and_alignment_and_returns_to_zero,
    any_sequence_keeps_contents_when_only_counting["WATERTIGHT_HEAP" = "count"],
    any_sequence_keeps_contents_when_off["WATERTIGHT_HEAP" = "off"],
    a_size_that_cannot_be_is_refused,
];

#[derive(Debug, Clone)]
enum Step {
    Alloc { size: usize, align: usize, zeroed: bool },
    Realloc { block: usize, size: usize },
    Free { block: usize },
    FreeElsewhere { block: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![1..64_usize, 1..5000_usize, Just(200_000_usize)];
    let align = (0..=12_u32).prop_map(|power| 1_usize << power);
    prop_oneof![
        4 => (size.clone(), align, any::<bool>())
            .prop_map(|(size, align, zeroed)| Step::Alloc { size, align, zeroed }),
        3 => (any::<usize>(), size).prop_map(|(block, size)| Step::Realloc { block, size }),
        2 => any::<usize>().prop_map(|block| Step::Free { block }),
        1 => any::<usize>().prop_map(|block| Step::FreeElsewhere { block }),
    ]
}

/// A block filled with one byte.
struct Block {
    at: *mut u8,
    layout: Layout,
    filled_with: u8,
}

// SAFETY: the block is owned by whoever holds this, and memory may be freed on any thread.
unsafe impl Send for Block {}

impl Block {
    fn new(layout: Layout, zeroed: bool, filled_with: u8) -> Self {
        // SAFETY: no layout of `step` has size zero.
        let at = unsafe { if zeroed { alloc_zeroed(layout) } else { alloc(layout) } };
        assert!(!at.is_null());
        let mut block = Self { at, layout, filled_with };
        assert!(!zeroed || block.bytes().iter().all(|byte| *byte == 0));
        block.bytes().fill(filled_with);
        block
    }

    fn bytes(&mut self) -> &mut [u8] {
        assert_eq!(self.at.addr() % self.layout.align(), 0, "{:?}", self.layout);
        // SAFETY: the block is this long, and written before it is read (or read as bytes of any value).
        unsafe { std::slice::from_raw_parts_mut(self.at, self.layout.size()) }
    }

    fn resize(&mut self, size: usize) {
        // SAFETY: the block was made with this layout; the size is not zero.
        self.at = unsafe { realloc(self.at, self.layout, size) };
        assert!(!self.at.is_null());
        let kept = size.min(self.layout.size());
        self.layout = Layout::from_size_align(size, self.layout.align()).expect("a small layout");
        let filled_with = self.filled_with;
        assert!(self.bytes()[..kept].iter().all(|byte| *byte == filled_with));
        self.bytes().fill(filled_with);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let filled_with = self.filled_with;
        assert!(self.bytes().iter().all(|byte| *byte == filled_with));
        // SAFETY: the block was made with this layout and is freed once.
        unsafe { dealloc(self.at, self.layout) }
    }
}

/// Plays `steps` as tenant `plc`; after each, `check` is told what should be live.
fn play(steps: Vec<Step>, plc: Tenant, check: impl Fn(Live)) {
    let mut blocks: Vec<Block> = Vec::with_capacity(steps.len());
    for (n, step) in steps.into_iter().enumerate() {
        match step {
            Step::Alloc { size, align, zeroed } => {
                let layout = Layout::from_size_align(size, align).expect("a small layout");
                let _current = plc.enter();
                blocks.push(Block::new(layout, zeroed, n as u8));
            }
            Step::Realloc { block, size } if !blocks.is_empty() => {
                let at = block % blocks.len();
                blocks[at].resize(size);
            }
            Step::Free { block } if !blocks.is_empty() => drop(blocks.swap_remove(block % blocks.len())),
            Step::FreeElsewhere { block } if !blocks.is_empty() => {
                let block = blocks.swap_remove(block % blocks.len());
                std::thread::spawn(move || drop(block)).join().expect("freeing does not panic");
            }
            _ => {}
        }
        let bytes = blocks.iter().map(|block| block.layout.size() as u64).sum();
        check(Live { bytes, blocks: blocks.len() as u64 });
    }
}

fn run(check: impl Fn(Tenant, Live)) {
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let plc = Tenant::named("plc");
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
        .run(&proptest::collection::vec(step(), 1..60), |steps| {
            play(steps, plc, |expected| check(plc, expected));
            Ok(())
        })
        .expect("the contract holds");
}

fn any_sequence_keeps_contents_and_alignment_and_returns_to_zero() {
    let of = |plc| heap::live_of(|tenant| tenant == plc).expect("sites are kept");
    run(|plc, expected| assert_eq!(of(plc), expected));
    let plc = Tenant::named("plc");
    assert_eq!(of(plc), Live::default());
    let sites: Vec<_> = heap::sites().into_iter().filter(|site| site.tenant == plc.id()).collect();
    assert!(!sites.is_empty());
    assert!(sites.iter().all(|site| (site.live_blocks, site.live_bytes) == (0, 0)), "{sites:?}");
}

fn any_sequence_keeps_contents_when_only_counting() {
    run(|_, _| ());
}

fn any_sequence_keeps_contents_when_off() {
    run(|_, _| ());
}

fn a_size_that_cannot_be_is_refused() {
    // With its header this is longer than any layout may be.
    let huge = Layout::from_size_align(isize::MAX as usize - 15, 16).expect("the largest layout");
    let before = heap::live();
    // SAFETY: the size is not zero.
    assert!(unsafe { std::hint::black_box(alloc(huge)) }.is_null());
    assert_eq!(heap::live(), before);
}
