//! An image out of a program of this machine: FROM scratch, the program's files and nothing else.
//!
//! An image is named after what is in it, so that it is made once and used until the program is built anew; then it is removed.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use testcontainers::bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use testcontainers::bollard::{Docker, body_try_stream};
use tokio::io::DuplexStream;
use tokio_util::io::ReaderStream;

use crate::engine::failed;
use crate::files::Files;
use crate::labels::PROGRAM;

/// The name of all images that are made here; the tag says which.
pub(crate) const NAME: &str = "watertight";

/// Bytes of an image that are under way to the engine.
const BUFFER_BYTES: usize = 1 << 20;

/// The tag of an image that has `files`, which is made if the engine has none.
pub(crate) async fn of(docker: &Docker, files: Files) -> io::Result<String> {
    let (tag, files) =
        tokio::task::spawn_blocking(move || Ok::<_, io::Error>((files.digest()?, files))).await??;
    if is_there(docker, &tag).await {
        return Ok(tag);
    }
    // Runs that begin together need the same one: the first makes it. The lock ends with its process, however that ends.
    let name = std::env::temp_dir().join(format!("{NAME}-image-{tag}.lock"));
    let lock = tokio::task::spawn_blocking(move || locked(&name)).await??;
    if !is_there(docker, &tag).await {
        make(docker, &tag, &files).await?;
        remove_stale(docker, &files.program, &tag).await;
    }
    drop(lock);
    Ok(tag)
}

async fn is_there(docker: &Docker, tag: &str) -> bool {
    docker.inspect_image(&format!("{NAME}:{tag}")).await.is_ok()
}

/// Waits until nobody else has the lock called `name`.
fn locked(name: &Path) -> io::Result<fs::File> {
    let lock = fs::OpenOptions::new().create(true).append(true).open(name)?;
    lock.lock()?;
    // Whoever waits for it has it open; the next one makes another, and finds the image.
    let _gone = fs::remove_file(name);
    Ok(lock)
}

async fn make(docker: &Docker, tag: &str, files: &Files) -> io::Result<()> {
    let (ours, theirs) = tokio::io::duplex(BUFFER_BYTES);
    let paths: Vec<PathBuf> = files.all.iter().cloned().collect();
    let packing = tokio::spawn(pack(paths, ours));
    let label = format!("LABEL {PROGRAM}={}", quoted(&files.program));
    let options =
        CreateImageOptionsBuilder::new().from_src("-").repo(NAME).tag(tag).changes(vec![label]).build();
    let body = body_try_stream(ReaderStream::with_capacity(theirs, BUFFER_BYTES));
    let mut answers = Box::pin(docker.create_image(Some(options), Some(body), None));
    while let Some(answer) = answers.next().await {
        answer.map_err(failed("make an image"))?;
    }
    packing.await?
}

/// As the instruction `LABEL` reads it.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}

/// Packs each file under its own path; a link becomes what it leads to.
async fn pack(paths: Vec<PathBuf>, to: DuplexStream) -> io::Result<()> {
    let mut tar = tokio_tar::Builder::new(to);
    tar.follow_symlinks(true);
    for path in paths {
        let name = path.strip_prefix("/").unwrap_or(&path);
        tar.append_path_with_name(&path, name).await?;
    }
    tar.finish().await
}

/// Removes images of programs that are gone, and those of `program` that it has grown out of; an image in use stays.
async fn remove_stale(docker: &Docker, program: &Path, tag: &str) {
    let filters = HashMap::from([("label".to_owned(), vec![PROGRAM.to_owned()])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    for image in docker.list_images(Some(options)).await.unwrap_or_default() {
        let of = image.labels.get(PROGRAM).map(PathBuf::from).unwrap_or_default();
        let is_current = image.repo_tags.iter().any(|name| *name == format!("{NAME}:{tag}"));
        if !is_current && (of == program || !of.exists()) {
            // Another run may still use it, and the next one removes it.
            let _in_use = docker.remove_image(&image.id, None::<RemoveImageOptions>, None).await;
        }
    }
}
