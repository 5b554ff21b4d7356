//! What is measured of a target: a program that tells nothing of itself is seen from outside alone.

use super::{Look, Remark};
use crate::resource::Resource;
use crate::scenario::Target;
use crate::world::World;

/// What a census of the target will hold.
pub(super) struct Measured {
    tasks: bool,
    heap: bool,
}

impl Measured {
    pub(super) fn of(target: &Target) -> Self {
        if target.name.is_some() || target.probe.is_some() {
            return Self { tasks: true, heap: true };
        }
        let views = &target.inside;
        let prometheus = |tell: fn(&crate::scenario::inside::Prometheus) -> bool| {
            views.prometheus.as_ref().is_some_and(tell)
        };
        let expvar =
            |tell: fn(&crate::scenario::inside::Expvar) -> bool| views.expvar.as_ref().is_some_and(tell);
        Self {
            tasks: views.pprof.is_some()
                || prometheus(|view| view.tasks.is_some())
                || expvar(|view| view.tasks.is_some()),
            heap: views.pprof.as_ref().is_some_and(|view| view.heap)
                || prometheus(|view| view.heap.is_some() || view.heap_blocks.is_some())
                || expvar(|view| view.heap.is_some() || view.heap_blocks.is_some()),
        }
    }

    pub(super) fn has(&self, resource: Resource) -> bool {
        match resource {
            Resource::Tasks => self.tasks,
            Resource::Heap => self.heap,
            Resource::Fds | Resource::Threads | Resource::Rss => true,
        }
    }
}

pub(super) fn remarks<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let measured = Measured::of(&look.scenario.target);
    let missing: Vec<&str> = [Resource::Tasks, Resource::Heap]
        .into_iter()
        .filter(|resource| !measured.has(*resource))
        .map(Resource::name)
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let missing = missing.join(" and ");
    let message = format!("{missing} are not measured: the target tells nothing of them");
    let help = "add what it serves: `inside: { prometheus: .. }`, `pprof` or `expvar`, or link in watertight's probe (`probe`)";
    vec![Remark::new("nothing-inside", look.at(&["target"]), message, help)]
}
