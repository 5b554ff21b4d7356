//! The snapshot endpoint: HTTP/1.1 and JSON, on a thread of its own, one request at a time.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /snapshot` | [`crate::snapshot::Snapshot`] |
//! | `GET /sites?min_blocks=N&ids=1,2` | [`crate::snapshot::Sites`]: counts, no stacks |
//! | `GET /stacks?ids=1,2` | [`crate::snapshot::Stacks`]: resolved call stacks |
//! | `GET /tasks` | list of [`crate::tasks::TaskInfo`] |
//! | `GET /fds` | list of [`crate::fds::Fd`] |
//! | `POST /dump?within_ms=N` | list of [`crate::tasks::TaskDump`] |
//! | `POST /trim` | whether memory went back to the system |
//! | `POST /canary?hold=1`, `?hold=0` | holds 1,024 blocks, 64 tasks and 32 fds, until it is told to let go |
//! | `POST /plant?heap=BYTES`, `?task=N`, `?fd=N` | leaks on purpose: one block of BYTES, N tasks, N fds; with `&tenant=NAME` on behalf of that tenant |
//!
//! Loopback needs no token, any other address does. Web pages are refused: no `Origin`, and only numeric hosts.

mod http;
mod routes;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::tasks;
use crate::{Canary, Tenant};

/// The variable that holds the address to serve on, `127.0.0.1:PORT`.
pub const ADDRESS_VARIABLE: &str = "WATERTIGHT_PROBE";

/// The variable that holds the token which requests must carry as `Authorization: Bearer TOKEN`.
pub const TOKEN_VARIABLE: &str = "WATERTIGHT_PROBE_TOKEN";

/// A running endpoint. It serves until the process ends, whether or not this is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serving {
    /// Where it listens; the port is a real one, also when 0 was asked for.
    pub address: SocketAddr,
}

/// Why the endpoint does not serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The variable is no address.
    Address {
        /// What it says.
        found: String,
    },
    /// An address others can reach, and nothing that keeps them out.
    Open {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A token that is empty, or that a header cannot carry.
    Token,
    /// The socket or the thread could not be made.
    Start {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address { found } => {
                write!(f, "{ADDRESS_VARIABLE}: expected an address like 127.0.0.1:9977, found `{found}`")
            }
            Self::Open { address } => write!(
                f,
                "{ADDRESS_VARIABLE}={address} is reachable from other machines: set {TOKEN_VARIABLE}, or serve \
                 on 127.0.0.1"
            ),
            Self::Token => {
                write!(
                    f,
                    "{TOKEN_VARIABLE} must be visible ASCII, at least one character: unset it, or set it to some"
                )
            }
            Self::Start { address, source } => {
                write!(f, "cannot serve the probe on {address}: {source}; choose another {ADDRESS_VARIABLE}")
            }
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Serves the probe if `WATERTIGHT_PROBE` is set; `None`: it is not.
///
/// Dumps and task plants go to the runtime this is called in, else to the first one of [`tasks::install`] that
/// polls a task.
pub fn serve() -> Result<Option<Serving>, ServeError> {
    let _probe = Tenant::PROBE.enter();
    let Some((address, token)) = asked_for(|name| std::env::var(name).ok())? else { return Ok(None) };
    let handle = Handle::try_current().ok();
    if handle.is_none() {
        tasks::want_handle();
    }
    start(address, token, handle).map(Some)
}

/// As [`serve`], with dumps and task plants going to the runtime behind `handle`.
pub fn serve_with(handle: Handle) -> Result<Option<Serving>, ServeError> {
    let _probe = Tenant::PROBE.enter();
    let Some((address, token)) = asked_for(|name| std::env::var(name).ok())? else { return Ok(None) };
    start(address, token, Some(handle)).map(Some)
}

/// What every request is answered from.
#[derive(Debug)]
struct Server {
    token: Option<String>,
    handle: Option<Handle>,
    /// What is held until it is asked to be let go; never more than one.
    canary: Mutex<Option<Canary>>,
}

impl Server {
    fn runtime(&self) -> Option<Handle> {
        self.handle.clone().or_else(tasks::wanted_handle)
    }
}

fn asked_for(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(SocketAddr, Option<String>)>, ServeError> {
    let Some(found) = variable(ADDRESS_VARIABLE).filter(|found| !found.is_empty()) else { return Ok(None) };
    let Ok(address) = found.parse::<SocketAddr>() else { return Err(ServeError::Address { found }) };
    let token = variable(TOKEN_VARIABLE);
    let visible = |token: &String| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.as_ref().is_some_and(|token| !visible(token)) {
        return Err(ServeError::Token);
    }
    if token.is_none() && !address.ip().is_loopback() {
        return Err(ServeError::Open { address });
    }
    Ok(Some((address, token)))
}

fn start(address: SocketAddr, token: Option<String>, handle: Option<Handle>) -> Result<Serving, ServeError> {
    let failed = |source| ServeError::Start { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let serving = Serving { address: listener.local_addr().map_err(failed)? };
    let server = Server { token, handle, canary: Mutex::new(None) };
    let thread = std::thread::Builder::new().name("watertight-probe".to_owned());
    thread.spawn(move || accept(&listener, &server)).map_err(failed)?;
    Ok(serving)
}

fn accept(listener: &TcpListener, server: &Server) {
    // Everything this thread allocates is the probe's; plants step out of it.
    let _probe = Tenant::PROBE.enter();
    loop {
        match listener.accept() {
            // A peer that hangs up or is refused has its answer; the next one waits.
            Ok((stream, _peer)) => drop(converse(stream, server)),
            // Out of fds, most likely: the service under test may be leaking them. Come back when some are free.
            Err(_) => std::thread::sleep(ACCEPT_PAUSE),
        }
    }
}

fn converse(mut stream: TcpStream, server: &Server) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(http::DEADLINE))?;
    let answer = match http::read(&mut stream) {
        Ok(request) => routes::answer(&request, server),
        Err(refusal) => refusal,
    };
    http::write(&mut stream, &answer)
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str, token: Option<&str>) -> Result<Option<(SocketAddr, Option<String>)>, String> {
        let variable = |name: &str| match name {
            ADDRESS_VARIABLE => Some(address.to_owned()),
            _ => token.map(str::to_owned),
        };
        asked_for(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn no_address_serves_nothing() {
        assert_eq!(asked("", None), Ok(None));
    }

    #[test]
    fn loopback_needs_no_token() {
        let address = "127.0.0.1:9977".parse().expect("an address");
        assert_eq!(asked("127.0.0.1:9977", None), Ok(Some((address, None))));
    }

    #[test]
    fn an_open_address_without_a_token_is_refused() {
        let error = "WATERTIGHT_PROBE=0.0.0.0:9977 is reachable from other machines: set WATERTIGHT_PROBE_TOKEN, or \
                     serve on 127.0.0.1";
        assert_eq!(asked("0.0.0.0:9977", None), Err(error.to_owned()));
        assert!(asked("0.0.0.0:9977", Some("s3cret")).is_ok());
    }

    #[test]
    fn an_empty_token_is_no_token() {
        assert!(asked("0.0.0.0:9977", Some("")).is_err_and(|error| error.contains("at least one character")));
    }

    #[test]
    fn a_port_alone_is_no_address() {
        let error = "WATERTIGHT_PROBE: expected an address like 127.0.0.1:9977, found `9977`";
        assert_eq!(asked("9977", None), Err(error.to_owned()));
    }
}
