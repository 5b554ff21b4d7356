//! One run's house: its network, its container, and what the target is told.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{ContainerUpdateBody, HostConfig, HostConfigLogConfig};
use testcontainers::core::Mount;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _};
use watertight::housing::{House, Houses, Lease, Resident};
use watertight::scenario::limits::Limits;
use watertight::world::{BoxFuture, Program, WorldError};

use crate::engine::{self, failed};
use crate::files::Files;
use crate::image;
use crate::labels::RunId;
use crate::network::Network;
use crate::resident::Contained;
use crate::warden::{self, Warden};

/// Variables of the run that its target gets as well, as a process of this machine would: they say how to count and to complain.
const INHERITED: [&str; 4] = ["WATERTIGHT_HEAP", "RUST_BACKTRACE", "RUST_LOG", "RUST_LIB_BACKTRACE"];

/// More memory than there is: engines take no word for "as much as you like" once a container runs.
const MEMORY_UNLIMITED: i64 = 1 << 40;

/// What is kept of a target's output: it must not fill the disk.
const LOG_BYTES_MAX: &str = "4m";

/// Containers, as the engine of this machine has them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Containers;

impl Houses for Containers {
    fn lacks(&self) -> Option<String> {
        engine::lacks()
    }

    fn open<'a>(&'a self, lease: Lease<'a>) -> BoxFuture<'a, Result<Box<dyn House>, WorldError>> {
        Box::pin(async move {
            let open = Apartment::open(lease).await;
            let open = open.map(|house| Box::new(house) as Box<dyn House>);
            open.map_err(|error| WorldError::Start { what: "a container".to_owned(), why: error.to_string() })
        })
    }
}

/// A network with room for one container.
struct Apartment {
    docker: Docker,
    run: RunId,
    warden: Warden,
    network: Network,
    image: Option<String>,
    limits: Limits,
    scratch: PathBuf,
    /// Who lives there: how the engine calls it, and its address.
    resident: Option<(String, Ipv4Addr)>,
}

impl Apartment {
    async fn open(lease: Lease<'_>) -> io::Result<Self> {
        let docker = engine::connect().await?;
        // Whoever has left something is not in anybody's way.
        let _left_for_the_next_run = warden::clear_stale(&docker).await;
        let run = RunId::next()?;
        let warden = Warden::start(&run)?;
        let network = Network::make(&docker, &run).await?;
        let Lease { image, limits, scratch } = lease;
        let (image, scratch) = (image.map(str::to_owned), scratch.to_owned());
        Ok(Self { docker, run, warden, network, image, limits, scratch, resident: None })
    }

    async fn start(&mut self, program: &Program) -> io::Result<Contained> {
        let request = match &self.image {
            Some(image) => self.of_image(image, program)?,
            None => self.of_program(program).await?,
        };
        let container = request.start().await.map_err(failed("start a container"))?;
        let limit_bytes = self.limits.memory.0;
        let contained = Contained::of(container, &self.docker, &self.network.name, limit_bytes).await?;
        self.resident = Some((contained.id().to_owned(), contained.own_address()));
        Ok(contained)
    }

    /// The user's own image, as it is meant to be run.
    fn of_image(&self, image: &str, program: &Program) -> io::Result<ContainerRequest<GenericImage>> {
        let (name, tag) = name_and_tag(image);
        self.request(GenericImage::new(name, tag).with_cmd(words(program)?), program)
    }

