//! A program that knows nothing of Watertight: what it holds is seen from outside.

mod server;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    server::run().await
}
