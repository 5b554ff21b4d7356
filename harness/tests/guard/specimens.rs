//! Tests that leave something behind, and their twins that do not.
//!
//! What never ends need not be waited for as long as what ends late: those that leak have a short `settle`.

use std::fs::File;
use std::future::pending;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;

/// Whether this process was started for the specimen called `name`.
fn asked(name: &str) -> bool {
    std::env::var("SPECIMEN").is_ok_and(|asked| asked == name)
}

/// A test that does `$body` where it is asked for, and passes else.
macro_rules! specimen {
    ($(#[$attribute:meta])* $name:ident $body:block) => {
        $(#[$attribute])*
        async fn $name() {
            if asked(stringify!($name)) $body
        }
    };
}

fn spawn_for_ever() {
    tokio::spawn(pending::<()>()); // here: task
}

specimen! { #[watertight::test(settle = "100ms")] leaks_a_task { spawn_for_ever(); } }
specimen! { #[watertight::test(flavor = "multi_thread", worker_threads = 2, settle = "100ms")] leaks_a_task_on_threads { spawn_for_ever(); } }
specimen! { #[watertight::test(start_paused = true, settle = "100ms")] leaks_a_task_in_paused_time { spawn_for_ever(); } }
specimen! { #[watertight::test] joins_its_task { tokio::spawn(async {}).await.unwrap(); } }
specimen! {
    #[watertight::test]
    task_ends_soon { tokio::spawn(tokio::time::sleep(Duration::from_millis(50))); }
}
specimen! {
    #[watertight::test(start_paused = true)]
    task_ends_soon_in_paused_time { tokio::spawn(tokio::time::sleep(Duration::from_millis(500))); }
}
specimen! {
    #[watertight::test(ignore(site = "guard/specimens.rs", reason = "known"), settle = "100ms")]
    leaks_what_is_known { spawn_for_ever(); }
}
specimen! {
    #[watertight::test(ignore(site = "guard/specimens.rs", reason = "known", until = "2020-01-31"), settle = "100ms")]
    leaks_what_was_known { spawn_for_ever(); }
}
specimen! { #[watertight::test(tolerance(tasks = 1), settle = "100ms")] leaks_what_is_tolerated { spawn_for_ever(); } }

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn keep(bytes: usize) {
    let block = vec![0_u8; bytes]; // here: heap
    KEPT.lock().unwrap().push(block);
}

specimen! { #[watertight::test(cycles = 20)] keeps_a_kilobyte_a_cycle { keep(1_024); } }
specimen! {
    #[watertight::test(cycles = 20, flavor = "multi_thread", worker_threads = 2)]
    keeps_a_kilobyte_a_cycle_in_tasks { tokio::spawn(async { keep(1_024) }).await.unwrap(); }
}
specimen! {
    #[watertight::test(cycles = 40)]
    writes_a_log_that_only_grows { LOG.lock().unwrap().extend([0; 1_024]); }
}
specimen! { #[watertight::test(cycles = 20)] keeps_nothing { drop(vec![0_u8; 1_024]); } }
specimen! {
    #[watertight::test(cycles = 20, tolerance(heap = "8KiB"))]
    keeps_what_is_tolerated { keep(1_024); }
}
specimen! { #[watertight::test(cycles = 20, settle = "100ms")] leaks_a_task_a_cycle { spawn_for_ever(); } }
specimen! { #[watertight::test(cycles = 20, settle = "100ms")] forgets_a_file_a_cycle { forget_a_file(); } }

fn forget_a_file() {
    std::mem::forget(File::open("/dev/null").unwrap()); // here: file
}

static SOCKETS: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());

specimen! { #[watertight::test(settle = "100ms")] forgets_a_file { forget_a_file(); } }
specimen! {
    #[watertight::test(settle = "100ms")]
    keeps_a_socket {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap(); // here: socket
        SOCKETS.lock().unwrap().push(socket);
    }
}
specimen! {
    #[watertight::test(settle = "100ms")]
    opens_a_file_on_first_use {
        static FIRST: OnceLock<File> = OnceLock::new();
        FIRST.get_or_init(|| File::open("/dev/null").unwrap());
    }
}
specimen! {
    #[watertight::test(settle = "100ms")]
    forgets_a_file_beside_one_of_first_use {
        static FIRST: OnceLock<File> = OnceLock::new();
        FIRST.get_or_init(|| File::open("/dev/zero").unwrap());
        forget_a_file();
    }
}
specimen! { #[watertight::test] closes_its_socket { drop(TcpListener::bind("127.0.0.1:0").await.unwrap()); } }

fn sleep_for_ever() {
    loop {
        std::thread::park();
    }
}

fn park_for_ever() {
    std::thread::spawn(sleep_for_ever); // here: thread
}

specimen! { #[watertight::test(settle = "100ms")] leaves_a_thread { park_for_ever(); } }
specimen! {
    #[watertight::test(settle = "100ms")]
    starts_a_thread_on_first_use {
        static FIRST: OnceLock<()> = OnceLock::new();
        FIRST.get_or_init(park_for_ever);
    }
}
specimen! { #[watertight::test] joins_its_thread { std::thread::spawn(|| ()).join().unwrap(); } }
specimen! {
    #[watertight::test(settle = "100ms")]
    blocks_for_ever {
        tokio::task::spawn_blocking(sleep_for_ever); // here: blocking
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
}
specimen! {
    #[watertight::test]
    blocks_and_ends {
        let calls: Vec<_> = (0..8).map(|_| tokio::task::spawn_blocking(|| ())).collect();
        for call in calls { call.await.unwrap(); }
    }
}
specimen! {
    #[watertight::test(flavor = "multi_thread", worker_threads = 2)]
    blocks_in_place { tokio::task::block_in_place(|| ()); tokio::spawn(async {}).await.unwrap(); }
}
specimen! {
    #[watertight::test(settle = "100ms")]
    forgets_a_runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        std::mem::forget(runtime);
    }
}
specimen! {
    #[watertight::test]
    ends_its_runtimes {
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.spawn(pending::<()>());
            runtime.shutdown_background();
        }
    }
}
specimen! {
    #[watertight::test]
    uses_a_local_set {
        let local = tokio::task::LocalSet::new();
        #[expect(clippy::disallowed_methods, reason = "such tests are there")]
        local.run_until(async { tokio::task::spawn_local(async {}).await.unwrap() }).await;
    }
}

specimen! { #[watertight::test] panics { spawn_for_ever(); panic!("a reason of its own"); } }
#[watertight::test]
async fn returns_an_error() -> Result<(), String> {
    spawn_for_ever_if_asked("returns_an_error");
    if asked("returns_an_error") { Err("an error of its own".to_owned()) } else { Ok(()) }
}
#[watertight::test(settle = "100ms")]
async fn returns_ok_and_leaks() -> Result<(), String> {
    spawn_for_ever_if_asked("returns_ok_and_leaks");
    Ok(())
}

fn spawn_for_ever_if_asked(name: &str) {
    if asked(name) {
        spawn_for_ever();
    }
}

#[watertight::test]
#[should_panic(expected = "as it should")]
async fn panics_as_it_should() {
    panic!("as it should");
}
#[watertight::test(settle = "100ms")]
#[should_panic(expected = "as it should")]
async fn panics_as_it_should_and_leaks() {
    spawn_for_ever_if_asked("panics_as_it_should_and_leaks");
    panic!("as it should");
}
#[watertight::test(settle = "100ms")]
#[should_panic]
async fn leaks_in_the_place_of_a_panic() {
    spawn_for_ever_if_asked("leaks_in_the_place_of_a_panic");
    assert!(asked("leaks_in_the_place_of_a_panic"), "it panics where nobody asks");
}

specimen! { #[watertight::test(timeout = "100ms")] hangs { pending::<()>().await; } }
specimen! { #[watertight::test(timeout = "100ms", start_paused = true)] hangs_in_paused_time { pending::<()>().await; } }
specimen! { #[watertight::test(timeout = "100ms")] blocks_its_own_thread { loop { std::thread::park() } } }
specimen! {
    #[watertight::test(settle = "100ms")]
    fails_the_second_time {
        static FIRST: OnceLock<()> = OnceLock::new();
        assert!(FIRST.set(()).is_ok(), "already played");
        forget_a_file();
    }
}
specimen! {
    #[watertight::test(cycles = 20)]
    fails_in_its_second_cycle {
        static FIRST: OnceLock<()> = OnceLock::new();
        assert!(FIRST.set(()).is_ok(), "already played");
    }
}
// The wait for its task is no reason to ask the pool in each round: that makes threads.
specimen! {
    #[watertight::test(cycles = 40, flavor = "multi_thread", worker_threads = 2)]
    blocks_and_ends_later {
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        tokio::spawn(tokio::time::sleep(Duration::from_millis(3)));
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        assert!(threads < 32, "{threads} threads");
    }
}
specimen! {
    #[watertight::test]
    guards_by_hand {
        let guard = watertight::guard();
        tokio::spawn(async {}).await.unwrap();
        guard.check().await.unwrap();
        let guard = watertight::guard();
        let task = tokio::spawn(pending::<()>());
        let left = guard.settle(Duration::from_millis(20)).check().await.unwrap_err();
        assert_eq!(left.to_string(), "stayed behind: 1 task");
        assert_eq!(format!("{left:?}"), "watertight: stayed behind: 1 task");
        task.abort();
        watertight::guard().cycles(20).run(|| async { drop(vec![0; 1_000]) }).await.unwrap();
        let grows = watertight::guard().cycles(20).run(|| async { keep(1_024) }).await.unwrap_err();
        assert!(grows.to_string().contains("heap bytes grow by"), "{grows}");
    }
}
specimen! {
    #[watertight::test]
    drops_a_guard_unchecked {
        let _guard = watertight::guard();
        spawn_for_ever();
    }
}
