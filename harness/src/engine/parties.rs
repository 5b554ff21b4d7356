//! What engines share about the target and its peers when something happens to their processes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::PlayFailure;
use crate::chaos::toxics::partition::Partition;
use crate::chaos::toxics::reload::Reload;
use crate::chaos::{Change, Link};
use crate::scenario::Scenario;
use crate::scenario::model::PeerSpec;
use crate::scenario::plan::PlannedEvent;
use crate::timeline::Ended;

/// Begins or ends the partition of a target that has no network of its own: every link is a black hole.
pub(super) fn partition(event: &PlannedEvent, links: &BTreeMap<String, Arc<Link>>) {
    let change = if event.change == Change::Partition { Change::Begin } else { Change::End };
    for (name, link) in links {
        link.change(event.id, &Partition::on_link(name), &change);
    }
}

/// A peer that cannot be brought back ends the run.
pub(super) fn peer_failed(name: &str, why: &PlayFailure) -> Ended {
    Ended::PeerFailed { peer: name.to_owned(), how: why.to_string() }
}

/// `scenario` with the target's settings as `reload` wants them.
pub(super) fn reloaded<P: PeerSpec>(scenario: &Scenario<P>, reload: &Reload) -> Scenario<P> {
    let mut reloaded = scenario.clone();
    reloaded.target.with = reload.settings(&scenario.target.with);
    reloaded
}
