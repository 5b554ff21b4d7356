//! One process, looked at again and again from outside and from inside.

use watertight_probe::client::Client;

use super::{Blind, Census, Inside, Outside};
use crate::explain::SiteCount;
use crate::timeline::Trimmed;

/// Looks at one process. Every look blocks for as long as the views inside take, which bound themselves.
#[derive(Debug)]
pub struct Sampler {
    outside: Outside,
    inside: Vec<Box<dyn Inside>>,
}

impl Sampler {
    /// Watches a process from `outside`, and by each of `inside` from inside; a later one has the last word.
    pub fn new(outside: Outside, inside: Vec<Box<dyn Inside>>) -> Self {
        Self { outside, inside }
    }

    /// The view from outside.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Watertight's probe, where the process has one.
    pub fn probe(&self) -> Option<&Client> {
        self.inside.iter().find_map(|view| view.probe())
    }

    /// One census, with the process's own figures.
    ///
    /// # Errors
    /// The process is gone, or a view inside does not answer.
    pub fn census(&mut self) -> Result<Census, Blind> {
        let mut census = self.outside.census()?;
        for view in &mut self.inside {
            view.look(&mut census)?;
        }
        Ok(census)
    }

    /// What the views inside name of what the process holds now.
    ///
    /// # Errors
    /// A view inside does not answer.
    pub fn sites(&mut self) -> Result<Vec<SiteCount>, Blind> {
        let sites: Result<Vec<_>, Blind> = self.inside.iter_mut().map(|view| view.sites()).collect();
        Ok(sites?.into_iter().flatten().collect())
    }

    /// Asks the process's allocator to give back what is free; `None`: it has no probe, or had nothing to give.
    pub fn trim(&mut self) -> Option<Trimmed> {
        let rss_before_bytes = self.outside.census().ok()?.rss_bytes?;
        let gave = self.probe()?.trim().ok()?;
        let rss_after_bytes = self.outside.census().ok()?.rss_bytes?;
        gave.then_some(Trimmed { rss_before_bytes, rss_after_bytes })
    }
}
