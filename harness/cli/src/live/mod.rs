//! The live view: what goes on, on a terminal, for `watch` and `soak`.
//!
//! [`State`] is a value of bounded size, [`draw`](draw::draw) a pure function of it, and [`Live`] the thread that shows it and
//! listens to keys.

mod draw;
mod state;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use watertight::runner::Stop;

pub use state::{State, Tone};

/// How long keys are waited for between two looks at whether there is something to draw.
const KEY_POLL: Duration = Duration::from_millis(100);

/// The view while it is shown. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct Live {
    state: Arc<Mutex<State>>,
    over: Arc<AtomicBool>,
    shown: Option<JoinHandle<io::Result<()>>>,
}

/// Whether there is a terminal to draw on, and keys to listen to.
pub fn has_terminal() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

impl Live {
    /// Shows `state` from now on; `q` and Ctrl-C ask `stop` for an end, and from then on the terminal is as it was before.
    ///
    /// # Errors
    /// Those of the terminal.
    pub fn show(state: State, stop: &Stop) -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (state, over) = (Arc::new(Mutex::new(state)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (state, over, stop) = (Arc::clone(&state), Arc::clone(&over), stop.clone());
            move || {
                let shown = play(terminal, &state, &over, &stop);
                ratatui::try_restore().and(shown)
            }
        };
        match std::thread::Builder::new().name("live view".to_owned()).spawn(thread) {
            Ok(shown) => Ok(Self { state, over, shown: Some(shown) }),
            Err(error) => ratatui::try_restore().and(Err(error)),
        }
    }

    /// Changes what is shown.
    pub fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        state.touch();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A terminal that broke has cost the view alone.
        let _ = self.shown.take().map(JoinHandle::join);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws what has changed, until it is over or somebody asks for an end.
fn play(mut terminal: DefaultTerminal, state: &Mutex<State>, over: &AtomicBool, stop: &Stop) -> io::Result<()> {
    let mut drawn = None;
    while !over.load(Ordering::Relaxed) && !stop.is_requested() {
        let changed = lock(state).to_be_drawn(drawn);
        if let Some(version) = changed {
            terminal.draw(|frame| draw::draw(&lock(state), frame))?;
            drawn = Some(version);
        }
        if event::poll(KEY_POLL)? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => on_key(key, &mut lock(state), stop),
                Event::Resize(..) => drawn = None,
                _ => {}
            }
        }
    }
    Ok(())
}

fn on_key(key: KeyEvent, state: &mut State, stop: &Stop) {
    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => stop.request(),
        _ if is_interrupt => stop.request(),
        KeyCode::Char('p' | ' ') => state.pause_or_go_on(),
        KeyCode::Down | KeyCode::Right | KeyCode::Tab | KeyCode::Char('j') => state.select_next(),
        KeyCode::Up | KeyCode::Left | KeyCode::BackTab | KeyCode::Char('k') => state.select_previous(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> (State, bool) {
        let (mut state, stop) = (state::tests::watching(), Stop::never());
        on_key(KeyEvent::new(code, modifiers), &mut state, &stop);
        (state, stop.is_requested())
    }

    #[test]
    fn q_and_ctrl_c_ask_for_an_end() {
        assert!(press(KeyCode::Char('q'), KeyModifiers::NONE).1);
        assert!(press(KeyCode::Char('c'), KeyModifiers::CONTROL).1);
        assert!(!press(KeyCode::Char('c'), KeyModifiers::NONE).1);
    }

    #[test]
    fn arrows_choose_and_p_pauses() {
        let selected = |code| press(code, KeyModifiers::NONE).0.selected();
        assert_eq!((selected(KeyCode::Down), selected(KeyCode::Up), selected(KeyCode::Home)), (1, 2, 0));
        let (paused, _) = press(KeyCode::Char('p'), KeyModifiers::NONE);
        assert!(paused.is_paused());
    }
}
