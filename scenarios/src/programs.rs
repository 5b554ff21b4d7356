//! Servers of others that a scenario starts as programs, and how they are reached.

use std::io;
use std::path::Path;

use tokio::net::TcpStream;
use watertight::world::{BoxFuture, BoxStream, Dial};

/// Where distributions put servers, which the search path of a user who is not root does not name.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];

/// The path of `program` where it lies in a folder for servers, else its name, for the search path.
pub fn place_of(program: &str) -> String {
    let places = SYSTEM_FOLDERS.iter().map(|folder| format!("{folder}/{program}"));
    places.into_iter().find(|place| Path::new(place).is_file()).unwrap_or_else(|| program.to_owned())
}

/// Connects straight to where a program listens.
pub struct TcpDial {
    /// Its `host:port`.
    pub address: String,
}

impl Dial for TcpDial {
    fn dial(&self, _ordinal: usize) -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = self.address.clone();
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_no_known_folder_keeps_its_name() {
        assert_eq!(place_of("no-such-program"), "no-such-program");
    }
}
