//! A rig as a file: which proxies there are, and the faults that are at work from the first connection on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::player::objection;
use crate::chaos::{Fault, Side};
use crate::scenario::suggest::{did_you_mean, list};
use crate::scenario::{ScenarioErrors, document};
use crate::units::{Size, Time};

/// Proxies of one rig at most.
pub const PROXIES_MAX: usize = 256;

/// Faults of one rig at most.
pub const FAULTS_MAX: usize = 1_024;

/// The largest buffer of a link.
const BUFFER_MAX: u64 = 1 << 30;

/// The file that `watertight proxy --config` reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct RigFile {
    /// The version of this format: 1.
    #[garde(range(min = 1, max = 1))]
    pub version: u32,
    /// What all chance is drawn from. 1 unless said.
    #[serde(default = "one")]
    #[garde(skip)]
    pub seed: u64,
    /// The proxies, by name: the `link` of a fault. More can be added while it runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[garde(length(max = PROXIES_MAX), dive)]
    pub proxies: BTreeMap<String, ProxySpec>,
    /// The faults that are at work from the start, as a scenario writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = FAULTS_MAX), custom(on_proxies(&self.proxies)), dive)]
    pub faults: Vec<Fault>,
}

fn one() -> u64 {
    1
}

/// Every fault names a proxy of the file, and is one that a proxy can play.
fn on_proxies<C>(proxies: &BTreeMap<String, ProxySpec>) -> impl FnOnce(&Vec<Fault>, &C) -> garde::Result {
    move |faults, _| {
        let names: Vec<&str> = proxies.keys().map(String::as_str).collect();
        for (at, fault) in (1..).zip(faults) {
            if let Some(why) = objection(fault) {
                return Err(garde::Error::new(format!("cannot be played: number {at}: {why}")));
            }
            let link = fault.link().unwrap_or_default();
            if !names.contains(&link) {
                let (name, help) = (fault.name(), did_you_mean(link, &names));
                return Err(garde::Error::new(format!(
                    "name a proxy that does not exist: number {at}, `{name}`, names `{link}`; {help}there is: {}",
                    list(&names)
                )));
            }
        }
        Ok(())
    }
}

/// Where somebody listens: an IP address and a port, such as `127.0.0.1:102`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub SocketAddr);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Any port of loopback: reading gets past an error with the one text that every value can read.
        if text == "0" {
            return Ok(Self(SocketAddr::from(([127, 0, 0, 1], 0))));
        }
        let wrong = |_| {
            format!(
                "expected an IP address and a port, such as `127.0.0.1:102` or `[::1]:102`, found `{text}`"
            )
        };
        text.parse().map(Self).map_err(wrong)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn some_port(place: &Place, _: &()) -> garde::Result {
    if place.0.port() == 0 {
        Err(garde::Error::new("needs a port that somebody listens at, found 0"))
    } else {
        Ok(())
    }
}

/// One proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ProxySpec {
    /// Where it listens, such as `127.0.0.1:10102`; port 0 for any that is free.
    #[garde(skip)]
    #[schemars(with = "String")]
    pub listen: Place,
    /// Whom it hands connections on to, such as `127.0.0.1:102`.
    #[garde(custom(some_port))]
    #[schemars(with = "String")]
    pub upstream: Place,
    /// What one direction of one connection may hold; then real back-pressure. 64KiB unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(some_buffer)))]
    pub buffer: Option<Size>,
    /// How long a byte is under way, without any fault. None unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub latency: Option<Time>,
    /// At which side `half_open: { gone: peer }` takes the peer away. `server` unless said: whoever is dialled.
    #[serde(default = "server")]
    #[garde(skip)]
    pub peer: Side,
}

fn some_buffer(size: &Size, _: &()) -> garde::Result {
    if (1..=BUFFER_MAX).contains(&size.0) {
        Ok(())
    } else {
        Err(garde::Error::new("must be from 1B to 1GiB"))
    }
}

fn server() -> Side {
    Side::Server
}

impl RigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with its text, keys and values.
    pub fn read(path: &Path) -> Result<Self, ScenarioErrors> {
        document::read(path)
    }
}

/// Reads one fault, as a scenario writes it, in YAML or JSON.
///
/// # Errors
/// Everything that is wrong with it; its place is told as one in `<body>`.
pub fn read_fault(text: &[u8]) -> Result<Fault, ScenarioErrors> {
    document::parse(Path::new(BODY), text)
}

/// Reads one proxy, as a file has it under its name, in YAML or JSON.
///
/// # Errors
/// Everything that is wrong with it; its place is told as one in `<body>`.
pub fn read_proxy(text: &[u8]) -> Result<ProxySpec, ScenarioErrors> {
    document::parse(Path::new(BODY), text)
}

/// What stands for a file's name where there is none.
const BODY: &str = "<body>";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RigFile, String> {
        document::parse(Path::new("rig.yaml"), text.as_bytes()).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_file_names_proxies_and_faults_in_the_language_of_scenarios() {
        let rig = read(
            "version: 1\nproxies:\n  plc: { listen: 127.0.0.1:0, upstream: 127.0.0.1:102, buffer: 16KiB }\n\
             faults:\n  - latency: { link: plc, delay: 5ms }\n",
        )
        .unwrap();
        assert_eq!(
            (rig.seed, rig.proxies["plc"].buffer, rig.faults[0].name()),
            (1, Some(Size(16_384)), "latency")
        );
    }

    #[test]
    fn every_error_is_told_with_its_place_and_what_there_is() {
        let errors = read(
            "version: 1\nproxies:\n  plc: { listen: nowhere, upstream: 127.0.0.1:102, bufer: 1 }\n\
             faults:\n  - latncy: { link: plc, delay: 5ms }\n  - reset: { link: plc, after: soon }\n",
        )
        .unwrap_err();
        for expected in ["rig.yaml:3:", "`bufer`", "did you mean `latency`", "rig.yaml:6:", "found `soon`"] {
            assert!(errors.contains(expected), "{expected} in:\n{errors}");
        }
    }

    #[test]
    fn a_fault_of_no_proxy_or_of_a_process_is_an_error() {
        let of = |fault: &str| {
            read(&format!(
                "version: 1\nproxies:\n  plc: {{ listen: 0, upstream: 127.0.0.1:102 }}\nfaults:\n  - {fault}\n"
            ))
        };
        assert!(of("stall: { link: plc }").is_ok());
        let error = of("stall: { link: pcl }").unwrap_err();
        assert!(
            error.contains("rig.yaml:5:") && error.contains("names `pcl`; did you mean `plc`"),
            "{error}"
        );
        assert!(of("kill: {}").unwrap_err().contains("`kill` is a fault of a process"));
    }

    #[test]
    fn a_fault_may_be_json() {
        let fault = read_fault(br#"{"stall": {"link": "plc", "for": "5s"}}"#).unwrap();
        assert_eq!(fault.name(), "stall");
        let error = read_fault(br#"{"stall": {"lnk": "plc"}}"#).unwrap_err().to_string();
        assert!(error.contains("<body>:1:12") && error.contains("did you mean `link`"), "{error}");
    }
}
