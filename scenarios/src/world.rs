//! The S7 world, as the harness asks for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_under_test::guardian::DumpsInMemory;
use gateway_under_test::{Config, Embedding, Gateway};
use watertight::chaos::sim::SimNet;
use watertight::peers::start_clients;
use watertight::scenario::Scenario;
use watertight::scenario::draft::OwnTarget;
use watertight::world::{
    Announced, BoxFuture, Dial, Load, Party, Program, ReadyWhen, SIM_TARGET_ADDRESS, Seat, ServerPlace,
    Setting, SimTarget, World, WorldError, sim_addresses,
};

use crate::mqtt::SimBroker;
use watertight_probe::Tenant;

use crate::net::GatewayNet;
use crate::peers::S7Peer;
use crate::plc::{self, SimPlcs};
use crate::programs::{self, TcpDial};
use crate::redis::SimRedis;
use crate::{consumer, drafts, gateway, mqtt, redis, roles};

/// The S7 world.
#[derive(Debug, Clone, Copy, Default)]
pub struct S7World;

/// What a client of a PLC sends first: a COTP connection request to rack 0, slot 1.
const COTP_HELLO: &[u8] = &[
    0x03, 0x00, 0x00, 0x16, 0x11, 0xe0, 0x00, 0x00, 0x00, 0x01, 0x00, 0xc0, 0x01, 0x0a, 0xc1, 0x02, 0x01,
    0x00, 0xc2, 0x02, 0x01, 0x01,
];

/// What a consumer of the gateway sends first.
const HTTP_HELLO: &[u8] = b"GET /events HTTP/1.1\r\nHost: gateway\r\n\r\n";

impl World for S7World {
    type Peer = S7Peer;

    fn check(&self, scenario: &Scenario<S7Peer>) -> Vec<String> {
        gateway::check(scenario)
    }

    fn needs(&self, scenario: &Scenario<S7Peer>) -> Vec<String> {
        let program = |peer: &S7Peer| match peer {
            S7Peer::S7Command(plc) => plc.command.first().cloned(),
            S7Peer::Mqtt(_) => Some(programs::place_of(mqtt::PROGRAM)),
            S7Peer::Redis(_) => Some(programs::place_of(redis::PROGRAM)),
            S7Peer::Tcp(service) => service.command.iter().flatten().next().cloned(),
            S7Peer::S7(_) | S7Peer::Sse(_) | S7Peer::Values(_) | S7Peer::TcpClient(_) => None,
        };
        scenario.world.values().filter_map(program).collect()
    }

    fn own_target(&self) -> Option<OwnTarget> {
        Some(drafts::gateway())
    }

    fn talks_every(&self, peer: &S7Peer) -> Option<Duration> {
        match peer {
            S7Peer::S7(plcs) => Some(plcs.scan.0),
            S7Peer::S7Command(plc) => Some(plc.scan.0),
            S7Peer::Values(reader) => Some(reader.every.0),
            S7Peer::TcpClient(clients) => Some(clients.every.0),
            S7Peer::Sse(_) | S7Peer::Mqtt(_) | S7Peer::Redis(_) | S7Peer::Tcp(_) => None,
        }
    }

    #[cfg(feature = "container")]
    fn houses(&self) -> Option<&dyn watertight::housing::Houses> {
        Some(&watertight_container::Containers)
    }

    fn seat(&self, peer: &S7Peer) -> Seat {
        match peer {
            S7Peer::S7(_) | S7Peer::S7Command(_) | S7Peer::Mqtt(_) | S7Peer::Redis(_) | S7Peer::Tcp(_) => {
                Seat::Server
            }
            S7Peer::Sse(_) | S7Peer::Values(_) | S7Peer::TcpClient(_) => Seat::Consumer,
        }
    }

    fn instances(&self, peer: &S7Peer) -> usize {
        match peer {
            S7Peer::S7(plcs) => plcs.count,
            S7Peer::Sse(consumers) => consumers.count,
            S7Peer::TcpClient(clients) => clients.count,
            S7Peer::S7Command(_)
            | S7Peer::Values(_)
            | S7Peer::Mqtt(_)
            | S7Peer::Redis(_)
            | S7Peer::Tcp(_) => 1,
        }
    }

    fn hello(&self, peer: &S7Peer) -> Bytes {
        Bytes::from_static(match peer {
            S7Peer::S7(_) | S7Peer::S7Command(_) => COTP_HELLO,
            S7Peer::Sse(_) | S7Peer::Values(_) => HTTP_HELLO,
            S7Peer::Mqtt(_) => mqtt::HELLO,
            S7Peer::Redis(_) => redis::HELLO,
            S7Peer::Tcp(_) => b"",
            S7Peer::TcpClient(clients) => return clients.first_bytes(),
        })
    }

    fn sim_address(&self, name: &str, ordinal: usize) -> String {
        format!("{name}-{ordinal}:102")
    }

