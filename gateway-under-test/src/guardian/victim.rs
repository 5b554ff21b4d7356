//! Who has to go: the heaviest consumer by the bytes that wait for it, the heaviest station by its heap. The choice is pure.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::hub::Heaviest;
use crate::observe::Resource;
use crate::shared::Shared;
use crate::station::Station;
use crate::station::status::Phase;
use crate::tenant::Books;

/// A connection that holds much.
pub enum Victim {
    /// A consumer, which is disconnected.
    Consumer {
        /// What waits for it.
        queued_bytes: u64,
        /// Disconnects it.
        cut: CancellationToken,
    },
    /// A station, whose session is ended; it sets up another by itself.
    Station {
        /// What it holds of the resource in question.
        held: u64,
        /// The station.
        station: Arc<Station>,
    },
}

impl Victim {
    /// Ends its connection.
    pub fn evict(&self) {
        match self {
            Self::Consumer { cut, .. } => cut.cancel(),
            Self::Station { station, .. } => station.evict(),
        }
    }
}

/// The heaviest connection; stations whose ordinal is in `spared` are not looked at.
pub fn heaviest(shared: &Shared, resource: Resource, spared: &[u64]) -> Option<Victim> {
    let consumer = shared.hub.heaviest();
    let station = heaviest_station(shared, resource, spared);
    let weights = (consumer.as_ref().map(|one| one.queued_bytes), station.as_ref().map(|(held, _)| *held));
    if consumer_goes_first(resource, weights.0, weights.1) {
        consumer.map(|Heaviest { queued_bytes, cut }| Victim::Consumer { queued_bytes, cut })
    } else {
        station.map(|(held, station)| Victim::Station { held, station })
    }
}

/// Whether the heaviest consumer goes before the heaviest station.
///
/// What waits in a queue was allocated on behalf of a station: a consumer goes as soon as it explains half of what the
/// heaviest station holds. It frees a descriptor without any loss of values, but no task that a station holds.
fn consumer_goes_first(resource: Resource, consumer: Option<u64>, station: Option<u64>) -> bool {
    match (resource, consumer, station) {
        (_, None, _) | (Resource::Tasks, _, Some(_)) => false,
        (Resource::Fds, Some(_), _) | (_, Some(_), None) => true,
        (Resource::Heap, Some(queued_bytes), Some(held)) => queued_bytes >= held / 2,
    }
}

/// The first of those that hold the most, if it has a session that can be ended.
fn heaviest_station(shared: &Shared, resource: Resource, spared: &[u64]) -> Option<(u64, Arc<Station>)> {
    let books = Books::open();
    let mut heaviest: Option<(u64, Arc<Station>)> = None;
    let connected = |station: &&Arc<Station>| {
        matches!(station.status.phase(), Phase::Connected | Phase::Online)
            && !spared.contains(&station.ordinal)
    };
    for station in shared.stations.list().iter().filter(connected) {
        let held = match resource {
            Resource::Tasks => books.tasks(station.tenant),
            Resource::Heap | Resource::Fds => books.heap_bytes(station.tenant),
        };
        let Some(held) = held else { continue };
        if heaviest.as_ref().is_none_or(|(most, _)| held > *most) {
            heaviest = Some((held, Arc::clone(station)));
        }
    }
    heaviest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_goes_once_it_explains_half_of_what_the_heaviest_station_holds() {
        let heap = |consumer, station| consumer_goes_first(Resource::Heap, consumer, station);
        assert!(heap(Some(50), Some(100)) && heap(Some(1), None));
        assert!(!heap(Some(49), Some(100)) && !heap(None, Some(100)) && !heap(None, None));
    }

    #[test]
    fn for_descriptors_consumers_go_and_for_tasks_stations() {
        assert!(consumer_goes_first(Resource::Fds, Some(1), Some(100)));
        assert!(!consumer_goes_first(Resource::Tasks, Some(100), Some(1)));
        assert!(consumer_goes_first(Resource::Tasks, Some(100), None));
    }
}
