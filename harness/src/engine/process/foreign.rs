//! A target of somebody else's: a command or a process that runs already, as a scenario describes it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use watertight_probe::serve::ADDRESS_VARIABLE;

use super::ports;
use crate::census::{Inside, inside};
use crate::engine::PlayFailure;
use crate::resource::Resource;
use crate::scenario::inside::Views;
use crate::scenario::target::{Place, Ready};
use crate::scenario::{Target, template};
use crate::seed::Seed;
use crate::world::{Program, ReadyWhen, WorldError};

/// The name of the port at which a target listens.
const PORT: &str = "port";

/// A target with the values of the names in its texts. It keeps them when it is started again.
#[derive(Debug)]
pub(super) struct Foreign {
    target: Target,
    names: BTreeMap<String, String>,
}

impl Foreign {
    /// Finds a free port for each name of one, and notes where the proxies of `peers` listen.
    pub(super) fn new(
        target: &Target,
        peers: &BTreeMap<String, Vec<String>>,
        scratch: &Path,
        seed: Seed,
    ) -> Result<Self, PlayFailure> {
        let mut names = BTreeMap::from([
            ("scratch".to_owned(), scratch.display().to_string()),
            ("seed".to_owned(), seed.to_string()),
        ]);
        for (name, addresses) in peers {
            let parts = addresses.first().and_then(|address| address.rsplit_once(':'));
            let (host, port) = parts.unwrap_or_default();
            names.insert(format!("peers.{name}"), addresses.join(","));
            names.insert(format!("peers.{name}.host"), host.to_owned());
            names.insert(format!("peers.{name}.port"), port.to_owned());
        }
        for name in target.texts().flat_map(template::names) {
            let is_port = name == PORT || name.starts_with("port.");
            if is_port && !names.contains_key(name) {
                let port = ports::free().map_err(PlayFailure::system("find a free port"))?;
                names.insert(name.to_owned(), port.to_string());
            }
        }
        Ok(Self { target: target.clone(), names })
    }

    /// The program to start; `None`: it runs already.
    pub(super) fn program(&self) -> Result<Option<Program>, PlayFailure> {
        if self.target.pid.is_some() {
            return Ok(None);
        }
        // An image brings a command of its own.
        let command = self.target.command.as_deref().unwrap_or_default();
        let argv: Result<Vec<OsString>, PlayFailure> =
            command.iter().map(|word| Ok(self.fill(word)?.into())).collect();
        let mut env = Vec::new();
        for (name, value) in &self.target.env {
            env.push((name.into(), self.fill(value)?.into()));
        }
        if let Some(probe) = &self.target.probe {
            env.push((ADDRESS_VARIABLE.into(), self.fill(probe)?.into()));
        }
        let (name, ready) = ("target".to_owned(), self.ready()?);
        Ok(Some(Program { name, argv: argv?, env, ready, has_probe: false }))
    }

    fn ready(&self) -> Result<ReadyWhen, PlayFailure> {
        Ok(match &self.target.ready {
            Some(Ready::Tcp(place)) => ReadyWhen::Accepts(self.address(place)?),
            Some(Ready::Line(text)) => ReadyWhen::Said(text.clone()),
            Some(Ready::Http(url)) => ReadyWhen::Answers(self.fill(url)?),
            None => {
                self.names.get(PORT).map_or(ReadyWhen::Started, |port| ReadyWhen::Accepts(loopback(port)))
            }
        })
    }

    /// Where consumers reach it; `None`: it serves nobody.
    pub(super) fn place(&self) -> Result<Option<String>, PlayFailure> {
        match (&self.target.listens, &self.target.ready) {
            (Some(listens), _) => Ok(Some(resolved("listens", &self.fill(listens)?)?.to_string())),
            (None, Some(Ready::Tcp(place))) => self.address(place).map(Some),
            (None, _) => Ok(self.names.get(PORT).map(|port| loopback(port))),
        }
    }

    /// The ways to look inside of it.
    pub(super) fn views(&self) -> Result<Vec<Box<dyn Inside>>, PlayFailure> {
        let Views { prometheus, pprof, expvar } = self.target.inside.clone();
        let mut views: Vec<Box<dyn Inside>> = Vec::new();
        if let Some(probe) = &self.target.probe {
            views.push(Box::new(inside::Probe::at(resolved("probe", &self.fill(probe)?)?)));
        }
        if let Some(mut pprof) = pprof {
            pprof.url = self.fill(&pprof.url)?;
            views.push(Box::new(inside::Pprof::new(pprof)));
        }
        if let Some(mut expvar) = expvar {
            expvar.url = self.fill(&expvar.url)?;
            views.push(Box::new(inside::Expvar::new(expvar)));
        }
        if let Some(mut prometheus) = prometheus {
            prometheus.url = self.fill(&prometheus.url)?;
            views.push(Box::new(inside::Prometheus::new(prometheus)));
        }
        Ok(views)
    }