    /// An image of nothing but the program: it needs no right beyond its user's, and has nowhere to write but the run's folder.
    async fn of_program(&self, program: &Program) -> io::Result<ContainerRequest<GenericImage>> {
        let executable = program.argv.first().map(OsStr::new).unwrap_or_default();
        let files = Files::of(executable)?;
        let mut command = words(program)?;
        if let Some(first) = command.first_mut() {
            *first = files.program.to_string_lossy().into_owned();
        }
        let tag = image::of(&self.docker, files).await?;
        let user = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?)));
        let request = GenericImage::new(image::NAME, &tag)
            .with_cmd(command)
            .with_user(format!("{}:{}", user.0, user.1))
            .with_userns_mode("host")
            .with_cap_drop("ALL")
            .with_readonly_rootfs(true)
            .with_working_dir(self.scratch.to_string_lossy());
        let request = inherited.fold(request, |request, (name, value)| request.with_env_var(name, value));
        self.request(request, program)
    }

    /// What holds for every image.
    fn request(
        &self,
        request: ContainerRequest<GenericImage>,
        program: &Program,
    ) -> io::Result<ContainerRequest<GenericImage>> {
        let (scratch, limits) = (self.scratch.to_string_lossy(), self.limits);
        let mut request = request
            .with_container_name(&self.network.name)
            .with_labels(self.run.labels()?)
            .with_network(&self.network.name)
            .with_mount(Mount::bind_mount(scratch.clone(), scratch))
            .with_security_opt("no-new-privileges")
            // Where the machine labels its files, those of the run's folder have another label.
            .with_security_opt("label=disable")
            .with_host_config_modifier(move |host| hold(host, limits));
        for (name, value) in &program.env {
            request = request.with_env_var(text(name)?, text(value)?);
        }
        Ok(request)
    }

    async fn cut_off(&self, cut: bool) -> io::Result<()> {
        let Some((id, address)) = &self.resident else { return Ok(()) };
        match cut {
            true => self.network.disconnect(&self.docker, id).await,
            false => self.network.connect(&self.docker, id, *address).await,
        }
    }
}

impl House for Apartment {
    fn host(&self) -> IpAddr {
        self.network.gateway.into()
    }

    fn listen(&self) -> IpAddr {
        Ipv4Addr::UNSPECIFIED.into()
    }

    fn start<'a>(&'a mut self, program: &'a Program) -> BoxFuture<'a, io::Result<Box<dyn Resident>>> {
        Box::pin(async { Ok(Box::new(Apartment::start(self, program).await?) as Box<dyn Resident>) })
    }

    fn cut_off(&mut self, cut: bool) -> Option<BoxFuture<'_, io::Result<()>>> {
        Some(Box::pin(Apartment::cut_off(self, cut)))
    }

    fn lift_limits(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let Some((id, _)) = &self.resident else { return };
            let unlimited = ContainerUpdateBody {
                memory: Some(MEMORY_UNLIMITED),
                memory_swap: Some(MEMORY_UNLIMITED),
                ..ContainerUpdateBody::default()
            };
            // An engine that will not leaves it at the bound, and what is asked may go unanswered.
            let _refused = self.docker.update_container(id, unlimited).await;
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // What could not be removed here is left to the warden.
            let _left = warden::clear_run(&self.docker, &self.run).await;
            self.warden.relieve().await;
        })
    }
}

/// Holds a container to `limits`: no swap beside its memory, no ports of this machine, an end to its log.
fn hold(host: &mut HostConfig, limits: Limits) {
    let memory = i64::try_from(limits.memory.0).unwrap_or(i64::MAX);
    host.memory = Some(memory);
    host.memory_swap = Some(memory);
    host.pids_limit = Some(limits.pids.into());
    host.publish_all_ports = Some(false);
    let kept = [("max-size".to_owned(), LOG_BYTES_MAX.to_owned()), ("max-file".to_owned(), "2".to_owned())];
    let config = Some(kept.into());
    host.log_config = Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config });
}

/// `redis:8` is `redis` and `8`; `registry:5000/redis` is that and `latest`; a digest keeps its place.
fn name_and_tag(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

fn words(program: &Program) -> io::Result<Vec<String>> {
    program.argv.iter().map(|word| text(word)).collect()
}

fn text(word: &OsStr) -> io::Result<String> {
    let unreadable = || io::Error::other(format!("the engine takes UTF-8 alone, found `{}`", word.display()));
    word.to_str().map(str::to_owned).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_name_and_a_tag() {
        assert_eq!(name_and_tag("redis:8"), ("redis", "8"));
        assert_eq!(name_and_tag("redis"), ("redis", "latest"));
        assert_eq!(name_and_tag("localhost:5000/redis"), ("localhost:5000/redis", "latest"));
        assert_eq!(name_and_tag("redis@sha256:00ff"), ("redis@sha256", "00ff"));
    }

    #[test]
    fn a_container_is_held_to_its_limits() {
        let mut host = HostConfig { publish_all_ports: Some(true), ..HostConfig::default() };
        let limits = Limits { memory: watertight::units::Size(64 << 20), pids: 50 };
        hold(&mut host, limits);
        assert_eq!(
            (host.memory, host.memory_swap, host.pids_limit),
            (Some(64 << 20), Some(64 << 20), Some(50))
        );
        assert_eq!(host.publish_all_ports, Some(false), "nobody outside the run reaches it");
    }
}