    fn start_sim_server<'a>(
        &'a self,
        setting: Setting<'a, S7Peer>,
        net: &'a SimNet,
        name: &'a str,
        peer: &'a S7Peer,
    ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>> {
        Box::pin(async move {
            match peer {
                S7Peer::S7(plcs) => {
                    let address = |ordinal| self.sim_address(name, ordinal);
                    Ok(Box::new(SimPlcs::start(&setting, net, name, plcs, address)?) as Box<dyn Party>)
                }
                S7Peer::Mqtt(spec) => {
                    let address = self.sim_address(name, 0);
                    Ok(Box::new(SimBroker::start(&setting, net, name, spec, &address)?) as Box<dyn Party>)
                }
                S7Peer::Redis(spec) => {
                    let address = self.sim_address(name, 0);
                    Ok(Box::new(SimRedis::start(&setting, net, name, spec, &address)?) as Box<dyn Party>)
                }
                _ => Err(WorldError::Unknown(format!(
                    "`{name}` is a program: it cannot play in sim; use `engines: [process]`"
                ))),
            }
        })
    }

    fn start_sim_target<'a>(
        &'a self,
        setting: Setting<'a, S7Peer>,
        net: &'a SimNet,
    ) -> BoxFuture<'a, Result<Box<dyn SimTarget>, WorldError>> {
        Box::pin(async move {
            let text = self.sim_config(&setting)?;
            let cannot = |why: String| WorldError::Start { what: gateway::NAME.to_owned(), why };
            let config = Config::from_yaml("target", &text).map_err(|error| cannot(error.to_string()))?;
            let net = Arc::new(self.gateway_net(setting.scenario, net));
            let mut embedding = Embedding::default();
            if !gateway::keeps_dumps_on_disk(setting.scenario) {
                // What is written down belongs to whoever reads it, not to the target.
                let _reader = Tenant::NONE.enter();
                embedding.dumps = Some(Arc::new(DumpsInMemory::new(DUMPS_KEPT)));
            }
            let gateway = Gateway::start_with(config, net, setting.seed.0, embedding).await;
            Ok(Box::new(Target(gateway.map_err(|error| cannot(error.to_string()))?)) as Box<dyn SimTarget>)
        })
    }

    fn start_consumer<'a>(
        &'a self,
        setting: Setting<'a, S7Peer>,
        name: &'a str,
        peer: &'a S7Peer,
        dial: Arc<dyn Dial>,
    ) -> BoxFuture<'a, Result<Box<dyn Party>, WorldError>> {
        Box::pin(async move {
            match peer {
                S7Peer::Sse(consumers) => {
                    Ok(Box::new(consumer::start_sse(consumers, setting.pace, &dial)) as Box<dyn Party>)
                }
                S7Peer::Values(reader) => {
                    Ok(Box::new(consumer::start_values(reader, setting.pace, dial)) as Box<dyn Party>)
                }
                S7Peer::TcpClient(clients) => Ok(start_clients(&setting, clients, &dial)),
                S7Peer::S7(_)
                | S7Peer::S7Command(_)
                | S7Peer::Mqtt(_)
                | S7Peer::Redis(_)
                | S7Peer::Tcp(_) => Err(WorldError::Unknown(format!("`{name}` is no consumer"))),
            }
        })
    }

    fn server_address(&self, peer: &S7Peer) -> Option<String> {
        match peer {
            S7Peer::Tcp(service) => service.address.clone(),
            _ => None,
        }
    }

    fn server_program(
        &self,
        setting: &Setting<'_, S7Peer>,
        name: &str,
        peer: &S7Peer,
        free_port: u16,
    ) -> Result<Program, WorldError> {
        match peer {
            S7Peer::S7(plcs) => plc::program(setting, name, plcs),
            S7Peer::S7Command(plc) => Ok(Program {
                name: name.to_owned(),
                argv: plc
                    .command
                    .iter()
                    .map(|word| word.replace("{port}", &free_port.to_string()).into())
                    .collect(),
                env: Vec::new(),
                ready: ReadyWhen::Port(free_port),
                has_probe: false,
            }),
            S7Peer::Mqtt(_) => mqtt::program(setting, name, free_port),
            S7Peer::Redis(_) => Ok(redis::program(name, free_port)),
            S7Peer::Tcp(service) => service.program(setting, name, free_port),
            S7Peer::Sse(_) | S7Peer::Values(_) | S7Peer::TcpClient(_) => {
                Err(WorldError::Unknown(format!("`{name}` is no server")))
            }
        }
    }

    fn server_place(
        &self,
        peer: &S7Peer,
        announced: &Announced,
        free_port: u16,
    ) -> Result<ServerPlace, WorldError> {
        match peer {
            S7Peer::S7(_) => plc::place(announced),
            S7Peer::Tcp(service) => Ok(service.place(free_port)),
            _ => Ok(ServerPlace { instances: vec![format!("127.0.0.1:{free_port}")], stats: None }),
        }
    }

    fn server_load<'a>(
        &'a self,
        _peer: &'a S7Peer,
        place: &'a ServerPlace,
    ) -> BoxFuture<'a, Result<Vec<Load>, WorldError>> {
        Box::pin(plc::read_load(place))
    }

    fn start_server_client<'a>(
        &'a self,
        setting: Setting<'a, S7Peer>,
        _name: &'a str,
        peer: &'a S7Peer,
        place: &'a ServerPlace,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Party>>, WorldError>> {
        Box::pin(async move {
            let address = place.instances.first().cloned().unwrap_or_default();
            let dial: Arc<dyn Dial> = Arc::new(TcpDial { address });
            Ok(match peer {
                S7Peer::Mqtt(spec) => Some(Box::new(mqtt::Driver::start(&setting, spec, &dial)) as Box<_>),
                S7Peer::Redis(spec) => Some(Box::new(redis::Driver::start(&setting, spec, &dial)) as Box<_>),
                _ => None,
            })
        })
    }

    fn target_program(
        &self,
        setting: &Setting<'_, S7Peer>,
        peers: &BTreeMap<String, Vec<String>>,
    ) -> Result<Program, WorldError> {
        let cannot = |why: String| WorldError::Start { what: gateway::NAME.to_owned(), why };
        let path = write_config(setting, peers)?;
        let mut argv = roles::argv(roles::GATEWAY).map_err(|error| cannot(error.to_string()))?;
        argv.extend(["--config".into(), path.into(), "--seed".into(), setting.seed.to_string().into()]);
        let ready = ReadyWhen::Lines(vec!["http on http://".to_owned(), "ready".to_owned()]);
        Ok(Program { name: gateway::NAME.to_owned(), argv, env: Vec::new(), ready, has_probe: true })
    }

    fn target_place(&self, announced: &Announced) -> Option<String> {
        announced.0.first().cloned()
    }

    fn rewrite_config(
        &self,
        setting: &Setting<'_, S7Peer>,
        peers: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), WorldError> {
        write_config(setting, peers).map(drop)
    }

    fn sim_config(&self, setting: &Setting<'_, S7Peer>) -> Result<String, WorldError> {
        let addresses = sim_addresses(self, setting.scenario);
        if gateway::keeps_dumps_on_disk(setting.scenario) {
            let dumps = setting.scratch.join(DUMPS_FOLDER);
            return gateway::config_with_dumps(setting, &addresses, SIM_TARGET_ADDRESS, &dumps);
        }
        gateway::config(setting, &addresses, SIM_TARGET_ADDRESS)
    }
}

