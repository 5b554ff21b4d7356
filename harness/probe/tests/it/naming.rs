//! Heap is named by the first line of the user's own code, whatever stands between it and the allocator: in this file, the
//! function and the line that ends in `// here`.

use std::hint::black_box;
use std::sync::Mutex;

use watertight_probe::frames::{self, Frame};
use watertight_probe::{heap, tasks};

use crate::case::cases;
use crate::tasks::paused;

cases![
    a_generic_function_of_a_dependency_is_not_the_place,
    a_closure_in_a_chain_of_iterators_is_the_place,
    what_collect_allocates_is_named_by_the_line_that_collects,
    an_async_fn_is_named_by_itself_and_its_line,
    a_drop_that_keeps_something_is_the_place,
    heap_knows_the_task_that_allocated_it,
    the_unwinder_names_the_same_line["WATERTIGHT_HEAP" = "unwind"],
];

/// The stack of the site that gained the most bytes while `work` ran.
fn stack_of(work: impl FnOnce()) -> (heap::SiteCount, Vec<Frame>) {
    let before = heap::sites();
    work();
    let changes = heap::changes(&before, &heap::sites());
    let (site, ..) = *changes.iter().max_by_key(|(_, _, bytes)| *bytes).expect("something is kept");
    (site, frames::resolve([site.id]).remove(&site.id).expect("it was asked for"))
}

/// The marked line of this file, the `nth` from 0.
fn marked(nth: usize) -> String {
    let text = include_str!("naming.rs");
    let lines = text.lines().enumerate().filter(|(_, line)| line.ends_with("; // here"));
    let (at, _) = lines.into_iter().nth(nth).expect("it is marked");
    format!("harness/probe/tests/it/naming.rs:{}", at + 1)
}

#[track_caller]
fn assert_names(stack: &[Frame], function: &str, line: &str) {
    let own = frames::first_own(stack).expect("this file is the user's own code");
    assert_eq!((own.place().as_str(), own.function.as_str()), (line, function), "{stack:#?}");
}

#[inline(never)]
fn through_a_dependency() {
    let bytes = (0..4_000).map(|n| n as u8).collect::<bytes::BytesMut>(); // here
    std::mem::forget(black_box(bytes));
}

fn a_generic_function_of_a_dependency_is_not_the_place() {
    let (_, stack) = stack_of(through_a_dependency);
    assert!(stack.iter().any(|frame| !frame.own && frame.place().contains("bytes-1")), "{stack:#?}");
    assert_names(&stack, "it::naming::through_a_dependency", &marked(0));
}

#[inline(never)]
fn through_a_closure() {
    let block = |n: usize| {
        let block = vec![n as u8; black_box(1_000)]; // here
        black_box(block)
    };
    (0..4).map(block).for_each(std::mem::forget);
}

fn a_closure_in_a_chain_of_iterators_is_the_place() {
    let (_, stack) = stack_of(through_a_closure);
    assert_names(&stack, "it::naming::through_a_closure", &marked(1));
}

#[inline(never)]
fn through_collect() {
    let words = (0..1_000_u64).filter(|n| n % 3 > 0).map(black_box).collect::<Vec<_>>(); // here
    std::mem::forget(black_box(words));
}

fn what_collect_allocates_is_named_by_the_line_that_collects() {
    let (_, stack) = stack_of(through_collect);
    assert_names(&stack, "it::naming::through_collect", &marked(2));
}

async fn through_an_async_fn() {
    tokio::task::yield_now().await;
    let block = vec![1_u8; black_box(5_000)]; // here
    std::mem::forget(black_box(block));
}

fn an_async_fn_is_named_by_itself_and_its_line() {
    let runtime = paused();
    let (_, stack) = stack_of(|| {
        let task = runtime.spawn(async { through_an_async_fn().await });
        runtime.block_on(task).expect("it ends");
    });
    assert_names(&stack, "it::naming::through_an_async_fn", &marked(3));
}

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

struct KeepsInDrop;

impl Drop for KeepsInDrop {
    fn drop(&mut self) {
        let block = vec![1_u8; black_box(6_000)]; // here
        KEPT.lock().expect("no test panics with it").push(block);
    }
}

fn a_drop_that_keeps_something_is_the_place() {
    let (_, stack) = stack_of(|| drop(black_box([KeepsInDrop, KeepsInDrop])));
    assert_names(&stack, "<KeepsInDrop as Drop>::drop", &marked(4));
}

fn heap_knows_the_task_that_allocated_it() {
    let runtime = paused();
    let line = line!() + 2;
    let (site, _) = stack_of(|| {
        let task = runtime.spawn(through_an_async_fn());
        runtime.block_on(task).expect("it ends");
    });
    let place = format!("harness/probe/tests/it/naming.rs:{line}");
    assert_eq!(tasks::spawned_at(site.spawner), Some(place));
    let (site, _) = stack_of(through_a_closure);
    assert_eq!((site.spawner, tasks::spawned_at(site.spawner)), (0, None), "no task is polled here");
}

/// With frame pointers `unwind` walks those; where a build has none, the same names come from the unwinder's tables.
fn the_unwinder_names_the_same_line() {
    assert_eq!((heap::mode(), heap::why_not_sites()), (heap::Mode::Sites, None));
    let (_, stack) = stack_of(through_a_dependency);
    assert_names(&stack, "it::naming::through_a_dependency", &marked(0));
}
