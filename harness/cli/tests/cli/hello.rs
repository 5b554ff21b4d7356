//! Somebody else's program: a service that answers every line with `PONG`, and keeps nothing.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

/// The hidden first argument that makes this binary the service; its address follows.
pub const ROLE: &str = "__hello";

/// Serves until it is ended.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let address =
        args.next().and_then(|address| address.into_string().ok()).expect("the address follows the role");
    let listener = TcpListener::bind(address).expect("the port is free");
    for stream in listener.incoming().flatten() {
        thread::spawn(move || answer(&stream));
    }
    ExitCode::SUCCESS
}

fn answer(stream: &TcpStream) -> std::io::Result<()> {
    let mut to = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        drop(line?);
        to.write_all(b"PONG\n")?;
    }
    Ok(())
}
