//! snap7-server on a free port of loopback, with the memory that the other servers have: DB1 to DB3 of 1,024 bytes.

use snap7_server::{DataStore, S7Server, ServerConfig};

const DATA_BLOCK_BYTES: usize = 1024;
const CONNECTIONS: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = DataStore::new();
    for db in 1..=3 {
        store.write_bytes(db, 0, &[0; DATA_BLOCK_BYTES]);
    }
    let config = ServerConfig { bind_addr: "127.0.0.1:0".parse()?, max_connections: CONNECTIONS };
    let server = S7Server::bind(config).await?;
    println!("listening on {}", server.local_addr()?);
    server.serve(store).await?;
    Ok(())
}
