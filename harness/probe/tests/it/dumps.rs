//! Task dumps name what a task awaits, and never hang.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use tokio::sync::Notify;
use watertight_probe::Tenant;
use watertight_probe::tasks::{self, DumpError, TaskDump};

use crate::case::cases;
use crate::tasks::{paused, two_workers};

cases![
    a_dump_from_inside_names_the_line_that_awaits,
    a_dump_from_outside_names_the_line_that_awaits,
    a_task_that_was_inlined_away_still_shows_what_it_waits_in,
    a_dump_while_a_worker_is_blocked_ends_at_its_bound,
    a_multi_thread_runtime_is_dumped_once_and_a_current_thread_one_as_often_as_asked,
    a_dump_of_a_dead_runtime_says_so,
];

const AWAITS_AT: u32 = line!() + 2;
async fn wait_for_ever(never: Arc<Notify>) {
    never.notified().await;
}

/// Spawns [`wait_for_ever`] in a scope, and returns when it has been polled.
async fn spawn_waiting() -> tokio::task::Id {
    let (starting, started) = tokio::sync::oneshot::channel();
    let waiting = async move {
        starting.send(()).expect("the test waits");
        wait_for_ever(Arc::default()).await;
    };
    let task = tokio::spawn(Tenant::named("waits").scope(waiting));
    started.await.expect("it is polled");
    task.id()
}

fn assert_names_the_await(dump: &[TaskDump], id: &str) {
    let task = dump.iter().find(|task| task.id.to_string() == id).expect("the task is in the dump");
    let place = format!("harness/probe/tests/it/dumps.rs:{AWAITS_AT}");
    let own = task.trace.iter().position(|line| line.ends_with(&place));
    let own = own.unwrap_or_else(|| panic!("no line ends with {place}: {:#?}", task.trace));
    assert!(own == 1 && task.trace[0].starts_with("waits in "), "{:#?}", task.trace);
    assert!(task.trace[0].contains("tokio-1"), "{:#?}", task.trace);
    assert!(!task.trace.iter().any(|line| line.contains("tokio::runtime")), "{:#?}", task.trace);
}

fn a_dump_from_inside_names_the_line_that_awaits() {
    for runtime in [paused(), two_workers()] {
        runtime.block_on(async {
            let task = spawn_waiting().await;
            let dump = tasks::dump_here(Duration::from_secs(30)).await.expect("nothing blocks");
            assert_names_the_await(&dump, &task.to_string());
        });
    }
}

fn a_dump_from_outside_names_the_line_that_awaits() {
    for runtime in [paused(), two_workers()] {
        let handle = runtime.handle().clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = runtime.block_on(spawn_waiting());
        let driver = std::thread::spawn(move || runtime.block_on(stopped));
        let dump = tasks::dump(&handle, Duration::from_secs(30)).expect("nothing blocks");
        assert_names_the_await(&dump, &task.to_string());
        assert_eq!(dump.len(), 1, "the dump leaves itself out: {dump:#?}");
        stop.send(()).expect("the driver waits");
        driver.join().expect("it does not panic").expect("it was told to stop");
    }
}

fn a_task_that_was_inlined_away_still_shows_what_it_waits_in() {
    paused().block_on(async {
        let task = tokio::spawn(wait_for_ever(Arc::default()));
        tokio::task::yield_now().await;
        let dump = tasks::dump_here(Duration::from_secs(30)).await.expect("nothing blocks");
        assert_eq!(dump.iter().map(|task| task.id.to_string()).collect::<Vec<_>>(), [task.id().to_string()]);
        assert!(dump[0].trace[0].contains("sync/notify.rs"), "{dump:#?}");
    });
}

fn a_dump_while_a_worker_is_blocked_ends_at_its_bound() {
    let runtime = two_workers();
    let [blocked, release] = [(); 2].map(|()| Arc::new(Barrier::new(2)));
    let blocker = runtime.spawn({
        let (blocked, release) = (Arc::clone(&blocked), Arc::clone(&release));
        async move {
            blocked.wait();
            release.wait();
        }
    });
    blocked.wait();
    let within = Duration::from_millis(300);
    assert_eq!(tasks::dump(runtime.handle(), within), Err(DumpError::TimedOut { within }));
    release.wait();
    runtime.block_on(blocker).expect("it ends");
}

fn a_multi_thread_runtime_is_dumped_once_and_a_current_thread_one_as_often_as_asked() {
    let within = Duration::from_secs(30);
    let runtime = two_workers();
    assert_eq!(tasks::dump(runtime.handle(), within), Ok(vec![]));
    assert_eq!(tasks::dump(runtime.handle(), within), Err(DumpError::Spent));
    assert_eq!(tasks::dump(two_workers().handle(), within), Ok(vec![]));
    paused().block_on(async {
        for _ in 0..100 {
            assert_eq!(tasks::dump_here(within).await, Ok(vec![]));
        }
    });
}

fn a_dump_of_a_dead_runtime_says_so() {
    let runtime = two_workers();
    let handle = runtime.handle().clone();
    drop(runtime);
    assert_eq!(tasks::dump(&handle, Duration::from_secs(30)), Err(DumpError::RuntimeGone));
}