/// Writes the gateway's settings into the run's folder, and says where they are.
fn write_config(
    setting: &Setting<'_, S7Peer>,
    peers: &BTreeMap<String, Vec<String>>,
) -> Result<PathBuf, WorldError> {
    let path = setting.scratch.join("gateway.yaml");
    let cannot = |error: std::io::Error| WorldError::Start {
        what: gateway::NAME.to_owned(),
        why: format!("{}: {error}", path.display()),
    };
    let dumps = setting.scratch.join(DUMPS_FOLDER);
    let config = gateway::config_with_dumps(setting, peers, &format!("{}:0", setting.listen), &dumps)?;
    std::fs::write(&path, config).map_err(cannot)?;
    Ok(path)
}

impl S7World {
    fn gateway_net(&self, scenario: &Scenario<S7Peer>, net: &SimNet) -> GatewayNet {
        let addresses = sim_addresses(self, scenario).into_iter();
        let links = addresses.flat_map(|(name, addresses)| {
            let link = net.find_link(&name);
            addresses.into_iter().filter_map(move |address| Some((address, link.clone()?)))
        });
        GatewayNet { net: net.clone(), links: links.collect() }
    }
}

/// Where the guardian's dumps are, in the run's folder.
const DUMPS_FOLDER: &str = "dumps";

/// Dumps of the gateway's guardian that are kept in a simulation.
const DUMPS_KEPT: usize = 6;

/// The gateway in the simulation.
struct Target(Gateway);

impl SimTarget for Target {
    fn gauges(&self) -> BTreeMap<String, f64> {
        self.0.gauges().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn stop(self: Box<Self>) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { self.0.shutdown().await.map_err(|error| error.to_string()) })
    }

    fn reload(&mut self, config: String) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let config = Config::from_yaml("target", &config).map_err(|error| error.to_string())?;
            reload(&self.0, config).await
        })
    }
}

/// Hands the gateway its new settings.
async fn reload(gateway: &Gateway, config: Config) -> Result<(), String> {
    gateway.reload(config).await.map_err(|error| error.to_string())
}
