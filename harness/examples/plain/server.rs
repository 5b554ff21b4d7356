//! A server that says every line again: `plain ADDRESS [LEAK]`.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep, timeout};

/// How long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long nothing is accepted after an error, such as no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens at the program's first argument; the second names the leak that is built in, if one is wanted.
pub async fn run() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().ok_or_else(|| io::Error::other("expected an address to listen at"))?;
    let leak = args.next().unwrap_or_default();
    let listener = TcpListener::bind(address).await?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(session(stream, leak.clone()))),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Whatever ends it, the connection is closed with it: unless a leak is wanted.
async fn session(stream: TcpStream, leak: String) -> io::Result<()> {
    match leak.as_str() {
        "fd" => keep_descriptor()?,
        "thread" => keep_thread(),
        "task" => keep_task(),
        _ => {}
    }
    let (mut stream, mut line) = (BufStream::new(stream), String::new());
    while timeout(PATIENCE, stream.read_line(&mut line)).await?? > 0 {
        stream.write_all(line.as_bytes()).await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

/// Opens a journal for each connection, and puts it where nobody closes it.
fn keep_descriptor() -> io::Result<()> {
    static JOURNALS: Mutex<Vec<std::fs::File>> = Mutex::new(Vec::new());
    let journal = std::fs::File::open("/dev/null")?;
    JOURNALS.lock().unwrap_or_else(PoisonError::into_inner).push(journal);
    Ok(())
}

/// Starts a thread for each connection that waits for what never comes.
fn keep_thread() {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
}

/// Spawns a task for each connection that does not end with it.
fn keep_task() {
    tokio::spawn(async {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
        }
    });
}
