//! What engines share about the target and its peers when something happens to their processes.

use super::PlayFailure;
use crate::chaos::toxics::reload::Reload;
use crate::scenario::Scenario;
use crate::scenario::model::PeerSpec;
use crate::timeline::Ended;

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