    /// What nobody tells of this target, in a sentence for the report.
    pub(super) fn not_measured(&self) -> Option<String> {
        let target = &self.target;
        let Views { prometheus, pprof, expvar } = &target.inside;
        if target.probe.is_some() {
            return None;
        }
        let tasks = pprof.is_some()
            || prometheus.as_ref().is_some_and(|view| view.tasks.is_some())
            || expvar.as_ref().is_some_and(|view| view.tasks.is_some());
        let heap = pprof.as_ref().is_some_and(|view| view.heap)
            || prometheus.as_ref().is_some_and(|view| view.heap.is_some() || view.heap_blocks.is_some())
            || expvar.as_ref().is_some_and(|view| view.heap.is_some() || view.heap_blocks.is_some());
        let blind = [(Resource::Tasks, tasks), (Resource::Heap, heap)];
        let blind: Vec<&str> =
            blind.iter().filter(|(_, is)| !is).map(|(resource, _)| resource.name()).collect();
        let why =
            if target.inside.is_empty() { "the target has no probe" } else { "`inside` maps nothing to it" };
        (!blind.is_empty()).then(|| format!("{}: not measured: {why}", blind.join(", ")))
    }

    fn address(&self, place: &Place) -> Result<String, PlayFailure> {
        let text = self.fill(&place.0)?;
        Ok(if text.parse::<u16>().is_ok() { loopback(&text) } else { text })
    }

    fn fill(&self, text: &str) -> Result<String, PlayFailure> {
        let value = |name: &str| self.names.get(name).cloned();
        template::fill(text, value)
            .map_err(|name| unknown(format!("nothing is called `{{{name}}}`: it must be a server")))
    }
}

fn loopback(port: &str) -> String {
    format!("127.0.0.1:{port}")
}

fn unknown(what: String) -> PlayFailure {
    PlayFailure::World(WorldError::Unknown(what))
}

/// The address that `place`, `host:port`, stands for.
fn resolved(key: &str, place: &str) -> Result<SocketAddr, PlayFailure> {
    let first = place.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    first.ok_or_else(|| {
        unknown(format!("`{key}`: expected an address such as 127.0.0.1:9400, found `{place}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(target: serde_json::Value) -> Foreign {
        let target = serde_json::from_value(target).expect("the target is well formed");
        let peers = BTreeMap::from([("db".to_owned(), vec!["127.0.0.1:9".to_owned()])]);
        Foreign::new(&target, &peers, Path::new("/run/x"), Seed(7)).expect("ports are free")
    }

    #[test]
    fn names_become_ports_and_addresses_and_keep_them() {
        let foreign = foreign(serde_json::json!({
            "command": ["serve", "--listen", "127.0.0.1:{port}", "--db={peers.db.port}", "{scratch}/{seed}"],
            "env": { "DEBUG": "{port.debug}", "PORT": "{port}" },
        }));
        let (port, debug) = (&foreign.names["port"], &foreign.names["port.debug"]);
        assert_ne!(port, debug);
        let program = foreign.program().expect("names are known").expect("it is a command");
        let listen = format!("127.0.0.1:{port}");
        assert_eq!(program.argv, ["serve", "--listen", listen.as_str(), "--db=9", "/run/x/7"]);
        assert_eq!(program.env, [("DEBUG".into(), debug.into()), ("PORT".into(), port.into())]);
        assert_eq!(program.ready, ReadyWhen::Accepts(listen.clone()));
        assert_eq!(foreign.place().expect("names are known"), Some(listen));
    }

    #[test]
    fn a_process_that_runs_is_not_started() {
        let foreign = foreign(serde_json::json!({ "pid": 7, "listens": "127.0.0.1:80" }));
        assert_eq!(foreign.program().expect("there is none"), None);
        assert_eq!(foreign.place().expect("it says so"), Some("127.0.0.1:80".to_owned()));
        assert_eq!(
            foreign.not_measured().as_deref(),
            Some("tasks, heap: not measured: the target has no probe")
        );
    }

    #[test]
    fn what_no_view_tells_is_said_not_to_be_measured() {
        let of = |inside| {
            let target = serde_json::json!({ "command": ["x"], "inside": inside });
            foreign(target).not_measured()
        };
        let url = "http://127.0.0.1:1/";
        assert_eq!(of(serde_json::json!({ "pprof": { "url": url } })), None);
        let tasks = serde_json::json!({ "prometheus": { "url": url, "tasks": "go_goroutines" } });
        assert_eq!(of(tasks).as_deref(), Some("heap: not measured: `inside` maps nothing to it"));
    }
}
