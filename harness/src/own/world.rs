//! The world of a service of one's own.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::order::{settings, with};
use super::{Own, OwnPeer, program, start_in_sim};
use crate::chaos::SimNet;
use crate::peers::{start_clients, start_servers};
use crate::scenario::{Scenario, Target};
use crate::world::{
    Announced, BoxFuture, Dial, Party, Program, Seat, ServerPlace, Setting, SimTarget, World, WorldError,
    sim_addresses,
};

/// The world whose target is `T`, with the peers that come with the harness.
pub struct OwnWorld<T>(PhantomData<fn() -> T>);

impl<T> Default for OwnWorld<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for OwnWorld<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OwnWorld<T> {}

impl<T: Own> fmt::Debug for OwnWorld<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnWorld").field(&T::NAME).finish()
    }
}

impl<T: Own> World for OwnWorld<T> {
    type Peer = OwnPeer;

    fn check(&self, scenario: &Scenario<OwnPeer>) -> Vec<String> {
        check::<T>(&scenario.target)
    }

    fn needs(&self, scenario: &Scenario<OwnPeer>) -> Vec<String> {
        let program = |peer: &OwnPeer| match peer {
            OwnPeer::Tcp(service) => service.command.iter().flatten().next().cloned(),
            OwnPeer::TcpServer(_) | OwnPeer::TcpClient(_) => None,
        };
        scenario.world.values().filter_map(program).collect()
    }

    fn talks_every(&self, peer: &OwnPeer) -> Option<Duration> {
        match peer {
            OwnPeer::TcpClient(clients) => Some(clients.every.0),
            OwnPeer::Tcp(_) | OwnPeer::TcpServer(_) => None,
        }
    }

    fn seat(&self, peer: &OwnPeer) -> Seat {
        match peer {
            OwnPeer::Tcp(_) | OwnPeer::TcpServer(_) => Seat::Server,
            OwnPeer::TcpClient(_) => Seat::Consumer,
        }
    }

    fn instances(&self, peer: &OwnPeer) -> usize {
        match peer {
            OwnPeer::Tcp(_) => 1,
            OwnPeer::TcpServer(servers) => servers.count,
            OwnPeer::TcpClient(clients) => clients.count,
        }
    }

    fn hello(&self, peer: &OwnPeer) -> Bytes {
        match peer {
            OwnPeer::Tcp(_) | OwnPeer::TcpServer(_) => Bytes::new(),
            OwnPeer::TcpClient(clients) => clients.first_bytes(),
        }
    }

    fn start_sim_server<'a>(
        &'a self,
        setting: Setting<'a, OwnPeer>,
        net: &'a SimNet,
        name: &'a str,
        peer: &'a OwnPeer,
    ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>> {
        Box::pin(async move {
            let mut addresses = sim_addresses(self, setting.scenario);
            match peer {
                OwnPeer::TcpServer(servers) => {
                    start_servers(servers, net, name, addresses.remove(name).unwrap_or_default())
                }
                OwnPeer::Tcp(_) | OwnPeer::TcpClient(_) => Err(WorldError::not_in_sim(name)),
            }
        })
    }

    fn start_sim_target<'a>(
        &'a self,
        setting: Setting<'a, OwnPeer>,
        net: &'a SimNet,
    ) -> BoxFuture<'a, Result<Box<dyn SimTarget>, WorldError>> {
        Box::pin(start_in_sim::<T, _>(setting, net, sim_addresses(self, setting.scenario)))
    }

    fn start_consumer<'a>(
        &'a self,
        setting: Setting<'a, OwnPeer>,
        name: &'a str,
        peer: &'a OwnPeer,
        dial: Arc<dyn Dial>,
    ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>> {
        Box::pin(async move {
            match peer {
                OwnPeer::TcpClient(clients) => Ok(start_clients(&setting, clients, &dial)),
                OwnPeer::Tcp(_) | OwnPeer::TcpServer(_) => {
                    Err(WorldError::Unknown(format!("`{name}` is no consumer")))
                }
            }
        })
    }

    fn server_address(&self, peer: &OwnPeer) -> Option<String> {
        match peer {
            OwnPeer::Tcp(service) => service.address.clone(),
            OwnPeer::TcpServer(_) | OwnPeer::TcpClient(_) => None,
        }
    }

    fn server_program(
        &self,
        setting: &Setting<'_, OwnPeer>,
        name: &str,
        peer: &OwnPeer,
        free_port: u16,
    ) -> Result<Program, WorldError> {
        match peer {
            OwnPeer::Tcp(service) => service.program(setting, name, free_port),
            OwnPeer::TcpServer(servers) => servers.program(setting, name),
            OwnPeer::TcpClient(_) => Err(WorldError::Unknown(format!("`{name}` is no server"))),
        }
    }

    fn server_place(
        &self,
        peer: &OwnPeer,
        announced: &Announced,
        free_port: u16,
    ) -> Result<ServerPlace, WorldError> {
        match peer {
            OwnPeer::Tcp(service) => Ok(service.place(free_port)),
            OwnPeer::TcpServer(servers) => Ok(servers.place(announced)),
            OwnPeer::TcpClient(_) => Err(WorldError::Unknown("a consumer listens nowhere".to_owned())),
        }
    }

    fn target_program(
        &self,
        setting: &Setting<'_, OwnPeer>,
        peers: &BTreeMap<String, Vec<String>>,
    ) -> Result<Program, WorldError> {
        program::program::<T, _>(setting, peers)
    }

    fn target_place(&self, announced: &Announced) -> Option<String> {
        program::place(announced)
    }

    fn rewrite_config(
        &self,
        setting: &Setting<'_, OwnPeer>,
        peers: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), WorldError> {
        program::write_order::<T, _>(setting, peers).map(drop)
    }

    fn sim_config(&self, setting: &Setting<'_, OwnPeer>) -> Result<String, WorldError> {
        Ok(Value::Object(with(setting.scenario.target.with.iter())).to_string())
    }
}

/// What is wrong with `target`, where it means `T`.
fn check<T: Own>(target: &Target) -> Vec<String> {
    match target.name.as_deref() {
        None => return Vec::new(),
        Some(name) if name == T::NAME => {}
        Some(other) => {
            return vec![format!("unknown target `{other}`; known: `{}`, or `command: [..]`", T::NAME)];
        }
    }
    let mut problems = Vec::new();
    if let Some(defect) = &target.defect {
        problems.push(format!("unknown defect `{defect}`: `{}` has settings alone, under `with`", T::NAME));
    }
    match settings::<T>(with(target.with.iter())) {
        Ok(settings) => problems.extend(T::check(&settings)),
        Err(problem) => problems.push(problem),
    }
    problems
}
