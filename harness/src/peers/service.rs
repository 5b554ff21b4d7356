//! A TCP service as a server peer: the target connects to it through a link, whatever the two say to each other.

use std::collections::BTreeMap;
use std::ffi::OsString;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::model::PeerSpec;
use crate::scenario::target::{Place, Ready};
use crate::scenario::template;
use crate::world::{Program, ReadyWhen, ServerPlace, Setting, WorldError};

/// Any TCP service (process engine only): a program that the run starts, or one that runs already.
///
/// In `command`, `env` and `ready` may stand `{port}`, a free port of loopback at which it shall listen, `{scratch}`, a folder of the run's own, and
/// `{seed}`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct TcpService {
    /// The program and its arguments, never run through a shell. Either this or `address`.
    pub command: Option<Vec<String>>,
    /// Variables added to its environment.
    pub env: BTreeMap<String, String>,
    /// When it is ready. Once it accepts connections at `{port}` unless said.
    pub ready: Option<Ready>,
    /// The `host:port` of a service that runs already: it is neither started nor ended nor signalled.
    pub address: Option<String>,
}

impl TcpService {
    /// The program to start as the peer `name`, given a port that is free.
    ///
    /// # Errors
    /// It has none, or a name in braces is not known.
    pub fn program<P: PeerSpec>(
        &self,
        setting: &Setting<'_, P>,
        name: &str,
        free_port: u16,
    ) -> Result<Program, WorldError> {
        let command = self.command.as_deref().filter(|command| !command.is_empty());
        let command = command.ok_or_else(|| {
            WorldError::Unknown(format!("`{name}` needs a program: `command: [program, ..]`"))
        })?;
        let fill = |text: &str| filled(setting, text, free_port);
        let argv: Result<Vec<OsString>, WorldError> =
            command.iter().map(|word| Ok(fill(word)?.into())).collect();
        let mut env = Vec::new();
        for (name, value) in &self.env {
            env.push((name.into(), fill(value)?.into()));
        }
        let ready = match &self.ready {
            None => ReadyWhen::Port(free_port),
            Some(Ready::Tcp(place)) => ReadyWhen::Accepts(with_host(&fill(&place.0)?)),
            Some(Ready::Line(text)) => ReadyWhen::Said(text.clone()),
            Some(Ready::Http(url)) => ReadyWhen::Answers(fill(url)?),
        };
        Ok(Program { name: name.to_owned(), argv: argv?, env, ready, has_probe: false })
    }

    /// Where its program listens: where it was seen to accept, else at the port that it was given.
    pub fn place(&self, free_port: u16) -> ServerPlace {
        let seen = match &self.ready {
            Some(Ready::Tcp(Place(text))) if template::names(text).next().is_none() => Some(with_host(text)),
            _ => None,
        };
        let address = seen.unwrap_or_else(|| with_host(&free_port.to_string()));
        ServerPlace { instances: vec![address], stats: None }
    }
}

fn filled<P: PeerSpec>(setting: &Setting<'_, P>, text: &str, free_port: u16) -> Result<String, WorldError> {
    let value = |name: &str| match name {
        "port" => Some(free_port.to_string()),
        "scratch" => Some(setting.scratch.display().to_string()),
        "seed" => Some(setting.seed.to_string()),
        _ => None,
    };
    template::fill(text, value)
        .map_err(|name| WorldError::Unknown(format!("nothing is called `{{{name}}}` here")))
}

fn with_host(place: &str) -> String {
    if place.parse::<u16>().is_ok() { format!("127.0.0.1:{place}") } else { place.to_owned() }
}
