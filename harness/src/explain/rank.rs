//! Culprits before victims.

use std::cmp::Reverse;

use super::{Finding, is_own};
use crate::resource::Resource;

/// Orders findings so that the first one is what to fix, and says which others it explains.
///
/// A leaked task explains the heap that was allocated at its spawn (its stack, whatever spawn boxed) or by such tasks
/// themselves, as far as they can hold it, and everything that
/// grows in step with it: so many sockets or blocks a task, to within 2 %. A leaked fd explains heap in step
/// with it likewise. What belongs to other parts of the target than the culprit does is never explained by it. Then: culprits before victims, own code before dependencies, table order (tasks, fds, threads,
/// heap: counts before bytes), more survivors first; sites break ties, so that equal runs print equal reports.
pub fn rank(mut findings: Vec<Finding>) -> Vec<Finding> {
    let culprits: Vec<Finding> = findings
        .iter()
        .filter(|finding| finding.resource < Resource::Heap && finding.survivors > 0)
        .cloned()
        .collect();
    for finding in &mut findings {
        finding.victim_of = culprits
            .iter()
            .filter(|culprit| culprit.resource < finding.resource)
            .filter(|culprit| explains(culprit, finding))
            .min_by_key(|culprit| order(culprit))
            .map(|culprit| culprit.site.clone());
    }
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    findings
}

fn order(finding: &Finding) -> impl Ord + use<'_> {
    (
        finding.victim_of.is_some(),
        !finding.is_own(),
        finding.resource,
        Reverse(finding.survivors),
        Reverse(finding.survivor_bytes),
        &finding.site,
        &finding.stack,
    )
}

fn explains(culprit: &Finding, victim: &Finding) -> bool {
    let at_spawn = is_own(&culprit.site)
        && (victim.site == culprit.site
            || victim.stack.iter().any(|frame| frame.contains(culprit.site.as_str())));
    let by_itself = culprit.resource == Resource::Tasks
        && victim.task.as_ref() == Some(&culprit.site)
        && victim.survivors <= HELD_EACH_MAX.saturating_mul(culprit.survivors);
    (at_spawn || by_itself || in_step(culprit.survivors, victim.survivors)) && !are_apart(culprit, victim)
}

/// Blocks of one site that a leaked task may hold: with more of them it is rather what tasks leave elsewhere that leaks.
const HELD_EACH_MAX: i64 = 64;

/// Whether two findings belong to parts of the target, all of them known, and to none in common.
fn are_apart(a: &Finding, b: &Finding) -> bool {
    let all_known =
        |finding: &Finding| !finding.tenants.is_empty() && finding.tenants.len() == finding.tenants_grown;
    let has = |finding: &Finding, name: &str| finding.tenants.iter().any(|share| share.name == name);
    all_known(a) && all_known(b) && !a.tenants.iter().any(|share| has(b, &share.name))
}

/// How far from a whole number of victims a culprit things may be counted to be in step.
const IN_STEP: f64 = 0.02;

/// Fewer survivors than this are in step with anything by chance.
const IN_STEP_MIN: i64 = 10;

