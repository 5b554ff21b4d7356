//! The ledger follows every task from spawn to end, and no other.

use std::future::pending;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use watertight_probe::heap::{self, Live};
use watertight_probe::tasks::{self, TaskInfo};
use watertight_probe::{Tenant, plant};

use crate::case::cases;

cases![
    a_live_task_is_listed_with_the_line_that_spawned_it_its_tenant_and_its_age,
    tasks_that_end_panic_or_are_aborted_leave_the_ledger,
    blocking_tasks_are_not_counted,
    dropping_a_multi_thread_runtime_empties_the_ledger,
    a_task_spawned_too_late_is_not_counted,
    children_inherit_the_tenant_through_awaits_and_spawns,
    polls_of_one_tenant_do_not_tag_blocks_of_another,
    a_churn_of_tasks_leaves_the_heap_as_it_was,
    a_planted_task_names_its_line,
    without_install_the_ledger_says_why_it_is_empty,
];

pub fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    tasks::install(&mut builder);
    builder.enable_all().start_paused(true).build().expect("a runtime")
}

pub fn two_workers() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    tasks::install(&mut builder);
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

fn a_live_task_is_listed_with_the_line_that_spawned_it_its_tenant_and_its_age() {
    paused().block_on(async {
        let plc = Tenant::named("plc-2");
        let line = line!() + 3;
        let task = {
            let _current = plc.enter();
            tokio::spawn(pending::<()>())
        };
        tokio::time::sleep(Duration::from_secs(90)).await;
        let id = task.id().to_string().parse().expect("ids are numbers");
        let expected = TaskInfo {
            id,
            file: "harness/probe/tests/it/tasks.rs".to_owned(),
            line,
            tenant: plc.id(),
            age: Duration::from_secs(90),
        };
        assert_eq!(tasks::live(), [expected]);
        assert_eq!((tasks::count(|tenant| tenant == plc), tasks::count(|tenant| tenant != plc)), (1, 0));
    });
}

fn tasks_that_end_panic_or_are_aborted_leave_the_ledger() {
    for runtime in [paused(), two_workers()] {
        runtime.block_on(async {
            let ends = tokio::spawn(async {});
            let panics = tokio::spawn(async { panic!("on purpose") });
            let aborted = tokio::spawn(pending::<()>());
            assert!(tasks::count(|_| true) >= 1);
            aborted.abort();
            ends.await.expect("it ends");
            assert!(panics.await.expect_err("it panics").is_panic());
            assert!(aborted.await.expect_err("it is aborted").is_cancelled());
            empty_ledger().await;
        });
    }
    assert_eq!(watertight_probe::panics::count(|_| true), 2);
}

