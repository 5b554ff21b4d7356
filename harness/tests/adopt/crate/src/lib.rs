//! A small service with four leaks, and what it looks like without them.

use std::fs::File;
use std::future::pending;
use std::sync::Mutex;

static CACHE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

pub mod leaky {
    use super::*;

    pub async fn task() {
        tokio::spawn(pending::<()>()); // here: task
    }

    pub async fn heap() {
        let kept = vec![0_u8; 1_024]; // here: heap
        CACHE.lock().unwrap().push(kept);
    }

    pub async fn fd() {
        std::mem::forget(File::open("/dev/null").unwrap()); // here: fd
    }

    pub async fn thread() {
        std::thread::spawn(|| loop { std::thread::park() }); // here: thread
    }
}

pub mod fixed {
    use super::*;

    pub async fn task() {
        tokio::spawn(async {}).await.unwrap();
    }

    pub async fn heap() {
        CACHE.lock().unwrap().clear();
        let kept = vec![0_u8; 1_024];
        CACHE.lock().unwrap().push(kept);
        CACHE.lock().unwrap().clear();
    }

    pub async fn fd() {
        drop(File::open("/dev/null").unwrap());
    }

    pub async fn thread() {
        std::thread::spawn(|| ()).join().unwrap();
    }

    pub async fn socket() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, server) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        drop((client.unwrap(), server.unwrap()));
    }
}
