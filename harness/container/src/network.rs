//! A network of one run: the target is alone on it, and it leads to this machine and no further.

use std::fs;
use std::io;
use std::net::Ipv4Addr;

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest,
};

use crate::engine::failed;
use crate::labels::RunId;

/// The upper half of what is set aside for trying out network devices (RFC 2544): no host has an address in it, and VPNs that
/// misuse it take the lower half.
const FIRST: u32 = u32::from_be_bytes([198, 19, 0, 0]);

/// Networks that fit in there.
const PLACES: u32 = 1 << 13;

/// Addresses of one: its own, this machine's, a target's and the next one's while it takes over, and the broadcast's.
const ADDRESSES: u32 = 8;

/// Places that are tried before it is said that there is none.
const TRIES: u32 = 256;

/// A network that the engine has made.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) name: String,
    /// This machine's address on it.
    pub(crate) gateway: Ipv4Addr,
}

/// A place for a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subnet(u32);

impl Subnet {
    /// Number `place`, counted round.
    fn number(place: u32) -> Self {
        Self(FIRST + (place % PLACES) * ADDRESSES)
    }

    fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0 + 1)
    }

    /// Whether one of `routes`, as the kernel tells them, leads there: somebody has it.
    fn is_taken(self, routes: &str) -> bool {
        let number = |word: &str| u32::from_str_radix(word, 16).ok().map(u32::swap_bytes);
        routes.lines().skip(1).any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (to, mask) = (words.get(1).copied().and_then(number), words.get(7).copied().and_then(number));
            // The way to everywhere else is nobody's place.
            matches!((to, mask), (Some(to), Some(mask)) if mask != 0 && (self.0 & mask == to || to & !(ADDRESSES - 1) == self.0))
        })
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.0), 32 - ADDRESSES.trailing_zeros())
    }
}

impl Network {
    /// Makes one for `run`, where nobody else has one.
    pub(crate) async fn make(docker: &Docker, run: &RunId) -> io::Result<Self> {
        let name = format!("watertight-{}", run.0);
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        // Runs that begin together begin to look in different places.
        let first = std::process::id().wrapping_mul(31);
        let mut said = String::new();
        for place in 0..TRIES {
            let subnet = Subnet::number(first.wrapping_add(place));
            if subnet.is_taken(&routes) {
                continue;
            }
            match docker.create_network(request(&name, subnet, run)?).await {
                Ok(_) => return Self { name, gateway: subnet.gateway() }.reached(docker).await,
                Err(error) if error.to_string().contains("overlap") => said = error.to_string(),
                Err(error) => return Err(failed("make a network")(error)),
            }
        }
        Err(io::Error::other(format!("cannot make a network: {TRIES} places are taken; the last: {said}")))
    }

    /// It must be this machine that it leads to.
    async fn reached(self, docker: &Docker) -> io::Result<Self> {
        match std::net::TcpListener::bind((self.gateway, 0)) {
            Ok(_) => Ok(self),
            Err(error) => {
                self.remove(docker).await?;
                Err(io::Error::other(format!(
                    "the engine's networks do not lead to this machine ({}: {error}): peers live here, so use an engine that runs \
                     here, not in a virtual machine or elsewhere",
                    self.gateway
                )))
            }
        }
    }

    /// Takes `container` off it; what it sends from then on goes nowhere.
    pub(crate) async fn disconnect(&self, docker: &Docker, container: &str) -> io::Result<()> {
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        docker
            .disconnect_network(&self.name, request)
            .await
            .map_err(failed("disconnect the target's network"))
    }

    /// Puts `container` on it again, under `address`.
    pub(crate) async fn connect(
        &self,
        docker: &Docker,
        container: &str,
        address: Ipv4Addr,
    ) -> io::Result<()> {
        let ipam =
            EndpointIpamConfig { ipv4_address: Some(address.to_string()), ..EndpointIpamConfig::default() };
        let endpoint = EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() };
        let request =
            NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
        docker.connect_network(&self.name, request).await.map_err(failed("connect the target's network"))
    }

    /// Removes it.
    pub(crate) async fn remove(&self, docker: &Docker) -> io::Result<()> {
        docker.remove_network(&self.name).await.map_err(failed("remove a network"))
    }
}

fn request(name: &str, subnet: Subnet, run: &RunId) -> io::Result<NetworkCreateRequest> {
    let config = IpamConfig {
        subnet: Some(subnet.to_string()),
        gateway: Some(subnet.gateway().to_string()),
        ..IpamConfig::default()
    };
    Ok(NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        // No route leads out of it.
        internal: Some(true),
        enable_ipv6: Some(false),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some(run.labels()?),
        ..NetworkCreateRequest::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        tun0\t000013C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
        br0\t100113C6\t00000000\t0001\t0\t0\t0\tF8FFFFFF\t0\t0\t0\n";

    #[test]
    fn a_subnet_is_written_as_engines_read_it() {
        assert_eq!(Subnet::number(0).to_string(), "198.19.0.0/29");
        assert_eq!(Subnet::number(1).gateway(), Ipv4Addr::new(198, 19, 0, 9));
        assert_eq!(Subnet::number(PLACES - 1).to_string(), "198.19.255.248/29");
        assert_eq!(Subnet::number(PLACES), Subnet::number(0));
    }

    #[test]
    fn a_place_that_a_route_leads_to_is_taken_and_the_default_route_takes_none() {
        // The routes are 198.18.0.0/… written by the kernel with its bytes reversed: here 198.19.0.0/24 and 198.19.1.16/29.
        let taken = |place| Subnet::number(place).is_taken(ROUTES);
        assert!(taken(0) && taken(31), "198.19.0.0/24 covers them");
        assert!(!taken(32) && !taken(33));
        assert!(taken(34), "198.19.1.16/29");
        assert!(!taken(35));
    }
}