/// Whether there is the same small whole number of victims for each culprit.
fn in_step(culprits: i64, victims: i64) -> bool {
    if culprits < IN_STEP_MIN || victims < culprits {
        return false;
    }
    let each = victims as f64 / culprits as f64;
    each.round() <= 8.0 && (each - each.round()).abs() <= IN_STEP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::TenantShare;

    fn finding(resource: Resource, site: &str, survivors: i64) -> Finding {
        Finding {
            resource,
            site: site.to_owned(),
            function: None,
            survivors,
            survivor_bytes: survivors * 100,
            stack: vec![],
            task: None,
            victim_of: None,
            tenants: vec![],
            tenants_grown: 0,
            ignored: None,
        }
    }

    fn order_of(findings: Vec<Finding>) -> Vec<(String, Option<String>)> {
        rank(findings).into_iter().map(|finding| (finding.site, finding.victim_of)).collect()
    }

    #[test]
    fn a_leaked_task_explains_the_heap_of_its_spawn_and_its_socket() {
        let mut heap = finding(Resource::Heap, "session.rs:9", 731);
        heap.stack = vec!["heartbeat.rs:41 spawn".to_owned()];
        let socket = finding(Resource::Fds, "tcp 127.0.0.1:102", 100);
        let task = finding(Resource::Tasks, "heartbeat.rs:41", 100);
        let culprit = Some("heartbeat.rs:41".to_owned());
        assert_eq!(
            order_of(vec![heap, socket, task]),
            [
                ("heartbeat.rs:41".to_owned(), None),
                ("tcp 127.0.0.1:102".to_owned(), culprit.clone()),
                ("session.rs:9".to_owned(), culprit),
            ]
        );
    }

    #[test]
    fn a_leaked_task_explains_what_such_tasks_allocated_and_can_hold() {
        let task = finding(Resource::Tasks, "heartbeat.rs:41", 100);
        let held = |survivors| {
            let task = Some("heartbeat.rs:41".to_owned());
            Finding { task, ..finding(Resource::Heap, "codec.rs:9", survivors) }
        };
        let victims = |heap| order_of(vec![task.clone(), heap]).into_iter().filter_map(|(_, of)| of).count();
        assert_eq!(victims(held(250)), 1);
        assert_eq!(victims(held(64_001)), 0, "a leak of its own, in the same tasks");
        let elsewhere = Finding { task: Some("hub.rs:7".to_owned()), ..held(250) };
        assert_eq!(victims(elsewhere), 0);
    }

    #[test]
    fn heap_that_grows_at_its_own_pace_is_a_culprit_of_its_own() {
        let task = finding(Resource::Tasks, "heartbeat.rs:41", 100);
        let heap = finding(Resource::Heap, "cache.rs:7", 250);
        assert!(order_of(vec![heap, task]).iter().all(|(_, victim_of)| victim_of.is_none()));
    }

    #[test]
    fn what_belongs_to_one_tenant_is_not_explained_by_another() {
        let of = |resource, site, name: &str| {
            let share = TenantShare {
                name: name.to_owned(),
                survivors: 100,
                survivor_bytes: 0,
                bytes_per_cycle: 0.0,
            };
            Finding { tenants: vec![share], tenants_grown: 1, ..finding(resource, site, 100) }
        };
        let task = of(Resource::Tasks, "heartbeat.rs:41", "plc-3");
        let victims = |heap| order_of(vec![task.clone(), heap]).into_iter().filter_map(|(_, of)| of).count();
        assert_eq!(victims(of(Resource::Heap, "cache.rs:7", "plc-7")), 0);
        assert_eq!(victims(of(Resource::Heap, "cache.rs:7", "plc-3")), 1);
        assert_eq!(victims(finding(Resource::Heap, "cache.rs:7", 100)), 1, "it may be anybody's");
    }

    #[test]
    fn few_survivors_are_never_in_step() {
        assert!(!in_step(1, 1));
        assert!(in_step(100, 200));
        assert!(!in_step(100, 150));
        assert!(!in_step(100, 50));
    }

    #[test]
    fn own_code_comes_before_dependencies_and_more_before_fewer() {
        let foreign = finding(Resource::Heap, "/home/me/.cargo/registry/src/i/bytes-1/src/lib.rs:1", 900);
        let few = finding(Resource::Heap, "a.rs:1", 3);
        let many = finding(Resource::Heap, "b.rs:1", 30);
        let sites: Vec<String> =
            order_of(vec![foreign.clone(), few, many]).into_iter().map(|(site, _)| site).collect();
        assert_eq!(sites, ["b.rs:1", "a.rs:1", foreign.site.as_str()]);
    }

    #[test]
    fn the_order_does_not_depend_on_the_input() {
        let findings = vec![
            finding(Resource::Heap, "a.rs:1", 3),
            finding(Resource::Heap, "b.rs:1", 3),
            finding(Resource::Tasks, "c.rs:1", 3),
        ];
        let mut reversed = findings.clone();
        reversed.reverse();
        assert_eq!(rank(findings), rank(reversed));
    }
}
