//! The tree of tenants: who is within whom, where it ends, and what its branches hold.

use std::future::pending;

use watertight_probe::heap::{self, Live};
use watertight_probe::tenant::{self, DEPTH_MAX, TENANTS_MAX};
use watertight_probe::{Tenant, plant, tasks, threads};

use crate::case::cases;
use crate::tasks::paused;

cases![
    a_child_is_within_all_above_it_and_within_nobody_else,
    a_name_is_one_child_per_parent,
    children_of_a_full_table_count_as_their_parent,
    a_branch_that_is_too_deep_counts_as_its_deepest_tenant,
    registering_and_asking_allocates_nothing_that_counts,
    a_branch_holds_what_its_tenants_hold,
    tasks_are_counted_tenant_by_tenant,
    a_thread_belongs_to_whom_it_was_spawned_for,
    threads_are_nobodys_unless_they_are_told_apart,
];

fn a_child_is_within_all_above_it_and_within_nobody_else() {
    let [target, world] = ["target", "world"].map(Tenant::named);
    let station = target.child("plc-7");
    let session = station.child("session");
    assert_eq!(session.path(), "target/plc-7/session");
    assert_eq!(
        [target, Tenant::NONE, Tenant::PROBE].map(Tenant::path),
        ["target", "none", "probe"].map(str::to_owned)
    );
    assert_eq!((session.parent(), target.parent()), (Some(station), Some(Tenant::NONE)));
    for above in [session, station, target, Tenant::NONE] {
        assert!(session.is_within(above), "{above}");
    }
    assert!(!session.is_within(world) && !session.is_within(Tenant::PROBE));
    assert!(!target.is_within(station), "a parent is not within its child");
    assert_eq!((Tenant::NONE.parent(), Tenant::PROBE.parent()), (None, None));
    assert!(!Tenant::PROBE.is_within(Tenant::NONE), "the probe stands outside");
    assert_eq!(Tenant::PROBE.child("any"), Tenant::PROBE);
}

fn a_name_is_one_child_per_parent() {
    let [a, b] = ["a", "b"].map(Tenant::named);
    let of_a = a.child("plc-1");
    assert_eq!((of_a, of_a.name()), (a.child("plc-1"), "plc-1".to_owned()));
    assert_ne!(of_a, b.child("plc-1"));
    assert_eq!(Tenant::NONE.child("a"), a);
    assert_eq!((a.find("plc-1"), b.find("plc-2"), of_a.find("a")), (Some(of_a), None, None));
    assert_eq!(b.find("plc-1"), Some(b.child("plc-1")));
}

fn children_of_a_full_table_count_as_their_parent() {
    let target = Tenant::named("target");
    // Two are built in, and one is the target.
    let children: Vec<Tenant> = (3..TENANTS_MAX).map(|n| target.child(&format!("plc-{n}"))).collect();
    assert!(children.iter().all(|child| child.parent() == Some(target)));
    assert_eq!((target.child("one too many"), tenant::overflows()), (target, 1));
    assert_eq!((Tenant::named("another"), tenant::overflows()), (Tenant::NONE, 2));
    assert_eq!(target.child("plc-3"), children[0], "those that are known stay known");
}

fn a_branch_that_is_too_deep_counts_as_its_deepest_tenant() {
    let deepest = (0..DEPTH_MAX).fold(Tenant::NONE, |parent, _| parent.child("deeper"));
    assert_eq!((deepest.child("deeper"), tenant::overflows()), (deepest, 1));
    assert!(deepest.is_within(Tenant::named("deeper")));
}

fn registering_and_asking_allocates_nothing_that_counts() {
    let before = heap::live();
    let target = Tenant::named("target");
    let child = target.child("plc-1");
    assert!(child.is_within(target) && target.find("plc-1") == Some(child));
    drop((heap::live_by_tenant(), tasks::alive_by_tenant()));
    assert_eq!(heap::live(), before);
}

fn a_branch_holds_what_its_tenants_hold() {
    let target = Tenant::named("target");
    let plant_in = |tenant: Tenant, bytes| {
        let _current = tenant.enter();
        plant::heap(bytes);
    };
    let [one, two] = ["plc-1", "plc-2"].map(|name| target.child(name));
    for (tenant, bytes) in [(target, 1), (one, 10), (two, 100), (one.child("session"), 1000)] {
        plant_in(tenant, bytes);
    }
    plant_in(Tenant::named("world"), 10_000);
    let within = |branch| heap::live_of(|tenant| tenant.is_within(branch)).expect("tenants are kept");
    assert_eq!(within(target), Live { bytes: 1111, blocks: 4 });
    assert_eq!(within(one), Live { bytes: 1010, blocks: 2 });
    assert_eq!(heap::live_of_tenant(one), Some(Live { bytes: 10, blocks: 1 }));
    assert_eq!(heap::live_of_tenant(Tenant::PROBE), None);
    let listed: Vec<_> = heap::live_by_tenant().into_iter().filter(|(of, _)| *of == two).collect();
    assert_eq!(listed, [(two, Live { bytes: 100, blocks: 1 })]);
}

fn tasks_are_counted_tenant_by_tenant() {
    paused().block_on(async {
        let target = Tenant::named("target");
        let spawn_in = |tenant: Tenant, tasks: usize| {
            let _current = tenant.enter();
            (0..tasks).map(|_| tokio::spawn(pending::<()>())).collect::<Vec<_>>()
        };
        let [one, two] = ["plc-1", "plc-2"].map(|name| target.child(name));
        let ended = spawn_in(one, 3);
        drop((spawn_in(two, 2), spawn_in(Tenant::PROBE, 4)));
        assert_eq!(tasks::alive_by_tenant(), [(one, 3), (two, 2)]);
        for task in ended {
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        }
        assert_eq!(tasks::alive_by_tenant(), [(two, 2)]);
        assert_eq!(tasks::count(|tenant| tenant.is_within(target)), 2);
    });
}

/// What a thread says of itself that `tenant` spawns: its number, and whom it runs for.
fn spawned_by(tenant: Tenant) -> (u32, Tenant) {
    let _for = tenant.enter();
    let thread = std::thread::spawn(|| (threads::current(), Tenant::current()));
    thread.join().expect("it does not panic")
}

fn a_thread_belongs_to_whom_it_was_spawned_for() {
    threads::tell_apart();
    for tenant in [Tenant::named("target"), Tenant::named("target").child("plc-7"), Tenant::NONE] {
        let (number, inside) = spawned_by(tenant);
        assert_eq!((threads::owner(number), inside), (Some(tenant), tenant));
    }
}

fn threads_are_nobodys_unless_they_are_told_apart() {
    let (number, inside) = spawned_by(Tenant::named("target"));
    assert_eq!((threads::owner(number), inside), (None, Tenant::NONE));
}
