//! What JSON says about values and stations.

use s7_wire::Value;
use serde::{Serialize, Serializer};

use crate::cache::{Cache, Latest};
use crate::config::TagConfig;
use crate::hub::event;
use crate::shared::Shared;
use crate::station::status::Phase;

/// One value, with its age.
#[derive(Serialize)]
pub struct Reading {
    #[serde(serialize_with = "event::value")]
    value: Option<Value>,
    age_ms: Option<u64>,
    quality: &'static str,
    updates: u64,
}

impl Reading {
    pub fn of(cache: &Cache, latest: &Latest) -> Self {
        Self {
            value: latest.value,
            age_ms: latest.at.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)),
            quality: cache.quality(latest).word(),
            updates: latest.updates,
        }
    }
}

/// Every value: stations and tags in the order of the configuration.
pub struct AllReadings<'a>(pub &'a Shared);

impl Serialize for AllReadings<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.0.stations.list().iter().map(|station| {
            let readings = station
                .cache
                .look(|latest| latest.iter().map(|latest| Reading::of(&station.cache, latest)).collect());
            (&station.config.name, StationReadings { tags: &station.config.tags, readings })
        }))
    }
}

struct StationReadings<'a> {
    tags: &'a [TagConfig],
    readings: Vec<Reading>,
}

impl Serialize for StationReadings<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.tags.iter().map(|tag| &tag.name).zip(&self.readings))
    }
}

/// How the gateway and each station are.
pub struct Health<'a>(pub &'a Shared);

#[derive(Serialize)]
struct StationHealth {
    phase: &'static str,
    connects: u64,
    polls: u64,
    failures: u64,
    last_error: Option<&'static str>,
}

#[derive(Serialize)]
struct HealthBody<'a> {
    status: &'static str,
    #[serde(serialize_with = "stations")]
    stations: &'a Shared,
}

impl Serialize for Health<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let online = self.0.stations.list().iter().all(|station| station.status.phase() == Phase::Online);
        HealthBody { status: if online { "ok" } else { "degraded" }, stations: self.0 }.serialize(out)
    }
}

fn stations<S: Serializer>(shared: &&Shared, out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(shared.stations.list().iter().map(|station| {
        let status = &station.status;
        let health = StationHealth {
            phase: status.phase().word(),
            connects: status.connects.read(),
            polls: status.polls.read(),
            failures: status.failures.read(),
            last_error: status.last_error(),
        };
        (&station.config.name, health)
    }))
}
