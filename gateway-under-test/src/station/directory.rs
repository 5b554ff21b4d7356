//! The stations as configured now: a list that is replaced whole, so that whoever looks sees one configuration.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Parents, Station};
use crate::config::StationConfig;
use crate::tenant::Tenant;

/// The stations, in the order of the configuration.
pub type List = Arc<[Arc<Station>]>;

/// The stations of a gateway.
pub struct Directory {
    /// The gateway's own; each station has one below it.
    tenant: Tenant,
    state: Mutex<State>,
    parents: Parents,
}

struct State {
    list: List,
    /// The ordinal of the next new station.
    next: u64,
}

/// What a new configuration changes; see [`Directory::replace`].
pub struct Replaced {
    /// Stations that are new, or whose settings changed: to be started.
    pub new: Vec<Arc<Station>>,
    /// Stations that are gone, or whose settings changed: to be ended.
    pub gone: Vec<Arc<Station>>,
}

impl Directory {
    /// A station for each configuration.
    pub fn new(configs: &[StationConfig], parents: Parents) -> Self {
        let state = Mutex::new(State { list: Arc::new([]), next: 0 });
        let directory = Self { tenant: Tenant::current(), state, parents };
        directory.replace(configs);
        directory
    }

    /// The stations as they are now. A list that is kept does not change.
    pub fn list(&self) -> List {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner).list)
    }

    /// The station with this name.
    pub fn find(&self, name: &str) -> Option<Arc<Station>> {
        self.list().iter().find(|station| station.config.name == name).map(Arc::clone)
    }

    /// Takes a new configuration: stations that are in it as they were stay, with their sessions and values.
    pub fn replace(&self, configs: &[StationConfig]) -> Replaced {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let old = Arc::clone(&state.list);
        let mut new = Vec::new();
        let list: Vec<Arc<Station>> = configs
            .iter()
            .map(|config| {
                if let Some(same) = old.iter().find(|station| station.config == *config) {
                    return Arc::clone(same);
                }
                let station = self.station(config, state.next);
                state.next += 1;
                new.push(Arc::clone(&station));
                station
            })
            .collect();
        let stays = |station: &&Arc<Station>| list.iter().any(|kept| Arc::ptr_eq(kept, station));
        let gone = old.iter().filter(|station| !stays(station)).map(Arc::clone).collect();
        state.list = list.into();
        Replaced { new, gone }
    }

    /// A new station, which belongs to its own tenant. One that comes back under its name is of the same tenant as before.
    fn station(&self, config: &StationConfig, ordinal: u64) -> Arc<Station> {
        let tenant = self.tenant.child(&config.name);
        let _station = tenant.enter();
        Arc::new(Station::new(config.clone(), ordinal, tenant, &self.parents))
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::buffers::PooledPerStation;
    use crate::config::{TagConfig, TagType};

    fn config(name: &str) -> StationConfig {
        StationConfig::new(name, "plc:102", vec![TagConfig::in_db("t", 1, 0, TagType::Word)])
    }

    fn names(stations: &[Arc<Station>]) -> Vec<&str> {
        stations.iter().map(|station| station.config.name.as_str()).collect()
    }

    #[test]
    fn stations_that_are_configured_as_before_stay_and_others_are_replaced() {
        let parents = Parents { cores: 1, buffers: Arc::new(PooledPerStation) };
        let directory = Directory::new(&[config("a"), config("b"), config("c")], parents);
        let before = directory.list();
        let mut changed = config("b");
        changed.rack = 1;
        let replaced = directory.replace(&[config("d"), changed, config("a")]);
        assert_eq!(names(&replaced.new), ["d", "b"]);
        assert_eq!(names(&replaced.gone), ["b", "c"]);
        let after = directory.list();
        assert_eq!(names(&after), ["d", "b", "a"]);
        assert!(Arc::ptr_eq(&after[2], &before[0]));
        assert_eq!(after.iter().map(|station| station.ordinal).collect::<Vec<_>>(), [3, 4, 0]);
        assert_eq!(directory.find("b").map(|station| station.config.rack), Some(1));
        assert!(directory.find("c").is_none());
    }
}
