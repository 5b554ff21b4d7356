//! The live view: what goes on, on a terminal, for `watch` and `soak`.
//!
//! [`State`] is a value of bounded size, [`draw`](draw::draw) a pure function of it, and [`Live`] the thread that shows it and
//! listens to keys.

mod draw;
mod soaking;
mod state;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use watertight::runner::Stop;

use crate::screen;

pub use soaking::Soaking;
pub use state::{State, Tone};

/// How long keys are waited for between two looks at whether there is something to draw.
const KEY_POLL: Duration = Duration::from_millis(100);

/// The view while it is shown. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct Live {
    album: Arc<Mutex<Album>>,
    over: Arc<AtomicBool>,
    shown: Option<JoinHandle<io::Result<()>>>,
}

/// A page for each case, one of which is shown.
#[derive(Debug)]
struct Album {
    pages: Vec<State>,
    shown: usize,
}

impl Album {
    fn page(&mut self) -> Option<&mut State> {
        self.pages.get_mut(self.shown)
    }

    /// Turns so many pages on, round and round.
    fn turn(&mut self, by: usize) {
        self.shown = (self.shown + by) % self.pages.len().max(1);
        let place = (self.pages.len() > 1).then(|| (self.shown + 1, self.pages.len()));
        if let Some(page) = self.page() {
            page.place = place;
            page.force();
        }
    }
}

/// Whether there is a terminal to draw on, and keys to listen to.
pub fn has_terminal() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

impl Live {
    /// Shows `pages` from now on, the first of them at first; `q` and Ctrl-C ask `stop` for an end, and from then on the
    /// terminal is as it was before; `farewell` is said there, if there is something to say.
    ///
    /// # Errors
    /// Those of the terminal.
    pub fn show(pages: Vec<State>, stop: &Stop, farewell: &'static str) -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let mut album = Album { pages, shown: 0 };
        album.turn(0);
        let (album, over) = (Arc::new(Mutex::new(album)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (album, over, stop) = (Arc::clone(&album), Arc::clone(&over), stop.clone());
            move || {
                let shown = play(terminal, &album, &over, &stop);
                let restored = ratatui::try_restore().and(shown);
                if stop.is_requested() && !farewell.is_empty() {
                    screen::err(farewell);
                }
                restored
            }
        };
        match std::thread::Builder::new().name("live view".to_owned()).spawn(thread) {
            Ok(shown) => Ok(Self { album, over, shown: Some(shown) }),
            Err(error) => ratatui::try_restore().and(Err(error)),
        }
    }

    /// Changes page `at`.
    pub fn change(&self, at: usize, change: impl FnOnce(&mut State)) {
        if let Some(page) = lock(&self.album).pages.get_mut(at) {
            change(page);
            page.touch();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A terminal that broke has cost the view alone.
        let _ = self.shown.take().map(JoinHandle::join);
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws what has changed, until it is over or somebody asks for an end.
fn play(
    mut terminal: DefaultTerminal,
    album: &Mutex<Album>,
    over: &AtomicBool,
    stop: &Stop,
) -> io::Result<()> {
    let mut drawn = None;
    while !over.load(Ordering::Relaxed) && !stop.is_requested() {
        if let Some(page) = to_be_drawn(album, &mut drawn) {
            terminal.draw(|frame| draw::draw(&page, frame))?;
        }
        if event::poll(KEY_POLL)? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => on_key(key, &mut lock(album), stop),
                Event::Resize(..) => drawn = None,
                _ => {}
            }
        }
    }
    Ok(())
}

/// The page that is shown, if it has changed: a copy, since a terminal may be slow and nobody is to wait for it.
fn to_be_drawn(album: &Mutex<Album>, drawn: &mut Option<(usize, u64)>) -> Option<State> {
    let mut album = lock(album);
    let shown = album.shown;
    let page = album.page()?;
    let version = (shown, page.version());
    (drawn.replace(version) != Some(version)).then(|| page.clone())
}

fn on_key(key: KeyEvent, album: &mut Album, stop: &Stop) {
    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => stop.request(),
        _ if is_interrupt => stop.request(),
        KeyCode::Right | KeyCode::Tab => album.turn(1),
        KeyCode::Left | KeyCode::BackTab => album.turn(album.pages.len().saturating_sub(1)),
        code => album.page().into_iter().for_each(|page| on_page_key(code, page)),
    }
}

fn on_page_key(code: KeyCode, page: &mut State) {
    match code {
        KeyCode::Char('p' | ' ') => page.pause_or_go_on(),
        KeyCode::Down | KeyCode::Char('j') => page.select_next(),
        KeyCode::Up | KeyCode::Char('k') => page.select_previous(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> (Album, bool) {
        let pages = vec![state::tests::watching(), State::default(), State::default()];
        let (mut album, stop) = (Album { pages, shown: 0 }, Stop::never());
        on_key(KeyEvent::new(code, modifiers), &mut album, &stop);
        (album, stop.is_requested())
    }

    #[test]
    fn q_and_ctrl_c_ask_for_an_end() {
        assert!(press(KeyCode::Char('q'), KeyModifiers::NONE).1);
        assert!(press(KeyCode::Char('c'), KeyModifiers::CONTROL).1);
        assert!(!press(KeyCode::Char('c'), KeyModifiers::NONE).1);
    }

    #[test]
    fn pages_are_turned_round_and_round() {
        let shown = |code| press(code, KeyModifiers::NONE).0.shown;
        assert_eq!((shown(KeyCode::Right), shown(KeyCode::Left)), (1, 2));
    }

    #[test]
    fn a_page_is_drawn_again_when_it_has_changed_or_another_is_shown() {
        let album = Mutex::new(press(KeyCode::Home, KeyModifiers::NONE).0);
        let mut drawn = None;
        assert!(to_be_drawn(&album, &mut drawn).is_some());
        assert!(to_be_drawn(&album, &mut drawn).is_none(), "nothing has changed");
        lock(&album).turn(1);
        assert!(to_be_drawn(&album, &mut drawn).is_some());
    }

    #[test]
    fn arrows_choose_and_p_pauses() {
        let selected = |code| press(code, KeyModifiers::NONE).0.pages[0].selected();
        assert_eq!((selected(KeyCode::Down), selected(KeyCode::Up), selected(KeyCode::Home)), (1, 2, 0));
        let (paused, _) = press(KeyCode::Char('p'), KeyModifiers::NONE);
        assert!(paused.pages[0].is_paused());
    }
}