/// Waits for the ledger to empty: a worker wakes whoever joins a task before it tells the ledger.
async fn empty_ledger() {
    for _ in 0..1_000_000 {
        if tasks::live().is_empty() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("still live: {:#?}", tasks::live());
}

fn blocking_tasks_are_not_counted() {
    two_workers().block_on(async {
        let kept = tokio::spawn(pending::<()>());
        for _ in 0..50 {
            let blocking = tokio::task::spawn_blocking(|| tasks::count(|_| true));
            assert_eq!(blocking.await.expect("it ends"), 1);
        }
        assert_eq!(tasks::count(|_| true), 1);
        kept.abort();
    });
}

fn dropping_a_multi_thread_runtime_empties_the_ledger() {
    for _ in 0..20 {
        let runtime = two_workers();
        let _tasks: Vec<_> = (0..100).map(|_| runtime.spawn(pending::<()>())).collect();
        assert_eq!(tasks::count(|_| true), 100);
        drop(runtime);
        assert_eq!(tasks::live(), []);
    }
}

fn a_task_spawned_too_late_is_not_counted() {
    for runtime in [paused(), two_workers()] {
        let handle = runtime.handle().clone();
        drop(runtime);
        let late = handle.spawn(pending::<()>());
        assert!(late.is_finished());
        assert_eq!(tasks::live(), []);
    }
}

fn children_inherit_the_tenant_through_awaits_and_spawns() {
    for runtime in [paused(), two_workers()] {
        let plc = Tenant::named("plc-7");
        let block = runtime.block_on(async {
            let family = plc.scope(async {
                let parent = tokio::spawn(async {
                    tokio::task::yield_now().await;
                    let child = tokio::spawn(async {
                        // The parent waits for this one, so both are alive.
                        assert_eq!(tasks::count(|tenant| tenant == Tenant::named("plc-7")), 2);
                        (Tenant::current(), vec![0_u8; 77])
                    });
                    child.await.expect("it ends")
                });
                parent.await.expect("it ends")
            });
            let (tenant, block) = family.await;
            assert_eq!((tenant, Tenant::current()), (plc, Tenant::NONE));
            block
        });
        drop(runtime);
        assert_eq!(heap::live_of(|tenant| tenant == plc), Some(Live { bytes: 77, blocks: 1 }));
        drop(block);
    }
}

fn polls_of_one_tenant_do_not_tag_blocks_of_another() {
    paused().block_on(async {
        let [a, b] = ["a", "b"].map(Tenant::named);
        let hold = |bytes: usize| async move {
            let _block = std::hint::black_box(vec![0_u8; bytes]);
            tokio::task::yield_now().await;
            let _other = std::hint::black_box(vec![0_u8; bytes]);
            pending::<()>().await;
        };
        // The runtime's own list of who yielded grows with the first one.
        tokio::task::yield_now().await;
        let before = [a, b].map(|wanted| heap::live_of(|tenant| tenant == wanted).expect("tenants are kept"));
        let spawn = |tenant: Tenant, bytes| {
            // Spawned as nobody's, so that the task's own block is nobody's: the scope is the tenant's.
            let future = tenant.scope(hold(bytes));
            tokio::spawn(future)
        };
        let _tasks = [spawn(a, 1000), spawn(b, 30_000)];
        let boxed = [a, b].map(|wanted| heap::live_of(|tenant| tenant == wanted).expect("tenants are kept"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = [a, b].map(|wanted| heap::live_of(|tenant| tenant == wanted).expect("tenants are kept"));
        assert_eq!(before, [Live::default(); 2]);
        assert_eq!([after[0].bytes - boxed[0].bytes, after[1].bytes - boxed[1].bytes], [2000, 60_000]);
        assert_eq!([after[0].blocks - boxed[0].blocks, after[1].blocks - boxed[1].blocks], [2, 2]);
    });
}

fn a_churn_of_tasks_leaves_the_heap_as_it_was() {
    paused().block_on(async {
        let round = || async {
            let tasks: Vec<_> =
                (0..300).map(|n| tokio::spawn(tokio::time::sleep(Duration::from_millis(n)))).collect();
            for task in tasks {
                task.await.expect("it ends");
            }
        };
        // The runtime's own queues grow in the first rounds.
        round().await;
        round().await;
        let before = (heap::live(), tasks::count(|_| true));
        for _ in 0..20 {
            round().await;
        }
        assert_eq!((heap::live(), tasks::count(|_| true)), before);
    });
}

fn a_planted_task_names_its_line() {
    paused().block_on(async {
        plant::task();
        let [task]: [TaskInfo; 1] = tasks::live().try_into().expect("one task");
        assert_eq!(task.file, "harness/probe/src/plant.rs");
        let text = std::fs::read_to_string("src/plant.rs").expect("tests run in the crate's folder");
        let line = text.lines().nth(task.line as usize - 1).expect("a line of it");
        assert!(line.contains("tokio::spawn("), "{line}");
    });
}

fn without_install_the_ledger_says_why_it_is_empty() {
    assert_eq!(tasks::why_not_tracked(), Some("watertight_probe::tasks::install was not called"));
    drop(paused());
    assert_eq!(tasks::why_not_tracked(), None);
}
